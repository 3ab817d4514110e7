# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the ROM of Espressif's chips loads from the start of the flash.

A program with a header, which the build makes from an ELF file with esptool (its documentation:
"Firmware Image Format").
"""

import sys
from hashlib import sha256
from pathlib import Path

from torpor.errors import ImageError

MAGIC = b"\xe9"
_HEADER_BYTES = 24
_SEGMENT_BYTES = 8
_CHECKSUM_SEED = 0xEF
_HASH_BYTES = 32
_OPTIONS = {  # what the ROM reads the flash with: modes that every module can do
    "esp32c3": (
        *("--flash-mode", "dio", "--flash-freq", "40m", "--flash-size", "4MB"),
        *("--min-rev-full", "3"),  # 0.3: older ones want their supplies trimmed first
    ),
}
_CHIPS = {"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c2": 12, "esp32c6": 13}


def command(elf: Path, chip: str, out: Path) -> list[str]:
    """Return the command that makes an image of a program: what lies where in the file."""
    words = [sys.executable, "-m", "esptool", "--chip", chip, "elf2image", "--use-segments"]
    return [*words, *_OPTIONS.get(chip, ()), "-o", str(out), str(elf)]


def image_of(elf: Path) -> tuple[Path, bytes]:
    """Return what the build has made of a program for the ROM: the file beside it.

    Raises:
        ImageError: it is not there, or older.
    """
    made = elf.with_suffix(".bin")
    if not made.exists() or made.stat().st_mtime < elf.stat().st_mtime:
        raise ImageError(
            f"{made} is not there or older than {elf.name}: the ROM loads that, and no ELF file",
            "scons ... image makes it",
        )
    return made, made.read_bytes()


def check(path: Path, data: bytes, chip: str) -> None:
    """Prove that an image is whole and for a chip.

    Raises:
        ImageError: it is not.
    """
    if len(data) < _HEADER_BYTES or data[:1] != MAGIC:
        raise ImageError(f"{path} is no program for {chip}: it does not begin as one")
    if data[1] == 0:
        raise ImageError(f"{path} holds no program")
    number = int.from_bytes(data[12:14], "little")
    if _CHIPS.get(chip, number) != number:
        names = [name for name, known in _CHIPS.items() if known == number]
        raise ImageError(f"{path} is for {names[0] if names else f'chip {number}'}, not for {chip}")
    end, checksum = _walk(path, data)
    if end >= len(data) or data[end] != checksum:
        raise ImageError(f"{path} is damaged: its checksum is wrong")
    end += 1
    if not data[23]:
        return
    if sha256(data[:end]).digest() != data[end : end + _HASH_BYTES]:
        raise ImageError(f"{path} is damaged: its hash is wrong")


def _walk(path: Path, data: bytes) -> tuple[int, int]:
    """Return where the checksum is, in the last byte of 16, and what it should be."""
    at, checksum = _HEADER_BYTES, _CHECKSUM_SEED
    for _ in range(data[1]):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        begin, at = at + _SEGMENT_BYTES, at + _SEGMENT_BYTES + size
        if at > len(data):
            raise ImageError(f"{path} is truncated: {len(data):,} bytes, {at:,} and more promised")
        for byte in data[begin:at]:
            checksum ^= byte
    return at // 16 * 16 + 15, checksum
