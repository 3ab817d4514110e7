# SPDX-License-Identifier: Apache-2.0
"""PAD and PADV2. Formulas: micro/kernels/pad_common.cc."""

from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Tensor

_MAX_RANK = 5


@operator("PAD", "PADV2", supports="int8 input and output, constant int32 paddings, 5 dimensions")
def lower(site: Site) -> Record:
    """Fills with the output's zero point (PAD) or with the given code (PADV2)."""
    x, y = site.activation(0), site.output()
    before, after = paddings_of(site, x)
    grown = tuple(sum(p) for p in zip(x.shape, before, after, strict=True))
    site.need(grown == y.shape, f"should have the shape {list(grown)}", y)
    lead = _MAX_RANK - len(x.shape)
    return Record(
        code="PAD_S8",
        fields={
            "dims": [1] * lead + list(x.shape),
            "before": [0] * lead + before,
            "after": [0] * lead + after,
            "value": fill_of(site, y),
        },
        tensors={"x": x.index, "y": y.index},
    )


def paddings_of(site: Site, x: Tensor) -> tuple[list[int], list[int]]:
    """Return how much is added before and after along each dimension of x."""
    table = site.constant(1, "int32")
    if len(x.shape) > _MAX_RANK:
        site.unsupported(f"more than {_MAX_RANK} dimensions", x)
    site.need(table.elements == 2 * len(x.shape), "needs two numbers a dimension", table)
    pairs = [(int(p), int(q)) for p, q in table.values().reshape(-1, 2)]
    site.need(all(p >= 0 and q >= 0 for p, q in pairs), "negative padding", table)
    return [p for p, _ in pairs], [q for _, q in pairs]


def fill_of(site: Site, y: Tensor) -> int:
    """Return the code that the padding has."""
    if not site.has_input(2):
        return y.zero_point
    value = site.constant(2, "int8")
    site.need(value.elements == 1, "must be one number", value)
    if (value.scale, value.zero_point) != (y.scale, y.zero_point):
        site.unsupported("its quantization differs from the output's", value)
    return int(value.values().reshape(-1)[0])
