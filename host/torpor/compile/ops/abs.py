# SPDX-License-Identifier: Apache-2.0
"""ABS. Formulas: micro/kernels/elementwise.cc (AbsEvalQuantized)."""

from torpor.compile.kernel_math import clamp_int8, requantize
from torpor.compile.layers import checked_rescale
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.lut import SUPPORTS, lut


@operator("ABS", supports=SUPPORTS)
def lower(site: Site) -> Record:
    """The distance to the input's zero point, on the output's scale."""
    x, y = site.activation(0), site.output()
    rescale = checked_rescale(site, x.scale / y.scale)
    return lut(
        site, lambda code: clamp_int8(requantize(abs(code - x.zero_point), rescale) + y.zero_point)
    )
