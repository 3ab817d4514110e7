# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the device makes of an image in a slot: each defect has its own reason."""

import hashlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import images
from tests.support.images import BOARD, CAPABILITY, COUNTER, ImageParts, tlv
from tests.update.device import M0, A, B, Device, Geometry


@pytest.fixture
def device(opened: tuple[Any, Any]) -> Device:
    """Return a device with empty slots."""
    return Device(opened)


def parse(device: Device, slot: int) -> tuple[str, Any]:
    """Return the verdict of image_parse() and the image."""
    image = device.ffi.new("image_t *")
    return device.name(device.lib.image_parse(device.layout, slot, image)), image


def parts(device: Device, slot: int = A, **fields: Any) -> bytes:
    """Return an image for a firmware slot, with some parts changed."""
    return ImageParts(**{"address": device.address(slot), **fields}).build()


def test_a_sound_image_is_accepted_and_its_facts_are_read(device: Device) -> None:
    device.load(B, parts(device, B, payload=b"x" * 100, version=(1, 2, 3, 4), counter=7))
    verdict, image = parse(device, B)
    assert verdict == device.check(B) == "ok"
    version = image.version
    assert (version.major, version.minor, version.revision, version.build) == (1, 2, 3, 4)
    assert (image.counter, image.payload_bytes, image.address) == (7, 100, device.address(B))
    assert device.ffi.buffer(image.payload, 100)[:] == b"x" * 100
    assert bytes(device.ffi.buffer(image.board, image.board_bytes)) == b"toy"
    assert not image.is_model
    assert image.has_address


def test_the_hash_is_that_of_all_that_is_signed(device: Device) -> None:
    file = parts(device)
    device.load(A, file)
    _, image = parse(device, A)
    signed = file[: image.signed_bytes]
    assert device.ffi.buffer(image.hash, 32)[:] == hashlib.sha256(signed).digest()
    assert image.total_bytes == len(file)


def test_an_image_without_protected_records_is_parsed(device: Device) -> None:
    device.load(A, parts(device, counter=None, board=None))
    verdict, image = parse(device, A)
    assert verdict == "ok"
    assert image.counter == 0
    assert image.board == device.ffi.NULL
    assert device.check(A) == "board", "firmware has to name its board"


def test_a_model_runs_on_every_board_unless_it_names_one(device: Device) -> None:
    device.load(M0, images.model(b"p" * 64))
    assert device.check(M0) == "ok"
    device.load(M0, images.model(b"p" * 64, board=b"toy"))
    assert device.check(M0) == "ok"
    device.load(M0, images.model(b"p" * 64, board=b"other"))
    assert device.check(M0) == "board"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"magic": 0x96F3B83C}, "empty"),
        ({"board": b"to"}, "board"),
        ({"board": b"toy2"}, "board"),
        ({"board": b""}, "board"),
        ({"address": None}, "link"),
        ({"model": True}, "kind"),
        ({"key": images.key(1)}, "key"),
        ({"header_bytes": 0x208}, "format"),
        ({"flags": images.ROM_FIXED | 4}, "format"),
        ({"flags": images.ROM_FIXED | 0x20}, "format"),
        ({"image_bytes": 0xFFFFFFFF}, "size"),
        ({"image_bytes": 1 << 16}, "size"),
        ({"image_bytes": 63}, "format"),
        ({"image_bytes": 65}, "format"),
        ({"protect_bytes": 0}, "format"),
        ({"protect_bytes": 3}, "format"),
        ({"protect_bytes": 0xFFFF}, "format"),
        ({"more_protected": (tlv(COUNTER, b"\0\0\0\0"),)}, "format"),
        ({"more_protected": (tlv(BOARD, b"toy"),)}, "format"),
        ({"counter": None, "more_protected": (tlv(COUNTER, b"\0\0\0"),)}, "format"),
        ({"counter": None, "more_protected": (tlv(COUNTER, b"\0\0\0\0\0"),)}, "format"),
        ({"more_protected": (tlv(CAPABILITY, b"\1" * 27),)}, "format"),
        ({"more_protected": (b"\xa5",)}, "format"),
        ({"more_protected": (b"\xa5\0\1\0",)}, "format"),
        ({"more_protected": (b"\xa5\0\xff\xff" + b"x",)}, "format"),
        ({"more_unprotected": (tlv(images.SHA256, bytes(32)),)}, "format"),
        ({"more_unprotected": (tlv(images.KEYHASH, bytes(32)),)}, "format"),
        ({"more_unprotected": (tlv(images.ED25519, bytes(64)),)}, "format"),
        ({"more_unprotected": (b"\x99\0\2\0x",)}, "format"),
    ],
)
def test_each_defect_has_its_reason(device: Device, fields: dict[str, Any], reason: str) -> None:
    device.load(A, parts(device, **fields))
    assert device.check(A) == reason


@pytest.mark.parametrize("missing", [images.SHA256, images.KEYHASH, images.ED25519])
def test_a_record_that_proves_something_must_be_there(device: Device, missing: int) -> None:
    file = parts(device)
    at = file.rindex(struct.pack("<HH", missing, 64 if missing == images.ED25519 else 32))
    device.load(A, file[:at] + b"\x99" + file[at + 1 :])
    assert device.check(A) == "format"


def test_unknown_records_are_passed_over(device: Device) -> None:
    more = tlv(0xC1, b"something")
    device.load(A, parts(device, more_protected=(more,), more_unprotected=(more,)))
    assert device.check(A) == "ok"


def test_the_image_of_the_other_slot_is_refused(device: Device) -> None:
    device.load(A, device.firmware(B))
    assert device.check(A) == "link"


def test_a_firmware_is_no_model_and_a_model_no_firmware(device: Device) -> None:
    device.load(M0, device.firmware(A))
    assert device.check(M0) == "kind"
    device.load(A, images.model())
    assert device.check(A) == "kind"


def test_every_changed_byte_is_noticed(device: Device) -> None:
    """In the header, the payload and the protected records: by the hash or before."""
    file = parts(device, header_bytes=0x20)
    device.load(A, file)
    _, image = parse(device, A)
    for at in range(image.signed_bytes):
        device.load(A, file[:at] + bytes([file[at] ^ 0x40]) + file[at + 1 :])
        assert device.check(A) != "ok", f"byte {at}"


def test_a_changed_payload_is_a_wrong_hash_and_a_changed_signature_a_wrong_one(
    device: Device,
) -> None:
    file = parts(device)
    device.load(A, file[:0x200] + b"P" + file[0x201:])
    assert device.check(A) == "hash"
    device.load(A, images.with_signature(file, bytes(64)))
    assert device.check(A) == "signature"


def test_a_malleated_signature_is_refused(device: Device) -> None:
    device.load(A, images.with_signature(parts(device), add_order=True))
    assert device.check(A) == "signature"


def test_a_hash_that_was_not_signed_is_refused(device: Device) -> None:
    """Payload and hash changed together: only the signature can tell."""
    payload = b"evil" * 16
    other = parts(device, payload=payload)
    digest = hashlib.sha256(other[: parse_signed(device, other)]).digest()
    mine = parts(device)
    signature = mine[-64:]
    forged = images.with_signature(other, signature)
    assert digest in forged
    device.load(A, forged)
    assert device.check(A) == "signature"


def parse_signed(device: Device, file: bytes) -> int:
    """Return how many bytes of an image are signed."""
    device.load(A, file)
    return int(parse(device, A)[1].signed_bytes)


def test_the_trailer_stays_free(device: Device) -> None:
    room = device.geometry.sizes[A] - 48
    spare = room - len(parts(device, payload=b""))
    device.load(A, parts(device, payload=bytes(spare)))
    assert device.check(A) == "ok"
    device.load(A, parts(device, payload=bytes(spare + 1)))
    assert device.check(A) in ("format", "size")


def test_the_security_counter_may_rise_but_not_fall(device: Device) -> None:
    device.load(A, parts(device, counter=5))
    for least, verdict in [(0, "ok"), (5, "ok"), (6, "counter"), (0xFFFFFFFF, "counter")]:
        device.state().counter = least
        assert device.check(A) == verdict
    device.load(A, parts(device, counter=None))
    device.state().counter = 1
    assert device.check(A) == "counter", "no counter is counter 0"


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "ok"),
        ({"magic": 0}, "empty"),
        ({"address": 0x1234}, "link"),
        ({"model": True}, "kind"),
        ({"flags": 1}, "format"),
        ({"image_bytes": 1 << 20}, "size"),
    ],
)
def test_a_header_alone_says_whether_the_rest_is_worth_receiving(
    device: Device, change: dict[str, Any], verdict: str
) -> None:
    header = parts(device, **change)[:32]
    assert device.name(device.lib.image_check_header(device.layout, A, header)) == verdict


def test_the_capability_is_read_as_it_was_written(device: Device) -> None:
    device.load(A, parts(device, capability=images.capability([2, 33, 127], 4096, 5, (1, 3))))
    _, image = parse(device, A)
    found = device.ffi.new("image_capability_t *")
    assert device.lib.image_capability(image, found)
    assert list(found.kernels) == [1 << 2, 1 << 1, 0, 1 << 31]
    assert (found.arena_bytes, found.targets) == (4096, 5)
    assert (found.plan_version_min, found.plan_version_max) == (1, 3)


def test_a_capability_of_another_format_is_none(device: Device) -> None:
    device.load(A, parts(device, capability=b"\2" + bytes(27)))
    _, image = parse(device, A)
    assert not device.lib.image_capability(image, device.ffi.new("image_capability_t *"))
    device.load(A, parts(device))
    _, image = parse(device, A)
    assert not device.lib.image_capability(image, device.ffi.new("image_capability_t *"))


def test_where_both_slots_are_mapped_to_one_address_one_image_fits_both(
    opened: tuple[Any, Any],
) -> None:
    device = Device(opened)
    device.layout.link = [0, 0]
    file = ImageParts(address=None).build()
    for slot in (A, B):
        device.load(slot, file)
        assert device.check(slot) == "ok"


@given(
    content=st.binary(max_size=2000),
    at=st.integers(0, 700),
    header=st.binary(min_size=32, max_size=32),
)
def test_nothing_that_lies_in_a_slot_breaks_the_parser(
    opened: tuple[Any, Any], content: bytes, at: int, header: bytes
) -> None:
    device = Device(opened, Geometry(firmware=2048))
    file = parts(device, header_bytes=0x20)
    device.load(A, (file[:at] + content)[: device.geometry.sizes[A]])
    held = device.slot(A)[: len(file)]
    assert device.check(A) == "ok" if held == file else device.check(A) != "ok"
    device.load(A, struct.pack("<I", images.MAGIC) + header[4:] + file[32:])
    assert device.check(A) != "ok" or header[4:] == file[4:32]
