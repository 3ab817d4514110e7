# SPDX-License-Identifier: Apache-2.0
"""RESIZE_NEAREST_NEIGHBOR. Formulas: reference/resize_nearest_neighbor.h (GetNearestNeighbor)."""

import math

import numpy as np

from torpor.compile.fixed_point import round_half_away
from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import BITS

_DTYPES = ("int8", "int16", "float32")
_MAX_SIZE = (1 << 16) - 1


@operator(
    "RESIZE_NEAREST_NEIGHBOR",
    supports="int8, int16 or float32 input and output [batches, h, w, channels], a constant size, "
    "align_corners and half_pixel_centers",
)
def lower(site: Site) -> Record:
    """Finds for each row and column of y the one of x that it is made of; codes are copied."""
    x, y = site.activation(0, *_DTYPES), site.output(*_DTYPES)
    size = [int(n) for n in site.constant(1, "int32").values().reshape(-1)]
    site.need(len(x.shape) == 4, "must have 4 dimensions", x)
    site.need(len(size) == 2, "the size must be two numbers")
    wanted = (x.shape[0], *size, x.shape[3])
    site.need(y.shape == wanted, f"should have the shape {list(wanted)}", y)
    site.need(x.dtype == y.dtype, "input and output differ in type", y)
    if max(*x.shape[1:3], *size) > _MAX_SIZE:
        site.unsupported(f"more than {_MAX_SIZE} rows or columns", y)
    corners, centers = (bool(site.option(n)) for n in ("align_corners", "half_pixel_centers"))
    table = [
        nearest(i, x.shape[axis], y.shape[axis], corners=corners, centers=centers)
        for axis in (1, 2)
        for i in range(y.shape[axis])
    ]
    return Record(
        code="RESIZE_NEAREST_NEIGHBOR",
        fields={
            "batches": x.shape[0],
            "pixel": x.shape[3] * BITS[x.dtype] // 8,
            "in_h": x.shape[1],
            "in_w": x.shape[2],
            "out_h": y.shape[1],
            "out_w": y.shape[2],
        },
        tensors={"x": x.index, "y": y.index},
        data={"constant": np.array(table, "<u2").tobytes()},
    )


def nearest(index: int, in_size: int, out_size: int, *, corners: bool, centers: bool) -> int:
    """Return which of `in_size` elements element `index` of `out_size` is made of.

    Every step is rounded to float32, as TFLM does it.

    Args:
        corners: the first and the last elements of both lie on each other.
        centers: elements are where their centers are.
    """
    gaps = 1 if corners and out_size > 1 else 0
    scale = np.float32(in_size - gaps) / np.float32(out_size - gaps)
    at = float((np.float32(index) + np.float32(0.5 if centers else 0)) * scale)
    return min(round_half_away(at) if corners else math.floor(at), in_size - 1)
