# SPDX-License-Identifier: Apache-2.0
"""Operators that move elements of other types than int8: as bytes, to the bytes of TFLM."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.compile.test_types_equal import equal
from tests.support.tflite_builder import GraphBuilder
from torpor.compile import compile_model
from torpor.compile.passes import run_passes
from torpor.errors import ModelError, UnsupportedError
from torpor.golden import Golden
from torpor.graph import read_tflite

ALL = ("int8", "uint8", "int16", "int32", "float32", "bool")
SHAPE = (2, 4, 6)


class Mover:
    """A model of one operator on an input of SHAPE; every tensor has the same type."""

    def __init__(self, dtype: str, zero_point: int = 0) -> None:
        self.dtype = dtype
        self.g = GraphBuilder()
        self.quantized: dict[str, Any] = {
            "scale": None if dtype in ("float32", "bool") else 0.1,
            "zero_point": zero_point,
        }
        self.x = self.g.input(SHAPE, dtype, **self.quantized)

    def numbers(self, values: Any) -> int:
        """Add an int32 constant."""
        return self.g.constant(np.array(values), "int32")

    def done(self, name: str, inputs: list[int], *shapes: tuple[int, ...], **options: Any) -> bytes:
        """Add the operator and return the file."""
        made = getattr(schema, OPTIONS[name])()
        for option, value in options.items():
            setattr(made, option, value)
        outputs = [self.g.tensor(shape, self.dtype, **self.quantized) for shape in shapes]
        self.g.op(name, inputs, outputs, made)
        return self.g.build(outputs)


OPTIONS = {
    "EXPAND_DIMS": "ExpandDimsOptionsT",
    "PAD": "PadOptionsT",
    "PADV2": "PadV2OptionsT",
    "SLICE": "SliceOptionsT",
    "SPLIT": "SplitOptionsT",
    "SPLIT_V": "SplitVOptionsT",
    "STRIDED_SLICE": "StridedSliceOptionsT",
    "TRANSPOSE": "TransposeOptionsT",
}
AMOUNTS = [[0, 1], [1, 0], [1, 2]]


def pad(m: Mover) -> bytes:
    return m.done("PAD", [m.x, m.numbers(AMOUNTS)], (3, 5, 9))


def padv2(m: Mover) -> bytes:
    fill = m.g.constant(np.array([77]), m.dtype, **m.quantized)
    return m.done("PADV2", [m.x, m.numbers(AMOUNTS), fill], (3, 5, 9))


def strided_slice(m: Mover) -> bytes:
    bounds = [m.numbers(v) for v in ([0, 3, 5], [2, 0, 0], [1, -1, -2])]
    return m.done("STRIDED_SLICE", [m.x, *bounds], (2, 3, 3))


def slices(m: Mover) -> bytes:
    return m.done("SLICE", [m.x, m.numbers([0, 1, 2]), m.numbers([2, 2, 3])], (2, 2, 3))


def transpose(m: Mover) -> bytes:
    return m.done("TRANSPOSE", [m.x, m.numbers([2, 0, 1])], (6, 2, 4))


def split(m: Mover) -> bytes:
    return m.done("SPLIT", [m.numbers(2), m.x], (2, 4, 3), (2, 4, 3), numSplits=2)


def split_v(m: Mover) -> bytes:
    inputs = [m.x, m.numbers([1, 3]), m.numbers(1)]
    return m.done("SPLIT_V", inputs, (2, 1, 6), (2, 3, 6), numSplits=2)


def expand_dims(m: Mover) -> bytes:
    return m.done("EXPAND_DIMS", [m.x, m.numbers([0])], (1, *SHAPE))


MOVERS: dict[Callable[[Mover], bytes], tuple[str, ...]] = {
    pad: ("int8", "int16", "int32"),
    padv2: ("int8", "int16", "int32"),
    strided_slice: ("int8", "int16", "int32", "bool"),
    slices: ("int8", "int16", "int32", "bool"),
    transpose: ("int8", "int16"),
    split: ("int8", "int16", "int32"),
    split_v: ("int8", "int16", "int32"),
    expand_dims: ("int8", "int16"),
}
"""What TFLM moves; floats are below, as a model of nothing else is refused."""


def elements(dtype: str) -> Any:
    """Return an input whose bytes are all different from each other's neighbours."""
    size = int(np.prod(SHAPE)) * np.dtype(dtype).itemsize
    if dtype == "bool":
        return (np.arange(size) % 3 == 0).reshape(SHAPE)
    return np.random.default_rng(1).integers(0, 256, size, np.uint8).view(dtype).reshape(SHAPE)


@pytest.mark.parametrize(
    ("build", "dtype"), [(b, d) for b, dtypes in MOVERS.items() for d in dtypes]
)
def test_elements_of_any_type_are_moved(build: Callable[[Mover], bytes], dtype: str) -> None:
    equal(build(Mover(dtype)), [elements(dtype)])


@pytest.mark.parametrize(
    ("build", "dtype"),
    [(b, d) for b, dtypes in MOVERS.items() for d in ALL if d not in (*dtypes, "float32")],
)
def test_what_tflm_does_not_move_is_refused(build: Callable[[Mover], bytes], dtype: str) -> None:
    model = build(Mover(dtype))
    with pytest.raises(UnsupportedError, match=f"{dtype} activations are not supported"):
        compile_model(model)
    with pytest.raises(ModelError):
        Golden(model).invoke([elements(dtype)])


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("build", [pad, padv2])
def test_padding_with_a_zero_point(build: Callable[[Mover], bytes], dtype: str) -> None:
    equal(build(Mover(dtype, zero_point=-5)), [elements(dtype)])


def test_floats_are_moved_on_their_way_to_codes() -> None:
    g = GraphBuilder()
    x = g.input(SHAPE, "float32", scale=None)
    moved = g.tensor((6, 2, 4), "float32")
    g.op("TRANSPOSE", [x, g.constant([2, 0, 1], "int32")], [moved], schema.TransposeOptionsT())
    padded = g.tensor((6, 2, 7), "float32")
    amounts = g.constant([[0, 0], [0, 0], [1, 2]], "int32")
    g.op("PAD", [moved, amounts], [padded], schema.PadOptionsT())
    y = g.tensor((6, 2, 7), scale=0.1, zero_point=3)
    g.op("QUANTIZE", [padded], [y])
    x_values = np.random.default_rng(1).normal(0, 9, SHAPE).astype(np.float32)
    equal(g.build([y]), [x_values])


def test_a_shape_that_is_computed_for_a_reshape_is_not_computed() -> None:
    g = GraphBuilder()
    x = g.input((1, 6), scale=0.1)
    shape, first, wanted = (g.tensor(s, "int32") for s in ((2,), (), (2,)))
    options = schema.StridedSliceOptionsT()
    options.shrinkAxisMask = 1
    g.op("SHAPE", [x], [shape], schema.ShapeOptionsT())
    bounds = [g.constant([v], "int32") for v in (0, 1, 1)]
    g.op("STRIDED_SLICE", [shape, *bounds], [first], options)
    pack = schema.PackOptionsT()
    pack.valuesCount = 2
    g.op("PACK", [first, g.constant(6, "int32")], [wanted], pack)
    y = g.tensor((1, 6), scale=0.1)
    g.op("RESHAPE", [x, wanted], [y], schema.ReshapeOptionsT())
    model = g.build([g.unary("RELU", y)])
    graph, reasons = run_passes(read_tflite(model))
    assert [op.name for op in graph.ops] == ["RELU"]
    assert "drop_dead: operator 0 (SHAPE) dropped: nothing reads its output" in reasons
    equal(model, [np.array([[-3, -2, -1, 0, 1, 2]], np.int8)])
