# SPDX-License-Identifier: Apache-2.0
"""A few hundred random models give the bytes of TFLM, and so does all that has failed once."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.fuzz.operators  # noqa: F401 - registers the generators
from tests.fuzz.compare import Outcome, crashed, examine
from tests.fuzz.draw import Draw
from tests.fuzz.graphs import GENERATORS, NEVER_RUN, numbered_graph, operator_names, redrawn_graph
from tests.fuzz.isolation import Died, Report, isolated
from tests.fuzz.vectors import from_text, stored
from torpor.compile.lowering import OPERATORS
from torpor.engine.library import infer_library
from torpor.graph import read_tflite

SEED = 20261122
SHARE = 30
NOT_YET: set[str] = set()
"""Operators without a generator; only while one is being written."""


@pytest.mark.parametrize("first", range(0, 10 * SHARE, SHARE), ids=lambda n: f"seed-{SEED}-{n}")
def test_random_graphs_give_the_bytes_of_tflm(first: int) -> None:
    infer_library("undefined")

    def job(number: int, report: Report) -> Outcome:
        return examine(numbered_graph(SEED, number), report)

    outcomes = {}
    for number, result in isolated(job, range(first, first + SHARE)):
        outcomes[number] = crashed(result.phase, result.how) if isinstance(result, Died) else result
    again = f"python -m tools.fuzz --seed {SEED} --graphs 1 --verbose --first"
    assert [f"{again} {n}: {o}" for n, o in outcomes.items() if o.failed] == []
    run = [o for o in outcomes.values() if o.word == "equal"]
    assert len(run) >= SHARE * 0.7, "most graphs are refused, which tests nothing"
    assert sum(o.varied for o in run) >= len(run) / 2, "most outputs are nearly constant"


@pytest.mark.parametrize("path", stored(), ids=lambda path: path.stem)
def test_what_has_failed_once_is_right(path: Path) -> None:
    case = from_text(path.read_text(encoding="utf-8"))
    [(_, result)] = isolated(lambda _, report: examine(case, report), [0])
    outcome = crashed(result.phase, result.how) if isinstance(result, Died) else result
    assert not outcome.failed, outcome
    assert outcome.word != "we refuse", "a vector that is not run proves nothing"


def test_every_operator_has_a_generator() -> None:
    operator_names()
    missing = set(OPERATORS) - set(GENERATORS) - NEVER_RUN - NOT_YET
    assert not missing, "write a generator in tests/fuzz/operators"
    assert not NOT_YET & set(GENERATORS)


@pytest.mark.parametrize("name", operator_names())
def test_a_generator_makes_its_operator(name: str) -> None:
    number = operator_names().index(name)
    for seed in range(20):
        graph = read_tflite(redrawn_graph(number, Draw.seeded(seed, 0)).tflite)
        assert name in [op.name for op in graph.ops]


def test_the_same_number_is_the_same_graph() -> None:
    one, two = numbered_graph(3, 14), numbered_graph(3, 14)
    assert one.tflite == two.tflite
    assert numbered_graph(4, 14).tflite != one.tflite


def test_numbers_go_through_all_operators() -> None:
    names = operator_names()
    graphs = [read_tflite(numbered_graph(1, n).tflite) for n in range(len(names))]
    assert all(n in [op.name for op in g.ops] for n, g in zip(names, graphs, strict=True))


def test_graphs_have_branches_several_inputs_and_several_outputs() -> None:
    graphs = [read_tflite(numbered_graph(5, n).tflite) for n in range(60)]
    assert any(len(g.inputs) > 1 for g in graphs)
    assert any(len(g.outputs) > 1 for g in graphs)
    assert any(len(g.consumers(t.index)) > 1 for g in graphs for t in g.tensors)
    assert max(len(g.ops) for g in graphs) >= 6


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.integers(0, 1000))
def test_hypothesis_finds_no_difference_either(random: object, number: int) -> None:
    case = redrawn_graph(number, Draw(random))  # type: ignore[arg-type]
    [(_, result)] = isolated(lambda _, report: examine(case, report), [0])
    assert isinstance(result, Died) or not result.failed, result
