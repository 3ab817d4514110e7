# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The journal: records are there or not, whatever the power does; nothing is forgotten."""

import struct
import zlib
from typing import Any

import pytest

from tests.update.device import Device, Geometry, installed

ARMED, UPLOAD = 16, 20
SHAPES = ("prefix", "random", "complete")
WRITE_SIZES = (1, 4, 8, 16, 32)


class Journal:
    """A journal in RAM, on a device of its own."""

    def __init__(self, opened: tuple[Any, Any], **geometry: int) -> None:
        self.device = Device(opened, Geometry(**geometry))
        self.lib, self.ffi = self.device.lib, self.device.ffi
        self.journal = self.ffi.new("journal_t *")
        self.open()

    def open(self) -> None:
        """Restart."""
        self.lib.flash_sim_power_on()
        self.lib.journal_open(self.journal, self.device.layout)

    def append(self, number: int, kind: int = ARMED) -> bool:
        """Append an event that carries a number; the snapshot is one record with number 999."""
        record = self.ffi.new("journal_record_t *", {"kind": kind, "slot": 1})
        record.detail = [number, 0]
        state = self.ffi.new("journal_record_t[1]", [{"kind": 2, "slot": 0, "detail": [999, 0]}])
        return bool(self.lib.journal_append(self.journal, record, state, 1))

    def numbers(self) -> list[int]:
        """Return the numbers of all events that are there."""
        record = self.ffi.new("journal_record_t *")
        first, last = (
            self.lib.journal_oldest_event(self.journal),
            self.lib.journal_next_event(self.journal),
        )
        found = []
        for number in range(first, last):
            assert self.lib.journal_event(self.journal, number, record)
            found.append(record.detail[0])
        assert not self.lib.journal_event(self.journal, last, record)
        return found

    def records(self) -> list[tuple[int, int]]:
        """Return (kind, number) of all records."""
        record = self.ffi.new("journal_record_t *")
        index = self.ffi.new("uint32_t *", 0)
        found = []
        while self.lib.journal_read(self.journal, index, record):
            found.append((record.kind, record.detail[0]))
        return found


def test_erased_flash_is_an_empty_journal(opened: tuple[Any, Any]) -> None:
    journal = Journal(opened)
    assert journal.numbers() == []
    assert journal.records() == []


@pytest.mark.parametrize("fill", [0x00, 0x5A, 0x01])
def test_flash_that_holds_anything_is_an_empty_journal(opened: tuple[Any, Any], fill: int) -> None:
    """The flash of a new chip need not read as erased."""
    journal = Journal(opened)
    journal.device.set_flash(bytes([fill]) * journal.device.geometry.total)
    journal.open()
    assert journal.records() == []
    assert journal.append(1)
    journal.open()
    assert journal.numbers() == [1]
    assert journal.device.violation() == ""


def test_what_was_appended_is_there_after_a_restart(opened: tuple[Any, Any]) -> None:
    journal = Journal(opened)
    for number in range(5):
        assert journal.append(number)
    journal.open()
    assert journal.numbers() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("write", WRITE_SIZES)
def test_a_record_is_whole_write_units_each_written_once(
    opened: tuple[Any, Any], write: int
) -> None:
    journal = Journal(opened, write=write)
    for number in range(100):
        assert journal.append(number)
    assert journal.device.violation() == ""
    assert journal.numbers()[-1] == 99


@pytest.mark.parametrize("blocks", [2, 3, 5])
def test_events_are_numbered_for_ever_and_the_newest_are_kept(
    opened: tuple[Any, Any], blocks: int
) -> None:
    journal = Journal(opened, journal_blocks=blocks)
    for number in range(300):
        assert journal.append(number)
        numbers = journal.numbers()
        assert numbers == list(range(numbers[0], number + 1))
        assert numbers[0] == journal.lib.journal_oldest_event(journal.journal)
        assert len(numbers) >= min(5, number + 1)


def test_a_new_block_begins_with_history_then_the_snapshot(opened: tuple[Any, Any]) -> None:
    journal = Journal(opened)
    number = 0
    while journal.journal.sequence < 2:
        assert journal.append(number)
        number += 1
    kinds = [kind for kind, _ in journal.records()]
    assert kinds == [ARMED] * 5 + [2] + [ARMED]


@pytest.mark.parametrize("blocks", [2, 3, 4])
def test_all_blocks_wear_alike(opened: tuple[Any, Any], blocks: int) -> None:
    journal = Journal(opened, journal_blocks=blocks)
    used = [0] * blocks
    last = 0
    for number in range(600):
        assert journal.append(number)
        if journal.journal.sequence != last:
            last = journal.journal.sequence
            used[journal.journal.block] += 1
    assert max(used) - min(used) <= 1
    assert min(used) > 5


def cut_at(journal: Journal, operation: int, shape: int) -> None:
    """Let the power fail at an operation."""
    sim = journal.lib.flash_sim
    sim.operations, sim.cut_at, sim.shape, sim.seed = 0, operation, shape, operation


@pytest.mark.parametrize("shape", range(3), ids=SHAPES)
@pytest.mark.parametrize("blocks", [2, 3])
def test_an_operation_that_fails_loses_nothing_that_was_appended(
    opened: tuple[Any, Any], blocks: int, shape: int
) -> None:
    """From a full block on. What a failed block holds may be whole: it must not count later."""
    journal = Journal(opened, journal_blocks=blocks)
    capacity = journal.device.geometry.erase // 32
    while journal.journal.next < capacity:
        assert journal.append(journal.journal.next)
    before = journal.device.flash()
    for operation in range(1, 80):
        journal.device.set_flash(before)
        journal.open()
        cut_at(journal, operation, shape)
        journal.lib.flash_sim.once = True
        appended = [number for number in (777, 778, 779) if journal.append(number)]
        assert len(appended) >= 2
        journal.open()
        kept = {capacity - 1, *appended}
        assert kept <= set(journal.numbers()), f"operation {operation}"
        assert journal.device.violation() == ""


@pytest.mark.parametrize("blocks", [2, 3])
def test_where_the_first_block_fails_the_journal_begins_in_the_next(
    opened: tuple[Any, Any], blocks: int
) -> None:
    journal = Journal(opened, journal_blocks=blocks)
    cut_at(journal, 1, SHAPES.index("prefix"))
    journal.lib.flash_sim.once = True
    assert journal.append(1)
    journal.open()
    assert journal.numbers() == [1]
    assert journal.journal.block == 1


@pytest.mark.parametrize("write", [4, 8, 32])
@pytest.mark.parametrize("shape", range(3), ids=SHAPES)
@pytest.mark.parametrize("filled", range(12, 20))
def test_a_cut_at_any_operation_loses_at_most_the_record_being_written(
    opened: tuple[Any, Any], filled: int, shape: int, write: int
) -> None:
    """From a journal that is nearly full on, so that new blocks are begun too."""
    journal = Journal(opened, write=write)
    for number in range(filled):
        assert journal.append(number)
    before = journal.device.flash()
    operation, whole = 0, False
    while not whole:
        operation += 1
        journal.device.set_flash(before)
        journal.open()
        cut_at(journal, operation, shape)
        whole = journal.append(777)
        journal.open()
        numbers = journal.numbers()
        assert numbers[-1] in (filled - 1, 777)
        kept = [number for number in numbers if number != 777]
        assert kept == list(range(kept[0], filled))
        assert journal.append(778), "the journal goes on"
        assert journal.numbers()[-1] == 778
        assert journal.device.violation() == ""
    assert operation > 32 // write


@pytest.mark.parametrize("seed", range(20))
def test_many_cuts_one_after_the_other_lose_no_record(opened: tuple[Any, Any], seed: int) -> None:
    journal = Journal(opened, journal_blocks=3)
    known: list[int] = []
    for number in range(150):
        cut_at(journal, (seed * 7 + number * 13) % 97 + 1, (seed + number) % 3)
        done = journal.append(number)
        journal.open()
        numbers = journal.numbers()
        if done:
            assert numbers[-1] == number
        known = [*known, number] if numbers[-1:] == [number] else known
        assert numbers == known[-len(numbers) :]
    assert len(known) > 30
    assert journal.device.violation() == ""


def test_a_torn_record_is_skipped_and_its_place_never_used_again(
    opened: tuple[Any, Any],
) -> None:
    journal = Journal(opened)
    assert journal.append(1)
    cut_at(journal, 3, 0)
    assert not journal.append(2)
    journal.open()
    assert journal.numbers() == [1]
    assert journal.append(3)
    journal.open()
    assert journal.numbers() == [1, 3]
    assert journal.device.violation() == ""


def test_the_bytes_of_a_record_are_those_of_the_specification(opened: tuple[Any, Any]) -> None:
    journal = Journal(opened)
    assert journal.append(0x11223344, UPLOAD)
    header, state, record = (journal.device.flash()[32 * i : 32 * i + 32] for i in range(3))
    body = struct.pack("<BBBBBBHI8sII", UPLOAD, 1, 0, 0, 0, 0, 0, 0, bytes(8), 0x11223344, 0)
    assert record == body + struct.pack("<I", zlib.crc32(body))
    body = struct.pack("<BBBBBBHI8sII", 1, 0xFF, 0, 1, 0, 0, 0, 0, bytes(8), 1, 0)
    assert header == body + struct.pack("<I", zlib.crc32(body))
    assert state[0] == 2


def test_of_a_huge_erase_block_four_kilobytes_are_used(opened: tuple[Any, Any]) -> None:
    device = installed(opened, Geometry(erase=1 << 16, firmware=1 << 16, model=1 << 16))
    for _ in range(400):
        assert device.arm(0) == "ok"
        assert device.lib.update_note_refused(device.update, 0)
    assert device.update.journal.sequence > 2
    for block in range(2):
        rest = device.flash()[block * (1 << 16) + 4096 : (block + 1) * (1 << 16)]
        assert rest == b"\xff" * len(rest)
