# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The simulated flash keeps the rules of real ones, and power fails in it where it is told to."""

from collections.abc import Iterator
from typing import Any

import pytest

from torpor.powercut.library import open_update
from torpor.powercut.proof import SHAPES

ERASE, WRITE, BLOCKS = 512, 8, 4
SIZE = ERASE * BLOCKS


class Flash:
    """A flash that is full of a pattern but for its first block."""

    def __init__(self) -> None:
        self.ffi, self.lib = open_update("undefined")
        self.memory = self.ffi.new("uint8_t[]", SIZE)
        self.dirty = self.ffi.new("uint8_t[]", BLOCKS)
        self.sim = self.lib.flash_sim
        self.sim.bytes, self.sim.size, self.sim.dirty = self.memory, SIZE, self.dirty
        self.sim.erase_size, self.sim.write_size, self.sim.seed = ERASE, WRITE, 1
        self.sim.violations, self.sim.violation = 0, self.ffi.NULL
        self.lib.flash_sim_power_on()
        self.lib.flash_sim_load(0, b"\xff" * ERASE + b"\x5a" * (SIZE - ERASE), SIZE)

    def program(self, offset: int, data: bytes) -> bool:
        return bool(self.lib.flash_program(offset, data, len(data)))

    def erase(self, offset: int) -> bool:
        return bool(self.lib.flash_erase(offset))

    def bytes(self, offset: int, length: int) -> bytes:
        return bytes(self.ffi.buffer(self.memory)[offset : offset + length])

    def cut(self, operation: int, shape: str) -> None:
        self.sim.cut_at, self.sim.shape = operation, SHAPES.index(shape)

    @property
    def violation(self) -> str:
        text = self.sim.violation
        return "" if text == self.ffi.NULL else self.ffi.string(text).decode()

    @property
    def dirty_blocks(self) -> list[int]:
        return [block for block in range(BLOCKS) if self.dirty[block]]


@pytest.fixture
def flash() -> Iterator[Flash]:
    made = Flash()
    yield made
    made.sim.dirty = made.ffi.NULL
    made.sim.writable, made.sim.small_end = [(0, 0), (0, 0)], 0
    made.sim.violations, made.sim.violation = 0, made.ffi.NULL


DATA = bytes(range(1, 1 + 4 * WRITE))


def test_what_is_programmed_is_read(flash: Flash) -> None:
    assert flash.program(WRITE, DATA)
    assert flash.bytes(0, 6 * WRITE) == b"\xff" * WRITE + DATA + b"\xff" * WRITE
    assert flash.sim.operations == len(DATA) // WRITE, "an operation is one unit"
    assert flash.dirty_blocks == [0]


def test_a_block_is_erased(flash: Flash) -> None:
    assert flash.erase(2 * ERASE)
    assert flash.bytes(2 * ERASE, ERASE) == b"\xff" * ERASE
    assert flash.bytes(ERASE, ERASE) == flash.bytes(3 * ERASE, ERASE) == b"\x5a" * ERASE
    assert (flash.sim.operations, flash.dirty_blocks) == (1, [2])


def test_dirty_are_all_blocks_that_data_reaches(flash: Flash) -> None:
    assert flash.erase(ERASE)
    assert flash.program(ERASE - WRITE, DATA)
    assert flash.dirty_blocks == [0, 1]


@pytest.mark.parametrize(
    ("offset", "length"),
    [(1, WRITE), (0, WRITE - 1), (SIZE, WRITE), (SIZE - WRITE, 2 * WRITE), (1 << 31, WRITE)],
)
def test_programming_of_no_whole_units_is_a_violation(
    flash: Flash, offset: int, length: int
) -> None:
    assert not flash.program(offset, b"\0" * length)
    assert flash.violation == "programming of what are no whole units"


def test_programming_twice_is_a_violation_at_the_first_unit_that_is_not_erased(
    flash: Flash,
) -> None:
    assert flash.program(2 * WRITE, DATA[:WRITE])
    assert flash.violation == ""
    assert not flash.program(0, DATA)
    assert flash.violation == "programming of a unit that is not erased"
    assert flash.bytes(0, 3 * WRITE) == DATA[: 2 * WRITE] + DATA[:WRITE], "the units before are"


def test_programming_the_same_bytes_again_is_a_violation_too(flash: Flash) -> None:
    assert flash.program(0, DATA)
    assert not flash.program(0, DATA)
    assert flash.sim.violations == 1


@pytest.mark.parametrize("offset", [1, WRITE, SIZE, 2 * SIZE])
def test_erasing_what_is_no_block_is_a_violation(flash: Flash, offset: int) -> None:
    assert not flash.erase(offset)
    assert flash.violation == "erase of what is no block"


@pytest.mark.parametrize("shape", SHAPES)
def test_power_fails_in_one_unit(flash: Flash, shape: str) -> None:
    flash.cut(3, shape)
    assert not flash.program(0, DATA)
    assert flash.bytes(0, 2 * WRITE) == DATA[: 2 * WRITE], "those before are done"
    assert flash.bytes(3 * WRITE, WRITE) == b"\xff" * WRITE, "those behind are not"
    torn, wanted = flash.bytes(2 * WRITE, WRITE), DATA[2 * WRITE : 3 * WRITE]
    half = WRITE // 2
    if shape == "prefix":
        assert torn == wanted[:half] + b"\xff" * half
    elif shape == "complete":
        assert torn == wanted
    assert all(t & w == w for t, w in zip(torn, wanted, strict=True)), "bits are cleared, not set"
    assert (flash.sim.cut_offset, flash.sim.cut_erase) == (2 * WRITE, False)


@pytest.mark.parametrize("shape", SHAPES)
def test_power_fails_in_an_erase(flash: Flash, shape: str) -> None:
    flash.cut(1, shape)
    assert not flash.erase(ERASE)
    torn = flash.bytes(ERASE, ERASE)
    half = ERASE // 2
    if shape == "prefix":
        assert torn == b"\xff" * half + b"\x5a" * half
    elif shape == "complete":
        assert torn == b"\xff" * ERASE
    else:
        assert torn not in (b"\xff" * ERASE, b"\x5a" * ERASE)
    assert flash.sim.torn == (shape != "complete")
    assert (flash.sim.cut_offset, flash.sim.cut_erase) == (ERASE, True)


def way_of(torn: bytes) -> str:
    """Return how an erase of 0x5a, four of whose bits are to be set, has stopped."""
    bits = sum(byte.bit_count() for byte in torn)
    if torn[: ERASE // 2] == b"\x5a" * (ERASE // 2):
        return "from the end"
    if bits < 4 * ERASE:
        return "cleared first"
    share = (bits - 4 * ERASE) / (4 * ERASE)
    return "early" if share < 0.1 else "late" if share > 0.9 else "half way"


def test_an_erase_that_is_cut_leaves_anything(flash: Flash) -> None:
    found = set()
    for seed in range(40):
        flash.lib.flash_sim_power_on()
        flash.lib.flash_sim_load(ERASE, b"\x5a" * ERASE, ERASE)
        flash.sim.seed = seed
        flash.cut(1, "random")
        flash.erase(ERASE)
        found.add(way_of(flash.bytes(ERASE, ERASE)))
    assert found == {"early", "half way", "late", "cleared first", "from the end"}


def test_what_changes_nothing_is_not_torn(flash: Flash) -> None:
    flash.cut(1, "random")
    assert not flash.erase(0)
    assert not flash.sim.torn, "the first block was erased already"


def test_only_what_may_be_written_is(flash: Flash) -> None:
    flash.sim.writable = [(0, ERASE), (2 * ERASE, ERASE)]
    assert flash.erase(2 * ERASE)
    assert flash.program(0, DATA)
    assert flash.violation == ""
    assert not flash.erase(ERASE)
    assert not flash.program(ERASE - WRITE, DATA)
    assert flash.violation == "writing to where nobody has sent anything"


def test_the_blocks_of_a_journal_may_be_smaller(flash: Flash) -> None:
    flash.sim.small_end, flash.sim.small_size = 2 * ERASE, ERASE // 4
    assert flash.erase(ERASE + ERASE // 4)
    assert flash.bytes(ERASE, ERASE // 2) == b"\x5a" * (ERASE // 4) + b"\xff" * (ERASE // 4)
    assert not flash.erase(2 * ERASE + ERASE // 4)


def test_random_bits_depend_on_the_seed_and_nothing_else(flash: Flash) -> None:
    found = []
    for seed in (1, 1, 2):
        flash.lib.flash_sim_power_on()
        flash.lib.flash_sim_load(ERASE, b"\x5a" * ERASE, ERASE)
        flash.sim.seed = seed
        flash.cut(1, "random")
        flash.erase(ERASE)
        found.append(flash.bytes(ERASE, ERASE))
    assert found[0] == found[1] != found[2]


def test_after_the_cut_nothing_happens_until_power_comes_back(flash: Flash) -> None:
    flash.cut(1, "complete")
    flash.program(0, DATA[:WRITE])
    before = flash.bytes(0, SIZE)
    assert not flash.program(WRITE, DATA)
    assert not flash.erase(ERASE)
    assert flash.bytes(0, SIZE) == before
    assert flash.violation == "", "a CPU that stands still breaks no rule"
    flash.lib.flash_sim_power_on()
    assert flash.program(WRITE, DATA)
    assert flash.erase(ERASE)


def test_a_cut_far_away_is_none(flash: Flash) -> None:
    flash.cut(100, "prefix")
    assert flash.program(0, DATA)
    assert not flash.sim.dead


def test_reading_is_where_the_bytes_are(flash: Flash) -> None:
    flash.program(0, DATA)
    at: Any = flash.lib.flash_at(WRITE)
    assert bytes(flash.ffi.buffer(at, WRITE)) == DATA[WRITE : 2 * WRITE]
