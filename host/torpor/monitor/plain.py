# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Events as lines: JSON for programs, sentences for people. Pure."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from torpor.monitor.events import Dropped, Event, Notice, Received, Said, detail_of, kind_of

Words = dict[str, Any]


def json_line(event: Event, words: Words) -> str:
    """Return an event as one line: an object with type, device, time and what it says.

    Args:
        event: of torpor.monitor.events.
        words: the fields of its record in words, see `describe.describe`.
    """
    says = words if isinstance(event, Received) else detail_of(event)
    head = {"type": kind_of(event), "device": event.device, "time": round(event.time, 3)}
    return json.dumps({**head, **says})


def plain_line(event: Event, words: Words) -> str | None:
    """Return an event as a line for people; None: it is not worth one.

    Args:
        event: of torpor.monitor.events.
        words: the fields of its record in words.
    """
    text = _sentence(event, words)
    if text is None:
        return None
    clock = datetime.fromtimestamp(event.time).strftime("%H:%M:%S")
    return f"{clock}  {printable(event.device)}  {printable(text)}"


def printable(text: str) -> str:
    """Return a text that moves no cursor and rings no bell, whoever has sent it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _sentence(event: Event, words: Words) -> str | None:
    if isinstance(event, Received):
        make = _RECORDS.get(event.record.spec.kind)
        return make(words) if make else None
    if isinstance(event, Notice):
        mark = "ALERT  " if event.kind == "alert" else ""
        return f"{mark}{event.text}"
    if isinstance(event, Dropped):
        return f"a line was dropped: {event.reason}"
    if isinstance(event, Said):
        return f"says: {event.line}"
    return _port(detail_of(event))


def _port(detail: Words) -> str | None:
    if "port" not in detail:
        return None
    return f"lost: {detail['reason']}" if "reason" in detail else f"connected: {detail['port']}"


def milliseconds(microseconds: float) -> str:
    """Return a latency in words."""
    return f"{microseconds / 1000:,.1f} ms"


def decision(label: str, score: float, source: str, failure: str, latency_us: int) -> str:
    """Return an answer in words: "walking, 91 %, 12.3 ms"."""
    if source == "model":
        return f"{label}, {score:.0%}, {milliseconds(latency_us)}"
    what = "the last answer again" if source == "cache" else "the fallback"
    return f"{label}, {what}: no inference ({failure})"


def _decision(words: Words) -> str:
    names = ("label", "score", "source", "failure", "latency")
    return "decided: " + decision(*(words[name] for name in names))


def _summary(words: Words) -> str:
    parts = [
        f"{words['span'] / 1000:g} s: {words['wakes']} wakes ({words['rejected']} rejected)",
        f"{words['inferences']} inferences",
    ]
    if words["inferences"]:
        parts.append(f"confidence {words['score_mean']:.2f} (low {words['score_low']:.2f})")
        parts.append(f"95 % within {milliseconds(words['latency_95'])}")
    if words["drift"] is not None:
        parts.append(f"drift {words['drift']:.3f}")
    if words["residency"] is not None:
        parts.append(f"asleep {words['residency']['sleep']:.1%}")
    if words["errors"]:
        parts.append(f"{words['errors']} errors")
    return ", ".join(parts)


def _hello(words: Words) -> str:
    if words["refused"]:
        return f"is {words['board']} and refuses its model: {words['refused']}"
    text = f"is {words['board']} with the model {words['model'] or '-'}, engine {words['engine']}"
    return text + (f", which says: {words['message']}" if words["message"] else "")


def _about(words: Words) -> str:
    return (
        f"firmware {words['firmware'] or '-'}, model {words['model'] or '-'}, "
        f"{words['sensor']}, {words['mode']}, policy {words['level']}"
    )


_RECORDS: dict[str, Callable[[Words], str]] = {
    "decision": _decision,
    "summary": _summary,
    "hello": _hello,
    "about": _about,
}
