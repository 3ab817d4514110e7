# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/wire/smp_frame.c, with the framing of the public Python package smp as its reference."""

import base64
import struct
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from smp import packet

from tests.firmware.conftest import Library
from torpor.wire import framing

NONE, TAKEN, DROPPED = 0, 1, 2
SIZE = 256
LINE = 127
FIRST, MORE = b"\x06\x09", b"\x04\x14"

messages = st.binary(min_size=1, max_size=SIZE - 2)


class Decoded(NamedTuple):
    """What came out of a stream."""

    messages: list[bytes]
    dropped: int


def decode(firmware: Library, stream: bytes, size: int = SIZE) -> Decoded:
    """Feed a stream to a decoder with a buffer of `size` bytes between two guards."""
    room = firmware.ffi.new("uint8_t[]", b"\xa5" * 8 + bytes(size) + b"\xa5" * 8)
    decoder = firmware.ffi.new("smp_frame_decoder_t *", {"buffer": room + 8, "size": size})
    found, dropped = [], 0
    for byte in stream:
        event = firmware.c.smp_frame_decode(decoder, byte)
        if event == TAKEN:
            found.append(bytes(firmware.ffi.buffer(decoder.buffer, decoder.length)))
        dropped += event == DROPPED
    assert bytes(room[0:8]) == bytes(room[size + 8 : size + 16]) == b"\xa5" * 8
    return Decoded(found, dropped)


def lines(firmware: Library, message: bytes) -> list[bytes]:
    """Return the lines that the device writes for a message."""
    encoder = firmware.ffi.new("smp_frame_encoder_t *")
    kept = firmware.ffi.new("uint8_t[]", message)
    line = firmware.ffi.new("uint8_t[]", LINE + 8)
    firmware.c.smp_frame_begin(encoder, kept, len(message))
    written = []
    while length := firmware.c.smp_frame_encode(encoder, line):
        assert length <= LINE
        assert bytes(line[LINE : LINE + 8]) == bytes(8)
        written.append(bytes(firmware.ffi.buffer(line, length)))
    return written


def sent(message: bytes, line_length: int = 128) -> list[bytes]:
    """Return the lines that smpclient sends for a message."""
    return list(packet.encode(message, line_length=line_length))


def read_by_smp(written: Sequence[bytes]) -> bytes:
    """Return the message that smpclient reads out of lines."""
    decoder = packet.decode()
    next(decoder)
    for i, line in enumerate(written):
        try:
            decoder.send(line)
        except StopIteration as end:
            assert i == len(written) - 1, "a line after the message's last"
            return bytes(end.value)
    raise AssertionError("the message is not complete")


def framed(message: bytes, length: int | None = None, crc: int | None = None) -> bytes:
    """Return the bytes that the digits of a message stand for."""
    length = len(message) + 2 if length is None else length
    crc = framing.crc16(message) if crc is None else crc
    return struct.pack(">H", length) + message + struct.pack(">H", crc)


def in_lines(data: bytes, step: int = 93) -> bytes:
    """Return bytes as lines of `step` bytes each."""
    parts = [base64.b64encode(data[i : i + step]) for i in range(0, len(data), step)]
    return b"".join((FIRST if i == 0 else MORE) + part + b"\n" for i, part in enumerate(parts))


# Both ways


@given(messages, st.integers(8, 200))
@example(bytes(SIZE - 2), 128)
@example(b"\n", 8)
def test_what_smpclient_sends_is_read(firmware: Library, message: bytes, line_length: int) -> None:
    stream = b"".join(sent(message, line_length))
    assert decode(firmware, stream) == Decoded([message], 0)


@given(st.binary(min_size=1, max_size=1024))
@example(bytes(89))  # one line is just full
@example(bytes(90))
def test_what_is_written_smpclient_reads(firmware: Library, message: bytes) -> None:
    written = lines(firmware, message)
    assert read_by_smp(written) == message
    assert written == sent(message)


@given(st.lists(messages, max_size=4))
def test_messages_follow_each_other(firmware: Library, several: list[bytes]) -> None:
    stream = b"".join(b"".join(sent(message)) for message in several)
    assert decode(firmware, stream) == Decoded(several, 0)


def test_a_carriage_return_before_the_end_of_a_line_is_ignored(firmware: Library) -> None:
    stream = b"".join(sent(bytes(200))).replace(b"\n", b"\r\r\n")
    assert decode(firmware, stream) == Decoded([bytes(200)], 0)


@pytest.mark.parametrize("room", [512, 1024, 2048])
def test_what_fits_into_a_number_of_bytes_has_lines_that_do(firmware: Library, room: int) -> None:
    frame = firmware.c.shim_fits(room)
    assert room - LINE < len(b"".join(sent(bytes(frame - 4)))) <= room


# On a wire with other things

others = st.one_of(
    st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=30).map(
        lambda text: text.encode() + b"\n"
    ),
    st.binary(min_size=1, max_size=40).map(framing.encode_frame),
)


@given(messages, st.lists(others, min_size=1, max_size=8), st.integers(8, 128))
def test_other_lines_between_those_of_a_message_are_skipped(
    firmware: Library, message: bytes, between: list[bytes], line_length: int
) -> None:
    stream = b"".join(
        line + between[i % len(between)] for i, line in enumerate(sent(message, line_length))
    )
    assert decode(firmware, between[-1] + stream) == Decoded([message], 0)


@given(messages, st.lists(st.binary(min_size=1, max_size=40), max_size=4))
def test_our_frames_between_the_lines_are_read_by_their_own_decoder(
    firmware: Library, message: bytes, payloads: list[bytes]
) -> None:
    frames = [framing.encode_frame(payload) for payload in payloads]
    parts = sent(message, 32)
    stream = b"".join(
        line + (frames[i] if i < len(frames) else b"") for i, line in enumerate(parts)
    ) + b"".join(frames[len(parts) :])
    found = [e.payload for e in framing.Decoder().feed(stream) if isinstance(e, framing.Frame)]
    assert found == payloads
    assert decode(firmware, stream).messages == [message]


def test_a_marker_counts_in_the_middle_of_a_line(firmware: Library) -> None:
    stream = b"login: " + b"".join(sent(b"hello"))
    assert decode(firmware, stream) == Decoded([b"hello"], 0)


@pytest.mark.parametrize("before", [b"\x06", b"\x04", b"\x06\x06", b"\x04\x04\x06", b"\x06\x14"])
def test_half_a_marker_before_a_message_does_no_harm(firmware: Library, before: bytes) -> None:
    assert decode(firmware, before + b"".join(sent(b"hello"))) == Decoded([b"hello"], 0)


# Refused


def test_a_first_line_drops_the_message_that_is_open(firmware: Library) -> None:
    open_one, next_one = sent(bytes(200)), sent(b"hello")
    stream = open_one[0] + b"".join(next_one)
    assert decode(firmware, stream) == Decoded([b"hello"], 1)


def test_a_continuation_without_a_first_line_is_skipped(firmware: Library) -> None:
    assert decode(firmware, b"".join(sent(bytes(200))[1:])) == Decoded([], 0)


def test_a_lost_line_drops_the_message_once(firmware: Library) -> None:
    for message in (bytes(200), bytes(201)):  # the last line with and without padding
        parts = sent(message, 64)
        del parts[1]
        assert decode(firmware, b"".join([*parts, *sent(b"hello")])) == Decoded([b"hello"], 1)


def test_a_doubled_line_drops_the_message(firmware: Library) -> None:
    parts = sent(bytes(range(200)), 64)
    parts.insert(2, parts[1])
    assert decode(firmware, b"".join(parts)) == Decoded([], 1)


@pytest.mark.parametrize(
    "data",
    [
        framed(b"hello", crc=0x1234),
        framed(b"hello", length=6),  # more bytes than it says
        framed(b"", length=2),  # nothing but a CRC, which is right
        framed(b"", length=0),
        framed(bytes(3), length=1),
        framed(bytes(SIZE - 1)),  # one byte more than the buffer holds
        framed(b"hello", length=0xFFFF),
    ],
    ids=["crc", "longer", "empty", "zero", "one", "large", "huge"],
)
def test_a_message_that_makes_no_sense_is_dropped_once(firmware: Library, data: bytes) -> None:
    assert decode(firmware, in_lines(data)) == Decoded([], 1)


def test_padding_in_the_middle_of_a_message_drops_it(firmware: Library) -> None:
    assert decode(firmware, in_lines(framed(bytes(20)), 7)) == Decoded([], 1)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_line_that_ends_within_a_group_drops_the_message(firmware: Library, cut: int) -> None:
    line = sent(b"a message of some length")[0]
    assert decode(firmware, line[: -1 - cut] + b"\n") == Decoded([], 1)


@pytest.mark.parametrize("byte", [0, ord(" "), ord("-"), 0x05, 0x80, 0xFF])
def test_a_byte_that_is_no_digit_drops_the_message(firmware: Library, byte: int) -> None:
    line = bytearray(sent(b"a message of some length")[0])
    line[10] = byte
    assert decode(firmware, bytes(line)) == Decoded([], 1)


def test_digits_behind_a_carriage_return_drop_the_message(firmware: Library) -> None:
    line = sent(b"hello")[0]
    assert decode(firmware, line[:6] + b"\r" + line[6:]) == Decoded([], 1)


@st.composite
def damaged_streams(draw: st.DrawFn) -> bytes:
    """Messages of which single bytes are lost, doubled or changed."""
    several = draw(st.lists(messages, min_size=1, max_size=3))
    stream = bytearray(b"".join(b"".join(sent(message, 64)) for message in several))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(stream) - 1))
        kind = draw(st.sampled_from(["lose", "double", "change"]))
        if kind == "lose" and len(stream) > 1:
            del stream[at]
        elif kind == "double":
            stream.insert(at, stream[at])
        else:
            stream[at] = draw(st.integers(0, 255))
    return bytes(stream)


@settings(max_examples=300)
@given(damaged_streams(), messages)
def test_after_any_damage_and_the_end_of_a_line_the_next_message_is_read(
    firmware: Library, stream: bytes, message: bytes
) -> None:
    found = decode(firmware, stream + b"\n" + b"".join(sent(message)))
    assert found.messages[-1] == message


@settings(max_examples=300)
@given(st.binary(max_size=300), st.integers(3, 40))
def test_noise_stays_within_the_buffer(firmware: Library, noise: bytes, size: int) -> None:
    stream = FIRST + base64.b64encode(noise) + b"\n" + MORE + noise + b"\n"
    decode(firmware, stream, size)
