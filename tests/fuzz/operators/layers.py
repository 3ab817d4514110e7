# SPDX-License-Identifier: Apache-2.0
"""Layers with weights, and pools."""

import math
from typing import Any

from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

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


def _weight_type(s: Sketch, x: int) -> str:
    return "int8" if s.graph.dtype(x) == "int16" else s.draw.pick(("int8", "int4"))


def _bias(s: Sketch, x: int, weights: int, count: int, dtypes: tuple[str, ...]) -> int | None:
    """Return a bias or none; beside int16 activations it has one of `dtypes`."""
    if len(s.graph.scales(weights)) != count:
        return None
    return s.bias(x, weights, count, "int32" if s.graph.dtype(x) == "int8" else s.draw.pick(dtypes))


def _bias_type(s: Sketch, bias: int | None) -> dict[str, Any]:
    """Return the option that says the type of the bias, where it says anything."""
    wide = bias is not None and s.graph.dtype(bias) == "int32"
    return {"bias_type": "int32"} if wide else {}


@generator("CONV_2D")
def conv_2d(s: Sketch, _name: str) -> list[int]:
    x = s.activation(4, dtypes=("int8", "int16"))
    in_c = s.graph.shape(x)[3]
    groups = s.draw.pick([g for g in (1, 1, 1, in_c, 2, 3) if in_c % g == 0])
    out_c = groups * s.draw.integer(1, 12 if groups == 1 else 3)
    padding, kernel, stride = _window(s, x)
    w = s.weights((out_c, *kernel, in_c // groups), 0, _weight_type(s, x))
    bias = _bias(s, x, w, out_c, ("int64", "int32"))
    scale = _sum_scale(s, x, w, kernel[0] * kernel[1] * in_c // groups)
    y = s.graph.conv_2d(
        x,
        w,
        bias,
        **s.output(scale, s.graph.dtype(x)),
        stride=stride,
        dilation=_dilation(s, x, padding, kernel),
        padding=padding,
        activation=s.activation_name(),
        **_bias_type(s, bias),
    )
    return [y]


@generator("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(s: Sketch, _name: str) -> list[int]:
    x = s.activation(4, dtypes=("int8", "int16"))
    out_c = s.graph.shape(x)[3] * s.draw.pick((1, 1, 2, 3))
    padding, kernel, stride = _window(s, x)
    w = s.weights((1, *kernel, out_c), 3, _weight_type(s, x))
    y = s.graph.depthwise_conv_2d(
        x,
        w,
        _bias(s, x, w, out_c, ("int64",)),
        **s.output(_sum_scale(s, x, w, kernel[0] * kernel[1]), s.graph.dtype(x)),
        stride=stride,
        dilation=_dilation(s, x, padding, kernel),
        padding=padding,
        activation=s.activation_name(),
    )
    return [y]


@generator("TRANSPOSE_CONV")
def transpose_conv(s: Sketch, _name: str) -> list[int]:
    x = s.activation(4, at_most=600)
    _, height, width, in_c = s.graph.shape(x)
    out_c = s.draw.integer(1, 6)
    kernel = s.draw.integer(1, 4), s.draw.integer(1, 4)
    stride = s.draw.integer(1, 3), s.draw.integer(1, 3)
    w = s.weights((out_c, *kernel, in_c), 0)
    y = s.graph.transpose_conv(
        x,
        w,
        s.bias(x, w, out_c) if len(s.graph.scales(w)) == out_c else None,
        size=(
            max(1, height * stride[0] + s.draw.integer(-2, 3)),
            max(1, width * stride[1] + s.draw.integer(-2, 3)),
        ),
        **s.output(_sum_scale(s, x, w, max(1, kernel[0] * kernel[1] * in_c // math.prod(stride)))),
        stride=stride,
        padding=s.draw.pick(("valid", "same")),
        activation=s.activation_name(),
    )
    return [y]


@generator("FULLY_CONNECTED")
def fully_connected(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=("int8", "int16"))
    in_n, out_n = s.graph.shape(x)[-1], s.channels()
    dtype = _weight_type(s, x)
    w = s.weights((out_n, in_n), 0, dtype, per_channel=dtype == "int8" and s.draw.chance(0.5))
    bias = _bias(s, x, w, out_n, ("int64", "int32"))
    y = s.graph.fully_connected(
        x,
        w,
        bias,
        **s.output(_sum_scale(s, x, w, in_n), s.graph.dtype(x)),
        activation=s.activation_name(),
        keep_dims=s.draw.chance(0.5),
        **_bias_type(s, bias),
    )
    return [y]


@generator("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool_2d(s: Sketch, name: str) -> list[int]:
    x = s.activation(4, dtypes=("int8", "int16"))
    padding, kernel, stride = _window(s, x, 5)
    activation = s.activation_name()
    return [s.graph.pool_2d(name, x, kernel, stride=stride, padding=padding, activation=activation)]


@generator("MEAN")
def mean(s: Sketch, _name: str) -> list[int]:
    x = s.activation(dtypes=("int8", "int16"))
    rank = len(s.graph.shape(x))
    first = s.draw.below(rank)
    axes = list(range(first, s.draw.integer(first, rank - 1) + 1))
    if s.draw.chance(0.3):
        axes = s.draw.permutation(rank)[: s.draw.integer(1, rank)]
    if s.draw.chance(0.3):
        axes = [a - rank for a in axes]
    keep = len(axes) == rank or s.draw.chance(0.5)
    codes = s.output(s.graph.scale(x), s.graph.dtype(x))
    return [s.graph.mean(x, axes, **codes, keep_dims=keep)]


SOFTMAX_OUTPUTS = (
    ("int8", "int8", 1 / 256, -128),
    ("int16", "int16", 2.0**-15, 0),
    ("int8", "int16", 2.0**-16, -32768),
)
"""Types of input and output, scale and zero point of the output."""


@generator("SOFTMAX")
def softmax(s: Sketch, name: str) -> list[int]:
    x = s.activation(dtypes=("int8", "int16"))
    fitting = [row for row in SOFTMAX_OUTPUTS if row[0] == s.graph.dtype(x)]
    _, dtype, scale, zero_point = s.draw.pick(fitting)
    options = schema.SoftmaxOptionsT()
    options.beta = s.draw.pick((1.0, 0.5, 2.0, 0.1, 10.0))
    y = s.graph.tensor(s.graph.shape(x), dtype, scale=scale, zero_point=zero_point)
    s.graph.op(name, [x], [y], options)
    return [y]
