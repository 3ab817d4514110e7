# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Asks an emulated device over SMP, in one thread with the cuts that wait for it.

Not `torpor.update`: a test of cuts wants to know at once that the device has restarted, and a
client wants to ask again.
"""

import hashlib
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2
from smp import packet

from torpor.emulate import Emulator
from torpor.update.transport import LINE_LENGTH, Assembler, answers
from torpor.wire import framing

READ, WRITE = 0, 2
OS, IMAGE, SLOTS = 0, 1, 64
PATIENCE_S = 60.0
AGAIN_S = 2.0  # until a request is sent again that came while the device started
SLICE_S = 0.05
PART_BYTES = 900  # of an image, in a message of 1024


class Refused(Exception):
    """The device does not do it; the number is of its group."""


class Interrupted(Exception):
    """Power was cut while an answer was waited for."""


@dataclass
class Smp:
    """A client.

    Attributes:
        interrupted: asked while an answer is waited for; true ends that.
        said: the lines of text that the device has printed.
        requests: how many were sent, those that were sent again too.
        now: the time in seconds that patience is measured in.
    """

    emulator: Emulator
    interrupted: Callable[[], bool] = lambda: False
    said: list[str] = field(default_factory=list)
    requests: int = 0
    now: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._sequence = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew with what is received: the device restarts, in the middle of a line or not."""
        self._decoder, self._assembler = framing.Decoder(), Assembler()
        self.said.clear()

    def ask(self, operation: int, group: int, command: int, **body: Any) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            Refused: it was refused.
            Interrupted: see `interrupted`.
        """
        self._sequence = (self._sequence + 1) % 256
        content = cbor2.dumps(body)
        head = (8 | operation, 0, len(content), group, self._sequence, command)  # 8: version 2
        request = struct.pack("!BBHHBB", *head) + content
        deadline = self.now() + PATIENCE_S
        while self.now() < deadline:
            self.send(b"".join(packet.encode(request, LINE_LENGTH)))
            self.requests += 1
            if (answer := self._await(request, min(deadline, self.now() + AGAIN_S))) is None:
                continue
            found: dict[str, Any] = cbor2.loads(answer[8:])
            if "err" in found or found.get("rc"):
                raise Refused(found)
            return found
        raise AssertionError(f"no answer to {body}, it said {self.said[-5:]}")

    def _await(self, request: bytes, deadline: float) -> bytes | None:
        """Return the answer, or None if it does not come in time."""
        while (left := deadline - self.now()) > 0:
            for message in self._messages(min(left, SLICE_S)):
                if answers(message, request):
                    return message
        return None

    def _messages(self, timeout: float) -> list[bytes]:
        """Return what has arrived; everything else is heard."""
        found = []
        data = self.receive(timeout)  # first: meanwhile may be forgotten what was before
        for event in self._decoder.feed(data):
            if not isinstance(event, framing.Smp):
                self.hear(event)
            elif message := self._assembler.feed(event.line):
                found.append(message)
        if self.interrupted():
            raise Interrupted
        return found

    def send(self, data: bytes) -> None:
        """Send the bytes of a request."""
        self.emulator.transport.write(data)

    def receive(self, timeout: float) -> bytes:
        """Return the bytes that have arrived, or none in that many seconds."""
        return self.emulator.transport.read(timeout)

    def hear(self, event: framing.Event) -> None:
        """Take what is no message: lines of text are noted."""
        if isinstance(event, framing.Text):
            self.said.append(str(event))

    def listen(self, words: str) -> None:
        """Wait until the device prints a line that begins so."""
        deadline = self.now() + PATIENCE_S
        while not any(line.startswith(words) for line in self.said):
            assert self.now() < deadline, self.said[-5:]
            self._messages(SLICE_S)

    def take(self, timeout: float) -> None:
        """Hear what arrives; messages are passed over."""
        self._messages(min(timeout, SLICE_S))

    def status(self) -> dict[str, Any]:
        return self.ask(READ, SLOTS, 0)

    def history(self, start: int = 0) -> list[bytes]:
        """Return the records of all events from number `start` on that are still there."""
        found: list[bytes] = []
        while True:
            page = self.ask(READ, SLOTS, 1, **{"from": start})
            found += page["events"]
            start = max(start, page["oldest"]) + len(page["events"])
            if start >= page["next"]:
                return found

    def next_event(self) -> int:
        """Return the number of the event that is to be next."""
        return int(self.ask(READ, SLOTS, 1, **{"from": 2**32 - 1})["next"])

    def upload(self, slot: int, data: bytes) -> None:
        """Send a file, from where the device has it on."""
        sha, offset = hashlib.sha256(data).digest(), 0
        while offset < len(data):
            first = {"image": slot, "len": len(data), "sha": sha} if offset == 0 else {}
            part = data[offset : offset + PART_BYTES]
            offset = self.ask(WRITE, IMAGE, 1, off=offset, data=part, **first)["off"]

    def arm(self, image_hash: bytes) -> None:
        """Put an image on trial."""
        self.ask(WRITE, IMAGE, 0, hash=image_hash, confirm=False)

    def erase(self, slot: int) -> None:
        self.ask(WRITE, IMAGE, 5, slot=slot)

    def end_trial(self, component: int, reason: int) -> None:
        self.ask(WRITE, SLOTS, 2, component=component, reason=reason)

    def reset(self) -> None:
        """Let the device restart, and wait until its application is there."""
        self.said.clear()  # before: its first line may come together with the answer
        self.ask(WRITE, OS, 5)
        self.listen("torpor on")
