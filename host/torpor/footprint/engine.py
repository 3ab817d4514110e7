# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""TensorFlow Lite Micro in a firmware: its stack, which no call graph tells, and its heap: none.

Its archive was compiled by the user, without call graphs. What opening a model and inferring have
used on the emulated core is in arena.json; a quarter is added, since other inputs may take other
ways. Without that a number is assumed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from torpor.errors import TorporError
from torpor.footprint.mapfile import library_members

ASSUMED_BYTES = 3072
"""Where nothing was measured: more than any model of ours has needed with a quarter more."""

_ALIGN = 8
_HEAP = frozenset(
    ("malloc", "calloc", "realloc", "_sbrk", "sbrk", "_Znwj", "_Znaj", "_Znwm", "_Znam")
)
_CONSTRUCTORS = (".init_array", ".preinit_array", ".ctors")


@dataclass(frozen=True)
class EngineStack:
    """What the functions of TensorFlow Lite Micro take of the stack.

    Attributes:
        bytes: at most.
        basis: "measured" or "assumed".
    """

    bytes: int
    basis: str


def engine_stack(arena_file: Path | None = None) -> EngineStack:
    """Return what is known of the stack, from arena.json if there is one."""
    if arena_file is None:
        return EngineStack(ASSUMED_BYTES, "assumed")
    used = int(json.loads(arena_file.read_text(encoding="utf-8"))["stack"])
    if not used:
        return EngineStack(ASSUMED_BYTES, "assumed")
    more = used + used // 4
    return EngineStack(more + -more % _ALIGN, "measured")


def check_no_heap(elf: Path) -> None:
    """Look for what a firmware cannot have: a heap, and constructors before main().

    Args:
        elf: a linked firmware; its map file lies beside it.

    Raises:
        TorporError: there is something; names it, and who asked for it.
    """
    with elf.open("rb") as file:
        image: Any = ELFFile(file)
        table = image.get_section_by_name(".symtab")
        names = {symbol.name for symbol in table.iter_symbols()} if table else set()
        sections = {section.name for section in image.iter_sections() if section["sh_size"]}
    if found := sorted(_HEAP & names):
        raise TorporError(
            f"{elf}: {found[0]} is linked in{_asked_by(elf, found[0])}: there is no heap",
            "an operator that allocates cannot be used; which one, the map file tells",
        )
    if early := sorted(sections.intersection(_CONSTRUCTORS)):
        raise TorporError(
            f"{elf}: something in the archive is constructed before main() ({early[0]})",
            "nobody would call its constructor: build the archive without it",
        )


def _asked_by(elf: Path, name: str) -> str:
    """Return who made the linker take a function of a library, as far as the map file tells."""
    text = elf.with_suffix(".map").read_text(encoding="utf-8")
    for member, asker in library_members(text).items():
        if name.lstrip("_") in member.rpartition("(")[2]:
            return f" for {asker.rpartition('/')[2]}"
    return ""
