# SPDX-License-Identifier: Apache-2.0
"""MUL. Formulas: micro/kernels/mul_common.cc."""

from torpor.compile.broadcast import SUPPORTS, binary, operands
from torpor.compile.layers import checked_rescale, clamps, symmetric
from torpor.compile.lowering import Record, Site, operator


@operator("MUL", supports=SUPPORTS)
def lower(site: Site) -> Record:
    """The product of both differences to the zero points is rescaled at once."""
    a, b, y = operands(site)
    symmetric(site, a, b, y)
    fields = {
        **clamps(site, y),
        "a_zero_point": a.zero_point,
        "b_zero_point": b.zero_point,
        "y_zero_point": y.zero_point,
        "y_rescale": checked_rescale(site, a.scale * b.scale / y.scale)._asdict(),
    }
    return binary(site, a, b, y, fields)
