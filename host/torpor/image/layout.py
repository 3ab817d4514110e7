# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Numbers of the image format: ours read from firmware/update/image.h, MCUboot's written down."""

import re
import struct

from torpor.paths import FIRMWARE

HEADER = FIRMWARE / "update" / "image.h"

_DEFINE = re.compile(r"^#define[ \t]+IMAGE_(\w+)[ \t]+(0x[0-9a-fA-F]+|\d+)u?\b", re.M)
_STRUCT = re.compile(r"typedef\s+struct\s*\{([^{}]*)\}\s*image_capability_t\s*;")
_MEMBER = re.compile(r"(uint(?:8|16|32)_t)\s+(\w+)(?:\[(\d+)\])?")
_CODES = {"uint8_t": "B", "uint16_t": "H", "uint32_t": "I"}


def read_defines(text: str) -> dict[str, int]:
    """Return the numeric #defines of a header like image.h, without their prefix "IMAGE_"."""
    return {name: int(value, 0) for name, value in _DEFINE.findall(text)}


def read_capability(text: str) -> tuple[struct.Struct, dict[str, int]]:
    """Return how image_capability_t lies in an image, and the length of each member in order.

    Raises:
        ValueError: the header has no such struct, or a member is no number of fixed width.
    """
    found = _STRUCT.search(re.sub(r"/\*.*?\*/", " ", text, flags=re.S))
    if found is None:
        raise ValueError("image.h: no struct image_capability_t")
    codes, lengths = "<", {}
    for part in filter(None, (part.strip() for part in found[1].split(";"))):
        member = _MEMBER.fullmatch(part)
        if member is None:
            raise ValueError(f"image.h: not understood: '{part}'")
        lengths[member[2]] = int(member[3] or 1)
        codes += f"{lengths[member[2]]}{_CODES[member[1]]}"
    return struct.Struct(codes), lengths


_TEXT = HEADER.read_text(encoding="utf-8")
DEFINES = read_defines(_TEXT)
CAPABILITY, CAPABILITY_MEMBERS = read_capability(_TEXT)

MAGIC = DEFINES["MAGIC"]
HEADER_BYTES = DEFINES["HEADER_BYTES"]
ID_BYTES = DEFINES["ID_BYTES"]
TRAILER_BYTES = DEFINES["TRAILER_BYTES"]
TLV_BOARD = DEFINES["TLV_BOARD"]
TLV_CAPABILITY = DEFINES["TLV_CAPABILITY"]
CAPABILITY_FORMAT = 1

# MCUboot's: magic, load address, header, protected records, payload, flags, version (4), reserved
HEADER_STRUCT = struct.Struct("<IIHHIIBBHII")
AREA_STRUCT = struct.Struct("<HH")  # magic and length of an area, type and length of a record
AREA_PROTECTED, AREA_UNPROTECTED = 0x6908, 0x6907
FLAG_NON_BOOTABLE, FLAG_ROM_FIXED = 0x10, 0x100
TLV_KEYHASH, TLV_SHA256, TLV_ED25519, TLV_COUNTER = 0x01, 0x10, 0x24, 0x50
TLV_VENDOR = 0xA0  # from here on types are free for anybody
HASH_BYTES, SIGNATURE_BYTES = 32, 64
PAYLOAD_ALIGN = 16  # a plan's

NAMES = {
    TLV_KEYHASH: "key hash",
    TLV_SHA256: "SHA-256",
    TLV_ED25519: "Ed25519 signature",
    TLV_COUNTER: "security counter",
    TLV_BOARD: "board",
    TLV_CAPABILITY: "capability",
}
"""What a record is, by its type."""
