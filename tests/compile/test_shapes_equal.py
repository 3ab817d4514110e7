# SPDX-License-Identifier: Apache-2.0
"""Computed shapes, axes apart, and what inputs and outputs can be: the bytes of TFLM."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.small_models import mismatches
from tests.support.tflite_builder import TYPES, GraphBuilder
from torpor.compile import Compiled, compile_model
from torpor.errors import ModelError, UnsupportedError
from torpor.golden import Golden

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def equal(model: bytes) -> Compiled:
    compiled = compile_model(model)
    assert mismatches(model, compiled, 3, 1) == []
    return compiled


def computed_shape(g: GraphBuilder, x: int, rest: Sequence[int]) -> int:
    """Add what converters make of a free batch: SHAPE, STRIDED_SLICE, PACK."""
    rank = len(g.shape(x))
    shape, batch, packed = g.tensor([rank], "int32"), g.tensor([], "int32"), None
    options = schema.ShapeOptionsT()
    options.outType = TYPES["int32"]
    g.op("SHAPE", [x], [shape], options)
    slicing = schema.StridedSliceOptionsT()
    slicing.shrinkAxisMask = 1
    bounds = [g.constant([n], "int32") for n in (0, 1, 1)]
    g.op("STRIDED_SLICE", [shape, *bounds], [batch], slicing)
    packing = schema.PackOptionsT()
    packing.valuesCount = 1 + len(rest)
    packed = g.tensor([1 + len(rest)], "int32")
    g.op("PACK", [batch, *(g.constant(n, "int32") for n in rest)], [packed], packing)
    return packed


def test_a_shape_computed_from_the_batch_is_not_computed() -> None:
    g = GraphBuilder()
    x = g.input([1, 2, 6], scale=0.1)
    y = g.tensor([1, 12], scale=0.1)
    g.op("RESHAPE", [x, computed_shape(g, x, [12])], [y])
    compiled = equal(g.build([g.unary("RELU6", y)]))
    assert compiled.kernels == ("RELU_S8",)
    assert sum("drop_dead" in line for line in compiled.report.passes) == 3


def test_a_transposed_convolution_with_a_free_batch_is_taken() -> None:
    g = GraphBuilder()
    x = g.input([1, 2, 2, 3], scale=0.1)
    w = g.constant(np.arange(27).reshape(1, 3, 3, 3) - 13, scale=0.05)
    shape = computed_shape(g, x, [4, 4, 1])
    y = g.transpose_conv(x, w, size=(4, 4), scale=0.3, stride=(2, 2), shape=shape)
    for t in (x, y):
        g._tensors[t].shapeSignature = [-1, *g.shape(t)[1:]]
    equal(g.build([y]))


def test_a_shape_that_is_an_input_is_not_read() -> None:
    g = GraphBuilder()
    x = g.input([1, 4], scale=0.1)
    shape = g.input([2], "int32", scale=None)
    y = g.tensor([2, 2], scale=0.1)
    g.op("RESHAPE", [x, shape], [y])
    equal(g.build([g.unary("RELU6", y)]))


def test_a_shape_that_other_operators_compute_is_refused() -> None:
    g = GraphBuilder()
    x = g.input([1, 4], scale=0.1)
    shape, y = g.tensor([2], "int32"), g.tensor([2, 2], scale=0.1)
    g.op("FLOOR", [g.input([2], "int32", scale=None)], [shape])
    g.op("RESHAPE", [x, shape], [y])
    with pytest.raises(UnsupportedError, match="FLOOR"):
        compile_model(g.build([g.unary("RELU6", y)]))


def test_the_shape_itself_is_no_output() -> None:
    g = GraphBuilder()
    x = g.input([1, 4], scale=0.1)
    shape = computed_shape(g, x, [4])
    with pytest.raises(UnsupportedError, match="SHAPE"):
        compile_model(g.build([shape]))


@pytest.mark.parametrize("given", [None, [9, 9], [-1, 2]])
@pytest.mark.parametrize("options", [None, [2, 2], [7]])
def test_only_the_shape_of_the_output_counts(given: Any, options: Any) -> None:
    g = GraphBuilder()
    x = g.input([1, 4], scale=0.1)
    y = g.tensor([2, 2], scale=0.1)
    table = schema.ReshapeOptionsT()
    table.newShape = options
    inputs = [x] if given is None else [x, g.constant(given, "int32")]
    g.op("RESHAPE", inputs, [y], table if options else None)
    equal(g.build([g.unary("RELU6", y)]))


def squeezed(
    name: str, shape: list[int], out: list[int], dims: list[int], dtype: str = "int32"
) -> bytes:
    g = GraphBuilder()
    x = g.input(shape, scale=0.1)
    y = g.tensor(out, scale=0.1)
    if name == "SQUEEZE":
        options = schema.SqueezeOptionsT()
        options.squeezeDims = dims
        g.op(name, [x], [y], options if dims else None)
    else:
        g.op(name, [x, g.constant(dims, dtype)], [y])
    return g.build([g.unary("RELU6", y)])


@pytest.mark.parametrize(
    "arguments",
    [
        ("SQUEEZE", [1, 4, 1], [4], []),
        ("SQUEEZE", [1, 4, 1], [1, 4], [-1]),
        ("SQUEEZE", [1, 4, 1], [4, 1], [0]),
        ("EXPAND_DIMS", [3, 4], [1, 3, 4], [0]),
        ("EXPAND_DIMS", [3, 4], [3, 4, 1], [-1]),
        ("EXPAND_DIMS", [3, 4], [3, 4, 1], [2]),
    ],
)
def test_dimensions_of_one_come_and_go(arguments: tuple[Any, ...]) -> None:
    assert equal(squeezed(*arguments)).kernels == ("RELU_S8",)


@pytest.mark.parametrize(
    "arguments",
    [
        ("SQUEEZE", [1, 4, 1], [4], [1]),
        ("SQUEEZE", [1, 4, 1], [4], [3]),
        ("SQUEEZE", [1, 4, 2], [2, 4], []),
        ("SQUEEZE", [4, 2], [8], []),
        ("EXPAND_DIMS", [3, 4], [3, 1, 4], [0]),
        ("EXPAND_DIMS", [3, 4], [3, 4, 1], [3]),
        ("EXPAND_DIMS", [3, 4], [12], [0]),
        ("EXPAND_DIMS", [3, 4], [1, 3, 4], [0], "int64"),
    ],
)
def test_shapes_that_tflm_refuses_are_refused(arguments: tuple[Any, ...]) -> None:
    model = squeezed(*arguments)
    with pytest.raises(ModelError, match="refuses"):
        Golden(model)
    with pytest.raises(ModelError):
        compile_model(model)


@FEW
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=5), keep=st.booleans(), data=st.data()
)
def test_a_mean_over_any_axes(shape: list[int], keep: bool, data: st.DataObject) -> None:
    rank = len(shape)
    axes = data.draw(st.lists(st.integers(-rank, rank - 1), min_size=1, max_size=rank))
    g = GraphBuilder()
    x = g.input(shape, scale=0.1, zero_point=3)
    a = g.unary("TANH", x, scale=0.1)
    equal(g.build([g.mean(a, axes, scale=0.05, zero_point=-7, keep_dims=keep)]))


def test_axes_apart_are_moved_together() -> None:
    g = GraphBuilder()
    x = g.reshape(g.input([240], scale=0.1), [2, 3, 1, 4, 5, 2])
    compiled = equal(g.build([g.mean(x, [1, 4], scale=0.05)]))
    assert [op.kernel for op in compiled.report.ops] == ["STRIDED_COPY_S8", "MEAN_S8"]
    assert "group_axes: operator 1 (MEAN): its axes are moved together first" in (
        compiled.report.passes
    )


def test_an_output_that_another_operator_reads_keeps_its_bytes() -> None:
    g = GraphBuilder()
    a = g.unary("TANH", g.input([1, 40], scale=0.1), scale=0.1)
    b = g.unary("RELU", a, scale=0.07)
    compiled = equal(g.build([g.unary("RELU6", b), a]))
    assert [o.name for o in Golden(g.build([b, a])).outputs] == [f"t{b}", f"t{a}"]
    assert compiled.report.arena.bytes == 80


@pytest.mark.parametrize("keep", [False, True])
def test_an_input_may_be_an_output(keep: bool) -> None:
    g = GraphBuilder()
    x = g.input([1, 40], scale=0.1)
    model = g.build([g.unary("RELU", x, scale=0.07), x])
    compiled = compile_model(model, keep_input=keep)
    assert mismatches(model, compiled, 3, 1) == []


def test_a_tensor_may_be_two_outputs() -> None:
    g = GraphBuilder()
    y = g.unary("RELU", g.input([1, 4], scale=0.1), scale=0.07)
    compiled = equal(g.build([y, y]))
    assert compiled.report.arena.bytes == 4


def test_an_input_that_nobody_reads_has_its_place() -> None:
    g = GraphBuilder()
    g.input([1, 4], scale=0.1)
    equal(g.build([g.unary("RELU", g.input([1, 3], scale=0.1), scale=0.07)]))


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "MAXIMUM", "PRELU"])
def test_the_same_tensor_twice_as_operand(name: str) -> None:
    g = GraphBuilder()
    x = g.unary("TANH", g.input([1, 4], scale=0.1), scale=0.1)
    y = g.tensor([1, 4], scale=0.2)
    g.op(name, [x, x], [y])
    equal(g.build([y]))


def test_a_constant_output_is_refused_in_words() -> None:
    g = GraphBuilder()
    y = g.unary("RELU", g.input([1, 4], scale=0.1))
    c = g.constant([1, 2, 3], scale=0.1, name="three")
    with pytest.raises(UnsupportedError, match=r"output 1 'three'.*constant"):
        compile_model(g.build([y, c]))


def test_a_model_that_gives_back_its_input_is_refused_in_words() -> None:
    g = GraphBuilder()
    with pytest.raises(UnsupportedError, match="computes nothing"):
        compile_model(g.build([g.input([1, 4], scale=0.1)]))


def test_a_constant_in_another_shape_is_folded() -> None:
    g = GraphBuilder()
    x = g.input([1, 4], scale=0.1)
    c = g.constant([1, -2, 3, -4], scale=0.1)
    row = g.tensor([1, 4], scale=0.1)
    g.op("EXPAND_DIMS", [c, g.constant(0, "int32")], [row])
    compiled = equal(g.build([g.add(x, row, scale=0.2)]))
    assert compiled.kernels == ("ADD_S8",)
