# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A bad line and a device that restarts: nothing wrong is recorded, and the counters say what is
missing. The line knows what it has done to each record."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.device import Sleeper
from torpor.monitor.alerts import Limits
from torpor.monitor.collect import Reader
from torpor.monitor.events import Received
from torpor.monitor.record import Recorder, Recording
from torpor.monitor.watch import Monitor
from torpor.wire import framing, records

RUNS, STEPS = 4, 60
KINDS = ("flip", "cut", "drop", "tear", "double", "noise")
SEEDS = range(20)


def lines_of(data: bytes) -> Iterator[bytes]:
    yield from data.splitlines(keepends=True)


def payload_of(line: bytes) -> bytes | None:
    (event,) = framing.Decoder().feed(line)
    return event.payload if isinstance(event, framing.Frame) else None


@dataclass
class BadLine:
    """Damages some lines, and keeps account of it.

    Attributes:
        rate: share of the lines that are damaged.
        passed: payloads of the records that came through, in order, doubled ones twice.
        numbers: for each run of the device the numbers that came through.
        doubled: numbered records that came through twice.
        broken: frames that were changed, cut or torn.
    """

    seed: int
    rate: float
    passed: list[bytes] = field(default_factory=list)
    numbers: list[set[int]] = field(default_factory=list)
    doubled: int = 0
    broken: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def carry(self, data: bytes) -> bytes:
        """Return what comes out at the other end of some lines of one run."""
        return b"".join(self._line(line) for line in lines_of(data))

    def _line(self, line: bytes) -> bytes:
        payload = payload_of(line)
        if payload is None:
            return line
        kind = self._random.choice(KINDS) if self._random.random() < self.rate else ""
        copies = {"": 1, "noise": 1, "double": 2}.get(kind, 0)
        self._note(payload, copies, lost=kind in ("flip", "cut", "tear"))
        return bytes(getattr(self, f"_{kind or 'keep'}")(line))

    def _note(self, payload: bytes, copies: int, *, lost: bool) -> None:
        record: Any = records.decode(payload)
        numbered = hasattr(record, "n")
        self.passed += [payload] * copies
        self.doubled += numbered and copies == 2
        self.broken += lost
        if numbered and copies:
            self.numbers[-1].add(record.n)

    @staticmethod
    def _keep(line: bytes) -> bytes:
        return line

    def _double(self, line: bytes) -> bytes:
        return line * 2

    @staticmethod
    def _drop(_line: bytes) -> bytes:
        return b""

    def _noise(self, line: bytes) -> bytes:
        """Let bytes come before it, of which none begins a frame."""
        return bytes(self._random.randrange(0x20, 0x7F) for _ in range(9)) + line

    def _flip(self, line: bytes) -> bytes:
        """Change a byte behind the marker, into another digit or anything else."""
        position = self._random.randrange(2, len(line) - 1)
        change = self._random.randrange(1, 0x80)
        return line[:position] + bytes([line[position] ^ change]) + line[position + 1 :]

    def _cut(self, line: bytes) -> bytes:
        """Lose its end, the line feed too: the next line begins in the middle of this one."""
        return line[: self._random.randrange(3, len(line) - 2)]

    def _tear(self, line: bytes) -> bytes:
        """Lose bytes in its middle."""
        begin = self._random.randrange(3, len(line) - 5)
        return line[:begin] + line[begin + self._random.randrange(1, 4) :]


def through(seed: int, rate: float) -> tuple[Sleeper, BadLine, bytes]:
    """Return a device with some runs, the line that it was heard over, and what came out of it."""
    device, line, heard = Sleeper(seed), BadLine(seed + 1000, rate), b""
    for _ in range(RUNS):
        line.numbers.append(set())
        heard += line.carry(device.start())
        for _ in range(STEPS):
            heard += line.carry(device.work())
    return device, line, heard


def pieces(data: bytes, seed: int) -> Iterator[bytes]:
    """Cut bytes as a port hands them out."""
    source, position = random.Random(seed), 0
    while position < len(data):
        size = source.randrange(1, 200)
        yield data[position : position + size]
        position += size


def follow(heard: bytes, seed: int, path: Path) -> Any:
    """Record what was heard; return the last snapshot."""
    reader = Reader("d", lambda: 1_800_000_000.0)
    with Recorder(path, 0.0, Limits(), {"d": "port"}) as recorder:
        monitor = Monitor({"d": "port"}, recorder=recorder)
        for piece in pieces(heard, seed):
            monitor.handle(list(reader.feed(piece)))
        return monitor.snapshots()[0]


def recorded(path: Path) -> list[bytes]:
    with Recording(path) as recording:
        (session,) = recording.sessions()
        return [e.payload for e in recording.events(session) if isinstance(e, Received)]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_recorded_record_is_one_that_was_sent_and_came_through(
    seed: int, tmp_path: Path
) -> None:
    device, line, heard = through(seed, 0.3)
    follow(heard, seed, tmp_path / "x")
    assert recorded(tmp_path / "x") == line.passed
    assert set(line.passed) <= set(device.sent)
    assert line.broken > 20, "there was something to get wrong"


@pytest.mark.parametrize("seed", SEEDS)
def test_counters_say_what_was_lost(seed: int, tmp_path: Path) -> None:
    _, line, heard = through(seed, 0.3)
    totals = follow(heard, seed, tmp_path / "x")["totals"]
    assert totals["resets"] == RUNS - 1
    assert totals["duplicates"] == line.doubled
    assert totals["dropped_lines"] >= line.broken * 0.9, "a marker in a flipped byte makes text"
    missing = sum(max(run) + 1 - len(run) for run in line.numbers)
    first = records.decode(line.passed[0])
    if not isinstance(first, records.Hello):  # then nobody knows what came before
        missing -= min(line.numbers[0])
    assert totals["lost_records"] == missing > 0


@pytest.mark.parametrize("seed", range(5))
def test_on_a_good_line_nothing_is_lost(seed: int, tmp_path: Path) -> None:
    device, line, heard = through(seed, 0.0)
    totals = follow(heard, seed, tmp_path / "x")["totals"]
    assert recorded(tmp_path / "x") == device.sent == line.passed
    names = ("lost_records", "duplicates", "dropped_lines")
    assert [totals[name] for name in names] == [0, 0, 0]
    assert totals["watchdogs"] == RUNS - 1


def test_sums_are_those_of_what_came_through(tmp_path: Path) -> None:
    _, line, heard = through(7, 0.3)
    totals = follow(heard, 7, tmp_path / "x")["totals"]
    unique = dict.fromkeys(zip(line.passed, run_numbers(line), strict=True))
    made: list[Any] = [records.decode(payload) for payload, _ in unique]
    summaries = [record for record in made if isinstance(record, records.Summary)]
    assert totals["inferences"] == sum(record.inferences for record in summaries) > 0
    decisions = [record for record in made if isinstance(record, records.Decision)]
    assert totals["decisions"] == len(decisions) > 0


def run_numbers(line: BadLine) -> list[int]:
    """Return for each record that came through which run it belongs to: numbers go back at a
    start, and a doubled one is the same."""
    run, last, found = 0, -1, []
    for payload in line.passed:
        number = getattr(records.decode(payload), "n", None)
        if number is not None:
            run += number < last
            last = number
        found.append(run)
    return found
