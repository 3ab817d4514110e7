# SPDX-License-Identifier: Apache-2.0
"""Reads a .tflite file into a graph. Trusts nothing: every mistake is one ModelError."""

import math
from dataclasses import replace
from typing import Any

from torpor.errors import ModelError, UnsupportedError
from torpor.graph.flatbuffer import Buffer, Table
from torpor.graph.model import BITS, Graph, Op, Tensor
from torpor.graph.schema import CUSTOM, DTYPES, KINDS, Kind, Option, operator_name

_MAX_RANK = 8
_MAX_BYTES = 1 << 31
_MAX_TENSORS = 1 << 15
_MAX_OPS = 1 << 12
_WITHOUT_OUTPUT = ("ASSIGN_VARIABLE", "CALL_ONCE")


def read_tflite(data: bytes) -> Graph:
    """Read a .tflite file.

    The batch -1 in `shape_signature` is ignored: `shape` counts. An option that the file leaves
    out has its schema default. The first subgraph is the model, the others are its `subgraphs`.

    Raises:
        ModelError: not a .tflite file, truncated, or inconsistent.
        UnsupportedError: sound, but with data outside the flatbuffer.
    """
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise ModelError("not a .tflite file: identifier TFL3 missing")
    model = Buffer(data).root()
    version = model.integer(0, "I")
    if version != 3:
        raise ModelError(f"schema version {version} of the model file is not known (3 is)")
    subgraphs = list(model.tables(2))
    if not subgraphs:
        raise ModelError("the model has no subgraph")
    names = [_operator_name(table) for table in model.tables(1)]
    buffers = _buffers(model)
    main, *others = (_graph(table, buffers, names) for table in subgraphs)
    _check_ends(main)
    for graph in (main, *others):
        _check_order(graph)
    return replace(main, subgraphs=tuple(others))


def _operator_name(table: Table) -> tuple[int, str]:
    code = max(table.integer(0, "b"), table.integer(3, "i"))
    if code == CUSTOM:
        return code, f"CUSTOM '{table.string(1)}'"
    return code, operator_name(code)


def _buffers(model: Table) -> list[bytes | None]:
    found = []
    for table in model.tables(4):
        if table.integer(1, "Q") > 1:
            raise UnsupportedError(
                "the model keeps its weights outside the flatbuffer",
                "convert it again: models below 2 GB do not need that",
            )
        found.append(table.bytes(0) or None)
    return found


def _graph(subgraph: Table, buffers: list[bytes | None], names: list[tuple[int, str]]) -> Graph:
    tensors = []
    for index, table in enumerate(subgraph.tables(0)):
        if index >= _MAX_TENSORS:
            raise ModelError(f"the model has more than {_MAX_TENSORS} tensors")
        tensors.append(_tensor(index, table, buffers))
    ops = [_op(index, table, names) for index, table in enumerate(subgraph.tables(3))]
    if len(ops) > _MAX_OPS:
        raise UnsupportedError(f"the model has {len(ops)} operators, more than {_MAX_OPS}")
    return Graph(tuple(tensors), tuple(ops), subgraph.integers(1, "i"), subgraph.integers(2, "i"))


def _tensor(index: int, table: Table, buffers: list[bytes | None]) -> Tensor:
    name = table.string(3)
    code = table.integer(1, "b")
    if not 0 <= code < len(DTYPES):
        raise ModelError(f"tensor {index} '{name}' has the unknown type {code}")
    shape = table.integers(0, "i")
    buffer = table.integer(2, "I")
    if buffer >= len(buffers):
        raise ModelError(f"tensor {index} '{name}' refers to buffer {buffer}, which is not there")
    if table.integer(10, "I"):
        raise UnsupportedError(f"tensor {index} '{name}' lies in another file")
    if table.has(6) and buffers[buffer] is not None:
        raise UnsupportedError(
            f"tensor {index} '{name}' is sparse", "convert the model without sparse weights"
        )
    _check_shape(index, name, shape)
    scales, zero_points, dimension = _quantization(index, name, table.table(4))
    tensor = Tensor(
        index=index,
        name=name,
        shape=shape,
        dtype=DTYPES[code],
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=dimension,
        data=buffers[buffer],
        is_variable=bool(table.scalar(5, "?", False)),
    )
    _check_data(tensor)
    return tensor


def _check_shape(index: int, name: str, shape: tuple[int, ...]) -> None:
    if len(shape) > _MAX_RANK or any(d < 0 for d in shape) or math.prod(shape) >= _MAX_BYTES:
        shown = list(shape[:_MAX_RANK])
        raise ModelError(f"tensor {index} '{name}' has an impossible shape, {shown}")


def _quantization(
    index: int, name: str, table: Table | None
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if table is None:
        return (), (), 0
    scales = tuple(float(v) for v in table.vector(2, "f"))
    zero_points = table.integers(3, "q")
    if any(not math.isfinite(s) or s < 0 for s in scales):
        raise ModelError(f"tensor {index} '{name}' has a scale that is negative or no number")
    if any(not -(1 << 31) <= z < 1 << 31 for z in zero_points):
        raise ModelError(f"tensor {index} '{name}' has a zero point outside 32 bits")
    return scales, zero_points, table.integer(6, "i")


def _check_data(tensor: Tensor) -> None:
    if tensor.data is None or tensor.dtype not in BITS:
        return
    if len(tensor.data) != tensor.bytes:
        raise ModelError(
            f"tensor {tensor.index} {tensor.describe()} has {len(tensor.data)} bytes of data "
            f"instead of {tensor.bytes}",
            "some quantizers write such files; quantize it again with torpor quantize",
        )


def _op(index: int, table: Table, names: list[tuple[int, str]]) -> Op:
    opcode = table.integer(0, "I")
    if opcode >= len(names):
        raise ModelError(f"operator {index} has the opcode index {opcode}, which is not there")
    code, name = names[opcode]
    kind = KINDS.get(code, Kind(name))
    matching = table.integer(3, "B") == kind.options_type
    return Op(
        index=index,
        name=name,
        inputs=table.integers(1, "i"),
        outputs=table.integers(2, "i"),
        options=_options(index, kind, table.table(4) if matching else None),
    )


def _options(index: int, kind: Kind, table: Table | None) -> dict[str, Any]:
    return {name: _option(index, kind, name, o, table) for name, o in kind.options.items()}


def _option(index: int, kind: Kind, name: str, option: Option, table: Table | None) -> Any:
    if option.kind.startswith("v"):
        return table.integers(option.slot, option.kind[1:]) if table else ()
    if option.kind == "s":
        text = table.bytes(option.slot) if table else None
        return (text or b"").split(b"\0")[0]
    value = table.scalar(option.slot, option.kind, option.default) if table else option.default
    if not option.names:
        return value
    if not 0 <= int(value) < len(option.names):
        raise ModelError(f"operator {index} ({kind.name}) has the unknown {name} {value}")
    return option.names[int(value)]


def _check_ends(graph: Graph) -> None:
    """Check that the model has inputs and outputs, and no input twice."""
    for what, indices in (("input", graph.inputs), ("output", graph.outputs)):
        if not indices:
            raise ModelError(f"the model has no {what}")
        if any(not 0 <= t < len(graph.tensors) for t in indices):
            raise ModelError(f"the model has an {what} that is not there")
    if len(set(graph.inputs)) != len(graph.inputs):
        raise ModelError("the model's inputs are not distinct tensors")


def _check_order(graph: Graph) -> None:
    """Check that each operator reads only what is there, and each tensor is written once."""
    if any(not 0 <= t < len(graph.tensors) for t in (*graph.inputs, *graph.outputs)):
        raise ModelError("an input or output of a subgraph is not there")
    known = {t.index for t in graph.tensors if t.data is not None or t.is_variable}
    if known & set(graph.inputs):
        raise ModelError("an input of the model is a constant")
    known |= set(graph.inputs)
    for op in graph.ops:
        _check_op(op, known, len(graph.tensors))
        known |= set(op.outputs)
    for t in graph.outputs:
        if t not in known:
            raise ModelError(f"output {graph.tensors[t].describe()} is never written")


def _check_op(op: Op, known: set[int], count: int) -> None:
    where = f"operator {op.index} ({op.name})"
    if any(not -1 <= t < count for t in op.inputs) or any(not 0 <= t < count for t in op.outputs):
        raise ModelError(f"{where} refers to a tensor that is not there")
    if not op.outputs and op.name not in _WITHOUT_OUTPUT:
        raise ModelError(f"{where} has no output")
    for t in op.inputs:
        if t >= 0 and t not in known:
            raise ModelError(f"{where} reads tensor {t} before anything has written it")
    if len(set(op.outputs)) != len(op.outputs) or known & set(op.outputs):
        raise ModelError(f"{where} writes a tensor that already has a value")
