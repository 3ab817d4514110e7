# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The numbers of the image format are those of image.h, and MCUboot's."""

import imgtool.image
import pytest

from torpor.board import load_board
from torpor.board.layout import HEADER_BYTES
from torpor.image import layout


def test_the_numbers_come_from_the_header() -> None:
    assert layout.MAGIC == 0x96F3B83D
    assert (layout.HEADER_BYTES, layout.TRAILER_BYTES, layout.ID_BYTES) == (32, 48, 8)
    assert (layout.TLV_BOARD, layout.TLV_CAPABILITY) == (0xA0, 0xA1)
    assert layout.CAPABILITY.size == layout.DEFINES["CAPABILITY_BYTES"] == 28


def test_what_is_mcuboots_is_as_imgtool_has_it() -> None:
    types, flags = imgtool.image.TLV_VALUES, imgtool.image.IMAGE_F
    assert (types["KEYHASH"], types["SHA256"]) == (layout.TLV_KEYHASH, layout.TLV_SHA256)
    assert (types["ED25519"], types["SEC_CNT"]) == (layout.TLV_ED25519, layout.TLV_COUNTER)
    assert flags["NON_BOOTABLE"] == layout.FLAG_NON_BOOTABLE
    assert flags["ROM_FIXED"] == layout.FLAG_ROM_FIXED
    assert layout.MAGIC == imgtool.image.IMAGE_MAGIC
    assert layout.AREA_PROTECTED == imgtool.image.TLV_PROT_INFO_MAGIC
    assert layout.AREA_UNPROTECTED == imgtool.image.TLV_INFO_MAGIC
    assert layout.TLV_VENDOR == imgtool.image.TLV_VENDOR_RES_MIN
    assert layout.HEADER_STRUCT.size == layout.HEADER_BYTES == imgtool.image.IMAGE_HEADER_SIZE


def test_a_firmwares_header_leaves_its_code_aligned() -> None:
    assert HEADER_BYTES % layout.PAYLOAD_ALIGN == 0
    assert layout.HEADER_BYTES % layout.PAYLOAD_ALIGN == 0
    assert load_board("microbit").links == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no struct"),
        ("typedef struct { int a; } image_capability_t;", "not understood: 'int a'"),
        ("typedef struct { uint8_t *a; } image_capability_t;", "not understood"),
        ("typedef struct { uint8_t a; } other_t;", "no struct"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        layout.read_capability(text)


def test_comments_and_arrays_are_understood() -> None:
    text = "typedef struct { uint8_t a; /* uint8_t no; */ uint32_t b[3]; } image_capability_t;"
    made, members = layout.read_capability(text)
    assert (made.format, members) == ("<1B3I", {"a": 1, "b": 3})
    assert layout.read_defines(
        "#define IMAGE_A 0x10u\n#define IMAGE_B 7 /* x */\n#define C 1\n"
    ) == {
        "A": 16,
        "B": 7,
    }
