# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Programs whose first bytes a chip's ROM loads into RAM and starts, if their checksum is right.

RP2040 Datasheet, 2.8.1.3.1: 256 bytes; the last four are a CRC-32 of the others, polynomial
04C11DB7h, highest bit first, from all ones, not inverted, little-endian.
"""

from pathlib import Path

from elftools.elf.elffile import ELFFile

from torpor.board import Memory
from torpor.errors import BudgetError

_POLYNOMIAL = 0x04C11DB7
_CHECKSUM_BYTES = 4
_PLACE = bytes(_CHECKSUM_BYTES)  # what the linker leaves there


def checksum(data: bytes) -> int:
    """Return the CRC-32 as the ROM calculates it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = crc << 1 ^ (_POLYNOMIAL if crc >> 31 else 0)
            crc &= 0xFFFFFFFF
    return crc


def finish(elf: Path, code: Memory) -> None:
    """Put the checksum into a program that lies at the start of the code memory.

    One that lies elsewhere is no business of the ROM's, and left alone.

    Raises:
        BudgetError: the second stage leaves no room for it.
    """
    assert code.second_stage is not None
    size = code.second_stage
    with elf.open("r+b") as file:
        starts = {
            part["p_paddr"]: part["p_offset"]
            for part in ELFFile(file).iter_segments("PT_LOAD")
            if part["p_filesz"] >= size
        }
        if code.origin not in starts:
            return
        file.seek(starts[code.origin])
        stage = file.read(size)
        body, place = stage[:-_CHECKSUM_BYTES], stage[-_CHECKSUM_BYTES:]
        if place != _PLACE:
            raise BudgetError(
                f"{elf}: the second stage is too long",
                f"{size - _CHECKSUM_BYTES} bytes, and {_CHECKSUM_BYTES} for its checksum",
            )
        file.seek(starts[code.origin] + len(body))
        file.write(checksum(body).to_bytes(_CHECKSUM_BYTES, "little"))
