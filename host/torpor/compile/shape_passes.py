# SPDX-License-Identifier: Apache-2.0
"""Passes about shapes: those that are computed though they are known, and axes apart."""

from dataclasses import replace
from itertools import groupby

import numpy as np

from torpor.compile.ops.reshape import shapes_fit
from torpor.graph.model import Graph, Op, Tensor

VIEWS = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators that only change the shape."""

_SHAPE_INPUTS = {"RESHAPE": 1, "TRANSPOSE_CONV": 0}
"""The input that says which shape the output has, though the output tensor has one."""

_ARITHMETIC = ("SHAPE", "STRIDED_SLICE", "SLICE", "PACK", "CONCATENATION")
"""What converters compute shapes with, from a batch that was free then."""


def ignore_shapes(graph: Graph) -> tuple[Graph, list[str]]:
    """Let nobody read computed shapes.

    Exact because TFLM does not look at them either: each output tensor has its shape in the file.
    """
    ops, reasons = [], []
    for op in graph.ops:
        position = _SHAPE_INPUTS.get(op.name, len(op.inputs))
        if position < len(op.inputs) and _is_computed_shape(graph, op.inputs[position]):
            inputs = (*op.inputs[:position], -1, *op.inputs[position + 1 :])
            ops.append(replace(op, inputs=inputs))
            reasons.append(f"operator {op.index} ({op.name}): its output's shape is known")
        else:
            ops.append(op)
    return graph.with_ops(ops), reasons


def _is_computed_shape(graph: Graph, tensor: int) -> bool:
    """Tell whether `tensor` is no constant and only operators for shapes have made it."""
    if tensor < 0 or graph.tensors[tensor].data is not None:
        return False
    makers = [graph.producer(tensor)]
    while makers:
        maker = makers.pop()
        if maker is None or maker.name == "SHAPE":
            continue
        if maker.name not in _ARITHMETIC:
            return False
        makers += [graph.producer(t) for t in maker.inputs]
    return True


def fold_views(graph: Graph) -> tuple[Graph, list[str]]:
    """Give a constant that is only seen in another shape that shape."""
    tensors, kept, reasons = list(graph.tensors), [], []
    for op in graph.ops:
        data = tensors[op.inputs[0]].data if _is_sound_view(graph, op) else None
        if data is not None:
            y = op.outputs[0]
            tensors[y] = replace(tensors[y], data=data)
            reasons.append(f"operator {op.index} ({op.name}) dropped: a constant in another shape")
        else:
            kept.append(op)
    return replace(graph, tensors=tuple(tensors), ops=tuple(kept)), reasons


def _is_sound_view(graph: Graph, op: Op) -> bool:
    if op.name not in VIEWS or min(op.inputs, default=-1) < 0 or len(op.outputs) != 1:
        return False
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    return x.dtype == y.dtype and shapes_fit(graph, op)


def group_axes(graph: Graph) -> tuple[Graph, list[str]]:
    """Put a TRANSPOSE before each MEAN over axes that are no neighbours, so that they become so.

    Exact because a sum of integers does not depend on the order.
    """
    reasons = []
    for op in [o for o in graph.ops if o.name == "MEAN"]:
        groups = _groups(graph, op)
        if sum(reduced for _, reduced in groups) > 1:
            graph = _grouped(graph, op, groups)
            reasons.append(f"operator {op.index} (MEAN): its axes are moved together first")
    return graph, reasons


def _groups(graph: Graph, op: Op) -> list[tuple[int, bool]]:
    """Return (elements, are they reduced?) of neighbouring dimensions, those of 1 left out."""
    if len(op.inputs) != 2 or min(op.inputs) < 0 or graph.tensors[op.inputs[1]].data is None:
        return []
    x, axes = (graph.tensors[t] for t in op.inputs)
    rank = len(x.shape)
    reduced = {int(a) % max(1, rank) for a in axes.values().reshape(-1)}
    wide = [(n, i in reduced) for i, n in enumerate(x.shape) if n > 1]
    return [
        (int(np.prod([n for n, _ in group])), kind)
        for kind, group in groupby(wide, key=lambda item: item[1])
    ]


def _grouped(graph: Graph, op: Op, groups: list[tuple[int, bool]]) -> Graph:
    """Return the graph with x seen as `groups`, transposed, and reduced along the last ones."""
    x, first = graph.tensors[op.inputs[0]], len(graph.tensors)
    order = sorted(range(len(groups)), key=lambda i: groups[i][1])
    shape = tuple(n for n, _ in groups)
    last = [i for i, k in enumerate(order) if groups[k][1]]
    seen = replace(x, index=first, shape=shape)
    moved = replace(
        x, index=first + 1, shape=tuple(shape[k] for k in order), name=f"{x.name} moved"
    )
    constants = [_int32(first + 2, order), _int32(first + 3, last)]
    pair = [
        replace(op, name="TRANSPOSE", inputs=(first, first + 2), outputs=(first + 1,), options={}),
        replace(op, inputs=(first + 1, first + 3)),
    ]
    ops = [new for o in graph.ops for new in (pair if o is op else [o])]
    wider = replace(graph, tensors=(*graph.tensors, seen, moved, *constants))
    return wider.with_ops(ops, {first: x.index})


def _int32(index: int, values: list[int]) -> Tensor:
    data = np.array(values, "<i4").tobytes()
    return Tensor(index, "", (len(values),), "int32", data=data)
