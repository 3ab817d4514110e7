# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The chart: a page that needs nothing else, with every point that the chip can do."""

import dataclasses
import re
from pathlib import Path

import pytest

from tests.power.made import BEHAVIOUR, COSTS, POWER
from torpor.errors import UsageError
from torpor.power import plot
from torpor.power.study import Study
from torpor.power.sweep import sweep

HOPS, RATES = [1, 2, 4, 8], [1.0, 60.0]


@pytest.fixture(scope="module")
def study() -> Study:
    points = sweep(COSTS, BEHAVIOUR, POWER, HOPS, RATES, always=COSTS)
    return Study(POWER, COSTS, COSTS, BEHAVIOUR, tuple(points), ())


def test_every_rate_is_a_curve_from_fast_to_slow(study: Study) -> None:
    found = plot.curves(study.points)
    assert list(found) == ["1 event an hour", "60 events an hour", "always on"]
    for points in found.values():
        assert [p.hop for p in points] == HOPS


def test_what_the_chip_has_no_time_for_is_left_out(study: Study) -> None:
    without = [dataclasses.replace(p, estimate=None) for p in study.points if p.always]
    assert plot.curves(without) == {}


def test_the_page_needs_nothing_from_elsewhere(study: Study, tmp_path: Path) -> None:
    page = tmp_path / "power.html"
    plot.write(study, "motion on a <board>", page)
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", text)
    assert "Plotly.newPlot(" in text
    assert "60 events an hour" in text
    assert "No chip was measured" in text


def test_points_say_by_their_symbols_what_they_are(study: Study) -> None:
    figure = plot.figure(study, "x")
    curve = next(t for t in figure.data if t.name == "1 event an hour")
    assert list(curve.marker.symbol) == ["circle", "circle", "circle", "x-thin-open"]
    assert "the event is over before it is recognised" in curve.text[-1]
    assert "estimated" in figure.layout.yaxis.title.text
    assert "estimated" in figure.layout.xaxis.title.text


def test_a_page_that_cannot_be_written_is_named(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*: No such file or directory"):
        plot.write(study, "x", tmp_path / "nowhere" / "power.html")
