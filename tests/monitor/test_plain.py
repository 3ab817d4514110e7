# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Events as lines: whole, one line each, and harmless to a terminal."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.monitor.device import about, decision, hello, restarted, summary
from tests.monitor.test_describe import any_record
from torpor.monitor import plain
from torpor.monitor.describe import describe
from torpor.monitor.events import (
    Connected,
    Disconnected,
    Dropped,
    Event,
    Foreign,
    Notice,
    Received,
    Said,
)
from torpor.wire import records
from torpor.wire.records import Record

NAMES = {0: "still", 1: "wave"}


def words_of(record: Record) -> str | None:
    """Return the line of a record without its clock and name."""
    event = Received(0.0, "d", records.encode(record), record)
    made = plain.plain_line(event, describe(record, NAMES))
    return made and made.split("  ", 2)[2]


def line_of(event: Event) -> str | None:
    made = plain.plain_line(event, {})
    return made and made.split("  ", 2)[2]


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (decision(), "decided: wave, 94%, 12.3 ms"),
        (
            decision(source=1, failure=3),
            "decided: wave, the last answer again: no inference (deadline)",
        ),
        (
            decision(source=2, failure=1, best=0),
            "decided: still, the fallback: no inference (plan)",
        ),
        (
            decision(source=2, failure=5, best=0),
            "decided: still, the fallback: no inference (engine)",
        ),
        (hello(), "is mps2_an386 with the model gestures, engine torpor"),
        (hello(model=""), "is mps2_an386 with the model -, engine torpor"),
        (
            hello(engine="tflm", message="Node 3 failed"),
            "is mps2_an386 with the model gestures, engine tflm, which says: Node 3 failed",
        ),
        (
            hello(model="", engine="tflm", plan_status=6, message="Requested: 9"),
            "is mps2_an386 and refuses its model: arena (tflm: Requested: 9)",
        ),
        (
            about(level=2, firmware=""),
            "firmware -, model 1.0.0, motion, gated, policy saving",
        ),
        (
            summary(inferences=0, drift=65535, residency=b"", errors=2),
            "60 s: 4 wakes (1 rejected), 0 inferences, 2 errors",
        ),
        (restarted(), None),
        (records.Label(0, 0, "x"), None),
        (records.Ack(0, 0), None),
    ],
)
def test_records_have_sentences(record: Record, text: str | None) -> None:
    assert words_of(record) == text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Connected(0.0, "d", "/dev/a"), "connected: /dev/a"),
        (Disconnected(0.0, "d", "/dev/a", "gone"), "lost: gone"),
        (Dropped(0.0, "d", "crc"), "a line was dropped: crc"),
        (Said(0.0, "d", "boot ok"), "says: boot ok"),
        (Foreign(0.0, "d", 7), None),
        (Notice(0.0, "d", "alert", "drift 0.3: too much"), "ALERT  drift 0.3: too much"),
        (Notice(0.0, "d", "lost", "2 records lost"), "2 records lost"),
    ],
)
def test_events_have_sentences(event: Event, text: str | None) -> None:
    assert line_of(event) == text


def test_a_line_begins_with_clock_and_device() -> None:
    made = plain.plain_line(Said(1_800_000_000.0, "kitchen", "x"), {})
    assert made is not None
    assert re.fullmatch(r"\d\d:\d\d:\d\d  kitchen  says: x", made)


@given(st.text())
def test_text_of_a_device_moves_no_cursor(text: str) -> None:
    made = plain.plain_line(Said(0.0, "d", text), {})
    assert made is not None
    assert made.isprintable()


def test_what_is_printable_stays_as_it_is() -> None:
    assert plain.printable("größe 模 100 %") == "größe 模 100 %"
    assert plain.printable("a\x1b[2Jb\n") == r"a\x1b[2Jb\n"


@pytest.mark.parametrize("kind", ["decision", "summary", "about", "label", "sample"])
@given(st.data())
def test_every_record_is_one_line_of_json_that_says_who_when_and_what(
    kind: str, data: st.DataObject
) -> None:
    record = data.draw(any_record(kind))
    event = Received(12.3456, "d", records.encode(record), record)
    made = plain.json_line(event, describe(record, NAMES))
    assert "\n" not in made
    told = json.loads(made)
    assert (told["type"], told["device"], told["time"]) == (kind, "d", 12.346)
    assert plain.plain_line(event, describe(record, NAMES)) is None or kind in (
        "decision",
        "summary",
        "hello",
        "about",
    )


def test_notices_are_json_with_their_detail() -> None:
    notice = Notice(1.0, "d", "lost", "2 records lost", {"count": 2, "before": 9})
    assert json.loads(plain.json_line(notice, {})) == {
        "type": "lost",
        "device": "d",
        "time": 1.0,
        "text": "2 records lost",
        "count": 2,
        "before": 9,
    }
