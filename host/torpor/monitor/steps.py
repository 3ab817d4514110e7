# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The last steps of a run that has ended, in words: firmware/app/wake/steps.h. Pure."""

import struct
from typing import Any

from torpor.image.reasons import reason

ENTRY = struct.Struct(">IHH")  # clock ticks, what, value
OUTCOMES = ("nothing", "rejected", "decided")
SOURCES = ("model", "cache", "fallback")
WHY = ("", "at random", "for its low score")

NAMES = {
    1: "START",
    2: "REQUEST",
    3: "WAKE",
    4: "GATE",
    5: "INFER",
    6: "ANSWER",
    7: "SLEEP",
    8: "SUMMARY",
    9: "KEEP",
    10: "MODEL",
}
"""As steps.h has them; a test holds the two equal."""


def steps(trace: bytes) -> list[dict[str, Any]]:
    """Return the steps in `restarted.trace`, oldest first: ticks, what, value, words.

    What is no whole entry at the end is left out.
    """
    whole = len(trace) // ENTRY.size * ENTRY.size
    return [
        {"ticks": ticks, "what": NAMES.get(what, str(what)), "value": value, "words": words}
        for ticks, what, value in ENTRY.iter_unpack(trace[:whole])
        for words in [_words(what, value)]
    ]


def _words(what: int, value: int) -> str:
    match NAMES.get(what):
        case "START":
            return f"started: {reason(value).sentence}"
        case "REQUEST":
            return f"a request, record {value}"
        case "WAKE":
            return f"woke, number {value}"
        case "GATE":
            return f"stage 1, score {value}"
        case "INFER":
            return "stage 2"
        case "ANSWER":
            return f"answered {value & 0xFF}, from {_of(SOURCES, value >> 8)}"
        case "SLEEP":
            return f"fell asleep: {_of(OUTCOMES, value)}"
        case "SUMMARY":
            return "a summary"
        case "KEEP":
            return f"kept an input {_of(WHY, value)}"
        case "MODEL":
            return f"opened a model, status {value}"
    return f"step {what}, value {value}"


def _of(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else str(number)
