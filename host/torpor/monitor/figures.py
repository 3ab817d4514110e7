# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What summaries say, and what many of them make together. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from torpor.monitor import describe
from torpor.monitor.document import Confidence, Latency, Rates, Residency

SUMMED = ("wakes", "rejected", "inferences", "fallbacks", "errors", "lost", "dropped")
ENDINGS = ("watchdogs", "faults")
UINT32 = 2**32
MINUTE_MS = 60_000


class Sums:
    """Adds up summaries. One that was asked for in the middle of an interval covers a part of what
    the next one covers, and is replaced by it.

    Attributes:
        intervals: whole ones that were reported.
    """

    def __init__(self) -> None:
        self.intervals = 0
        self._closed: Counter[str] = Counter()
        self._closed_classes: Counter[int] = Counter()
        self._open: Any = None

    def add(self, summary: Any) -> None:
        """Take a `summary`."""
        if self._open is None or _begin(summary) != _begin(self._open):
            self.close()
        self.intervals += is_whole(summary)
        self._open = summary

    def close(self) -> None:
        """What has come counts for good: the next summary is of another interval."""
        self._closed, self._closed_classes = self.totals(), self.classes()
        self._open = None

    def totals(self) -> Counter[str]:
        """Return the sums of the fields of SUMMED."""
        here = {name: getattr(self._open, name) for name in SUMMED} if self._open else {}
        return self._closed + Counter(here)

    def classes(self) -> Counter[int]:
        """Return inferences per class."""
        here = describe.class_counts(self._open.counts) if self._open else {}
        return self._closed_classes + Counter(here)


def is_whole(summary: Any) -> bool:
    """True if a `summary` ends its interval; one that only looks has no residency."""
    return bool(summary.residency)


def _begin(summary: Any) -> int:
    return int(summary.time - summary.span) % UINT32


class Endings:
    """Adds up how runs have ended, over losses of power, at which a device begins to count anew."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()
        self._last: Counter[str] = Counter()

    def note(self, restarted: Any) -> None:
        """Take a `restarted`."""
        told = Counter({name: getattr(restarted, name) for name in ENDINGS})
        if any(told[name] < self._last[name] for name in ENDINGS):
            self._before += self._last
        self._last = told

    def totals(self) -> Counter[str]:
        """Return the sums of the fields of ENDINGS."""
        return self._before + self._last


def rates(summary: Any) -> Rates:
    """Return events a minute in the interval of a `summary`."""
    minutes = summary.span / MINUTE_MS
    return {
        "inferences_per_min": summary.inferences / minutes if minutes else 0.0,
        "wakes_per_min": summary.wakes / minutes if minutes else 0.0,
    }


def confidence(summary: Any) -> Confidence:
    """Return the scores of a `summary` of an interval with inferences."""
    return {
        "mean": summary.score_mean / describe.PERMILLE,
        "low": summary.score_low / describe.PERMILLE,
    }


def latency(summary: Any) -> Latency:
    """Return the latencies of a `summary` of an interval with inferences."""
    return {"p50": summary.latency_50, "p95": summary.latency_95}


def residency(summary: Any) -> Residency | None:
    """Return where the time of the interval went, replay left out; None: it does not say."""
    shares = describe.shares(summary.residency) or {}
    return describe.without_replay(shares)  # type: ignore[return-value]  # STATES are its keys


def metrics(summary: Any, charge: float | None) -> dict[str, float]:
    """Return the values of METRICS for an interval; those that it says nothing about are missing.

    Args:
        summary: of the interval.
        charge: mAh a day, estimated from it; None: not known.
    """
    values: dict[str, float] = {**_of_inferences(summary), **_others(summary)}
    if charge is not None:
        values["mah_per_day_estimated"] = charge
    return values


def _of_inferences(summary: Any) -> Mapping[str, float]:
    if not summary.inferences:  # its scores and latencies are 0, and mean nothing
        return {}
    scores = confidence(summary)
    return {
        "confidence_mean": scores["mean"],
        "confidence_low": scores["low"],
        "latency_95": float(summary.latency_95),
    }


def _others(summary: Any) -> Mapping[str, float]:
    values = dict[str, Any](rates(summary)) if summary.span else {}
    drift, own = describe.drift_of(summary), residency(summary)
    if drift is not None:
        values["drift"] = drift
    if own is not None:
        values["duty"] = 1 - own["sleep"]
    return values
