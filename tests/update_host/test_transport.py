# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""smpclient over our streams: messages among other lines, damage, late answers, lost ports."""

import asyncio
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp import packet

from torpor.errors import DeviceError
from torpor.update.transport import Assembler, LinkLostError, LinkTransport, answers
from torpor.wire import framing, records


def message(body: bytes, sequence: int = 5, op: int = 1, group: int = 1, command: int = 0) -> bytes:
    return struct.pack("!BBHHBB", op | 8, 0, len(body), group, sequence, command) + body


def lines(data: bytes) -> list[bytes]:
    return list(packet.encode(data, 128))


bodies = st.binary(max_size=400)


# ---- messages from lines


@given(bodies)
def test_a_message_of_any_length_is_put_together(body: bytes) -> None:
    assembler = Assembler()
    *first, last = [assembler.feed(line) for line in lines(message(body))]
    assert (first, last) == ([None] * len(first), message(body))


@given(bodies, st.data())
def test_damaged_lines_never_raise_and_the_next_message_is_whole(
    body: bytes, data: st.DataObject
) -> None:
    stream = bytearray(b"".join(lines(message(body))))
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    decoder, assembler = framing.Decoder(), Assembler()
    events = decoder.feed(bytes(stream) + b"\n" + b"".join(lines(message(b"next"))))
    found = [assembler.feed(event.line) for event in events if isinstance(event, framing.Smp)]
    assert found[-1] == message(b"next")


@given(st.lists(st.binary(max_size=40)))
def test_any_lines_may_come(pieces: list[bytes]) -> None:
    assembler = Assembler()
    for piece in pieces:
        for marker in framing.SMP_MARKERS:
            assembler.feed(marker + piece + b"\n")


def test_the_rest_of_a_message_whose_beginning_was_lost_is_nothing() -> None:
    assembler = Assembler()
    assert [assembler.feed(line) for line in lines(message(bytes(300)))[1:]] == [None] * 3


def test_a_message_that_is_shorter_than_it_says_is_dropped() -> None:
    short = message(b"abc")[:-1]
    assert [Assembler().feed(line) for line in lines(short)] == [None]
    assert [Assembler().feed(line) for line in lines(b"abc")] == [None]


# ---- questions and answers


def test_an_answer_has_the_group_the_number_and_the_command_of_its_request() -> None:
    request = message(b"", op=0)
    assert answers(message(b"x"), request)
    for other in (
        message(b"x", sequence=6),
        message(b"x", op=3),
        message(b"x", group=2),
        message(b"x", command=1),
    ):
        assert not answers(other, request)


class Script:
    """A port whose other end is a function; None from it is a lost port."""

    def __init__(self, answer: Callable[[bytes], bytes | None], stale: bytes = b"") -> None:
        self._answer, self._arrived = answer, stale
        self.closed = 0

    def read(self, timeout: float) -> bytes:
        arrived, self._arrived = self._arrived, b""
        return arrived

    def write(self, data: bytes) -> None:
        answer = self._answer(data)
        if answer is None:
            raise DeviceError("gone", "look for it")
        self._arrived += answer

    def close(self) -> None:
        self.closed += 1


def ask(script: Script, request: bytes, said: list[str] | None = None) -> bytes:
    async def run() -> bytes:
        transport = LinkTransport(lambda _port: script, (said if said is not None else []).append)
        await transport.connect("x", 1)
        async with asyncio.timeout(5):
            return await transport.send_and_receive(request)

    return asyncio.run(run())


def test_other_lines_pass_by_and_text_is_told() -> None:
    record = framing.encode_frame(records.encode(records.Counters(1, 2, 3)))
    wanted = message(b"wanted")
    stream = b"starts\r\n" + record + b"".join(lines(wanted)[:1]) + record + b"no \x06 marker\n"
    said: list[str] = []
    script = Script(lambda _data: stream + b"".join(lines(wanted)[1:]))
    assert ask(script, message(b"", op=0), said) == wanted
    assert said == ["starts", "no \x06 marker"]


def test_late_and_damaged_answers_are_passed_over() -> None:
    late, damaged = message(b"late", sequence=4), lines(message(b"damaged"))[0]
    damaged = damaged[:6] + b"?" + damaged[7:]
    wanted = message(b"wanted")
    script = Script(lambda _data: b"".join([*lines(late), damaged, *lines(wanted)]))
    assert ask(script, message(b"", op=0)) == wanted


def test_what_has_arrived_before_the_port_was_opened_answers_nothing() -> None:
    stale, wanted = message(b"stale"), message(b"wanted")
    script = Script(lambda _data: b"".join(lines(wanted)), b"".join(lines(stale)))
    assert ask(script, message(b"", op=0)) == wanted


def test_requests_are_lines_that_a_device_can_hold() -> None:
    sent: list[bytes] = []

    def answer(data: bytes) -> bytes:
        sent.append(data)
        return b"".join(lines(message(b"ok")))

    ask(Script(answer), message(bytes(1000), op=0))
    assert all(len(line) <= 127 for line in sent[0].splitlines(keepends=True))


def test_a_lost_port_is_an_error_of_its_own_with_the_words_of_the_port() -> None:
    with pytest.raises(LinkLostError, match="gone") as caught:
        ask(Script(lambda _data: None), message(b"", op=0))
    assert caught.value.hint == "look for it"


def test_a_port_that_was_never_opened_is_lost() -> None:
    with pytest.raises(LinkLostError, match="not open"):
        _ = LinkTransport(lambda _port: Script(lambda _data: b"")).link


def test_a_port_can_be_closed_twice_and_is_closed_once() -> None:
    script = Script(lambda _data: b"")

    async def run() -> None:
        transport = LinkTransport(lambda _port: script)
        await transport.connect("x", 1)
        assert transport.is_open
        await transport.disconnect()
        await transport.disconnect()
        assert not transport.is_open

    asyncio.run(run())
    assert script.closed == 1


def test_a_message_leaves_room_for_its_frame_in_the_buffer_of_the_device() -> None:
    transport = LinkTransport(lambda _port: Script(lambda _data: b""))
    assert (transport.mtu, transport.max_unencoded_size) == (256, 252)
    transport.initialize(1024)
    assert (transport.mtu, transport.max_unencoded_size) == (1024, 1020)
