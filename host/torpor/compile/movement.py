# SPDX-License-Identifier: Apache-2.0
"""Operators that only move codes: each element of the output is one of the input's.

They move bytes: elements of several bytes are one more dimension, the innermost.
"""

import math
from collections.abc import Sequence

from torpor.compile.lowering import Record, Site
from torpor.graph.model import Tensor

DTYPES = ("int8", "int16", "int32", "float32")
SUPPORTS = f"{', '.join(DTYPES)} input and output of one type, up to 5 dimensions"
_MAX_RANK = 5


def dense_strides(shape: Sequence[int]) -> list[int]:
    """Return the strides of a row-major tensor, in elements."""
    return [math.prod(shape[i + 1 :]) for i in range(len(shape))]


def strided_copy(
    site: Site, x: Tensor, start: int, shape: Sequence[int], strides: Sequence[int]
) -> Record:
    """Return the record of y[d0, d1, ...] = x[start + d0 * strides[0] + ...], y: `shape`."""
    y = site.output(x.dtype)
    site.need(tuple(shape) == y.shape, f"should have the shape {list(shape)}", y)
    width = x.bytes // x.elements
    dims, steps = _merged([*shape, width], [*(width * s for s in strides), 1])
    if len(dims) > _MAX_RANK:
        site.unsupported(f"more than {_MAX_RANK} dimensions that are moved apart", x)
    lead = _MAX_RANK - len(dims)
    return Record(
        code="STRIDED_COPY_S8",
        fields={
            "count": x.bytes,
            "start": start * width,
            "dims": [1] * lead + dims,
            "strides": [0] * lead + steps,
        },
        tensors={"x": x.index, "y": y.index},
    )


def _merged(shape: Sequence[int], strides: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return dimensions and strides without dimensions of 1, evenly spaced neighbours merged."""
    dims: list[int] = []
    steps: list[int] = []
    for dim, stride in zip(shape, strides, strict=True):
        if dim == 1:
            continue
        if dims and steps[-1] == dim * stride:
            dims[-1] *= dim
            steps[-1] = stride
        else:
            dims.append(dim)
            steps.append(stride)
    return dims, steps
