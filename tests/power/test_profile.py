# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""From measured intervals to the costs of each part of the work."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.power.made import COSTS, busy_day, interval
from torpor.errors import DeviceError
from torpor.power.profile import Costs, Counts, Interval, fit, sending, spent

costs = st.builds(Costs, *[st.floats(10, 1e7) for _ in dataclasses.fields(Costs)])


def late(it: Interval, instructions: float) -> Interval:
    """The device has waited for its UART."""
    waited = it.instructions["serial"] + instructions
    return Interval(it.counts, it.instructions | {"serial": waited})


def test_instructions_are_counted_in_the_state_of_each_work() -> None:
    counts = Counts(blocks=2, wakes=1, gates=3, inferences=2, answers=1, summaries=1)
    assert COSTS.instructions(counts) == {
        "capture": 2 * 5_000 + 1_000,
        "stage_1": 3 * 10_000,
        "stage_2": 2 * 1_000_000,
        "serial": 4_000 + 1_500,
        "flash": 2 * 10,
    }


@given(costs)
def test_costs_are_found_again_in_what_they_make(known: Costs) -> None:
    intervals = [Interval(i.counts, known.instructions(i.counts)) for i in busy_day()]
    found = dataclasses.asdict(fit(intervals))
    assert found == pytest.approx(dataclasses.asdict(known), rel=1e-6)


@pytest.mark.parametrize("which", range(5))
def test_an_interval_in_which_the_device_had_to_wait_counts_for_nothing(which: int) -> None:
    intervals = busy_day()
    intervals[which] = late(intervals[which], 250_000)
    assert fit(intervals) == pytest.approx(fit(busy_day()))
    assert spent(intervals) == pytest.approx(spent(busy_day()))


def test_what_is_spent_is_the_sum_of_all_states() -> None:
    total = sum(sum(i.instructions.values()) for i in busy_day())
    assert spent(busy_day()) == pytest.approx(total)


def test_a_cost_is_never_below_nothing() -> None:
    odd = [
        Interval(Counts(blocks=10, wakes=wakes), {"capture": 1000.0 - 100 * wakes})
        for wakes in (0, 1, 2)
    ]
    odd = [*odd, Interval(Counts(gates=1, inferences=1, summaries=1), {})]
    found = fit(odd)
    assert found.wake == 0.0
    assert found.block == pytest.approx(90.0)  # the mean


def test_without_an_answer_its_cost_is_nothing() -> None:
    assert sending([interval(), interval()]) == (4_000.0, 0.0)


@pytest.mark.parametrize(
    ("intervals", "message"),
    [
        ([], "the device had no blocks in the scene"),
        ([interval()], "the device had no gates in the scene"),
        ([interval(gates=1)], "the device had no inferences in the scene"),
    ],
    ids=["nothing", "no wake", "all rejected"],
)
def test_work_that_never_came_is_named(intervals: list[Interval], message: str) -> None:
    with pytest.raises(DeviceError) as error:
        fit(intervals)
    assert error.value.message == message
    assert error.value.hint
