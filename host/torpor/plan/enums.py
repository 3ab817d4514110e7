# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reads an enum of a C header whose comments are the sentences that people read. Pure."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """An enumerator.

    Attributes:
        number: its value.
        name: without its prefix, small: UPDATE_E_HASH is "hash".
        words: its comment on one line, "" if it has none.
    """

    number: int
    name: str
    words: str


def members(text: str, typedef: str, prefix: str) -> list[Member]:
    """Return the enumerators of `typedef enum {...} typedef;` in order.

    Args:
        text: of the header.
        typedef: name of the type.
        prefix: of the enumerators, "UPDATE_"; "E_" behind it goes too.

    Raises:
        ValueError: there is no such enum, or two enumerators share a number.
    """
    enum = re.search(r"typedef\s+enum\s*\{(?P<items>[^}]*)\}\s*" + typedef + r"\s*;", text)
    if enum is None:
        raise ValueError(f"no enum {typedef}")
    item = re.compile(
        rf"^\s*{prefix}(?:E_)?(?P<name>\w+)\s*=\s*(?P<number>\d+)\s*,?[ \t]*"
        r"(?:/\*(?P<words>.*?)\*/)?",
        re.M | re.S,
    )
    found = [
        Member(int(m["number"]), m["name"].lower(), " ".join((m["words"] or "").split()))
        for m in item.finditer(enum["items"])
    ]
    if len({member.number for member in found}) != len(found):
        raise ValueError(f"{typedef}: two share a number")
    return found
