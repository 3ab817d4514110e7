# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Machine code that hangs, sleeps for ever or crashes, at the beginning of main() of an image."""

import dataclasses
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from torpor.board import Board
from torpor.emulate import functions
from torpor.image.build import Contents

ENDLESS = {
    # CPSIE i, NOP, and B to it (Arm DDI 0419, A6.7): Renode takes B to itself for sleep.
    "cortexm": b"\x62\xb6\x00\xbf\xfd\xe7",
    "riscv": b"\x01\xa0",  # C.J to itself
    "x86_64": b"\xeb\xfe",  # JMP to itself
    "aarch64": b"\x00\x00\x00\x14",
}
ASLEEP = {"cortexm": b"\x62\xb6\x30\xbf\xfd\xe7"}  # CPSIE i, WFI, and B to it
UNDEFINED = {
    "cortexm": b"\xff\xde",  # UDF
    "riscv": b"\x00\x00",  # all bits 0
    "x86_64": b"\x0f\x0b",  # UD2
    "aarch64": b"\x00\x00\x00\x00",  # UDF
}


def machine(board: Board) -> str:
    """Key of ENDLESS and UNDEFINED."""
    return board.core.architecture or platform.machine()


def with_code(elf: Path, code: bytes) -> Callable[[Contents], Contents]:
    """Return what puts machine code at the beginning of main() of the image made of `elf`."""

    def change(contents: Contents) -> Contents:
        at = offset_of_main(elf, contents)
        payload = contents.payload[:at] + code + contents.payload[at + len(code) :]
        return dataclasses.replace(contents, payload=payload)

    return change


def offset_of_main(elf: Path, contents: Contents) -> int:
    """An image of this computer holds the file; of a chip what lies in its code memory."""
    (main,) = functions(elf, "main")
    if contents.address is not None:
        return main.address - contents.address - contents.header_bytes
    with elf.open("rb") as file:
        parsed: Any = ELFFile(file)
        return int(next(parsed.address_offsets(main.address)))
