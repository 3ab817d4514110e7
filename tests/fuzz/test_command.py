# SPDX-License-Identifier: Apache-2.0
"""The command counts outcomes, makes failures smaller and ends with 1 after one."""

import json
from pathlib import Path
from typing import Any

import pytest

import tools.fuzz as tool
from tests.fuzz.compare import Outcome
from tests.fuzz.graphs import numbered_graph
from tests.fuzz.vectors import from_text
from torpor.engine import Engine
from torpor.graph import read_tflite


def test_all_equal_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--graphs", "6", "--seed", "3", "--processes", "1"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("seed 3: 6 graphs in ")
    assert "6  100.0%  equal (every byte as in TFLM)" in text


def test_json_has_every_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--graphs", "4", "--first", "9", "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert set(tree) == {
        "seed", "graphs", "seconds", "outcomes", "varied", "reasons", "failures",
    }  # fmt: skip
    assert sum(tree["outcomes"].values()) == tree["graphs"] == 4


def test_each_graph_has_its_line_where_that_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tool.main(["--graphs", "2", "--first", "5", "--processes", "1", "--verbose"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == [f"graph {n} of seed 1" for n in (5, 6)]


def wrong(engine: Engine, inputs: Any) -> list[Any]:
    """An engine that is wrong in the last bit of every code."""
    return [y ^ 1 if y.dtype.kind == "i" else y for y in RIGHT(engine, inputs)]


RIGHT = Engine.invoke


def test_a_failure_is_made_smaller_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Engine, "invoke", wrong)
    monkeypatch.setattr(tool, "BUILD", tmp_path)
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    number = tool.run(7, range(6), 1).failures[0][0]
    arguments = ["--first", str(number), "--graphs", "1", "--seed", "7"]
    assert tool.main(arguments) == 1
    assert f"graph {number} of seed 7: differs invocation" in capsys.readouterr().out
    path = tmp_path / "fuzz" / f"seed-7-graph-{number}.json"
    small = read_tflite(from_text(path.read_text()).tflite)
    assert len(small.ops) == 1
    assert len(read_tflite(numbered_graph(7, number).tflite).ops) >= len(small.ops)
    assert small.tensors[small.inputs[0]].elements <= 4


def test_reasons_are_counted_most_frequent_first() -> None:
    summary = tool.Summary(1)
    for number, word in enumerate(["b", "a", "a", "c", "a", "b"]):
        summary.add(number, Outcome("we refuse", word))
    lines = [line.split() for line in summary.to_text().splitlines()]
    assert [line for line in lines if len(line) == 2] == [["3", "a"], ["2", "b"], ["1", "c"]]
