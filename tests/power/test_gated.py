# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device that sleeps beside one that never does: what counts as found, and what the demo says."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from torpor.board import load_board
from torpor.cli._wake import scene_name, table
from torpor.errors import UsageError
from torpor.model import load_model
from torpor.power import gated
from torpor.power.gated import Case, Found, Outcome, Room, judge, motion_case, sound_case
from torpor.scene.schedule import Made, Truth
from torpor.scene.sound import loudness

MOTION = ("standing", "running", "walking", "badminton")


def case(*truth: tuple[float, float, str], room: Room | None = None) -> Case:
    made: Any = Made(SimpleNamespace(seconds=100.0), tuple(Truth(*t) for t in truth))  # type: ignore[arg-type]
    return Case(load_model("motion"), room, made)


def answers(*given: tuple[float, str], by_model: bool = True) -> Any:
    found = [SimpleNamespace(time_s=t, label=MOTION.index(n), by_model=by_model) for t, n in given]
    return SimpleNamespace(answers=found)


def found(hits: int, instructions: float = 1000.0) -> Found:
    return Found(hits, 0, 7, 1, instructions, 0.001, 0.5)


# ---- what counts


@pytest.mark.parametrize(
    ("time", "label", "expected"),
    [
        (9.9, "walking", (0, 1)),
        (10.0, "walking", (1, 0)),
        (20.0 + gated.LATE_S, "walking", (1, 0)),
        (20.1 + gated.LATE_S, "walking", (0, 1)),
        (15.0, "running", (0, 1)),
    ],
)
def test_an_answer_has_to_fit_in_time_and_kind(
    time: float, label: str, expected: tuple[int, int]
) -> None:
    assert judge(answers((time, label)), case((10.0, 20.0, "walking"))) == expected


def test_two_answers_for_one_event_are_one_hit_and_no_mistake() -> None:
    one = case((10.0, 20.0, "walking"))
    assert judge(answers((12.0, "walking"), (18.0, "walking")), one) == (1, 0)


def test_a_fallback_finds_nothing() -> None:
    one = case((10.0, 20.0, "walking"))
    assert judge(answers((12.0, "walking"), by_model=False), one) == (0, 0)


def test_what_is_background_or_no_class_is_no_event() -> None:
    one = case((1.0, 2.0, "standing"), (3.0, 4.0, ""), (5.0, 6.0, "running"))
    assert [truth.label for truth in gated.expected(one)] == ["running"]
    assert Outcome(one, found(0), found(0)).events == 1


# ---- what is good


@pytest.mark.parametrize(
    ("gated_hits", "instructions", "good"),
    [(10, 100.0, True), (9, 100.0, True), (8, 100.0, False), (10, 101.0, False), (12, 99.0, True)],
)
def test_one_event_may_be_missed_with_a_tenth_of_the_work(
    gated_hits: int, instructions: float, good: bool
) -> None:
    outcome = Outcome(case(), found(gated_hits, instructions), found(10, 1000.0))
    assert outcome.good is good
    assert outcome.ratio == instructions / 1000


def test_where_the_noise_wakes_the_work_is_only_told() -> None:
    loud = case(room=gated.NOISY[0])
    assert Outcome(loud, found(10, 900.0), found(10, 1000.0)).good
    assert not Outcome(loud, found(8, 900.0), found(10, 1000.0)).good


def test_the_json_has_the_names_that_scripts_ask_for() -> None:
    told = Outcome(case((1.0, 2.0, "running")), found(1, 60.0), found(1)).to_json()
    assert json.loads(json.dumps(told)) == told
    wanted = ("events", "hits_always_on", "hits_gated", "rejected_wakes", "insn_ratio", "duty")
    assert {*wanted, "energy_mah_per_day_estimated"} <= set(told)
    assert (told["events"], told["hits_gated"], told["insn_ratio"]) == (1, 1, 0.06)


def test_the_table_fits_a_terminal() -> None:
    cases = [case(), *(case(room=room) for room in (*gated.QUIET, *gated.NOISY))]
    outcomes = [Outcome(one, found(22, 1.2e6), found(22, 17e6)) for one in cases]
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table(outcomes, "mps2_an386"))
    lines = console.export_text().splitlines()
    assert not any("…" in line for line in lines)
    assert sum("1.20 M" in line for line in lines) == len(cases)
    assert max(map(len, lines)) <= 80
    assert [scene_name(one) for one in cases[:2]] == ["motion", "motion quiet 24 dB"]


# ---- scenes


def test_a_scene_of_motion_has_as_many_events_as_fit() -> None:
    made = motion_case(1200, 1).made
    busy = sum(truth.end_s - truth.start_s for truth in made.truth)
    assert len(made.truth) == 6
    assert busy <= 0.05 * 1200 + 1e-6
    assert {truth.label for truth in made.truth} == {"running", "walking", "badminton"}


def test_a_scene_that_is_too_short_says_how_long_it_has_to_be() -> None:
    with pytest.raises(UsageError) as error:
        motion_case(100, 1)
    assert "200" in error.value.hint
    with pytest.raises(UsageError):
        sound_case(10, 1, gated.QUIET[0])


@pytest.mark.parametrize("room", [gated.QUIET[0], gated.NOISY[0]], ids=["quiet", "noisy"])
def test_a_scene_of_speech_has_other_words_too_and_its_noise(room: Room) -> None:
    made = sound_case(200, 1, room).made
    labels = [truth.label for truth in made.truth]
    assert "" in labels
    assert labels.count("alexa") >= 3
    busy = sum(truth.end_s - truth.start_s for truth in made.truth)
    assert busy <= 0.05 * 200
    for event in made.scene.events:
        clip = made.scene.clips[event.clip][:, 0]
        heard = loudness(clip, 16000) * event.gain / 65536
        assert heard == pytest.approx(room.noise * 10 ** (room.snr_db / 20), rel=0.03)
    assert made.scene.noise / 3**0.5 == pytest.approx(room.noise, rel=0.01)


def test_a_board_that_says_nothing_of_currents_is_refused_before_anything_is_built() -> None:
    with pytest.raises(UsageError):
        gated.compare(load_board("mps3_an547"), [motion_case(200, 1)])
