# SPDX-License-Identifier: Apache-2.0
"""CONCATENATION and RESIZE_NEAREST_NEIGHBOR give the bytes of TFLM."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.small_models import mismatches
from tests.support.tflite_builder import ACTIVATIONS, GraphBuilder
from torpor.compile import Compiled, compile_model
from torpor.compile.ops.resize_nearest_neighbor import nearest
from torpor.errors import ModelError, UnsupportedError

FEW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DTYPES = ["int8", "int16", "int32", "float32", "bool"]


def beside_int8(g: GraphBuilder, y: int) -> bytes:
    """Return the model with another output, of int8, for a model of floats alone is refused."""
    return g.build([y, g.unary("RELU", g.input([1]))])


def equal(model: bytes) -> Compiled:
    compiled = compile_model(model)
    assert mismatches(model, compiled, 3, 1) == []
    return compiled


@FEW
@given(
    rest=st.lists(st.integers(1, 4), min_size=0, max_size=4),
    parts=st.lists(st.integers(1, 5), min_size=1, max_size=10),
    dtype=st.sampled_from(DTYPES),
    data=st.data(),
)
def test_concatenation(rest: list[int], parts: list[int], dtype: str, data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(rest)))
    kinds = [data.draw(st.sampled_from(["input", "constant", "again"])) for _ in parts]
    kinds[data.draw(st.integers(0, len(parts) - 1))] = "input"
    quantization: dict[str, Any] = {"scale": None}
    if dtype in ("int8", "int16"):
        quantization = {"scale": 0.1, "zero_point": 3 if dtype == "int8" else 0}
    g = GraphBuilder()
    operands: list[int] = []
    for k, (part, kind) in enumerate(zip(parts, kinds, strict=True)):
        shape = [*rest[:axis], part, *rest[axis:]]
        if kind == "again" and operands:
            operands.append(data.draw(st.sampled_from(operands)))
        elif kind == "constant":
            values = np.random.default_rng(k).integers(0, 2 if dtype == "bool" else 100, shape)
            operands.append(g.constant(values, dtype, **quantization))
        else:
            operands.append(g.input(shape, dtype, **quantization))
    if not g._inputs:
        operands[0] = g.input(g.shape(operands[0]), dtype, **quantization)
    backwards = data.draw(st.booleans())
    equal(beside_int8(g, g.concatenation(operands, axis - (len(rest) + 1) * backwards)))


def test_six_dimensions_are_joined() -> None:
    equal(deep(6))


def test_a_missing_table_of_options_joins_along_the_first_axis() -> None:
    g = GraphBuilder()
    x = g.input([2, 3])
    y = g.tensor([4, 3], scale=0.1)
    g.op("CONCATENATION", [x, x], [y])
    equal(g.build([y]))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_output_grows_around_its_first_operand(axis: int) -> None:
    g = GraphBuilder()
    x = g.input([1, 2, 30])
    a = g.unary("RELU6", g.unary("TANH", x, scale=0.1))
    b = g.constant(np.ones([1, 2, 30]), scale=0.1)
    compiled = equal(g.build([g.concatenation([a, b], axis)]))
    last = compiled.report.ops[-1]
    assert last.kernel == "CONCATENATION"
    assert any("overlaps" in reason for reason in last.reasons)
    assert compiled.report.arena.bytes == 120


def test_the_same_operand_twice_is_not_overwritten() -> None:
    g = GraphBuilder()
    a = g.unary("TANH", g.input([1, 30]), scale=0.1)
    compiled = equal(g.build([g.concatenation([a, a], 1)]))
    assert compiled.report.arena.bytes == 90


def joined(
    shapes: list[list[int]], axis: int, out: list[int], *, scales: float = 0.1, **changes: Any
) -> bytes:
    g = GraphBuilder()
    operands = [g.input(s, scale=scales) for s in shapes]
    y = g.tensor(out, scale=0.1)
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    for name, value in changes.items():
        setattr(options, name, value)
    g.op("CONCATENATION", operands, [y], options)
    return g.build([y])


def mixed() -> bytes:
    g = GraphBuilder()
    operands = [g.input([1, 2]), g.input([1, 2], "int16")]
    return g.build([g.concatenation(operands, 1)])


def deep(rank: int) -> bytes:
    """Join along the last dimension of more than an input can have."""
    g = GraphBuilder()
    x = g.reshape(g.input([4]), [2, 2] + [1] * (rank - 3) + [1])
    y = g.concatenation([x, x], rank - 1)
    return g.build([g.reshape(y, [8])])


def constants() -> bytes:
    g = GraphBuilder()
    g.input([1, 2])
    c = g.constant(np.ones([1, 2]), scale=0.1)
    return g.build([g.concatenation([c, c], 1)])


RELU = {"fusedActivationFunction": ACTIVATIONS["relu"]}
REFUSED: dict[str, tuple[type[ModelError], str, bytes]] = {
    "operands": (UnsupportedError, "more than 10", joined([[1, 1]] * 11, 1, [1, 11])),
    "scale": (UnsupportedError, "QUANTIZE", joined([[1, 2]] * 2, 1, [1, 4], scales=0.2)),
    "activation": (UnsupportedError, "activation", joined([[1, 2]] * 2, 1, [1, 4], **RELU)),
    "rank": (UnsupportedError, "more than 6", deep(7)),
    "axis": (ModelError, "no axis 2", joined([[1, 2]] * 2, 2, [1, 4])),
    "axis from the end": (ModelError, "no axis -3", joined([[1, 2]] * 2, -3, [1, 4])),
    "output": (ModelError, "should have 4", joined([[1, 2]] * 2, 1, [1, 5])),
    "other dimension": (ModelError, "does not fit", joined([[1, 2], [2, 2]], 1, [1, 4])),
    "operand's rank": (ModelError, "does not fit", joined([[1, 2], [2]], 1, [1, 4])),
    "types": (ModelError, "output's type", mixed()),
    "constants": (UnsupportedError, "should have folded", constants()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_joined_is_refused_in_words(name: str) -> None:
    kind, words, model = REFUSED[name]
    with pytest.raises(kind) as caught:
        compile_model(model)
    assert words in caught.value.message


@FEW
@given(
    shape=st.tuples(*[st.integers(1, 3)] + [st.integers(1, 9)] * 2 + [st.integers(1, 3)]),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    corners=st.booleans(),
    centers=st.booleans(),
    dtype=st.sampled_from(["int8", "int16", "float32"]),
)
def test_resize_nearest_neighbor(
    shape: tuple[int, ...], size: tuple[int, int], corners: bool, centers: bool, dtype: str
) -> None:
    g = GraphBuilder()
    x = g.input(shape, dtype, scale=None if dtype == "float32" else 0.1)
    equal(beside_int8(g, g.resize_nearest_neighbor(x, size, corners=corners, centers=centers)))


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("centers", [False, True])
def test_sizes_that_float_cannot_divide_exactly(corners: bool, centers: bool) -> None:
    for size, out in ((41, 997), (997, 41), (300, 299), (7, 1), (1, 7), (255, 256)):
        g = GraphBuilder()
        x = g.input((1, 1, size, 1))
        equal(g.build([g.resize_nearest_neighbor(x, (1, out), corners=corners, centers=centers)]))


def test_the_nearest_element_is_found_in_single_precision() -> None:
    """In double 25 * (41 / 205) is below 5, in float it is not: 4 and 5."""
    found = [nearest(i, 41, 205, corners=False, centers=False) for i in (24, 25, 26)]
    assert found == [4, 5, 5]
    assert nearest(9, 3, 10, corners=True, centers=True) == 2
    assert nearest(0, 5, 1, corners=True, centers=False) == 0


def resized(changes: dict[str, Any], size: list[int] | None = None) -> bytes:
    g = GraphBuilder()
    x = g.input((1, 3, 4, 2))
    y = g.resize_nearest_neighbor(x, (5, 6))
    if size:
        g._operators[0].inputs[1] = g.constant(size, "int32")
    for name, value in changes.items():
        setattr(g._tensors[y if name != "x" else x], "shape" if name == "x" else name, value)
    return g.build([y])


@pytest.mark.parametrize(
    ("words", "changes", "size"),
    [
        ("shape [1, 5, 6, 2]", {"shape": [1, 5, 7, 2]}, None),
        ("4 dimensions", {"x": [3, 4, 2]}, None),
        ("two numbers", {}, [5, 6, 7]),
        ("shape [1, 5, 9, 2]", {}, [5, 9]),
        ("differ in type", {"type": schema.TensorType.INT16}, None),
        ("uint8", {"type": schema.TensorType.UINT8}, None),
    ],
)
def test_what_cannot_be_resized_is_refused_in_words(
    words: str, changes: dict[str, Any], size: list[int] | None
) -> None:
    with pytest.raises(ModelError) as caught:
        compile_model(resized(changes, size))
    assert words in caught.value.message


def test_more_rows_than_a_table_can_name_are_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 2, 1, 1))
    with pytest.raises(UnsupportedError, match="65535 rows"):
        compile_model(g.build([g.resize_nearest_neighbor(x, (65536, 1))]))
