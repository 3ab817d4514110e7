# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX. Formulas: micro/kernels/softmax_common.cc, kernels/internal/quantization_util.cc."""

import functools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from torpor.compile.fixed_point import quantize_multiplier, round_half_away
from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Tensor

_INTEGER_BITS = 5
_MAX_DEPTH = {"int8": 4095, "int16": 65535}  # as firmware/infer/ops/softmax.c has it
_MAX_SHIFT_S16 = 15
_STEPS = 512


@operator(
    "SOFTMAX",
    supports="int8 input, and int8 output of scale 1/256 and zero point -128 or int16 output of "
    "scale 1/65536 and zero point -32768; or int16 input and output, zero points 0, output scale "
    "1/32768",
)
def lower(site: Site) -> Record:
    """Softmax over the last dimension."""
    x, y = site.activation(0, "int8", "int16"), site.output("int8", "int16")
    site.need(bool(x.shape) and x.shape == y.shape, "input and output differ in shape", y)
    if x.shape[-1] > _MAX_DEPTH[x.dtype]:
        site.unsupported(f"more than {_MAX_DEPTH[x.dtype]} classes", x)
    if x.dtype == "int16":
        return _lower_s16(site, x, y)
    if y.dtype == "int8" and (y.scale != 1 / 256 or y.zero_point != -128):
        site.unsupported("the output must have scale 1/256 and zero point -128", y)
    if y.dtype == "int16" and (not _is_near(y.scale, 16) or y.zero_point != -32768):
        site.unsupported("the output must have scale 1/65536 and zero point -32768", y)
    return _lower_s8(site, x, y)


def _is_near(scale: float, exponent: int) -> bool:
    """Tell whether a float32 scale is 2^-exponent, give or take 0.1 %, in float32."""
    wanted = np.float32(2.0**-exponent)
    return bool(abs(np.float32(scale) - wanted) <= np.float32(0.001) * wanted)


def _record(x: Tensor, y: Tensor, code: str, **fields: object) -> Record:
    sizes = {"rows": x.elements // x.shape[-1], "depth": x.shape[-1]}
    return Record(code=code, fields={**sizes, **fields}, tensors={"x": x.index, "y": y.index})


def _lower_s8(site: Site, x: Tensor, y: Tensor) -> Record:
    """Return the record of int8 input. Sources: PreprocessSoftmaxScaling, CalculateInputRadius."""
    beta = float(site.option("beta"))
    real = min(beta * x.scale * (1 << (31 - _INTEGER_BITS)), (1 << 31) - 1.0)
    if not real > 1:
        site.unsupported(f"beta {beta:g} times the input's scale is too small", x)
    rescale = quantize_multiplier(real)
    radius = ((1 << _INTEGER_BITS) - 1) * (1 << (31 - _INTEGER_BITS)) / (1 << rescale.shift)
    code = "SOFTMAX_S8" if y.dtype == "int8" else "SOFTMAX_S8_S16"
    return _record(x, y, code, rescale=rescale._asdict(), diff_min=-math.floor(radius))


def _lower_s16(site: Site, x: Tensor, y: Tensor) -> Record:
    """Return the record of int16 input; a difference of 10 is 65535 steps of the table of exp."""
    if y.dtype != "int16" or not _is_near(y.scale, 15):
        site.unsupported("with int16 input the output must be int16 of scale 1/32768", y)
    for tensor in (x, y):
        if tensor.zero_point:
            site.unsupported("TensorFlow Lite Micro refuses a zero point of int16", tensor)
    beta = float(site.option("beta"))
    real = x.scale * beta / (10.0 / 65535.0)
    rescale = quantize_multiplier(real if 0 <= real < math.inf else math.ldexp(1, 99))
    if rescale.shift > _MAX_SHIFT_S16:
        site.unsupported(f"beta {beta:g} times the input's scale is negative or too large", x)
    record = _record(x, y, "SOFTMAX_S16", rescale=rescale._asdict(), diff_min=0)
    return replace(record, data={"constant": tables_s16()})


@functools.cache
def tables_s16() -> bytes:
    """Return exp(10 * i / 512 - 10) and 1 / (1 + i / 512) for i <= 512, int16 in Q0.15.

    Raised or lowered for straight lines between them. Source: LUTPopulateInt16 in
    kernels/internal/common.h, in float32 as there.
    """
    span, unit = np.float32((1 << 16) - 1), np.float32(1)
    exp = _table(np.float32(10) / span, (1 << 15) - 1, lambda v: np.float32(math.exp(float(v))))
    reciprocal = _table(unit / span, -(1 << 15), lambda v: unit / (unit + v))
    return np.array(exp + reciprocal, "<i2").tobytes()


def _table(
    scale: np.float32, zero_point: int, function: Callable[[np.float32], np.float32]
) -> list[int]:
    """Return 513 values of `function`, int16 in Q0.15, over the range of int16 codes."""
    lowest = scale * np.float32(-(1 << 15) - zero_point)
    highest = scale * np.float32((1 << 15) - 1 - zero_point)
    step = (highest - lowest) / np.float32(_STEPS)
    unit = np.float32(2) / np.float32((1 << 16) - 1)
    codes = np.float32(1 << 16) / (unit * np.float32((1 << 15) - 1) - unit * np.float32(-(1 << 15)))
    values = []
    for i in range(_STEPS):
        at = lowest + np.float32(i) * step
        value, middle = function(at) * codes, function(at + step / np.float32(2)) * codes
        following = function(lowest + np.float32(i + 1) * step) * codes
        line = _round((following + _round(value)) / np.float32(2))
        values.append(_round(value) - _round((line - _round(middle)) / np.float32(2)))
    values.append(_round(function(highest) * codes))
    return [int(np.clip(v, -(1 << 15), (1 << 15) - 1)) for v in values]


def _round(value: np.float32) -> np.float32:
    return np.float32(round_half_away(float(value)))
