# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reads the map file of GNU ld: which object file fills how much of which output section."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_OUTPUT = re.compile(r"^(\.[\w.$]+)(?:\s+0x|$)")
_NAME_ONLY = re.compile(r"^ ([.\w$*]\S*)$")
_PIECE = re.compile(r"^ (?:(\S+))?\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S.*)$")


@dataclass(frozen=True)
class Piece:
    """An input section as it was placed.

    Attributes:
        output: the output section it went to, for example ".text".
        name: its own name, for example ".text.main".
        size: in bytes.
        object: the object file, "archive.a(member.o)" for libraries.
    """

    output: str
    name: str
    size: int
    object: str


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
            name, size = match[1] or pending, int(match[2], 16)
            pending = ""
            if size and name and not name.startswith("*"):
                yield Piece(output, name, size, match[3])
        else:
            pending = ""
