# SPDX-License-Identifier: Apache-2.0
"""Corners of the passes, of the planner and of the report."""

import dataclasses
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.small_models import codes, mismatches, small_cnn
from tests.support.tflite_builder import GraphBuilder
from torpor.compile import compile_model
from torpor.compile.passes import drop_dead, drop_views, fuse_activation, fuse_pad, run_passes
from torpor.compile.planner import FULL_EFFORT, Region, Trail, plan_memory
from torpor.compile.report import Report
from torpor.errors import ModelError, UnsupportedError
from torpor.graph import Graph, read_tflite

Pads = list[tuple[int, int]]


def read(g: GraphBuilder, *outputs: int) -> Graph:
    return read_tflite(g.build(list(outputs)))


def names(graph: Graph) -> list[str]:
    return [op.name for op in graph.ops]


def verified(model: bytes) -> list[str]:
    """Compile, compare every byte with TFLM, return the kernels in order."""
    compiled = compile_model(model)
    assert mismatches(model, compiled, 6, 1) == []
    return [op.kernel for op in compiled.report.ops]


# ---- drop_dead


def test_a_branch_is_dropped_up_to_where_it_leaves_what_is_needed() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    shared = g.unary("RELU", x)
    g.unary("RELU6", g.unary("RELU6", shared))
    graph, reasons = drop_dead(read(g, g.add(shared, x, scale=0.2)))
    assert names(graph) == ["RELU", "ADD"]
    assert reasons == [
        "operator 2 (RELU6) dropped: nothing reads its output",
        "operator 1 (RELU6) dropped: nothing reads its output",
    ]


def test_an_output_that_others_read_too_is_no_dead_one() -> None:
    g = GraphBuilder()
    y = g.unary("RELU", g.input((1, 4), scale=0.1))
    graph, reasons = drop_dead(read(g, y, g.unary("RELU6", y)))
    assert (names(graph), reasons) == (["RELU", "RELU6"], [])


def test_a_dead_operator_need_not_be_supported() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    g.unary("FLOOR", x)
    assert compile_model(g.build([g.unary("RELU", x)])).kernels == ("RELU_S8",)


def test_a_model_whose_operators_are_all_views_of_its_input_becomes_a_copy() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    graph, reasons = drop_views(read(g, g.reshape(g.reshape(x, (2, 2)), (4,))))
    assert names(graph) == ["RESHAPE"]
    assert reasons[-1].endswith("kept as a copy: an input is also an output")


def test_a_model_that_computes_nothing_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    with pytest.raises(UnsupportedError, match="computes nothing"):
        compile_model(g.build([x]))


def test_a_reshape_to_another_number_of_elements_is_no_view() -> None:
    g = GraphBuilder()
    x = g.unary("RELU", g.input((1, 4), scale=0.1))
    model = g.build([g.reshape(x, (1, 5))])
    assert names(drop_views(read_tflite(model))[0]) == ["RELU", "RESHAPE"]
    with pytest.raises(ModelError, match="RESHAPE"):
        compile_model(model)


# ---- fuse_pad


def padded(pads: Pads, *, stride: tuple[int, int] = (1, 1), padding: str = "valid") -> bytes:
    g = GraphBuilder()
    x = g.input((1, 5, 4, 2), scale=0.1, zero_point=11)
    w = g.constant(codes(np.random.default_rng(3), (3, 2, 3, 2)), scale=0.1)
    y = g.pad(x, pads)
    return g.build([g.conv_2d(y, w, scale=0.9, stride=stride, padding=padding)])


SIDES = st.tuples(st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(SIDES, SIDES, st.sampled_from([(1, 1), (2, 1), (3, 2)]), st.sampled_from(["valid", "same"]))
def test_a_fused_pad_gives_the_bytes_of_a_pad_of_its_own(
    rows: tuple[int, int], columns: tuple[int, int], stride: tuple[int, int], padding: str
) -> None:
    model = padded([(0, 0), rows, columns, (0, 0)], stride=stride, padding=padding)
    assert verified(model) == ["CONV_2D_S8"]


def test_a_pad_of_batches_is_kept_with_its_reason() -> None:
    g = GraphBuilder()
    x = g.input((1, 5, 4, 2), scale=0.1)
    w = g.constant(np.ones((1, 2, 2, 2)), scale=0.1)
    y = g.pad(x, [(1, 0), (0, 0), (0, 0), (0, 0)])
    _, reasons = fuse_pad(read(g, g.conv_2d(y, w, scale=0.9)))
    assert reasons == ["operator 0 (PAD) kept: it pads batches or channels"]


def test_a_pad_before_something_else_is_kept_with_its_reason() -> None:
    g = GraphBuilder()
    y = g.pad(g.input((1, 4), scale=0.1), [(0, 0), (1, 1)])
    graph, reasons = fuse_pad(read(g, g.unary("RELU", y)))
    assert names(graph) == ["PAD", "RELU"]
    assert reasons == ["operator 0 (PAD) kept: no convolution is its only reader"]


def test_a_pad_that_two_convolutions_read_is_kept() -> None:
    g = GraphBuilder()
    y = g.pad(g.input((1, 4, 4, 1), scale=0.1), [(0, 0), (1, 1), (1, 1), (0, 0)])
    w = g.constant(np.ones((1, 2, 2, 1)), scale=0.1)
    both = [g.conv_2d(y, w, scale=0.5), g.conv_2d(y, w, scale=0.7)]
    assert verified(g.build(both)) == ["PAD_S8", "CONV_2D_S8", "CONV_2D_S8"]


def test_of_two_pads_in_a_row_only_the_one_at_the_convolution_is_fused() -> None:
    g = GraphBuilder()
    amounts: Pads = [(0, 0), (1, 0), (0, 1), (0, 0)]
    y = g.pad(g.pad(g.input((1, 4, 4, 1), scale=0.1, zero_point=-9), amounts), amounts)
    w = g.constant(np.ones((1, 2, 2, 1)), scale=0.1)
    assert verified(g.build([g.conv_2d(y, w, scale=0.5)])) == ["PAD_S8", "CONV_2D_S8"]


# ---- fuse_activation


@pytest.mark.parametrize("relu", ["RELU", "RELU6"])
@pytest.mark.parametrize("first", ["none", "relu", "relu6"])
@pytest.mark.parametrize("layer", ["dense", "conv", "max", "average"])
def test_an_activation_is_fused_into_every_layer_with_a_clamp(
    layer: str, first: str, relu: str
) -> None:
    g = GraphBuilder()
    x = g.input((1, 4, 4, 2), scale=0.1, zero_point=-60)
    options: dict[str, Any] = {"activation": first}
    if layer == "dense":
        w = g.constant(codes(np.random.default_rng(0), (3, 32)), scale=0.05)
        y = g.fully_connected(x, w, scale=0.06, zero_point=-60, **options)
    elif layer == "conv":
        w = g.constant(codes(np.random.default_rng(0), (3, 2, 2, 2)), scale=0.05)
        y = g.conv_2d(x, w, scale=0.06, zero_point=-60, **options)
    else:
        y = g.pool_2d(f"{layer.upper()}_POOL_2D", x, (2, 2), **options)
    assert len(verified(g.build([g.unary(relu, y)]))) == 1


@pytest.mark.parametrize("change", [{"scale": 0.07}, {"zero_point": 5}], ids=str)
def test_an_activation_that_changes_scale_or_zero_point_is_kept(change: dict[str, Any]) -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    y = g.unary("RELU", g.add(x, x, scale=0.06, zero_point=4), **change)
    _, reasons = fuse_activation(read(g, y))
    assert reasons == ["operator 1 (RELU) kept: it changes the quantization"]


def test_an_activation_after_what_has_no_clamp_is_kept() -> None:
    g = GraphBuilder()
    x = g.input((1, 2, 4), scale=0.1)
    y = g.unary("RELU", g.mean(x, [1], scale=0.1))
    _, reasons = fuse_activation(read(g, y))
    assert reasons == ["operator 1 (RELU) kept: no operator with a clamp is its private input"]


def test_an_activation_behind_a_view_is_kept_and_right() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    y = g.reshape(g.add(x, x, scale=0.3), (2, 2))
    assert verified(g.build([g.unary("RELU", y)])) == ["ADD_S8", "RELU_S8"]


def test_an_activation_of_a_sum_read_twice_by_one_operator_is_kept() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    y = g.add(x, x, scale=0.3)
    model = g.build([g.unary("RELU", y), g.add(y, y, scale=0.5)])
    assert sorted(verified(model)) == ["ADD_S8", "ADD_S8", "RELU_S8"]


def test_passes_reach_a_state_that_they_leave_alone() -> None:
    once, reasons = run_passes(read_tflite(small_cnn()))
    again, _ = run_passes(once)
    assert reasons
    assert names(again) == names(once)


def test_each_reason_names_its_pass() -> None:
    passes = compile_model(padded([(0, 0), (1, 1), (1, 1), (0, 0)])).report.passes
    assert passes == ("fuse_pad: operator 0 (PAD) fused into its neighbour",)


# ---- the planner


def test_nothing_needs_no_arena() -> None:
    layout = plan_memory([])
    assert (layout.offsets, layout.peak, layout.bound, layout.optimal) == ((), 0, 0, True)


def test_a_region_alone_lies_at_the_start() -> None:
    assert plan_memory([Region(7, 3, 3, 16)]).offsets == (0,)


def test_alignment_leaves_the_gap_that_it_must() -> None:
    layout = plan_memory([Region(5, 0, 1, 4), Region(5, 0, 1, 4)])
    assert sorted(layout.offsets) == [0, 8]
    assert (layout.peak, layout.bound, layout.optimal) == (13, 13, True)


def test_a_distance_beyond_the_output_is_no_more_than_apart() -> None:
    regions = [Region(10, 0, 1), Region(4, 1, 2)]
    assert plan_memory(regions, [Trail(0, 1, 99)]).peak == 14


@pytest.mark.parametrize("count", [FULL_EFFORT, 2 * FULL_EFFORT])
def test_many_regions_are_placed_with_less_effort_and_as_legally(count: int) -> None:
    regions = [Region(1 + i * 37 % 50, i, i + 1 + i % 3) for i in range(count)]
    layout = plan_memory(regions)
    limit = 20_000 * (FULL_EFFORT / count) ** 2
    assert layout.nodes <= limit + 1
    for i, a in enumerate(regions):
        for j in range(i):
            b = regions[j]
            if a.first <= b.last and b.first <= a.last:
                low, high = sorted([(layout.offsets[i], a.size), (layout.offsets[j], b.size)])
                assert low[0] + low[1] <= high[0]
    assert layout.bound <= layout.peak


# ---- the report


def report(model: bytes, **options: Any) -> Report:
    return compile_model(model, **options).report


def test_an_input_that_may_be_overwritten_has_no_cost() -> None:
    free, kept = report(small_cnn()), report(small_cnn(), keep_input=True)
    assert free.arena.keep_input_cost == 0
    assert "keeping the input" not in free.to_text()
    assert kept.arena.bytes == free.arena.bytes + kept.arena.keep_input_cost


def test_the_text_has_its_sections_in_order() -> None:
    lines = report(small_cnn(), name="n").to_text().splitlines()
    heads = ["n: plan ", "Passes:", "Operators", "Arena: ", "  step |0", "Code"]
    places = [next(i for i, line in enumerate(lines) if line.startswith(h)) for h in heads]
    assert places == sorted(places)


def test_the_text_has_a_line_for_each_operator_and_a_row_for_each_step() -> None:
    made = report(small_cnn())
    text = made.to_text()
    for op in made.ops:
        assert re.search(rf"^ +{op.step}  {op.kernel} +{op.record_bytes} \+ ", text, re.M)
    rows = re.findall(r"^ +\d+ \|(.*)\|$", text, re.M)
    assert len(rows) == len(made.ops) + 2
    assert len({len(row) for row in rows}) == 1
    assert all(row.strip() for row in rows)


def test_the_json_has_every_member_and_its_numbers_are_those_of_the_text() -> None:
    made = report(small_cnn(), name="größe")
    found = json.loads(made.to_json())
    assert set(found) == {field.name for field in dataclasses.fields(Report)}
    assert found["name"] == "größe"
    assert f"plan {found['plan_bytes']} bytes" in made.to_text()
    assert sum(found["sections"].values()) == found["plan_bytes"]
    last = max(r["offset"] + r["bytes"] for r in found["arena"]["regions"])
    assert last == found["arena"]["bytes"]


def test_passes_without_work_say_so() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    assert "Passes:\n  nothing to do\n" in report(g.build([g.add(x, x, scale=0.2)])).to_text()


def test_a_name_that_is_too_long_for_a_line_is_cut() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1, name="layer/" * 40)
    text = report(g.build([g.add(x, x, scale=0.2)])).to_text()
    assert "layer/" * 40 not in text
    assert "..." in text
    assert max(map(len, text.splitlines())) <= 120


def test_where_code_was_not_recorded_the_report_says_so() -> None:
    made = report(small_cnn())
    none = dataclasses.replace(made, code_bytes={}).to_text()
    assert none.endswith("  not recorded for any core\n")
    some = dataclasses.replace(made, code_bytes={"core-a": None, "core-b": 12}).to_text()
    assert "  core-a         not recorded for this core\n  core-b         12\n" in some


def test_a_dead_operator_is_found_behind_views_as_well() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    y = g.reshape(g.unary("RELU", x), (2, 2))
    g.unary("RELU6", y)
    graph, _ = drop_views(read(g, g.add(y, y, scale=0.3)))
    assert names(drop_dead(graph)[0]) == ["RELU", "ADD"]
