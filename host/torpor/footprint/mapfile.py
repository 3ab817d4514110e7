# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reads the map file of GNU ld: which object file fills how much of which output section."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_OUTPUT = re.compile(r"^(\.[\w.$]+)(?:\s+0x|$)")
_NAME_ONLY = re.compile(r"^ ([.\w$*]\S*)$")
_PIECE = re.compile(r"^ (?:(\S+))?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S.*)$")
_ASKED_BY = re.compile(r"^(\S.*?\.a\([^)]+\))\s+(\S.*?\.(?:o\)?|so[\d.]*)) \(.+\)$", re.M)
_LOADED = re.compile(r"^LOAD (\S.*\.o)$", re.M)


@dataclass(frozen=True)
class Piece:
    """An input section as it was placed.

    Attributes:
        output: the output section it went to, for example ".text".
        name: its own name, for example ".text.main".
        size: in bytes.
        object: the object file, "archive.a(member.o)" for libraries.
        address: of its first byte.
    """

    output: str
    name: str
    size: int
    object: str
    address: int = field(default=0, compare=False)


def pieces(text: str) -> Iterator[Piece]:
    """Yield every input section with a size from the text of a map file.

    Sections that were garbage collected are listed before "Linker script and memory map" and are
    not yielded. Long section names stand on a line of their own.
    """
    body = text.partition("Linker script and memory map")[2]
    output, pending = "", ""
    for line in body.splitlines():
        if match := _OUTPUT.match(line):
            output, pending = match[1], ""
        elif match := _NAME_ONLY.match(line):
            pending = match[1]
        elif match := _PIECE.match(line):
            name, size = match[1] or pending, int(match[3], 16)
            pending = ""
            if size and name and not name.startswith("*"):
                yield Piece(output, name, size, match[4], int(match[2], 16))
        else:
            pending = ""


def library_members(text: str) -> dict[str, str]:
    """Return for each member of an archive that was linked the object that first asked for it.

    The list stands at the beginning of a map file: "archive.a(member.o)" and, behind it or on the
    next line, the object, which may be a member itself, with the symbol in parentheses. A symbol of
    C++ has parentheses of its own.
    """
    return dict(_ASKED_BY.findall(text.partition("Discarded input sections")[0]))


def loaded_objects(text: str) -> list[str]:
    """Return the object files, not archives, that were linked, as the map file names them."""
    return _LOADED.findall(text)
