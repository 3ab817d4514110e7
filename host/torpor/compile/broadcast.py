# SPDX-License-Identifier: Apache-2.0
"""What operators of two operands have in common: broadcasting, and constant operands."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torpor.compile.fixed_point import code_range
from torpor.compile.lowering import Record, Site
from torpor.graph.model import BITS, Tensor
from torpor.plan.layout import CONST

SUPPORTS = (
    "int8 or int16 operands, one of which may be a constant, an output of their type, broadcast"
)


def operands(site: Site) -> tuple[Tensor, Tensor, Tensor]:
    """Return both operands and the output, all of one type, int8 or int16."""
    a = site.operand(0, "int8", "int16")
    return a, site.operand(1, a.dtype), site.output(a.dtype)


def binary(site: Site, a: Tensor, b: Tensor, y: Tensor, fields: Mapping[str, Any]) -> Record:
    """Return the record of y = a (op) b, its code named after the operator.

    Args:
        fields: members beside the shapes; bounds that are not given let every code through.
    """
    if a.data is not None and b.data is not None:
        site.unsupported("both operands are constants: the converter should have folded them", y)
    dims, a_strides, b_strides = broadcast(site, a, b, y)
    tensors, data, flags = {}, {}, 0
    for member, tensor in (("a", a), ("b", b)):
        if tensor.data is None:
            tensors[member] = tensor.index
        else:
            data["constant"] = tensor.values().tobytes()
            flags |= CONST[f"PLAN_OP_CONST_{member.upper()}"]
    lowest, highest = code_range(y.dtype)
    shape = {"dims": dims, "a_strides": a_strides, "b_strides": b_strides}
    return Record(
        code=f"{site.op.name}_S{BITS[y.dtype]}",
        fields={"act_min": lowest, "act_max": highest, **shape, **fields},
        tensors={**tensors, "y": y.index},
        data=data,
        flags=flags,
    )


def broadcast(
    site: Site, a: Tensor, b: Tensor, y: Tensor
) -> tuple[list[int], list[int], list[int]]:
    """Return four dimensions and both inputs' strides, neighbours that repeat alike merged."""
    rank = max(len(a.shape), len(b.shape))
    shapes = [(1,) * (rank - len(t.shape)) + t.shape for t in (a, b)]
    out = tuple(max(p) for p in zip(*shapes, strict=True))
    if any(d not in (1, n) for s in shapes for d, n in zip(s, out, strict=True)):
        site.broken(f"shapes {list(a.shape)} and {list(b.shape)} do not fit together")
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
