# SPDX-License-Identifier: Apache-2.0
"""MEAN. Formulas: micro/kernels/reduce_common.cc, kernels/internal/reference/reduce.h."""

import math

from torpor.compile.fixed_point import mean_rescale
from torpor.compile.layers import ACTIVATIONS, checked_rescale, symmetric
from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Tensor

_MAX_REDUCED = {"int8": 1 << 23, "int16": 1 << 16}  # as firmware/infer/ops/mean.c has it


@operator("MEAN", supports="int8 or int16 input and output, constant int32 axes")
def lower(site: Site) -> Record:
    """Folds x into [outer, reduced, inner]."""
    x = site.activation(0, *ACTIVATIONS)
    y = site.output(x.dtype)
    symmetric(site, x, y)
    outer, reduced, inner = _fold(site, x)
    site.need(y.elements == outer * inner, f"has not {outer * inner} elements", y)
    rescale = mean_rescale(checked_rescale(site, x.scale / y.scale), reduced)
    if rescale.multiplier and rescale.multiplier < 1 << 29:
        site.unsupported("the output scale is too large for the input's", y)
    if reduced > _MAX_REDUCED[x.dtype]:
        site.unsupported(f"a mean over {reduced} elements overflows", x)
    return Record(
        code=f"MEAN_S{x.dtype[3:]}",
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
    """Return (outer, reduced, inner); dimensions of 1 belong anywhere."""
    axes = [int(a) for a in site.constant(1, "int32").values().reshape(-1)]
    rank = len(x.shape)
    site.need(all(-rank <= a < rank for a in axes), "reduces an axis that is not there", x)
    wide = sorted({a % rank for a in axes if x.shape[a] > 1})
    if not wide:
        return x.elements, 1, 1
    between = [i for i in range(wide[0], wide[-1]) if i not in wide and x.shape[i] > 1]
    site.need(not between, "the axes are no neighbours: shape_passes.py makes them so", x)
    outer, count = math.prod(x.shape[: wide[0]]), math.prod(x.shape[i] for i in wide)
    return outer, count, x.elements // count // outer
