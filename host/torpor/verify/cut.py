# SPDX-License-Identifier: Apache-2.0
"""Cuts operators out of a .tflite file, or makes outputs of what is inside. No I/O.

Works on the tree of the schema's own tables, so that everything else of the file stays as it is.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
from tflite_micro.python.tflite_micro import runtime

from torpor.graph import Graph


@dataclass(frozen=True)
class Cut:
    """A part of a model.

    Attributes:
        tflite: the part as a file of its own.
        inputs: which tensors of the whole model its inputs are.
        operators: which operators of the whole model it has.
    """

    tflite: bytes
    inputs: tuple[int, ...]
    operators: tuple[int, ...]


def between(graph: Graph, output: int, known: Collection[int] = ()) -> tuple[int, ...]:
    """Return the operators, ascending, that compute `output` from `known`, inputs and constants."""
    found: set[int] = set()
    todo = [output]
    while todo:
        tensor = todo.pop()
        op = graph.producer(tensor)
        if op is None or op.index in found or (tensor in known and tensor != output):
            continue
        found.add(op.index)
        todo += [t for t in op.inputs if t >= 0]
    return tuple(sorted(found))


def cut_out(tflite: bytes, operators: Sequence[int], outputs: Sequence[int]) -> Cut:
    """Return the part of a model with those operators of its first graph and those outputs.

    What they read and no constant holds becomes an input.
    """
    model = runtime.convert_bytearray_to_object(tflite)
    graph = model.subgraphs[0]
    graph.operators = [graph.operators[i] for i in operators]
    written = {int(t) for op in graph.operators for t in op.outputs}
    read = [int(t) for op in graph.operators for t in op.inputs if t >= 0]
    inputs = [
        t for t in dict.fromkeys(read) if t not in written and not _is_stored(model, graph, t)
    ]
    graph.inputs, graph.outputs = inputs, list(outputs)
    _drop_tensors(graph, sorted({*read, *written, *outputs}))
    _drop_codes(model)
    _drop_buffers(model)
    model.metadata = model.metadataBuffer = model.signatureDefs = None
    return Cut(packed(model), tuple(inputs), tuple(operators))


def with_outputs(tflite: bytes, outputs: Sequence[int]) -> bytes:
    """Return a model whose outputs are those tensors of its first graph."""
    model = runtime.convert_bytearray_to_object(tflite)
    model.subgraphs[0].outputs = list(outputs)
    model.signatureDefs = None
    return packed(model)


def _is_stored(model: Any, graph: Any, tensor: int) -> bool:
    found = graph.tensors[tensor]
    data = model.buffers[found.buffer].data
    return bool(found.isVariable) or (data is not None and len(data) > 0)


def _drop_tensors(graph: Any, kept: Sequence[int]) -> None:
    """Keep only those tensors, and number them anew."""
    new = {old: position for position, old in enumerate(kept)}
    graph.tensors = [graph.tensors[t] for t in kept]
    graph.inputs = [new[t] for t in graph.inputs]
    graph.outputs = [new[t] for t in graph.outputs]
    for op in graph.operators:
        op.inputs = [new.get(int(t), -1) for t in op.inputs]
        op.outputs = [new[int(t)] for t in op.outputs]
        op.intermediates = None


def _drop_codes(model: Any) -> None:
    operators = model.subgraphs[0].operators
    kept = sorted({op.opcodeIndex for op in operators})
    model.operatorCodes = [model.operatorCodes[i] for i in kept]
    for op in operators:
        op.opcodeIndex = kept.index(op.opcodeIndex)


def _drop_buffers(model: Any) -> None:
    tensors = model.subgraphs[0].tensors
    kept = sorted({0, *(t.buffer for t in tensors)})
    model.buffers = [model.buffers[i] for i in kept]
    for tensor in tensors:
        tensor.buffer = kept.index(tensor.buffer)


def packed(model: Any) -> bytes:
    """Return the file of a tree of tables."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
