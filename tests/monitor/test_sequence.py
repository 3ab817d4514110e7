# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Numbers of records: gaps are losses, starts and doubled lines are none."""

from hypothesis import given
from hypothesis import strategies as st

from torpor.monitor.sequence import REMEMBERED, Sequence


def taken(*numbers: int) -> Sequence:
    made = Sequence()
    for number in numbers:
        made.take(number, b"%d" % number)
    return made


def test_what_comes_first_is_no_loss() -> None:
    step = Sequence().take(700, b"x")
    assert (step.lost, step.restarted) == (0, False)


def test_after_a_start_the_first_number_is_0() -> None:
    sequence = taken(700)
    sequence.start()
    assert sequence.take(0, b"x").lost == 0
    sequence.start()
    assert sequence.take(3, b"y").lost == 3


def test_a_number_that_goes_back_is_a_start() -> None:
    step = taken(5, 6, 7).take(2, b"other")
    assert (step.lost, step.restarted) == (2, True)


def test_a_doubled_record_is_known_by_its_number_and_bytes() -> None:
    sequence = taken(5, 6)
    assert sequence.has(6, b"6")
    assert sequence.has(5, b"5")
    assert not sequence.has(6, b"not 6")
    assert not sequence.has(7, b"7")


def test_what_was_long_ago_is_forgotten() -> None:
    sequence = taken(*range(REMEMBERED + 1))
    assert not sequence.has(0, b"0")
    assert sequence.has(1, b"1")


def test_a_start_forgets_the_records_before_it() -> None:
    sequence = taken(0, 1)
    assert not sequence.is_fresh
    sequence.start()
    assert sequence.is_fresh
    assert not sequence.has(1, b"1")


@given(st.sets(st.integers(0, 300), min_size=1), st.booleans())
def test_losses_are_exactly_the_missing_numbers(numbers: set[int], started: bool) -> None:
    sequence = Sequence()
    if started:
        sequence.start()
    steps = [sequence.take(number, b"%d" % number) for number in sorted(numbers)]
    first = 0 if started else min(numbers)
    assert sum(step.lost for step in steps) == max(numbers) + 1 - first - len(numbers)
    assert not any(step.restarted for step in steps)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1), min_size=1))
def test_each_step_back_is_one_start_and_losses_are_never_negative(runs: list[list[int]]) -> None:
    sequence, starts, last = Sequence(), 0, None
    for number in (number for run in runs for number in sorted(set(run))):
        payload = b"%d of run %d" % (number, starts)
        if sequence.has(number, payload):
            continue
        step = sequence.take(number, payload)
        assert step.lost >= 0
        assert step.restarted == (last is not None and number <= last)
        starts += step.restarted
        last = number
