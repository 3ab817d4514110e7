# SPDX-License-Identifier: Apache-2.0
"""MAXIMUM and MINIMUM. Source: micro/kernels/maximum_minimum.cc."""

from torpor.compile.broadcast import SUPPORTS, binary, operands
from torpor.compile.lowering import Record, Site, operator


@operator("MAXIMUM", "MINIMUM", supports=SUPPORTS)
def lower(site: Site) -> Record:
    """Compares codes; scales and zero points are not looked at."""
    a, b, y = operands(site)
    return binary(site, a, b, y, {})
