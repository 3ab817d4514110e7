# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of quantization, exactly as TensorFlow Lite Micro does it when it prepares.

Python floats are IEEE doubles; where TFLM computes in float, numpy's float32 is used.
"""

import math
from typing import NamedTuple

import numpy as np

from torpor.graph.model import Tensor

INT8_MIN, INT8_MAX = -128, 127


def code_range(dtype: str) -> tuple[int, int]:
    """Return the smallest and the largest code of an integer type, such as "int16"."""
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


class Rescale(NamedTuple):
    """multiplier * 2^(shift - 31), multiplier 0 or in [2^30, 2^31)."""

    multiplier: int
    shift: int


def round_half_away(value: float) -> int:
    """Round to the nearest integer, ties away from zero (C's round())."""
    magnitude = math.floor(abs(value))
    if abs(value) - magnitude >= 0.5:
        magnitude += 1
    return magnitude if value >= 0 else -magnitude


def quantize_multiplier(real: float) -> Rescale:
    """Return the fixed-point form of a non-negative double.

    Source: QuantizeMultiplier in kernels/internal/quantization_util.cc (without single rounding).
    """
    if real == 0.0:
        return Rescale(0, 0)
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return Rescale(0, 0)
    return Rescale(multiplier, shift)


def mean_rescale(base: Rescale, count: int) -> Rescale:
    """Return `base` with 1 / count folded in.

    Source: QuantizedMeanOrSum in kernels/internal/reference/reduce.h. The multiplier is truncated
    and may be as small as 2^29.
    """
    shift = min(count.bit_length() - 1, 32, 31 + base.shift)
    return Rescale((base.multiplier << shift) // count, base.shift - shift)


def halved_rescale(rescale: Rescale) -> Rescale:
    """Return `rescale` with a multiplier of 16 bits, for 64-bit accumulators.

    Source: MultiplyByQuantizedMultiplier of an int64 in kernels/internal/common.cc.
    """
    high = min((rescale.multiplier + (1 << 15)) >> 16, (1 << 15) - 1)
    return Rescale(high, rescale.shift)


def float_ratio(a: float, b: float) -> float:
    """Return a / b rounded to float32, for float32 values a and b."""
    return float(np.float32(a) / np.float32(b))


def quantize(real: float, tensor: Tensor) -> int:
    """Return zero point + round(real / scale), the division in float32.

    Source: Quantize in kernels/kernel_util.cc.
    """
    return tensor.zero_point + round_half_away(float_ratio(real, tensor.scale))


def activation_range(activation: str, output: Tensor) -> tuple[int, int]:
    """Return the smallest and largest code, of the output's type, that an activation lets through.

    Args:
        activation: "NONE", "RELU", "RELU6" or "RELU_N1_TO_1".
        output: the operator's output, int8 or int16, whose scale and zero point count.

    Source: CalculateActivationRangeQuantized in kernels/kernel_util.cc.
    """
    bounds = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0)}
    low, high = bounds.get(activation, (-1.0, 1.0))
    lowest, highest = code_range(output.dtype)
    act_min = lowest if low is None else max(lowest, quantize(low, output))
    act_max = highest if high is None else min(highest, quantize(high, output))
    return act_min, act_max


class Window(NamedTuple):
    """Output length and padding before, along one dimension of a convolution or pool."""

    size: int
    before: int


def window(padding: str, size: int, kernel: int, stride: int, dilation: int = 1) -> Window:
    """Return output length and padding of a window that slides along `size` elements.

    Source: ComputePaddingHeightWidth and ComputeOutSize in kernels/padding.h.
    """
    effective = (kernel - 1) * dilation + 1
    out = -(-size // stride) if padding == "SAME" else (size + stride - effective) // stride
    missing = max(0, (out - 1) * stride + effective - size)
    return Window(out, missing // 2)
