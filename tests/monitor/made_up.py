# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A monitor of made-up devices, for what shows them."""

import math
import random
import threading
from collections.abc import Callable
from typing import Any

from torpor.monitor.document import METRICS, Snapshot

START = 1_790_000_000.0  # seconds since 1970


def snapshot(device: str = "desk", **changes: Any) -> Snapshot:
    """Return a device that is well, except for `changes`."""
    whole: Snapshot = {
        "device": device,
        "port": "/dev/ttyACM0",
        "connected": True,
        "problem": "",
        "board": "mps2_an386",
        "model": "motion 1.2.0",
        "engine": "torpor",
        "refused": "",
        "firmware": "1.4.0",
        "sensor": "motion",
        "mode": "gated",
        "policy": "normal",
        "since": "2026-09-21T14:13:20Z",
        "last_seen_s": 0.4,
        "last_decision": {
            "label": "walking",
            "score": 0.93,
            "source": "model",
            "failure": "",
            "latency_us": 8_200,
            "age_s": 2.0,
        },
        "totals": {
            "decisions": 412,
            "wakes": 530,
            "rejected": 118,
            "inferences": 1649,
            "fallbacks": 0,
            "errors": 0,
            "resets": 0,
            "watchdogs": 0,
            "faults": 0,
            "lost_records": 0,
            "duplicates": 0,
            "dropped_lines": 0,
            "device_dropped": 0,
            "sensor_lost": 0,
            "reconnects": 0,
        },
        "counts": {"standing": 801, "running": 97, "walking": 702, "badminton": 49},
        "rates": {"inferences_per_min": 27.0, "wakes_per_min": 8.5},
        "confidence": {"mean": 0.91, "low": 0.74},
        "latency_us": {"p50": 8_100, "p95": 9_400},
        "drift": 0.04,
        "residency": {
            "sleep": 0.962,
            "capture": 0.021,
            "stage_1": 0.004,
            "stage_2": 0.011,
            "serial": 0.0015,
            "flash": 0.0005,
        },
        "stack": 1_432,
        "energy": {"mah_per_day_estimated": 1.84, "days_estimated": 122.3},
        "alerts": [],
        "history": {metric: [] for metric in METRICS},
    }
    assert not set(changes) - set(whole), f"a snapshot has no {changes.keys() - whole.keys()}"
    whole.update(changes)  # type: ignore[typeddict-item]
    return whole


def history(points: int, seed: int, period_s: float = 60.0) -> dict[str, list[list[float]]]:
    """Return a day that begins well; towards its end the world changes."""
    chance = random.Random(seed)
    rows: dict[str, list[list[float]]] = {metric: [] for metric in METRICS}
    for number in range(points):
        time, late = START + number * period_s, max(0.0, number / points - 0.7) / 0.3
        mean = 0.92 - 0.17 * late + chance.gauss(0, 0.008)
        wakes = 8 + 4 * math.sin(number / 40) + chance.random()
        values = {
            "confidence_mean": mean,
            "confidence_low": mean - 0.16 - 0.1 * late + chance.gauss(0, 0.01),
            "latency_95": 9_400 + chance.gauss(0, 120),
            "drift": 0.04 + 0.26 * late + chance.gauss(0, 0.006),
            "wakes_per_min": wakes,
            "inferences_per_min": 3 * wakes + chance.random(),
            "mah_per_day_estimated": 1.5 + 0.04 * wakes,
            "duty": 0.02 + 0.002 * wakes,
        }
        for metric, value in values.items():
            rows[metric].append([time, value])
    return rows


class MadeUpMonitor:
    """Has the snapshots that it is given."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self._snapshots = list(snapshots)
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self.asked = 0
        """How often somebody wanted to know."""

    def snapshots(self) -> list[Snapshot]:
        """See `torpor.monitor.web.Source.snapshots`."""
        with self._lock:
            self.asked += 1
            return list(self._snapshots)

    @property
    def subscribers(self) -> int:
        """How many want to be told."""
        return len(self._callbacks)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See `torpor.monitor.web.Source.subscribe`."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def become(self, *snapshots: Snapshot) -> None:
        """Have other snapshots, and tell."""
        with self._lock:
            self._snapshots = list(snapshots)
        for callback in self._callbacks:
            callback()
