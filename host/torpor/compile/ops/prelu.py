# SPDX-License-Identifier: Apache-2.0
"""PRELU. Formulas: micro/kernels/prelu_common.cc, reference/prelu.h."""

from torpor.compile.broadcast import binary
from torpor.compile.layers import checked_rescale
from torpor.compile.lowering import Record, Site, operator


@operator(
    "PRELU",
    supports="int8 operands, one of which may be a constant, an int8 output, broadcast",
)
def lower(site: Site) -> Record:
    """One rescale above the zero point, another one of the product with alpha below."""
    x, alpha, y = site.operand(0), site.operand(1), site.output()
    fields = {
        "a_zero_point": x.zero_point,
        "b_zero_point": alpha.zero_point,
        "y_zero_point": y.zero_point,
        "a_rescale": checked_rescale(site, x.scale / y.scale)._asdict(),
        "y_rescale": checked_rescale(site, x.scale * alpha.scale / y.scale)._asdict(),
    }
    return binary(site, x, alpha, y, fields)
