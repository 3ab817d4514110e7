# SPDX-License-Identifier: Apache-2.0
"""CONCATENATION. Source: micro/kernels/concatenation.cc."""

import math
from collections.abc import Sequence

from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Tensor

_DTYPES = ("int8", "int16", "int32", "float32", "bool")
_MAX_OPERANDS = 10
_MAX_RANK = 6


@operator(
    "CONCATENATION",
    supports=f"up to {_MAX_OPERANDS} operands, constants among them, of the output's type "
    f"({', '.join(_DTYPES)}) and, where int8, quantization",
)
def lower(site: Site) -> Record:
    """Joins the operands' rows: all dimensions before the axis are rows, the others one run."""
    y = site.output(*_DTYPES)
    if len(site.op.inputs) > _MAX_OPERANDS:
        site.unsupported(
            f"TensorFlow Lite Micro refuses more than {_MAX_OPERANDS} operands; join them in "
            "two steps",
            y,
        )
    if site.fused_activation() != "NONE":
        site.unsupported("TensorFlow Lite Micro refuses a fused activation", y)
    operands = [site.operand(i, *_DTYPES) for i in range(len(site.op.inputs))]
    axis = _axis(site, operands, y)
    for operand in operands:
        _check_codes(site, operand, y)
    outer = math.prod(y.shape[:axis])
    constants = [t for t in operands if t.data is not None]
    if len(constants) == len(operands):
        site.unsupported("all operands are constants: the converter should have folded them", y)
    return Record(
        code="CONCATENATION",
        fields={
            "n": len(operands),
            "constants": sum(1 << i for i, t in enumerate(operands) if t.data is not None),
            "outer": outer,
            "inner": [t.bytes // outer for t in operands],
        },
        tensors={"x": tuple(t.index for t in operands if t.data is None), "y": y.index},
        data={"constant": b"".join(t.data or b"" for t in constants)} if constants else {},
    )


def _axis(site: Site, operands: Sequence[Tensor], y: Tensor) -> int:
    """Return the axis from the front; the shapes are checked."""
    axis, rank = int(site.option("axis")), len(y.shape)
    if rank > _MAX_RANK:
        site.unsupported(f"TensorFlow Lite Micro refuses more than {_MAX_RANK} dimensions", y)
    site.need(-rank <= axis < rank, f"there is no axis {axis}", y)
    axis %= rank
    for operand in operands:
        alike = [*operand.shape[:axis], y.shape[axis], *operand.shape[axis + 1 :]]
        site.need(
            len(operand.shape) == rank and tuple(alike) == y.shape,
            f"its shape does not fit the output's, {list(y.shape)}, along axis {axis}",
            operand,
        )
    joined = sum(t.shape[axis] for t in operands)
    site.need(joined == y.shape[axis], f"should have {joined} elements along axis {axis}", y)
    return axis


def _check_codes(site: Site, operand: Tensor, y: Tensor) -> None:
    """Check that no operand would have to be rescaled, as TFLM does."""
    site.need(operand.dtype == y.dtype, f"is not of the output's type, {y.dtype}", operand)
    if y.dtype == "int8" and (operand.scale, operand.zero_point) != (y.scale, y.zero_point):
        site.unsupported(
            "TensorFlow Lite Micro refuses an operand whose scale or zero point is not the "
            "output's; put a QUANTIZE before it",
            operand,
        )
