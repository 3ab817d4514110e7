# SPDX-License-Identifier: Apache-2.0
"""Which tensors have bytes in the arena, from which step to which, and what a report says of it."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from torpor.compile.arena import Arena, number_tensors, plan_arena
from torpor.compile.lowering import Record
from torpor.compile.report import ArenaReport, OpBytes, OpReport, RegionReport, Report
from torpor.graph import Tensor
from torpor.graph.model import Graph


def chain(sizes: list[int], views: dict[int, int] | None = None, **io: Any) -> Graph:
    """Return a graph whose tensors have these sizes; the first is read, the last written."""
    tensors = tuple(Tensor(i, f"t{i}", (n,), "int8", (1.0,), (0,)) for i, n in enumerate(sizes))
    ends = {"inputs": (0,), "outputs": (len(sizes) - 1,), **io}
    return Graph(tensors, (), ends["inputs"], ends["outputs"], views or {})


def copy(x: int, y: int) -> Record:
    return Record("COPY", {"bytes": 1}, {"x": x, "y": y})


def pad(x: int, y: int) -> Record:
    return Record("PAD_S8", {}, {"x": x, "y": y})


def dense(x: int, y: int, in_n: int, out_n: int) -> Record:
    fields = {"batches": 1, "in_n": in_n, "out_n": out_n}
    return Record("FULLY_CONNECTED_S8", fields, {"x": x, "y": y})


def planned(graph: Graph, records: list[Record], keep_input: bool = False) -> Arena:
    return plan_arena(graph, records, number_tensors(graph, records), keep_input=keep_input)


def test_tensors_are_numbered_inputs_first_then_as_they_are_used() -> None:
    graph = chain([4] * 6, inputs=(3, 0), outputs=(5,))
    records = [copy(0, 4), copy(3, 1), Record("ADD_S8", {}, {"a": 4, "b": 1, "y": 5})]
    assert number_tensors(graph, records) == {3: 0, 0: 1, 4: 2, 1: 3, 5: 4}


def test_a_view_has_the_number_of_what_it_shows() -> None:
    graph = chain([4, 4, 4, 4], views={2: 1, 1: 0})
    numbers = number_tensors(graph, [copy(2, 3)])
    assert numbers == {0: 0, 2: 0, 3: 1}


def test_a_region_lives_from_the_step_that_writes_it_to_the_last_that_reads_it() -> None:
    graph = chain([8, 4, 4, 4])
    arena = planned(graph, [pad(0, 1), pad(1, 2), Record("ADD_S8", ADD, {"a": 1, "b": 2, "y": 3})])
    assert [(r.first, r.last) for r in arena.regions] == [(0, 1), (1, 3), (2, 3), (3, 4)]
    assert [r.size for r in arena.regions] == [8, 4, 4, 4]


ADD = {"dims": [1, 1, 1, 4], "a_strides": [0, 0, 0, 1], "b_strides": [0, 0, 0, 1]}


def test_only_inputs_and_outputs_are_aligned_as_words() -> None:
    arena = planned(chain([3, 3, 3]), [pad(0, 1), pad(1, 2)])
    assert [r.align for r in arena.regions] == [4, 1, 4]
    assert arena.layout.offsets[0] % 4 == arena.layout.offsets[2] % 4 == 0


def test_an_input_that_is_kept_lives_until_the_end_and_its_cost_is_told() -> None:
    graph, records = chain([8, 8, 8]), [pad(0, 1), pad(1, 2)]
    free, kept = planned(graph, records), planned(graph, records, keep_input=True)
    assert (free.regions[0].last, kept.regions[0].last) == (1, 3)
    assert (free.layout.peak, kept.layout.peak) == (16, 24)
    assert (free.keep_input_cost, kept.keep_input_cost) == (0, 8)


def test_a_copy_lies_on_what_it_copies() -> None:
    arena = planned(chain([8, 8]), [copy(0, 1)])
    assert (arena.layout.peak, arena.separate_peak) == (8, 16)
    assert arena.overlaps == ((0, 0, 1),)


def test_an_operator_that_must_not_overlap_does_not() -> None:
    arena = planned(chain([8, 8]), [pad(0, 1)])
    assert (arena.layout.peak, arena.separate_peak, arena.overlaps) == (16, 16, ())


def test_an_output_does_not_lie_on_an_input_that_is_read_later() -> None:
    graph = chain([8, 8, 8])
    arena = planned(graph, [copy(0, 1), Record("ADD_S8", ADD, {"a": 0, "b": 1, "y": 2})])
    x, y = arena.layout.offsets[:2]
    assert abs(x - y) >= 8


def test_an_output_does_not_lie_on_the_second_input() -> None:
    graph = chain([4, 4, 4], inputs=(0, 1))
    arena = planned(graph, [Record("ADD_S8", ADD, {"a": 0, "b": 1, "y": 2})])
    assert arena.layout.offsets[2] == arena.layout.offsets[0]
    assert arena.layout.peak == 8


def test_a_dense_layer_trails_by_its_outputs_only_where_that_is_less_than_apart() -> None:
    small = planned(chain([100, 8]), [dense(0, 1, 100, 8)])
    assert (small.layout.peak, small.separate_peak) == (108, 108), "8 apart is no gain"
    rows = Record("FULLY_CONNECTED_S8", {"batches": 4, "in_n": 25, "out_n": 2}, {"x": 0, "y": 1})
    many = planned(chain([100, 8]), [rows])
    assert many.separate_peak == 108
    assert many.layout.peak == 104, "2 apart, but the input lies at a whole word"


# ---- the report

ARENA = ArenaReport(
    bytes=128,
    lower_bound=100,
    optimal=False,
    searched=7,
    without_overlap=160,
    keep_input_cost=0,
    regions=(RegionReport("x", 0, 64, 0, 1), RegionReport("y" * 60, 64, 64, 1, 2)),
)
OP = OpReport(
    *(3, 1, "RELU", "RELU_S8", "y", (1, 64), 20, OpBytes(5, 6), ("because", "and because")),
)


def report(**changes: Any) -> Report:
    values: dict[str, Any] = {
        "name": "net",
        "target": "portable",
        "model_bytes": 999,
        "plan_bytes": 300,
        "sections": {"header": 100, "data": 200},
        "arena": ARENA,
        "ops": (OP,),
        "passes": (),
        "kernels": ("RELU_S8",),
        "code_bytes": {"m0": None, "m4": 1234},
    }
    return Report(**{**values, **changes})


def test_the_text_has_every_number_in_its_place() -> None:
    text = report().to_text()
    assert text.startswith(
        "net: plan 300 bytes (.tflite 999), arena 128 bytes, target portable\n"
        "  header 100, data 200\n"
    )
    assert "  nothing to do\n" in text
    assert re.search(r"^    1  RELU_S8 +20 \+ 5 \+ 6  -> 1x64$", text, re.M)
    assert "\n         because\n         and because\n" in text
    assert "Arena: 128 bytes, lower bound 100 (7 layouts searched); 160 if no output" in text
    assert "  m0             not recorded for this core\n  m4             1234\n" in text


def test_a_report_without_recorded_sizes_says_so() -> None:
    assert "  not recorded for any core\n" in report(code_bytes={}).to_text()


def test_long_names_of_converters_are_cut() -> None:
    text = report().to_text()
    assert "y" * 45 + "...\n" in text and "y" * 46 not in text


def test_the_picture_shows_a_letter_for_the_place_and_time_of_each_region() -> None:
    rows = dict(re.findall(r"^ +(\d+) \|(.*)\|$", report().to_text(), re.M))
    assert rows["0"] == "a" * 32 + " " * 32
    assert rows["1"] == "a" * 32 + "b" * 32
    assert rows["2"] == " " * 32 + "b" * 32


def test_the_picture_shows_a_plus_where_two_regions_meet() -> None:
    regions = (RegionReport("x", 0, 96, 0, 1), RegionReport("y", 64, 64, 1, 2))
    text = report(arena=replace(ARENA, regions=regions)).to_text()
    rows = dict(re.findall(r"^ +(\d+) \|(.*)\|$", text, re.M))
    assert rows["1"] == "a" * 32 + "+" * 16 + "b" * 16


@pytest.mark.parametrize("size", [0, 1, 2])
def test_the_smallest_region_is_still_seen(size: int) -> None:
    regions = (RegionReport("x", 126, size, 0, 2),)
    text = report(arena=replace(ARENA, bytes=128, regions=regions)).to_text()
    rows = dict(re.findall(r"^ +(\d+) \|(.*)\|$", text, re.M))
    assert rows["1"].strip() == "a"
    assert len(rows["1"]) == 64


def test_the_json_has_every_member_of_the_report() -> None:
    made = report()
    data = json.loads(made.to_json())
    assert set(data) == set(Report.__dataclass_fields__)
    assert data["arena"]["regions"][0] == {
        "tensor": "x",
        "offset": 0,
        "bytes": 64,
        "first": 0,
        "last": 1,
    }
    assert data["ops"][0]["data"]["shared_bytes"] == 0
    assert data["code_bytes"] == {"m0": None, "m4": 1234}
