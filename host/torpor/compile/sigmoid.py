# SPDX-License-Identifier: Apache-2.0
"""Sigmoid and tanh of 16-bit codes: the table, and how a code becomes its argument.

The kernels (firmware/infer/kernels/sigmoid.h) look up |argument| / 512 in the table, with straight
lines between its numbers; an argument is in units of 1/12288, a table step 1/24. Sources:
integer_ops/logistic.h and tanh.h, CheckedLog2 in kernels/internal/quantization_util.cc.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from torpor.compile.fixed_point import round_half_away

_LENGTH = 256
_STEPS_PER_UNIT = 24


class Argument(NamedTuple):
    """An argument is round(code * multiplier / 2^shift)."""

    multiplier: int
    shift: int


@functools.cache
def sigmoid_table() -> bytes:
    """Return 256 numbers, uint16 in Q0.16: sigmoid(i / 24), for straight lines between them.

    A line between two points of the curve lies below it; each number is raised by half of what
    the line to the next one lacks in its middle. The last counts as 1.
    """
    numbers = [round(_raised(i)) for i in range(_LENGTH - 1)]
    return np.array([*numbers, (1 << 16) - 1], "<u2").tobytes()


def _raised(i: int) -> float:
    lacking = _sigmoid(i + 0.5) - (_sigmoid(i) + _sigmoid(i + 1)) / 2
    return _sigmoid(i) + lacking / 2


def _sigmoid(step: float) -> float:
    return (1 << 16) / (1 + math.exp(-step / _STEPS_PER_UNIT))


def nearest_power(scale: float) -> tuple[int, bool]:
    """Return (the exponent of the power of two nearest to a float32 scale, whether it is one).

    In float32 as TFLM does it: a scale counts as a power of two up to 0.07 % beside it.
    """
    exact = np.log(np.float32(scale)) * (np.float32(1) / np.log(np.float32(2)))
    exponent = round_half_away(float(exact))
    return exponent, bool(abs(exact - np.float32(exponent)) < np.float32(1e-3))


def shifted_argument(shift: int) -> Argument:
    """Return how codes in Q3.12, times 2^shift, become arguments; |shift| as far as it fits."""
    return Argument(3 << shift, 0) if shift >= 0 else Argument(3, -shift)


def scaled_argument(scale: float) -> Argument:
    """Return how codes of any scale become arguments, with 15 bits of the scale.

    The multiplier is above 16 bits where the scale is above 5.3.
    """
    multiplier, shift = scale * 4096 * 3, 0
    while multiplier <= ((1 << 15) - 1) / 2 and shift <= 30:
        multiplier, shift = multiplier * 2, shift + 1
    return Argument(int(multiplier), shift)
