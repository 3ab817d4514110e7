# SPDX-License-Identifier: Apache-2.0
"""Operators on each element, alone or with another operand."""

import math

from tests.fuzz.graphs import Sketch, generator


def _partner(s: Sketch, a: int) -> int:
    """Return a second operand that fits `a`: itself, a constant, or another tensor."""
    shape = s.graph.shape(a)
    if s.draw.chance(0.1):
        return a
    same = [t for t in (*s.written, *s.inputs) if t != a and s.graph.shape(t) == shape]
    same = [t for t in same if s.graph.dtype(t) == s.graph.dtype(a)]
    if same and s.draw.chance(0.6):
        return s.reading(s.draw.pick(same))
    if s.draw.chance(0.5):
        shape = [n if s.draw.chance(0.5) else 1 for n in shape][s.draw.below(len(shape)) :]
    if s.draw.chance(0.4):
        values = s.draw.rng().integers(-128, 128, shape)
        return s.graph.constant(values, **s.codes())
    return s.reading(s.new_input(shape))


def _operands(s: Sketch) -> tuple[int, int]:
    a = s.activation()
    b = _partner(s, a)
    return (b, a) if s.draw.chance(0.5) else (a, b)


@generator("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")
def binary(s: Sketch, name: str) -> list[int]:
    a, b = _operands(s)
    scales = s.graph.scale(a), s.graph.scale(b)
    wanted = math.prod(scales) * 60 if name == "MUL" else max(scales)
    activation = s.activation_name()
    return [s.graph.binary(name, a, b, **s.output(wanted), activation=activation)]


@generator("RELU")
def relu(s: Sketch, name: str) -> list[int]:
    x = s.activation()
    if s.draw.chance(0.5):
        return [s.graph.unary(name, x)]
    return [s.graph.unary(name, x, **s.output(s.graph.scale(x)))]


@generator("RELU6")
def relu6(s: Sketch, name: str) -> list[int]:
    return [s.graph.unary(name, s.activation())]


@generator("ABS", "HARD_SWISH", "QUANTIZE")
def unary(s: Sketch, name: str) -> list[int]:
    x = s.activation()
    return [s.graph.unary(name, x, **s.output(s.graph.scale(x)))]


@generator("LOGISTIC")
def logistic(s: Sketch, name: str) -> list[int]:
    return [s.graph.unary(name, s.activation(), scale=1 / 256, zero_point=-128)]


@generator("TANH")
def tanh(s: Sketch, name: str) -> list[int]:
    return [s.graph.unary(name, s.activation(), scale=1 / 128, zero_point=0)]


@generator("LEAKY_RELU")
def leaky_relu(s: Sketch, _name: str) -> list[int]:
    x = s.activation()
    alpha = s.draw.pick((0.1, 0.0, 0.3, 1.0, 1.7))
    return [s.graph.leaky_relu(x, alpha, **s.output(s.graph.scale(x)))]
