# SPDX-License-Identifier: Apache-2.0
"""LEAKY_RELU. Formulas: micro/kernels/leaky_relu_common.cc, reference/leaky_relu.h."""

import math

from torpor.compile.kernel_math import clamp_int8, requantize
from torpor.compile.layers import checked_rescale
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.lut import lut
from torpor.compile.two_slopes import DTYPES, SUPPORTS, two_slopes


@operator("LEAKY_RELU", supports=SUPPORTS)
def lower(site: Site) -> Record:
    """One rescale above the zero point, another one, with alpha in it, below."""
    x = site.activation(0, *DTYPES)
    y = site.output(x.dtype)
    alpha = float(site.option("alpha"))
    if not math.isfinite(alpha):
        site.unsupported(f"alpha is {alpha:g}", y)
    above = checked_rescale(site, x.scale / y.scale)
    below = checked_rescale(site, x.scale * abs(alpha) / y.scale)
    sign = -1 if alpha < 0 else 1
    if x.dtype == "int16":
        return two_slopes(site, x, y, above, below, sign_after=sign)

    def function(code: int) -> int:
        value = code - x.zero_point
        scaled = requantize(value, above) if value >= 0 else sign * requantize(value, below)
        return clamp_int8(scaled + y.zero_point)

    return lut(site, function)
