# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The reader on the host accepts what the device accepts, and reads the same in it."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.drafts import DRAFTS, Draft
from tests.support.images import BOARD, CAPABILITY, COUNTER, ROM_FIXED
from tests.update.device import M0, A, Device, Geometry
from torpor.errors import ImageError
from torpor.image.capability import Capability
from torpor.image.keys import development_key
from torpor.image.parse import Image, parse, verify
from torpor.powercut.library import open_update

CAN = Capability(1, 2, frozenset([0]), 1000, frozenset([2, 40, 127]), 7)
FULL = Draft(
    flags=ROM_FIXED,
    address=0x1234,
    header_bytes=48,
    protected=((COUNTER, b"\1\2\3\4"), (BOARD, b"toy"), (CAPABILITY, CAN.encode())),
)


@pytest.fixture(scope="module")
def device() -> Device:
    """A device that knows the development key."""
    made = Device(open_update("undefined"), Geometry(firmware=0x12000, model=0x12000))
    made.key.public_key, made.key.hash = development_key().public, development_key().hash
    return made


def on_host(data: bytes) -> Image | None:
    """Return the image that the host reads and believes, or None."""
    try:
        image = parse(data)
        verify(image, development_key())
    except ImageError:
        return None
    return image


def on_device(device: Device, data: bytes) -> Any:
    """Return the image_t that the device reads and believes, or None."""
    slot = M0 if data[16:17] and data[16] & 0x10 else A
    device.load(slot, data)
    image = device.ffi.new("image_t *")
    if device.name(device.lib.image_parse(device.layout, slot, image)) != "ok":
        return None
    digest = device.ffi.new("uint8_t[32]")
    start = device.lib.flash_at(device.layout.slots[slot].offset)
    device.lib.verify_hash(start, image.signed_bytes, digest)
    signed = device.lib.verify_signature(image.signature, device.key.public_key, digest, 32)
    whole = image.total_bytes == len(data)
    is_known = bytes(device.ffi.buffer(image.key_hash, 32)) == development_key().hash
    is_right = bytes(device.ffi.buffer(image.hash, 32)) == bytes(digest)
    return image if signed and whole and is_known and is_right else None


def same(device: Device, data: bytes) -> None:
    """Fail unless both believe the same of a file."""
    host, read = on_host(data), on_device(device, data)
    assert (host is None) == (read is None)
    if host is None:
        return
    buffer = device.ffi.buffer
    assert host.payload == bytes(buffer(read.payload, read.payload_bytes))
    version = read.version
    assert host.version.major == version.major
    assert host.version.minor == version.minor
    assert host.version.revision == version.revision
    assert host.version.build == version.build
    assert (host.counter, host.is_model) == (read.counter, read.is_model)
    assert host.address == (read.address if read.has_address else None)
    assert host.hash == bytes(buffer(read.hash, 32))
    assert (host.board is None) == (read.board == device.ffi.NULL)
    if host.board is not None:
        named = bytes(buffer(read.board, read.board_bytes))
        assert host.board == named.decode(errors="backslashreplace")
    same_capability(device, host, read)


def same_capability(device: Device, host: Image, read: Any) -> None:
    """Fail unless both read the same capability."""
    found = device.ffi.new("image_capability_t *")
    known = device.lib.image_capability(read, found)
    assert known == (host.capability is not None)
    if host.capability is not None:
        assert device.ffi.buffer(found)[:] == host.capability.encode()


@given(DRAFTS)
@example(FULL)
@example(Draft())
@settings(max_examples=500)
def test_both_believe_the_same_images(device: Device, draft: Draft) -> None:
    same(device, draft.build())


@given(st.integers(0, 8 * len(FULL.build()) - 1))
@settings(max_examples=300)
def test_both_notice_a_flipped_bit(device: Device, bit: int) -> None:
    data = bytearray(FULL.build())
    data[bit // 8] ^= 1 << bit % 8
    same(device, bytes(data))


@given(st.integers(0, len(FULL.build())))
def test_both_notice_a_missing_end(device: Device, length: int) -> None:
    same(device, FULL.build()[:length])


@given(st.binary(max_size=300))
def test_both_take_no_random_bytes(device: Device, data: bytes) -> None:
    same(device, b"\x3d\xb8\xf3\x96" + data)
    assert on_host(data) is None


def test_both_take_what_is_sound(device: Device) -> None:
    """So that the comparisons above compare something."""
    for draft in (FULL, Draft(), Draft(protected=())):
        assert on_host(draft.build()) is not None
        assert on_device(device, draft.build()) is not None
