# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the ROM of Espressif's chips loads from the start of the flash.

A program with a header, made from an ELF file by esptool (its documentation: "Firmware Image
Format"). esptool's licence is the GPL: it is run as a program.
"""

import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from torpor.errors import ImageError

MAGIC = b"\xe9"
_HEADER_BYTES = 24
_SEGMENT_BYTES = 8
_CHECKSUM_SEED = 0xEF
_HASH_BYTES = 32
_CHIPS = {"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c2": 12, "esp32c6": 13}


def image_of(elf: Path, chip: str) -> bytes:
    """Return the image of a program: that of the build beside it if it is as new, else made now.

    Raises:
        ImageError: esptool cannot make one.
    """
    made = elf.with_suffix(".bin")
    if made.exists() and made.stat().st_mtime >= elf.stat().st_mtime:
        data = made.read_bytes()
        if data[:1] == MAGIC:
            return data
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "image.bin"
        command = [sys.executable, "-m", "esptool", "--chip", chip, "elf2image", "-o", str(out)]
        done = subprocess.run([*command, str(elf)], capture_output=True, text=True, check=False)
        if done.returncode or not out.exists():
            said = (done.stderr or done.stdout).strip().splitlines()
            raise ImageError(f"{elf}: esptool: {said[-1] if said else 'failed without a word'}")
        return out.read_bytes()


def check(path: Path, data: bytes, chip: str) -> None:
    """Prove that an image is whole and for a chip.

    Raises:
        ImageError: it is not.
    """
    if len(data) < _HEADER_BYTES or data[:1] != MAGIC:
        raise ImageError(f"{path} is no program for {chip}: it does not begin as one")
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
