# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Why images are refused and trials end: numbers, names and sentences of firmware/update/reason.h.

The numbers lie in flash and travel on the wire. The header's comments are the sentences that
people read, so that device and host cannot tell different stories.
"""

import re
from dataclasses import dataclass

from torpor.paths import FIRMWARE

HEADER = FIRMWARE / "update" / "reason.h"

_ENUM = re.compile(r"typedef\s+enum\s*\{(?P<items>.*?)\}\s*update_reason_t\s*;", re.S)
_ITEM = re.compile(
    r"^\s*UPDATE_(?:E_)?(?P<name>\w+)\s*=\s*(?P<number>\d+)\s*,[ \t]*(?:/\*(?P<words>.*?)\*/)?",
    re.M | re.S,
)


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes:
        number: as in flash and on the wire.
        name: as in the header, without its prefix, small: "signature".
        sentence: for people: "the signature is wrong".
    """

    number: int
    name: str
    sentence: str


def parse_reasons(text: str) -> dict[int, Reason]:
    """Return the reasons of a header like reason.h by number.

    Raises:
        ValueError: the header has no such enum, or two reasons share a number.
    """
    enum = _ENUM.search(text)
    if enum is None:
        raise ValueError("reason.h: no enum update_reason_t")
    items = list(_ITEM.finditer(enum["items"]))
    found = {int(item["number"]): _reason(item) for item in items}
    if len(found) != len(items):
        raise ValueError("reason.h: two reasons share a number")
    return found


def _reason(item: re.Match[str]) -> Reason:
    words = " ".join((item["words"] or "").split())
    name = item["name"].lower()
    return Reason(int(item["number"]), name, words.partition("; detail")[0] or name)


REASONS = parse_reasons(HEADER.read_text(encoding="utf-8"))
NUMBERS = {reason.name: number for number, reason in REASONS.items()}
"""Number of a reason by its name."""


def reason(number: int) -> Reason:
    """Return the reason with that number; one that says so if there is none."""
    return REASONS.get(number) or Reason(
        number, f"reason{number}", f"reason {number}, which this torpor does not know"
    )
