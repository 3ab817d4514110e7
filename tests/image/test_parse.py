# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Image files are read strictly: what is unsound is refused in one line, never by a traceback."""

import struct
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.drafts import DRAFTS, Draft, development_private, records
from tests.support.images import (
    BOARD,
    CAPABILITY,
    COUNTER,
    ED25519,
    KEYHASH,
    ORDER,
    ROM_FIXED,
    SHA256,
    UNPROTECTED,
)
from torpor.errors import ImageError
from torpor.image import parse as module
from torpor.image.capability import Capability
from torpor.image.keys import development_key, new_key
from torpor.image.parse import Image, Record, parse, read_image, verify
from torpor.image.version import Version

CAN = Capability(1, 1, frozenset([0]), 1000, frozenset([2, 40]), 7)
MODEL = Draft()
FIRMWARE = Draft(
    flags=ROM_FIXED,
    address=0x6800,
    header_bytes=0x200,
    protected=(
        (COUNTER, struct.pack("<I", 9)),
        (BOARD, b"microbit"),
        (CAPABILITY, CAN.encode()),
    ),
)
SOUND = FIRMWARE.build()
RIGHT = tuple(FIRMWARE.proof(SOUND[: 0x200 + 100 + 56]))


def refused(draft: Draft | bytes) -> str:
    """Return the words with which an image is refused."""
    with pytest.raises(ImageError) as caught:
        parse(draft if isinstance(draft, bytes) else draft.build())
    return caught.value.message


def test_a_firmware_says_what_it_is() -> None:
    image = parse(SOUND)
    assert (image.kind, image.version, str(image.version)) == (
        "firmware",
        Version(1, 2, 3, 4),
        "1.2.3+4",
    )
    assert (image.address, image.counter, image.board) == (0x6800, 9, "microbit")
    assert image.capability == CAN
    assert (image.payload, image.header_bytes) == (FIRMWARE.payload, 0x200)
    assert image.hash == sha256(SOUND[: 0x200 + 100 + 56]).digest()
    assert image.id == image.hash[:8]
    assert image.key_hash == development_key().hash
    assert image.data == SOUND


def test_a_model_says_what_it_is() -> None:
    image = parse(replace(MODEL, protected=()).build())
    assert (image.kind, image.address, image.counter, image.board) == ("model", None, 0, None)
    assert image.capability is None
    assert image.payload == MODEL.payload


def test_records_are_told_in_order_with_what_they_are() -> None:
    draft = replace(MODEL, protected=((COUNTER, bytes(4)), (0xBEEF, b"?")))
    assert [(r.type, r.name, r.is_protected) for r in parse(draft.build()).records] == [
        (COUNTER, "security counter", True),
        (0xBEEF, "unknown", True),
        (SHA256, "SHA-256", False),
        (KEYHASH, "key hash", False),
        (ED25519, "Ed25519 signature", False),
    ]


def test_an_address_counts_only_with_its_flag() -> None:
    assert parse(replace(MODEL, address=0x1234).build()).address is None


def test_what_is_not_signed_says_nothing() -> None:
    """Records that matter are believed only where the signature covers them."""
    loose = ((COUNTER, b"\xff" * 4), (BOARD, b"nrf51"), (CAPABILITY, CAN.encode()))
    whole = replace(MODEL, protected=()).build()[:-144] + records(
        UNPROTECTED, (*_right(replace(MODEL, protected=())), *loose)
    )
    image = parse(whole)
    assert (image.counter, image.board, image.capability) == (0, None, None)
    assert [record.name for record in image.records[-3:]] == ["unknown"] * 3


def _right(draft: Draft) -> tuple[tuple[int, bytes], ...]:
    return tuple(draft.proof(draft.build()[:-144]))


def test_a_signature_among_the_protected_records_is_none() -> None:
    draft = replace(MODEL, protected=((SHA256, bytes(32)), (ED25519, bytes(64)), (KEYHASH, b"")))
    image = parse(draft.build())
    assert [record.name for record in image.records[:3]] == ["unknown"] * 3
    verify(image, development_key())


def test_a_capability_of_another_format_says_nothing() -> None:
    other = b"\x02" + CAN.encode()[1:]
    assert parse(replace(MODEL, protected=((CAPABILITY, other),)).build()).capability is None


def test_the_name_of_a_board_may_be_any_bytes() -> None:
    assert parse(replace(MODEL, protected=((BOARD, b"\xff\x1b["),)).build()).board == "\\xff\x1b["
    assert parse(replace(MODEL, protected=((BOARD, b""),)).build()).board == ""


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"magic": 0x96F3B83C}, "not an image"),
        ({"header_bytes": 16}, "a header of 16 bytes"),
        ({"header_bytes": 40}, "a header of 40 bytes"),
        ({"flags": 0x4}, "flags 0x4: encrypted"),
        ({"flags": 0x20}, "flags 0x20: encrypted, compressed or run from RAM"),
        ({"flags": 0x80000010}, "flags 0x80000010"),
        ({"payload_bytes": 0xFFFFFFFF}, "4,294,967,327 bytes of header and payload in"),
        ({"payload_bytes": 99}, "no protected records where they should be"),
        ({"promised": 13}, "12 bytes of protected records, 13 promised"),
        ({"promised": 0}, "no records where they should be"),
        ({"protected": (), "promised": 12}, "no protected records where"),
        ({"protected_magic": 0x6907}, "no protected records where"),
        ({"unprotected_magic": 0x6908}, "no records where"),
        ({"protected": ((COUNTER, bytes(8)),)}, "a record security counter of 8 bytes"),
        ({"protected": ((CAPABILITY, bytes(27)),)}, "a record capability of 27 bytes"),
        ({"protected": ((BOARD, b"a"), (BOARD, b"b"))}, "two records board"),
        ({"protected": ((COUNTER, bytes(4)),) * 2}, "two records security counter"),
        ({"hash": bytes(31)}, "a record SHA-256 of 31 bytes"),
        ({"key_hash": bytes(64)}, "a record key hash of 64 bytes"),
        ({"signature": bytes(63)}, "a record Ed25519 signature of 63 bytes"),
        ({"unprotected": ()}, "no record key hash"),
        ({"unprotected": RIGHT[:2]}, "no record Ed25519 signature"),
        ({"unprotected": RIGHT[1:]}, "no record SHA-256"),
        ({"unprotected": (*RIGHT, RIGHT[0])}, "two records SHA-256"),
        ({"unprotected": (*RIGHT, RIGHT[2])}, "two records Ed25519 signature"),
        ({"hash": bytes(32)}, "its bytes are not those that were signed: was the file damaged?"),
    ],
)
def test_what_is_unsound_is_refused_by_name(changed: dict[str, object], words: str) -> None:
    said = refused(replace(MODEL, **changed))  # type: ignore[arg-type]
    assert words in said
    assert "\n" not in said


def test_a_record_may_not_reach_beyond_its_area() -> None:
    bad = struct.pack("<HHHH", 0x6908, 8, COUNTER, 4)
    data = replace(MODEL, protected=(), promised=8).build()
    assert "one of the protected records goes beyond their end" in refused(
        data[:132] + bad + data[132:]
    )
    odd = struct.pack("<HHBB", 0x6908, 6, 1, 1)
    data = replace(MODEL, protected=(), promised=6).build()
    assert "goes beyond their end" in refused(data[:132] + odd + data[132:])


def test_an_area_counts_its_own_header() -> None:
    data = replace(MODEL, protected=(), promised=3).build()
    assert "go beyond the end" in refused(data[:132] + struct.pack("<HH", 0x6908, 3) + data[132:])


def test_bytes_behind_the_end_are_refused() -> None:
    assert "1 bytes follow its end" in refused(SOUND + b"\0")
    with pytest.raises(ImageError) as caught:
        parse(SOUND + b"\xff" * 1000)
    assert caught.value.message.endswith("1,000 bytes follow its end")
    assert "--pad" in caught.value.hint


@pytest.mark.parametrize(
    ("data", "what", "remedy"),
    [
        (b"", "not an image, but an empty file", "was it written completely?"),
        (b"\x3d", "not an image: it does not begin as one", "torpor image build"),
        (bytes(32), "not an image: it does not begin as one", "torpor image build"),
        (b"\x7fELF" + bytes(60), "not an image, but an ELF file", "scons board=... image"),
        (b"TPLN", "not an image, but a plan without signature", "torpor image build"),
        (b"\x1c\0\0\0TFL3" + bytes(60), "not an image, but a .tflite", "model=FILE image"),
        (b"-----BEGIN PRIVATE KEY-----\n", "not an image, but a PEM file", "torpor keys show"),
    ],
    ids=["empty", "byte", "zeros", "elf", "plan", "tflite", "key"],
)
def test_what_is_no_image_at_all_is_told_how_to_become_one(
    data: bytes, what: str, remedy: str
) -> None:
    with pytest.raises(ImageError) as caught:
        parse(data)
    assert caught.value.message == what
    assert remedy in caught.value.hint


def test_a_file_that_does_not_end_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LARGEST", 1000)
    (tmp_path / "large").write_bytes(bytes(1001))
    with pytest.raises(ImageError, match=r"large: not an image: more than 1,000 bytes"):
        read_image(tmp_path / "large")


def test_every_truncated_file_is_refused() -> None:
    small = replace(FIRMWARE, header_bytes=32, payload=b"12345678").build()
    parse(small)
    for length in range(len(small)):
        refused(small[:length])


def test_every_flipped_bit_is_noticed() -> None:
    """By the hash, by a length, or by the key; whatever is left is signed."""
    small = replace(FIRMWARE, header_bytes=32, payload=b"12345678").build()
    for bit in range(8 * len(small)):
        changed = bytearray(small)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ImageError):
            verify(parse(bytes(changed)), development_key())


@given(st.binary(max_size=400))
def test_no_bytes_end_in_a_traceback(data: bytes) -> None:
    refused(data)
    refused(b"\x3d\xb8\xf3\x96" + data)


@given(DRAFTS)
@settings(max_examples=300)
def test_no_images_end_in_a_traceback(draft: Draft) -> None:
    data = draft.build()
    try:
        image = parse(data)
    except ImageError as error:
        assert "\n" not in error.message
        return
    assert isinstance(image, Image)
    assert image.data == data
    verify(image, development_key())


def test_a_signature_is_that_of_the_key() -> None:
    verify(parse(SOUND), development_key())
    wrong = development_private().sign(b"another hash")
    with pytest.raises(
        ImageError, match=r"^the signature is wrong: not made with development.pem$"
    ):
        verify(parse(replace(FIRMWARE, signature=wrong).build()), development_key())


def test_another_key_is_named(tmp_path: Path) -> None:
    key = new_key(tmp_path / "other.pem")
    with pytest.raises(ImageError, match="signed with another key: it names") as caught:
        verify(parse(SOUND), key)
    assert development_key().hash.hex()[:16] in caught.value.message
    assert key.hash.hex()[:16] in caught.value.message
    with pytest.raises(ImageError, match="the signature is wrong"):
        verify(parse(replace(FIRMWARE, key_hash=key.hash).build()), key)


def test_a_malleated_signature_is_refused() -> None:
    signature = parse(SOUND).signature
    s = int.from_bytes(signature[32:], "little") + ORDER
    malleated = replace(FIRMWARE, signature=signature[:32] + s.to_bytes(32, "little"))
    with pytest.raises(ImageError, match="the signature is wrong"):
        verify(parse(malleated.build()), development_key())


def test_a_file_is_named_where_it_is_unsound(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    with pytest.raises(ImageError, match=r"cannot read .*x.bin: No such file"):
        read_image(path)
    path.write_bytes(SOUND[:-1])
    with pytest.raises(
        ImageError, match=r"x.bin: truncated, or a length, flag or record is wrong: "
    ):
        read_image(path)
    path.write_bytes(SOUND)
    assert read_image(path) == parse(SOUND)


def test_a_record_knows_its_name_by_type_and_place() -> None:
    assert Record(BOARD, b"", True).name == "board"
    assert Record(BOARD, b"", False).name == "unknown"
