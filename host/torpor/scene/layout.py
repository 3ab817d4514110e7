# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The structs of a scene, read from firmware/drivers/replay/scene_layout.h."""

import cffi

from torpor.paths import FIRMWARE
from torpor.plan.layout import parse_header

HEADER = FIRMWARE / "drivers" / "replay" / "scene_layout.h"

_DECLARATIONS, CONST = parse_header(HEADER.read_text(encoding="utf-8"))
ffi = cffi.FFI()
ffi.cdef(_DECLARATIONS)

MAGIC, VERSION = CONST["SCENE_MAGIC"], CONST["SCENE_VERSION"]
AXES_MAX = CONST["SCENE_AXES_MAX"]
NO_CLIP = CONST["SCENE_NO_CLIP"]
GAIN_ONE = CONST["SCENE_GAIN_ONE"]
"""Of an event that plays its clip as it is."""

HEADER_BYTES = ffi.sizeof("scene_header_t")
CLIP_BYTES = ffi.sizeof("scene_clip_t")
EVENT_BYTES = ffi.sizeof("scene_event_t")
BEFORE_CRC = 8
"""Bytes that the CRC is not computed over: the magic number and itself."""
