# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/drivers/replay as a shared library, with UBSan."""

from pathlib import Path
from typing import Any, NamedTuple

import cffi
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.shared import build_shared
from torpor.engine.library import declarations
from torpor.paths import FIRMWARE
from torpor.plan.layout import parse_header
from torpor.scene.layout import HEADER

DRIVERS = FIRMWARE / "drivers"
HEADERS = (
    DRIVERS / "replay" / "scene.h",
    FIRMWARE / "core" / "timers.h",
    DRIVERS / "sensor.h",
    DRIVERS / "replay" / "replay.h",
)
SHIM = "extern uint32_t shim_blocks;"


def timers() -> int:
    """Return how many timers there are in a timers_t."""
    header = (FIRMWARE / "core" / "timers.h").read_text()
    return int(header.partition("#define TIMERS ")[2].split()[0])


class Library(NamedTuple):
    """An open library and the cffi object that knows its types."""

    ffi: Any
    c: Any

    def opened(self, content: bytes) -> Any:
        """Return an open scene_t with its bytes, or None if it is refused."""
        memory = self.ffi.new("uint64_t[]", len(content) // 8 + 1)
        self.ffi.memmove(memory, content, len(content))
        scene = self.ffi.new("scene_t *")
        return (scene, memory) if self.c.scene_open(scene, memory, len(content)) else None

    def render(self, opened: Any, start: int, count: int) -> NDArray[np.int16]:
        """Return what scene_render() writes, int16 [count, axes]."""
        scene, _ = opened
        axes = scene.header.axes
        out = self.ffi.new("int16_t[]", max(count * axes, 1))
        self.c.scene_render(scene, start, count, out)
        return np.frombuffer(self.ffi.buffer(out, 2 * count * axes), "<i2").reshape(count, axes)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Return the reader of scenes and the replayed sensor."""
    ffi = cffi.FFI()
    layout, _ = parse_header(HEADER.read_text())
    texts = [declarations(path.read_text()) for path in HEADERS]
    ffi.cdef("\n".join([layout, *texts, SHIM]).replace("[TIMERS]", f"[{timers()}]"))
    core = [FIRMWARE / "core" / name for name in ("crc32.c", "timers.c")]
    here = Path(__file__).with_name("shim.c")
    sources = [*sorted((DRIVERS / "replay").glob("*.c")), *core, here]
    folder = tmp_path_factory.mktemp("replay")
    return Library(ffi, ffi.dlopen(str(build_shared(folder, sources, libraries=()))))
