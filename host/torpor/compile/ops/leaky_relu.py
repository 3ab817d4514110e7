# SPDX-License-Identifier: Apache-2.0
"""LEAKY_RELU. Formulas: micro/kernels/leaky_relu_common.cc, reference/leaky_relu.h."""

from torpor.compile.kernel_math import clamp_int8, requantize
from torpor.compile.layers import checked_rescale
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.lut import SUPPORTS, lut


@operator("LEAKY_RELU", supports=f"{SUPPORTS}, alpha not negative")
def lower(site: Site) -> Record:
    """One rescale above the zero point, another one, with alpha in it, below."""
    x, y = site.activation(0), site.output()
    alpha = float(site.option("alpha"))
    if not alpha >= 0:
        site.unsupported(f"alpha is {alpha:g}", y)
    above = checked_rescale(site, x.scale / y.scale)
    below = checked_rescale(site, x.scale * alpha / y.scale)

    def function(code: int) -> int:
        value = code - x.zero_point
        return clamp_int8(requantize(value, above if value >= 0 else below) + y.zero_point)

    return lut(site, function)
