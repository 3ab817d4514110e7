# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/duty/duty.c, claim by claim: wakes, windows, answers, failures, heat, and time."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from tests.duty.conftest import Library
from tests.duty.device import (
    BEGIN,
    CACHE,
    COMMAND,
    DEADLINE,
    DECIDED,
    END,
    ENGINE,
    FALLBACK,
    FORBIDDEN,
    GATE,
    INFER,
    INPUT,
    LEVEL,
    MODEL,
    NOTHING,
    OK,
    PIN,
    PLAN,
    POLICY,
    REJECTED,
    SLEEP,
    TIMER,
    UNDECIDED,
    Answer,
    Config,
    Device,
    Given,
)

LOUD, QUIET = 150, 0
NORMAL, SLOW, SAVING, RESTING = range(4)
HEAT = {NORMAL: 200, SLOW: 500, SAVING: 600, RESTING: 700}
SURE, UNSURE = 20, 10
HIT, MISS = bytes([0, 200]), bytes([0, 0])
FAILURES = {
    "plan": PLAN,
    "input": INPUT,
    "deadline": DEADLINE,
    "policy": POLICY,
    "engine": ENGINE,
}


def actions(device: Device, levels: Sequence[int], **given: Any) -> list[int]:
    """Return what blocks of these levels lead to."""
    return [device.block(Given(level=level, **given)).actions for level in levels]


def raw(duty: Library, device: Device, blocks: int) -> list[int]:
    """Return what many loud blocks lead to, and do nothing of it."""
    return [duty.c.duty_block(device.state, device.config, LOUD) for _ in range(blocks)]


def answers(device: Device, given: Given, blocks: int) -> list[Answer]:
    """Return all answers of so many equal blocks."""
    steps = [device.block(given) for _ in range(blocks)]
    return [step.answer for step in steps if step.answer]


# ---- Wakes


def test_it_sleeps_at_first(duty: Library) -> None:
    device = Device(duty, Config())
    assert actions(device, [QUIET, 99, 99, QUIET]) == [SLEEP] * 4
    assert set(device.counts.values()) == {0}
    assert device.time == 40


def test_a_wake_begins_with_a_window_and_ends_when_the_trigger_closes(duty: Library) -> None:
    device = Device(duty, Config(hop=2))
    found = actions(device, [LOUD, LOUD, LOUD, 60, QUIET, QUIET])
    assert found == [BEGIN | GATE, SLEEP, GATE, SLEEP, GATE | END, SLEEP]
    assert device.counts["wakes"] == 1


def test_the_tail_goes_on_for_so_many_blocks(duty: Library) -> None:
    device = Device(duty, Config(hop=100, tail=3))
    found = actions(device, [LOUD, QUIET, QUIET, QUIET, QUIET, QUIET])
    assert found == [BEGIN | GATE, SLEEP, SLEEP, SLEEP, END, SLEEP]


def test_a_level_that_rises_in_the_tail_goes_on_with_the_same_wake(duty: Library) -> None:
    device = Device(duty, Config(hop=100, tail=2))
    found = actions(device, [LOUD, QUIET, QUIET, LOUD, QUIET, QUIET, QUIET])
    assert found == [BEGIN | GATE, *[SLEEP] * 5, END]
    assert device.counts["wakes"] == 1


@pytest.mark.parametrize("tail", [0, 1, 5])
def test_the_trigger_can_open_again_right_after_the_end(duty: Library, tail: int) -> None:
    device = Device(duty, Config(hop=100, tail=tail))
    once = [LOUD, *[QUIET] * (tail + 1)]
    found = actions(device, once * 3)
    assert found == [BEGIN | GATE, *[SLEEP] * tail, END] * 3


def test_two_levels_of_one_block_are_two_wakes(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    assert actions(device, [LOUD, QUIET] * 2) == [BEGIN | GATE, GATE | END] * 2


def test_a_stuck_sensor_does_not_keep_it_awake(duty: Library) -> None:
    device = Device(duty, Config(hop=100, longest=5))
    assert actions(device, [LOUD] * 50) == [BEGIN | GATE, *[SLEEP] * 3, END, *[SLEEP] * 45]
    assert device.counts["limited"] == device.counts["wakes"] == 1
    assert actions(device, [60, LOUD]) == [SLEEP] * 2
    assert actions(device, [QUIET, LOUD]) == [SLEEP, BEGIN | GATE]


def test_a_stuck_sensor_does_not_deafen_it_to_commands(duty: Library) -> None:
    device = Device(duty, Config(hop=2, longest=5))
    actions(device, [LOUD] * 20)
    device.command(COMMAND, 2)
    assert actions(device, [LOUD] * 5) == [BEGIN | GATE, SLEEP, GATE | END, SLEEP, SLEEP]
    assert device.counts["limited"] == 1
    assert actions(device, [QUIET, LOUD]) == [SLEEP, BEGIN | GATE]


def test_a_sensor_that_comes_loose_while_a_command_is_served_wakes_nothing(duty: Library) -> None:
    """Its trigger had opened for a wake that the limit has ended."""
    device = Device(duty, Config(hop=2, tail=4, longest=5))
    actions(device, [LOUD] * 20)
    device.command(COMMAND, 2)
    assert actions(device, [LOUD, QUIET, QUIET, QUIET]) == [BEGIN | GATE, SLEEP, GATE | END, SLEEP]


def test_a_wake_that_ends_by_itself_at_the_limit_was_not_limited(duty: Library) -> None:
    device = Device(duty, Config(hop=100, longest=3))
    assert actions(device, [LOUD, LOUD, QUIET]) == [BEGIN | GATE, SLEEP, END]
    assert device.counts["limited"] == 0


def test_a_limit_of_one_block_leaves_one_window(duty: Library) -> None:
    device = Device(duty, Config(hop=1, longest=1))
    assert actions(device, [LOUD, LOUD]) == [BEGIN | GATE | END, SLEEP]
    assert device.counts["limited"] == 1


def test_without_a_limit_a_high_level_keeps_it_awake(duty: Library) -> None:
    device = Device(duty, Config(hop=1, longest=0))
    assert raw(duty, device, 70000) == [BEGIN | GATE, *[GATE] * 69999]


# ---- What is asked for


@pytest.mark.parametrize("source", [PIN, COMMAND])
def test_what_is_asked_for_begins_with_the_next_block_and_ends_after_its_windows(
    duty: Library, source: int
) -> None:
    device = Device(duty, Config(hop=3))
    device.command(source, 2)
    step = device.block(Given())
    assert (step.actions, step.source) == (BEGIN | GATE, source)
    assert actions(device, [QUIET] * 4) == [SLEEP, SLEEP, GATE | END, SLEEP]


def test_one_window_is_a_wake_of_one_block(duty: Library) -> None:
    device = Device(duty, Config())
    device.command(COMMAND, 1)
    assert actions(device, [QUIET, QUIET]) == [BEGIN | GATE | END, SLEEP]


def test_asking_for_no_windows_does_nothing(duty: Library) -> None:
    device = Device(duty, Config())
    device.command(COMMAND, 0)
    assert actions(device, [QUIET]) == [SLEEP]


def test_what_is_asked_for_while_awake_extends_nothing_and_is_not_lost(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    actions(device, [LOUD])
    device.command(PIN, 1)
    assert actions(device, [LOUD, QUIET]) == [GATE, GATE | END]
    step = device.block(Given())
    assert (step.actions, step.source) == (BEGIN | GATE | END, PIN)
    assert device.counts["wakes"] == 2


def test_of_several_the_most_windows_count_and_the_first_source(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    for source, windows in ((PIN, 2), (COMMAND, 3), (PIN, 1)):
        device.command(source, windows)
    step = device.block(Given())
    assert step.source == PIN
    assert actions(device, [QUIET] * 4) == [GATE, GATE | END, SLEEP, SLEEP]


def test_a_command_and_a_level_at_once_are_one_wake(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    device.command(COMMAND, 3)
    step = device.block(Given(level=LOUD))
    assert (step.actions, step.source) == (BEGIN | GATE, COMMAND)
    assert actions(device, [QUIET, QUIET, QUIET]) == [GATE, GATE | END, SLEEP]


def test_a_wake_that_was_asked_for_goes_on_when_the_trigger_opens(duty: Library) -> None:
    device = Device(duty, Config(hop=1, tail=1))
    device.command(COMMAND, 2)
    found = actions(device, [QUIET, LOUD, LOUD, QUIET, QUIET, QUIET])
    assert found == [BEGIN | GATE, GATE, GATE, GATE, GATE | END, SLEEP]


def test_a_level_is_the_source_after_a_command_was(duty: Library) -> None:
    device = Device(duty, Config())
    device.command(COMMAND, 1)
    device.block(Given())
    assert device.block(Given(level=LOUD)).source == LEVEL


def test_the_limit_ends_what_was_asked_for_too(duty: Library) -> None:
    device = Device(duty, Config(hop=10, longest=5))
    device.command(COMMAND, 65535)
    assert actions(device, [QUIET] * 6) == [BEGIN | GATE, *[SLEEP] * 3, END, SLEEP]
    assert device.counts["limited"] == 1


# ---- The timer


def begins(device: Device, blocks: int) -> Iterator[int]:
    """Yield the times of the blocks with which wakes begin, in ms."""
    for _ in range(blocks):
        if device.block(Given()).actions & BEGIN:
            yield device.time


def test_the_timer_wakes_every_so_often_in_the_time_of_the_sensor(duty: Library) -> None:
    device = Device(duty, Config(timer_ms=1000, block_ms_q16=10 << 16))
    assert list(begins(device, 350)) == [1000, 2000, 3000]
    assert device.counts["wakes"] == 3


def test_a_timer_between_two_blocks_keeps_its_schedule(duty: Library) -> None:
    device = Device(duty, Config(timer_ms=25, block_ms_q16=10 << 16))
    assert list(begins(device, 20)) == [30, 50, 80, 100, 130, 150, 180, 200]


def test_a_timer_faster_than_blocks_wakes_with_each_of_them(duty: Library) -> None:
    device = Device(duty, Config(timer_ms=3, block_ms_q16=10 << 16))
    assert list(begins(device, 5)) == [10, 20, 30, 40, 50]


@pytest.mark.parametrize("lost", [18, 19, 20, 1000])
def test_a_timer_that_is_due_after_a_loss_does_not_catch_up(duty: Library, lost: int) -> None:
    device = Device(duty, Config(timer_ms=100))
    device.lost(lost)
    first = 10 * (lost + 1)
    second = first + 100 if lost > 18 else 200
    assert list(begins(device, 25))[:3] == [first, second, second + 100]


def test_a_timer_that_is_due_while_awake_wakes_it_afterwards(duty: Library) -> None:
    device = Device(duty, Config(timer_ms=100, hop=100))
    actions(device, [LOUD] * 12)
    assert actions(device, [QUIET, QUIET, QUIET]) == [END, BEGIN | GATE | END, SLEEP]
    assert list(begins(device, 10)) == [200]


def test_the_source_of_a_timer_is_the_timer(duty: Library) -> None:
    device = Device(duty, Config(timer_ms=10, timer_windows=2, hop=1))
    step = device.block(Given())
    assert (step.actions, step.source) == (BEGIN | GATE, TIMER)
    assert device.block(Given()).actions == GATE | END


def test_a_timer_of_no_windows_or_no_time_wakes_nothing(duty: Library) -> None:
    assert list(begins(Device(duty, Config(timer_ms=10, timer_windows=0)), 50)) == []
    assert list(begins(Device(duty, Config(timer_ms=0, timer_windows=5)), 50)) == []


# ---- Time


def test_time_is_that_of_the_sensor_and_does_not_drift(duty: Library) -> None:
    device = Device(duty, Config(block_ms_q16=round(1000 / 3 * 65536)))
    actions(device, [QUIET] * 3000)
    assert device.time == 999_999, "rounded down"
    device.lost(3_000_000)
    assert abs(device.time - 1_001_000_000) <= 3_003_000 * 0.5 / 65536


def test_ten_years_of_blocks_are_ten_years(duty: Library) -> None:
    device = Device(duty, Config(block_ms_q16=10 << 16, timer_ms=1000))
    years = 10 * 365 * 86400 * 1000
    for _ in range(8):
        device.lost(years // 80)
    assert device.time == years
    assert device.block(Given(level=LOUD)).actions & BEGIN
    assert device.time == years + 10


# ---- Stage 1


def test_a_wake_in_which_all_windows_are_rejected_is_a_rejected_one(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    steps = [device.block(Given(level=level, score=9)) for level in (LOUD, LOUD, QUIET)]
    assert [step.verdict for step in steps] == [NOTHING] * 3
    assert [step.outcome for step in steps] == [None, None, REJECTED]
    assert device.counts["gates"] == 3
    assert device.counts["inferences"] == device.counts["answers"] == 0
    assert [device.block(Given()).counts["rejected"] for _ in range(3)] == [1, 1, 1]


def test_a_wake_that_ends_between_windows_is_counted_at_its_end(duty: Library) -> None:
    device = Device(duty, Config(hop=100))
    steps = [device.block(Given(level=level, score=9)) for level in (LOUD, LOUD, QUIET)]
    assert [step.counts["rejected"] for step in steps] == [0, 0, 1]


@pytest.mark.parametrize("passing", range(3))
def test_one_window_that_passes_makes_it_another_one(duty: Library, passing: int) -> None:
    device = Device(duty, Config(hop=1))
    levels = (LOUD, LOUD, QUIET)
    given = [Given(level, score=10 if i == passing else 9) for i, level in enumerate(levels)]
    steps = [device.block(each) for each in given]
    assert steps[-1].outcome == UNDECIDED
    assert device.counts["rejected"] == 0
    actions(device, [QUIET, QUIET])
    assert device.counts["rejected"] == 0


@pytest.mark.parametrize(("score", "verdict"), [(9, NOTHING), (10, INFER), (20, INFER)])
def test_unsure_and_positive_windows_are_inferred(duty: Library, score: int, verdict: int) -> None:
    device = Device(duty, Config())
    assert device.block(Given(LOUD, score=score)).verdict == verdict
    assert device.counts["inferences"] == (verdict == INFER)


@pytest.mark.parametrize("passing", range(4))
def test_windows_from_before_a_wake_count_for_it(duty: Library, passing: int) -> None:
    """The wake is over with its first block, whose window and three older ones are looked at."""
    device = Device(duty, Config(hop=1))
    device.command(COMMAND, 1)
    assert duty.c.duty_block(device.state, device.config, QUIET) == BEGIN | GATE | END
    scores = [10 if i == passing else 9 for i in range(4)]
    found = [duty.c.duty_gate(device.state, device.config, score) for score in scores]
    assert found == [INFER if i == passing else NOTHING for i in range(4)]
    assert duty.c.duty_outcome(device.state) == UNDECIDED
    actions(device, [QUIET, QUIET])
    assert device.counts["rejected"] == 0
    assert device.counts["gates"] == 4


def test_without_a_latch_each_window_is_judged_for_itself(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    found = [device.block(Given(LOUD, score=score)).verdict for score in (9, 10, 9, 20, 9)]
    assert found == [NOTHING, INFER, NOTHING, INFER, NOTHING]


def test_with_a_latch_the_first_that_passes_opens_the_rest_of_the_wake(duty: Library) -> None:
    device = Device(duty, Config(hop=1, latch=True))
    found = [device.block(Given(LOUD, score=score)).verdict for score in (9, 10, 9, 0)]
    assert found == [NOTHING, INFER, INFER, INFER]
    device.block(Given(QUIET, score=0))
    assert device.block(Given(LOUD, score=9)).verdict == NOTHING


def test_with_a_latch_the_best_verdict_so_far_holds(duty: Library) -> None:
    device = Device(duty, Config(hop=1, latch=True))
    device.environment(temperature=HEAT[SAVING])
    scores = (UNSURE, SURE, UNSURE, 0)
    steps = [device.block(Given(LOUD, score)) for score in scores for _ in range(2)]
    found = [step.verdict for step in steps if step.actions & GATE]
    assert found == [FORBIDDEN, INFER, INFER, INFER]


# ---- Answers


def test_a_decision_is_the_answer_of_the_model(duty: Library) -> None:
    device = Device(duty, Config())
    step = device.block(Given(LOUD, SURE, HIT))
    assert step.answer == Answer(MODEL, OK, best=1, score=200, time=10)
    assert device.block(Given(QUIET)).outcome == DECIDED
    assert device.counts["answers"] == 1
    assert device.counts["fallbacks"] == 0


def test_a_wake_may_decide_several_times(duty: Library) -> None:
    device = Device(duty, Config(hop=1, refractory_ms=30))
    assert [a.time for a in answers(device, Given(LOUD, SURE, HIT), 10)] == [10, 40, 70, 100]


def test_a_wake_in_which_nothing_is_decided_has_no_answer(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    assert answers(device, Given(LOUD, SURE, MISS), 5) == []
    assert device.block(Given(QUIET, SURE, MISS)).outcome == UNDECIDED


def test_a_rejected_window_counts_as_0_in_the_smoothing(duty: Library) -> None:
    device = Device(duty, Config(hop=1, windows=2, cutoff=150))
    scores = (SURE, 0, SURE, SURE)
    found = [device.block(Given(LOUD, score, HIT)).answer for score in scores]
    assert found == [None, None, None, Answer(MODEL, OK, 1, 200, 40)]


def test_a_window_that_failed_counts_as_0_in_the_smoothing(duty: Library) -> None:
    device = Device(duty, Config(hop=1, windows=2, cutoff=150))
    failures = (OK, INPUT, OK, OK)
    found = [device.block(Given(LOUD, SURE, HIT, failure=f)).answer for f in failures]
    fallback = Answer(FALLBACK, INPUT, 7, 0, 20)
    assert found == [None, fallback, None, Answer(MODEL, OK, 1, 200, 40)]


def test_windows_of_two_wakes_are_not_smoothed_together(duty: Library) -> None:
    device = Device(duty, Config(hop=100, windows=2, cutoff=150))
    for _ in range(5):
        assert device.block(Given(LOUD, SURE, HIT)).answer is None
        assert device.block(Given(QUIET)).actions == END


# ---- Failures


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_without_a_fresh_decision_the_fallback_answers_once_a_wake(
    duty: Library, failure: int
) -> None:
    device = Device(duty, Config(hop=1, fallback=7))
    failing = Given(LOUD, SURE, HIT, failure=failure)
    assert answers(device, failing, 10) == [Answer(FALLBACK, failure, 7, 0, 10)]
    assert device.block(Given(QUIET, SURE, failure=failure)).outcome == UNDECIDED
    assert answers(device, failing, 10) == [Answer(FALLBACK, failure, 7, 0, 120)]
    assert device.counts["answers"] == device.counts["fallbacks"] == 2
    assert device.counts["inferences"] == 0


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_fresh_decision_answers_with_the_time_when_it_was_made(
    duty: Library, failure: int
) -> None:
    device = Device(duty, Config(hop=1, expiry_ms=1000))
    device.block(Given(LOUD, SURE, HIT))
    device.block(Given(QUIET))
    failing = Given(LOUD, SURE, failure=failure)
    assert answers(device, failing, 10) == [Answer(CACHE, failure, 1, 200, 10)]


@pytest.mark.parametrize(("late", "source"), [(99, CACHE), (100, FALLBACK)])
def test_a_decision_is_fresh_until_its_expiry(duty: Library, late: int, source: int) -> None:
    device = Device(duty, Config(expiry_ms=1000, hop=1))
    device.block(Given(LOUD, SURE, HIT))
    device.block(Given(QUIET))
    actions(device, [QUIET] * (late - 2))
    found = device.block(Given(LOUD, SURE, failure=PLAN))
    assert found.answer
    assert (found.answer.source, found.time) == (source, 10 + 10 * late)
    assert found.answer.time == (10 if source == CACHE else found.time)


@pytest.mark.parametrize(("took", "source"), [(10, MODEL), (11, FALLBACK), (2**32 - 1, FALLBACK)])
def test_scores_after_the_deadline_are_a_failure(duty: Library, took: int, source: int) -> None:
    device = Device(duty, Config(deadline_ms=10))
    answer = device.block(Given(LOUD, SURE, HIT, took_ms=took)).answer
    assert answer
    assert (answer.source, answer.failure) == (source, OK if source == MODEL else DEADLINE)
    assert device.counts["inferences"] == 1


def test_scores_after_the_deadline_count_for_nothing(duty: Library) -> None:
    device = Device(duty, Config(hop=1, deadline_ms=10, windows=2, cutoff=150))
    late = device.block(Given(LOUD, SURE, HIT, took_ms=11)).answer
    assert late
    assert late.source == FALLBACK
    assert device.block(Given(LOUD, SURE, HIT)).answer is None


def test_without_a_deadline_any_time_will_do(duty: Library) -> None:
    device = Device(duty, Config(deadline_ms=0))
    answer = device.block(Given(LOUD, SURE, HIT, took_ms=2**32 - 1)).answer
    assert answer
    assert answer.source == MODEL


def test_a_window_that_cannot_be_scored_goes_to_the_fallback(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    first = device.block(Given(LOUD, unscored=INPUT))
    assert first.answer == Answer(FALLBACK, INPUT, 7, 0, 10)
    assert device.block(Given(QUIET, score=0)).outcome == UNDECIDED
    assert device.counts["gates"] == 1
    assert device.counts["rejected"] == 0


def test_a_last_window_that_cannot_be_scored_is_not_rejected_either(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    device.command(COMMAND, 1)
    assert device.block(Given(unscored=INPUT)).outcome == UNDECIDED
    actions(device, [QUIET, QUIET])
    assert device.counts["rejected"] == 0


def test_the_model_may_decide_after_the_fallback_has_answered(duty: Library) -> None:
    device = Device(duty, Config(hop=1))
    device.block(Given(LOUD, SURE, failure=INPUT))
    answer = device.block(Given(LOUD, SURE, HIT)).answer
    assert answer
    assert answer.source == MODEL
    assert device.block(Given(QUIET)).outcome == DECIDED


def test_another_model_forgets_decisions_and_windows(duty: Library) -> None:
    device = Device(duty, Config(hop=1, windows=2, cutoff=100, refractory_ms=10000))
    assert len(answers(device, Given(LOUD, SURE, HIT), 3)) == 1
    device.new_model()
    failed = device.block(Given(LOUD, SURE, failure=PLAN)).answer
    assert failed
    assert failed.source == FALLBACK
    assert device.block(Given(LOUD, SURE, bytes([0, 199]))).answer is None
    assert len(answers(device, Given(LOUD, SURE, HIT), 1)) == 1


# ---- Heat and battery


def test_a_change_of_level_is_told_once(duty: Library) -> None:
    device = Device(duty, Config())
    assert device.environment(temperature=HEAT[SLOW])
    assert not device.environment(temperature=HEAT[SLOW])
    assert device.level == SLOW
    assert device.environment(temperature=HEAT[RESTING])
    assert device.environment(temperature=HEAT[NORMAL])
    assert device.level == NORMAL


def test_heat_and_battery_have_a_hysteresis_of_their_own(duty: Library) -> None:
    """430 would hold a level that was entered for heat: it was not."""
    device = Device(duty, Config())
    device.environment(temperature=430, battery=290)
    assert device.level == SLOW
    device.environment(temperature=430, battery=1000)
    assert device.level == NORMAL
    device.environment(temperature=450, battery=1000)
    device.environment(temperature=430, battery=320)
    assert device.level == SLOW
    device.environment(temperature=400, battery=320)
    assert device.level == NORMAL


def test_the_worse_of_heat_and_battery_counts(duty: Library) -> None:
    device = Device(duty, Config())
    for temperature, battery, level in (
        (500, 1000, SLOW),
        (500, 100, SAVING),
        (700, 100, RESTING),
        (200, 100, SAVING),
        (200, 0, RESTING),
    ):
        device.environment(temperature, battery)
        assert device.level == level


@pytest.mark.parametrize(
    ("level", "score", "verdict"),
    [
        (SLOW, UNSURE, INFER),
        (SAVING, UNSURE, FORBIDDEN),
        (SAVING, SURE, INFER),
        (RESTING, SURE, FORBIDDEN),
        (RESTING, 0, NOTHING),
    ],
)
def test_what_the_level_forbids(duty: Library, level: int, score: int, verdict: int) -> None:
    device = Device(duty, Config())
    device.environment(temperature=HEAT[level])
    step = device.block(Given(LOUD, score, HIT))
    assert step.verdict == verdict
    expected = {INFER: (MODEL, OK), FORBIDDEN: (FALLBACK, POLICY)}.get(verdict)
    assert (expected is None) == (step.answer is None)
    assert step.answer is None or (step.answer.source, step.answer.failure) == expected


@pytest.mark.parametrize("percent", [20, 30, 40])
@pytest.mark.parametrize("hop", [1, 2, 3, 4, 5, 8, 16, 50, 100])
def test_the_rate_over_a_long_time_is_the_promised_one_within_half_a_block_a_hop(
    duty: Library, percent: int, hop: int
) -> None:
    device = Device(duty, Config(hop=hop, slow_percent=percent))
    device.environment(temperature=HEAT[SLOW])
    blocks = 20000
    found = raw(duty, device, blocks)
    places = [i for i, action in enumerate(found) if action & GATE]
    gaps = {b - a for a, b in pairwise(places)}
    assert len(gaps) == 1, "every hop is as long"
    exact = hop / (1 - percent / 100)
    (gap,) = gaps
    assert abs(gap - exact) <= 0.5 or gap == hop + 1
    assert len(places) == -(-blocks // gap)
    if hop >= 16:
        rate = len(places) * hop / blocks
        assert abs(rate - (1 - percent / 100)) < 0.025


def test_the_rate_changes_with_the_next_hop_in_the_midst_of_a_wake(duty: Library) -> None:
    device = Device(duty, Config(hop=4, slow_percent=40))
    found = actions(device, [LOUD] * 6)
    device.environment(temperature=HEAT[SLOW])
    found += actions(device, [LOUD] * 12)
    device.environment(temperature=HEAT[NORMAL])
    found += actions(device, [LOUD] * 12)
    assert [i for i, action in enumerate(found) if action & GATE] == [0, 4, 8, 15, 22, 26]


def test_a_hop_of_0_is_a_window_a_block(duty: Library) -> None:
    device = Device(duty, Config(hop=0))
    assert actions(device, [LOUD] * 3) == [BEGIN | GATE, GATE, GATE]
