# SPDX-License-Identifier: Apache-2.0
"""SPLIT and SPLIT_V, one part each. Sources: micro/kernels/split.cc, split_v.cc."""

from torpor.compile.lowering import Record, Site, operator
from torpor.compile.movement import DTYPES, SUPPORTS, dense_strides, strided_copy
from torpor.graph.model import Tensor


@operator("SPLIT", supports=f"{SUPPORTS}, a constant axis")
def lower_split(site: Site) -> Record:
    """All parts have the same size."""
    x, axis = site.activation(1, *DTYPES), _axis(site, 0, site.activation(1, *DTYPES))
    parts = len(site.option("outputs"))
    site.need(x.shape[axis] % parts == 0, f"{parts} equal parts do not fit", x)
    return _part(site, x, axis, [x.shape[axis] // parts] * parts)


@operator("SPLIT_V", supports=f"{SUPPORTS}, constant sizes and axis")
def lower_split_v(site: Site) -> Record:
    """Each part has its own size."""
    x, axis = site.activation(0, *DTYPES), _axis(site, 2, site.activation(0, *DTYPES))
    sizes = [int(v) for v in site.constant(1, "int32").values().reshape(-1)]
    if -1 in sizes:
        site.unsupported("TensorFlow Lite Micro does not know sizes of -1", x)
    fitting = len(sizes) == len(site.option("outputs")) and sum(sizes) == x.shape[axis]
    site.need(fitting and min(sizes) > 0, "the parts are not the whole", x)
    return _part(site, x, axis, sizes)


def _axis(site: Site, position: int, x: Tensor) -> int:
    table = site.constant(position, "int32")
    site.need(table.elements == 1, "must be one number", table)
    axis, rank = int(table.values().reshape(-1)[0]), len(x.shape)
    site.need(-rank <= axis < rank, "splits a dimension that is not there", x)
    return axis % rank


def _part(site: Site, x: Tensor, axis: int, sizes: list[int]) -> Record:
    part = site.option("part")
    strides = dense_strides(x.shape)
    shape = [*x.shape[:axis], sizes[part], *x.shape[axis + 1 :]]
    return strided_copy(site, x, sum(sizes[:part]) * strides[axis], shape, strides)
