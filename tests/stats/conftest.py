# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The statistics of the firmware with UBSan, on simulated flash."""

from typing import Any

import cffi
import pytest

from tests.support.shared import build_shared
from torpor.paths import FIRMWARE
from torpor.powercut.library import HERE, cdef

NAMES = ("sampler", "summary", "drift", "store")


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Return (ffi, library)."""
    sources = [
        *sorted((FIRMWARE / "stats").glob("*.c")),
        FIRMWARE / "core" / "crc32.c",
        HERE / "flash.c",
    ]
    folder = tmp_path_factory.mktemp("stats")
    library = build_shared(folder, sources, libraries=(), include=(HERE,))
    headers = [FIRMWARE / "stats" / f"{name}.h" for name in NAMES]
    ffi = cffi.FFI()
    ffi.cdef(cdef([FIRMWARE / "hal" / "flash.h", *headers, HERE / "flash.h"]))
    return ffi, ffi.dlopen(str(library))
