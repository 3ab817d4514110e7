# SPDX-License-Identifier: Apache-2.0
"""HARD_SWISH. Formulas: micro/kernels/hard_swish_common.cc, reference/hard_swish.h."""

from typing import NamedTuple

from torpor.compile.fixed_point import Rescale, quantize_multiplier
from torpor.compile.kernel_math import clamp_int8, high_mul, rounding_shr
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.lut import SUPPORTS, lut

_HIGH_BITS = 7
"""The kernel computes in 16 bits, with the input's difference to its zero point shifted left."""

_UNIT = 3 / (1 << 15)
"""The scale on which 3 is 1.0 in Q0.15."""

_MOST = (1 << 15) - 1


class _Factor(NamedTuple):
    """multiplier * 2^(shift - 15), the multiplier in 16 bits."""

    multiplier: int
    shift: int


@operator("HARD_SWISH", supports=SUPPORTS)
def lower(site: Site) -> Record:
    """The input on the output's scale, times what RELU6(x + 3) / 6 is of it in Q0.15."""
    x, y = site.activation(0), site.output()
    fine = x.scale / (1 << _HIGH_BITS)
    output = _factor(quantize_multiplier(fine / y.scale))
    gate = _factor(quantize_multiplier(fine / _UNIT))
    if not -15 <= output.shift <= 0:
        site.unsupported("the output scale is too small or too large for the input's", y)
    if not -15 <= gate.shift <= 30:
        site.unsupported("the input scale is too small or too large", x)

    def function(code: int) -> int:
        value = (code - x.zero_point) << _HIGH_BITS
        product = _gate(value, gate) * high_mul(value, output.multiplier, 16)
        scaled = -(-product >> 15) if product < 0 else product >> 15
        return clamp_int8(rounding_shr(scaled, -output.shift) + y.zero_point)

    return lut(site, function)


def _factor(rescale: Rescale) -> _Factor:
    """Return a rescale with its multiplier in 16 bits (DownScaleInt32ToInt16Multiplier)."""
    return _Factor(min((rescale.multiplier + (1 << 15)) >> 16, _MOST), rescale.shift)


def _gate(value: int, factor: _Factor) -> int:
    """Return RELU6(x + 3) / 6 in Q0.15; shifts left saturate, the last one after the product."""
    if factor.shift > 0:
        value = _saturate(value << (factor.shift - 1))
    value = high_mul(value, factor.multiplier, 16)
    value = _saturate(value << 1) if factor.shift > 0 else rounding_shr(value, -factor.shift)
    return (value + (1 << 15)) >> 1


def _saturate(value: int) -> int:
    return min(max(value, -_MOST - 1), _MOST)
