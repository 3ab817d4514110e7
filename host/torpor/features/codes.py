# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""From sound features to the int8 codes that a model takes, without floats on the device.

code = clamp(((feature * multiplier + 2^(shift - 1)) >> shift) + zero_point)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from torpor.errors import ModelError

UNIT = 0.0390625
"""What a feature of 1 is to the models: 10/256, pymicro_features 2.0.2 multiplies by it."""

LARGEST = 1420
"""No feature is larger: 64 times the natural logarithm of at most 2^32 (log_scale.cc)."""

_VALUES = np.arange(1 << 16, dtype=np.uint64)


class CodeRule(NamedTuple):
    """Numbers of the rule. int32_t is enough for every feature, see LARGEST."""

    multiplier: int
    shift: int
    zero_point: int

    def codes(self, values: NDArray[np.uint16]) -> NDArray[np.int8]:
        """Return the codes of features of any shape, as a device computes them."""
        scaled = (values.astype(np.uint64) * self.multiplier + (1 << self.shift - 1)) >> self.shift
        return (scaled.astype(np.int64) + self.zero_point).clip(-128, 127).astype(np.int8)


def float_codes(values: NDArray[np.uint16], scale: float, zero_point: int) -> NDArray[np.int8]:
    """Return the codes of features of any shape, by floats.

    In float64, half to even, as MicroWakeWord.process_streaming_prob of pymicro_wakeword 2.5.0 does
    with NumPy; that does not clip and so wraps around beyond 127, which only sounds at full scale
    reach. We clip, as TensorFlow Lite's QUANTIZE does.
    """
    x = values.astype(np.float64) * UNIT
    return np.round(x / scale + zero_point).clip(-128, 127).astype(np.int8)


def code_rule(scale: float, zero_point: int) -> CodeRule:
    """Return the integer rule that gives what `float_codes` gives, for each of 65,536 values.

    Args:
        scale: of the model's input.
        zero_point: of it, int8.

    Raises:
        ModelError: there is none: a scale that is far off.
    """
    expected = float_codes(_VALUES.astype(np.uint16), scale, zero_point)
    for shift in range(1, 32):
        for multiplier in _multipliers(scale, shift):
            rule = CodeRule(multiplier, shift, zero_point)
            fits = LARGEST * multiplier + (1 << shift - 1) < 1 << 31
            if fits and np.array_equal(rule.codes(_VALUES.astype(np.uint16)), expected):
                return rule
    raise ModelError(f"no integer rule gives the codes of sound features at scale {scale!r}")


def _multipliers(scale: float, shift: int) -> tuple[int, int]:
    exact = UNIT / scale * 2**shift
    return int(exact), int(exact) + 1
