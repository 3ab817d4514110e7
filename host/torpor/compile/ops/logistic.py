# SPDX-License-Identifier: Apache-2.0
"""LOGISTIC and TANH. Formulas: micro/kernels/logistic_common.cc, tanh.cc, integer_ops/logistic.h,
integer_ops/tanh.h.
"""

import math

from torpor.compile.fixed_point import INT8_MAX, INT8_MIN, Rescale, round_half_away
from torpor.compile.kernel_math import clamp_int8, logistic, requantize, rounding_shr, tanh
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.lut import SUPPORTS, lut

_FRACTION_BITS = 27
"""The kernels compute in Q4.27."""


@operator("LOGISTIC", supports=f"{SUPPORTS}, whose zero point is -128")
def lower_logistic(site: Site) -> Record:
    """The result is in units of 1/256 from -128 on, whatever the output's scale says."""
    y = site.output()
    if y.zero_point != INT8_MIN:
        site.unsupported("TensorFlow Lite Micro refuses an output zero point other than -128", y)
    rescale, radius = _input(site)
    zero_point = site.activation(0).zero_point

    def function(code: int) -> int:
        x = code - zero_point
        if abs(x) >= radius:
            return INT8_MIN if x <= -radius else INT8_MAX
        return clamp_int8(rounding_shr(logistic(requantize(x, rescale)), 31 - 8) + INT8_MIN)

    return lut(site, function)


@operator("TANH", supports=SUPPORTS)
def lower_tanh(site: Site) -> Record:
    """The result is in units of 1/128 around 0, whatever the output's quantization says."""
    rescale, radius = _input(site)
    zero_point = site.activation(0).zero_point

    def function(code: int) -> int:
        x = code - zero_point
        if abs(x) >= radius:
            return INT8_MIN if x <= -radius else INT8_MAX
        return clamp_int8(rounding_shr(tanh(requantize(x, rescale)), 31 - 7))

    return lut(site, function)


def _input(site: Site) -> tuple[Rescale, int]:
    """Return the rescale to Q4.27, and from which distance to the zero point on to saturate."""
    x = site.activation(0)
    fraction, shift = math.frexp(x.scale * (1 << _FRACTION_BITS))
    if not 0 <= shift <= 62:
        site.unsupported("the input scale is too small or too large", x)
    rescale = Rescale(round_half_away(fraction * (1 << 31)), shift)
    return rescale, (15 << _FRACTION_BITS) >> shift
