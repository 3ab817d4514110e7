# SPDX-License-Identifier: Apache-2.0
"""STRIDED_SLICE. Source: micro/kernels/strided_slice_common.cc, internal/strided_slice_logic.h."""

from torpor.compile.lowering import Record, Site, operator
from torpor.compile.movement import DTYPES, SUPPORTS, dense_strides, strided_copy

_MAX_RANK = 4


@operator("STRIDED_SLICE", supports=f"{SUPPORTS}, constant bounds, no ellipsis and no new axis")
def lower(site: Site) -> Record:
    """Each dimension from begin on, before end, every stride-th, or just one and no dimension."""
    x = site.activation(0, *DTYPES, "bool")
    y = site.output(x.dtype)
    if len(x.shape) > _MAX_RANK:
        site.unsupported(f"TensorFlow Lite Micro refuses more than {_MAX_RANK} dimensions", x)
    for name in ("ellipsis_mask", "new_axis_mask", "offset"):
        if site.option(name):
            site.unsupported(f"{name} is not supported", y)
    bounds = [[int(v) for v in site.constant(i, "int32").values().reshape(-1)] for i in (1, 2, 3)]
    site.need(all(len(b) == len(x.shape) for b in bounds), "needs bounds of each dimension", x)
    site.need(0 not in bounds[2], "a stride of 0", x)
    start, shape, strides = 0, [], []
    for axis, step in enumerate(dense_strides(x.shape)):
        taken = _taken(site, axis, x.shape[axis], [b[axis] for b in bounds])
        site.need(len(taken) > 0, f"takes nothing of dimension {axis}", x)
        start += taken[0] * step
        if not site.option("shrink_axis_mask") >> axis & 1:
            shape.append(len(taken))
            strides.append(step * taken.step)
    return strided_copy(site, x, start, shape, strides)


def _taken(site: Site, axis: int, size: int, bounds: list[int]) -> range:
    """Return the indices that are taken of dimension `axis`, which has `size` elements."""
    begin, end, stride = bounds
    lowest, highest = (0, size) if stride > 0 else (-1, size - 1)
    first, last = (lowest, highest) if stride > 0 else (highest, lowest)

    def clamped(bound: int) -> int:
        return min(max(bound + size if bound < 0 else bound, lowest), highest)

    start = first if site.option("begin_mask") >> axis & 1 else clamped(begin)
    if site.option("shrink_axis_mask") >> axis & 1:
        return range(start, start + 1) if 0 <= start < size else range(0)
    return range(start, last if site.option("end_mask") >> axis & 1 else clamped(end), stride)
