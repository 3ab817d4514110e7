# SPDX-License-Identifier: Apache-2.0
"""ABS. Formulas: micro/kernels/elementwise.cc (AbsEvalQuantized)."""

from torpor.compile.kernel_math import clamp_int8, requantize
from torpor.compile.layers import checked_rescale, symmetric
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.lut import lut
from torpor.compile.two_slopes import DTYPES, SUPPORTS, two_slopes


@operator("ABS", supports=SUPPORTS)
def lower(site: Site) -> Record:
    """The distance to the input's zero point, on the output's scale."""
    x = site.activation(0, *DTYPES)
    y = site.output(x.dtype)
    rescale = checked_rescale(site, x.scale / y.scale)
    if x.dtype == "int16":
        symmetric(site, x, y)
        return two_slopes(site, x, y, rescale, rescale, sign_before=-1)
    return lut(
        site, lambda code: clamp_int8(requantize(abs(code - x.zero_point), rescale) + y.zero_point)
    )
