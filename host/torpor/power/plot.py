# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Battery life against latency as a page of its own: everything that it needs is in the file."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torpor.errors import UsageError
from torpor.power.study import Study
from torpor.power.sweep import Point

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a")
"""That people who see colours differently can tell apart (Okabe and Ito, 2008)."""

DECADE_DAYS = 3650
TICKS = [count * 10**power for power in range(6) for count in (1, 2, 5)]


def curves(points: Sequence[Point]) -> dict[str, list[Point]]:
    """Return the points that the chip can do, by what they are called, shortest latency first."""
    found: dict[str, list[Point]] = {}
    for point in sorted(points, key=lambda p: (p.always, p.events, p.latency_s)):
        if point.estimate is not None:
            found.setdefault(_rate(point), []).append(point)
    return found


def _rate(point: Point) -> str:
    if point.always:
        return "always on"
    return f"{point.events:g} event{'' if point.events == 1 else 's'} an hour"


def write(study: Study, title: str, path: Path) -> None:
    """Write the page.

    Args:
        study: what is shown.
        title: its head.
        path: of the file, replaced if it is there.

    Raises:
        UsageError: it cannot be written.
    """
    made = figure(study, title)
    try:
        made.write_html(path, include_plotlyjs=True, full_html=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def figure(study: Study, title: str) -> Any:
    """Return the chart, a figure of plotly; arguments as those of `write`."""
    from plotly import graph_objects  # noqa: PLC0415 - it takes a second

    made = graph_objects.Figure()
    for number, (name, points) in enumerate(curves(study.points).items()):
        made.add_trace(_line(graph_objects, name, points, COLOURS[number % len(COLOURS)]))
    _legend_of_symbols(graph_objects, made)
    power = study.power
    made.update_layout(
        title={"text": title, "subtitle": {"text": _small_print(study)}},
        template="plotly_white",
        xaxis={"title": "from the beginning of an event to the answer, seconds (estimated)"},
        yaxis={
            "title": f"days of a battery of {power.battery_mah:g} mAh (estimated)",
            "type": "log",
            "tickvals": TICKS,
            "ticktext": [f"{days:,}" for days in TICKS],
        },
        margin={"t": 110},
        hoverlabel={"align": "left"},
    )
    made.update_xaxes(rangemode="tozero")
    made.add_hline(y=DECADE_DAYS, line={"dash": "dot", "color": "#888"})
    made.add_annotation(
        text="ten years: no battery keeps its charge so long",
        showarrow=False,
        font={"color": "#666"},
        **{"x": 1, "xref": "paper", "xanchor": "right"},
        **{"y": math.log10(DECADE_DAYS), "yanchor": "bottom"},
    )
    return made


def _line(go: Any, name: str, points: Sequence[Point], colour: str) -> Any:
    return go.Scatter(
        x=[p.latency_s for p in points],
        y=[p.estimate.days_estimated for p in points if p.estimate],
        text=[_words(p) for p in points],
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 1.5},
        marker={"symbol": [_symbol(p) for p in points], "size": 11, "color": colour},
        hovertemplate="%{text}",
    )


def _symbol(point: Point) -> str:
    if not point.answered:
        return "x-thin-open"
    return "circle" if point.pareto else "circle-open"


def _legend_of_symbols(go: Any, figure: Any) -> None:
    """Say what the symbols mean, with traces that have no points."""
    for symbol, words in (
        ("circle", "nothing lasts as long and answers as fast"),
        ("circle-open", "another is better"),
        ("x-thin-open", "misses the event"),
    ):
        marker = {"symbol": symbol, "size": 11, "color": "#444", "line": {"color": "#444"}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=words, marker=marker))


def _words(point: Point) -> str:
    assert point.estimate is not None
    made = point.estimate
    return (
        f"a window every {point.hop_s:g} s<br>"
        f"{made.days_estimated:,.0f} days, {made.average_ua_estimated:,.1f} uA<br>"
        f"{point.latency_s:.1f} s to the answer<br>"
        f"awake {point.busy:.3%} of the time"
        + ("" if point.answered else "<br><b>the event is over before it is recognised</b>")
    )


def _small_print(study: Study) -> str:
    power = study.power
    clock = f"{power.clock_hz / 1e6:g} MHz, {power.cycles_per_instruction:g} cycles an instruction"
    return (
        "Instructions counted in the emulator; time and current estimated for the "
        f"{power.chip} ({clock}).<br>"
        "No chip was measured; sensors, regulators and self-discharge are left out."
    )
