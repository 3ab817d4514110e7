# SPDX-License-Identifier: Apache-2.0
"""LOGISTIC and TANH. Formulas: micro/kernels/logistic_common.cc, tanh.cc, integer_ops/logistic.h,
integer_ops/tanh.h. Of int8 by a table of all codes, of int16 by sigmoid.py.
"""

import math
from collections.abc import Container

from torpor.compile.fixed_point import INT8_MAX, INT8_MIN, Rescale, round_half_away
from torpor.compile.kernel_math import clamp_int8, logistic, requantize, rounding_shr, tanh
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.lut import SUPPORTS, lut
from torpor.compile.sigmoid import nearest_power, scaled_argument, shifted_argument, sigmoid_table

_FRACTION_BITS = 27
"""The kernels compute in Q4.27."""


_SUPPORTS_16 = "or int16 input and output, zero points 0, output scale 2^-15"
_MAX_MULTIPLIER = (1 << 16) - 1


@operator("LOGISTIC", supports=f"{SUPPORTS}, whose zero point is -128; {_SUPPORTS_16}")
def lower_logistic(site: Site) -> Record:
    """The result is in units of 1/256 from -128 on, whatever the output's scale says."""
    y = site.output("int8", "int16")
    if y.dtype == "int16":
        return _lower_s16(site, exact_shifts=(0,))
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


@operator("TANH", supports=f"{SUPPORTS}; {_SUPPORTS_16}")
def lower_tanh(site: Site) -> Record:
    """The result is in units of 1/128 around 0, whatever the output's quantization says."""
    if site.output("int8", "int16").dtype == "int16":
        return _lower_s16(site, exact_shifts=(0, 1))
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


def _lower_s16(site: Site, exact_shifts: Container[int]) -> Record:
    """Return the record of 16-bit activations; input scales of 2^(-12 + exact shift) are exact."""
    x, y = site.activation(0, "int16"), site.output("int16")
    site.need(x.elements == y.elements, "input and output differ in size", y)
    for tensor in (x, y):
        if tensor.zero_point:
            site.unsupported("TensorFlow Lite Micro refuses a zero point of int16", tensor)
    if nearest_power(y.scale) != (-15, True):
        site.unsupported("TensorFlow Lite Micro refuses an output scale other than 2^-15", y)
    exponent, is_power = nearest_power(x.scale)
    exact = is_power and exponent + 12 in exact_shifts
    argument = shifted_argument(exponent + 12) if exact else scaled_argument(x.scale)
    if argument.multiplier > _MAX_MULTIPLIER:
        site.unsupported("the input scale is too large", x)
    return Record(
        code=f"{site.op.name}_S16",
        fields={"count": x.elements, **argument._asdict()},
        tensors={"x": x.index, "y": y.index},
        data={"constant": sigmoid_table()},
    )
