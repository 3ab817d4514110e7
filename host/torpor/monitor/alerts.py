# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""When a metric is not as it was, or not as it must be. Pure.

Each metric has a baseline that is learned: mean and deviation of the first values by Welford's
method (B. P. Welford, Technometrics 4(3), 1962), of later ones with exponential forgetting. While
an alert is on nothing is learned, so a world that has changed does not become the normal one by
waiting. How far a value is off counts in deviations, in the direction that is bad.

    2 of the last 3 values at least 2 off       "2 sigma", a warning
    2 of the last 3 values at least 3 off       "3 sigma", stays until
    a value less than 1.5 off                   none

Beside it there are limits that need no learning, and a model that the device refuses.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torpor.monitor.document import Alert

WARN, RAISE, CLEAR = 2.0, 3.0, 1.5
VOTES, WINDOW = 2, 3
LEARNING = 12
"""Values until a baseline is trusted."""
MEMORY = 64
"""Values after which an old one counts 1/e in the baseline."""
BACK = 0.02
"""A limit's alert ends when the value is back by this share of the limit."""


@dataclass(frozen=True)
class Watch:
    """How a metric is watched.

    Attributes:
        bad: "low", "high" or "both": the direction that is worth an alert.
        floor: least deviation that is believed in, in units of the metric.
        share: the same as a share of the mean; the larger one counts.
    """

    bad: str
    floor: float
    share: float = 0.0


WATCHED: Mapping[str, Watch] = {
    "confidence_mean": Watch("low", 0.01),
    "confidence_low": Watch("low", 0.03),  # its bins are 1/32
    "latency_95": Watch("high", 50.0, 0.15),  # its bins grow with the value
    "drift": Watch("high", 0.01),
    "wakes_per_min": Watch("both", 0.5, 0.05),
    "inferences_per_min": Watch("both", 1.0, 0.05),
    "mah_per_day_estimated": Watch("high", 0.001, 0.03),
}


MODEL = "model"
"""Metric of the alert that is on while the device refuses its model; its value is why: a status."""


@dataclass(frozen=True)
class Limits:
    """Fixed thresholds; None: not watched.

    Attributes:
        min_confidence: of the mean score, 0..1.
        max_latency_us: of the 95 % quantile.
        max_drift: of the population stability index.
    """

    min_confidence: float | None = 0.85
    max_latency_us: float | None = None
    max_drift: float | None = 0.25

    def to_json(self) -> dict[str, float | None]:
        """Return the thresholds for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "Limits":
        """Return the thresholds from a file; those that are missing are not watched."""
        return cls(*(table.get(name) for name in ("min_confidence", "max_latency_us", "max_drift")))

    def of(self, metric: str) -> tuple[float, float] | None:
        """Return (limit, sign) of a metric; value x sign above limit x sign is an alert."""
        limit, sign = {
            "confidence_mean": (self.min_confidence, -1.0),
            "latency_95": (self.max_latency_us, 1.0),
            "drift": (self.max_drift, 1.0),
        }.get(metric, (None, 1.0))
        return None if limit is None else (limit, sign)


class Baseline:
    """Mean and deviation of a metric."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._variance = 0.0  # of the population

    @property
    def deviation(self) -> float:
        """Standard deviation of what was learned."""
        return math.sqrt(self._variance)

    @property
    def is_known(self) -> bool:
        """True when enough values have come."""
        return self.count >= LEARNING

    def learn(self, value: float) -> None:
        """Take a value: each counts the same up to MEMORY of them, then old ones fade.

        mean' = mean + w d, variance' = (1 - w) (variance + w d^2), d = value - mean, w = 1/count:
        Welford's recurrence, written so that a constant w makes it exponential forgetting.
        """
        self.count += 1
        weight = 1 / min(self.count, MEMORY)
        difference = value - self.mean
        self.mean += weight * difference
        self._variance = (1 - weight) * (self._variance + weight * difference * difference)


@dataclass(frozen=True)
class Change:
    """An alert that begins, becomes another one, or ends.

    Attributes:
        alert: with the value that has led to this.
        before: its level until now, "" if there was none.
        after: its level now, "" if it is over.
    """

    alert: Alert
    before: str
    after: str


class _Sigma:
    """Watches one metric against its baseline."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self.baseline = Baseline()
        self.level = ""

    def update(self, value: float) -> str:
        """Take a value, return the level that it leads to."""
        if not self.baseline.is_known:
            self.baseline.learn(value)
            return ""
        off = self._off(value)
        self._recent.append(off)
        self._judge(off)
        if not self.level:
            self.baseline.learn(self._tamed(value))
        return self.level

    def _scale(self) -> float:
        watch, base = self._watch, self.baseline
        return max(base.deviation, watch.floor, watch.share * abs(base.mean))

    def _off(self, value: float) -> float:
        """Return how many deviations the value is off in the bad direction."""
        off = (value - self.baseline.mean) / self._scale()
        return {"high": off, "low": -off, "both": abs(off)}[self._watch.bad]

    def _judge(self, off: float) -> None:
        if off < CLEAR:
            if self.level:
                self._recent.clear()
            self.level = ""
        elif self._votes(RAISE):
            self.level = "3 sigma"
        elif not self.level and self._votes(WARN):
            self.level = "2 sigma"

    def _votes(self, threshold: float) -> bool:
        return sum(off >= threshold for off in self._recent) >= VOTES

    def _tamed(self, value: float) -> float:
        """Return the value, or, of one that is far off, what is 3 deviations off: a single
        outlier must not widen what counts as normal, a lasting change for the better may."""
        reach = RAISE * self._scale()
        return min(max(value, self.baseline.mean - reach), self.baseline.mean + reach)


def _limit_level(value: float, limit: float, sign: float, level: str) -> str:
    """Return "limit" or "" for a value, given the level so far."""
    over = (value - limit) * sign
    return "limit" if over > (-BACK * abs(limit) if level else 0) else ""


def _sigmas() -> dict[str, _Sigma]:
    return {metric: _Sigma(watch) for metric, watch in WATCHED.items()}


class Alerts:
    """The alerts of one device."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sigmas = _sigmas()
        self._active: dict[tuple[str, bool], Alert] = {}

    @property
    def active(self) -> list[Alert]:
        """Alerts that are on, in the order of their metrics, limits last."""
        return [alert.copy() for _, alert in sorted(self._active.items(), key=_order)]

    def update(self, time: float, values: Mapping[str, float]) -> list[Change]:
        """Take the metrics of an interval; those that are missing had no value."""
        changes = []
        for metric, value in values.items():
            sigma = self._sigmas.get(metric)
            if sigma is not None:
                level = sigma.update(value)
                changes += self._set(time, metric, value, sigma.baseline.mean, level, fixed=False)
            limit = self._limits.of(metric)
            if limit is not None:
                before = self._level(metric, fixed=True)
                level = _limit_level(value, *limit, before)
                changes += self._set(time, metric, value, limit[0], level, fixed=True)
        return changes

    def note_model(self, time: float, status: int) -> list[Change]:
        """Take the status of the model, 0 if it runs."""
        level = "limit" if status else ""
        return self._set(time, MODEL, float(status), 0.0, level, fixed=True)

    def forget(self) -> list[Change]:
        """Begin to learn anew, as with another model; alerts end, but that one is refused."""
        over = [alert for alert in self.active if alert["metric"] != MODEL]
        self._sigmas = _sigmas()
        self._active = {key: a for key, a in self._active.items() if key[0] == MODEL}
        return [Change(alert, alert["level"], "") for alert in over]

    def _level(self, metric: str, *, fixed: bool) -> str:
        alert = self._active.get((metric, fixed))
        return alert["level"] if alert else ""

    def _set(
        self, time: float, metric: str, value: float, baseline: float, level: str, *, fixed: bool
    ) -> list[Change]:
        """Note the level of a metric now; return what has changed."""
        key, before = (metric, fixed), self._level(metric, fixed=fixed)
        since = self._active[key]["since"] if level and level == before else time
        alert: Alert = {
            "metric": metric,
            "level": level or before,
            "value": value,
            "baseline": baseline,
            "since": since,
        }
        if level:
            self._active[key] = alert
        else:
            self._active.pop(key, None)
        return [] if level == before else [Change(alert, before, level)]


def _order(item: tuple[tuple[str, bool], Alert]) -> tuple[bool, int]:
    (metric, fixed), _ = item
    return fixed, [*WATCHED, MODEL].index(metric)
