# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device for tests of the host: SMP in Python, behind it the real update code on simulated flash.

Time passes when it is asked for its state: that is when what runs on trial confirms itself, or
ends as `outcomes` says.
"""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2
from smp import packet
from smp.header import Header
from smp.image_management import IMG_MGMT_ERR

from tests.support import images
from tests.update.device import FIRMWARE, MODEL, NONE, Device, Geometry, reason
from torpor.image.reasons import REASONS
from torpor.update.journal import ATTEMPTS, decode
from torpor.update.transport import Assembler
from torpor.wire import framing, records

READ, WRITE = 0, 2
OS, IMAGE, OURS = 0, 1, 64
PAGE = 5  # events in an answer
PLACES = {"fault": (0x1234, 0x5678), "watchdog": (0x4321, 0)}  # PC and LR where runs end
GEOMETRY = Geometry(erase=4096, write=4, firmware=0x14000, model=0x4000, base=0x21000000)
_ERRORS = {
    "empty": IMG_MGMT_ERR.NO_IMAGE,
    "size": IMG_MGMT_ERR.INVALID_IMAGE_TOO_LARGE,
    "link": IMG_MGMT_ERR.INVALID_FLASH_ADDRESS,
    "hash": IMG_MGMT_ERR.INVALID_HASH,
}


class Refusal(Exception):
    """Refused, for the reason of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NotSupported(Exception):
    """A message that the device does not know."""


@dataclass
class Toy:
    """Takes bytes of the wire, gives bytes of the wire.

    Attributes:
        device: flash, journal and decisions.
        development: what it says of its key.
        outcomes: version -> name of the reason with which a trial of it ends; others confirm.
        patience: questions for its state that a trial lasts.
        chatty: sends text and a record before every answer.
        deaf: messages that it does not hear, as while it starts.
        hears: asked with each message: False is lost.
        legacy: knows nothing of group 64, as a device of others.
    """

    device: Device
    development: bool = False
    outcomes: dict[str, str] = field(default_factory=dict)
    patience: int = 1
    chatty: bool = False
    deaf: int = 0
    hears: Callable[[bytes], bool] = lambda _message: True
    legacy: bool = False
    buffer: int = 1024
    requests: list[tuple[int, int]] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        self._left = [0, 0]
        self._start()

    # ---- power and resets

    def _start(self, end: str = "power") -> bytes:
        pc, lr = PLACES.get(end, (0, 0))
        self._decoder, self._assembler = framing.Decoder(), Assembler()
        self.device.restart()
        self._left = [self.patience, self.patience]
        self.device.choose(FIRMWARE, end, pc, lr)
        self.device.choose(MODEL, end, pc, lr)
        return f"torpor on toy starts, after {end}\r\n".encode()

    def power_cut(self) -> bytes:
        """Lose all that is not in flash; start again. Returns what it prints."""
        return self._start("power")

    def running(self, component: int) -> int:
        """Return the slot that runs."""
        return int(self.device.update.running[component])

    def _trial_runs(self, component: int) -> bool:
        state = self.device.state(component)
        return bool(state.trial != NONE and state.trial == self.running(component))

    def _version(self, component: int) -> str:
        version = self.device.state(component).trial_version
        return f"{version.major}.{version.minor}.{version.revision}"

    def _pass_time(self) -> bytes:
        for component in (FIRMWARE, MODEL):
            if not self._trial_runs(component):
                continue
            self._left[component] -= 1
            if self._left[component] < 0:
                return self._end_of_trial(component)
        return b""

    def _end_of_trial(self, component: int) -> bytes:
        end = self.outcomes.get(self._version(component), "ok")
        if end == "ok":
            assert self.device.confirm(component) == "ok"
        elif end == "hang":
            self._left[component] = 10**9
        elif end in ("self_test", "quality"):
            self.device.reject(component, end)
            if component == FIRMWARE:
                return self._start("reset")
            self.device.choose(MODEL)
        else:
            return self._start(end)
        return b""

    # ---- the wire

    def feed(self, data: bytes) -> bytes:
        """Take bytes that arrive, return the bytes that go out."""
        out = b""
        for event in self._decoder.feed(data):
            if isinstance(event, framing.Smp):
                message = self._assembler.feed(event.line)
                if message is not None:
                    out += self._handle(message)
        return out

    def _handle(self, message: bytes) -> bytes:
        if self.deaf or not self.hears(message):
            self.deaf = max(self.deaf - 1, 0)
            return b""
        header = Header.loads(message[:8])
        assert len(message) <= self.buffer - 4
        self.requests.append((int(header.group_id), int(header.command_id)))
        after = b""
        try:
            body, after = self._answer(header, cbor2.loads(message[8:]))
        except Refusal as refusal:
            body = self._error(int(header.group_id), refusal.name)
        except NotSupported:
            body = {"rc": 8}
        return self._chatter() + self._message(header, body) + after

    def _error(self, group: int, name: str) -> dict[str, Any]:
        if group == OURS:
            return {"err": {"group": OURS, "rc": reason(name)}}
        self.refused = reason(name)
        return {"err": {"group": group, "rc": int(_ERRORS.get(name, IMG_MGMT_ERR.UNKNOWN))}}

    @staticmethod
    def _message(header: Header, body: Any) -> bytes:
        data = cbor2.dumps(body)
        operation, group = (int(header.op) + 1) | 8, int(header.group_id)
        place = group, header.sequence, int(header.command_id)
        head = struct.pack("!BBHHBB", operation, 0, len(data), *place)
        return b"".join(packet.encode(head + data, 128))

    def _chatter(self) -> bytes:
        if not self.chatty:
            return b""
        record = framing.encode_frame(records.encode(records.Counters(1, 2, 3)))
        return b"a line of text with \x06 and \x04 in it\r\n" + record

    # ---- messages

    def _answer(self, header: Header, body: dict[str, Any]) -> tuple[Any, bytes]:
        """Return the answer and what is sent after it."""
        key = (int(header.op), int(header.group_id), int(header.command_id))
        if key == (WRITE, OS, 5):
            trial = self._trial_runs(FIRMWARE)
            return {}, self._start("restart" if trial else "reset")
        if key == (READ, OURS, 0) and not self.legacy:
            after = self._pass_time()
            return self._state(), after
        handlers: dict[tuple[int, int, int], Callable[[dict[str, Any]], Any]] = {
            (READ, OS, 6): lambda _body: {"buf_size": self.buffer, "buf_count": 1},
            (READ, IMAGE, 0): lambda _body: self._images(),
            (WRITE, IMAGE, 0): self._set_state,
            (WRITE, IMAGE, 1): self._upload,
            (WRITE, IMAGE, 5): self._erase,
            (READ, OURS, 1): self._history,
            (WRITE, OURS, 2): self._end,
        }
        if key not in handlers or (self.legacy and key[1] == OURS):
            raise NotSupported
        return handlers[key](body), b""

    def _state(self) -> dict[str, Any]:
        update, geometry = self.device.update, self.device.geometry
        transfer, upload = update.transfer, self.device.upload
        parts = [
            {name: int(getattr(state, name))
             for name in ("confirmed", "trial", "attempts", "rejected", "counter")}
            for state in (update.state[0], update.state[1])
        ]  # fmt: skip
        links = [*(self.device.address(slot) for slot in (0, 1)), 0, 0, 0]
        places = zip(geometry.offsets, geometry.sizes, links, strict=True)
        return {
            "board": "toy",
            "dev": self.development,
            "running": [int(update.running[0]), int(update.running[1])],
            "state": parts,
            "slots": [{"offset": o, "size": s, "link": link} for o, s, link in places],
            "transfer": {
                "slot": int(transfer.slot),
                "length": int(transfer.length),
                "offset": int(upload.offset) if upload.open else 0,
            },
            "refused": self.refused,
            "erase": geometry.erase,
            "write": geometry.write,
        }

    def _parsed(self, slot: int) -> Any:
        image = self.device.ffi.new("image_t *")
        okay = self.device.lib.image_parse(self.device.layout, slot, image) == 0
        return image if okay else None

    def _hash(self, image: Any) -> bytes:
        return bytes(self.device.ffi.buffer(image.hash, 32))

    def _images(self) -> dict[str, Any]:
        found = [(slot, self._parsed(slot)) for slot in range(5)]
        return {"images": [self._image(slot, image) for slot, image in found if image]}

    def _image(self, slot: int, image: Any) -> dict[str, Any]:
        component = FIRMWARE if slot < 2 else MODEL
        state, version = self.device.state(component), image.version
        return {
            "image": slot if slot >= 2 else 0,
            "slot": slot if slot < 2 else 0,
            "version": f"{version.major}.{version.minor}.{version.revision}",
            "hash": self._hash(image),
            "bootable": True,
            "pending": state.trial == slot,
            "confirmed": state.confirmed == slot,
            "active": self.running(component) == slot,
        }

    def _set_state(self, body: dict[str, Any]) -> dict[str, Any]:
        for slot in range(5):
            image = self._parsed(slot)
            if image and self._hash(image) == body.get("hash"):
                self._expect_ok(self.device.arm(slot))
                if slot >= 2 and self.device.state(MODEL).trial == slot:
                    self._left[MODEL] = self.patience
                    self.device.choose(MODEL)
                return self._images()
        raise Refusal("empty")

    @staticmethod
    def _expect_ok(name: str) -> None:
        if name != "ok":
            raise Refusal(name)

    def _upload(self, body: dict[str, Any]) -> dict[str, Any]:
        device, at = self.device, body["off"]
        if at == 0 and "len" in body:
            slot = body["image"] if body["image"] >= 2 else 1 - self.running(FIRMWARE)
            header = bytes(body["data"])[:32].ljust(32, b"\xff")
            self._expect_ok(self._begin(slot, body["len"], bytes(body["sha"]), header))
        if not device.upload.open:
            raise Refusal("order")
        if device.upload.erased:
            data = bytes(body["data"])
            number = device.lib.upload_write(device.update, device.upload, at, data, len(data))
            self._expect_ok(device.name(number))
        if not device.lib.upload_is_complete(device.upload):
            return {"off": int(device.upload.offset)}
        null = device.ffi.NULL
        number = device.lib.upload_finish(device.update, device.upload, null, null)
        self._expect_ok(device.name(number))
        return {"off": int(device.upload.length), "match": True}

    def _begin(self, slot: int, length: int, sha: bytes, header: bytes) -> str:
        device = self.device
        number = device.lib.upload_begin(device.update, device.upload, slot, length, sha, header)
        return device.name(number)

    def _erase(self, body: dict[str, Any]) -> dict[str, Any]:
        at = self.device.ffi.new("uint32_t *")
        device = self.device
        number = device.lib.upload_erase(device.update, device.upload, body["slot"], at)
        self._expect_ok(device.name(number))
        return {}

    def history(self) -> list[bytes]:
        """Return the records of all events that are still there."""
        device = self.device
        journal = device.ffi.addressof(device.update, "journal")
        record = device.ffi.new("journal_record_t *")
        found = []
        for number in range(self._oldest(), device.lib.journal_next_event(journal)):
            assert device.lib.journal_event(journal, number, record)
            found.append(bytes(device.ffi.buffer(record)))
        return found

    def _oldest(self) -> int:
        journal = self.device.ffi.addressof(self.device.update, "journal")
        return int(self.device.lib.journal_oldest_event(journal))

    def _history(self, body: dict[str, Any]) -> dict[str, Any]:
        oldest, events = self._oldest(), self.history()
        start = max(body["from"], oldest) - oldest
        return {
            "oldest": oldest,
            "next": oldest + len(events),
            "events": events[start : start + PAGE],
        }

    def _end(self, body: dict[str, Any]) -> dict[str, Any]:
        why = REASONS[body["reason"]].name
        self._expect_ok(self.device.reject(body["component"], why))
        if body["component"] == MODEL:
            self.device.choose(MODEL)
        return {}

    # ---- for tests

    def kinds(self) -> list[str]:
        """Return what has happened, in words."""
        events = [decode(0, record) for record in self.history()]
        return [
            event.kind + (f" {event.reason.name}" if event.reason.number else "")
            for event in events
        ]

    def firmware(self, slot: int, version: str, payload: bytes = b"", **fields: Any) -> bytes:
        """Return a firmware image for a slot."""
        return self.device.firmware(slot, payload or version.encode() * 40,
                                    version=_numbers(version), **fields)  # fmt: skip

    @staticmethod
    def model(version: str, payload: bytes = b"", **fields: Any) -> bytes:
        """Return a model image."""
        return images.model(payload or version.encode() * 40, version=_numbers(version), **fields)


def _numbers(version: str) -> tuple[int, ...]:
    return (*(int(word) for word in version.split(".")), 0)


def toy(opened: tuple[Any, Any], **fields: Any) -> Toy:
    """Return a device that runs firmware 1.0.0, confirmed, in slot A."""
    device = Device(opened, GEOMETRY)
    made = Toy(device, **fields)
    device.load(0, made.firmware(0, "1.0.0"))
    made.power_cut()
    assert device.confirm() == "ok"
    return made


def image_hash(image: bytes) -> bytes:
    """Return the hash of a sound image, found as its TLV."""
    at = image.rindex(struct.pack("<HH", images.SHA256, 32)) + 4
    assert hashlib.sha256(image[: image.index(struct.pack("<H", images.UNPROTECTED))]).digest()
    return image[at : at + 32]


assert ATTEMPTS == 3
