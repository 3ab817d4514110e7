# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device that can be updated, behind a port: asks, asks again, and says what went wrong.

Every request may be repeated, so a lost message costs time only. Importing this imports smpclient,
which takes a third of a second: do it where a device is talked to.
"""

import asyncio
import contextlib
import hashlib
import logging
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cbor2 import CBORDecodeError
from smp.exceptions import SMPException
from smp.image_management import IMG_MGMT_ERR, ImageState
from smpclient import SMPClient
from smpclient.exceptions import SMPClientException
from smpclient.generics import success
from smpclient.requests.image_management import (
    ImageErase,
    ImageStatesRead,
    ImageStatesWrite,
    ImageUploadWrite,
)
from smpclient.requests.os_management import MCUMgrParametersRead, ResetWrite

from torpor.errors import DeviceError
from torpor.image.capability import decode as decode_capability
from torpor.image.capability import plan_header
from torpor.image.reasons import NUMBERS, Reason, reason
from torpor.link import DeviceClient, Transport, open_transport
from torpor.update import messages
from torpor.update.journal import NO_SLOT, BadRecordError, Event, decode
from torpor.update.state import MODEL_SLOTS, Component, Content, Slot, SlotImage, Status, Transfer
from torpor.update.transport import LinkLostError, LinkTransport

TIMEOUT_S = 2.5  # until a request is sent again
CONNECT_S = 1.0  # the same for the first question
SLOW_S = 15.0  # for answers that wait for a signature to be verified
TRIES = 4
STALLED_S = 120.0  # an upload that gets no further: erasing a large slot takes a minute at most
RETRY_S = 0.1  # between two tries to open a port
FIRST_IMAGE = {0: 0, 1: 0, **{slot: slot for slot in MODEL_SLOTS}}
"""SMP's image number by slot; both firmware slots are "the one that is not running"."""

_NOT_UNDERSTOOD = (SMPClientException, SMPException, CBORDecodeError, TypeError, ValueError)

for _name in ("smp", "smpclient"):  # what they would log we raise, in words
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


class NoAnswerError(DeviceError):
    """The port is there and the device is silent: it starts, hangs, or does not speak SMP."""


class RefusedError(DeviceError):
    """The device will not do it.

    Attributes:
        reason: why, as far as it says.
    """

    def __init__(self, message: str, why: Reason | None, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = why

    @property
    def is_about_image(self) -> bool:
        """True if something is wrong with the image, and not with what the device was asked."""
        return self.reason is not None and 0 < self.reason.number < NUMBERS["power"]


class Device:
    """Speaks to one device.

    Args:
        port: `unix:PATH`, or a port name or URL of pyserial.
        baud: of a serial port.
        timeout: seconds until a request is sent again.
        tries: how often a request is sent at most.
        on_text: called with every line of text that the device prints.
    """

    def __init__(
        self,
        port: str,
        *,
        baud: int = 115200,
        timeout: float = TIMEOUT_S,
        tries: int = TRIES,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        self.port = port
        self._baud = baud
        self._timeout = timeout
        self._tries = tries
        self._on_text = on_text or (lambda _line: None)
        self._said = ""
        self._transport = LinkTransport(self._open, self._note)
        self._client = SMPClient(self._transport, port, timeout)
        self._runner = asyncio.Runner()

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # ---- the port

    def connect(self) -> None:
        """Open the port, anew if it is open, and ask how long a message may be.

        Raises:
            LinkLostError: it cannot be opened.
            NoAnswerError: nobody answers.
        """
        self._said = ""
        self._disconnect()
        self._runner.run(self._transport.connect(self.port, self._timeout))
        with contextlib.suppress(RefusedError):
            answer = self._ask(MCUMgrParametersRead(), min(self._timeout, CONNECT_S))
            self._transport.initialize(answer.buf_size)

    def reconnect(self, seconds: float) -> None:
        """Connect as soon as the device is there again, for at most `seconds`.

        Raises:
            DeviceError: it does not come back.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.connect()
            except (LinkLostError, NoAnswerError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)  # between two looks, not instead of one
            else:
                return

    def close(self) -> None:
        """Let go of the port. Safe to call twice."""
        self._disconnect()
        self._runner.close()

    def _disconnect(self) -> None:
        if self._transport.is_open:
            self._runner.run(self._transport.disconnect())

    def _open(self, port: str) -> Transport:
        try:
            return open_transport(port, self._baud)
        except DeviceError as error:
            raise LinkLostError(error.message, error.hint) from None

    def _note(self, line: str) -> None:
        self._said = line
        self._on_text(line)

    # ---- questions

    def status(self) -> Status:
        """Return what the device says about itself.

        Raises:
            DeviceError: no answer, or it is not one of ours.
        """
        state = self.state()
        images = _images(self._ask(ImageStatesRead()).images)
        try:
            said = self._ask(messages.ContentsRead())
        except RefusedError:  # a firmware of before
            return replace(state, images=images)
        contents = {part.slot: _content(part) for part in said.images}
        known = {slot: replace(image, content=contents.get(slot)) for slot, image in images.items()}
        return replace(state, images=known, key_hash=said.key)

    def state(self, timeout: float | None = None, tries: int | None = None) -> Status:
        """Return the same without images: an answer that costs the device nothing.

        Args:
            timeout: seconds until it is asked again; None: as ever.
            tries: how often at most; None: as ever.
        """
        try:
            return _status(self._ask(messages.StatusRead(), timeout, tries))
        except RefusedError as error:
            raise DeviceError(
                f"the device speaks SMP, but has no slots of torpor's: {error.message}",
                "is this a firmware that torpor has built?",
            ) from None

    def events(self, start: int = 0) -> list[Event]:
        """Return the events of the journal from number `start` on, as far as they are still there.

        Raises:
            DeviceError: no answer, or damaged events.
        """
        found: list[Event] = []
        while True:
            page = self._ask(messages.HistoryRead(start=start))
            first = max(start, page.oldest)
            found += _events(first, page.events)
            start = first + len(page.events)
            if start >= page.next or not page.events:
                return found

    def next_event(self) -> int:
        """Return the number that the next event will get."""
        page = self._ask(messages.HistoryRead(start=2**32 - 1))
        return int(page.next)

    # ---- orders

    def upload(self, slot: int, data: bytes, on_progress: Callable[[int], None]) -> None:
        """Send a file into a slot, from where the device has it on.

        Args:
            slot: numbered through; of firmware slots the device takes the one that is not running.
            data: the whole file.
            on_progress: called with the number of bytes that are there.

        Raises:
            RefusedError: the device does not want it.
            DeviceError: no answer, or no progress.
        """
        sha = hashlib.sha256(data).digest()
        offset, best, last = 0, 0, time.monotonic()
        while offset < len(data):
            part = self._part(slot, data, sha, offset)
            offset = self._send_part(part, len(data))
            if best == 0 and offset <= len(part.data):
                on_progress(0)  # nothing was there before
            if offset > best:
                best, last = offset, time.monotonic()
            elif time.monotonic() - last > STALLED_S:
                raise DeviceError(
                    f"the device takes no more bytes: {offset} of {len(data)} are there"
                )
            on_progress(offset)

    def _send_part(self, part: ImageUploadWrite, length: int) -> int:
        """Send a part of a file of `length` bytes; return which byte the device wants next."""
        is_last = part.off + len(part.data) >= length
        try:
            answer = self._ask(part, SLOW_S if is_last else None)
        except RefusedError as error:
            if part.off and error.reason and error.reason.number == NUMBERS["order"]:
                return 0  # it has restarted: begin anew, it knows how far it was
            raise
        if answer.off is None or answer.off > length:
            raise DeviceError(f"the device wants byte {answer.off} of a file of {length}")
        return int(answer.off)

    def _part(self, slot: int, data: bytes, sha: bytes, offset: int) -> ImageUploadWrite:
        """Return the longest message that fits, with the bytes from `offset` on."""
        start: dict[str, Any] = {"image": FIRST_IMAGE[slot], "len": len(data), "sha": sha}
        fields = start | {"upgrade": False} if offset == 0 else {}
        empty = ImageUploadWrite(off=offset, data=b"", **fields)
        _, room = self._client.get_max_cbor_and_data_size(empty)
        if room == 0:
            raise DeviceError("the device's buffer is too small for any message")
        return ImageUploadWrite(off=offset, data=data[offset : offset + room], **fields)

    def arm(self, image_hash: bytes) -> None:
        """Put the image with that hash on trial.

        Raises:
            RefusedError: it cannot be.
            DeviceError: no answer.
        """
        self._ask(ImageStatesWrite(hash=image_hash, confirm=False), SLOW_S)

    def reset(self) -> None:
        """Let the device restart; that nobody answers is no failure: it may be faster."""
        with contextlib.suppress(NoAnswerError):
            self._ask(ResetWrite(), tries=1)

    def end_trial(self, component: int, why: int = NUMBERS["user"]) -> None:
        """End the trial of a component.

        Raises:
            RefusedError: there is none.
            DeviceError: no answer.
        """
        self._ask(messages.EndTrial(component=component, reason=why))

    def erase(self, slot: int) -> None:
        """Erase a slot that is not protected.

        Raises:
            RefusedError: it is.
            DeviceError: no answer.
        """
        self._ask(ImageErase(slot=slot), SLOW_S)

    # ---- request and answer

    def _ask(self, request: Any, timeout: float | None = None, tries: int | None = None) -> Any:
        """Return the answer to a request, which is sent again, unchanged, until it comes."""
        for _ in range(tries or self._tries):
            try:
                answer = self._runner.run(self._client.request(request, timeout))
            except TimeoutError:
                continue
            except _NOT_UNDERSTOOD as error:
                first = str(error).strip().partition("\n")[0]
                raise DeviceError(
                    f"the device's answer to {type(request).__name__} is not understood: {first}",
                    "is this a firmware that torpor has built?",
                ) from None
            if success(answer):
                return answer
            raise self._refusal(answer)
        raise self._silence()

    def _refusal(self, answer: Any) -> RefusedError:
        """Return the error for a refusal, told in the device's own words if it has some."""
        error = getattr(answer, "err", None)
        if error is None:
            return RefusedError(f"the device refuses ({answer.rc.name})", None)
        if error.group == messages.GROUP:
            return _refused(reason(error.rc))
        number = NUMBERS["order"] if error.rc == IMG_MGMT_ERR.INVALID_OFFSET else 0
        with contextlib.suppress(RefusedError):  # a device that has restarted knows no more
            number = self._ask(messages.StatusRead()).refused or number
        if number:
            return _refused(reason(number))
        name = IMG_MGMT_ERR(error.rc).name if isinstance(error.rc, int) else str(error.rc)
        return RefusedError(f"the device refuses ({name})", None)

    def _silence(self) -> NoAnswerError:
        """Return the error for a device that does not answer."""
        if self._said:
            return NoAnswerError(
                f"no answer from {self.port}: it sent only text, at last: {self._said[:120]}",
                "does the bootloader have a firmware to run?",
            )
        return NoAnswerError(
            f"no answer from {self.port}",
            "is it the right port, and has the bootloader a firmware to run (scons ... image)?",
        )

    def speaks_records(self) -> bool:
        """True if a firmware of ours answers that may know nothing of updates."""
        client = DeviceClient(self._transport.link, timeout=1.0, tries=2)
        try:
            client.hello()
        except DeviceError:
            return False
        return True


def _refused(why: Reason) -> RefusedError:
    return RefusedError(f"the device refuses: {why.sentence}", why)


def _events(first: int, records: list[bytes]) -> list[Event]:
    try:
        return [decode(first + i, record) for i, record in enumerate(records)]
    except BadRecordError as error:
        raise DeviceError(f"the device's history: {error}") from None


def _slot(number: int) -> int | None:
    return None if number == NO_SLOT else number


def _component(part: messages.ComponentPart, running: int) -> Component:
    return Component(
        _slot(running),
        _slot(part.confirmed),
        _slot(part.trial),
        part.attempts,
        frozenset(slot for slot in range(8) if part.rejected >> slot & 1),
        part.counter,
    )


def _images(images: list[ImageState]) -> dict[int, SlotImage]:
    return {
        _place(image): SlotImage(_version(image.version), bytes(image.hash), bool(image.bootable))
        for image in images
        if image.hash
    }


def _content(part: messages.ContentPart) -> Content:
    try:
        capability = decode_capability(part.capability) if part.capability else None
    except struct.error:
        raise DeviceError(
            f"the device's slot {part.slot}: a capability of another length"
        ) from None
    return Content(
        part.bytes,
        part.counter,
        capability,
        plan_header(part.plan),
        part.name.decode(errors="backslashreplace"),
    )


def _status(own: messages.StatusReadResponse) -> Status:
    if len(own.running) != 2 or len(own.state) != 2 or len(own.slots) != 5:
        raise DeviceError("the device has other slots than this torpor knows")
    firmware, model = (_component(*pair) for pair in zip(own.state, own.running, strict=True))
    receiving = own.transfer
    return Status(
        own.board,
        own.dev,
        (firmware, model),
        tuple(Slot(part.offset, part.size, part.link) for part in own.slots),
        {},
        None
        if receiving.slot == NO_SLOT
        else Transfer(receiving.slot, receiving.length, receiving.offset),
        own.refused,
        own.erase,
        own.write,
    )


def _version(text: str) -> str:
    """Return a version as torpor writes it: MCUmgr has 1.2.3.4 where we have 1.2.3+4."""
    return "+".join(text.rsplit(".", 1)) if text.count(".") == 3 else text


def _place(image: ImageState) -> int:
    """Return the slot, numbered through: models are images of one slot each."""
    return image.image if image.image in MODEL_SLOTS else image.slot
