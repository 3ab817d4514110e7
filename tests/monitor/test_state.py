# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What is known of a device follows from what it has said, and from nothing else."""

import itertools
import json
from collections.abc import Iterable
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.monitor.device import (
    LABELS,
    SPAN_MS,
    about,
    decision,
    hello,
    packed,
    residency,
    restarted,
    summary,
)
from tests.monitor.test_describe import any_record
from torpor.monitor import document
from torpor.monitor.alerts import Limits
from torpor.monitor.events import (
    Connected,
    Disconnected,
    Dropped,
    Event,
    Foreign,
    Notice,
    Received,
    Said,
)
from torpor.monitor.state import DeviceState, iso_time
from torpor.wire import records
from torpor.wire.records import Record

START = 1_800_000_000.0


class Feeder:
    """Feeds a state, one event a second."""

    def __init__(self, **options: Any) -> None:
        self.state = DeviceState("d", "port", **options)
        self.notices: list[Notice] = []
        self.now = START

    def event(self, event: Event) -> list[Notice]:
        self.now += 1
        notices = self.state.feed(event)
        self.notices += notices
        return notices

    def connect(self) -> None:
        self.event(Connected(self.now + 1, "d", "port"))

    def disconnect(self, reason: str = "gone") -> None:
        self.event(Disconnected(self.now + 1, "d", "port", reason))

    def records(self, *given: Record) -> list[Notice]:
        made = []
        for record in given:
            event = Received(self.now + 1, "d", records.encode(record), record)
            made += self.event(event)
        return made

    @property
    def snapshot(self) -> Any:  # a Snapshot, whose parts tests do not ask for None
        return self.state.snapshot(self.now)

    def kinds(self) -> list[str]:
        return [notice.kind for notice in self.notices]


def labels(begin: int = 1) -> Iterable[Record]:
    return (records.Label(begin + i, i, name) for i, name in enumerate(LABELS))


@pytest.fixture
def it() -> Feeder:
    return Feeder()


# ---- the document


def same_shape(value: Any, hint: Any) -> bool:
    """True if the keys of tables are those of their TypedDicts."""
    return not isinstance(value, dict) or set(value) == set(get_type_hints(hint))


def test_a_device_that_has_said_nothing_is_a_whole_document(it: Feeder) -> None:
    snapshot = it.snapshot
    assert same_shape(snapshot, document.Snapshot)
    assert same_shape(snapshot["totals"], document.Totals)
    assert set(snapshot["history"]) == set(document.METRICS)
    assert not snapshot["connected"]
    assert snapshot["last_seen_s"] is None
    assert json.loads(json.dumps(snapshot)) == snapshot


def test_what_a_device_says_is_in_its_document(it: Feeder) -> None:
    it.connect()
    it.records(hello(), about(), *labels(), decision(4), summary(5))
    s = it.snapshot
    assert (s["board"], s["model"], s["firmware"]) == ("mps2_an386", "gestures 1.0.0", "1.2.0")
    assert (s["sensor"], s["mode"], s["policy"]) == ("motion", "gated", "normal")
    assert s["last_decision"] == {
        "label": "wave",
        "score": 0.94,
        "source": "model",
        "failure": "",
        "latency_us": 12_300,
        "age_s": 1.0,
    }
    assert s["counts"] == {"still": 3, "wave": 9}
    assert s["rates"] == {"inferences_per_min": 12.0, "wakes_per_min": 4.0}
    assert s["confidence"] == {"mean": 0.93, "low": 0.88}
    assert s["latency_us"] == {"p50": 12_000, "p95": 14_000}
    assert (s["drift"], s["stack"]) == (0.04, 1812)
    assert s["residency"]["sleep"] == pytest.approx(9000 / 9950)
    for part, shape in (("last_decision", "LastDecision"), ("residency", "Residency")):
        assert same_shape(s[part], getattr(document, shape))
    assert json.loads(json.dumps(s)) == s


def test_the_document_says_since_when(it: Feeder) -> None:
    it.connect()
    assert it.snapshot["since"] == iso_time(START + 1) == "2027-01-15T08:00:01+00:00"
    it.disconnect("unplugged")
    assert it.snapshot["since"] == iso_time(START + 2)
    it.disconnect("another reason")
    assert it.snapshot["since"] == iso_time(START + 2)
    assert it.snapshot["problem"] == "another reason"
    it.connect()
    assert (it.snapshot["problem"], it.snapshot["totals"]["reconnects"]) == ("", 1)


def test_ages_grow_with_the_time_and_are_never_negative(it: Feeder) -> None:
    it.records(decision(1))
    assert it.state.snapshot(it.now + 5)["last_seen_s"] == 5
    assert it.state.snapshot(it.now - 5)["last_seen_s"] == 0


def test_a_snapshot_does_not_change_any_more(it: Feeder) -> None:
    it.records(about(), *labels(), summary(4, score_mean=100))
    before = it.snapshot
    text = json.dumps(before)
    it.records(*(summary(5 + i, time=SPAN_MS * (i + 2), score_mean=900) for i in range(9)))
    assert json.dumps(before) == text
    assert json.dumps(it.snapshot) != text


# ---- numbers, losses, starts


def test_a_gap_is_a_loss_and_is_told(it: Feeder) -> None:
    (notice,) = it.records(decision(10), decision(14))
    assert (notice.kind, notice.detail) == ("lost", {"count": 3, "before": 14})
    assert notice.text == "3 records lost before number 14"
    assert it.snapshot["totals"]["lost_records"] == 3


def test_what_was_sent_while_the_cable_was_out_is_lost(it: Feeder) -> None:
    it.connect()
    it.records(decision(0))
    it.disconnect()
    it.connect()
    it.records(decision(8))
    assert it.snapshot["totals"]["lost_records"] == 7


def test_a_restart_is_no_loss(it: Feeder) -> None:
    it.records(hello(), about(0), *labels(), decision(4), decision(5))
    it.records(hello(), about(0), *labels(), restarted(4, kept=1, reason=18, watchdogs=1))
    totals = it.snapshot["totals"]
    assert (totals["lost_records"], totals["resets"], totals["watchdogs"]) == (0, 1, 1)
    assert "it hung" in next(n.text for n in it.notices if n.kind == "ended")


def test_the_first_start_that_is_seen_is_no_reset(it: Feeder) -> None:
    it.records(hello(), about(0))
    assert it.snapshot["totals"]["resets"] == 0


def test_what_is_lost_at_a_start_is_counted(it: Feeder) -> None:
    it.records(hello(), about(0), hello(), decision(3))
    totals = it.snapshot["totals"]
    assert (totals["lost_records"], totals["resets"]) == (3, 1)


def test_a_start_whose_hello_was_lost_is_noticed_by_its_numbers(it: Feeder) -> None:
    it.records(*(decision(n) for n in range(20)), about(0))
    totals = it.snapshot["totals"]
    assert (totals["lost_records"], totals["resets"]) == (0, 1)


def test_a_doubled_line_counts_once(it: Feeder) -> None:
    it.records(hello(), hello(), decision(0), decision(0), decision(1), decision(0))
    totals = it.snapshot["totals"]
    assert (totals["decisions"], totals["duplicates"]) == (2, 2)
    assert (totals["resets"], totals["lost_records"]) == (0, 0)


def test_the_answer_to_a_ping_is_no_start(it: Feeder) -> None:
    it.records(hello(), decision(0), hello(seq=7), decision(1))
    totals = it.snapshot["totals"]
    assert (totals["resets"], totals["lost_records"]) == (0, 0)


def test_how_the_run_before_ended_is_told_once(it: Feeder) -> None:
    told = restarted(0, kept=1, reason=19, faults=1)
    it.records(hello(), told, decision(1), restarted(2, kept=1, reason=19, faults=1))
    assert it.kinds() == ["ended"]
    assert it.snapshot["totals"]["faults"] == 1
    assert it.snapshot["totals"]["resets"] == 0


def test_endings_before_a_power_loss_are_not_forgotten(it: Feeder) -> None:
    it.records(hello(), restarted(0, kept=1, reason=18, watchdogs=2, faults=1))
    it.records(hello(), restarted(0, kept=0, reason=16))
    it.records(hello(), restarted(0, kept=1, reason=18, watchdogs=1))
    totals = it.snapshot["totals"]
    assert (totals["watchdogs"], totals["faults"], totals["resets"]) == (3, 1, 2)


def test_a_clock_that_goes_back_is_a_start(it: Feeder) -> None:
    it.records(summary(0, time=10 * SPAN_MS), summary(1, time=SPAN_MS))
    assert it.snapshot["totals"]["resets"] == 1


def test_a_clock_that_is_full_begins_anew_without_a_start(it: Feeder) -> None:
    it.records(summary(0, time=2**32 - 100), summary(1, time=SPAN_MS - 100))
    assert it.snapshot["totals"]["resets"] == 0


# ---- summaries


def test_summaries_add_up(it: Feeder) -> None:
    it.records(
        *(
            summary(i, time=SPAN_MS * (i + 1), errors=1, lost=2, dropped=3, fallbacks=4)
            for i in range(5)
        )
    )
    totals = it.snapshot["totals"]
    assert (totals["wakes"], totals["rejected"], totals["inferences"]) == (20, 5, 60)
    assert (totals["errors"], totals["fallbacks"]) == (5, 20)
    assert (totals["sensor_lost"], totals["device_dropped"]) == (10, 15)
    assert it.snapshot["counts"] == {"class 0": 15, "class 1": 45}
    assert it.state.summaries == 5


def part(n: int, **fields: Any) -> Record:
    """Return a summary of 9 s of the second interval, as somebody has asked for."""
    table = {"wakes": 1, "inferences": 2, "counts": packed([(1, 2)]), "residency": b""}
    return summary(n, **({"time": SPAN_MS + 9000, "span": 9000} | table | fields))


def test_a_summary_of_a_part_is_replaced_by_the_whole(it: Feeder) -> None:
    it.records(summary(0), part(1))
    assert it.snapshot["totals"]["wakes"] == 5
    it.records(part(2, wakes=2), summary(3, time=2 * SPAN_MS))
    assert it.snapshot["totals"]["wakes"] == 8
    assert it.snapshot["counts"] == {"class 0": 6, "class 1": 18}
    assert it.state.summaries == 2


def test_a_summary_of_a_part_is_shown_and_not_judged(it: Feeder) -> None:
    it.records(summary(0), part(1, score_mean=100))
    snapshot = it.snapshot
    assert snapshot["confidence"]["mean"] == 0.1
    assert snapshot["residency"]["sleep"] == pytest.approx(9000 / 9950)
    assert (snapshot["alerts"], len(snapshot["history"]["drift"])) == ([], 1)


def test_the_first_interval_after_a_restart_is_another_one(it: Feeder) -> None:
    it.records(hello(), summary(0), hello(), summary(0, wakes=5))
    assert it.snapshot["totals"]["wakes"] == 9


def test_an_interval_without_inferences_says_nothing_about_confidence(it: Feeder) -> None:
    quiet = {"inferences": 0, "counts": b"", "score_mean": 0, "score_low": 0, "latency_95": 0}
    it.records(summary(0), summary(1, time=2 * SPAN_MS, **quiet))
    snapshot = it.snapshot
    assert snapshot["confidence"]["mean"] == 0.93
    assert snapshot["latency_us"]["p95"] == 14_000
    assert len(snapshot["history"]["confidence_mean"]) == 1
    assert len(snapshot["history"]["wakes_per_min"]) == 2
    assert snapshot["alerts"] == []


def test_an_interval_of_no_length_has_no_rates(it: Feeder) -> None:
    it.records(summary(0, span=0))
    assert it.snapshot["rates"] == {"inferences_per_min": 0.0, "wakes_per_min": 0.0}
    assert it.snapshot["history"]["wakes_per_min"] == []


def test_unknown_drift_is_none(it: Feeder) -> None:
    it.records(summary(0, drift=65535))
    assert it.snapshot["drift"] is None
    assert it.snapshot["history"]["drift"] == []


def test_the_history_is_bounded_and_keeps_the_newest(it: Feeder) -> None:
    count = document.HISTORY_POINTS + 50
    it.records(*(summary(i, time=SPAN_MS * (i + 1)) for i in range(count)))
    for metric, points in it.snapshot["history"].items():
        if metric != "mah_per_day_estimated":
            assert len(points) == document.HISTORY_POINTS
            assert points[-1][0] == it.now
            assert points == sorted(points)


def test_energy_is_that_of_board_and_residency_replay_included() -> None:
    asked = []

    def estimate(board: str, shares: Any, sensor: str) -> document.Energy:
        asked.append((board, dict(shares), sensor))
        return {"mah_per_day_estimated": 2.0, "days_estimated": 100.0}

    it = Feeder(estimate=estimate)
    it.records(summary(0))
    assert it.snapshot["energy"] is None, "the board is not known"
    it.records(hello(), about(0), summary(1, residency=residency(9000, 500, 0, 0, 0, 0, 500)))
    assert it.snapshot["energy"] == {"mah_per_day_estimated": 2.0, "days_estimated": 100.0}
    assert asked[0][0] == "mps2_an386"
    assert asked[0][1]["replay"] == 0.05
    assert asked[0][2] == "motion"
    assert it.snapshot["history"]["mah_per_day_estimated"] == [[it.now, 2.0]]


# ---- alerts


def test_low_confidence_is_an_alert_until_it_is_good_again(it: Feeder) -> None:
    (begun,) = it.records(summary(0, score_mean=710))
    assert begun.kind == "alert"
    assert begun.text == "confidence_mean 0.71: below the limit of 0.85"
    assert begun.detail["level"] == "limit"
    assert it.snapshot["alerts"][0]["metric"] == "confidence_mean"
    (ended,) = it.records(summary(1, time=2 * SPAN_MS, score_mean=930))
    assert ended.kind == "cleared"
    assert it.snapshot["alerts"] == []


def test_a_change_of_the_world_is_an_alert() -> None:
    it = Feeder(limits=Limits(None, None, None))
    it.records(*(summary(i, time=SPAN_MS * (i + 1)) for i in range(20)))
    assert it.notices == []
    it.records(*(summary(i, time=SPAN_MS * (i + 1), wakes=90) for i in range(20, 22)))
    (alert,) = it.snapshot["alerts"]
    assert (alert["metric"], alert["level"]) == ("wakes_per_min", "3 sigma")
    assert alert["baseline"] == pytest.approx(4, abs=0.1)
    assert change_text_of(it) == ["wakes_per_min 90: 3 sigma from its usual 4.071"]


def change_text_of(it: Feeder) -> list[str]:
    return [notice.text for notice in it.notices if notice.kind == "alert"]


def test_another_model_has_another_baseline_and_other_labels(it: Feeder) -> None:
    it.records(about(0), *labels(), summary(4, score_mean=700))
    assert it.state.is_known
    it.records(about(5, plan_crc=99, classes=1))
    assert not it.state.is_known
    assert it.snapshot["alerts"] == []
    assert it.kinds() == ["alert", "cleared"]
    it.records(records.Label(6, 0, "yes"))
    assert it.state.is_known
    assert it.snapshot["counts"] == {"yes": 3, "class 1": 9}


def test_the_same_model_again_changes_nothing(it: Feeder) -> None:
    it.records(hello(), about(0), *labels(), summary(4, score_mean=700), hello(seq=3), about(5))
    assert it.state.is_known
    assert it.kinds() == ["alert"]


# ---- what is not believed


def test_a_firmware_with_other_records_is_named_and_not_believed(it: Feeder) -> None:
    it.connect()
    (notice,) = it.event(Foreign(it.now + 1, "d", 0x1234))
    assert notice.kind == "schema"
    assert "00001234" in notice.text
    assert "build and load its firmware again" in notice.text
    assert it.event(Foreign(it.now + 1, "d", 0x1234)) == [], "told once"
    it.records(decision(5), summary(9))
    snapshot = it.snapshot
    assert snapshot["problem"] == notice.text
    assert (snapshot["last_decision"], snapshot["totals"]["dropped_lines"]) == (None, 2)
    it.records(hello(seq=4), decision(6))
    assert it.snapshot["problem"] == ""
    assert it.snapshot["totals"]["decisions"] == 1


def test_another_device_at_the_port_is_asked_anew(it: Feeder) -> None:
    it.connect()
    it.event(Foreign(it.now + 1, "d", 0x1234))
    it.disconnect()
    it.connect()
    it.records(decision(5))
    assert it.snapshot["totals"]["decisions"] == 1


def test_text_changes_nothing(it: Feeder) -> None:
    it.records(decision(0))
    before = it.snapshot
    assert it.state.feed(Said(it.now, "d", "decision 7")) == []
    assert it.snapshot == before


def test_dropped_lines_are_counted(it: Feeder) -> None:
    for reason in ("crc", "cut", "unknown"):
        it.event(Dropped(it.now, "d", reason))
    assert it.snapshot["totals"]["dropped_lines"] == 3
    assert it.snapshot["last_seen_s"] is None, "nobody was heard"


def test_labels_without_end_are_not_kept(it: Feeder) -> None:
    it.records(*(records.Label(i, 2**32 - 1 - i, "x") for i in range(300)))
    assert len(it.state.labels) <= 256


# ---- anything at all

ANY = st.one_of(
    *(any_record(k) for k in ("hello", "decision", "summary", "restarted", "about", "label")),
    any_record("sample"),
)
EVENTS = st.lists(st.one_of(ANY, st.sampled_from(["connect", "disconnect", "dropped", "foreign"])))


def happen(it: Feeder, items: Iterable[Any]) -> None:
    for item in items:
        if item == "dropped":
            it.event(Dropped(it.now, "d", "crc"))
        elif item == "foreign":
            it.event(Foreign(it.now, "d", 1))
        elif isinstance(item, str):
            getattr(it, item)()
        else:
            it.records(item)


@given(EVENTS)
def test_whatever_comes_makes_a_document_and_totals_never_fall(items: list[Any]) -> None:
    it, before = Feeder(), Feeder().snapshot["totals"]
    for item in items:
        happen(it, [item])
        snapshot = it.snapshot
        assert same_shape(snapshot, document.Snapshot)
        assert json.loads(json.dumps(snapshot, allow_nan=False)) == snapshot
        assert all(snapshot["totals"][name] >= count for name, count in before.items())
        before = snapshot["totals"]
    for notice in it.notices:
        assert json.loads(json.dumps(notice.detail)) == notice.detail


@given(EVENTS)
def test_the_same_events_make_the_same_document(items: list[Any]) -> None:
    one, other = Feeder(), Feeder()
    happen(one, items)
    happen(other, items)
    assert one.snapshot == other.snapshot
    assert one.notices == other.notices


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20))
def test_lost_and_received_make_all(gaps: list[int]) -> None:
    it = Feeder()
    numbers = list(itertools.accumulate(gaps))
    it.records(hello(), *(decision(number) for number in numbers))
    totals = it.snapshot["totals"]
    assert totals["lost_records"] + totals["decisions"] == numbers[-1] + 1


def test_every_change_has_words() -> None:
    it = Feeder(limits=Limits(0.9, 1000.0, 0.01))
    it.records(summary(0, score_mean=100))
    assert sorted(change_text_of(it)) == [
        "confidence_mean 0.1: below the limit of 0.9",
        "drift 0.04: above the limit of 0.01",
        "latency_95 1.4e+04: above the limit of 1000",
    ]


# ---- a model that is refused


def refused(**fields: Any) -> Record:
    table = {"model": "", "plan_status": 6, "engine": "tflm", "message": "Requested: 9"}
    return hello(**(table | fields))


WHY = "arena (tflm: Requested: 9)"


def test_a_model_that_is_refused_is_an_alert_once(it: Feeder) -> None:
    it.connect()
    (notice,) = it.records(refused())
    assert (notice.kind, notice.text) == ("alert", f"the model is refused: {WHY}")
    assert (notice.detail["metric"], notice.detail["level"]) == ("model", "limit")
    assert it.records(refused(seq=7), refused(seq=8)) == []
    snapshot = it.snapshot
    assert (snapshot["engine"], snapshot["refused"]) == ("tflm", WHY)
    (alert,) = snapshot["alerts"]
    assert (alert["metric"], alert["value"]) == ("model", 6)


def test_the_alert_ends_when_a_model_runs(it: Feeder) -> None:
    it.connect()
    it.records(refused())
    (notice,) = it.records(hello(seq=9))
    assert (notice.kind, notice.text) == ("cleared", "the model runs")
    assert it.snapshot["alerts"] == []
    assert (it.snapshot["engine"], it.snapshot["refused"]) == ("torpor", "")


def test_what_the_device_says_of_itself_does_not_end_it(it: Feeder) -> None:
    it.connect()
    it.records(hello(), about(0))
    assert it.records(refused(plan_crc=99, seq=3), about(1, plan_crc=99)) == it.notices[-1:]
    assert [alert["metric"] for alert in it.snapshot["alerts"]] == ["model"]
    it.records(*(summary(2 + i, time=SPAN_MS * (i + 1), score_mean=700) for i in range(3)))
    assert [alert["metric"] for alert in it.snapshot["alerts"]] == ["confidence_mean", "model"]


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.text(max_size=8)), max_size=6))
def test_the_alert_is_on_while_the_last_status_is_not_ok(said: list[tuple[int, str]]) -> None:
    it = Feeder()
    it.connect()
    for number, message in said:
        it.records(hello(seq=5, plan_status=number, message=message))
    last = said[-1][0] if said else 0
    assert bool(it.snapshot["alerts"]) == bool(last) == bool(it.snapshot["refused"])


def test_a_failed_inference_is_known_by_its_name(it: Feeder) -> None:
    it.connect()
    it.records(hello(), about(0), *labels(), decision(4, source=2, failure=5))
    assert it.snapshot["last_decision"]["failure"] == "engine"
