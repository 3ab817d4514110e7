# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/duty/residency.c: no tick is lost and none counts twice."""

from hypothesis import given
from hypothesis import strategies as st

from tests.duty.conftest import Library

STATES = 7
WRAP = 2**32
STEPS = st.lists(st.tuples(st.integers(0, STATES - 1), st.integers(0, WRAP - 1)), max_size=60)


def take(duty: Library, residency: object, now: int) -> list[int]:
    """Return the ticks of every state."""
    ticks = duty.ffi.new("uint64_t[]", [99] * STATES)
    duty.c.residency_take(residency, now % WRAP, ticks)
    return list(ticks)


@given(STEPS)
def test_the_states_add_up_to_the_time_over_any_wraps(
    duty: Library, steps: list[tuple[int, int]]
) -> None:
    residency = duty.ffi.new("residency_t *")
    now, state, expected = 0, 0, [0] * STATES
    for following, ticks in steps:
        now += ticks
        expected[state] += ticks
        assert duty.c.residency_enter(residency, following, now % WRAP) == state
        state = following
    found = take(duty, residency, now)
    assert found == expected
    assert sum(found) == now


@given(STEPS, STEPS)
def test_taking_begins_anew_and_stays_in_the_state(
    duty: Library, before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    residency = duty.ffi.new("residency_t *")
    now, taken = 0, [0] * STATES
    for steps in (before, after, [(0, 5)]):
        start = now
        for state, ticks in steps:
            now += ticks
            duty.c.residency_enter(residency, state, now % WRAP)
        found = take(duty, residency, now)
        assert sum(found) == now - start
        taken = [a + b for a, b in zip(taken, found, strict=True)]
    assert sum(taken) == now
    assert take(duty, residency, now) == [0] * STATES


def test_the_longest_state_is_a_tick_less_than_a_wrap(duty: Library) -> None:
    residency = duty.ffi.new("residency_t *")
    for number in range(1, 4):
        duty.c.residency_enter(residency, 0, (number * (WRAP - 1)) % WRAP)
    assert take(duty, residency, 3 * (WRAP - 1)) == [3 * (WRAP - 1), 0, 0, 0, 0, 0, 0]


def test_a_part_puts_the_state_back_that_it_has_interrupted(duty: Library) -> None:
    residency = duty.ffi.new("residency_t *")
    duty.c.residency_enter(residency, 3, 100)
    before = duty.c.residency_enter(residency, 5, 150)
    duty.c.residency_enter(residency, before, 175)
    assert take(duty, residency, 200) == [100, 0, 0, 75, 0, 25, 0]
