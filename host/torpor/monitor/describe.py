# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Records in words: numbers become names, packed bytes become tables. Pure.

The packing is that of docs/SPEC.md. A CRC says that bytes are those that were sent, not that they
make sense: what does not is left out, and never a reason to raise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from torpor.energy import STATES
from torpor.image.reasons import reason
from torpor.monitor.steps import steps
from torpor.plan import status
from torpor.wire.records import Record

SOURCES = ("model", "cache", "fallback")
FAILURES = ("", "plan", "input", "deadline", "policy", "engine")
LEVELS = ("normal", "slow", "saving", "resting")
CAUSES = ("unknown", "power", "brown-out", "pin", "software", "watchdog", "lockup", "wake")
"""What a chip says of a reset: restart_cause_t of firmware/hal/restart.h."""

DRIFT_UNKNOWN = 65535
PERMILLE = 1000
Labels = Mapping[int, str]


def name_of(names: tuple[str, ...], number: int) -> str:
    """Return the name of a number, or the number where a newer firmware has more of them."""
    return names[number] if number < len(names) else str(number)


def label_of(labels: Labels, index: int) -> str:
    """Return the name of a class, or one made of its number."""
    return labels.get(index) or f"class {index}"


def class_counts(packed: bytes) -> dict[int, int]:
    """Return inferences per class from `summary.counts`: (class, count as LEB128) each."""
    counts: dict[int, int] = {}
    for index, count in _pairs(packed):
        counts[index] = counts.get(index, 0) + count
    return counts


def _pairs(packed: bytes) -> Iterator[tuple[int, int]]:
    rest = iter(packed)
    for index in rest:
        count = _leb128(rest)
        if count is None:
            return  # it ends in the middle of a number
        yield index, count


def _leb128(rest: Iterator[int]) -> int | None:
    value = shift = 0
    for byte in rest:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value
    return None


def by_label(counts: Mapping[int, int], labels: Labels) -> dict[str, int]:
    """Return counts per class as counts per label; classes of one name are one."""
    table: dict[str, int] = {}
    for index in sorted(counts):
        name = label_of(labels, index)
        table[name] = table.get(name, 0) + counts[index]
    return table


def shares(packed: bytes) -> dict[str, float] | None:
    """Return the share of the time by state, of 1, from `summary.residency`; None: not known."""
    if len(packed) != 2 * len(STATES):
        return None
    parts = [int.from_bytes(packed[i : i + 2], "big") for i in range(0, len(packed), 2)]
    total = sum(parts)
    return {s: part / total for s, part in zip(STATES, parts, strict=True)} if total else None


def without_replay(residency: Mapping[str, float]) -> dict[str, float] | None:
    """Return the shares of what is not the replay of a scene, of 1; None: there is nothing else."""
    rest = {state: share for state, share in residency.items() if state != "replay"}
    total = sum(rest.values())
    return {state: share / total for state, share in rest.items()} if total else None


def describe(record: Record, labels: Labels) -> dict[str, Any]:
    """Return the fields of a record as JSON has them.

    Thousandths become fractions of 1, bytes hexadecimal digits; `decision`, `summary`, `about`,
    `restarted` and `hello` get names for their numbers. The device's `time` is called `device_ms`.
    """
    table = {field.name: _plain(getattr(record, field.name)) for field in fields(record)}
    if "time" in table:
        table["device_ms"] = table.pop("time")
    refine = _REFINE.get(record.spec.kind)
    return {**table, **refine(record, labels)} if refine else table


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def refusal(hello: Any) -> str:
    """Return why the model of a `hello` is not run, with the engine's words; "": it is."""
    if hello.plan_status == status.NUMBERS["ok"]:
        return ""
    return status.words(hello.plan_status, hello.engine, hello.message)


def _hello(record: Any, _labels: Labels) -> dict[str, Any]:
    return {"refused": refusal(record)}


def _decision(record: Any, labels: Labels) -> dict[str, Any]:
    return {
        "label": label_of(labels, record.best),
        "score": record.score / PERMILLE,
        "source": name_of(SOURCES, record.source),
        "failure": name_of(FAILURES, record.failure),
    }


def _summary(record: Any, labels: Labels) -> dict[str, Any]:
    return {
        "counts": by_label(class_counts(record.counts), labels),
        "score_mean": record.score_mean / PERMILLE,
        "score_low": record.score_low / PERMILLE,
        "residency": shares(record.residency),
        "drift": drift_of(record),
    }


def drift_of(summary: Any) -> float | None:
    """Return the drift of a `summary`; None: not known."""
    return None if summary.drift == DRIFT_UNKNOWN else summary.drift / PERMILLE


def _about(record: Any, _labels: Labels) -> dict[str, Any]:
    return {"level": name_of(LEVELS, record.level)}


def _restarted(record: Any, _labels: Labels) -> dict[str, Any]:
    return {
        "why": reason(record.reason).sentence,
        "cause": name_of(CAUSES, record.cause),
        "steps": steps(record.trace),
    }


_REFINE = {
    "hello": _hello,
    "decision": _decision,
    "summary": _summary,
    "about": _about,
    "restarted": _restarted,
}
