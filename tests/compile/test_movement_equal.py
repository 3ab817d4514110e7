# SPDX-License-Identifier: Apache-2.0
"""Operators that only move codes give the bytes of TFLM."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.small_models import mismatches
from tests.support.tflite_builder import GraphBuilder
from torpor.compile import Compiled, compile_model
from torpor.compile.movement import _merged
from torpor.errors import ModelError, UnsupportedError
from torpor.plan.reader import Plan

FEW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=5)


def equal(model: bytes) -> Compiled:
    compiled = compile_model(model)
    assert mismatches(model, compiled, 3, 1) == []
    return compiled


def moved(
    name: str,
    shape: list[int],
    out: list[int],
    numbers: list[list[int]],
    *,
    options: Any = None,
    dtype: str = "int32",
) -> bytes:
    """Return a model of one operator with constant int32 or int64 parameters."""
    g = GraphBuilder()
    x = g.input(shape, scale=0.1, zero_point=3)
    y = g.tensor(out, scale=0.1, zero_point=3)
    g.op(name, [x, *(g.constant(np.array(n), dtype) for n in numbers)], [y], options)
    return g.build([y])


@FEW
@given(shape=SHAPES, data=st.data())
def test_transpose(shape: list[int], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    out = [shape[p] for p in order]
    equal(moved("TRANSPOSE", shape, out, [order]))


@FEW
@given(shape=SHAPES, dtype=st.sampled_from(["int32", "int64"]), data=st.data())
def test_slice(shape: list[int], dtype: str, data: st.DataObject) -> None:
    begin = [data.draw(st.integers(0, n - 1)) for n in shape]
    out = [data.draw(st.integers(1, n - b)) for n, b in zip(shape, begin, strict=True)]
    rest = [
        -1 if s == n - b and data.draw(st.booleans()) else s
        for n, b, s in zip(shape, begin, out, strict=True)
    ]
    equal(moved("SLICE", shape, out, [begin, rest], dtype=dtype))


@FEW
@given(shape=st.lists(st.integers(1, 6), min_size=1, max_size=4), data=st.data())
def test_strided_slice(shape: list[int], data: st.DataObject) -> None:
    bound = st.integers(-8, 8)
    begin, end = ([data.draw(bound) for _ in shape] for _ in range(2))
    stride = [data.draw(st.sampled_from([1, 1, 2, 3, -1, -2])) for _ in shape]
    mask = st.integers(0, (1 << len(shape)) - 1)
    options = schema.StridedSliceOptionsT()
    options.beginMask, options.endMask = data.draw(mask), data.draw(mask)
    options.shrinkAxisMask = data.draw(st.one_of(st.just(0), mask))
    out = []
    for i, n in enumerate(shape):
        first = None if options.beginMask >> i & 1 else begin[i]
        if options.shrinkAxisMask >> i & 1:
            assume(stride[i] == 1 and (first is None or -n <= first < n))
            continue
        last = None if options.endMask >> i & 1 else end[i]
        out.append(len(range(n)[first : last : stride[i]]))
    assume(out and 0 not in out)
    equal(moved("STRIDED_SLICE", shape, out, [begin, end, stride], options=options))


@FEW
@given(shape=SHAPES, data=st.data())
def test_split(shape: list[int], data: st.DataObject) -> None:
    axis, parts = data.draw(st.integers(0, len(shape) - 1)), data.draw(st.integers(1, 4))
    part = list(shape)
    shape[axis] *= parts
    g = GraphBuilder()
    x = g.input(shape, scale=0.1, zero_point=3)
    where = g.constant(axis - len(shape) * data.draw(st.integers(0, 1)), "int32")
    outputs = [g.tensor(part, scale=0.1, zero_point=3) for _ in range(parts)]
    options = schema.SplitOptionsT()
    options.numSplits = parts
    g.op("SPLIT", [where, x], outputs, options)
    equal(g.build(outputs))


def split_v(shape: list[int], axis: int, sizes: list[int], outputs: list[list[int]]) -> bytes:
    g = GraphBuilder()
    x = g.input(shape, scale=0.1, zero_point=3)
    parts = [g.tensor(s, scale=0.1, zero_point=3) for s in outputs]
    options = schema.SplitVOptionsT()
    options.numSplits = len(parts)
    constants = [g.constant(sizes, "int32"), g.constant(axis, "int32")]
    g.op("SPLIT_V", [x, *constants], parts, options)
    return g.build(parts)


@FEW
@given(shape=SHAPES, sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), data=st.data())
def test_split_v(shape: list[int], sizes: list[int], data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    shape[axis] = sum(sizes)
    outputs = [[*shape[:axis], n, *shape[axis + 1 :]] for n in sizes]
    equal(split_v(shape, axis, sizes, outputs))


def test_parts_that_nobody_reads_are_left_out() -> None:
    g = GraphBuilder()
    x = g.input([2, 6], scale=0.1)
    parts = [g.tensor([2, 2], scale=0.1) for _ in range(3)]
    options = schema.SplitOptionsT()
    options.numSplits = 3
    g.op("SPLIT", [g.constant(1, "int32"), x], parts, options)
    compiled = equal(g.build([g.add(parts[2], parts[0], scale=0.2)]))
    assert [op.kernel for op in compiled.report.ops] == ["STRIDED_COPY_S8"] * 2 + ["ADD_S8"]


def test_a_transposition_of_an_image_takes_two_dimensions_of_the_record() -> None:
    model = moved("TRANSPOSE", [1, 6, 5, 4], [1, 4, 6, 5], [[0, 3, 1, 2]])
    record = Plan.parse(equal(model).plan).ops[0]
    assert record.fields["dims"] == (1, 1, 1, 4, 30)
    assert record.fields["strides"] == (0, 0, 0, 1, 4)


def test_a_slice_of_the_end_works_in_place() -> None:
    compiled = equal(moved("SLICE", [1, 40, 2], [1, 20, 1], [[0, 20, 1], [1, 20, 1]]))
    assert compiled.report.arena.bytes == 80
    backwards = moved("STRIDED_SLICE", [40], [40], [[0], [0], [-1]], options=masks(begin=1, end=1))
    assert equal(backwards).report.arena.bytes == 80


def masks(**values: int) -> Any:
    options = schema.StridedSliceOptionsT()
    for name in ("begin", "end", "ellipsis", "newAxis", "shrinkAxis"):
        setattr(options, f"{name}Mask", values.get(name, 0))
    return options


def test_neighbours_that_are_evenly_spaced_merge() -> None:
    assert _merged([2, 3, 4], [12, 4, 1]) == ([24], [1])
    assert _merged([2, 1, 4], [12, 7, 1]) == ([2, 4], [12, 1])
    assert _merged([2, 3, 4], [0, 0, 1]) == ([6, 4], [0, 1])
    assert _merged([2, 3], [-3, -1]) == ([6], [-1])


REFUSED: dict[str, tuple[type[ModelError], str, bytes]] = {
    "order": (ModelError, "no permutation", moved("TRANSPOSE", [2, 3], [2, 3], [[0, 0]])),
    "order's length": (ModelError, "no permutation", moved("TRANSPOSE", [2, 3], [2, 3], [[0]])),
    "transposed shape": (ModelError, "shape [3, 2]", moved("TRANSPOSE", [2, 3], [2, 3], [[1, 0]])),
    "six dimensions": (
        UnsupportedError,
        "more than 5",
        moved("TRANSPOSE", [2] * 6, [2] * 6, [[5, 4, 3, 2, 1, 0]]),
    ),
    "size": (ModelError, "not there", moved("SLICE", [4], [2], [[3], [2]])),
    "begin": (ModelError, "not there", moved("SLICE", [4], [2], [[-1], [2]])),
    "slice's rank": (ModelError, "a dimension", moved("SLICE", [4, 2], [2, 2], [[1], [2]])),
    "stride": (
        ModelError,
        "stride of 0",
        moved("STRIDED_SLICE", [4], [2], [[0], [2], [0]], options=masks()),
    ),
    "nothing": (
        ModelError,
        "takes nothing",
        moved("STRIDED_SLICE", [4], [2], [[2], [2], [1]], options=masks()),
    ),
    "index": (
        ModelError,
        "takes nothing",
        moved("STRIDED_SLICE", [4, 2], [2], [[4, 0], [5, 2], [1, 1]], options=masks(shrinkAxis=1)),
    ),
    "ellipsis": (
        UnsupportedError,
        "ellipsis_mask",
        moved("STRIDED_SLICE", [4], [2], [[0], [2], [1]], options=masks(ellipsis=1)),
    ),
    "uneven parts": (ModelError, "shape [3, 2]", split_v([5, 2], 0, [3, 2], [[2, 2], [3, 2]])),
    "parts": (ModelError, "parts", split_v([5, 2], 0, [3, 1], [[3, 2], [1, 2]])),
    "axis": (ModelError, "not there", split_v([5, 2], 2, [3, 2], [[3, 2], [2, 2]])),
    "five dimensions": (
        UnsupportedError,
        "more than 4",
        moved("STRIDED_SLICE", [2] * 5, [2] * 5, [[0] * 5, [2] * 5, [1] * 5], options=masks()),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused_in_words(name: str) -> None:
    kind, words, model = REFUSED[name]
    with pytest.raises(kind) as caught:
        compile_model(model)
    assert words in caught.value.message
