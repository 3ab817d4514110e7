# SPDX-License-Identifier: Apache-2.0
"""Operators that are a function of one code: the compiler computes all 256 of them."""

from collections.abc import Callable

import numpy as np

from torpor.compile.fixed_point import INT8_MAX, INT8_MIN
from torpor.compile.lowering import Record, Site
from torpor.compile.weights import pack_s8

SUPPORTS = "int8 input and output"


def lut(
    site: Site, function: Callable[[int], int], x_dtype: str = "int8", y_dtype: str = "int8"
) -> Record:
    """Return the record that applies `function`, from code to code, to each element.

    The kernel sees int8 bytes; those of uint8 codes are taken for what they are.
    """
    x, y = site.activation(0, x_dtype), site.output(y_dtype)
    site.need(x.elements == y.elements, "input and output differ in size", y)
    codes = np.arange(INT8_MIN, INT8_MAX + 1).astype(np.int8).view(x_dtype)
    return Record(
        code="LUT_S8",
        fields={"count": x.elements},
        tensors={"x": x.index, "y": y.index},
        data={"constant": pack_s8(np.array([function(int(code)) for code in codes]))},
        note=f"{site.op.name} is looked up in a table of its 256 codes",
    )
