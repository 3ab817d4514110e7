# SPDX-License-Identifier: Apache-2.0
"""Operators on each element, alone or with another operand."""

import math
from typing import Any

import numpy as np

from tests.fuzz.graphs import Sketch, generator

WIDE = ("int8", "int16")
"""Types of most operators."""


def _partner(s: Sketch, a: int) -> int:
    """Return a second operand that fits `a`: itself, a constant, or another tensor."""
    shape = s.graph.shape(a)
    if s.draw.chance(0.1):
        return a
    same = [t for t in (*s.written, *s.inputs) if t != a and s.graph.shape(t) == shape]
    dtype = s.graph.dtype(a)
    same = [t for t in same if s.graph.dtype(t) == dtype]
    if same and s.draw.chance(0.6):
        return s.reading(s.draw.pick(same))
    if s.draw.chance(0.5):
        shape = [n if s.draw.chance(0.5) else 1 for n in shape][s.draw.below(len(shape)) :]
    if s.draw.chance(0.4):
        return s.graph.constant(s.values(shape, dtype), dtype, **s.codes(dtype))
    return s.reading(s.new_input(shape, dtype))


def _operands(s: Sketch) -> tuple[int, int]:
    a = s.activation(dtypes=WIDE)
    b = _partner(s, a)
    return (b, a) if s.draw.chance(0.5) else (a, b)


@generator("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")
def binary(s: Sketch, name: str) -> list[int]:
    a, b = _operands(s)
    scales = s.graph.scale(a), s.graph.scale(b)
    dtype = s.graph.dtype(a)
    half = 60 if dtype == "int8" else 15000
    codes = s.output(math.prod(scales) * half if name == "MUL" else max(scales), dtype)
    return [s.graph.binary(name, a, b, **codes, activation=s.activation_name())]


@generator("RELU")
def relu(s: Sketch, name: str) -> list[int]:
    x = s.activation(dtypes=WIDE)
    if s.draw.chance(0.5):
        return [s.graph.unary(name, x)]
    return [s.graph.unary(name, x, **_output_like(s, x))]


def _output_like(s: Sketch, x: int) -> dict[str, Any]:
    return s.output(s.graph.scale(x), s.graph.dtype(x))


@generator("RELU6")
def relu6(s: Sketch, name: str) -> list[int]:
    return [s.graph.unary(name, s.activation(dtypes=WIDE))]


@generator("HARD_SWISH")
def hard_swish(s: Sketch, name: str) -> list[int]:
    x = s.activation()
    return [s.graph.unary(name, x, **_output_like(s, x))]


@generator("ABS")
def absolute(s: Sketch, name: str) -> list[int]:
    x = s.activation(dtypes=WIDE)
    return [s.graph.unary(name, x, **_output_like(s, x))]


@generator("LOGISTIC", "TANH")
def sigmoid(s: Sketch, name: str) -> list[int]:
    x = s.activation(dtypes=WIDE)
    if s.graph.dtype(x) == "int16":
        return [s.graph.unary(name, x, scale=2.0**-15, zero_point=0)]
    scale, zero_point = (1 / 256, -128) if name == "LOGISTIC" else (1 / 128, 0)
    return [s.graph.unary(name, x, scale=scale, zero_point=zero_point)]


@generator("LEAKY_RELU")
def leaky_relu(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=WIDE)
    alpha = s.draw.pick((0.1, 0.0, 0.3, 1.0, 1.7))
    return [s.graph.leaky_relu(x, alpha, **_output_like(s, x))]


@generator("PRELU")
def prelu(s: Sketch, name: str) -> list[int]:
    x = s.activation()
    shape = s.graph.shape(x)
    if s.draw.chance(0.7):
        depth = [1] * (len(shape) - 2) + shape[-1:] if s.draw.chance(0.7) else shape
        alpha = s.graph.constant(s.values(depth), scale=s.near(1 / 127), zero_point=s.zero_point())
    else:
        alpha = _partner(s, x)
    shape = list(np.broadcast_shapes(tuple(shape), tuple(s.graph.shape(alpha))))
    y = s.graph.tensor(shape, **s.output(s.graph.scale(x)))
    s.graph.op(name, [x, alpha], [y])
    return [y]


QUANTIZED_TO = {
    "int8": ("int8", "uint8", "int16", "int32"),
    "float32": ("int8", "int16"),
    "int16": ("int8", "int16", "int32"),
    "uint8": ("int8",),
    "int32": ("int8", "int16"),
}
"""What TFLM quantizes to what."""


@generator("QUANTIZE")
def quantize(s: Sketch, name: str) -> list[int]:
    x = s.activation(dtypes=tuple(QUANTIZED_TO))
    from_type = s.graph.dtype(x)
    dtype = s.draw.pick(QUANTIZED_TO[from_type])
    scale = s.scale() if from_type == "float32" else s.graph.scale(x)
    wider = {"int8": 1, "uint8": 1, "int16": 1 / 256, "int32": 1 / 256**3}
    scale *= wider[dtype] / wider.get(from_type, 1)
    y = s.graph.tensor(s.graph.shape(x), dtype, **s.output(scale, dtype))
    s.graph.op(name, [x], [y])
    return [y]


@generator("DEQUANTIZE")
def dequantize(s: Sketch, name: str) -> list[int]:
    x = s.activation(dtypes=("int8", "uint8", "int16"))
    y = s.graph.tensor(s.graph.shape(x), "float32")
    s.graph.op(name, [x], [y])
    return [y]
