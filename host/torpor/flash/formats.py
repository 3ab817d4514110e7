# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The two formats of files that drives take: UF2 and Intel HEX.

UF2: github.com/microsoft/uf2, README. Intel HEX: "Hexadecimal Object File Format Specification",
Revision A, 1988.
"""

import struct

_MAGIC = 0x0A324655, 0x9E5D5157
_MAGIC_END = 0x0AB16F30
_FAMILY_ID_PRESENT = 0x2000
PAYLOAD = 256
_BLOCK = struct.Struct("<8I476sI")
_DATA, _END, _UPPER = 0, 1, 4
_HEX_BYTES = 16


def uf2(runs: list[tuple[int, bytes]], family: int) -> bytes:
    """Return a file of blocks for a boot ROM or bootloader that is a drive.

    Args:
        runs: address and bytes, both multiples of `PAYLOAD`.
        family: which chips take it.
    """
    parts = [
        (address + at, data[at : at + PAYLOAD])
        for address, data in runs
        for at in range(0, len(data), PAYLOAD)
    ]
    assert all(at % PAYLOAD == 0 and len(part) == PAYLOAD for at, part in parts)
    blocks = (
        _BLOCK.pack(
            *(*_MAGIC, _FAMILY_ID_PRESENT, at, PAYLOAD, number, len(parts), family),
            part,
            _MAGIC_END,
        )
        for number, (at, part) in enumerate(parts)
    )
    return b"".join(blocks)


def intel_hex(runs: list[tuple[int, bytes]]) -> bytes:
    """Return the text of records.

    Args:
        runs: address and bytes, by address.
    """
    lines, upper = [], 0
    for address, data in runs:
        at = 0
        while at < len(data):
            place = address + at
            if place >> 16 != upper:
                upper = place >> 16
                lines.append(_record(0, _UPPER, upper.to_bytes(2, "big")))
            room = 0x10000 - (place & 0xFFFF)
            part = data[at : at + min(_HEX_BYTES - place % _HEX_BYTES, room)]
            lines.append(_record(place & 0xFFFF, _DATA, part))
            at += len(part)
    return "".join([*lines, _record(0, _END, b"")]).encode("ascii")


def _record(address: int, kind: int, data: bytes) -> str:
    body = bytes([len(data), address >> 8, address & 0xFF, kind]) + data
    return f":{body.hex()}{-sum(body) & 0xFF:02x}\r\n".upper()
