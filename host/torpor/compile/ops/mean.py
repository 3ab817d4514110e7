# SPDX-License-Identifier: Apache-2.0
"""MEAN. Formulas: micro/kernels/reduce_common.cc, kernels/internal/reference/reduce.h."""

import math

from torpor.compile.fixed_point import mean_rescale
from torpor.compile.layers import checked_rescale
from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Tensor


@operator("MEAN", supports="int8 input and output, constant int32 axes that are neighbours")
def lower(site: Site) -> Record:
    """Folds x into [outer, reduced, inner]."""
    x, y = site.activation(0), site.output()
    outer, reduced, inner = _fold(site, x)
    site.need(y.elements == outer * inner, f"has not {outer * inner} elements", y)
    rescale = mean_rescale(checked_rescale(site, x.scale / y.scale), reduced)
    if rescale.multiplier and rescale.multiplier < 1 << 29:
        site.unsupported("the output scale is too large for the input's", y)
    if reduced * 255 >= 1 << 31:
        site.unsupported(f"a mean over {reduced} elements overflows", x)
    return Record(
        code="MEAN_S8",
        fields={
            "outer": outer,
            "reduced": reduced,
            "inner": inner,
            "x_zero_point": x.zero_point,
            "y_zero_point": y.zero_point,
            "rescale": rescale._asdict(),
        },
        tensors={"x": x.index, "y": y.index},
    )


def _fold(site: Site, x: Tensor) -> tuple[int, int, int]:
    axes = [int(a) for a in site.constant(1, "int32").values().reshape(-1)]
    rank = len(x.shape)
    site.need(all(-rank <= a < rank for a in axes), "reduces an axis that is not there", x)
    reduced = {a % rank for a in axes}
    kept_inside = [
        i
        for i in range(min(reduced, default=0), max(reduced, default=0))
        if i not in reduced and x.shape[i] > 1
    ]
    wide = [i for i in reduced if x.shape[i] > 1] or sorted(reduced)[:1] or [0]
    if any(min(wide) < i < max(wide) for i in kept_inside):
        site.unsupported("the axes are no neighbours", x)
    count = math.prod(x.shape[i] for i in reduced)
    outer = math.prod(x.shape[i] for i in range(min(wide)) if i not in reduced)
    return outer, count, x.elements // count // outer
