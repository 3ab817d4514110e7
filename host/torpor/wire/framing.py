# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Lines on the wire: finds our frames, management frames and text in a stream of bytes.

A frame of ours is one line

    05 12   base64(payload + CRC-16)   0a

with standard base64 (RFC 4648, padded) and CRC-16/XMODEM (polynomial 0x1021, initial value 0,
no reflection, most significant byte first). A line that starts with 06 09 or 04 14 belongs to
SMP and is passed on as it is; everything else is text. The two bytes of a marker start a new
line wherever they stand, so a lost line feed costs one line, not two; base64 is printable, so
no frame of ours can contain a marker.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from torpor.wire.schema import SCHEMA

MARKER = b"\x05\x12"
SMP_MARKERS = (b"\x06\x09", b"\x04\x14")
LF = 0x0A
MAX_PAYLOAD = SCHEMA.payload
MAX_LINE = len(MARKER) + (MAX_PAYLOAD + 2 + 2) // 3 * 4 + 1  # the longest frame, line feed included
_MARKERS = (MARKER, *SMP_MARKERS)


@dataclass(frozen=True)
class Frame:
    """A payload whose CRC was right."""

    payload: bytes


@dataclass(frozen=True)
class Smp:
    """One line of SMP, marker and line feed included, as an SMP client wants to read it."""

    line: bytes


@dataclass(frozen=True)
class Text:
    """A line of text without its line end, or a piece of a very long one."""

    line: bytes

    def __str__(self) -> str:
        return self.line.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Dropped:
    """A line that began as a frame and was not one.

    Attributes:
        reason: "cut" (another line began inside it), "long", "base64", "short" or "crc".
        line: its bytes, marker included, line end not; at most `MAX_LINE` of them.
    """

    reason: str
    line: bytes


Event = Frame | Smp | Text | Dropped


def crc16(data: bytes) -> int:
    """Return CRC-16/XMODEM of `data`; of data followed by its own CRC it is 0."""
    return binascii.crc_hqx(data, 0)


def encode_frame(payload: bytes) -> bytes:
    """Return the whole line for a payload: marker, base64, line feed.

    Raises:
        ValueError: the payload is empty or longer than `MAX_PAYLOAD`.
    """
    if not 0 < len(payload) <= MAX_PAYLOAD:
        raise ValueError(f"a payload has 1 to {MAX_PAYLOAD} bytes, not {len(payload)}")
    body = payload + crc16(payload).to_bytes(2, "big")
    return MARKER + base64.b64encode(body) + b"\n"


def _parse_frame(line: bytes) -> Frame | Dropped:
    """Judge a complete line that starts with our marker; the line end is already gone."""
    try:
        body = base64.b64decode(line[len(MARKER) :], validate=True)
    except binascii.Error:
        return Dropped("base64", line)
    if base64.b64encode(body) != line[len(MARKER) :]:  # spare bits of the last digit were set
        return Dropped("base64", line)
    if not 3 <= len(body) <= MAX_PAYLOAD + 2:
        return Dropped("short" if len(body) < 3 else "long", line)
    if crc16(body):
        return Dropped("crc", line)
    return Frame(body[:-2])


class Decoder:
    """Turns a stream of bytes, cut anywhere, into events. Holds at most one line."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._skipping = False  # the rest of an overlong frame, up to the next line

    @property
    def pending(self) -> bytes:
        """Bytes of the line that has not ended yet."""
        return bytes(self._line)

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes in, return what they completed, in order."""
        return [event for byte in data for event in self._take(byte)]

    def _take(self, byte: int) -> Iterator[Event]:
        if byte == LF:
            yield from self._end()
            return
        self._line.append(byte)
        if self._line[-2:] in _MARKERS:
            yield from self._restart()
        elif len(self._line) > MAX_LINE:  # one more than a frame without LF: room for a CR
            yield from self._overflow()

    def _restart(self) -> Iterator[Event]:
        """A marker has arrived: what stands before it on this line is over."""
        marker = bytes(self._line[-2:])
        before = bytes(self._line[:-2])
        self._line[:] = marker
        if not self._skipping and before:
            yield Dropped("cut", before) if before.startswith(_MARKERS) else Text(before)
        self._skipping = False

    def _overflow(self) -> Iterator[Event]:
        """The line is as long as no frame is: cut text in pieces, drop the rest of others."""
        line = bytes(self._line[:-1])
        del self._line[:-1]  # the last byte may be the first of a marker
        if not self._skipping:
            framed = line.startswith(_MARKERS)
            self._skipping = framed
            yield Dropped("long", line) if framed else Text(line)

    def _end(self) -> Iterator[Event]:
        line = bytes(self._line)
        self._line.clear()
        if self._skipping:
            self._skipping = False
        elif line.startswith(SMP_MARKERS):
            yield Smp(line + b"\n")
        elif line.startswith(MARKER):
            yield _parse_frame(line.rstrip(b"\r"))
        elif line.rstrip(b"\r"):
            yield Text(line.rstrip(b"\r"))
