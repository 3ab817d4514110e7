# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device in Python: answers as the firmware does. For tests of whatever talks to one."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torpor.stats.store import Entry
from torpor.wire import framing, records
from torpor.wire.records import STATUS, Record

RESULT_BYTES = next(f.max for f in records.Result.spec.fields if f.name == "data")
SAMPLE_BYTES = next(f.max for f in records.Sample.spec.fields if f.name == "data")
OUTPUT_BYTES = next(f.max for f in records.Output.spec.fields if f.name == "data")
Model = Callable[[list[bytes]], list[bytes]]


@dataclass
class FakeDevice:
    """Takes bytes of the wire, gives bytes of the wire.

    Attributes:
        model: inputs to outputs, bytes each.
        input_sizes, output_sizes: bytes of every input and output.
        schema: what `hello` says about its records.
        plan_status: not 0: the model is refused, as infer_check would.
        engine, message: what `hello` says of them.
        fails: the engine fails in every inference.
        runs: how often the model was run.
        samples: stored inputs, by number.
        on_reset: called when the model's state must be as at the beginning.
    """

    model: Model
    input_sizes: Sequence[int]
    output_sizes: Sequence[int]
    schema: int = records.SCHEMA_HASH
    plan_status: int = 0
    engine: str = "torpor"
    message: str = ""
    fails: bool = False
    runs: int = 0
    on_reset: Callable[[], None] = lambda: None
    samples: Sequence[Entry] = ()
    dropped: int = 0
    frames: int = 0
    _decoder: framing.Decoder = field(default_factory=framing.Decoder)
    _last: Any = None
    _since_reset: int = 0

    def __post_init__(self) -> None:
        self._inputs = [bytearray(size) for size in self.input_sizes]
        self._outputs: list[bytes] | None = None

    def start(self) -> bytes:
        """Return what the device sends when it starts: a line of text and its `hello`."""
        return b"torpor fake\r\n" + self._line(self._hello(0))

    def feed(self, data: bytes) -> bytes:
        """Take bytes that arrive, return the bytes that go out."""
        return b"".join(self._answer(event) for event in self._decoder.feed(data))

    @staticmethod
    def _line(record: Record) -> bytes:
        return framing.encode_frame(records.encode(record))

    def _answer(self, event: framing.Event) -> bytes:
        if isinstance(event, framing.Dropped):
            self.dropped += 1
        if not isinstance(event, framing.Frame):
            return b""
        self.frames += 1
        record = records.decode(event.payload)
        if isinstance(record, records.Unknown):
            return b""
        handler = getattr(self, f"_on_{record.spec.kind}", None)
        return b"".join(map(self._line, handler(record))) if handler else b""

    def _hello(self, seq: int) -> Record:
        sizes = sum(self.input_sizes), sum(self.output_sizes)
        model = (
            ("", 0, self.plan_status, 0, 0, 0) if self.plan_status else ("fake", 0, 0, 0, *sizes)
        )
        engine = (self.engine, self.message)
        return records.Hello(seq, self.schema, "fake", *model, 1_000_000, *engine)  # type: ignore[no-any-return]

    def _on_ping(self, ping: Any) -> list[Record]:
        return [self._hello(ping.seq)]

    def _on_input(self, part: Any) -> list[Record]:
        end = part.offset + len(part.data)
        fits = part.index < len(self._inputs) and end <= len(self._inputs[part.index])
        status = "no_model" if self.plan_status else "ok" if fits else "bad_request"
        if status == "ok":
            self._inputs[part.index][part.offset : end] = part.data
            self._outputs = None
        return [records.Ack(part.seq, STATUS[status])]

    def _on_run(self, run: Any) -> list[Record]:
        key = (run.window, run.crc)
        if self._last is None or self._last[0] != key:
            result = self._run(run)
            is_run = result.data or result.status == STATUS["failed"]
            self._last = (key, result) if is_run else self._last
        else:
            result = replace(self._last[1], seq=run.seq)
        return [result, records.Counters(self.frames, self.dropped, 0)]

    def _run(self, run: Any) -> Any:
        if self.plan_status:
            return _refusal(run, "no_model")
        if zlib.crc32(b"".join(self._inputs)) != run.crc:
            return _refusal(run, "stale_input")
        self.runs += 1
        if self.fails:
            self._outputs = None
            return _refusal(run, "failed")
        self._since_reset += 1
        self._outputs = self.model([bytes(data) for data in self._inputs])
        for data in self._inputs:  # the arena is used for other things
            data[:] = bytes(len(data))
        first = self._outputs[0]
        best = max(range(len(first)), key=lambda i: (first[i] ^ 0x80, -i))
        return records.Result(
            run.seq, 0, run.window, best, 1000, self._since_reset, 100, first[:RESULT_BYTES]
        )

    def _on_reset(self, reset: Any) -> list[Record]:
        self.restart()
        return [records.Ack(reset.seq, STATUS["no_model" if self.plan_status else "ok"])]

    def restart(self) -> None:
        """Forget the last result, the outputs and the model's state."""
        self._last = self._outputs = None
        self._since_reset = 0
        self.on_reset()

    def _on_read(self, read: Any) -> list[Record]:
        """As the firmware: what there is from `offset` on, fewer bytes where the output ends."""
        outputs = self._outputs or []
        data = outputs[read.index] if read.index < len(outputs) else b""
        part = data[read.offset : read.offset + min(read.length, OUTPUT_BYTES)]
        good = read.index < len(outputs) and read.offset <= len(data)
        status = STATUS["ok" if good else "bad_request"]
        return [records.Output(read.seq, status, read.index, read.offset, part)]

    def _on_fetch(self, fetch: Any) -> list[Record]:
        """As firmware/app/wake/keep.c."""
        found = next((s for s in self.samples if s.number >= fetch.number), None)
        if found is None or fetch.offset > len(found.data):
            return [records.Sample(fetch.seq, 1, 0, 0, 0, 0, 0, 0, 0, 0, fetch.offset, b"")]
        about = (found.number, found.time, found.plan, found.why, found.best, found.score)
        data = found.data[fetch.offset : fetch.offset + SAMPLE_BYTES]
        size = len(found.data)
        return [records.Sample(fetch.seq, 0, *about, found.kind, size, fetch.offset, data)]


def _refusal(run: Any, status: str) -> Any:
    return records.Result(run.seq, STATUS[status], run.window, 0, 0, 0, 0, b"")


class FakeTransport:
    """A wire in memory to a `FakeDevice`; silence costs no time.

    Args:
        device: who is at the other end.
        noise: bytes that arrive before anything else.
    """

    def __init__(self, device: FakeDevice, noise: bytes = b"") -> None:
        self._device = device
        self._arrived = bytearray(noise)

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`; b"" at once where a real port would let time pass."""
        data = bytes(self._arrived)
        self._arrived.clear()
        return data

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        self._arrived += self._device.feed(data)

    def close(self) -> None:
        """See `Transport.close`."""
