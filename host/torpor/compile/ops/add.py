# SPDX-License-Identifier: Apache-2.0
"""ADD with broadcasting. Formulas: micro/kernels/add_common.cc."""

import math
from itertools import pairwise

from torpor.compile.fixed_point import quantize_multiplier
from torpor.compile.layers import clamps
from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Tensor

_LEFT_SHIFT = 20


@operator("ADD", supports="two int8 activations (no constants) and an int8 output, broadcast")
def lower(site: Site) -> Record:
    """Both inputs are brought to twice the larger scale, shifted left, added, rescaled."""
    a, b, y = site.activation(0), site.activation(1), site.output()
    dims, a_strides, b_strides = _broadcast(site, a, b, y)
    twice = 2 * max(a.scale, b.scale)
    y_real = twice / ((1 << _LEFT_SHIFT) * y.scale)
    if y_real >= 1:
        site.unsupported("the output scale is too small for the inputs'", y)
    return Record(
        code="ADD_S8",
        fields={
            **clamps(site, y),
            "left_shift": _LEFT_SHIFT,
            "dims": dims,
            "a_strides": a_strides,
            "b_strides": b_strides,
            "a_zero_point": a.zero_point,
            "b_zero_point": b.zero_point,
            "y_zero_point": y.zero_point,
            "a_rescale": quantize_multiplier(a.scale / twice)._asdict(),
            "b_rescale": quantize_multiplier(b.scale / twice)._asdict(),
            "y_rescale": quantize_multiplier(y_real)._asdict(),
        },
        tensors={"a": a.index, "b": b.index, "y": y.index},
    )


def _broadcast(
    site: Site, a: Tensor, b: Tensor, y: Tensor
) -> tuple[list[int], list[int], list[int]]:
    """Return four dimensions and both inputs' strides, neighbours that repeat alike merged."""
    rank = max(len(a.shape), len(b.shape))
    shapes = [(1,) * (rank - len(t.shape)) + t.shape for t in (a, b)]
    out = tuple(max(p) for p in zip(*shapes, strict=True))
    if any(d not in (1, n) for s in shapes for d, n in zip(s, out, strict=True)):
        site.broken(f"shapes {list(a.shape)} and {list(b.shape)} cannot be added")
    site.need(y.elements == math.prod(out), f"should have the shape {list(out)}", y)
    wide = [i for i in range(rank) if out[i] > 1]
    repeats = [tuple(s[i] == 1 for s in shapes) for i in wide]
    starts = [0] + [k for k, (p, q) in enumerate(pairwise(repeats), 1) if p != q]
    groups = [wide[s:e] for s, e in zip(starts, [*starts[1:], len(wide)], strict=True)]
    if len(groups) > 4:
        site.unsupported("repeats along more than 4 groups of dimensions", y)
    dims = [math.prod(out[i] for i in g) for g in groups]
    strides = [_strides([math.prod(s[i] for i in g) for g in groups]) for s in shapes]
    lead = 4 - len(dims)
    return [1] * lead + dims, [0] * lead + strides[0], [0] * lead + strides[1]


def _strides(dims: list[int]) -> list[int]:
    steps = [math.prod(dims[i + 1 :]) for i in range(len(dims))]
    return [0 if d == 1 else s for d, s in zip(dims, steps, strict=True)]
