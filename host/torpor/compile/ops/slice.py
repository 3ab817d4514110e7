# SPDX-License-Identifier: Apache-2.0
"""SLICE. Source: micro/kernels/slice.cc."""

from torpor.compile.lowering import Record, Site, operator
from torpor.compile.movement import DTYPES, SUPPORTS, dense_strides, strided_copy


@operator("SLICE", supports=f"{SUPPORTS}, constant begin and size")
def lower(site: Site) -> Record:
    """Takes `size` elements from `begin` on along each dimension; -1 takes the rest."""
    x = site.activation(0, *DTYPES, "bool")
    begin, size = (
        [int(v) for v in site.constant(i, "int32", "int64").values().reshape(-1)] for i in (1, 2)
    )
    if len(x.shape) > 5:
        site.unsupported("TensorFlow Lite Micro refuses more than 5 dimensions", x)
    site.need(len(begin) == len(size) == len(x.shape), "needs begin and size a dimension", x)
    shape = [n - b if s == -1 else s for n, b, s in zip(x.shape, begin, size, strict=True)]
    inside = all(
        b >= 0 and s > 0 and b + s <= n for n, b, s in zip(x.shape, begin, shape, strict=True)
    )
    site.need(inside, "takes what is not there", x)
    strides = dense_strides(x.shape)
    start = sum(b * s for b, s in zip(begin, strides, strict=True))
    return strided_copy(site, x, start, shape, strides)
