# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Names of functions for addresses in a history."""

import bisect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from torpor.errors import UsageError


@dataclass(frozen=True)
class Function:
    """A function: first address, bytes, name."""

    start: int
    size: int
    name: str


class Symbols:
    """The functions of a firmware.

    Args:
        functions: in any order.
        thumb: the lowest bit of an address says which instructions are there.
    """

    def __init__(self, functions: list[Function], *, thumb: bool = False) -> None:
        self._mask = ~1 if thumb else ~0
        self._functions = sorted(functions, key=lambda function: function.start)
        self._starts = [function.start for function in self._functions]

    @classmethod
    def read(cls, path: Path) -> "Symbols":
        """Read an ELF file.

        Raises:
            UsageError: it cannot be read, or is no ELF file, or has no functions.
        """
        try:
            with path.open("rb") as file:
                elf = ELFFile(file)
                thumb = elf["e_machine"] == "EM_ARM"
                functions = _functions(elf, ~1 if thumb else ~0)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
        except ELFError:
            raise UsageError(f"{path} is no ELF file") from None
        if not functions:
            raise UsageError(f"{path} has no functions", "is it a firmware, not stripped?")
        return cls(functions, thumb=thumb)

    def name(self, address: int) -> str | None:
        """Return "function" or "function+0x1a" for an address in one, else None."""
        address &= self._mask
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        function = self._functions[index]
        offset = address - function.start
        if offset >= function.size:
            return None
        return function.name + (f"+{offset:#x}" if offset else "")


def _functions(elf: Any, mask: int) -> list[Function]:
    table = elf.get_section_by_name(".symtab")
    return [
        Function(symbol["st_value"] & mask, symbol["st_size"], symbol.name)
        for symbol in (table.iter_symbols() if table else ())
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]
    ]
