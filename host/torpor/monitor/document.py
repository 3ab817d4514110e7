# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The snapshot of a device, as the terminal, the web page and Prometheus show it. JSON as it is.

Shares, scores and confidences are 0..1, times of the host seconds since 1970, lengths of time are
what their names say. Strings come from the device or the user: escape them where you show them.
What is not known yet is "" or None, counts 0, tables {}.
"""

from typing import TypedDict


class LastDecision(TypedDict):
    """The last `decision` record."""

    label: str
    """Name of the class, or "class 3" while labels are unknown."""
    score: float
    source: str
    """"model", "cache" (its last answer once more) or "fallback"."""
    failure: str
    """"" or why it is not the model's: "plan", "input", "deadline", "policy"."""
    latency_us: int
    age_s: float


class Totals(TypedDict):
    """Counts since the monitor began; they never fall. Those of the device come in summaries."""

    decisions: int
    wakes: int
    rejected: int
    inferences: int
    fallbacks: int
    errors: int
    resets: int
    """Starts of the device that the monitor has noticed, the first one not counted."""
    watchdogs: int
    """That ended runs, as the device counts them since power came; those before it was watched
    too."""
    faults: int
    """As `watchdogs`."""
    lost_records: int
    """Numbers that were missing in the device's sequence."""
    duplicates: int
    dropped_lines: int
    """Frames with a wrong CRC and the like, and sound ones that are no record."""
    device_dropped: int
    """Records that the device itself had to drop, as it says."""
    sensor_lost: int
    """Blocks of the sensor that the device has lost."""
    reconnects: int


class Rates(TypedDict):
    """Of the last interval."""

    inferences_per_min: float
    wakes_per_min: float


class Confidence(TypedDict):
    """Of the last interval with inferences: mean score, and its 10 % quantile."""

    mean: float
    low: float


class Latency(TypedDict):
    """Of the last interval with inferences, from the end of the window, microseconds."""

    p50: int
    p95: int


class Residency(TypedDict):
    """Shares of the last interval, whose sum is 1; replaying a scene is left out."""

    sleep: float
    capture: float
    stage_1: float
    stage_2: float
    serial: float
    flash: float


class Energy(TypedDict):
    """What torpor.energy makes of the residency and the board's table of currents."""

    mah_per_day_estimated: float
    days_estimated: float


class Alert(TypedDict):
    """Something that is not as it was, or not as it must be, now."""

    metric: str
    """As in `Snapshot.history`."""
    level: str
    """"2 sigma" (a warning), "3 sigma" or "limit"."""
    value: float
    """The last one."""
    baseline: float
    """The learned mean; of "limit" the limit."""
    since: float
    """Seconds since 1970."""


METRICS = (
    "confidence_mean",
    "confidence_low",
    "latency_95",
    "drift",
    "wakes_per_min",
    "inferences_per_min",
    "mah_per_day_estimated",
    "duty",
)
"""Keys of `Snapshot.history`. latency_95: microseconds; duty: the share that is not sleep."""
HISTORY_POINTS = 600
"""Most points that are kept of each."""


class Snapshot(TypedDict):
    """All that is known of one device."""

    device: str
    port: str
    connected: bool
    problem: str
    """"", or why nothing is heard: the port is gone, the firmware has other records."""
    board: str
    model: str
    """Name and version: "motion 1.2.0"."""
    engine: str
    """"torpor" or "tflm"; "" while unknown."""
    refused: str
    """Why the model is not run: "arena (tflm: Failed to ...)"; "" if it is, or while unknown."""
    firmware: str
    sensor: str
    mode: str
    policy: str
    """"normal", "slow", "saving", "resting"; "" while unknown."""
    since: str
    """When `connected` became what it is: ISO 8601, UTC; "" if it never was."""
    last_seen_s: float | None
    """Since the last sound record."""
    last_decision: LastDecision | None
    totals: Totals
    counts: dict[str, int]
    """Inferences by label."""
    rates: Rates | None
    confidence: Confidence | None
    latency_us: Latency | None
    drift: float | None
    """Population stability index: above 0.25 the world has changed."""
    residency: Residency | None
    stack: int
    """Most bytes ever used; 0: not known."""
    energy: Energy | None
    alerts: list[Alert]
    history: dict[str, list[list[float]]]
    """By metric: [time, value] in order, at most `HISTORY_POINTS`. All of `METRICS` are there."""
