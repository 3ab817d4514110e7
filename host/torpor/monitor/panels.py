# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Snapshots on a terminal: a panel for each device, or a row where there is no room for panels.

Colours only repeat what words say.
"""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from torpor.monitor.alerts import MODEL
from torpor.monitor.document import Alert, Snapshot
from torpor.monitor.plain import decision, milliseconds, printable
from torpor.plan.status import status

BARS = "▁▂▃▄▅▆▇█"
SPARKS = 24
PANEL_LINES = 14  # of a device in good order
DAY_S, HOUR_S, MINUTE_S = 86400, 3600, 60


def screen(snapshots: Sequence[Snapshot], lines: int, footer: str = "") -> RenderableType:
    """Return what is shown: panels if they fit into `lines` lines, else a table."""
    fits = len(snapshots) == 1 or len(snapshots) * PANEL_LINES + 1 <= lines
    parts: list[RenderableType] = [panel(s) for s in snapshots] if fits else [table(snapshots)]
    return Group(*parts, *([Text(footer, style="dim")] if footer else []))


def panel(snapshot: Snapshot) -> Panel:
    """Return all of a device but its history."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, words in _rows(snapshot):
        grid.add_row(name, words)
    state = "connected" if snapshot["connected"] else "NOT CONNECTED"
    title = f"{snapshot['device']} · {snapshot['port']} · {state}"
    return Panel(
        grid,
        title=Text(printable(title)),
        title_align="left",
        border_style="red" if snapshot["alerts"] or not snapshot["connected"] else "",
        box=box.ROUNDED,
    )


def table(snapshots: Sequence[Snapshot]) -> Table:
    """Return a row for each device."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    made.add_column("device", overflow="fold")
    made.add_column("last answer", overflow="fold")
    for name in ("conf.", "drift", "wakes/min", "resets", "lost"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("alerts", overflow="fold")
    for snapshot in snapshots:
        made.add_row(*(Text(printable(cell)) for cell in _cells(snapshot)))
    return made


def _cells(snapshot: Snapshot) -> Iterable[str]:
    last, confidence, rates = (
        snapshot["last_decision"],
        snapshot["confidence"],
        snapshot["rates"],
    )
    yield snapshot["device"]
    yield f"{last['label']} {last['score']:.0%}" if last else "-"
    yield f"{confidence['mean']:.2f}" if confidence else "-"
    yield _drift(snapshot)
    yield f"{rates['wakes_per_min']:.1f}" if rates else "-"
    yield f"{snapshot['totals']['resets']:,}"
    yield f"{snapshot['totals']['lost_records']:,}"
    gone = [] if snapshot["connected"] else ["not connected"]
    yield ", ".join(gone + [_short(alert) for alert in snapshot["alerts"]]) or "-"


def _short(alert: Alert) -> str:
    what = "refused" if alert["metric"] == MODEL else alert["level"]
    return f"{alert['metric']} {what}"


def _rows(snapshot: Snapshot) -> Iterable[tuple[str, Text]]:
    for name, words, style in (
        ("problem", snapshot["problem"], "bold red"),
        ("refused", snapshot["refused"], "bold red"),
        ("device", _identity(snapshot), ""),
        ("last answer", _last(snapshot), ""),
        ("classes", _counts(snapshot), ""),
        ("confidence", _confidence(snapshot), ""),
        ("latency", _latency(snapshot), ""),
        ("drift", _with_sparks(_drift(snapshot), snapshot, "drift"), ""),
        ("a minute", _rates(snapshot), ""),
        ("time", _residency(snapshot), ""),
        ("energy", _energy(snapshot), ""),
        ("so far", _work(snapshot), ""),
        ("health", _health(snapshot), ""),
    ):
        if words:
            yield name, Text(printable(words), style=style)
    for alert in snapshot["alerts"]:
        yield "ALERT", Text(printable(alert_text(alert)), style="bold red")


def alert_text(alert: Alert) -> str:
    """Return an alert in words: "drift 0.31: limit 0.25"."""
    metric, value, baseline = alert["metric"], alert["value"], alert["baseline"]
    if metric == MODEL:
        return f"the model is refused: {status(int(value)).name}"
    if alert["level"] == "limit":
        return f"{metric} is {value:.4g}, the limit {baseline:.4g}"
    return f"{metric} is {value:.4g}, usually {baseline:.4g}: {alert['level']}"


def sparks(values: Sequence[float]) -> str:
    """Return the course of a value as bars, from its lowest to its highest."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = (high - low) or 1.0
    top = len(BARS) - 1
    return "".join(BARS[round((value - low) / span * top)] for value in values)


def _with_sparks(words: str, snapshot: Snapshot, metric: str, width: int = 36) -> str:
    values = [value for _, value in snapshot["history"][metric][-SPARKS:]]
    return f"{words:<{width}}{sparks(values)}" if len(values) > 1 else words


def _identity(snapshot: Snapshot) -> str:
    words = f"{snapshot['model'] or 'no model'} on {snapshot['board'] or 'an unknown board'}"
    if snapshot["firmware"]:
        words += f", firmware {snapshot['firmware']}"
    if snapshot["sensor"]:
        words += f", {snapshot['sensor']}, {snapshot['mode']}, policy {snapshot['policy']}"
    return words + (f", engine {snapshot['engine']}" if snapshot["engine"] else "")


def _last(snapshot: Snapshot) -> str:
    last = snapshot["last_decision"]
    if last is None:
        return "none yet" if snapshot["connected"] else ""
    names = last["label"], last["score"], last["source"], last["failure"], last["latency_us"]
    return f"{decision(*names)}, {ago(last['age_s'])} ago"


def ago(seconds: float) -> str:
    """Return a length of time in its largest unit: "4 s", "3 min", "2 h", "5 days"."""
    units = ((DAY_S, "days"), (HOUR_S, "h"), (MINUTE_S, "min"))
    for size, unit in units:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _counts(snapshot: Snapshot) -> str:
    most = sorted(snapshot["counts"].items(), key=lambda item: -item[1])
    return ", ".join(f"{label} {count:,}" for label, count in most)


def _confidence(snapshot: Snapshot) -> str:
    found = snapshot["confidence"]
    words = f"mean {found['mean']:.2f}, low {found['low']:.2f}" if found else ""
    return _with_sparks(words, snapshot, "confidence_mean")


def _latency(snapshot: Snapshot) -> str:
    found = snapshot["latency_us"]
    if not found:
        return ""
    words = f"median {milliseconds(found['p50'])}, 95 % {milliseconds(found['p95'])}"
    return _with_sparks(words, snapshot, "latency_95")


def _drift(snapshot: Snapshot) -> str:
    return "-" if snapshot["drift"] is None else f"{snapshot['drift']:.3f}"


def _rates(snapshot: Snapshot) -> str:
    rates = snapshot["rates"]
    if not rates:
        return ""
    wakes, inferences = rates["wakes_per_min"], rates["inferences_per_min"]
    return _with_sparks(
        f"{wakes:.1f} wakes, {inferences:.1f} inferences", snapshot, "wakes_per_min"
    )


def _residency(snapshot: Snapshot) -> str:
    found = snapshot["residency"]
    if not found:
        return ""
    shares = [(state.replace("_", " "), share) for state, share in found.items()]
    return ", ".join(f"{state} {share:.1%}" for state, share in shares if share)


def _energy(snapshot: Snapshot) -> str:
    found = snapshot["energy"]
    if not found:
        return ""
    charge, days = found["mah_per_day_estimated"], found["days_estimated"]
    return f"estimated: {charge:.3g} mAh a day, {days:,.0f} days of battery"


def _work(snapshot: Snapshot) -> str:
    totals = snapshot["totals"]
    return (
        f"{totals['decisions']:,} answers, {totals['fallbacks']:,} without the model; "
        f"{totals['inferences']:,} inferences, {totals['errors']:,} errors; "
        f"{totals['wakes']:,} wakes, {totals['rejected']:,} rejected"
    )


def _health(snapshot: Snapshot) -> str:
    totals = snapshot["totals"]
    resets = f"resets {totals['resets']:,}"
    if totals["watchdogs"] or totals["faults"]:
        resets += f" (watchdog {totals['watchdogs']:,}, faults {totals['faults']:,})"
    lost = f"lost: {totals['lost_records']:,} records, {totals['sensor_lost']:,} sensor blocks"
    lines = f"lines dropped {totals['dropped_lines']:,}"
    stack = f", stack {snapshot['stack']:,} bytes" if snapshot["stack"] else ""
    return f"{resets}, {lost}, {lines}{stack}"
