# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device for tests of the host: the real SMP server and update code on simulated flash; an
application in Python that says when what runs on trial confirms itself or how it ends.

Time passes when the device is asked for its state.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smp import packet

from tests.mgmt.device import Device, copy_plan
from tests.support import images
from tests.update.device import FIRMWARE, MODEL, NONE, A, Geometry, reason
from torpor.update.journal import decode
from torpor.update.transport import Assembler
from torpor.wire import framing, records

STATE = (0, 64, 0)  # operation, group, command
PLACES = {"fault": (0x1234, 0x5678), "watchdog": (0x4321, 0)}  # PC and LR where runs end
GEOMETRY = Geometry(erase=4096, write=4, firmware=0x14000, model=0x4000, base=0x21000000)


@dataclass
class Toy:
    """Takes bytes of the wire, gives bytes of the wire.

    Attributes:
        device: flash, journal, decisions and answers.
        outcomes: version -> name of the reason with which a trial of it ends; "hang": it does not;
            others confirm.
        patience: questions for its state that a trial of firmware lasts.
        chatty: sends text and a record before every answer.
        deaf: messages that it does not hear from now on, as while it starts.
        hears: asked with (operation, group, command) of each message: False, and it is lost.
        starts: how often it has started.
    """

    device: Device
    outcomes: dict[str, str] = field(default_factory=dict)
    patience: int = 1
    chatty: bool = False
    deaf: int = 0
    hears: Callable[[tuple[int, int, int]], bool] = lambda _message: True
    starts: int = 0

    def __post_init__(self) -> None:
        self.start("power")

    # ---- power and resets

    def start(self, end: str) -> bytes:
        """Start after the last run has ended so; return what the device prints."""
        self.starts += 1
        pc, lr = PLACES.get(end, (0, 0))
        self._decoder, self._assembler = framing.Decoder(), Assembler()
        self._left = self.patience
        self.device.restart()
        self.device.choose(FIRMWARE, end, pc, lr)
        said = f"torpor on toy starts, after {end}\r\n".encode()
        return said + self._open_model(end)

    def power_cut(self) -> bytes:
        """Lose all that is not in flash; start again."""
        return self.start("power")

    def _open_model(self, end: str) -> bytes:
        """Open the model; one on trial may end the run."""
        trial = self.version_on_trial(MODEL)
        outcome = self.outcomes.get(trial, "ok") if trial else "ok"
        if outcome == "ok":
            self.device.open_model(end)
            return b""
        pc, lr = PLACES.get(end, (0, 0))
        self.device.choose(MODEL, end, pc, lr)
        return self.start(outcome) if self.is_trial_running(MODEL) else b""

    def running(self, component: int) -> int:
        """Return the slot that runs."""
        return int(self.device.update.running[component])

    def is_trial_running(self, component: int) -> bool:
        """True if what runs has to be confirmed."""
        trial = self.device.state(component).trial
        return bool(trial != NONE and trial == self.running(component))

    def version_on_trial(self, component: int) -> str:
        """Return the version that is on trial, or ""."""
        state = self.device.state(component)
        version = state.trial_version
        known = f"{version.major}.{version.minor}.{version.revision}"
        return "" if state.trial == NONE else known

    def _pass_time(self) -> bytes:
        if not self.is_trial_running(FIRMWARE):
            return b""
        self._left -= 1
        end = self.outcomes.get(self.version_on_trial(FIRMWARE), "ok")
        if self._left >= 0 or end == "hang":
            return b""
        if end == "ok":
            assert self.device.confirm() == "ok"
            return b""
        if end == "self_test":
            self.device.lib.update_reject(self.device.update, FIRMWARE, (reason(end), 0, 0))
            end = "reset"
        return self.start(end)

    # ---- the wire

    def feed(self, data: bytes) -> bytes:
        """Take bytes that arrive, return the bytes that go out."""
        events = self._decoder.feed(data)
        lines = [event.line for event in events if isinstance(event, framing.Smp)]
        messages = [self._assembler.feed(line) for line in lines]
        return b"".join(self._handle(message) for message in messages if message)

    def _handle(self, message: bytes) -> bytes:
        what = message[0] & 7, int.from_bytes(message[4:6], "big"), message[7]
        if self.deaf or not self.hears(what):
            self.deaf = max(self.deaf - 1, 0)
            return b""
        after = self._pass_time() if what == STATE else b""
        smp = self.device.smp
        answer = self.device.handle(message)
        out = after + self._chatter() + b"".join(packet.encode(answer, 128))
        if smp.restart:
            return out + self.start("restart" if self.is_trial_running(FIRMWARE) else "reset")
        if smp.model_turns:
            smp.model_turns = False
            return out + self._open_model("ok")
        return out

    def _chatter(self) -> bytes:
        if not self.chatty:
            return b""
        record = framing.encode_frame(records.encode(records.Counters(1, 2, 3)))
        return b"a line of text with \x06 and \x04 in it\r\n" + record

    # ---- for tests

    def kinds(self) -> list[str]:
        """Return what has happened since the installation, in words."""
        update, ffi, lib = self.device.update, self.device.ffi, self.device.lib
        journal, record = ffi.addressof(update, "journal"), ffi.new("journal_record_t *")
        found = []
        for number in range(lib.journal_oldest_event(journal), lib.journal_next_event(journal)):
            assert lib.journal_event(journal, number, record)
            event = decode(number, bytes(ffi.buffer(record)))
            found.append(f"{event.kind} {event.reason.name}" if event.reason.number else event.kind)
        return found[len(INSTALLED) :]

    def firmware(self, slot: int, version: str, payload: bytes = b"", **fields: Any) -> bytes:
        """Return a firmware image for a slot."""
        numbers = _numbers(version)
        return self.device.firmware(slot, payload or b"code" * 100, version=numbers, **fields)

    @staticmethod
    def model(version: str, payload: bytes | None = None, **fields: Any) -> bytes:
        """Return a model image."""
        plan = copy_plan(8) if payload is None else payload
        return images.model(plan, version=_numbers(version), **fields)


INSTALLED = ("armed empty", "attempt", "confirmed")


def _numbers(version: str) -> tuple[int, ...]:
    return (*(int(word) for word in version.split(".")), 0)


def toy(opened: tuple[Any, Any], **fields: Any) -> Toy:
    """Return a device that runs firmware 1.0.0, confirmed, in slot A."""
    device = Device(opened, GEOMETRY)
    made = Toy(device, **fields)
    device.load(A, made.firmware(A, "1.0.0"))
    made.power_cut()
    assert device.confirm() == "ok"
    return made
