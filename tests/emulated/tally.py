# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Builds tally.c, the smallest firmware that uses flash, for any board whose flash lasts."""

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from torpor.board import Board
from torpor.emulate import Emulator

SOURCE = Path(__file__).with_name("tally.c")
RESERVED = 0x6000  # bytes of a flash that has the code in it too
_NVMC = "*(word_t *)0x4001E504 = 1"  # CONFIG: write enabled (nRF51 Series Reference Manual, 6.1)
_PFLASH = ("*place = 0x00400040", "*place = 0x00FF00FF")  # program, read array: two chips
_AROUND = {"debug-port": (_NVMC, ""), "pflash": _PFLASH, "memory": ("", "")}


def offset(board: Board) -> int:
    """Return where in the flash the words go."""
    assert board.flash
    return RESERVED if board.flash.origin == board.memory["code"].origin else 0


def build(board: Board, folder: Path) -> Path:
    """Return the ELF."""
    assert board.flash and board.emulator
    code, ram = board.memory["code"].origin, board.memory["ram"].origin
    before, after = _AROUND[board.emulator.flash]
    defines = {
        "RAM": f"{ram:#x}u",
        "FLASH": f"{board.flash.origin + offset(board):#x}u",
        "STACK": f'"{ram + 0x1000:#x}"',
        "BEFORE": before,
        "AFTER": after,
    }
    elf = folder / "tally.elf"
    subprocess.run(
        [
            *(f"{board.core.toolchain}-gcc", *board.core.flags, "-ffreestanding", "-nostdlib"),
            *("-Os", "-Wall", "-Wextra", "-Werror"),
            *(f"-D{name}={value}" for name, value in defines.items()),
            f"-Wl,--section-start=.first={code:#x},-Ttext={code + 0x100:#x},-e,start",
            *("-Wl,--build-id=none,--nmagic,--no-warn-rwx-segments", str(SOURCE), "-o", str(elf)),
        ],
        check=True,
    )
    return elf


@dataclass
class Tally:
    """What the firmware has in RAM."""

    magic: int
    resets: int
    limit: int
    written: int


def look(emulator: Emulator) -> Tally:
    """Read it through the debug port."""
    return Tally(*struct.unpack("<4I", emulator.debugger.read(_ram(emulator), 16)))


def ask(emulator: Emulator, limit: int) -> None:
    """Tell the firmware how many words the flash shall have."""
    emulator.debugger.write([(_ram(emulator) + 8, struct.pack("<I", limit))])


def words(content: bytes) -> list[int]:
    """Return the words that a flash has, up to the first erased one."""
    found = [word for (word,) in struct.iter_unpack("<I", content)]
    return found[: found.index(0xFFFFFFFF)]


def _ram(emulator: Emulator) -> int:
    return emulator.board.memory["ram"].origin
