# SPDX-License-Identifier: Apache-2.0
"""RESHAPE, SQUEEZE and EXPAND_DIMS where no pass could drop them: a copy."""

from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Graph, Op

RESHAPED = ("int8", "uint8", "int16", "int32", "float32", "bool")
EXPANDED = ("int8", "int16", "float32")
"""What TensorFlow Lite Micro knows of EXPAND_DIMS."""


@operator("RESHAPE", "SQUEEZE", supports=f"{', '.join(RESHAPED)} input and output of equal size")
def lower(site: Site) -> Record:
    """Copies the bytes. Source: micro/kernels/reshape.cc."""
    return _copy(site, RESHAPED)


@operator("EXPAND_DIMS", supports=f"{', '.join(EXPANDED)} input and output of equal size")
def lower_expand_dims(site: Site) -> Record:
    """Copies the bytes. Source: micro/kernels/expand_dims.cc."""
    return _copy(site, EXPANDED)


def _copy(site: Site, dtypes: tuple[str, ...]) -> Record:
    x = site.activation(0, *dtypes)
    y = site.output(x.dtype)
    site.need(shapes_fit(site.graph, site.op), "input and output do not fit in shape", y)
    return Record(
        code="COPY",
        fields={"bytes": x.bytes},
        tensors={"x": x.index, "y": y.index},
        note="an input of the model is also an output: its bytes are copied",
    )


def shapes_fit(graph: Graph, op: Op) -> bool:
    """Tell whether TFLM takes the shapes of a RESHAPE, SQUEEZE or EXPAND_DIMS.

    Sources: micro/kernels/reshape_common.cc, squeeze.cc and expand_dims.cc as the PyPI
    interpreter, our golden one, has them. The new shape of RESHAPE is not looked at.
    """
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if x.elements != y.elements:
        return False
    if op.name == "SQUEEZE":
        return _squeezes(x.shape, y.shape, tuple(op.options.get("squeeze_dims", ())))
    return op.name != "EXPAND_DIMS" or _expands(graph, op)


def _squeezes(x: tuple[int, ...], y: tuple[int, ...], dims: tuple[int, ...]) -> bool:
    """Tell whether y has room for what is left of x without `dims`, or without all of 1."""
    rank = len(x)
    if any(not -rank <= d < rank or x[d] != 1 for d in dims):
        return False
    dropped = {d % rank for d in dims} if dims else {i for i, n in enumerate(x) if n == 1}
    kept = [n for i, n in enumerate(x) if i not in dropped]
    return len(kept) <= len(y) and all(m >= n for m, n in zip(y, kept, strict=False))


def _expands(graph: Graph, op: Op) -> bool:
    """Tell whether y is x with a dimension of 1 at the constant axis."""
    x, y = graph.tensors[op.inputs[0]].shape, graph.tensors[op.outputs[0]].shape
    axis = graph.tensors[op.inputs[1]] if len(op.inputs) == 2 and op.inputs[1] >= 0 else None
    if axis is None or axis.dtype != "int32" or axis.data is None or not axis.elements:
        return False
    at = int(axis.values().reshape(-1)[0])
    at += len(x) + 1 if at < 0 else 0
    return 0 <= at <= len(x) and y == (*x[:at], 1, *x[at:])
