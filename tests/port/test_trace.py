# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The trace that a reset keeps: last steps, and how runs have ended, against a model in Python."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.port.test_restart import BYTES, fill
from tests.port.test_restart import library as library  # noqa: PLC0414 - a fixture

ENTRIES = 8
WATCHDOG, FAULT = 18, 19
Entry = tuple[int, int, int]

word = st.integers(0, 2**32 - 1)
half = st.integers(0, 2**16 - 1)
entries = st.lists(st.tuples(word, half, half), max_size=30)
reasons = st.sampled_from([0, WATCHDOG, FAULT, 23])


def start(library: Any, reason: int) -> list[Entry]:
    """What the run before has left."""
    ffi, c = library
    found = ffi.new("trace_entry_t[]", ENTRIES + 2)
    ffi.buffer(found)[:] = b"\xa5" * ffi.sizeof(found)
    count = c.trace_start(found, reason)
    assert count <= ENTRIES
    assert bytes(ffi.buffer(found))[8 * count :] == b"\xa5" * 8 * (ENTRIES + 2 - count)
    return [(found[i].time, found[i].what, found[i].value) for i in range(count)]


def counts(library: Any) -> tuple[int, int, int]:
    found = library[1].trace_counts()
    return found.resets, found.watchdogs, found.faults


def note(library: Any, steps: Sequence[Entry]) -> None:
    _, c = library
    for time, what, value in steps:
        c.ticks = time
        c.trace_note(what, value)


def ram(library: Any, name: str = "kept") -> bytearray:
    ffi, c = library
    return bytearray(ffi.buffer(ffi.addressof(c, name)))


@given(content=st.binary(min_size=BYTES, max_size=BYTES), reason=reasons)
def test_after_power_on_there_are_no_steps_and_no_counts(
    library: Any, content: bytes, reason: int
) -> None:
    fill(library, content)
    assert start(library, reason) == []
    assert counts(library) == (0, 0, 0)


@dataclass
class Model:
    """What is to be expected."""

    counts: list[int] = field(default_factory=lambda: [0, 0, 0])
    steps: list[Entry] = field(default_factory=list)

    def end(self, reason: int) -> list[Entry]:
        self.counts[{WATCHDOG: 1, FAULT: 2}.get(reason, 0)] += 1
        steps, self.steps = self.steps[-ENTRIES:], []
        return steps


@given(runs=st.lists(st.tuples(entries, reasons), max_size=12))
def test_each_run_finds_the_last_steps_of_the_one_before_and_all_ends(
    library: Any, runs: list[tuple[list[Entry], int]]
) -> None:
    fill(library, bytes(BYTES))
    assert start(library, 0) == []
    model = Model()
    for steps, reason in runs:
        note(library, steps)
        model.steps = steps
        assert start(library, reason) == model.end(reason)
        assert list(counts(library)) == model.counts


@given(before=entries, step=st.tuples(word, half, half))
def test_a_reset_while_a_step_is_written_loses_at_most_that_step_and_the_oldest(
    library: Any, before: list[Entry], step: Entry
) -> None:
    fill(library, bytes(BYTES))
    start(library, 0)
    note(library, [*before, step])
    torn = ram(library, "at_clock")  # as it was when the clock was read for the last step
    for changed in range(9):  # bytes of the entry that have been written by then
        place = 64 + 16 + 8 * (len(before) % ENTRIES)
        torn[place : place + changed] = ram(library)[place : place + changed]
        whole = ram(library)
        fill(library, bytes(torn))
        assert start(library, WATCHDOG) == before[-ENTRIES + 1 :]
        assert counts(library) == (0, 1, 0)
        fill(library, bytes(whole))


@given(before=entries, reason=reasons)
def test_a_step_before_the_start_does_no_harm(
    library: Any, before: list[Entry], reason: int
) -> None:
    fill(library, b"\xff" * BYTES)
    note(library, before)
    assert start(library, reason) == []


@given(content=st.binary(min_size=BYTES, max_size=BYTES), steps=entries)
def test_steps_are_written_into_the_trace_alone_whatever_the_ram_holds(
    library: Any, content: bytes, steps: list[Entry]
) -> None:
    fill(library, content)
    note(library, steps)
    assert ram(library)[:64] == content[:64]
    assert ram(library)[144:] == content[144:]


@pytest.mark.parametrize("bit", range(32 + 4 * 16))
def test_a_bit_that_has_fallen_is_power_loss_not_a_count(library: Any, bit: int) -> None:
    fill(library, bytes(BYTES))
    for reason in (0, 0, WATCHDOG, FAULT, FAULT, FAULT):
        start(library, reason)
    content = ram(library)
    content[64 + bit // 8] ^= 1 << bit % 8
    fill(library, bytes(content))
    assert start(library, FAULT) == []
    assert counts(library) == (0, 0, 0)


@pytest.mark.parametrize("reason", [0, WATCHDOG, FAULT])
def test_a_count_stays_at_its_largest_value(library: Any, reason: int) -> None:
    fill(library, bytes(BYTES))
    start(library, 0)
    for _ in range(65540):
        library[1].trace_start(library[0].new("trace_entry_t[8]"), reason)
    expected = [0, 0, 0]
    expected[{WATCHDOG: 1, FAULT: 2}.get(reason, 0)] = 65535
    assert list(counts(library)) == expected


@given(steps=entries, words=st.lists(word, min_size=4, max_size=4), cfsr=word)
def test_what_bootloaders_do_leaves_the_trace_alone(
    library: Any, steps: list[Entry], words: list[int], cfsr: int
) -> None:
    ffi, _ = library
    c = fill(library, bytes(BYTES))
    start(library, 0)
    note(library, steps)
    before = ram(library)[64:]
    c.restart_note(*words)
    c.restart_note_status(cfsr)
    c.handoff_give(ffi.new("handoff_t *", (c.restart_take(), 1, True)))
    assert ram(library)[64:] == before
    c.handoff_take(ffi.new("handoff_t *"))
    assert start(library, FAULT) == steps[-ENTRIES:]
