# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What devices do as numbers for Prometheus, made from the snapshots when it asks.

Each has the label `device`. What is not known is left out; an alert that is over, too. Counters
begin with the monitor. Estimates say so in their names.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol, cast
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from torpor.monitor.address import LOOPBACK, Address, cannot_listen
from torpor.monitor.document import Snapshot

Values = Mapping[tuple[str, ...], float]
"""Values of the labels beside `device` -> number."""
FACTS = ("board", "model", "engine", "firmware", "sensor", "mode")
LEVELS = {"2 sigma": 2.0, "3 sigma": 3.0, "limit": 3.0}
"""How bad an alert is: 2 a warning, 3 an alert."""


class Source(Protocol):
    """What is asked for snapshots: `torpor.monitor.Monitor`, or anything like it."""

    def snapshots(self) -> list[Snapshot]:
        """Return what is known now, one for each device."""
        ...


class Server:
    """Answers Prometheus from a thread of its own, until `close`."""

    def __init__(self, server: WSGIServer, thread: threading.Thread, host: str) -> None:
        self._server = server
        self._thread = thread
        self.address = Address(host, int(server.server_port))

    @property
    def url(self) -> str:
        """What to give Prometheus as a target."""
        return f"http://{self.address.from_here}/metrics"

    def close(self) -> None:
        """Stop listening. Safe to call twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(monitor: Source, port: int, host: str = LOOPBACK) -> Server:
    """Let Prometheus ask at `host`:`port`; port 0 takes any that is free.

    Raises:
        UsageError: nothing can listen there.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DeviceCollector(monitor))
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise cannot_listen(Address(host, port), error, "--prometheus PORT") from None
    return Server(server, thread, host)


class DeviceCollector(Collector):
    """Makes the numbers of all devices anew each time."""

    def __init__(self, monitor: Source) -> None:
        self._monitor = monitor

    def collect(self) -> Iterable[Metric]:
        """Return the families that there is something of."""
        return families(self._monitor.snapshots())


def families(snapshots: list[Snapshot]) -> Iterator[Metric]:
    """Yield all numbers of the snapshots, family by family."""
    info = InfoMetricFamily("torpor_device", "What the device is", labels=["device"])
    for it in snapshots:
        info.add_metric([it["device"]], {name: str(it.get(name)) for name in FACTS})
    yield info
    for family in FAMILIES:
        metric = family.kind(family.name, family.text, labels=["device", *family.labels])
        for it in snapshots:
            for labels, value in family.values(it).items():
                metric.add_metric([it["device"], *labels], value)
        yield metric


def _one(value: float | None) -> Values:
    return {} if value is None else {(): value}


def _part(name: str, key: str) -> Callable[[Snapshot], Values]:
    """Return how to find `key` in the table `name`, which may not be there."""

    def find(it: Snapshot) -> Values:
        table = cast(Mapping[str, float] | None, it.get(name))
        return _one(None if table is None else table[key])

    return find


def _latency(it: Snapshot) -> Values:
    latency = it["latency_us"]
    if latency is None:
        return {}
    return {("0.5",): latency["p50"] / 1e6, ("0.95",): latency["p95"] / 1e6}


def _causes(it: Snapshot) -> Values:
    return {("watchdog",): it["totals"]["watchdogs"], ("fault",): it["totals"]["faults"]}


def _residency(it: Snapshot) -> Values:
    shares = cast(Mapping[str, float], it["residency"] or {})
    return {(state,): share for state, share in shares.items()}


def _alerts(it: Snapshot) -> Values:
    """Return the worst alert of each metric: one may be over its limit and unusual as well."""
    worst: dict[tuple[str, ...], float] = {}
    for alert in it["alerts"]:
        key = (alert["metric"],)
        worst[key] = max(worst.get(key, 0.0), LEVELS.get(alert["level"], 3.0))
    return worst


class Family(NamedTuple):
    """Numbers of one name."""

    name: str
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    text: str
    values: Callable[[Snapshot], Values]
    labels: tuple[str, ...] = ()


def _counter(name: str, text: str, key: str) -> Family:
    return Family(f"torpor_{name}_total", CounterMetricFamily, text, _part("totals", key))


def _gauge(
    name: str, text: str, values: Callable[[Snapshot], Values], labels: tuple[str, ...] = ()
) -> Family:
    return Family(f"torpor_{name}", GaugeMetricFamily, text, values, labels)


FAMILIES = (
    _gauge("connected", "1 while there is a connection", lambda it: _one(float(it["connected"]))),
    _gauge("last_seen_seconds", "Since the last record", lambda it: _one(it["last_seen_s"])),
    _counter("decisions", "Answers", "decisions"),
    _counter("wakes", "Times that a trigger woke the device", "wakes"),
    _counter("rejected", "Windows that stage 1 kept from the model", "rejected"),
    _counter("inferences", "Inferences", "inferences"),
    Family(
        "torpor_inferences_by_label_total",
        CounterMetricFamily,
        "Inferences by best class",
        lambda it: {(label,): count for label, count in it["counts"].items()},
        ("label",),
    ),
    _counter("fallbacks", "Answers that are not the model's", "fallbacks"),
    _counter("errors", "Errors that the device has counted", "errors"),
    _counter("resets", "Restarts that the monitor has noticed", "resets"),
    Family(
        "torpor_resets_by_cause_total",
        CounterMetricFamily,
        "Runs that ended so since the device has power, those before the monitor came included",
        _causes,
        ("cause",),
    ),
    _counter("lost_records", "Records missing in the sequence", "lost_records"),
    _counter("dropped_lines", "Lines that were garbled", "dropped_lines"),
    _counter("device_dropped_records", "Records that the device had to drop", "device_dropped"),
    _counter("lost_sensor_blocks", "Blocks of the sensor that were lost", "sensor_lost"),
    _counter("reconnects", "Connections that had to be made again", "reconnects"),
    _gauge(
        "confidence_mean", "Mean score of the last interval, 0 to 1", _part("confidence", "mean")
    ),
    _gauge("confidence_low", "10 % quantile of the score, 0 to 1", _part("confidence", "low")),
    _gauge("latency_seconds", "From the end of a window to its answer", _latency, ("quantile",)),
    _gauge("drift", "Population stability index", lambda it: _one(it["drift"])),
    _gauge("residency_ratio", "Share of time in a state", _residency, ("state",)),
    _gauge("stack_bytes", "Most stack ever used", lambda it: _one(it["stack"] or None)),
    _gauge(
        "mah_per_day_estimated",
        "Charge that the residency would cost, an estimate",
        _part("energy", "mah_per_day_estimated"),
    ),
    _gauge(
        "battery_days_estimated",
        "Days that a battery would last, an estimate",
        _part("energy", "days_estimated"),
    ),
    _gauge("alerts", "What is wrong: 2 a warning, 3 an alert", _alerts, ("metric",)),
)
