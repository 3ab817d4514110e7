# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Windows of sound: which slices they are made of, whenever a wake begins."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cffi
import pytest

from tests.support.shared import build_shared
from torpor.paths import FIRMWARE

BEFORE, ROWS, CHANNELS, BLOCK, HISTORY = 8, 3, 40, 160, 16
DECLARATIONS = """
    void window_start(void);
    int16_t *window_slot(void);
    void window_begin(void);
    void window_due(void);
    bool window_take(void);
    uint32_t window_score(void);
    void window_codes(int8_t *codes);
    extern uint32_t shim_resets, shim_resumes, shim_slices;
"""


class Sound:
    """A microphone whose block number n is n, everywhere."""

    def __init__(self, library: Path) -> None:
        self.ffi = cffi.FFI()
        self.ffi.cdef(DECLARATIONS)
        self.c: Any = self.ffi.dlopen(str(library))
        self.c.window_start()
        self._blocks = 0

    def hear(self, count: int) -> None:
        """Let some blocks come."""
        for _ in range(count):
            slot = self.c.window_slot()
            for i in range(BLOCK):
                slot[i] = self._blocks
            self._blocks += 1

    def windows(self) -> list[list[int]]:
        """Return the blocks of all windows that are due."""
        found = []
        self.c.window_due()
        while self.c.window_take():
            codes = self.ffi.new(f"int8_t[{ROWS * CHANNELS}]")
            self.c.window_codes(codes)
            rows = [codes[row * CHANNELS] for row in range(ROWS)]
            assert self.c.window_score() == rows[-1]
            found.append(rows)
        return found


@pytest.fixture(scope="session")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    sources = [
        FIRMWARE / "app" / "wake" / "sound" / "window.c",
        FIRMWARE / "duty" / "gate.c",
        Path(__file__).with_name("sound_shim.c"),
    ]
    return build_shared(folder, sources, libraries=())


@pytest.fixture
def sound(_library: Path, tmp_path: Path) -> Iterator[Callable[[], Sound]]:
    made = 0

    def make() -> Sound:
        nonlocal made
        made += 1
        copy = tmp_path / f"{made}.so"
        shutil.copy(_library, copy)
        return Sound(copy)

    yield make


def always(last: int) -> list[list[int]]:
    """Return the windows of a device that never sleeps, up to a block."""
    return [[n, n + 1, n + 2] for n in range(0, last - 1, ROWS)]


def test_one_that_never_sleeps_has_every_slice_once(sound: Callable[[], Sound]) -> None:
    made = sound()
    made.c.window_begin()
    found = []
    for count in (1, 3, 3, 5, 4, 2, 3):
        made.hear(count)
        found += made.windows()
    assert found == always(20)
    assert made.c.shim_slices == 21


@pytest.mark.parametrize("asleep", range(1, 60))
def test_a_wake_has_the_windows_that_would_have_been_there(
    sound: Callable[[], Sound], asleep: int
) -> None:
    made = sound()
    made.hear(asleep)
    made.c.window_begin()
    found = made.windows()
    made.hear(7)
    found += made.windows()
    last = asleep + 7 - 1
    assert found == always(last)[-len(found) :]
    first = max(asleep - 1 - BEFORE, 0)
    assert first - ROWS < found[0][0] <= first, "a whole window at most more than was asked for"
    assert asleep + 7 - found[0][0] <= HISTORY + 3


def test_asleep_nothing_is_computed(sound: Callable[[], Sound]) -> None:
    made = sound()
    made.hear(100)
    assert (made.c.shim_slices, made.c.shim_resets, made.c.shim_resumes) == (0, 1, 0)


def test_a_wake_that_begins_anew_does_not_make_up_for_what_is_long_past(
    sound: Callable[[], Sound],
) -> None:
    """As when a host has had the model for some seconds."""
    made = sound()
    made.hear(10)
    made.c.window_begin()
    made.windows()
    made.hear(100)  # nobody takes windows
    made.c.window_begin()
    found = made.windows()
    assert found == always(109)[-len(found) :]
    assert len(found) == BEFORE // ROWS + 1
    assert made.c.shim_resumes == 2
