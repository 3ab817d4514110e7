# SPDX-License-Identifier: Apache-2.0
"""Passes: plain functions from graph to graph. Each is exact (same output bytes) or does nothing.

A pass returns the new graph and its reasons, one line for each change it made or declined.
"""

from collections.abc import Callable
from dataclasses import replace

from torpor.compile.fixed_point import activation_range
from torpor.compile.lowering import Record, lower_op, site_of
from torpor.compile.movement import DTYPES
from torpor.compile.ops.pad import code_bytes, fill_of, paddings_of
from torpor.compile.ops.relu import relu_bounds
from torpor.compile.ops.reshape import EXPANDED, shapes_fit
from torpor.compile.shape_passes import VIEWS, fold_views, group_axes, ignore_shapes
from torpor.compile.variables import resolve_variables, share_states
from torpor.graph.model import Graph, Op, Tensor

Reasons = list[str]
Pass = Callable[[Graph], tuple[Graph, Reasons]]

_SLICES = ("SLICE", "SPLIT", "SPLIT_V", "STRIDED_SLICE")
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
_CLAMPING = (*_CONVOLUTIONS, "TRANSPOSE_CONV", "FULLY_CONNECTED", "ADD", "SUB", "MUL", *_POOLS)


def _label(op: Op) -> str:
    return f"operator {op.index} ({op.name})"


def drop_dead(graph: Graph) -> tuple[Graph, Reasons]:
    """Drop what nobody reads: operators by their outputs, assignments by their states.

    Operators that write a variable of their own stay.
    """
    needed = {graph.root(t) for t in graph.outputs}
    needed |= {t for op in graph.ops if op.name == "READ_VARIABLE" for t in op.inputs}
    kept: list[Op] = []
    reasons = []
    for op in reversed(graph.ops):
        written = (*op.outputs, op.options.get("state", -1))
        if needed.isdisjoint(written) and not _writes_variable(graph, op):
            reasons.append(f"{_label(op)} dropped: nothing reads its output")
        else:
            kept.insert(0, op)
            needed |= {graph.root(t) for t in op.inputs if t >= 0}
    return graph.with_ops(kept), reasons


def _writes_variable(graph: Graph, op: Op) -> bool:
    lasting = any(t >= 0 and graph.tensors[t].is_variable for t in op.inputs)
    return lasting and op.name != "READ_VARIABLE"


def part_splits(graph: Graph) -> tuple[Graph, Reasons]:
    """Make of each SPLIT or SPLIT_V one operator a part, since a record writes one tensor.

    Exact because the parts do not depend on each other; those that nobody reads are left out.
    """
    read = {graph.root(t) for t in graph.outputs} | {t for op in graph.ops for t in op.inputs}
    ops: list[Op] = []
    reasons = []
    for op in graph.ops:
        if op.name not in ("SPLIT", "SPLIT_V"):
            ops.append(op)
            continue
        parts = [k for k, t in enumerate(op.outputs) if t in read]
        shared = {**op.options, "outputs": op.outputs}
        ops += [replace(op, outputs=(op.outputs[k],), options={**shared, "part": k}) for k in parts]
        reasons.append(f"{_label(op)} made into {len(parts)} operators, one a part")
    return graph.with_ops(ops), reasons


def drop_views(graph: Graph) -> tuple[Graph, Reasons]:
    """Drop operators that only change the shape: their output shares the input's bytes."""
    kept: list[Op] = []
    views: dict[int, int] = {}
    reasons = []
    for op in graph.ops:
        if op.name not in VIEWS or not _is_view(graph, op):
            kept.append(op)
        elif graph.root(views.get(op.inputs[0], op.inputs[0])) in graph.inputs and (
            op.outputs[0] in graph.outputs
        ):
            kept.append(op)
            reasons.append(f"{_label(op)} kept as a copy: an input is also an output")
        else:
            views[op.outputs[0]] = views.get(op.inputs[0], op.inputs[0])
            reasons.append(f"{_label(op)} dropped: same bytes, another shape")
    return graph.with_ops(kept, views), reasons


def _is_view(graph: Graph, op: Op) -> bool:
    if not op.inputs or op.inputs[0] < 0 or len(op.outputs) != 1:
        return False
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if op.name == "EXPAND_DIMS" and x.dtype not in EXPANDED:
        return False
    plain = x.data is None and not x.is_variable and not y.is_variable
    return plain and x.dtype == y.dtype and shapes_fit(graph, op)


def fuse_pad(graph: Graph) -> tuple[Graph, Reasons]:
    """Fuse a PAD by the zero point into the one convolution that reads it.

    Exact because a padded tap contributes (zero point - zero point) * weight = 0, as if left out.
    """
    return _fuse(graph, ("PAD", "PADV2"), _fuse_one_pad)


def fuse_activation(graph: Graph) -> tuple[Graph, Reasons]:
    """Fuse a RELU or RELU6 into the operator before it.

    Exact because with equal quantization it is a clamp of codes, and two clamps are one.
    """
    return _fuse(graph, ("RELU", "RELU6"), _fuse_one_activation)


def _fuse(
    graph: Graph, names: tuple[str, ...], fuse_one: Callable[[Graph, Op], Graph | str]
) -> tuple[Graph, Reasons]:
    reasons = []
    for op in [o for o in graph.ops if o.name in names]:
        done = fuse_one(graph, op)
        if isinstance(done, str):
            reasons.append(f"{_label(op)} kept: {done}")
        else:
            graph = done
            reasons.append(f"{_label(op)} fused into its neighbour")
    return graph, reasons


def _is_private(graph: Graph, tensor: int) -> bool:
    """Tell whether just one operator reads `tensor`, and nobody else."""
    shared = tensor in graph.outputs or tensor in graph.views or tensor in graph.views.values()
    return not shared and sum(op.inputs.count(tensor) for op in graph.ops) == 1


def _same_codes(a: Tensor, b: Tensor) -> bool:
    return (a.dtype, a.scales, a.zero_points) == (b.dtype, b.scales, b.zero_points)


def _fuse_one_pad(graph: Graph, pad: Op) -> Graph | str:
    site = site_of(graph, pad)
    x = site.activation(0, *DTYPES)
    y = site.output(x.dtype)
    before, after = paddings_of(site, x)
    if not _is_private(graph, y.index) or graph.consumers(y.index)[0].name not in _CONVOLUTIONS:
        return "no convolution is its only reader"
    if len(x.shape) != 4 or before[0] + after[0] + before[3] + after[3]:
        return "it pads batches or channels"
    if fill_of(site, y) != code_bytes(y, y.zero_point) or not _same_codes(x, y):
        return "it fills with another value than the zero point"
    conv = graph.consumers(y.index)[0]
    extra = {
        "extra_padding_h": (before[1], after[1]),
        "extra_padding_w": (before[2], after[2]),
    }
    fused = replace(conv, inputs=(x.index, *conv.inputs[1:]), options={**conv.options, **extra})
    return graph.with_ops([fused if o is conv else o for o in graph.ops if o is not pad])


def _fuse_one_activation(graph: Graph, relu: Op) -> Graph | str:
    site = site_of(graph, relu)
    x = site.activation(0, "int8", "int16")
    y = site.output(x.dtype)
    before = graph.producer(x.index)
    if before is None or before.name not in _CLAMPING or not _is_private(graph, x.index):
        return "no operator with a clamp is its private input"
    if not _same_codes(x, y) or x.shape != y.shape:
        return "it changes the quantization"
    fused = replace(
        before,
        outputs=(y.index,),
        options={**before.options, "clamp": _both_clamps(graph, before, relu_bounds(site, x, y))},
    )
    return graph.with_ops([fused if o is before else o for o in graph.ops if o is not relu])


def _both_clamps(graph: Graph, before: Op, bounds: dict[str, int]) -> tuple[int, int]:
    site = site_of(graph, before)
    x = graph.tensors[before.outputs[0]]
    first = before.options.get("clamp", activation_range(site.fused_activation(), x))
    low, high = (min(max(v, bounds["act_min"]), bounds["act_max"]) for v in first)
    return low, high


def fuse_slice(graph: Graph) -> tuple[Graph, Reasons]:
    """Fuse a slice whose bytes lie in a row into the assignment that stores it in a state.

    Exact because the assignment then copies the same bytes from where the slice has them from.
    """
    reasons = []
    for op in [o for o in graph.ops if o.name == "ASSIGN_VARIABLE"]:
        part = graph.producer(op.inputs[0])
        if part is None or part.name not in _SLICES or not _is_private(graph, op.inputs[0]):
            continue
        record = lower_op(graph, part)
        x = graph.tensors[record.reads[0]]
        if not _in_a_row(record, x):
            continue
        options = {**op.options, "start": record.fields["start"]}
        fused = replace(op, inputs=(x.index,), options=options)
        graph = graph.with_ops([fused if o is op else o for o in graph.ops if o is not part])
        reasons.append(f"{_label(part)} fused into its neighbour")
    return graph, reasons


def _in_a_row(record: Record, x: Tensor) -> bool:
    if not record.code.startswith("STRIDED_COPY"):
        return False
    step = 1
    for dim, stride in zip(
        reversed(record.fields["dims"]), reversed(record.fields["strides"]), strict=True
    ):
        if dim != 1 and stride != step:
            return False
        step *= dim
    return bool(record.fields["count"] == x.bytes)


PASSES: tuple[Pass, ...] = (
    resolve_variables,
    ignore_shapes,
    drop_dead,
    part_splits,
    fold_views,
    drop_views,
    fuse_pad,
    fuse_activation,
    group_axes,
    fuse_slice,
    share_states,
)
"""In the order in which they run."""


def run_passes(graph: Graph) -> tuple[Graph, Reasons]:
    """Run all passes and return the graph and all their reasons."""
    reasons: Reasons = []
    for step in PASSES:
        graph, more = step(graph)
        reasons += [f"{step.__name__}: {line}" for line in more]
    return graph, reasons
