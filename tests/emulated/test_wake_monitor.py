# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor monitor beside a sleeping device that is full of news: cables are cut in the middle of
records, the device restarts, the monitor is killed. Nothing wrong is recorded, and it is known what
is missing."""

import json
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.emulated.conftest import require
from tests.emulated.managed import BOARD, busy_day
from tests.emulated.processes import TORPOR, eventually
from tests.emulated.sleeper import PATIENCE_S, SLICE_S, elf
from torpor.board import load_board
from torpor.emulate import Emulator
from torpor.monitor.events import Received
from torpor.monitor.record import Recording
from torpor.monitor.watch import Monitor
from torpor.scene.emulated import started
from torpor.wire import framing, records

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.xdist_group("wake")]


@dataclass
class Cable:
    """A socket before an emulated device, which knows what came through.

    Attributes:
        path: of the socket.
        through: payloads of the records that did, by run of the device.
        halves: records of which a part came through only.
        lost: records while nobody was connected.
        unplugged: how often the cable was.
    """

    emulator: Emulator
    path: Path
    through: list[list[bytes]] = field(default_factory=lambda: [[]])
    halves: int = 0
    lost: int = 0
    unplugged: int = 0

    def __post_init__(self) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen()
        self._host: socket.socket | None = None
        self._line = b""
        self._cut_next: type | None = None

    @property
    def name(self) -> str:
        return f"unix:{self.path}"

    def close(self) -> None:
        self.unplug()
        self._server.close()

    def unplug(self) -> None:
        if self._host:
            self._host.close()
            self.unplugged += 1
        self._host = None

    def plug(self) -> None:
        """Wait for a host that has asked who is there, and knows. It may write no more then."""
        assert select.select([self._server], [], [], PATIENCE_S)[0]
        self._host, _ = self._server.accept()
        assert select.select([self._host], [], [], PATIENCE_S)[0]
        self._to_device()
        self.until_through(records.Ack, 1)

    def cut_in(self, kind: type) -> None:
        """Cut the cable in the middle of the next record of a kind."""
        count, self._cut_next = self.halves, kind
        self.until(lambda: self.halves > count)

    def until(self, wanted: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not wanted():
            assert time.monotonic() < deadline
            self.pump()

    def until_through(self, kind: type, more: int) -> None:
        """Carry so many more records of a kind."""
        wanted = self.count(kind) + more
        self.until(lambda: self.count(kind) >= wanted)

    def until_lost(self, count: int) -> None:
        """Let the device say so many records that nobody hears."""
        wanted = self.lost + count
        self.until(lambda: self.lost >= wanted)

    def count(self, kind: type) -> int:
        return sum(isinstance(records.decode(p), kind) for run in self.through for p in run)

    def pump(self) -> None:
        """Carry bytes for a moment."""
        ends: list[Any] = [self.emulator.transport, *([self._host] if self._host else [])]
        ready, _, _ = select.select(ends, [], [], SLICE_S)
        if self._host in ready:
            self._to_device()
        for line in self._lines(self.emulator.transport.read(0)):
            self._to_host(line)

    def _to_device(self) -> None:
        assert self._host
        if data := self._host.recv(4096):
            self.emulator.transport.write(data)
        else:
            self.unplug()

    def _lines(self, data: bytes) -> Iterator[bytes]:
        *lines, self._line = (self._line + data).split(b"\n")
        yield from (line + b"\n" for line in lines)

    def _to_host(self, line: bytes) -> None:
        """Carry a line, or its first half and then none."""
        event = next(iter(framing.Decoder().feed(line)), None)
        record = records.decode(event.payload) if isinstance(event, framing.Frame) else None
        if isinstance(record, records.Hello) and record.seq == 0:
            self._begin_run()
        if self._cut_next and isinstance(record, self._cut_next) and self._host:
            self._host.sendall(line[: len(line) // 2])
            self._cut_next = None
            self.halves += 1
            self.unplug()
        elif self._send(line):
            self.through[-1] += [event.payload] if isinstance(event, framing.Frame) else []
        else:
            self.lost += record is not None

    def _send(self, line: bytes) -> bool:
        if self._host is None:
            return False
        try:
            self._host.sendall(line)
        except OSError:  # it was killed
            self.unplug()
            return False
        return True

    def _begin_run(self) -> None:
        if self.through[-1]:
            self.through.append([])

    def missing(self) -> int:
        """Return how many numbered records did not come through, up to the last that did."""
        return sum(_gaps([records.decode(payload) for payload in run]) for run in self.through)


def _gaps(run: list[Any]) -> int:
    numbers = {record.n for record in run if hasattr(record, "n")}
    return max(numbers, default=-1) + 1 - len(numbers)


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    require(load_board(BOARD))
    with (
        started(load_board(BOARD), elf(BOARD), busy_day(), fast=True) as emulator,
        closing(Cable(emulator, tmp_path / "port")) as made,
    ):
        yield made


@contextmanager
def monitor(cable: Cable, file: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Record what comes out of a cable, to its end; then Ctrl-C."""
    gone = said(file).count(GONE) - cable.unplugged
    with shown(file).open("ab") as out:
        command = [TORPOR, "monitor", "--json", "--record", str(file), f"d={cable.name}"]
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
    try:
        cable.plug()
        yield process
        cable.unplug()
        if process.poll() is None:
            assert eventually(lambda: said(file).count(GONE) >= gone + cable.unplugged)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


GONE = b'"type": "disconnected"'


def shown(file: Path) -> Path:
    """Return where the output of the monitor goes."""
    return file.with_suffix(".json")


def said(file: Path) -> bytes:
    return shown(file).read_bytes() if shown(file).is_file() else b""


def heard(file: Path, session: int = -1) -> tuple[list[bytes], Any]:
    """Return the records of a session, and the totals that the monitor makes of it."""
    with Recording(file) as recording:
        events = list(recording.events(recording.sessions()[session]))
    again = Monitor({"d": "port"})
    again.handle(events)
    received = [event.payload for event in events if isinstance(event, Received)]
    return received, again.snapshots()[0]["totals"]


def test_a_cable_that_is_cut_in_the_middle_of_records(cable: Cable, tmp_path: Path) -> None:
    file = tmp_path / "x.torpor"
    with monitor(cable, file):
        for kind in (records.Decision, records.Summary, records.Decision):
            cable.until_through(records.Decision, 2)
            cable.cut_in(kind)
            cable.until_lost(5)
            cable.plug()
        cable.until_through(records.Decision, 2)
    got, totals = heard(file)
    assert [got] == cable.through, "what came through, and nothing else"
    assert totals["lost_records"] == cable.missing() >= 3 * (1 + 5)
    assert totals["dropped_lines"] == cable.halves == 3
    assert totals["duplicates"] == totals["resets"] == 0


def test_a_device_that_restarts(cable: Cable, tmp_path: Path) -> None:
    """Its button is pressed, then its power fails, at any time: in the middle of a line or not."""
    file, ends = tmp_path / "x.torpor", (cable.emulator.reset, cable.emulator.power_cut)
    with monitor(cable, file):
        for end in ends:
            cable.until_through(records.Decision, 2)
            end()
            cable.until_through(records.Restarted, 1)
        cable.until_through(records.Decision, 2)
    got, totals = heard(file)
    assert got == [payload for run in cable.through for payload in run]
    assert len(cable.through) == 1 + len(ends)
    assert totals["resets"] == len(ends)
    assert totals["lost_records"] == cable.missing() == 0
    assert totals["dropped_lines"] <= len(ends)
    reasons = [r.kept for r in map(records.decode, got) if isinstance(r, records.Restarted)]
    assert reasons == [0, 1, 0]


def test_a_monitor_that_is_killed_and_another_one(cable: Cable, tmp_path: Path) -> None:
    file = tmp_path / "x.torpor"
    with monitor(cable, file) as process:
        cable.until_through(records.Decision, 3)
        process.kill()
        process.wait(30)
    first, lines = [*cable.through[0]], said(file).splitlines(keepends=True)
    cable.through = [[]]
    with monitor(cable, file):
        cable.until_through(records.Decision, 3)
    got, _ = heard(file, 0)
    assert got == first[: len(got)], "a beginning of what came through"
    whole = [json.loads(line) for line in lines if line.endswith(b"\n")]
    told = [item for item in whole if item["type"] in records.TYPES]
    assert 0 < len(told) <= len(got), "all that was shown is there"
    got, totals = heard(file, 1)
    assert [got] == cable.through
    assert (totals["duplicates"], totals["dropped_lines"]) == (0, 0)
