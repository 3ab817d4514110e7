# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Numbers for Prometheus, read as Prometheus reads them."""

import socket
import threading
import urllib.request
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from tests.monitor.made_up import START, MadeUpMonitor, snapshot
from torpor.errors import UsageError
from torpor.monitor import prometheus
from torpor.monitor.document import Snapshot

Labels = frozenset[tuple[str, str]]


def parsed(text: str) -> dict[str, dict[Labels, float]]:
    """Return name -> labels -> value; every series is there once."""
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            rows = found.setdefault(sample.name, {})
            labels = frozenset(sample.labels.items())
            assert labels not in rows
            rows[labels] = sample.value
    return found


def numbers(*snapshots: Snapshot) -> dict[str, dict[Labels, float]]:
    """Return what Prometheus gets for these devices."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(prometheus.DeviceCollector(MadeUpMonitor(*snapshots)))
    return parsed(generate_latest(registry).decode())


def of(labels: dict[str, str], device: str = "desk") -> Labels:
    return frozenset((labels | {"device": device}).items())


def unknown() -> Snapshot:
    """Return a device that nothing was heard of."""
    return snapshot(
        "new",
        connected=False,
        last_seen_s=None,
        last_decision=None,
        counts={},
        rates=None,
        confidence=None,
        latency_us=None,
        drift=None,
        residency=None,
        stack=0,
        energy=None,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("torpor_connected", 1),
        ("torpor_last_seen_seconds", 0.4),
        ("torpor_decisions_total", 412),
        ("torpor_wakes_total", 530),
        ("torpor_rejected_total", 118),
        ("torpor_inferences_total", 1649),
        ("torpor_confidence_mean", 0.91),
        ("torpor_confidence_low", 0.74),
        ("torpor_drift", 0.04),
        ("torpor_stack_bytes", 1432),
        ("torpor_mah_per_day_estimated", 1.84),
        ("torpor_battery_days_estimated", 122.3),
    ],
)
def test_a_number_is_that_of_the_snapshot(name: str, value: float) -> None:
    assert numbers(snapshot())[name] == {of({}): value}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("fallbacks", "torpor_fallbacks_total"),
        ("errors", "torpor_errors_total"),
        ("resets", "torpor_resets_total"),
        ("lost_records", "torpor_lost_records_total"),
        ("dropped_lines", "torpor_dropped_lines_total"),
        ("device_dropped", "torpor_device_dropped_records_total"),
        ("sensor_lost", "torpor_lost_sensor_blocks_total"),
        ("reconnects", "torpor_reconnects_total"),
    ],
)
def test_a_counter_is_that_total_and_no_other(key: str, name: str) -> None:
    zeros: Any = dict.fromkeys(snapshot()["totals"], 0)
    shown = numbers(snapshot(totals=zeros | {key: 7}))
    nonzero = {
        name for name, rows in shown.items() if name.endswith("_total") and any(rows.values())
    }
    assert nonzero == {name, "torpor_inferences_by_label_total"}
    assert shown[name] == {of({}): 7}


def test_latency_is_in_seconds_by_quantile() -> None:
    assert numbers(snapshot())["torpor_latency_seconds"] == {
        of({"quantile": "0.5"}): 0.0081,
        of({"quantile": "0.95"}): 0.0094,
    }


def test_residency_is_a_share_by_state_and_sums_to_one() -> None:
    shares = numbers(snapshot())["torpor_residency_ratio"]
    assert shares[of({"state": "sleep"})] == 0.962
    assert sum(shares.values()) == pytest.approx(1)


def test_inferences_are_counted_by_label() -> None:
    assert numbers(snapshot())["torpor_inferences_by_label_total"] == {
        of({"label": label}): count for label, count in snapshot()["counts"].items()
    }


def test_resets_have_causes() -> None:
    totals: Any = snapshot()["totals"] | {"resets": 1, "watchdogs": 5, "faults": 2}
    shown = numbers(snapshot(totals=totals))
    assert shown["torpor_resets_total"] == {of({}): 1}
    assert shown["torpor_resets_by_cause_total"] == {
        of({"cause": "watchdog"}): 5,
        of({"cause": "fault"}): 2,
    }


def alert(metric: str, level: str) -> dict[str, Any]:
    return {"metric": metric, "level": level, "value": 1.0, "baseline": 2.0, "since": START}


def test_an_alert_is_as_bad_as_its_worst_level_and_goes_when_it_is_over() -> None:
    alerts = [alert("drift", "2 sigma"), alert("drift", "limit"), alert("duty", "2 sigma")]
    assert numbers(snapshot(alerts=alerts))["torpor_alerts"] == {
        of({"metric": "drift"}): 3,
        of({"metric": "duty"}): 2,
    }
    assert "torpor_alerts" not in numbers(snapshot())


def test_a_refused_model_is_an_alert() -> None:
    alerts = [alert("model", "limit")]
    assert numbers(snapshot(alerts=alerts))["torpor_alerts"] == {of({"metric": "model"}): 3}


def test_what_a_device_is_comes_as_labels() -> None:
    facts = {"board": "mps2_an386", "model": "motion 1.2.0", "firmware": "1.4.0"}
    facts |= {"sensor": "motion", "mode": "gated", "engine": "torpor"}
    assert numbers(snapshot())["torpor_device_info"] == {of(facts): 1}


def test_what_is_not_known_is_left_out() -> None:
    shown = numbers(unknown())
    assert shown["torpor_connected"] == {of({}, "new"): 0}
    assert shown["torpor_wakes_total"] == {of({}, "new"): 530}
    gauges = {name for name in shown if not name.endswith(("_total", "_info"))}
    assert gauges == {"torpor_connected"}


def test_a_device_that_is_known_does_not_speak_for_another() -> None:
    shown = numbers(snapshot("a", drift=0.5), unknown(), snapshot("b"))
    assert shown["torpor_drift"] == {of({}, "a"): 0.5, of({}, "b"): 0.04}


def test_without_devices_there_are_no_numbers() -> None:
    assert numbers() == {}


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_or_label_breaks_the_format(device: str, label: str) -> None:
    shown = numbers(snapshot(device, counts={label: 3}))
    if "\r" not in device + label and (device + label).isprintable():
        assert shown["torpor_inferences_by_label_total"] == {of({"label": label}, device): 3}


def test_a_hostile_label_adds_no_series() -> None:
    hostile = 'x"} 1\ntorpor_connected{device="ghost"} 1\n# \\'
    shown = numbers(snapshot(counts={hostile: 3}))
    assert shown["torpor_connected"] == {of({}): 1}
    assert shown["torpor_inferences_by_label_total"] == {of({"label": hostile}): 3}


def test_names_and_units_are_those_of_prometheus() -> None:
    for family in prometheus.FAMILIES:
        assert family.name.startswith("torpor_")
        counts = family.kind is CounterMetricFamily
        assert family.name.endswith("_total") == counts
        assert not family.name.endswith(("_us", "_ms", "_permille", "_percent"))


def test_it_is_served_to_this_computer_and_follows_the_snapshots() -> None:
    monitor = MadeUpMonitor(snapshot(drift=0.1))
    server = prometheus.serve(monitor, 0)
    assert server.url == f"http://127.0.0.1:{server.address.port}/metrics"
    for drift in (0.1, 0.2):
        monitor.become(snapshot(drift=drift))
        with urllib.request.urlopen(server.url, timeout=10) as answer:
            text = answer.read().decode()
        assert parsed(text)["torpor_drift"] == {of({}): drift}
    server.close()
    server.close()


def test_nothing_of_this_process_is_told() -> None:
    assert all(name.startswith("torpor_") for name in numbers(snapshot()))


def test_closing_ends_the_thread_and_frees_the_port() -> None:
    before = set(threading.enumerate())
    server = prometheus.serve(MadeUpMonitor(), 0)
    server.close()
    assert set(threading.enumerate()) == before
    again = prometheus.serve(MadeUpMonitor(), server.address.port)
    again.close()


def test_a_port_in_use_is_one_line_with_a_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            prometheus.serve(MadeUpMonitor(), port)
    assert caught.value.message == f"cannot serve at 127.0.0.1:{port}: address already in use"
    assert "--prometheus" in caught.value.hint
