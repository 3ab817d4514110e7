# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Why images are refused and trials end: numbers, names and sentences of firmware/update/reason.h.

The numbers lie in flash and travel on the wire. The header's comments are the sentences that
people read, so that device and host cannot tell different stories.
"""

from dataclasses import dataclass

from torpor.paths import FIRMWARE
from torpor.plan.enums import Member, members

HEADER = FIRMWARE / "update" / "reason.h"


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
    return {m.number: _reason(m) for m in members(text, "update_reason_t", "UPDATE_")}


def _reason(member: Member) -> Reason:
    return Reason(member.number, member.name, member.words.partition("; detail")[0] or member.name)


REASONS = parse_reasons(HEADER.read_text(encoding="utf-8"))
NUMBERS = {reason.name: number for number, reason in REASONS.items()}
"""Number of a reason by its name."""


def reason(number: int) -> Reason:
    """Return the reason with that number; one that says so if there is none."""
    return REASONS.get(number) or Reason(
        number, f"reason{number}", f"reason {number}, which this torpor does not know"
    )
