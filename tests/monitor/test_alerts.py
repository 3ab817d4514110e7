# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Alerts: a baseline is learned, what is far off is noticed, and no alert flaps."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.monitor.alerts import LEARNING, MEMORY, WATCHED, Alerts, Baseline, Change, Limits

OFF = Limits(None, None, None)
VALUES = st.floats(-1e6, 1e6)


def learned(metric: str, mean: float, spread: float, seed: int = 1, count: int = 60) -> Alerts:
    """Return alerts that have seen `count` normal values."""
    source, alerts = random.Random(seed), Alerts(OFF)
    for time in range(count):
        value = mean + min(max(source.gauss(0, spread), -1.4 * spread), 1.4 * spread)
        assert alerts.update(time, {metric: value}) == []
    return alerts


def levels(alerts: Alerts, metric: str, *values: float) -> list[str]:
    """Return the level of the metric after each value."""
    found = []
    for value in values:
        alerts.update(1000.0, {metric: value})
        found.append(alerts.active[0]["level"] if alerts.active else "")
    return found


# ---- the baseline


@given(st.lists(VALUES, min_size=1, max_size=MEMORY))
def test_a_young_baseline_is_mean_and_deviation_of_all_values(values: list[float]) -> None:
    base = Baseline()
    for value in values:
        base.learn(value)
    scale = max(map(abs, values)) + 1
    assert math.isclose(base.mean, statistics.fmean(values), abs_tol=1e-9 * scale)
    assert math.isclose(base.deviation, statistics.pstdev(values), abs_tol=1e-6 * scale)


def test_an_old_baseline_follows_slowly() -> None:
    base = Baseline()
    for _ in range(200):
        base.learn(10.0)
    for _ in range(MEMORY):
        base.learn(20.0)
    assert base.mean == pytest.approx(20 - 10 / math.e, abs=0.1)


def test_a_baseline_is_trusted_after_enough_values() -> None:
    base = Baseline()
    for number in range(LEARNING):
        assert not base.is_known, number
        base.learn(1.0)
    assert base.is_known


# ---- deviations


def test_nothing_is_an_alert_while_the_baseline_is_learned() -> None:
    alerts = Alerts(OFF)
    for number in range(LEARNING):
        assert alerts.update(number, {"drift": 100.0 * (number % 2)}) == []


def test_one_value_far_off_is_no_alert_and_two_of_three_are() -> None:
    assert levels(learned("drift", 0.1, 0.02), "drift", 0.9, 0.1, 0.1) == ["", "", ""]
    assert levels(learned("drift", 0.1, 0.02), "drift", 0.9, 0.1, 0.9) == ["", "", "3 sigma"]
    assert levels(learned("drift", 0.1, 0.02), "drift", 0.9, 0.9) == ["", "3 sigma"]


def test_two_deviations_warn_and_three_raise() -> None:
    alerts = learned("drift", 0.1, 0.02)
    spread = alerts._sigmas["drift"].baseline.deviation
    mean = alerts._sigmas["drift"].baseline.mean
    warm, hot, cool = mean + 2.6 * spread, mean + 6 * spread, mean + 1.7 * spread
    assert levels(alerts, "drift", warm, warm) == ["", "2 sigma"]
    assert levels(alerts, "drift", hot, hot) == ["2 sigma", "3 sigma"]
    assert levels(alerts, "drift", cool, cool) == ["3 sigma", "3 sigma"], "hysteresis"
    assert levels(alerts, "drift", mean) == [""]


@pytest.mark.parametrize("metric", list(WATCHED))
def test_only_the_bad_direction_is_an_alert(metric: str) -> None:
    mean, spread = 50.0, WATCHED[metric].floor + 50 * WATCHED[metric].share
    up = levels(learned(metric, mean, spread), metric, *[mean + 20 * spread] * 3)[-1]
    down = levels(learned(metric, mean, spread), metric, *[mean - 20 * spread] * 3)[-1]
    assert (up, down) == {
        "high": ("3 sigma", ""),
        "low": ("", "3 sigma"),
        "both": ("3 sigma", "3 sigma"),
    }[WATCHED[metric].bad]


def test_values_that_never_change_have_a_floor_of_deviation() -> None:
    alerts = learned("confidence_mean", 0.95, 0.0)
    floor = WATCHED["confidence_mean"].floor
    assert levels(alerts, "confidence_mean", *[0.95 - 1.9 * floor] * 3) == ["", "", ""]
    alerts = learned("confidence_mean", 0.95, 0.0)
    assert levels(alerts, "confidence_mean", *[0.95 - 4 * floor] * 2)[-1] == "3 sigma"


def test_the_baseline_is_frozen_while_an_alert_is_on() -> None:
    alerts = learned("drift", 0.1, 0.02)
    levels(alerts, "drift", 0.9, 0.9)
    before = alerts._sigmas["drift"].baseline.mean
    assert set(levels(alerts, "drift", *[0.9] * 500)) == {"3 sigma"}
    assert alerts._sigmas["drift"].baseline.mean == before
    assert alerts.active[0]["baseline"] == before


def test_a_lasting_change_for_the_better_is_learned() -> None:
    alerts = learned("confidence_mean", 0.88, 0.01)
    assert set(levels(alerts, "confidence_mean", *[0.98] * 400)) == {""}
    assert alerts._sigmas["confidence_mean"].baseline.mean == pytest.approx(0.98, abs=0.01)
    assert levels(alerts, "confidence_mean", 0.88, 0.88)[-1] == "3 sigma"


def test_a_single_outlier_does_not_widen_what_is_normal() -> None:
    alerts = learned("drift", 0.1, 0.02)
    spread = alerts._sigmas["drift"].baseline.deviation
    levels(alerts, "drift", 1e6, 0.1)
    assert alerts._sigmas["drift"].baseline.deviation < 1.2 * spread


@pytest.mark.parametrize("seed", range(20))
def test_ordinary_noise_raises_no_alert_of_three_deviations(seed: int) -> None:
    source, alerts = random.Random(seed), Alerts(OFF)
    for time in range(500):
        changes = alerts.update(time, {"latency_95": source.gauss(12_000, 3000)})
        assert all(change.after != "3 sigma" for change in changes), time


# ---- limits


@pytest.mark.parametrize(
    ("metric", "good", "bad", "between"),
    [
        ("confidence_mean", 0.90, 0.84, 0.855),
        ("latency_95", 900.0, 1001.0, 995.0),
        ("drift", 0.2, 0.251, 0.249),
    ],
)
def test_a_limit_is_noticed_at_once_and_left_with_a_margin(
    metric: str, good: float, bad: float, between: float
) -> None:
    alerts = Alerts(Limits(0.85, 1000.0, 0.25))
    assert levels(alerts, metric, between, bad, between, good, between) == [
        "",
        "limit",
        "limit",
        "",
        "",
    ]


@pytest.mark.parametrize("metric", list(WATCHED))
def test_without_limits_the_first_value_is_never_an_alert(metric: str) -> None:
    assert Alerts(OFF).update(0, {metric: 1e9}) == []
    assert Alerts(OFF).update(0, {metric: -1e9}) == []


def test_limits_survive_a_file() -> None:
    for limits in (Limits(), OFF, Limits(0.5, 100.0, 0.1)):
        assert Limits.from_json(limits.to_json()) == limits


# ---- what is told


def test_a_change_says_what_it_was_before_and_since_when() -> None:
    alerts = Alerts(Limits(0.85, None, None))
    (begun,) = alerts.update(10.0, {"confidence_mean": 0.5})
    assert (begun.before, begun.after) == ("", "limit")
    assert alerts.update(20.0, {"confidence_mean": 0.4}) == []
    (active,) = alerts.active
    assert (active["since"], active["value"], active["baseline"]) == (10.0, 0.4, 0.85)
    (ended,) = alerts.update(30.0, {"confidence_mean": 0.95})
    assert (ended.before, ended.after, ended.alert["value"]) == ("limit", "", 0.95)
    assert alerts.active == []


def test_a_metric_without_a_value_keeps_its_alert() -> None:
    alerts = Alerts(Limits(0.85, None, None))
    alerts.update(10.0, {"confidence_mean": 0.5})
    assert alerts.update(20.0, {"drift": 0.0}) == []
    assert [alert["metric"] for alert in alerts.active] == ["confidence_mean"]


def test_forgetting_ends_all_alerts_and_learns_anew() -> None:
    alerts = learned("drift", 0.1, 0.02)
    levels(alerts, "drift", 0.9, 0.9)
    (change,) = alerts.forget()
    assert (change.before, change.after) == ("3 sigma", "")
    assert alerts.active == []
    assert set(levels(alerts, "drift", *[0.9] * 100)) == {""}


TRACES = st.lists(
    st.dictionaries(st.sampled_from([*WATCHED, "duty"]), st.floats(0, 1e6), max_size=4), max_size=80
)


@given(TRACES)
def test_changes_and_active_alerts_tell_the_same_story(trace: list[dict[str, float]]) -> None:
    alerts, told = Alerts(Limits(0.85, 500.0, 0.25)), dict[tuple[str, bool], str]()
    for time, values in enumerate(trace):
        for change in alerts.update(time, values):
            key = change.alert["metric"], "limit" in (change.before, change.after)
            assert told.get(key, "") == change.before != change.after
            told[key] = change.after
            assert change.alert["value"] == values[change.alert["metric"]]
        active = {(a["metric"], a["level"] == "limit"): a["level"] for a in alerts.active}
        assert active == {key: level for key, level in told.items() if level}
        assert all(a["since"] <= time for a in alerts.active)


@given(TRACES)
def test_the_same_values_make_the_same_alerts(trace: list[dict[str, float]]) -> None:
    def run() -> list[list[Change]]:
        alerts = Alerts(Limits())
        return [alerts.update(time, values) for time, values in enumerate(trace)]

    assert run() == run()
