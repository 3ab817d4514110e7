# SPDX-License-Identifier: Apache-2.0
"""Each thing that can happen to a case has its own word."""

import dataclasses

import numpy as np
import pytest

from tests.fuzz.compare import MEANINGS, Case, Outcome, crashed, examine
from tests.support.tflite_builder import GraphBuilder
from torpor.engine import Engine

INPUT = [[np.array([[-128, -5, 0, 5, 90, 127]], np.int8)]]


def case(operator: str = "RELU", **codes: float) -> Case:
    g = GraphBuilder()
    x = g.input((1, 6), scale=0.1)
    return Case(g.build([g.unary(operator, x, **codes)]), INPUT)  # type: ignore[arg-type]


def test_equal_bytes() -> None:
    heard: list[str] = []
    assert examine(case(), heard.append) == Outcome("equal", varied=True)
    assert heard == ["TFLM", "our C"]


def test_outputs_of_one_value_are_not_varied() -> None:
    dull = dataclasses.replace(case(), invocations=[[np.zeros((1, 6), np.int8)]])
    assert examine(dull) == Outcome("equal", varied=False)


def test_what_both_refuse() -> None:
    heard: list[str] = []
    found = examine(case("LOGISTIC", scale=0.1, zero_point=3), heard.append)
    assert found.word == "both refuse"
    assert found.detail.startswith("(LOGISTIC), a tensor: TensorFlow Lite Micro refuses")
    assert heard == [f"TFLM, we refuse: {found.detail}"]


def test_what_only_we_refuse() -> None:
    found = examine(case("FLOOR"))
    assert found.word in ("we refuse", "both refuse")


def test_what_only_tflm_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.compare._golden", lambda _: ([], "no"))
    assert examine(case()) == Outcome("only TFLM refuses", "no")


def test_another_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Engine.invoke
    monkeypatch.setattr(Engine, "invoke", lambda e, x: [y ^ 1 for y in right(e, x)])
    found = examine(case())
    assert found.failed
    assert found.word == "differs"
    assert found.detail.startswith("invocation 0, output 0, element 0: 1 instead of 0")


def test_a_mistake_of_ours_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.compare.compile_model", lambda *_, **__: 1 / 0)
    found = examine(case())
    assert found.failed
    assert found.word == "bug"
    assert "ZeroDivisionError" in found.detail


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        ("", "bug"),
        ("our C", "bug"),
        ("TFLM", "only TFLM refuses"),
        ("TFLM, we refuse: too much", "both refuse"),
    ],
)
def test_a_crash_is_judged_by_what_was_going_on(phase: str, word: str) -> None:
    assert crashed(phase, "signal 11").word == word


def test_reasons_are_equal_whatever_the_numbers() -> None:
    a = examine(case("LOGISTIC", scale=0.1, zero_point=3))
    b = examine(case("LOGISTIC", scale=0.7, zero_point=-9))
    assert a == b


def test_every_word_has_a_meaning() -> None:
    assert {"equal", "differs", "bug", "we refuse", "both refuse", "only TFLM refuses"} == set(
        MEANINGS
    )
