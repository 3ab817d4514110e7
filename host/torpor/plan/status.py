# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Why an engine refuses a model, or fails: numbers, names and sentences of firmware/infer/infer.h,
and what the user can do about it.

The header's comments, up to a remark for programmers, are the sentences that people read.
"""

from dataclasses import dataclass

from torpor.paths import FIRMWARE
from torpor.plan.enums import Member, members

HEADER = FIRMWARE / "infer" / "infer.h"

_AGAIN = "compile the model again with this torpor"
_HINTS = {
    "version": "compile the model again with this torpor, or update the firmware",
    "target": "the model was compiled for another engine than the firmware's: build both alike",
    "arena": "build again: the arena is measured anew; engine=tflm takes arena=BYTES too",
    "kernel": "its operators are not in the firmware: build a firmware with this model",
    "model": "the .tflite is damaged, or of another schema: convert it again",
    "engine": "look at what the engine says; `torpor verify` runs the model on this computer",
}


@dataclass(frozen=True)
class Status:
    """One status.

    Attributes:
        number: as on the wire.
        name: as in the header, without its prefix, small, as the firmware says it: "arena".
        sentence: for people: "the arena given is too small".
        hint: what to do.
    """

    number: int
    name: str
    sentence: str
    hint: str


def parse_statuses(text: str) -> dict[int, Status]:
    """Return the statuses of a header like infer.h by number.

    Raises:
        ValueError: the header has no such enum, or two statuses share a number.
    """
    found = members(text, "infer_status_t", "INFER_")
    return {m.number: _status(m) for m in found if m.name != "status_count"}


def _status(member: Member) -> Status:
    sentence = (member.words or member.name).partition(": see ")[0]
    return Status(member.number, member.name, sentence, _HINTS.get(member.name, _AGAIN))


STATUSES = parse_statuses(HEADER.read_text(encoding="utf-8"))
NUMBERS = {status.name: number for number, status in STATUSES.items()}
"""Number of a status by its name."""


def status(number: int) -> Status:
    """Return the status with that number; one that says so if there is none."""
    return STATUSES.get(number) or Status(
        number, f"status{number}", f"status {number}, which this torpor does not know", _AGAIN
    )


def hint(number: int) -> str:
    """Return what to do about a status."""
    return status(number).hint


def words(number: int, engine: str, message: str) -> str:
    """Return a status with what the engine has said of it: "arena (tflm: Failed to ...)".

    Args:
        number: the status.
        engine: as `hello` has it; "" if it is not known.
        message: the engine's own, "" if it said nothing.
    """
    found = status(number)
    said = f"{engine}: {message}" if engine and message else message
    return f"{found.name} ({said or found.sentence})"
