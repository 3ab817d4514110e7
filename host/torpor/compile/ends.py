# SPDX-License-Identifier: Apache-2.0
"""What plans of both engines say of a model's ends: its inputs, outputs, name and labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from torpor.compile.lowering import CODE_RANGES
from torpor.errors import ModelError, UnsupportedError, UsageError
from torpor.graph import Graph, Tensor
from torpor.plan.layout import CONST, TYPES
from torpor.plan.writer import Strings, pack_struct


def refuse_float(graph: Graph) -> None:
    """Refuse a model in which nothing is quantized."""
    computed = [t for op in graph.ops for t in op.outputs]
    if computed and {graph.tensors[t].dtype for t in (*graph.inputs, *computed)} == {"float32"}:
        raise UnsupportedError(
            "this is a float model: all that it computes is float32",
            "make it int8 or int4 with torpor quantize",
        )


def check_ends(graph: Graph, labels: Sequence[str]) -> None:
    """Check what the graph's inputs and outputs are, and that `labels` fit the first output."""
    if max(len(graph.inputs), len(graph.outputs)) > 255:
        raise UnsupportedError("the model has more than 255 inputs or outputs")
    for position, t in enumerate(graph.inputs):
        _check_end(graph.tensors[t], f"input {position}")
    for position, t in enumerate(graph.outputs):
        _check_end(graph.tensors[t], f"output {position}")
        where = f"output {position} {graph.tensors[t].describe()}"
        if graph.tensors[t].data is not None:
            raise UnsupportedError(f"{where} is a constant")
        if graph.root(t) not in graph.inputs and graph.producer(graph.root(t)) is None:
            raise UnsupportedError(f"{where} is not computed")
    last = graph.tensors[graph.outputs[0]]
    if labels and len(labels) != last.elements:
        raise UsageError(f"{len(labels)} labels for an output of {last.elements} elements")


def _check_end(tensor: Tensor, what: str) -> None:
    where = f"{what}, tensor {tensor.index} {tensor.describe()}"
    if tensor.dtype not in TYPES:
        raise UnsupportedError(
            f"{where}: inputs and outputs are one of {', '.join(TYPES)}",
            "quantize the model with torpor quantize",
        )
    codes = CODE_RANGES.get(tensor.dtype)
    if not tensor.elements or (codes and max(len(tensor.scales), len(tensor.zero_points)) > 1):
        raise ModelError(f"{where}: needs elements, and at most one scale and one zero point")
    if codes and tensor.zero_point not in codes:
        raise ModelError(f"{where}: zero point outside {tensor.dtype}")
    if len(tensor.shape) > CONST["PLAN_MAX_DIMS"]:
        raise UnsupportedError(f"{where}: more than {CONST['PLAN_MAX_DIMS']} dimensions")


@dataclass(frozen=True)
class Named:
    """The string section, the header's members about it, and where the io names lie."""

    data: bytes
    header: dict[str, int]
    io_names: list[int]


def named_strings(name: str, labels: Sequence[str], graph: Graph) -> Named:
    """Return the strings of a plan: its name, the labels, the names of inputs and outputs."""
    strings = Strings()
    name_at = strings.add(name)
    labels_at = [strings.add(label) for label in labels]
    io_names = [strings.add(graph.tensors[t].name) for t in (*graph.inputs, *graph.outputs)]
    header = {
        "n_inputs": len(graph.inputs),
        "n_outputs": len(graph.outputs),
        "n_labels": len(labels),
        "name": name_at,
        "labels": labels_at[0] if labels else CONST["PLAN_NO_STRING"],
    }
    return Named(strings.data, header, io_names)


def io_table(graph: Graph, numbers: Sequence[int], names: Sequence[int]) -> bytes:
    """Return the records of the inputs, then of the outputs.

    Args:
        graph: the model.
        numbers: the tensor of the plan, for each of them.
        names: the offset of its name in the string section, for each of them.
    """
    found = []
    ends = (*graph.inputs, *graph.outputs)
    for t, number, name in zip(ends, numbers, names, strict=True):
        tensor = graph.tensors[t]
        codes = tensor.dtype not in ("float32", "bool")
        members = {
            "tensor": number,
            "type": TYPES[tensor.dtype],
            "rank": len(tensor.shape),
            "dims": [*tensor.shape, *[1] * (CONST["PLAN_MAX_DIMS"] - len(tensor.shape))],
            "scale": tensor.scale if codes else 0.0,
            "zero_point": tensor.zero_point if codes else 0,
            "name": name,
        }
        found.append(pack_struct("plan_io_t", members))
    return b"".join(found)
