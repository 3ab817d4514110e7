# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What an ELF file says of a program: which bytes lie where in the flash, and its constants.

A constant may be seen at another address than it lies at (an MMU, separate buses): both are kept.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from torpor.errors import ImageError


@dataclass(frozen=True)
class Segment:
    """Bytes of a program.

    Attributes:
        lies: address that they are loaded to.
        seen: address that the program sees them at.
        data: the bytes.
    """

    lies: int
    seen: int
    data: bytes


@dataclass(frozen=True)
class Program:
    """A program.

    Attributes:
        path: its file.
        segments: what is to be loaded, by address.
        symbols: address of each named object and function.
    """

    path: Path
    segments: tuple[Segment, ...]
    symbols: dict[str, int]

    def content(self, address: int, size: int) -> bytes:
        """Return bytes as the program sees them, fewer or none where the file has none."""
        for part in self.segments:
            at = address - part.seen
            if 0 <= at < len(part.data):
                return part.data[at : at + size]
        return b""

    @property
    def board(self) -> str:
        """The name that the constant `board` (hal/board.h) points to first, "" if it has none."""
        pointer = self.content(self.symbols.get("board", -1), 4)
        if len(pointer) < 4:
            return ""
        name = self.content(int.from_bytes(pointer, "little"), 256).split(b"\0", 1)[0]
        return name.decode("ascii", errors="replace")


def read_program(path: Path) -> Program:
    """Return the program in a file.

    Raises:
        ImageError: it is no ELF file, or a damaged one.
    """
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            parts = [_segment(s) for s in elf.iter_segments("PT_LOAD") if s["p_filesz"]]
            table = elf.get_section_by_name(".symtab")
            named = table.iter_symbols() if isinstance(table, SymbolTableSection) else ()
            symbols = {symbol.name: symbol["st_value"] for symbol in named}
    except (ELFError, ValueError, OverflowError, UnicodeDecodeError):
        raise ImageError(f"{path} is no ELF file, or damaged") from None
    return Program(path, tuple(sorted(parts, key=lambda part: part.lies)), symbols)


def _segment(segment: Any) -> Segment:
    data = segment.data()
    if len(data) < segment["p_filesz"]:
        raise ValueError("truncated")
    return Segment(segment["p_paddr"], segment["p_vaddr"], data)
