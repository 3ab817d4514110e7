# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""kill -9 at any moment: the recording is whole, true, and has at least what was shown."""

import contextlib
import random
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.commands import objects, running
from tests.monitor.device import Sleeper, Wire
from torpor.monitor.events import Received
from torpor.monitor.record import Recorder, Recording
from torpor.wire import records

KILLS = range(6)
PATIENCE_S = 60.0


@contextlib.contextmanager
def flood(folder: Path, device: Sleeper) -> Iterator[Wire]:
    """Give a wire over which a device talks without a pause once it was asked something."""
    stop = threading.Event()

    with contextlib.closing(Wire(folder / f"port{device.seed}", device.feed)) as wire:

        def talk() -> None:
            wire.heard.wait(PATIENCE_S)
            while not stop.is_set():
                wire.talk(device.work)

        talker = threading.Thread(target=talk, daemon=True)
        talker.start()
        try:
            yield wire
        finally:
            stop.set()
            wire.unplug()
            talker.join()


def read_lines(stdout: Any, count: int) -> list[str]:
    return [stdout.readline() for _ in range(count)]


@pytest.mark.parametrize("start", [100])
def test_killed_again_and_again_it_loses_nothing_that_it_has_shown(
    tmp_path: Path, start: int
) -> None:
    path = tmp_path / "x.torpor"
    for kill in KILLS:
        device, source = Sleeper(start + kill), random.Random(kill)
        device.start()
        device.sent.clear()  # nobody was there to hear it
        with (
            flood(tmp_path, device) as wire,
            running(wire.name, "--json", "--record", path) as process,
        ):
            shown = read_lines(process.stdout, source.randrange(1, 1500))
            process.kill()
            shown += process.stdout.readlines() if process.stdout else []
        check(path, kill, device, objects(shown))
    with contextlib.closing(sqlite3.connect(path)) as database:
        sessions = database.execute("SELECT count(*) FROM sessions").fetchone()
    assert sessions == (len(KILLS),)


def check(path: Path, session: int, device: Sleeper, shown: list[Any]) -> None:
    """Hold the recording of a session against what was sent and what was shown."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Recording(path) as recording:
        events = list(recording.events(recording.sessions()[session]))
    got = [event for event in events if isinstance(event, Received)]
    assert [event.payload for event in got] == device.sent[: len(got)], "a prefix of what was sent"
    told = [item for item in shown if item["type"] in records.TYPES]
    kept = [(event.record.spec.kind, getattr(event.record, "n", None)) for event in got]
    assert [(item["type"], item.get("n")) for item in told] == kept[: len(told)]
    assert len(shown) > 0


def test_a_recording_goes_on_after_a_kill(tmp_path: Path) -> None:
    path, device = tmp_path / "x.torpor", Sleeper(7)
    device.start()
    with flood(tmp_path, device) as wire, running(wire.name, "--json", "--record", path) as process:
        read_lines(process.stdout, 50)
        process.kill()
    with Recorder(path, 0.0, recorder_limits(path), {"d": "port"}) as recorder:
        recorder.write([])
    with Recording(path) as recording:
        assert [session.number for session in recording.sessions()] == [1, 2]
        assert len(list(recording.events(recording.sessions()[0]))) >= 50


def recorder_limits(path: Path) -> Any:
    with Recording(path) as recording:
        return recording.sessions()[0].limits
