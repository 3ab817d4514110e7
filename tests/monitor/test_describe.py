# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Records in words; bytes that make no sense are left out, and never raise."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.monitor.device import about, decision, packed, residency, restarted, summary
from torpor.monitor import describe, figures
from torpor.wire import records

NAMES = {0: "still", 1: "wave"}


@given(st.dictionaries(st.integers(0, 255), st.integers(0, 2**20), max_size=6))
def test_counts_come_out_as_they_were_packed(counts: dict[int, int]) -> None:
    assert describe.class_counts(packed(list(counts.items()))) == counts


@given(st.binary(max_size=20))
def test_any_bytes_are_some_counts(data: bytes) -> None:
    counts = describe.class_counts(data)
    assert all(0 <= index < 256 and count >= 0 for index, count in counts.items())


@pytest.mark.parametrize("tail", [b"\x07", b"\x07\x80", b"\x07\xff\xff"])
def test_a_count_that_ends_in_the_middle_is_left_out(tail: bytes) -> None:
    assert describe.class_counts(packed([(1, 300)]) + tail) == {1: 300}


def test_shares_are_those_of_the_states_in_their_order() -> None:
    shares = describe.shares(residency(5000, 1000, 500, 500, 250, 250, 2500))
    assert shares == {
        "sleep": 0.5,
        "capture": 0.1,
        "stage_1": 0.05,
        "stage_2": 0.05,
        "serial": 0.025,
        "flash": 0.025,
        "replay": 0.25,
    }


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(14), bytes(13), bytes(16)])
def test_a_residency_that_is_none_is_not_known(data: bytes) -> None:
    assert describe.shares(data) is None
    assert figures.residency(summary(residency=data[:14])) is None


def test_replay_is_no_part_of_what_the_device_does() -> None:
    own = describe.without_replay({"sleep": 0.5, "capture": 0.25, "replay": 0.25})
    assert own == pytest.approx({"sleep": 2 / 3, "capture": 1 / 3})
    assert describe.without_replay({"replay": 1.0}) is None


@given(st.lists(st.integers(0, 65535), min_size=7, max_size=7))
def test_shares_make_one(parts: list[int]) -> None:
    own = figures.residency(summary(residency=residency(*parts)))
    assert (own is None) == (sum(parts[:6]) == 0)
    assert own is None or sum(own.values()) == pytest.approx(1)  # type: ignore[arg-type]


def test_an_answer_has_names() -> None:
    told = describe.describe(decision(source=2, failure=3, best=0, score=0), NAMES)
    assert (told["label"], told["source"], told["failure"]) == ("still", "fallback", "deadline")
    assert describe.describe(decision(best=9, score=940), NAMES)["label"] == "class 9"
    assert describe.describe(decision(score=940), NAMES)["score"] == 0.94


def test_numbers_of_a_newer_firmware_stay_numbers() -> None:
    told = describe.describe(decision(source=7, failure=8), {})
    assert (told["source"], told["failure"]) == ("7", "8")
    assert describe.describe(about(level=9), {})["level"] == "9"


def test_a_summary_has_tables() -> None:
    told = describe.describe(summary(7, counts=packed([(1, 9), (4, 2)]), drift=65535), NAMES)
    assert told["counts"] == {"wave": 9, "class 4": 2}
    assert (told["score_mean"], told["score_low"], told["drift"]) == (0.93, 0.88, None)
    assert (told["n"], told["device_ms"]) == (7, 60_000)
    assert "time" not in told


def test_classes_of_one_name_are_counted_together() -> None:
    assert describe.by_label({1: 2, 2: 3}, {1: "x", 2: "x"}) == {"x": 5}


def test_a_restart_says_why() -> None:
    assert "hung" in describe.describe(restarted(reason=18), {})["why"]


def any_record(kind: str) -> st.SearchStrategy[records.Record]:
    fields: dict[str, Callable[[int], st.SearchStrategy[Any]]] = {
        "uint": lambda _max: st.integers(0, 2**32 - 1),
        "int": lambda _max: st.integers(-(2**31), 2**31 - 1),
        "bytes": lambda size: st.binary(max_size=size),
        "text": lambda size: st.text(max_size=size // 4),
    }
    cls = records.TYPES[kind]
    return st.builds(cls, *(fields[field.type](field.max) for field in cls.spec.fields))


@pytest.mark.parametrize("kind", list(records.TYPES))
@given(st.data())
def test_every_record_can_be_told_as_json(kind: str, data: st.DataObject) -> None:
    told = describe.describe(data.draw(any_record(kind)), NAMES)
    assert json.loads(json.dumps(told)) == told
