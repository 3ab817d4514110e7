# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Lines on the wire: the shared vectors, and properties under every kind of damage."""

import asyncio
import tomllib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from smp import packet as smp_packet
from smpclient.transport.serial.encoded import SMPSerialTransport

from torpor.wire import framing, records
from torpor.wire.framing import Decoder, Dropped, Event, Frame, Smp, Text, encode_frame

VECTORS = tomllib.loads(
    (Path(__file__).parents[1] / "vectors" / "framing.toml").read_text(encoding="utf-8")
)
PINNED = settings(derandomize=True, deadline=None, max_examples=200)
FORBIDDEN = (b"\x06\x09", b"\x04\x14")

payloads = st.binary(min_size=1, max_size=framing.MAX_PAYLOAD)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)
uints = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))
some_records = st.one_of(
    st.builds(records.Ping, uints),
    st.builds(records.Run, uints, uints, uints),
    st.builds(records.Input, uints, uints, uints, st.binary(max_size=256)),
    st.builds(records.Result, *7 * [uints], st.binary(max_size=64)),
)


def decode_all(chunks: Iterable[bytes]) -> list[Event]:
    decoder = Decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def frames_of(events: Iterable[Event]) -> list[bytes]:
    return [event.payload for event in events if isinstance(event, Frame)]


def by_name(rows: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(row, id=row["name"].replace(" ", "-")) for row in rows]


# ---- vectors


@pytest.mark.parametrize("row", by_name(VECTORS["frame"]))
def test_a_payload_becomes_the_line_of_the_vector(row: dict[str, str]) -> None:
    assert encode_frame(bytes.fromhex(row["payload"])) == row["line"].encode()


@pytest.mark.parametrize("row", by_name(VECTORS["frame"]))
def test_the_line_of_the_vector_becomes_its_payload(row: dict[str, str]) -> None:
    events = decode_all([row["line"].encode()])
    assert events == [Frame(bytes.fromhex(row["payload"]))]


@pytest.mark.parametrize("row", by_name(VECTORS["stream"]))
def test_a_noisy_stream_gives_the_frames_of_the_vector(row: dict[str, Any]) -> None:
    events = decode_all([bytes.fromhex(row["bytes"])])
    dropped = [e for e in events if isinstance(e, Dropped) and e.line.startswith(framing.MARKER)]
    assert [payload.hex() for payload in frames_of(events)] == row["frames"]
    assert len(dropped) == row["dropped"]


def test_the_crc_is_the_catalogue_s_xmodem() -> None:
    assert framing.crc16(b"123456789") == 0x31C3


# ---- what each line becomes


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"hello\n", [Text(b"hello")]),
        (b"hello\r\n", [Text(b"hello")]),
        (b"\r\n\n", []),
        (b"\x06\x09AAAA\n", [Smp(b"\x06\x09AAAA\n")]),
        (b"\x04\x14AAAA\r\n", [Smp(b"\x04\x14AAAA\r\n")]),
        (b"log\x06\x09AAAA\n", [Text(b"log"), Smp(b"\x06\x09AAAA\n")]),
        (b"\x05\x12!\n", [Dropped("base64", b"\x05\x12!")]),
        (b"\x05\x12AAA=\n", [Dropped("short", b"\x05\x12AAA=")]),
        (b"\x05\x12AAAB\n", [Dropped("crc", b"\x05\x12AAAB")]),
        (b"\x05\x12gg\x05\x12\n", [Dropped("cut", b"\x05\x12gg"), Dropped("short", b"\x05\x12")]),
    ],
)
def test_each_kind_of_line_is_told_apart(stream: bytes, expected: list[Event]) -> None:
    assert decode_all([stream]) == expected


def test_an_overlong_frame_is_dropped_once_and_named_long() -> None:
    events = decode_all([framing.MARKER + b"A" * 3000 + b"\nafter\n"])
    assert [type(e) for e in events] == [Dropped, Text]
    assert isinstance(events[0], Dropped)
    assert events[0].reason == "long"
    assert events[1] == Text(b"after")


def test_an_overlong_frame_says_so_once_although_another_follows_on_its_line() -> None:
    events = decode_all([framing.MARKER + b"A" * 700 + encode_frame(b"\x80")])
    assert [type(e) for e in events] == [Dropped, Frame]


def test_the_longest_frame_may_end_in_cr_lf() -> None:
    payload = bytes(framing.MAX_PAYLOAD)
    assert decode_all([encode_frame(payload)[:-1] + b"\r\n"]) == [Frame(payload)]


def test_overlong_text_arrives_in_pieces_and_complete() -> None:
    line = bytes(range(32, 127)) * 40
    events = decode_all([line + b"\n"])
    assert all(isinstance(e, Text) for e in events)
    assert b"".join(e.line for e in events if isinstance(e, Text)) == line


@given(st.binary(max_size=4000))
@PINNED
def test_the_decoder_never_holds_more_than_one_line(noise: bytes) -> None:
    decoder = Decoder()
    for byte in noise.replace(b"\n", b""):
        decoder.feed(bytes([byte]))
        assert len(decoder.pending) <= framing.MAX_LINE


def test_text_of_any_bytes_can_be_shown() -> None:
    assert str(Text(b"caf\xc3\xa9 \xff")) == "café \\xff"


@pytest.mark.parametrize("size", [0, framing.MAX_PAYLOAD + 1])
def test_a_payload_of_impossible_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="384"):
        encode_frame(bytes(size))


# ---- properties


@given(payloads)
@PINNED
def test_what_is_encoded_is_decoded(payload: bytes) -> None:
    line = encode_frame(payload)
    assert len(line) <= framing.MAX_LINE
    assert decode_all([line]) == [Frame(payload)]


@given(st.lists(payloads, max_size=5))
@PINNED
def test_no_stream_of_frames_contains_an_smp_marker(sent: list[bytes]) -> None:
    stream = b"".join(map(encode_frame, sent))
    assert not any(marker in stream for marker in FORBIDDEN)
    assert stream.count(framing.MARKER) == len(sent)


@st.composite
def noisy_streams(draw: st.DrawFn) -> bytes:
    line = st.one_of(
        st.builds(encode_frame, payloads),
        st.binary(max_size=30),
        st.sampled_from([b"\x05", b"\x12", b"\x05\x12", b"\x06\x09", b"\x04\x14", b"\n", b"\r\n"]),
        st.builds(lambda n: b"\x05\x12" + b"A" * n, st.integers(500, 530)),
        texts.map(lambda text: text.encode() + b"\r\n"),
    )
    return b"".join(draw(st.lists(line, max_size=10)))


@given(noisy_streams(), st.data())
@PINNED
def test_any_cutting_of_a_stream_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    edges = [0, *sorted(cuts), len(stream)]
    assert decode_all(stream[a:b] for a, b in pairwise(edges)) == decode_all([stream])


def garble(stream: bytes, kind: str, at: int, byte: int) -> bytes:
    """Damage one byte: flip it, drop it, double it, or put another before it."""
    head, here, tail = stream[:at], stream[at : at + 1], stream[at + 1 :]
    changed = {
        "flip": bytes([here[0] ^ (byte or 1)]),
        "drop": b"",
        "duplicate": here + here,
        "insert": bytes([byte]) + here,
    }
    return head + changed[kind] + tail


faults = st.tuples(
    st.sampled_from(["flip", "drop", "duplicate", "insert"]),
    st.floats(0, 1, exclude_max=True),
    st.one_of(st.integers(0, 255), st.sampled_from(b"\n\r\x05\x12A=")),
)


@given(st.lists(some_records, min_size=1, max_size=5), st.lists(faults, min_size=1, max_size=6))
@PINNED
def test_no_damage_ever_yields_a_record_that_was_not_sent(
    sent: list[records.Record], damage: list[tuple[str, float, int]]
) -> None:
    stream = b"".join(encode_frame(records.encode(record)) for record in sent)
    for kind, where, byte in damage:
        stream = garble(stream, kind, int(where * len(stream)), byte)
    received = [records.decode(payload) for payload in frames_of(decode_all([stream]))]
    assert all(isinstance(r, records.Unknown) or r in sent for r in received)


@given(
    before=st.lists(some_records, max_size=3),
    hit=some_records,
    after=st.lists(some_records, min_size=1, max_size=3),
    fault=faults,
)
@PINNED
@example(  # the line feed before `after` is lost: the marker alone must be enough
    before=[], hit=records.Ping(1), after=[records.Ping(2)], fault=("drop", 0.999, 0)
)
def test_one_damaged_byte_costs_no_other_frame(
    before: list[records.Record],
    hit: records.Record,
    after: list[records.Record],
    fault: tuple[str, float, int],
) -> None:
    def line(record: records.Record) -> bytes:
        return encode_frame(records.encode(record))

    kind, where, byte = fault
    target = line(hit)
    stream = (
        b"".join(map(line, before))
        + garble(target, kind, int(where * len(target)), byte)
        + b"".join(map(line, after))
    )
    received = frames_of(decode_all([stream]))
    untouched = [records.encode(r) for r in before], [records.encode(r) for r in after]
    assert received[: len(before)] == untouched[0]
    assert received[len(received) - len(after) :] == untouched[1]
    assert received[len(before) : len(received) - len(after)] in ([], [records.encode(hit)])


# ---- together with SMP


class SmpClient(SMPSerialTransport):
    """smpclient's serial transport, reading a stream in small pieces in place of a port."""

    def __init__(self, stream: bytes, step: int) -> None:
        super().__init__()
        self._pieces = [stream[i : i + step] for i in range(0, len(stream), step)]

    async def _read_all(self) -> bytes:  # type: ignore[misc]  # replaces the port's own
        return self._pieces.pop(0) if self._pieces else b""


def smp_receive(stream: bytes, count: int, step: int = 7) -> list[bytes]:
    """Let smpclient read `count` SMP messages out of a stream."""
    transport = SmpClient(stream, step)

    async def run() -> list[bytes]:
        return [await asyncio.wait_for(transport.receive(), 5) for _ in range(count)]

    return asyncio.run(run())


smp_messages = st.binary(min_size=8, max_size=300)


@given(
    st.lists(st.tuples(smp_messages, payloads, texts), min_size=1, max_size=4), st.integers(1, 64)
)
@settings(PINNED, max_examples=60)
def test_smpclient_finds_its_messages_between_our_frames_and_text(
    parts: list[tuple[bytes, bytes, str]], step: int
) -> None:
    stream = b""
    for message, payload, text in parts:
        for line in smp_packet.encode(message):
            stream += encode_frame(payload) + line + text.encode() + b"\n"
    assert smp_receive(stream, len(parts), step) == [message for message, _, _ in parts]


@given(st.lists(st.one_of(smp_messages, payloads), min_size=1, max_size=5), st.randoms())
@PINNED
def test_our_decoder_passes_smp_traffic_through_byte_for_byte(
    parts: list[bytes], random: Any
) -> None:
    stream, smp_lines, ours = b"", [], []
    for part in parts:
        if random.random() < 0.5:
            lines = list(smp_packet.encode(part))
            smp_lines += lines
            stream += b"".join(lines)
        else:
            ours.append(part)
            stream += encode_frame(part)
    events = decode_all([stream])
    assert [e.line for e in events if isinstance(e, Smp)] == smp_lines
    assert frames_of(events) == ours
    assert len(events) == len(smp_lines) + len(ours)


def test_an_smp_answer_is_read_although_our_frame_before_it_lost_its_line_feed() -> None:
    message = bytes(range(40))
    stream = encode_frame(b"\x80")[:-1] + b"".join(smp_packet.encode(message))
    assert smp_receive(stream, 1) == [message]
