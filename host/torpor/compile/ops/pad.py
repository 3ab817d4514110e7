# SPDX-License-Identifier: Apache-2.0
"""PAD and PADV2. Formulas: micro/kernels/pad_common.cc."""

from torpor.compile.lowering import Record, Site, operator
from torpor.compile.movement import DTYPES, SUPPORTS
from torpor.graph.model import BITS, Tensor

_MAX_RANK = 5


@operator("PAD", "PADV2", supports=f"{SUPPORTS}, constant int32 paddings")
def lower(site: Site) -> Record:
    """Fills with the output's zero point or 0 (PAD) or with the given code (PADV2)."""
    x = site.activation(0, *DTYPES)
    y = site.output(x.dtype)
    before, after = paddings_of(site, x)
    grown = tuple(sum(p) for p in zip(x.shape, before, after, strict=True))
    site.need(grown == y.shape, f"should have the shape {list(grown)}", y)
    fill = fill_of(site, y)
    lead = _MAX_RANK - len(x.shape)
    return Record(
        code="PAD_S8",
        fields={
            "dims": _in_bytes([1] * lead + list(x.shape), len(fill)),
            "before": _in_bytes([0] * lead + before, len(fill)),
            "after": _in_bytes([0] * lead + after, len(fill)),
            "value": int.from_bytes(fill * (4 // len(fill)), "little", signed=True),
        },
        tensors={"x": x.index, "y": y.index},
    )


def _in_bytes(amounts: list[int], width: int) -> list[int]:
    """Return amounts of elements of `width` bytes a dimension as such of bytes."""
    return [*amounts[:-1], amounts[-1] * width]


def paddings_of(site: Site, x: Tensor) -> tuple[list[int], list[int]]:
    """Return how much is added before and after along each dimension of x."""
    table = site.constant(1, "int32")
    if len(x.shape) > _MAX_RANK:
        site.unsupported(f"more than {_MAX_RANK} dimensions", x)
    site.need(table.elements == 2 * len(x.shape), "needs two numbers a dimension", table)
    pairs = [(int(p), int(q)) for p, q in table.values().reshape(-1, 2)]
    site.need(all(p >= 0 and q >= 0 for p, q in pairs), "negative padding", table)
    return [p for p, _ in pairs], [q for _, q in pairs]


def fill_of(site: Site, y: Tensor) -> bytes:
    """Return the bytes of one element of the padding."""
    if not site.has_input(2):
        return code_bytes(y, y.zero_point if y.dtype == "int8" else 0)
    value = site.constant(2, y.dtype)
    site.need(value.elements == 1, "must be one number", value)
    if (value.scale, value.zero_point) != (y.scale, y.zero_point):
        site.unsupported("its quantization differs from the output's", value)
    return value.values().tobytes()


def code_bytes(tensor: Tensor, code: int) -> bytes:
    """Return the bytes of one element, 0 or an integer code."""
    return code.to_bytes(BITS[tensor.dtype] // 8, "little", signed=True)
