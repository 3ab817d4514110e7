# SPDX-License-Identifier: Apache-2.0
"""int16 functions of one code with two slopes and a clamp: one record for several operators."""

from collections.abc import Mapping
from typing import Any

from torpor.compile.fixed_point import Rescale, code_range
from torpor.compile.lowering import Record, Site
from torpor.graph.model import Tensor

SUPPORTS = "int8 or int16 input and output of one type"

DTYPES = ("int8", "int16")

ONE = Rescale(1 << 30, 1)
"""A factor of exactly 1."""


def two_slopes(
    site: Site, x: Tensor, y: Tensor, above: Rescale, below: Rescale, **fields: int
) -> Record:
    """Return the record of y = above * x where x is at least its zero point, else below * x.

    Args:
        fields: members that are not as usual: act_min, act_max, zero points, signs.
    """
    site.need(x.elements == y.elements, "input and output differ in size", y)
    lowest, highest = code_range("int16")
    usual: Mapping[str, Any] = {
        "count": x.elements,
        "x_zero_point": x.zero_point,
        "y_zero_point": y.zero_point,
        "act_min": lowest,
        "act_max": highest,
        "above": above._asdict(),
        "below": below._asdict(),
        "sign_before": 1,
        "sign_after": 1,
    }
    return Record(
        code="LEAKY_RELU_S16", fields={**usual, **fields}, tensors={"x": x.index, "y": y.index}
    )
