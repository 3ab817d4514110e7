# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Computed duty cycles: by hand, and what holds for all of them."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.power.made import BEHAVIOUR, COSTS, POWER
from torpor.energy import TooSlowError, estimate
from torpor.power.sweep import Point, expected, latency_s, marked, point, sweep, windows_of_event

hops = st.integers(1, 12)
rates = st.floats(0.1, 100)


def days(it: Point) -> float:
    assert it.estimate is not None
    return it.estimate.days_estimated


# ---- by hand


def test_an_hour_has_its_blocks_windows_and_summaries() -> None:
    made = expected(BEHAVIOUR, 1, 12)
    assert made.blocks == 7200  # of half a second
    assert made.summaries == 60
    assert (made.wakes, made.answers) == (12, 12)
    assert made.gates == 12 * 20
    assert made.inferences == pytest.approx(12 * 20 * 0.9)


def test_a_wake_has_its_first_window_at_once() -> None:
    # 20 blocks at a hop of 3: windows at 0, 3, ... 18 are 7; wakes of 18 and 19 have 6 and 7
    lengths = [dataclasses.replace(BEHAVIOUR, awake=float(n)) for n in (18, 19, 20)]
    exact = [(n + 2) // 3 for n in (18, 19, 20)]
    mean = sum(windows_of_event(b, 3) for b in lengths) / 3
    assert mean == pytest.approx(sum(exact) / 3)
    assert windows_of_event(BEHAVIOUR, 1) == 20


def test_without_a_trigger_every_window_is_looked_at() -> None:
    made = expected(BEHAVIOUR, 4, 0, always=True)
    assert (made.gates, made.inferences, made.wakes) == (1800, 1800, 0)


def test_events_cannot_have_more_windows_than_there_are() -> None:
    assert expected(BEHAVIOUR, 1, 100_000).gates == 7200


def test_latency_is_fill_waiting_smoothing_and_inference() -> None:
    # 2 s + half a hop of 2 s + two more hops of 2 s + 0.1 s
    assert latency_s(BEHAVIOUR, 4, 0.1) == pytest.approx(2 + 1 + 4 + 0.1)


def test_a_point_is_what_its_work_costs() -> None:
    made = point(COSTS, BEHAVIOUR, POWER, 1, 12)
    capture = 7200 * 5_000 + 12 * 1_000
    stage_1, stage_2, flash = 240 * 10_000, 216 * 1_000_000, 216 * 10
    serial = 60 * 4_000 + 12 * 1_500
    second = 2 / 100e6  # of an instruction
    waits = 60 * 0.01 + 12 * 0.005  # for the wire
    work = capture + stage_1 + stage_2 + flash + serial
    assert made.instructions == pytest.approx(work / 3600)
    assert made.busy == pytest.approx((work * second + waits) / 3600)
    same = estimate({"sleep": 1 - made.busy, "stage_2": made.busy}, POWER)
    assert made.estimate is not None
    assert made.estimate.average_ua_estimated == pytest.approx(same.average_ua_estimated)
    assert made.latency_s == pytest.approx(2 + 0.25 + 1 + 0.02)


def test_an_event_that_ends_before_it_is_recognised_is_missed() -> None:
    # awake for 10 s; the answer comes after 2 s + 2.5 hops of half a second a block
    answered = [point(COSTS, BEHAVIOUR, POWER, hop, 1).answered for hop in range(1, 10)]
    assert answered == [2 + 2.5 * hop * 0.5 <= 10 for hop in range(1, 10)]
    assert answered.count(True) == 6


def test_more_work_than_time_has_no_estimate() -> None:
    heavy = dataclasses.replace(COSTS, inference=1e9)
    made = point(heavy, BEHAVIOUR, POWER, 1, 60, always=True)
    assert made.busy > 1
    assert made.estimate is None


def test_a_chip_that_keeps_up_with_nothing_is_named() -> None:
    heavy = dataclasses.replace(COSTS, block=1e9)
    with pytest.raises(TooSlowError, match="the X1 at 100 MHz keeps up with none of these"):
        sweep(heavy, BEHAVIOUR, POWER, [1, 2], [1.0])


def test_a_device_with_a_microphone_is_estimated_as_one() -> None:
    listening = dataclasses.replace(POWER, listen_ua=500.0)
    sound = dataclasses.replace(BEHAVIOUR, sensor="sound")
    made = point(COSTS, sound, listening, 1, 1)
    assert made.estimate is not None
    assert made.estimate.average_ua_estimated > 500


# ---- what always holds


@given(hops, hops, rates)
def test_a_longer_hop_never_costs_more_and_never_answers_sooner(
    a: int, b: int, rate: float
) -> None:
    short, long = sorted((a, b))
    first, second = (point(COSTS, BEHAVIOUR, POWER, hop, rate) for hop in (short, long))
    assert second.instructions <= first.instructions * (1 + 1e-9)
    assert days(second) >= days(first) * (1 - 1e-9)
    assert second.latency_s >= first.latency_s


@given(hops, rates, rates)
def test_more_events_never_make_a_battery_last_longer(hop: int, a: float, b: float) -> None:
    rare, often = sorted((a, b))
    assert days(point(COSTS, BEHAVIOUR, POWER, hop, often)) <= days(
        point(COSTS, BEHAVIOUR, POWER, hop, rare)
    ) * (1 + 1e-9)


@given(st.lists(hops, min_size=1, max_size=6, unique=True), st.lists(rates, min_size=1, max_size=3))
def test_a_pareto_point_is_beaten_by_none_and_every_other_by_one(
    chosen: list[int], often: list[float]
) -> None:
    points = sweep(COSTS, BEHAVIOUR, POWER, chosen, often, always=COSTS)
    assert len(points) == len(chosen) * (len(often) + 1)
    for it in points:
        rivals = [
            p for p in points if (p.events, p.always) == (it.events, it.always) and p.answered
        ]
        beaten = any(
            days(p) >= days(it)
            and p.latency_s <= it.latency_s
            and (days(p) > days(it) or p.latency_s < it.latency_s)
            for p in rivals
        )
        assert it.pareto == (it.answered and not beaten)


def test_of_two_that_last_as_long_the_faster_one_is_marked() -> None:
    free = dataclasses.replace(COSTS, gate=0.0, inference=0.0, keeping=0.0)
    points = sweep(free, BEHAVIOUR, POWER, [1, 2], [1.0])
    assert [p.pareto for p in points] == [True, False]


def test_what_cannot_be_done_is_not_marked() -> None:
    slow = dataclasses.replace(point(COSTS, BEHAVIOUR, POWER, 1, 1), estimate=None)
    missed = point(COSTS, BEHAVIOUR, POWER, 12, 1)
    assert [p.pareto for p in marked([slow, missed])] == [False, False]
