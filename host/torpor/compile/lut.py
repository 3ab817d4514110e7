# SPDX-License-Identifier: Apache-2.0
"""Operators that are a function of one code: the compiler computes all 256 of them."""

from collections.abc import Callable

import numpy as np

from torpor.compile.fixed_point import INT8_MAX, INT8_MIN
from torpor.compile.lowering import Record, Site
from torpor.compile.weights import pack_s8

SUPPORTS = "int8 input and output"


def lut(site: Site, function: Callable[[int], int]) -> Record:
    """Return the record that applies `function`, from int8 code to int8 code, to each element."""
    x, y = site.activation(0), site.output()
    site.need(x.elements == y.elements, "input and output differ in size", y)
    table = np.array([function(code) for code in range(INT8_MIN, INT8_MAX + 1)])
    return Record(
        code="LUT_S8",
        fields={"count": x.elements},
        tensors={"x": x.index, "y": y.index},
        data={"constant": pack_s8(table)},
        note=f"{site.op.name} is looked up in a table of its 256 codes",
    )
