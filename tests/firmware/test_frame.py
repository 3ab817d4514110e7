# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/wire/frame.c: the shared vectors, and the host's decoder as its twin."""

import tomllib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.firmware.conftest import Library
from torpor.paths import ROOT
from torpor.wire import framing

VECTORS = tomllib.loads((ROOT / "tests" / "vectors" / "framing.toml").read_text())
TAKEN, DROPPED = 1, 2
MAX_PAYLOAD = framing.MAX_PAYLOAD
PIECE = 64


def decode(firmware: Library, stream: bytes) -> tuple[list[bytes], int]:
    """Return the payloads and the number of dropped frames of a whole stream."""
    decoder = firmware.ffi.new("frame_decoder_t *")
    payloads, dropped = [], 0
    for byte in stream:
        event = firmware.c.frame_decode(decoder, byte)
        if event == TAKEN:
            payloads.append(bytes(firmware.ffi.buffer(decoder.payload, decoder.length)))
        dropped += event == DROPPED
    return payloads, dropped


def encode(firmware: Library, payload: bytes) -> bytes:
    encoder = firmware.ffi.new("frame_encoder_t *")
    kept = firmware.ffi.new("uint8_t[]", payload)
    piece = firmware.ffi.new("uint8_t[]", PIECE + 8)
    firmware.c.frame_begin(encoder, kept, len(payload))
    line = b""
    while length := firmware.c.frame_encode(encoder, piece):
        assert length <= PIECE
        assert bytes(piece[PIECE : PIECE + 8]) == bytes(8)
        line += bytes(firmware.ffi.buffer(piece, length))
    return line


def twin(stream: bytes) -> tuple[list[bytes], int]:
    """Return what the host's decoder makes of a stream."""
    events = framing.Decoder().feed(stream)
    frames = [e.payload for e in events if isinstance(e, framing.Frame)]
    ours = [e for e in events if isinstance(e, framing.Dropped) and e.line[:2] == framing.MARKER]
    return frames, len(ours)


def named(kind: str) -> pytest.MarkDecorator:
    rows = VECTORS[kind]
    return pytest.mark.parametrize("row", rows, ids=[row["name"] for row in rows])


@named("frame")
def test_a_frame_of_the_vectors(firmware: Library, row: dict[str, Any]) -> None:
    payload, line = bytes.fromhex(row["payload"]), row["line"].encode()
    assert encode(firmware, payload) == line
    assert decode(firmware, line) == ([payload], 0)


@named("stream")
def test_a_stream_of_the_vectors(firmware: Library, row: dict[str, Any]) -> None:
    stream = bytes.fromhex(row["bytes"])
    frames = [bytes.fromhex(frame) for frame in row["frames"]]
    assert decode(firmware, stream) == (frames, row["dropped"])


def test_crc16_of_the_check_string(firmware: Library) -> None:
    assert firmware.c.crc16_update(0, b"123456789", 9) == 0x31C3


@given(st.binary(), st.binary())
def test_crc16_is_that_of_the_host_in_pieces(firmware: Library, head: bytes, tail: bytes) -> None:
    crc = firmware.c.crc16_update(0, head, len(head))
    assert firmware.c.crc16_update(crc, tail, len(tail)) == framing.crc16(head + tail)


@given(st.binary(min_size=1, max_size=MAX_PAYLOAD))
@example(bytes(MAX_PAYLOAD))
def test_both_sides_write_the_same_line(firmware: Library, payload: bytes) -> None:
    line = framing.encode_frame(payload)
    assert encode(firmware, payload) == line
    assert decode(firmware, line) == ([payload], 0)


frames = st.binary(min_size=1, max_size=40).map(framing.encode_frame)
noise = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"\x05", b"\x12", b"\x05\x12", b"\n", b"\r", b"\x06\x09", b"\x04\x14", b"A"]),
)


@settings(max_examples=300)
@given(st.lists(st.one_of(frames, noise), max_size=12))
def test_both_decoders_agree_on_frames_between_noise(firmware: Library, parts: list[bytes]) -> None:
    stream = b"".join(parts) + b"\n"
    assert decode(firmware, stream) == twin(stream)


@st.composite
def damaged_streams(draw: st.DrawFn) -> bytes:
    """Frames of which single bytes are lost, doubled or changed."""
    stream = bytearray(b"".join(draw(st.lists(frames, min_size=1, max_size=4))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(stream) - 1))
        kind = draw(st.sampled_from(["lose", "double", "change"]))
        if kind == "lose" and len(stream) > 1:
            del stream[at]
        elif kind == "double":
            stream.insert(at, stream[at])
        else:
            stream[at] = draw(st.integers(0, 255))
    return bytes(stream) + b"\n"


@settings(max_examples=300)
@given(damaged_streams())
def test_both_decoders_agree_on_damaged_frames(firmware: Library, stream: bytes) -> None:
    assert decode(firmware, stream) == twin(stream)


@given(damaged_streams(), st.binary(min_size=1, max_size=40))
def test_after_any_damage_the_next_line_is_read(
    firmware: Library, stream: bytes, payload: bytes
) -> None:
    payloads, _ = decode(firmware, stream + framing.encode_frame(payload))
    assert payloads[-1] == payload
