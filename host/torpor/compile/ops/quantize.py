# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE from int8 to int8. Formulas: micro/kernels/quantize_common.cc, requantize.h."""

from torpor.compile.kernel_math import clamp_int8, requantize
from torpor.compile.layers import checked_rescale
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.lut import SUPPORTS, lut


@operator("QUANTIZE", supports=SUPPORTS)
def lower(site: Site) -> Record:
    """Changes scale and zero point."""
    x, y = site.activation(0), site.output()
    rescale = checked_rescale(site, x.scale / y.scale)
    return lut(
        site, lambda code: clamp_int8(requantize(code - x.zero_point, rescale) + y.zero_point)
    )
