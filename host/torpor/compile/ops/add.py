# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB. Formulas: micro/kernels/add_common.cc, sub_common.cc.

The TFLM sources of August 2026 compute SUB's ratios of scales in float; the PyPI interpreter, our
golden one, does so in double for both.
"""

from torpor.compile.broadcast import SUPPORTS, binary, operands
from torpor.compile.fixed_point import quantize_multiplier
from torpor.compile.layers import clamps
from torpor.compile.lowering import Record, Site, operator

_LEFT_SHIFTS = {"int8": 20, "int16": 15}


@operator("ADD", "SUB", supports=SUPPORTS)
def lower(site: Site) -> Record:
    """Both inputs are brought to twice the larger scale, shifted left, added, rescaled."""
    a, b, y = operands(site)
    left_shift = _LEFT_SHIFTS[y.dtype]
    twice = 2 * max(a.scale, b.scale)
    y_real = twice / ((1 << left_shift) * y.scale)
    if y_real >= 1:
        site.unsupported("the output scale is too small for the inputs'", y)
    fields = {
        **clamps(site, y),
        "left_shift": left_shift,
        "a_zero_point": a.zero_point,
        "b_zero_point": b.zero_point,
        "y_zero_point": y.zero_point,
        "a_rescale": quantize_multiplier(a.scale / twice)._asdict(),
        "b_rescale": quantize_multiplier(b.scale / twice)._asdict(),
        "y_rescale": quantize_multiplier(y_real)._asdict(),
    }
    return binary(site, a, b, y, fields)
