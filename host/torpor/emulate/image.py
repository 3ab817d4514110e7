# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a firmware's ELF file says: which bytes go where, and where its objects lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from torpor.errors import UsageError


@dataclass(frozen=True)
class Image:
    """An ELF file.

    Attributes:
        path: where it was read from, for messages.
        segments: physical address and bytes of everything that it wants loaded.
        symbols: address and size of each named object and function.
        loads: address that the program itself has for each segment, where that may be another.
        thumb: bit 0 of a function's value says which instructions it has, and is no address.
    """

    path: Path
    segments: tuple[tuple[int, bytes], ...]
    symbols: dict[str, tuple[int, int]]
    loads: tuple[tuple[int, bytes], ...] = ()
    thumb: bool = False

    @classmethod
    def read(cls, path: Path) -> "Image":
        """Read a file.

        Raises:
            UsageError: it is no ELF file.
        """
        try:
            with path.open("rb") as file:
                elf = ELFFile(file)
                parts = [s for s in elf.iter_segments("PT_LOAD") if s["p_filesz"]]
                table: Any = elf.get_section_by_name(".symtab")
                named = table.iter_symbols() if table else ()
                return cls(
                    path,
                    tuple((part["p_paddr"], part.data()) for part in parts),
                    {s.name: (s["st_value"], s["st_size"]) for s in named},
                    tuple((part["p_vaddr"], part.data()) for part in parts),
                    elf["e_machine"] == "EM_ARM",
                )
        except ELFError:
            raise UsageError(f"{path} is no ELF file") from None

    def place(self, name: str) -> tuple[int, int]:
        """Return address and size of the object `name`.

        Raises:
            UsageError: it is not there.
        """
        if name not in self.symbols:
            raise UsageError(f"{self.path} has no symbol {name}", "is it a firmware, not stripped?")
        return self.symbols[name]

    def content(self, name: str) -> bytes:
        """Return the bytes of the object `name`, which must not move at start (a constant).

        Raises:
            UsageError: it is not there, or has no bytes in the file.
        """
        address, size = self.place(name)
        data = self.behind(address)
        if len(data) < size:
            raise UsageError(f"{self.path} has no bytes for {name}")
        return data[:size]

    def behind(self, address: int) -> bytes:
        """Return the bytes from an address on, as the program sees it, to the segment's end."""
        for start, data in self.loads or self.segments:
            if start <= address < start + len(data):
                return data[address - start :]
        return b""
