# SPDX-License-Identifier: Apache-2.0
"""Operators that only move codes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.fuzz.graphs import MAX_INPUTS, Sketch, generator

MOVED = ("int8", "int16", "int32", "float32")
"""Types of most operators that move elements."""


def _like(s: Sketch, x: int, shape: Sequence[int]) -> int:
    """Add a tensor with another shape."""
    return s.graph.tensor(shape, **s.same_codes(x))


def _numbers(s: Sketch, values: Any) -> int:
    return s.graph.constant(np.array(values, np.int32), "int32")


@generator("RESHAPE")
def reshape(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=(*MOVED, "uint8", "bool"))
    left = math.prod(s.graph.shape(x))
    shape = []
    for _ in range(s.draw.integer(0, 3)):
        shape.append(s.draw.pick([d for d in range(1, left + 1) if left % d == 0]))
        left //= shape[-1]
    return [s.graph.reshape(x, [*shape, left])]


@generator("SQUEEZE")
def squeeze(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=(*MOVED, "uint8", "bool"))
    shape = s.graph.shape(x)
    ones = [i for i, n in enumerate(shape) if n == 1]
    dropped = ones[: s.draw.integer(0, len(ones))][: len(shape) - 1]
    options = schema.SqueezeOptionsT()
    options.squeezeDims = dropped
    if not dropped:
        dropped = ones
    y = _like(s, x, [n for i, n in enumerate(shape) if i not in dropped])
    s.graph.op("SQUEEZE", [x], [y], options)
    return [y]


@generator("EXPAND_DIMS")
def expand_dims(s: Sketch, _name: str) -> list[int]:
    x = s.activation(s.draw.integer(1, 4), dtypes=("int8", "int16", "float32"))
    shape = s.graph.shape(x)
    axis = s.draw.integer(0, len(shape))
    wanted = axis - len(shape) - 1 if s.draw.chance(0.4) else axis
    y = _like(s, x, [*shape[:axis], 1, *shape[axis:]])
    s.graph.op("EXPAND_DIMS", [x, _numbers(s, [wanted])], [y], schema.ExpandDimsOptionsT())
    return [y]


@generator("TRANSPOSE")
def transpose(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=("int8", "int16", "float32"))
    shape = s.graph.shape(x)
    order = s.draw.permutation(len(shape))
    y = _like(s, x, [shape[p] for p in order])
    s.graph.op("TRANSPOSE", [x, _numbers(s, order)], [y], schema.TransposeOptionsT())
    return [y]


@generator("PAD", "PADV2")
def pad(s: Sketch, name: str) -> list[int]:
    x = s.activation(dtypes=MOVED, at_most=600)
    shape = s.graph.shape(x)
    image = len(shape) == 4 and s.draw.chance(0.7)
    amounts = [
        (0, 0)
        if (image and i in (0, 3)) or s.draw.chance(0.4)
        else (s.draw.integer(0, 2), s.draw.integer(0, 2))
        for i in range(len(shape))
    ]
    value = None if name == "PAD" else s.values((), s.graph.dtype(x)).item()
    return [s.graph.pad(x, amounts, value)]


@generator("SLICE")
def slice_(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=MOVED)
    shape = s.graph.shape(x)
    begin = [s.draw.below(n) for n in shape]
    out = [s.draw.integer(1, n - b) for n, b in zip(shape, begin, strict=True)]
    rest = [
        -1 if b + d == n and s.draw.chance(0.3) else d
        for n, b, d in zip(shape, begin, out, strict=True)
    ]
    y = _like(s, x, out)
    s.graph.op("SLICE", [x, _numbers(s, begin), _numbers(s, rest)], [y], schema.SliceOptionsT())
    return [y]


def _bounds(s: Sketch, size: int) -> tuple[int, int, int, range]:
    """Return begin, end, stride and the indices they take, at least one."""
    stride = s.draw.pick((1, 1, 2, 3, -1, -2))
    one, two = s.draw.below(size), s.draw.below(size)
    low, high = min(one, two), max(one, two)
    if stride > 0:
        begin, end = low, high + 1 + s.draw.pick((0, 0, 2 * size))
        return begin - size * s.draw.chance(0.3), end, stride, range(size)[begin:end:stride]
    begin, last = high - size * s.draw.chance(0.3), low - 1
    end = last if last >= 0 else -size - 1 - s.draw.below(3)
    return begin, end, stride, range(high, low - 1, stride)


@generator("STRIDED_SLICE")
def strided_slice(s: Sketch, _name: str) -> list[int]:
    x = s.activation(s.draw.pick((4, 3, 2, 1)), dtypes=MOVED)
    options = schema.StridedSliceOptionsT()
    bounds, out = [], []
    for axis, size in enumerate(s.graph.shape(x)):
        begin, end, stride, taken = _bounds(s, size)
        if stride > 0 and taken.start == 0 and s.draw.chance(0.5):
            options.beginMask |= 1 << axis
            begin = s.draw.integer(-9, 9)
        if axis and stride == 1 and s.draw.chance(0.15):
            options.shrinkAxisMask |= 1 << axis
            if options.beginMask >> axis & 1:
                begin = 0
        else:
            out.append(len(taken))
        bounds.append((begin, end, stride))
    y = _like(s, x, out)
    numbers = [_numbers(s, column) for column in zip(*bounds, strict=True)]
    s.graph.op("STRIDED_SLICE", [x, *numbers], [y], options)
    return [y]


@generator("SPLIT")
def split(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=MOVED)
    shape = s.graph.shape(x)
    axis = s.draw.below(len(shape))
    options = schema.SplitOptionsT()
    options.numSplits = s.draw.pick([k for k in range(1, 5) if shape[axis] % k == 0][::-1])
    part = [*shape[:axis], shape[axis] // options.numSplits, *shape[axis + 1 :]]
    outputs = [_like(s, x, part) for _ in range(options.numSplits)]
    where = _numbers(s, axis - len(shape) * s.draw.chance(0.3))
    s.graph.op("SPLIT", [where, x], outputs, options)
    return outputs


@generator("SPLIT_V")
def split_v(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=MOVED)
    shape = s.graph.shape(x)
    axis = s.draw.below(len(shape))
    sizes = [shape[axis]]
    while sizes[-1] > 1 and len(sizes) < 4 and s.draw.chance(0.7):
        first = s.draw.integer(1, sizes[-1] - 1)
        sizes[-1:] = [first, sizes[-1] - first]
    options = schema.SplitVOptionsT()
    options.numSplits = len(sizes)
    outputs = [_like(s, x, [*shape[:axis], n, *shape[axis + 1 :]]) for n in sizes]
    where = _numbers(s, axis - len(shape) * s.draw.chance(0.3))
    s.graph.op("SPLIT_V", [x, _numbers(s, sizes), where], outputs, options)
    return outputs


@generator("CONCATENATION")
def concatenation(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=(*MOVED, "bool"), at_most=800)
    shape = s.graph.shape(x)
    axis = s.draw.below(len(shape))
    operands = [x]
    for _ in range(s.draw.integer(0, 9 if s.draw.chance(0.1) else 3)):
        alike = [t for t in (*s.written, *s.inputs) if _joins(s, x, t, axis)]
        wanted = [*shape[:axis], s.draw.integer(1, 4), *shape[axis + 1 :]]
        if s.draw.chance(0.6):
            operands.append(s.reading(s.draw.pick(alike)))
        elif s.draw.chance(0.5) or len(s.inputs) >= MAX_INPUTS:
            values = s.values(wanted, s.graph.dtype(x))
            operands.append(s.graph.constant(values, **s.same_codes(x)))
        else:
            s.inputs.append(s.graph.input(wanted, **s.same_codes(x)))
            operands.append(s.reading(s.inputs[-1]))
    operands = [operands[i] for i in s.draw.permutation(len(operands))]
    return [s.graph.concatenation(operands, axis - len(shape) * s.draw.chance(0.3))]


def _joins(s: Sketch, x: int, other: int, axis: int) -> bool:
    a, b = s.graph.shape(x), s.graph.shape(other)
    fits = len(a) == len(b) and a[:axis] == b[:axis] and a[axis + 1 :] == b[axis + 1 :]
    return fits and s.same_codes(x) == s.same_codes(other)


@generator("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest_neighbor(s: Sketch, _name: str) -> list[int]:
    x = s.activation(4, dtypes=("int8", "int16", "float32"), at_most=800)
    size = s.draw.integer(1, 13), s.draw.integer(1, 13)
    corners, centers = s.draw.chance(0.4), s.draw.chance(0.4)
    return [s.graph.resize_nearest_neighbor(x, size, corners=corners, centers=centers)]
