# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/wire/base64.c against Python's base64."""

import base64
import binascii

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.firmware.conftest import Library

DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def decode(firmware: Library, text: bytes) -> bytes | None:
    """Return the bytes of a text, or None if a digit was refused or a group stayed open."""
    decoder = firmware.ffi.new("base64_t *")
    group, count = firmware.ffi.new("uint8_t[3]"), firmware.ffi.new("uint32_t *")
    found = bytearray()
    for digit in text:
        if not firmware.c.base64_take(decoder, digit, group, count):
            return None
        found += bytes(group)[: count[0]]
    return bytes(found) if decoder.digits == 0 else None


def encode(firmware: Library, data: bytes) -> bytes:
    text = bytearray()
    digits = firmware.ffi.new("uint8_t[4]")
    for start in range(0, len(data), 3):
        part = data[start : start + 3]
        firmware.c.base64_put(part, len(part), digits)
        text += bytes(digits)
    return bytes(text)


def reference(text: bytes) -> bytes | None:
    """Return what Python makes of a text, strictly: bits that belong to no byte are zero."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return data if base64.b64encode(data) == text else None


@given(st.binary())
def test_both_ways_are_those_of_python(firmware: Library, data: bytes) -> None:
    text = base64.b64encode(data)
    assert encode(firmware, data) == text
    assert decode(firmware, text) == data


@given(st.lists(st.sampled_from([*DIGITS, *b"AAA==="]), max_size=16).map(bytes))
@example(b"AA==")
@example(b"AB==")
@example(b"AAB=")
@example(b"AA==AAAA")
@example(b"A===")
def test_any_text_of_digits_is_read_as_python_reads_it(firmware: Library, text: bytes) -> None:
    assert decode(firmware, text) == reference(text)


@pytest.mark.parametrize("byte", sorted(set(range(256)) - set(DIGITS) - {ord("=")}))
def test_a_byte_that_is_no_digit_is_refused(firmware: Library, byte: int) -> None:
    assert decode(firmware, b"AAA" + bytes([byte])) is None
