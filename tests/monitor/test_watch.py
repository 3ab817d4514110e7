# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""All devices in one place: recorded first, then shown, and asked from any thread."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.device import SPAN_MS, decision, hello, summary
from torpor.board import load_board
from torpor.monitor import charge
from torpor.monitor.alerts import Limits
from torpor.monitor.events import Connected, Event, Notice, Received
from torpor.monitor.record import Recorder, RecordingError
from torpor.monitor.watch import BATCH, Monitor
from torpor.wire import records

DEVICES = {"a": "/dev/a", "b": "/dev/b"}
SHARES = {"sleep": 0.95, "capture": 0.03, "stage_2": 0.02}


def received(record: records.Record, device: str = "a") -> Received:
    return Received(1.0, device, records.encode(record), record)


def test_events_of_each_device_go_to_its_own_state() -> None:
    monitor = Monitor(DEVICES)
    monitor.handle([received(decision(0)), received(summary(0), "b"), Connected(2.0, "b", "/x")])
    first, second = monitor.snapshots()
    assert [s["device"] for s in (first, second)] == ["a", "b"]
    assert (first["totals"]["decisions"], second["totals"]["decisions"]) == (1, 0)
    assert (first["connected"], second["connected"], second["port"]) == (False, True, "/x")
    assert monitor.summaries() == {"a": 0, "b": 1}


def test_what_is_shown_was_recorded_before(tmp_path: Path) -> None:
    path, seen = tmp_path / "x", []

    def show(event: Event, _words: Any) -> None:
        with sqlite3.connect(path) as database:
            (count,) = database.execute("SELECT count(*) FROM records").fetchone()
        seen.append((getattr(event, "kind", "record"), count))

    with Recorder(path, 0.0, Limits(), DEVICES) as recorder:
        monitor = Monitor(DEVICES, recorder=recorder, show=show)
        monitor.handle([received(decision(0)), received(decision(5))])
    assert seen == [("record", 2), ("record", 2), ("lost", 2)]


def test_what_cannot_be_recorded_is_not_shown(tmp_path: Path) -> None:
    shown: list[Event] = []
    recorder = Recorder(tmp_path / "x", 0.0, Limits(), DEVICES)
    recorder.close()
    monitor = Monitor(DEVICES, recorder=recorder, show=lambda event, _: shown.append(event))
    with pytest.raises(RecordingError):
        monitor.handle([received(decision(0))])
    assert shown == []


def test_records_are_shown_with_the_names_of_classes_that_came_with_them() -> None:
    shown: list[Any] = []
    monitor = Monitor(DEVICES, show=lambda _event, words: shown.append(words))
    label: Any = records.Label(0, 1, "wave")
    monitor.handle([received(label), received(decision(1)), received(decision(2), "b")])
    assert [words.get("label") for words in shown] == [None, "wave", "class 1"]


def test_notices_follow_the_event_that_led_to_them() -> None:
    shown: list[Event] = []
    monitor = Monitor(DEVICES, show=lambda event, _: shown.append(event))
    monitor.handle([received(decision(0)), received(decision(5)), received(decision(6))])
    kinds = [event.kind if isinstance(event, Notice) else "record" for event in shown]
    assert kinds == ["record", "record", "lost", "record"]


def test_callbacks_are_called_once_a_batch_until_they_are_taken_back() -> None:
    monitor, calls = Monitor(DEVICES), list[int]()
    end = monitor.subscribe(lambda: calls.append(monitor.snapshots()[0]["totals"]["decisions"]))
    for number in range(5):
        monitor.put(received(decision(number)))
    assert monitor.step(0) == 5
    assert calls == [5]
    assert monitor.step(0) == 0
    end()
    monitor.put(received(decision(5)))
    assert monitor.step(0) == 1
    assert calls == [5]


def test_a_flood_is_handled_in_batches() -> None:
    monitor = Monitor(DEVICES)
    for number in range(BATCH + 7):
        monitor.put(received(decision(number)))
    assert [monitor.step(0), monitor.step(0), monitor.step(0)] == [BATCH, 7, 0]


def test_snapshots_may_be_asked_for_from_any_thread_meanwhile() -> None:
    monitor, stop, problems = Monitor(DEVICES), threading.Event(), list[str]()

    def look() -> None:
        while not stop.is_set():
            snapshot: Any = monitor.snapshots()[0]
            if sum(snapshot["counts"].values()) != 12 * monitor_intervals(snapshot):
                problems.append("torn")

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(400):
        monitor.handle([received(summary(number, time=SPAN_MS * (number + 1) % 2**32))])
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []


def monitor_intervals(snapshot: Any) -> int:
    return int(snapshot["totals"]["inferences"]) // 12


def test_ages_are_counted_to_the_clock() -> None:
    now = 100.0
    monitor = Monitor(DEVICES, clock=lambda: now)
    monitor.handle([received(hello())])
    assert monitor.snapshots()[0]["last_seen_s"] == 99.0


# ---- energy


def test_a_board_with_a_table_of_currents_has_an_estimate() -> None:
    assert load_board("microbit").power is not None
    made = charge.estimate("microbit", SHARES)
    assert made is not None
    assert made["mah_per_day_estimated"] > 0
    assert made["days_estimated"] > 0


def test_listening_costs_more_than_lying_still() -> None:
    lying, listening = (charge.estimate("mps2_an386", SHARES, s) for s in ("motion", "sound"))
    assert lying is not None
    assert listening is not None
    assert listening["mah_per_day_estimated"] > 2 * lying["mah_per_day_estimated"]


def test_time_of_an_emulator_is_turned_into_that_of_the_chip() -> None:
    board = load_board("mps2_an386")
    assert (board.tier, board.power is not None) == ("emulated", True)
    made = charge.estimate("mps2_an386", SHARES)
    idle = charge.estimate("mps2_an386", {"sleep": 1.0})
    assert made is not None
    assert idle is not None
    assert made["mah_per_day_estimated"] > idle["mah_per_day_estimated"] > 0


@pytest.mark.parametrize("board", ["native", "no such board", "", "../x"])
def test_a_board_without_one_has_none(board: str) -> None:
    assert charge.estimate(board, SHARES) is None


def test_shares_that_are_none_have_no_estimate() -> None:
    assert charge.estimate("microbit", {"sleep": 0.2}) is None
