# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""SMP over any of our streams (serial ports, pseudo terminals, sockets), for smpclient.

Lines that are not SMP (records, text) pass by. A damaged message is dropped and an answer to an
earlier request is passed over, so that whoever asks again after a while gets the answer he wants.
"""

import asyncio
import binascii
import contextlib
import struct
from collections import deque
from collections.abc import Callable, Generator

from smp import packet
from smp.exceptions import SMPDecodeError
from smp.header import Header
from smpclient.transport import SMPTransport

from torpor.errors import DeviceError
from torpor.link.transport import Transport
from torpor.wire import framing

LINE_LENGTH = 128  # what smp.packet makes lines of at most 127 bytes from
FRAME_BYTES = 4  # length and CRC, which share the device's buffer with a message
SMALLEST_BUFFER = 256  # of a device that does not say
STALE_READS = 64  # pieces that are thrown away at most when a port is opened
SLICE_S = 0.02  # of waiting, between two looks at the clock
_DAMAGE = (SMPDecodeError, binascii.Error, struct.error)


class LinkLostError(DeviceError):
    """The port is gone: unplugged, or the program behind it has ended."""


class Assembler:
    """Makes SMP messages from lines; holds at most one message."""

    def __init__(self) -> None:
        self._decoder: Generator[None, bytes, bytes] | None = None

    def feed(self, line: bytes) -> bytes | None:
        """Take one line of SMP; return the message that it completes, or None."""
        if line.startswith(packet.START_DELIMITER):
            self._decoder = packet.decode()
            next(self._decoder)
        if self._decoder is None:
            return None  # the rest of something whose beginning was lost
        try:
            self._decoder.send(line)
        except StopIteration as end:
            self._decoder = None
            return _whole(end.value)
        except _DAMAGE:
            self._decoder = None
        return None


def _whole(message: bytes) -> bytes | None:
    """Return the message if its header tells its length."""
    size = Header.SIZE
    fits = len(message) >= size and struct.unpack_from("!H", message, 2)[0] == len(message) - size
    return message if fits else None


def answers(message: bytes, request: bytes) -> bool:
    """True if `message` is the answer to `request`: operation, group, number and command fit."""
    asked, got = request[: Header.SIZE], message[: Header.SIZE]
    return got[0] & 7 == (asked[0] & 7) + 1 and got[4:] == asked[4:]


class LinkTransport(SMPTransport):
    """smpclient's transport over one of ours.

    Args:
        open_link: opens the port whose name it is given; raises DeviceError.
        on_text: called with every line of text that the device prints.
    """

    def __init__(
        self,
        open_link: Callable[[str], Transport],
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        self._open = open_link
        self._on_text = on_text or (lambda _line: None)
        self._link: Transport | None = None
        self._decoder = framing.Decoder()
        self._assembler = Assembler()
        self._messages: deque[bytes] = deque()

    @property
    def link(self) -> Transport:
        """The open port.

        Raises:
            LinkLostError: it is not open.
        """
        if self._link is None:
            raise LinkLostError("the port is not open")
        return self._link

    @property
    def is_open(self) -> bool:
        """True between connect and disconnect."""
        return self._link is not None

    async def connect(self, address: str, timeout_s: float) -> None:
        """Open the port and forget what has arrived before."""
        self._link = self._open(address)
        self._decoder, self._assembler = framing.Decoder(), Assembler()
        self._messages.clear()
        with _lost():
            for _ in range(STALE_READS):
                if not self._link.read(0):
                    break

    async def disconnect(self) -> None:
        """Let go of the port."""
        if self._link is not None:
            self._link.close()
        self._link = None

    async def send(self, data: bytes) -> None:
        """Send a message.

        Raises:
            LinkLostError: the port is gone.
        """
        with _lost():
            self.link.write(b"".join(packet.encode(data, LINE_LENGTH)))

    async def receive(self) -> bytes:
        """Return the next sound message, whatever it answers. Waits for ever.

        Raises:
            LinkLostError: the port is gone.
        """
        while not self._messages:
            with _lost():
                data = self.link.read(SLICE_S)
            for event in self._decoder.feed(data):
                self._take(event)
            await asyncio.sleep(0)  # lets a timeout end the waiting
        return self._messages.popleft()

    async def send_and_receive(self, data: bytes) -> bytes:
        """Send a request and return its answer; other messages are passed over."""
        await self.send(data)
        while True:
            message = await self.receive()
            if answers(message, data):
                return message

    @property
    def mtu(self) -> int:
        """Bytes of the device's buffer."""
        return self._smp_server_transport_buffer_size or SMALLEST_BUFFER

    @property
    def max_unencoded_size(self) -> int:
        """Longest message that may be sent."""
        return self.mtu - FRAME_BYTES

    def _take(self, event: framing.Event) -> None:
        if isinstance(event, framing.Text):
            self._on_text(str(event))
        elif isinstance(event, framing.Smp):
            message = self._assembler.feed(event.line)
            if message is not None:
                self._messages.append(message)


@contextlib.contextmanager
def _lost() -> Generator[None]:
    try:
        yield
    except LinkLostError:
        raise
    except DeviceError as error:
        raise LinkLostError(error.message, error.hint) from None
