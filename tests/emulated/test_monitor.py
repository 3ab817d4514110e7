# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The monitor understands the firmware that ships: who it is, its numbers, its restarts."""

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from tests.emulated.conftest import MODEL, require
from torpor import emulate
from torpor.board import load_board
from torpor.emulate import Emulator, Firmware, firmware
from torpor.model import load_model
from torpor.monitor.collect import Questions, Reader
from torpor.monitor.document import Snapshot
from torpor.monitor.events import Event, Notice, Received
from torpor.monitor.watch import Monitor
from torpor.wire import framing, records

PATIENCE_S = 60.0


@cache
def sleeping(board: str) -> Firmware:
    """Build the sleeping device once in a session."""
    return firmware.build(board, MODEL, app=firmware.WAKE)


class Follower:
    """Follows an emulated device, without threads."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.shown: list[Event] = []
        self.monitor = Monitor({"d": "port"}, show=lambda event, _: self.shown.append(event))
        self._reader, self._questions = Reader("d"), Questions(time.monotonic())

    @property
    def snapshot(self) -> Snapshot:
        return self.monitor.snapshots()[0]

    def ask(self, *questions: records.Record) -> None:
        for question in questions:
            line = framing.encode_frame(records.encode(question))
            self.emulator.transport.write(line)

    def until(self, wanted: Callable[[], bool]) -> None:
        """Listen until something is so; a device that never gets there is a failure."""
        deadline = time.monotonic() + PATIENCE_S
        while not wanted():
            assert time.monotonic() < deadline, self.shown[-9:]
            self.emulator.transport.write(self._questions.due(time.monotonic()))
            for event in self._reader.feed(self.emulator.transport.read(0.1)):
                self._questions.note(event, time.monotonic())
                self.monitor.handle([event])

    def until_known(self) -> None:
        self.until(lambda: self._questions.is_answered)

    def until_heard(self, kind: str, count: int = 1) -> None:
        self.until(lambda: len(self.records(kind)) >= count)

    def records(self, kind: str) -> list[Any]:
        received = (event.record for event in self.shown if isinstance(event, Received))
        return [record for record in received if record.spec.kind == kind]

    def notices(self) -> list[str]:
        return [event.kind for event in self.shown if isinstance(event, Notice)]


@pytest.fixture(params=["mps2_an386", "riscv_virt"])
def it(request: pytest.FixtureRequest) -> Iterator[Follower]:
    board = load_board(request.param)
    require(board)
    with emulate.start(board, sleeping(board.name).elf) as emulator:
        yield Follower(emulator)


def test_it_says_who_it_is_and_nothing_is_lost(it: Follower) -> None:
    it.until_known()
    snapshot = it.snapshot
    assert snapshot["model"].split()[0] == MODEL
    assert (snapshot["sensor"], snapshot["mode"], snapshot["policy"]) == (
        "motion",
        "gated",
        "normal",
    )
    labels = {record.index: record.name for record in it.records("label")}
    assert tuple(labels[index] for index in sorted(labels)) == load_model(MODEL).labels
    assert snapshot["totals"]["lost_records"] == snapshot["totals"]["dropped_lines"] == 0


def test_a_reset_is_a_restart_and_no_loss(it: Follower) -> None:
    it.until_known()
    it.until_heard("restarted")
    it.emulator.reset()
    it.until_heard("restarted", 2)
    it.until_known()
    totals = it.snapshot["totals"]
    assert (totals["resets"], totals["lost_records"], totals["duplicates"]) == (1, 0, 0)
    assert it.notices().count("restart") == 1
    assert it.notices()[-1] == "ended"


def test_a_look_into_an_interval_is_shown_and_not_counted(it: Follower) -> None:
    it.until_known()
    it.ask(records.Ask(100, 1), records.Ask(101, 1))
    it.until_heard("summary", 2)
    assert it.monitor.summaries() == {"d": 0}
    assert it.snapshot["stack"] > 0
    assert it.snapshot["totals"]["lost_records"] == 0
