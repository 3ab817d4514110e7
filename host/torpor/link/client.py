# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The host's end of the conversation with a device: hello, inference, and patience.

Every request carries a sequence number and is sent again, unchanged, until its answer comes or
the tries are used up. The device answers a repeated request as it answered the first one, so a
lost request, a lost answer and a late answer all end in the same place. Answers to other sequence
numbers are left-overs and are passed over. A client begins at a random number, so a device that
still remembers an earlier client cannot mistake a new request for an old one.

A model may keep state from one inference to the next. The device runs a window once, however often
it is asked to, and counts its runs, so that a sequence that began with `reset` is either whole or
ends in an error.
"""

import itertools
import secrets
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torpor.errors import DeviceError
from torpor.link.transport import Transport
from torpor.plan import status
from torpor.wire import framing, records
from torpor.wire.records import STATUS, Record, Unknown

CHUNK = next(f.max for f in records.Input.spec.fields if f.name == "data")
PATIENT_AFTER = 3  # tries of a `run` before the waiting times grow
_HELLO_ID = records.Hello.spec.id


@dataclass(frozen=True)
class Inference:
    """What the device made of one window.

    Attributes:
        status: number of records.toml's [status]; 0 here, others are raised.
        best: index of the largest code of output 0.
        ticks: of the device's timer, spent in the inference.
        runs: inferences since the model's state was reset, this one included.
        stack: most bytes of stack ever used, by painting; 0 where it is not measured.
        outputs: the bytes of every output.
    """

    status: int
    best: int
    ticks: int
    runs: int
    stack: int
    outputs: list[bytes]


@dataclass
class LinkCounters:
    """What has come in and gone out since the client was made."""

    frames: int = 0
    unknown: int = 0  # frames that are no record of ours
    dropped: int = 0
    text: int = 0
    smp: int = 0
    sent: int = 0
    resent: int = 0
    device: Any = None  # the last `counters` record of the device


@dataclass
class _Seen:
    """What arrived since a request was first sent, for the error message."""

    text: str = ""
    garbage: bytes = b""
    record: Record | None = None

    def note(self, event: framing.Event) -> None:
        if isinstance(event, framing.Text) and str(event).isprintable():
            self.text = str(event)
        elif isinstance(event, framing.Text | framing.Dropped):
            self.garbage = event.line

    def explain(self) -> tuple[str, str]:
        if self.record is not None:
            return (
                f"it sent only {self.record.spec.kind} records that answer something else",
                "is another program using the same port?",
            )
        if self.text:
            return (
                f"it sent only text, at last: {self.text[:120]}",
                "is this firmware built by torpor, and did it start without an error?",
            )
        if self.garbage:
            return (
                f"it sent only garbage, at last: {self.garbage[:40]!r}",
                "check the baud rate and the wiring",
            )
        return "it sent nothing at all", "check the port, and that the firmware is running"


@dataclass
class _Inbox:
    decoder: framing.Decoder = field(default_factory=framing.Decoder)
    waiting: deque[framing.Event] = field(default_factory=deque)


class DeviceClient:
    """Speaks to one device.

    Args:
        transport: where it is.
        timeout: seconds until a request is sent again.
        tries: how often a request is sent at most.
        run_timeout: seconds that an inference may take; the request is repeated meanwhile, at
            growing intervals.
        on_text: called with every line of text that the device prints.
        load: a faster way than the transport to put the bytes of every input where the model reads
            them, such as a debug probe; None: there is none.
        first_seq: sequence number before the first request; random if None.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float = 1.0,
        tries: int = 8,
        run_timeout: float = 60.0,
        on_text: Callable[[str], None] | None = None,
        load: Callable[[Sequence[bytes]], None] | None = None,
        first_seq: int | None = None,
    ) -> None:
        self.counters = LinkCounters()
        self._transport = transport
        self._timeout = timeout
        self._tries = tries
        self._run_timeout = run_timeout
        self._on_text = on_text or (lambda _line: None)
        self._load = load
        self._seq = secrets.randbelow(2**31) if first_seq is None else first_seq
        self._inbox = _Inbox()
        self._hello: Any = None
        self._runs: int | None = None  # since reset(); None before it: nobody counts

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    # ---- what a user asks for

    def hello(self) -> Any:
        """Ask the device who it is and return its `hello` record.

        Raises:
            DeviceError: no answer, or the device was built from other records.
        """
        self._hello = self.request(records.Ping(self._next_seq()), "hello")
        return self._hello

    def expect_plan(self, plan: bytes) -> None:
        """Make sure that the device embeds `plan`.

        Raises:
            DeviceError: it embeds another one, or does not answer.
        """
        if (self._hello or self.hello()).plan_crc != zlib.crc32(plan):
            raise DeviceError(
                "the firmware embeds another plan than the one beside it", "build it again"
            )

    def reset(self) -> None:
        """Put the model's state back to its initial values, and count inferences from here on.

        Raises:
            DeviceError: no answer, or a refused model.
        """
        self._accepted()
        self._expect_ok(self.request(records.Reset(self._next_seq()), "ack"))
        self._runs = 0

    def infer(self, window: int, inputs: Sequence[bytes]) -> Inference:
        """Run the model once.

        Args:
            window: a number of the caller's, 0 to 2^32 - 1, another one for each inference: the
                device answers the same window and inputs again from its last result.
            inputs: the bytes of every input, in the model's order.

        Raises:
            DeviceError: no answer, a refused model, inputs of the wrong size, an engine that
                failed, or a state that got lost since reset().
        """
        hello = self._accepted()
        total = sum(len(data) for data in inputs)
        if total != hello.input_bytes:
            raise DeviceError(
                f"model '{hello.model}' takes {hello.input_bytes} input bytes, not {total}",
                "are the inputs those of the model that the firmware was built with?",
            )
        for _ in range(self._tries):
            inference = self._infer_once(window, inputs)
            if inference is not None:
                return inference
        raise DeviceError(
            f"the device lost its inputs or outputs {self._tries} times in a row",
            "does it restart again and again? look at what it prints",
        )

    def fetch(self, number: int, offset: int = 0) -> Any:
        """Ask for a stored input; return the `sample` record, of status 1 if there is none.

        Args:
            number: the one with the lowest number that is at least this.
            offset: of its bytes, from where on.

        Raises:
            DeviceError: no answer, or the device was built from other records.
        """
        return self.request(records.Fetch(self._next_seq(), number, offset), "sample")

    def request(self, request: Any, answer: str) -> Any:
        """Send a record that has a `seq` and return the record of kind `answer` with that seq.

        Raises:
            DeviceError: no answer, or the device was built from other records.
        """
        waits = self._growing() if answer == "result" else self._steady()
        return self._exchange(request, answer, waits)

    def poll(self, timeout: float) -> None:
        """Let text lines and left-overs in for up to `timeout` seconds of silence."""
        while data := self._transport.read(timeout):
            self._inbox.waiting.extend(self._inbox.decoder.feed(data))
            while self._inbox.waiting:
                self._count(self._inbox.waiting.popleft())

    # ---- one inference

    def _accepted(self) -> Any:
        """Return the hello of a device that has not refused its model."""
        hello = self._hello or self.hello()
        if hello.plan_status:
            raise _refused_plan(hello)
        return hello

    def _infer_once(self, window: int, inputs: Sequence[bytes]) -> Inference | None:
        """Return None if the device lost the inputs or the outputs on the way."""
        self._write_inputs(inputs)
        crc = zlib.crc32(b"".join(inputs))
        result = self.request(records.Run(self._next_seq(), window, crc), "result")
        if result.status == STATUS["stale_input"]:
            return None
        self._expect_ok(result)
        if result.window != window:
            raise DeviceError(f"the device answered window {result.window}, not {window}")
        self._check_runs(result.runs)
        outputs = self._read_outputs(result.data)
        if outputs is None:
            return None
        self._runs = None if self._runs is None else result.runs
        return Inference(
            result.status, result.best, result.ticks, result.runs, result.stack, outputs
        )

    def _check_runs(self, runs: int) -> None:
        if self._runs is not None and runs != self._runs + 1:
            raise DeviceError(
                f"the model's state was lost: the device has run {runs} windows since it was "
                f"reset, not {self._runs + 1}",
                "did it restart, or is another program using it? begin again with a reset",
            )

    def _write_inputs(self, inputs: Sequence[bytes]) -> None:
        """Bring the inputs to the device.

        Where they are loaded, an empty `input` announces them: once the device has answered it, it
        has done with everything before, and with the outputs.
        """
        if self._load:
            self._write_input(0, 0, b"")
            self._load(inputs)
            return
        for index, data in enumerate(inputs):
            for offset in range(0, len(data), CHUNK):
                self._write_input(index, offset, data[offset : offset + CHUNK])

    def _write_input(self, index: int, offset: int, data: bytes) -> None:
        request = records.Input(self._next_seq(), index, offset, data)
        self._expect_ok(self.request(request, "ack"))

    def _read_outputs(self, first: bytes) -> list[bytes] | None:
        """Complete the outputs, of which `result` brought the first bytes of output 0.

        `hello` tells only the sum of all sizes; an output ends where fewer bytes come than were
        asked for. None: the device has no outputs (any more), the inputs must be sent again.
        """
        left = self._hello.output_bytes - len(first)
        outputs = [bytearray(first)]
        while left > 0:
            data = self._read_output(len(outputs) - 1, len(outputs[-1]), CHUNK)
            if data is None or not (data or outputs[-1]):
                return None
            outputs[-1] += data
            left -= len(data)
            if left > 0 and len(data) < CHUNK:
                outputs.append(bytearray())
        if left < 0:
            raise DeviceError(f"the device sent {-left} more output bytes than it said in hello")
        return [bytes(data) for data in outputs]

    def _read_output(self, index: int, offset: int, length: int) -> bytes | None:
        """Read at most `length` bytes, b"" at the end; None if the device has no such output."""
        request = records.Read(self._next_seq(), index, offset, length)
        answer = self.request(request, "output")
        if answer.status == STATUS["bad_request"]:
            return None
        self._expect_ok(answer)
        return _output_data(answer, request)

    def _expect_ok(self, answer: Any) -> None:
        if answer.status == STATUS["no_model"]:
            raise _refused_plan(self.hello())
        if answer.status == STATUS["failed"]:
            raise _failed_inference(self.hello())
        if answer.status != STATUS["ok"]:
            name = records.status_name(answer.status)
            raise DeviceError(
                f"the device refused a request ({name})",
                "are the inputs those of the model that the firmware was built with?",
            )

    # ---- requests and answers

    def _next_seq(self) -> int:
        self._seq = self._seq % (2**32 - 1) + 1  # never 0: that is the hello at start
        return self._seq

    def _steady(self) -> Iterator[float]:
        return iter([self._timeout] * self._tries)

    def _growing(self) -> Iterator[float]:
        """Yield waiting times that double after the first ones, up to `run_timeout` in all.

        A long inference is thus not buried in requests, and a short one is not kept waiting.
        """
        wait, waited = self._timeout, 0.0
        for attempt in itertools.count():
            if attempt >= self._tries and waited >= self._run_timeout:
                return
            yield wait
            waited += wait
            if attempt >= PATIENT_AFTER:
                wait = min(2 * wait, self._run_timeout)

    def _exchange(self, request: Any, answer: str, waits: Iterable[float]) -> Any:
        line = framing.encode_frame(records.encode(request))
        seen = _Seen()
        tries, total = 0, 0.0
        for wait in waits:
            self._transport.write(line)
            self.counters.sent += 1
            self.counters.resent += tries > 0
            found = self._await(answer, request.seq, wait, seen)
            if found is not None:
                return found
            tries, total = tries + 1, total + wait
        what, hint = seen.explain()
        kind = request.spec.kind
        raise DeviceError(f"no answer to {kind} in {tries} tries, {total:g} s: {what}", hint)

    def _await(self, answer: str, seq: int, wait: float, seen: _Seen) -> Any:
        """Return the record `answer` with that seq, or None after `wait` seconds."""
        for record in self._incoming(time.monotonic() + wait, seen):
            check_schema(record)
            if isinstance(record, Unknown):
                continue
            if record.spec.kind == answer and getattr(record, "seq", None) == seq:
                return record
            seen.record = record
        return None

    def _incoming(self, deadline: float, seen: _Seen) -> Iterator[Record | Unknown]:
        """Yield records as they arrive, until the deadline or until the transport is silent."""
        while True:
            while self._inbox.waiting:
                event = self._inbox.waiting.popleft()
                seen.note(event)
                record = self._count(event)
                if record is not None:
                    yield record
            left = deadline - time.monotonic()
            data = self._transport.read(left) if left > 0 else b""
            if not data:
                return
            self._inbox.waiting.extend(self._inbox.decoder.feed(data))

    def _count(self, event: framing.Event) -> Record | Unknown | None:
        """Book an event; return its record if it is a frame."""
        if isinstance(event, framing.Text):
            self.counters.text += 1
            self._on_text(str(event))
        elif isinstance(event, framing.Dropped):
            self.counters.dropped += 1
        elif isinstance(event, framing.Smp):
            self.counters.smp += 1
        else:
            return self._count_frame(event)
        return None

    def _count_frame(self, frame: framing.Frame) -> Record | Unknown:
        record = records.decode(frame.payload)
        self.counters.frames += 1
        if isinstance(record, Unknown):
            self.counters.unknown += 1
        elif isinstance(record, records.Counters):
            self.counters.device = record
        return record


def check_schema(record: Record | Unknown) -> None:
    """Raise DeviceError if this is a `hello` of a device that was built from other records.

    Id, seq and schema stay the first three numbers of every `hello`, whatever else changes.
    """
    theirs: object = None
    if isinstance(record, Unknown):
        if len(record.items) > 2 and record.items[0] == _HELLO_ID:
            theirs = record.items[2]
    elif isinstance(record, records.Hello):
        theirs = record.schema
    if isinstance(theirs, int) and theirs != records.SCHEMA_HASH:
        raise DeviceError(
            f"the device speaks records {theirs:08x}, this torpor {records.SCHEMA_HASH:08x}",
            "build and load the firmware again with this torpor, or use the torpor it came from",
        )


def _output_data(answer: Any, request: Any) -> bytes:
    same = (answer.index, answer.offset) == (request.index, request.offset)
    if not same or len(answer.data) > request.length:
        raise DeviceError(f"the device sent other bytes of output {request.index} than asked for")
    return bytes(answer.data)


def _refused_plan(hello: Any) -> DeviceError:
    why = status.words(hello.plan_status, hello.engine, hello.message)
    return DeviceError(f"the device refused its model: {why}", status.hint(hello.plan_status))


def _failed_inference(hello: Any) -> DeviceError:
    number = status.NUMBERS["engine"]
    why = status.words(number, hello.engine, hello.message)
    return DeviceError(f"the inference failed on the device: {why}", status.hint(number))
