# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""OpenOCD and pyOCD with a chip whose flash is a file: `python tools.py NAME FOLDER ARGUMENTS`.

They do to the flash what the arguments say, by the rules of flash: bits are set by erasing only. In
the folder: `flash` (begins at address ORIGIN, in blocks of BLOCK bytes), `argv` (a line of JSON a
call), and `say`, text that is printed instead (its first line: the exit code). With `worn` there,
a bit does not take.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

ORIGIN = 0x08000000
BLOCK = 0x1000


class Flash:
    """The chip."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "flash"
        self._worn = (folder / "worn").exists()
        self._data = bytearray(self._path.read_bytes())

    def erase(self, begin: int, end: int) -> None:
        """Erase the blocks that have any of these addresses."""
        first = (begin - ORIGIN) // BLOCK * BLOCK
        last = -(-(end - ORIGIN) // BLOCK) * BLOCK
        assert 0 <= first <= last <= len(self._data), "not in the flash"
        self._data[first:last] = b"\xff" * (last - first)

    def write(self, address: int, data: bytes) -> None:
        """Clear bits."""
        at = address - ORIGIN
        for byte in data:
            self._data[at] &= byte
            at += 1
        if self._worn:
            self._data[at - 1] ^= 0x10

    def read(self, address: int, size: int) -> bytes:
        """Return what is there."""
        at = address - ORIGIN
        return bytes(self._data[at : at + size])

    def save(self) -> None:
        """Let it last."""
        self._path.write_bytes(self._data)


def openocd(flash: Flash, words: list[str]) -> int:
    """Do what `-c` says, as OpenOCD does it."""
    for option, command in pairwise(words):
        if option == "-c" and (code := _openocd_command(flash, command.split())):
            return code
    return 0


def _openocd_command(flash: Flash, words: list[str]) -> int:
    match words:
        case ["flash", "erase_address", "pad", address, size]:
            flash.erase(int(address, 16), int(address, 16) + int(size, 16))
            print(f"erased address {address} (length {int(size, 16)}) in 0.1s (99.0 KiB/s)")
        case ["flash", "write_image", name, address, "bin"]:
            data = Path(name).read_bytes()
            flash.write(int(address, 16), data)
            print(f"wrote {len(data)} bytes from file {name} in 0.2s (42.0 KiB/s)")
        case ["verify_image", name, address, "bin"]:
            data = Path(name).read_bytes()
            if flash.read(int(address, 16), len(data)) != data:
                print("Error: checksum mismatch - attempting binary compare\ndiff 0 address 0x0")
                print("Error: contents differ")
                return 1
            print(f"verified {len(data)} bytes in 0.1s (99.9 KiB/s)")
    return 0


def pyocd(flash: Flash, words: list[str]) -> int:
    """Do what a subcommand says, as pyOCD does it."""
    for word in words:
        if words[0] == "erase" and word.startswith("0x"):
            begin, end = (int(part, 16) for part in word.split("-"))
            flash.erase(begin, end)
        elif words[0] == "load" and "@" in word:
            name, _, address = word.partition("@")
            flash.write(int(address, 16), Path(name).read_bytes())
        elif words[0] == "commander" and word.startswith("savemem "):
            _, address, size, name = word.split()
            Path(name).write_bytes(flash.read(int(address, 16), int(size)))
    return 0


def main() -> int:
    """Play the tool."""
    name, folder, *words = sys.argv[1:]
    state = Path(folder)
    with (state / "argv").open("a") as file:
        print(json.dumps([name, *words]), file=file)
    if (state / "say").exists():
        first, _, text = (state / "say").read_text().partition("\n")
        print(text, file=sys.stderr)
        return int(first)
    flash = Flash(state)
    code = {"openocd": openocd, "pyocd": pyocd}[name](flash, words)
    flash.save()
    return code


if __name__ == "__main__":
    sys.exit(main())
