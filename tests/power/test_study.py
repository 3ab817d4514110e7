# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a run says about a device, and which points are run to check what was computed."""

import dataclasses
from pathlib import Path

import pytest

from tests.power.made import BEHAVIOUR, COSTS, POWER, busy_day, interval
from torpor.board import board_names, load_board
from torpor.errors import DeviceError, UsageError
from torpor.model import load_model
from torpor.power import scenes
from torpor.power.measure import Answer, Run, memory_of, shift_of
from torpor.power.profile import Counts
from torpor.power.study import (
    Check,
    Device,
    behaviour_of,
    check_points,
    events_for,
    hops_of,
    latencies,
    power_of,
)
from torpor.power.sweep import point, sweep
from torpor.scene.schedule import Truth

MODEL = load_model("motion")
WALKING, RUNNING = MODEL.labels.index("walking"), MODEL.labels.index("running")
TRUTH = (Truth(10.0, 20.0, "walking"), Truth(50.0, 60.0, "running"), Truth(90.0, 99.0, "walking"))
DEVICE = Device(load_board("mps2_an386"), MODEL, Path("firmware.elf"))


def lived(*answers: Answer, truth: tuple[Truth, ...] = TRUTH) -> Run:
    return Run(
        intervals=tuple(busy_day()),
        counts=Counts(),
        answers=answers,
        truth=truth,
        rate_hz=10,
        summary_bytes=115.2,
        answer_bytes=57.6,
    )


def right(time_s: float, label: int = WALKING) -> Answer:
    return Answer(time_s, label, by_model=True)


# ---- latency


def test_an_event_is_answered_by_the_first_right_answer_after_it_began() -> None:
    run = lived(right(15), right(17), right(55.5, RUNNING), right(94))
    assert latencies(MODEL, run) == [5.0, 5.5, 4.0]


@pytest.mark.parametrize(
    "answer",
    [right(9.9), right(15, RUNNING), Answer(15, WALKING, by_model=False), right(50)],
    ids=["before it", "something else", "the fallback", "when the next has begun"],
)
def test_what_is_no_answer_to_an_event_does_not_count(answer: Answer) -> None:
    assert latencies(MODEL, lived(answer, truth=TRUTH[:2])) == []


def test_the_last_event_may_be_answered_until_the_end() -> None:
    assert latencies(MODEL, lived(right(300))) == [210.0]


# ---- how it takes an event


def test_behaviour_is_counted_by_the_event() -> None:
    found = behaviour_of(DEVICE, lived(right(14), right(54, RUNNING), right(94)), lived())
    wake = scenes.wake_of(MODEL)
    gates, inferences = 20 + 31 + 9 + 4, 18 + 25 + 9 + 3
    assert (found.wakes, found.answers) == (4 / 3, 1.0)
    assert found.awake == pytest.approx(gates / 3)
    assert found.passed == pytest.approx(inferences / gates)
    assert found.block_s == wake.block / 10
    # the measured four seconds come out again with the hop that was measured
    hops = 0.5 + found.windows - 1
    assert found.fill_s + hops * wake.hop * found.block_s == pytest.approx(4.0)
    # 115,200 baud are 11,520 bytes a second
    assert found.summary_s == pytest.approx(0.01)
    assert found.answer_s == pytest.approx(0.005)


def test_where_the_finest_run_is_the_own_one_a_window_stands_for_its_hop() -> None:
    run = lived(right(14))
    found = behaviour_of(DEVICE, run, run)
    assert found.awake == pytest.approx(64 / 3 * scenes.wake_of(MODEL).hop)


def test_a_device_that_sleeps_through_the_scene_is_told() -> None:
    asleep = dataclasses.replace(lived(right(14)), intervals=(interval(),))
    with pytest.raises(DeviceError, match="the device has not woken in the scene"):
        behaviour_of(DEVICE, asleep, asleep)


def test_a_device_that_recognises_nothing_is_told() -> None:
    with pytest.raises(DeviceError, match="the device has recognised nothing in the scene"):
        behaviour_of(DEVICE, lived(), lived())


# ---- what is tried


def test_a_model_that_keeps_states_has_its_own_hop_only() -> None:
    wake = scenes.wake_of(MODEL)
    assert hops_of(dataclasses.replace(wake, latch=True, hop=3)) == (3,)
    assert wake.hop in hops_of(dataclasses.replace(wake, latch=False))


@pytest.mark.parametrize("count", range(6))
def test_points_to_check_are_different_and_spread(count: int) -> None:
    points = sweep(COSTS, BEHAVIOUR, POWER, [1, 2, 4], [1.0, 6.0, 60.0], always=COSTS)
    chosen = check_points(points, count)
    assert len(chosen) == count
    assert len({(p.hop, p.events) for p in chosen}) == count
    assert all(p.events >= 6 and not p.always for p in chosen)
    if count > 1:
        assert {1, 4} <= {p.hop for p in chosen}


def test_where_all_events_are_rare_rare_ones_are_checked() -> None:
    points = sweep(COSTS, BEHAVIOUR, POWER, [1], [0.5])
    assert [p.events for p in check_points(points, 3)] == [0.5]


def test_a_scene_to_check_with_has_ten_intervals_and_as_many_events_as_were_measured() -> None:
    wake = dataclasses.replace(scenes.wake_of(MODEL), interval_s=600)
    assert events_for(6, wake) == 24  # four hours
    assert events_for(60, wake) == 100  # 6000 s


def test_an_error_is_how_much_too_much_was_computed() -> None:
    computed = point(COSTS, BEHAVIOUR, POWER, 1, 12)
    measured = Check(computed, computed.instructions / 1.1, 1, 1, 5.0)
    assert measured.error == pytest.approx(0.1)


# ---- scenes


@pytest.mark.parametrize("events", [6.0, 60.0])
def test_a_scene_has_as_many_events_an_hour_as_it_should(events: float) -> None:
    made = scenes.scene(MODEL, events, 12, seed=1)
    assert len(made.truth) == 12
    assert made.scene.seconds == pytest.approx(12 / events * 3600)
    assert {t.label for t in made.truth} == {"walking", "running", "badminton"}


def test_too_many_events_for_an_hour_are_refused() -> None:
    with pytest.raises(UsageError, match=r"events take|do not fit"):
        scenes.scene(MODEL, 3600.0, 12, seed=1)


# ---- boards


@pytest.mark.parametrize("name", board_names())
def test_a_board_can_be_studied_or_says_what_it_lacks(name: str) -> None:
    board = load_board(name)
    if board.power is None:
        with pytest.raises(UsageError, match=f"board '{name}' does not say what its chip draws"):
            power_of(board)
    else:
        assert power_of(board) == board.power
    if board.scene is None or board.emulator is None or board.emulator.icount_shift is None:
        with pytest.raises(UsageError, match=f"board '{name}' has no memory for a scene"):
            memory_of(board)
    else:
        assert memory_of(board).size > 1 << 20


@pytest.mark.parametrize(("name", "shift"), [("mps2_an386", 4), ("mps2_an505", 3)])
def test_the_emulator_is_as_fast_as_the_chip_to_within_half(name: str, shift: int) -> None:
    board = load_board(name)
    assert board.power is not None
    assert shift_of(board) == shift
    emulated = 1e9 / 2**shift
    chip = board.power.clock_hz / board.power.cycles_per_instruction
    assert 0.7 < emulated / chip < 1.42


def test_a_chip_that_is_not_known_has_the_speed_of_the_board() -> None:
    assert shift_of(load_board("mps3_an547")) is None
