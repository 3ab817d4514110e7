# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a terminal shows: all that matters, in 80 columns, without colours."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tests.monitor.device import SPAN_MS, about, decision, hello, restarted, summary
from tests.monitor.test_state import EVENTS, Feeder, happen, labels
from torpor.monitor import panels
from torpor.monitor.document import Snapshot


def drawn(snapshots: list[Snapshot], lines: int = 60, width: int = 80) -> str:
    console = Console(width=width, height=lines, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(panels.screen(snapshots, lines, "Ctrl-C ends"))
    return capture.get()


def busy(**fields: Any) -> Feeder:
    """Return a device that has done all there is to do."""
    it = Feeder(
        estimate=lambda _board, _shares, _sensor: {
            "mah_per_day_estimated": 4.3,
            "days_estimated": 581.0,
        }
    )
    it.connect()
    it.records(hello(), about(0), *labels(), restarted(4, kept=1, reason=18, watchdogs=2, faults=1))
    it.records(decision(5), *(summary(6 + i, time=SPAN_MS * (i + 1), **fields) for i in range(3)))
    return it


def test_a_panel_says_all_that_matters() -> None:
    text = drawn([busy().snapshot])
    for part in (
        "d · port · connected",
        "gestures 1.0.0 on mps2_an386, firmware 1.2.0, motion, gated",
        "policy normal, engine torpor",
        "wave, 94%, 12.3 ms, 3 s ago",
        "wave 27, still 9",
        "mean 0.93, low 0.88",
        "median 12.0 ms, 95 % 14.0 ms",
        "0.040",
        "4.0 wakes, 12.0 inferences",
        "sleep 90.5%, capture 4.0%",
        "estimated: 4.3 mAh a day, 581 days of battery",
        "1 answers, 0 without the model; 36 inferences",
        "resets 0 (watchdog 2, faults 1)",
        "lost: 0 records",
        "stack 1,812 bytes",
        "Ctrl-C ends",
    ):
        assert part in text, part
    assert "ALERT" not in text
    assert "NOT" not in text


def test_alerts_and_problems_are_in_words() -> None:
    it = busy(score_mean=710)
    assert "ALERT" in drawn([it.snapshot])
    assert "confidence_mean is 0.71, the limit 0.85" in drawn([it.snapshot])
    it.disconnect("the cable is out")
    text = drawn([it.snapshot])
    assert "NOT CONNECTED" in text
    assert "the cable is out" in text


def test_a_model_that_is_refused_is_told_and_why() -> None:
    it = Feeder()
    it.connect()
    it.records(hello(model="", plan_status=6, engine="tflm", message="Requested: 9"))
    text = drawn([it.snapshot])
    assert "arena (tflm: Requested: 9)" in text
    assert "the model is refused: arena" in text
    assert "no model on mps2_an386, engine tflm" in text
    many = [it.snapshot, *(busy().snapshot for _ in range(8))]
    assert "model refused" in " ".join(drawn(many, lines=24).split())


def test_a_device_that_has_said_nothing_has_a_panel() -> None:
    text = drawn([Feeder().snapshot])
    assert "NOT CONNECTED" in text
    assert "no model on an unknown board" in text


def test_without_room_for_panels_there_is_a_row_for_each_device() -> None:
    many = [busy().snapshot for _ in range(9)]
    many[3]["device"] = "the fourth"
    text = drawn(many, lines=24)
    assert len(text.splitlines()) <= 24
    assert "the fourth" in text
    assert text.count("wave 94%") == 9


def test_two_devices_have_panels_where_there_is_room() -> None:
    assert drawn([busy().snapshot, busy().snapshot], lines=40).count("confidence") == 2
    assert "confidence" not in drawn([busy().snapshot, busy().snapshot], lines=20)


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", "a\x1b[2J", "x" * 200, "\n\n\n"])
def test_names_of_others_are_text(text: str) -> None:
    it = busy()
    it.state.labels[1] = text
    snapshot = it.snapshot
    snapshot["device"] = snapshot["port"] = text
    for lines in (60, 5):
        shown = drawn([snapshot, snapshot], lines=lines)
        assert "\x1b" not in shown
        if len(text) < 20 and text.isprintable():
            assert text in shown


@given(EVENTS, st.sampled_from([60, 80, 200]))
@settings(max_examples=25)
def test_whatever_is_known_can_be_drawn(items: list[Any], width: int) -> None:
    it = Feeder()
    happen(it, items)
    for lines in (60, 5):
        text = drawn([it.snapshot, it.snapshot], lines, width)
        assert max(map(cell_len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (4e5, "5 days"),
    ],
)
def test_ages_are_short(seconds: float, words: str) -> None:
    assert panels.ago(seconds) == words


def test_the_course_of_a_value_goes_from_its_lowest_to_its_highest() -> None:
    assert panels.sparks([1.0, 2.0, 3.0]) == "▁▅█"
    assert panels.sparks([5.0, 5.0]) == "▁▁"
    assert panels.sparks([]) == ""
