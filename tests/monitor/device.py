# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A sleeping device in Python that keeps account of what it has said, and a wire to it.

`python -m tests.monitor.device PATH [SEED]` serves one at a pseudo terminal, to look at.
"""

import contextlib
import os
import random
import select
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.update_host.ports import End, SocketEnd, TerminalEnd
from torpor.wire import framing, records
from torpor.wire.records import Record

LABELS = ("still", "wave", "knock")
SPAN_MS = 60_000
PLAN = 0x1234


def leb128(number: int) -> bytes:
    """Return a number as the device packs counts."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + leb128(rest) if rest else bytes([low])


def packed(counts: Sequence[tuple[int, int]]) -> bytes:
    """Return counts per class as in `summary.counts`."""
    return b"".join(bytes([index]) + leb128(count) for index, count in counts)


def residency(*parts: int) -> bytes:
    """Return sleep, capture, stage 1, stage 2, serial, flash, replay as in `summary.residency`."""
    return b"".join(part.to_bytes(2, "big") for part in parts)


def hello(**fields: Any) -> Record:
    table = {
        "seq": 0,
        "schema": records.SCHEMA_HASH,
        "board": "mps2_an386",
        "model": "gestures",
        "plan_crc": PLAN,
        "plan_status": 0,
        "arena_bytes": 2048,
        "input_bytes": 384,
        "output_bytes": 3,
        "timer_hz": 1_000_000,
        "engine": "torpor",
        "message": "",
    }
    return records.Hello(**(table | fields))  # type: ignore[no-any-return]


def about(n: int = 0, **fields: Any) -> Record:
    table = {
        "sensor": "motion",
        "mode": "gated",
        "classes": len(LABELS),
        "interval": SPAN_MS // 1000,
        "rate": 100,
        "level": 0,
        "firmware": "1.2.0",
        "model": "1.0.0",
        "plan_crc": PLAN,
    }
    return records.About(n, **(table | fields))  # type: ignore[no-any-return]


def decision(n: int = 0, **fields: Any) -> Record:
    table = {
        "time": 0,
        "source": 0,
        "failure": 0,
        "best": 1,
        "score": 940,
        "latency": 12_300,
        "wake": 1,
    }
    return records.Decision(n, **(table | fields))  # type: ignore[no-any-return]


def summary(n: int = 0, **fields: Any) -> Record:
    table = {
        "time": SPAN_MS,
        "span": SPAN_MS,
        "counts": packed([(1, 9), (0, 3)]),
        "wakes": 4,
        "rejected": 1,
        "inferences": 12,
        "fallbacks": 0,
        "score_mean": 930,
        "score_low": 880,
        "latency_50": 12_000,
        "latency_95": 14_000,
        "residency": residency(9000, 400, 100, 400, 50, 0, 50),
        "drift": 40,
        "errors": 0,
        "lost": 0,
        "dropped": 0,
        "stack": 1812,
    }
    return records.Summary(n, **(table | fields))  # type: ignore[no-any-return]


def restarted(n: int = 0, **fields: Any) -> Record:
    names = ("kept", "reason", "exception", "pc", "lr", "cfsr", "resets", "watchdogs", "faults")
    table = dict.fromkeys((*names, "cause"), 0) | {"trace": b""} | fields
    return records.Restarted(n, **table)  # type: ignore[no-any-return]


def line(record: Record) -> bytes:
    """Return a record as it goes over the wire."""
    return framing.encode_frame(records.encode(record))


@dataclass
class Sleeper:
    """Makes what a device sends, and remembers it.

    Attributes:
        seed: of what happens to it.
        sent: payloads of all records, in order.
        runs: for each start the numbers and payloads of its numbered records.
    """

    seed: int

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._decoder = framing.Decoder()
        self.sent: list[bytes] = []
        self.runs: list[list[bytes]] = []
        self._time = 0
        self._wakes = 0
        self._resets = -1

    def _lines(self, *made: Record | Callable[[int], Record]) -> bytes:
        data = b""
        for item in made:
            record = item if isinstance(item, Record) else item(len(self.runs[-1]))
            payload = records.encode(record)
            self.sent.append(payload)
            if not isinstance(item, Record):
                self.runs[-1].append(payload)
            data += framing.encode_frame(payload)
        return data

    def start(self) -> bytes:
        """Switch it on, or reset it."""
        self.runs.append([])
        self._resets += 1
        self._time = 0
        return b"torpor wakes\r\n" + self._lines(hello(), *self._identity(), self._restarted)

    def _restarted(self, n: int) -> Record:
        resets = self._resets
        return restarted(n, kept=int(resets > 0), reason=18 if resets else 16, watchdogs=resets)

    @staticmethod
    def _identity() -> list[Callable[[int], Record]]:
        def label(index: int) -> Callable[[int], Record]:
            return lambda n: records.Label(n, index, LABELS[index])

        return [about, *map(label, range(len(LABELS)))]

    def work(self) -> bytes:
        """Let some time go by: answers, or a summary."""
        return self._summary() if self._random.random() < 0.2 else self._decision()

    def _decision(self) -> bytes:
        self._time += self._random.randrange(100, 9000)
        self._wakes += 1
        fields = {
            "time": self._time,
            "best": self._random.randrange(len(LABELS)),
            "score": self._random.randrange(850, 1000),
            "latency": self._random.randrange(11_000, 14_000),
            "wake": self._wakes,
        }
        return self._lines(lambda n: decision(n, **fields))

    def _summary(self) -> bytes:
        counts = [(index, self._random.randrange(1, 300)) for index in range(len(LABELS))]
        self._time = (self._time // SPAN_MS + 1) * SPAN_MS
        sleep = self._random.randrange(8000, 9500)
        fields = {
            "time": self._time,
            "counts": packed(counts),
            "inferences": sum(count for _, count in counts),
            "wakes": self._random.randrange(3, 9),
            "rejected": self._random.randrange(3),
            "score_mean": self._random.randrange(900, 960),
            "score_low": self._random.randrange(800, 880),
            "latency_95": self._random.randrange(13_000, 15_000),
            "drift": self._random.randrange(10, 60),
            "residency": residency(sleep, 10_000 - sleep, 0, 0, 0, 0, 0),
        }
        return self._lines(lambda n: summary(n, **fields))

    def feed(self, data: bytes) -> bytes:
        """Take bytes that arrive, return the answers; none while it is off."""
        if not self.runs:
            return b""
        return b"".join(self._answer(event) for event in self._decoder.feed(data))

    def _answer(self, event: framing.Event) -> bytes:
        record: Any = records.decode(event.payload) if isinstance(event, framing.Frame) else None
        if isinstance(record, records.Ping):
            return self._lines(hello(seq=record.seq))
        if isinstance(record, records.Ask) and record.what == 0:
            return self._lines(*self._identity(), records.Ack(record.seq, 0))
        return b""


class Wire:
    """Serves a device at a port, in a thread, until it is closed.

    Args:
        path: of the socket, or of the link to the terminal.
        device: takes bytes, gives answers.
        make: SocketEnd or TerminalEnd.
        damage: what happens to bytes on their way to the host.

    Attributes:
        name: what a program opens.
        heard: set when the host has sent something since it was connected.
    """

    def __init__(
        self,
        path: Path,
        device: Callable[[bytes], bytes],
        make: Callable[[Path], Any] = SocketEnd,
        damage: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        self.name = f"unix:{path}" if make is SocketEnd else str(path)
        self.heard = threading.Event()
        self._path, self._make, self._device, self._damage = path, make, device, damage
        self._lock = threading.RLock()
        self._wake, self._waker = os.pipe()
        self._end: End | None = make(path)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        """Let the device say something."""
        with self._lock:
            if self._end is not None:
                self._end.send(self._damage(data))

    def talk(self, say: Callable[[], bytes]) -> None:
        """Let the device say what `say` makes, unless the cable is out: then it is not asked."""
        with self._lock:
            if self._end is not None and self.heard.is_set():
                self._end.send(self._damage(say()))

    def unplug(self) -> None:
        """Pull the cable out."""
        with self._lock:
            self.heard.clear()
            if self._end is not None:
                self._end.close()
            self._end = None
        os.write(self._waker, b"x")

    def plug(self) -> None:
        """Put it in again."""
        with self._lock:
            self._end = self._make(self._path)
        os.write(self._waker, b"x")

    def _serve(self) -> None:
        while True:
            end = self._end
            with contextlib.suppress(OSError, ValueError):  # closed meanwhile
                ready, _, _ = select.select([self._wake, *([end.fileno()] if end else [])], [], [])
                if self._wake in ready and os.read(self._wake, 1) == b"q":
                    return
                if end and end.fileno() in ready:
                    self._receive(end)

    def _receive(self, end: End) -> None:
        with self._lock:
            if end is not self._end:
                return
            data = end.receive()
            answer = self._damage(self._device(data)) if data else b""
            if answer:
                end.send(answer)
        if data.strip():  # an empty line only wakes a device
            self.heard.set()

    def close(self) -> None:
        """End the thread, remove what was opened."""
        os.write(self._waker, b"q")
        self._thread.join()
        if self._end is not None:
            self._end.close()
        os.close(self._wake)
        os.close(self._waker)


def main() -> None:
    device = Sleeper(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    path = Path(sys.argv[1])
    path.unlink(missing_ok=True)  # left by one that was killed
    wire = Wire(path, device.feed, TerminalEnd)
    wire.send(device.start())
    with contextlib.closing(wire), contextlib.suppress(KeyboardInterrupt):
        while True:
            wire.send(device.work())
            threading.Event().wait(0.3)


if __name__ == "__main__":
    main()
