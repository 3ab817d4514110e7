# SPDX-License-Identifier: Apache-2.0
"""Multiply-accumulates of a model, from the shapes in its file. Pure.

Counted is what the operator's definition multiplies, positions in the padding included, whatever
a compiler leaves out: so the number is a fact of the model, the same for every engine. Additions,
pooling, activations and the arithmetic of quantization are no multiply-accumulates.
"""

from collections.abc import Callable

from torpor.graph import Graph, Op, Tensor

LSTM_WEIGHTS = range(1, 9)  # input to gates, then recurrent to gates


def macs_by_op(graph: Graph) -> dict[int, int]:
    """Return the multiply-accumulates of each operator of the file by its number, if any."""
    counted = {op.index: COUNTS[op.name](graph, op) for op in graph.ops if op.name in COUNTS}
    return {index: macs for index, macs in counted.items() if macs}


def _input(graph: Graph, op: Op, number: int) -> Tensor:
    return graph.tensors[op.inputs[number]]


def _output(graph: Graph, op: Op) -> Tensor:
    return graph.tensors[op.outputs[0]]


def _conv_2d(graph: Graph, op: Op) -> int:
    """Weights are [channels out, height, width, channels in a group]."""
    weights = _input(graph, op, 1)
    return _output(graph, op).elements * weights.elements // weights.shape[0]


def _depthwise_conv_2d(graph: Graph, op: Op) -> int:
    """Weights are [1, height, width, channels out]."""
    weights = _input(graph, op, 1)
    return _output(graph, op).elements * weights.elements // weights.shape[-1]


def _transpose_conv(graph: Graph, op: Op) -> int:
    """Inputs are shape, weights [channels out, height, width, channels in], and activations."""
    weights = _input(graph, op, 1)
    return _input(graph, op, 2).elements * weights.elements // weights.shape[-1]


def _fully_connected(graph: Graph, op: Op) -> int:
    """Weights are [out, in]: every output is one row."""
    return _output(graph, op).elements * _input(graph, op, 1).shape[-1]


def _svdf(graph: Graph, op: Op) -> int:
    """Two sets of weights, by feature and by time, are each used once for each batch."""
    batches = _input(graph, op, 0).shape[0]
    return batches * (_input(graph, op, 1).elements + _input(graph, op, 2).elements)


def _lstm(graph: Graph, op: Op) -> int:
    """All gates' weights are used once for each batch and time; input is [batch, time, size]."""
    x = _input(graph, op, 0)
    weights = [_input(graph, op, i).elements for i in LSTM_WEIGHTS if op.inputs[i] >= 0]
    return x.elements // x.shape[-1] * sum(weights)


def _batch_matmul(graph: Graph, op: Op) -> int:
    x = _input(graph, op, 0)
    inner = x.shape[-2] if op.options.get("adj_x") else x.shape[-1]
    return _output(graph, op).elements * inner


COUNTS: dict[str, Callable[[Graph, Op], int]] = {
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "SVDF": _svdf,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
