# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The last steps of a run that has ended, in words: firmware/app/wake/steps.h. Pure."""

import struct
from collections.abc import Callable
from typing import Any

from torpor.image.reasons import reason

ENTRY = struct.Struct(">IHH")  # clock ticks, what, value
OUTCOMES = ("nothing", "rejected", "decided")
SOURCES = ("model", "cache", "fallback")
WHY = ("", "at random", "for its low score")

_Words = Callable[[int], str]
_STEPS: dict[int, tuple[str, _Words]] = {
    1: ("START", lambda value: f"started: {reason(value).sentence}"),
    2: ("REQUEST", lambda value: f"a request, record {value}"),
    3: ("WAKE", lambda value: f"woke, number {value}"),
    4: ("GATE", lambda value: f"stage 1, score {value}"),
    5: ("INFER", lambda value: "stage 2"),
    6: ("ANSWER", lambda value: f"answered {value & 0xFF}, from {_of(SOURCES, value >> 8)}"),
    7: ("SLEEP", lambda value: f"fell asleep: {_of(OUTCOMES, value)}"),
    8: ("SUMMARY", lambda value: "a summary"),
    9: ("KEEP", lambda value: f"kept an input {_of(WHY, value)}"),
    10: ("MODEL", lambda value: f"opened a model, status {value}"),
}
NAMES = {number: name for number, (name, _) in _STEPS.items()}
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
    if what not in _STEPS:
        return f"step {what}, value {value}"
    return _STEPS[what][1](value)


def _of(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else str(number)
