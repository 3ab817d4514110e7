# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Sizes of the sections and symbols of an ELF file, and how they differ from another's."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from torpor.errors import UsageError

_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4
_KINDS = ("STT_FUNC", "STT_OBJECT")


@dataclass(frozen=True)
class Sizes:
    """In bytes, by name; symbols of one name are added up.

    Attributes:
        sections: those that lie in the device's memory.
        symbols: functions and variables.
        places: symbol -> "code", "constants" or "RAM".
    """

    sections: dict[str, int]
    symbols: dict[str, int]
    places: dict[str, str]

    def to_json(self) -> str:
        """Return the content of a file that `load` reads."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    def grown(self, before: "Sizes") -> dict[str, int]:
        """Return by how much symbols differ from `before`, the most grown first; no zeros."""
        names = {*self.symbols, *before.symbols}
        changes = {n: self.symbols.get(n, 0) - before.symbols.get(n, 0) for n in names}
        order = sorted(changes.items(), key=lambda item: (-item[1], item[0]))
        return {name: change for name, change in order if change}


def read(elf: Path) -> Sizes:
    """Return the sizes in an ELF file.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        with elf.open("rb") as file:
            return _sizes(ELFFile(file))
    except OSError as error:
        hint = "build it: scons board=... model=..."
        raise UsageError(f"cannot read {elf}: {error.strerror}", hint) from None
    except ELFError as error:
        raise UsageError(f"{elf} is no ELF file: {error}") from None


def load(path: Path) -> Sizes:
    """Return what `to_json` has written.

    Raises:
        UsageError: the file is missing or something else.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return Sizes(*(dict(table[name]) for name in ("sections", "symbols", "places")))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{path} has no sizes in it", "torpor size FOLDER --json writes it"
        ) from None


def _sizes(image: Any) -> Sizes:
    kept = {i: s for i, s in enumerate(image.iter_sections()) if s["sh_flags"] & _SHF_ALLOC}
    sections = {s.name: s["sh_size"] for s in kept.values() if s["sh_size"]}
    symbols: dict[str, int] = {}
    places: dict[str, str] = {}
    table = image.get_section_by_name(".symtab")
    for symbol in table.iter_symbols() if table else ():
        section = kept.get(symbol["st_shndx"])
        if section is None or symbol["st_info"]["type"] not in _KINDS or not symbol["st_size"]:
            continue
        symbols[symbol.name] = symbols.get(symbol.name, 0) + symbol["st_size"]
        places[symbol.name] = _place(symbol["st_info"]["type"], section["sh_flags"])
    return Sizes(sections, symbols, places)


def _place(kind: str, flags: int) -> str:
    """Say where a symbol lies: constants may share a section with code."""
    if flags & _SHF_WRITE:
        return "RAM"
    return "code" if kind == "STT_FUNC" and flags & _SHF_EXECINSTR else "constants"
