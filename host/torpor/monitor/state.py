# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What is known of a device, from the events that came from it. Pure.

`DeviceState.feed` takes events in their order and returns what they led to; `snapshot` is the
document that people and programs are shown (torpor.monitor.document). The same events make the
same snapshot: a recording is shown as what it was.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from torpor.image.reasons import reason
from torpor.monitor import describe, figures
from torpor.monitor.alerts import Alerts, Change, Limits
from torpor.monitor.document import (
    HISTORY_POINTS,
    METRICS,
    Energy,
    LastDecision,
    Residency,
    Snapshot,
    Totals,
)
from torpor.monitor.events import (
    Connected,
    Disconnected,
    Dropped,
    Event,
    Foreign,
    Notice,
    Received,
)
from torpor.monitor.sequence import Sequence
from torpor.wire.records import SCHEMA_HASH, Record

__all__ = ["DeviceState", "Estimator", "Snapshot"]

Estimator = Callable[[str, Mapping[str, float], str], Energy | None]
"""From a board's name, its residency (shares of all states) and sensor to an estimate, if any."""

UINT32 = 2**32
MOST_CLASSES = 256  # `summary` has a byte for one


def _no_estimate(_board: str, _residency: Mapping[str, float], _sensor: str) -> Energy | None:
    return None


class DeviceState:
    """One device.

    Args:
        name: of the device, for the user.
        port: where it is.
        limits: fixed thresholds of its alerts.
        estimate: makes an estimate of charge from a residency.
    """

    def __init__(
        self,
        name: str,
        port: str = "",
        limits: Limits | None = None,
        estimate: Estimator = _no_estimate,
    ) -> None:
        self.name = name
        self.labels: dict[int, str] = {}
        self._port = port
        self._estimate = estimate
        self._alerts = Alerts(limits or Limits())
        self._sequence = Sequence()
        self._plan_crc: int | None = None
        self._foreign = False
        self._connected = False
        self._problem = ""
        self._since: float | None = None
        self._seen: float | None = None
        self._connections = 0
        self._hello: Any = None
        self._about: Any = None
        self._restarted: Any = None
        self._decision: Any = None
        self._decided = 0.0
        self._summary: Any = None
        self._inferred: Any = None  # the last summary of an interval with inferences
        self._sums = figures.Sums()
        self._endings = figures.Endings()
        self._totals: Counter[str] = Counter()
        self._residency: Residency | None = None
        self._energy: Energy | None = None
        self._history: dict[str, deque[list[float]]] = {
            metric: deque(maxlen=HISTORY_POINTS) for metric in METRICS
        }

    # ---- what is known, for others

    @property
    def is_known(self) -> bool:
        """True if it has said what it is, and the names of all its classes."""
        return self._about is not None and len(self.labels) >= self._about.classes

    @property
    def summaries(self) -> int:
        """Intervals that were reported."""
        return self._sums.intervals

    def describe(self, record: Record) -> dict[str, Any]:
        """Return the fields of a record of this device in words."""
        return describe.describe(record, self.labels)

    # ---- events

    def feed(self, event: Event) -> list[Notice]:
        """Take the next event; return what follows from it."""
        if isinstance(event, Received):
            return self._received(event)
        if isinstance(event, Dropped):
            self._totals["dropped_lines"] += 1
        elif isinstance(event, Foreign):
            return self._met_foreign(event)
        elif isinstance(event, Connected):
            self._connect(event)
        elif isinstance(event, Disconnected):
            self._disconnect(event)
        return []

    def _connect(self, event: Connected) -> None:
        self._totals["reconnects"] += self._connections > 0
        self._connections += 1
        self._connected, self._since, self._port = True, event.time, event.port
        self._problem, self._foreign = "", False

    def _disconnect(self, event: Disconnected) -> None:
        if self._connected or self._since is None:
            self._since = event.time
        self._connected, self._problem, self._port = False, event.reason, event.port

    def _met_foreign(self, event: Foreign) -> list[Notice]:
        self._foreign = True
        problem = (
            f"it speaks records {event.schema:08x}, this torpor {SCHEMA_HASH:08x}: build and load "
            "its firmware again with this torpor, or use the torpor it came from"
        )
        is_news = problem != self._problem
        self._problem = problem
        detail = {"device_schema": event.schema, "schema": SCHEMA_HASH}
        return [Notice(event.time, event.device, "schema", problem, detail)] if is_news else []

    def _received(self, event: Received) -> list[Notice]:
        kind, record = event.record.spec.kind, event.record
        if kind == "hello":
            self._foreign, self._problem = False, ""
        if self._foreign:  # its numbers may mean something else
            self._totals["dropped_lines"] += 1
            return []
        self._seen = event.time
        if self._is_duplicate(event):
            self._totals["duplicates"] += 1
            return []
        notices = self._check_number(event)
        handler = getattr(self, f"_on_{kind}", None)
        return notices + (handler(event, record) if handler else [])

    # ---- numbers and starts

    def _is_duplicate(self, event: Received) -> bool:
        number = getattr(event.record, "n", None)
        return number is not None and self._sequence.has(number, event.payload)

    def _check_number(self, event: Received) -> list[Notice]:
        """Return what the number of a record says: a start that was not told, losses."""
        number = getattr(event.record, "n", None)
        if number is None:
            return []
        step = self._sequence.take(number, event.payload)
        notices = [self._start(event)] if step.restarted else []
        if step.lost:
            self._totals["lost_records"] += step.lost
            text = f"{step.lost} record{'s' * (step.lost != 1)} lost before number {number}"
            notices.append(_notice(event, "lost", text, count=step.lost, before=number))
        return notices

    def _start(self, event: Event) -> Notice:
        """The device has started anew."""
        self._totals["resets"] += 1
        self._sums.close()
        self._summary = self._restarted = None
        return _notice(event, "restart", "it has started again")

    def _on_hello(self, event: Received, hello: Any) -> list[Notice]:
        notices = self._note_plan(event, hello.plan_crc) if hello.plan_status == 0 else []
        notices += self._note_status(event, hello)
        self._hello = hello
        if hello.seq == 0:
            if not self._sequence.is_fresh:  # else the first start that is seen, or the line twice
                notices.append(self._start(event))
            self._sequence.start()
        return notices

    def _on_restarted(self, event: Received, record: Any) -> list[Notice]:
        before, self._restarted = self._restarted, record
        if before is not None and _same_but_number(before, record):
            return []
        self._endings.note(record)
        notices = [self._start(event)] if before is not None else []
        self._restarted = record
        text = f"the run before ended: {reason(record.reason).sentence}"
        detail = self.describe(record)
        last = detail["steps"][-1:]
        text += f"; the chip says: {detail['cause']}" if record.cause else ""
        text += "".join(f"; its last step: {step['words']}" for step in last)
        return [*notices, _notice(event, "ended", text, **detail)]

    def _on_about(self, event: Received, about: Any) -> list[Notice]:
        notices = self._note_plan(event, about.plan_crc)
        self._about = about
        return notices

    def _on_label(self, _event: Received, label: Any) -> list[Notice]:
        if label.index < MOST_CLASSES:
            self.labels[label.index] = label.name
        return []

    def _note_plan(self, event: Received, plan_crc: int) -> list[Notice]:
        """Forget what was learned and named if it was of another model."""
        before, self._plan_crc = self._plan_crc, plan_crc
        if before in (None, plan_crc):
            return []
        self.labels, self._about = {}, None
        return _tell(event, self._alerts.forget())

    def _note_status(self, event: Received, hello: Any) -> list[Notice]:
        """Tell that the model is refused, or is not any more."""
        changes = self._alerts.note_model(event.time, hello.plan_status)
        why = describe.refusal(hello)
        return _tell(event, changes, f"the model is refused: {why}" if why else "the model runs")

    # ---- answers and summaries

    def _on_decision(self, event: Received, decision: Any) -> list[Notice]:
        self._decision, self._decided = decision, event.time
        self._totals["decisions"] += 1
        return []

    def _on_summary(self, event: Received, summary: Any) -> list[Notice]:
        last = self._summary
        went_back = last is not None and (summary.time - last.time) % UINT32 >= UINT32 // 2
        notices = [self._start(event)] if went_back else []  # 2^32 ms are 49 days
        self._summary = summary
        self._inferred = summary if summary.inferences else self._inferred
        self._sums.add(summary)
        return notices + (self._judge(event, summary) if figures.is_whole(summary) else [])

    def _judge(self, event: Received, summary: Any) -> list[Notice]:
        """Note the metrics of an interval and look whether they are as they should be."""
        self._residency = figures.residency(summary)
        shares = describe.shares(summary.residency)
        if shares and self._hello is not None:
            sensor = self._about.sensor if self._about else ""
            self._energy = self._estimate(self._hello.board, shares, sensor)
        charge = self._energy["mah_per_day_estimated"] if self._energy else None
        values = figures.metrics(summary, charge)
        for metric, value in values.items():
            self._history[metric].append([event.time, value])
        return _tell(event, self._alerts.update(event.time, values))

    # ---- the document

    def snapshot(self, now: float) -> Snapshot:
        """Return what is known; ages are counted to `now`, seconds since 1970."""
        hello, summary, inferred = self._hello, self._summary, self._inferred
        return {
            "device": self.name,
            "port": self._port,
            "connected": self._connected,
            "problem": self._problem,
            "board": hello.board if hello else "",
            "engine": hello.engine if hello else "",
            "refused": describe.refusal(hello) if hello else "",
            **self._about_part(),  # type: ignore[typeddict-item]
            "since": "" if self._since is None else iso_time(self._since),
            "last_seen_s": None if self._seen is None else max(0.0, now - self._seen),
            "last_decision": self._last_decision(now),
            "totals": self._all_totals(),
            "counts": describe.by_label(self._sums.classes(), self.labels),
            "rates": figures.rates(summary) if summary else None,
            "confidence": figures.confidence(inferred) if inferred else None,
            "latency_us": figures.latency(inferred) if inferred else None,
            "drift": describe.drift_of(summary) if summary else None,
            "residency": self._residency.copy() if self._residency else None,
            "stack": summary.stack if summary else 0,
            "energy": self._energy.copy() if self._energy else None,
            "alerts": self._alerts.active,
            "history": {metric: list(points) for metric, points in self._history.items()},
        }

    def _about_part(self) -> dict[str, str]:
        about, model = self._about, self._hello.model if self._hello else ""
        if about is None:
            return {**dict.fromkeys(("firmware", "sensor", "mode", "policy"), ""), "model": model}
        return {
            "model": f"{model} {about.model}".strip(),
            "firmware": about.firmware,
            "sensor": about.sensor,
            "mode": about.mode,
            "policy": describe.name_of(describe.LEVELS, about.level),
        }

    def _last_decision(self, now: float) -> LastDecision | None:
        if self._decision is None:
            return None
        told = self.describe(self._decision)
        return {
            "label": told["label"],
            "score": told["score"],
            "source": told["source"],
            "failure": told["failure"],
            "latency_us": told["latency"],
            "age_s": max(0.0, now - self._decided),
        }

    def _all_totals(self) -> Totals:
        sums = self._sums.totals()
        told = {"device_dropped": sums["dropped"], "sensor_lost": sums["lost"]}
        every = self._totals + sums + self._endings.totals() + Counter(told)
        return {name: every[name] for name in Totals.__annotations__}  # type: ignore[return-value]


def _same_but_number(one: Any, other: Any) -> bool:
    return bool(replace(one, n=other.n) == other)


def _notice(event: Event, kind: str, text: str, **detail: Any) -> Notice:
    return Notice(event.time, event.device, kind, text, detail)


def _tell(event: Event, changes: list[Change], text: str = "") -> list[Notice]:
    """Return a notice for each alert that begins, changes or ends, with another text if need be."""
    return [
        _notice(
            event,
            "alert" if change.after else "cleared",
            text or change_text(change),
            **change.alert,
            before=change.before,
        )
        for change in changes
    ]


def change_text(change: Change) -> str:
    """Return an alert in words: "confidence_mean 0.71: below the limit of 0.85"."""
    alert = change.alert
    metric, value, baseline = alert["metric"], alert["value"], alert["baseline"]
    if not change.after:
        return f"{metric} {value:.4g}: as it should be again ({alert['level']} before)"
    if alert["level"] == "limit":
        side = "below" if value < baseline else "above"
        return f"{metric} {value:.4g}: {side} the limit of {baseline:.4g}"
    return f"{metric} {value:.4g}: {alert['level']} from its usual {baseline:.4g}"


def iso_time(time: float) -> str:
    """Return a time of the host as ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")
