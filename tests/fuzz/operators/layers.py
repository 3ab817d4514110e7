# SPDX-License-Identifier: Apache-2.0
"""Layers with weights, and pools."""

import math

from tests.fuzz.graphs import Sketch, generator


def _window(s: Sketch, x: int, top: int = 4) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """Return padding, kernel and stride; a kernel without padding fits the image."""
    padding = s.draw.pick(("valid", "same"))
    sizes = s.graph.shape(x)[1:3]
    limits = sizes if padding == "valid" else (top, top)
    height, width = (s.draw.integer(1, min(top, limit)) for limit in limits)
    return padding, (height, width), (s.draw.integer(1, 3), s.draw.integer(1, 3))


def _dilation(s: Sketch, x: int, padding: str, kernel: tuple[int, int]) -> tuple[int, int]:
    """Return a dilation with which the kernel fits."""
    found = []
    for size, taps in zip(s.graph.shape(x)[1:3], kernel, strict=True):
        wanted = s.draw.integer(2, 3) if s.draw.chance(0.3) else 1
        fits = padding == "same" or (taps - 1) * wanted < size
        found.append(wanted if fits else 1)
    return found[0], found[1]


def _sum_scale(s: Sketch, x: int, weights: int, terms: int) -> float:
    """Return a scale that a sum of `terms` random products fills."""
    limit = 7 if s.graph.dtype(weights) == "int4" else 127
    width = 60 if s.graph.dtype(x) == "int8" else 15000
    steps = 40 if s.graph.dtype(x) == "int8" else 10000
    most = max(s.graph.scales(weights)) * limit / 2
    return s.graph.scale(x) * width * most * math.sqrt(terms) / steps


@generator("CONV_2D")
def conv_2d(s: Sketch, _name: str) -> list[int]:
    x = s.activation(4)
    in_c = s.graph.shape(x)[3]
    groups = s.draw.pick([g for g in (1, 1, 1, in_c, 2, 3) if in_c % g == 0])
    out_c = groups * s.draw.integer(1, 12 if groups == 1 else 3)
    padding, kernel, stride = _window(s, x)
    dtype = s.draw.pick(("int8", "int4"))
    w = s.weights((out_c, *kernel, in_c // groups), 0, dtype)
    y = s.graph.conv_2d(
        x,
        w,
        s.bias(x, w, out_c) if len(s.graph.scales(w)) == out_c else None,
        **s.output(_sum_scale(s, x, w, kernel[0] * kernel[1] * in_c // groups)),
        stride=stride,
        dilation=_dilation(s, x, padding, kernel),
        padding=padding,
        activation=s.activation_name(),
    )
    return [y]


@generator("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(s: Sketch, _name: str) -> list[int]:
    x = s.activation(4)
    out_c = s.graph.shape(x)[3] * s.draw.pick((1, 1, 2, 3))
    padding, kernel, stride = _window(s, x)
    dtype = s.draw.pick(("int8", "int4"))
    w = s.weights((1, *kernel, out_c), 3, dtype)
    y = s.graph.depthwise_conv_2d(
        x,
        w,
        s.bias(x, w, out_c) if len(s.graph.scales(w)) == out_c else None,
        **s.output(_sum_scale(s, x, w, kernel[0] * kernel[1])),
        stride=stride,
        dilation=_dilation(s, x, padding, kernel),
        padding=padding,
        activation=s.activation_name(),
    )
    return [y]


@generator("FULLY_CONNECTED")
def fully_connected(s: Sketch, _name: str) -> list[int]:
    x = s.activation()
    shape = s.graph.shape(x)
    in_n, out_n = shape[-1], s.channels()
    dtype = s.draw.pick(("int8", "int4"))
    w = s.weights((out_n, in_n), 0, dtype, per_channel=dtype == "int8" and s.draw.chance(0.5))
    per_channel = len(s.graph.scales(w)) == out_n
    y = s.graph.fully_connected(
        x,
        w,
        s.bias(x, w, out_n) if per_channel else None,
        **s.output(_sum_scale(s, x, w, in_n)),
        activation=s.activation_name(),
        keep_dims=s.draw.chance(0.5),
    )
    return [y]


@generator("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool_2d(s: Sketch, name: str) -> list[int]:
    x = s.activation(4)
    padding, kernel, stride = _window(s, x, 5)
    activation = s.activation_name()
    return [s.graph.pool_2d(name, x, kernel, stride=stride, padding=padding, activation=activation)]


@generator("MEAN")
def mean(s: Sketch, _name: str) -> list[int]:
    x = s.activation()
    rank = len(s.graph.shape(x))
    first = s.draw.below(rank)
    axes = list(range(first, s.draw.integer(first, rank - 1) + 1))
    if s.draw.chance(0.3):
        axes = [a - rank for a in axes]
    keep = len(axes) == rank or s.draw.chance(0.5)
    return [s.graph.mean(x, axes, **s.output(s.graph.scale(x)), keep_dims=keep)]


@generator("SOFTMAX")
def softmax(s: Sketch, _name: str) -> list[int]:
    return [s.graph.softmax(s.activation(), s.draw.pick((1.0, 0.5, 2.0, 0.1, 10.0)))]
