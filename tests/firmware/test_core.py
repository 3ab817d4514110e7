# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/core: ring, event loop, CRC-32 and text against small models in Python."""

import zlib
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.conftest import Library

RING_BYTES = 512
TEXT_BYTES = 96


def new_ring(firmware: Library, **counts: int) -> Any:
    """Return a ring of `RING_BYTES`."""
    room = {"bytes": firmware.c.shim_room, "size": RING_BYTES}
    return firmware.ffi.new("ring_t *", room | counts)


def take_all(firmware: Library, ring: object) -> bytes:
    byte = firmware.ffi.new("uint8_t *")
    out = bytearray()
    while firmware.c.ring_take(ring, byte):
        out.append(byte[0])
    return bytes(out)


def test_an_empty_ring_gives_nothing(firmware: Library) -> None:
    assert take_all(firmware, new_ring(firmware)) == b""


def test_a_full_ring_counts_what_it_loses_and_keeps_the_oldest(firmware: Library) -> None:
    ring = new_ring(firmware)
    for i in range(RING_BYTES + 3):
        firmware.c.ring_put(ring, i & 0xFF)
    assert firmware.c.ring_lost(ring) == 3
    assert take_all(firmware, ring) == bytes(i & 0xFF for i in range(RING_BYTES))
    firmware.c.ring_put(ring, 9)
    assert take_all(firmware, ring) == b"\x09"


def test_the_ring_works_across_the_wrap_of_its_counts(firmware: Library) -> None:
    ring = new_ring(firmware, put=2**32 - 2, taken=2**32 - 2)
    for value in b"abcd":
        firmware.c.ring_put(ring, value)
    assert take_all(firmware, ring) == b"abcd"
    assert firmware.c.ring_lost(ring) == 0


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=300), st.integers(1, 300))))
def test_the_ring_is_a_bounded_queue(firmware: Library, steps: list[bytes | int]) -> None:
    ring, byte = new_ring(firmware), firmware.ffi.new("uint8_t *")
    model: deque[int] = deque()
    lost = 0
    for step in steps:
        if isinstance(step, bytes):
            for value in step:
                firmware.c.ring_put(ring, value)
                if len(model) == RING_BYTES:
                    lost += 1
                else:
                    model.append(value)
        else:
            for _ in range(step):
                assert firmware.c.ring_take(ring, byte) == bool(model)
                assert not model or byte[0] == model.popleft()
    assert firmware.c.ring_lost(ring) == lost


def handled(firmware: Library) -> list[int]:
    return list(firmware.c.shim_handled[0 : firmware.c.shim_handled_count])


def test_nothing_is_pending_at_first(firmware: Library) -> None:
    firmware.c.shim_start_loop()
    loop = firmware.ffi.addressof(firmware.c, "shim_loop")
    assert not firmware.c.loop_pending(loop)
    firmware.c.loop_dispatch(loop)
    assert handled(firmware) == []


def test_events_are_handled_lowest_first_and_once(firmware: Library) -> None:
    firmware.c.shim_start_loop()
    loop = firmware.ffi.addressof(firmware.c, "shim_loop")
    for event in (2, 0, 2):
        firmware.c.loop_post(loop, event)
    assert firmware.c.loop_pending(loop)
    firmware.c.loop_dispatch(loop)
    assert handled(firmware) == [0, 2]
    assert not firmware.c.loop_pending(loop)


def test_events_posted_by_a_handler_are_not_lost(firmware: Library) -> None:
    firmware.c.shim_start_loop()
    loop = firmware.ffi.addressof(firmware.c, "shim_loop")
    firmware.c.loop_post(loop, 1)
    firmware.c.loop_dispatch(loop)
    assert handled(firmware) == [1, 0, 1, 0, 1, 0, 2]
    assert not firmware.c.loop_pending(loop)


def test_an_event_without_a_handler_does_no_harm(firmware: Library) -> None:
    firmware.c.shim_start_loop()
    loop = firmware.ffi.addressof(firmware.c, "shim_loop")
    firmware.c.loop_post(loop, 3)
    firmware.c.loop_dispatch(loop)
    assert handled(firmware) == []
    assert not firmware.c.loop_pending(loop)


def test_crc32_of_the_check_string(firmware: Library) -> None:
    assert firmware.c.crc32_update(0, b"123456789", 9) == 0xCBF43926


@given(st.binary(), st.binary())
def test_crc32_is_that_of_zlib_in_pieces(firmware: Library, head: bytes, tail: bytes) -> None:
    crc = firmware.c.crc32_update(0, head, len(head))
    assert firmware.c.crc32_update(crc, tail, len(tail)) == zlib.crc32(head + tail)


def content(firmware: Library, text: object) -> bytes:
    return bytes(firmware.ffi.buffer(text.bytes, text.length))  # type: ignore[attr-defined]


@given(st.integers(0, 2**32 - 1))
def test_numbers_are_written_in_decimal_and_hexadecimal(firmware: Library, number: int) -> None:
    text = firmware.ffi.new("text_t *")
    firmware.c.text_uint(text, number)
    firmware.c.text_string(text, b" ")
    firmware.c.text_hex(text, number)
    assert content(firmware, text) == f"{number} {number:08x}".encode()


@given(st.binary(max_size=120).map(lambda b: b.replace(b"\0", b"")))
def test_text_has_no_control_characters_and_one_line_end(firmware: Library, raw: bytes) -> None:
    text = firmware.ffi.new("text_t *")
    firmware.c.text_string(text, raw)
    firmware.c.text_end(text)
    clean = bytes(0x3F if b < 0x20 or b == 0x7F else b for b in raw)
    assert content(firmware, text) == clean[: TEXT_BYTES - 1] + b"\n"


@pytest.mark.parametrize("length", [0, 94, 95, 96, 97, 200])
def test_a_full_text_still_ends_its_line(firmware: Library, length: int) -> None:
    text = firmware.ffi.new("text_t *")
    firmware.c.text_string(text, b"x" * length)
    firmware.c.text_end(text)
    assert content(firmware, text) == b"x" * min(length, TEXT_BYTES - 1) + b"\n"


@pytest.mark.parametrize("before", [85, 86, 90, 95])
def test_a_number_that_does_not_fit_is_cut(firmware: Library, before: int) -> None:
    for write, written in (
        (firmware.c.text_uint, b"4294967295"),
        (firmware.c.text_hex, b"ffffffff"),
    ):
        text = firmware.ffi.new("text_t *")
        firmware.c.text_string(text, b"x" * before)
        write(text, 2**32 - 1)
        assert content(firmware, text) == (b"x" * before + written)[:TEXT_BYTES]


@pytest.mark.parametrize(
    ("byte", "shown"),
    [(0x01, b"?"), (0x1F, b"?"), (0x20, b" "), (0x7E, b"~"), (0x7F, b"?"), (0x80, b"\x80")],
)
def test_control_characters_end_exactly_where_they_do(
    firmware: Library, byte: int, shown: bytes
) -> None:
    text = firmware.ffi.new("text_t *")
    firmware.c.text_string(text, bytes([byte]))
    assert content(firmware, text) == shown
