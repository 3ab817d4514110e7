# SPDX-License-Identifier: Apache-2.0
"""Proves that a quantized model is what was asked for. Pure: bytes in.

litert-quantizer skips a rule that it does not support without a word, leaving float tensors or
wider weights, and some of its algorithms write buffers of the wrong length. So nothing is taken
on trust: the type, scales and buffer length of every tensor are checked.
"""

from torpor.errors import ModelError
from torpor.graph import Graph, Op, Tensor, read_tflite

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
ACTIVATIONS = ("int8", "int32", "bool")
"""What may flow between operators; int32 and bool are indices and masks."""


def check_quantized(tflite: bytes, bits: int) -> Graph:
    """Return the graph of `tflite` if its weights have `bits` bits and all else is integer.

    Raises:
        ModelError: names the operator and the tensor that are not as asked for.
    """
    graph = read_tflite(tflite)  # refuses buffers of the wrong length
    for op in graph.ops:
        for tensor in _activations(graph, op):
            _check_activation(op, tensor)
        if op.name in WEIGHTED:
            _check_weights(graph, op, bits)
    for tensor in (graph.tensors[t] for t in (*graph.inputs, *graph.outputs)):
        if tensor.dtype != "int8":
            raise ModelError(f"{tensor.describe()}, an input or output, is not int8")
    return graph


def _activations(graph: Graph, op: Op) -> list[Tensor]:
    tensors = [graph.tensors[t] for t in (*op.inputs, *op.outputs) if t >= 0]
    weights = op.inputs[1:3] if op.name in WEIGHTED else ()
    return [t for t in tensors if t.index not in weights]


def _check_activation(op: Op, tensor: Tensor) -> None:
    if tensor.dtype not in ACTIVATIONS:
        raise _skipped(op, f"tensor {tensor.describe()} is not an integer")
    if tensor.dtype == "int8" and len(tensor.scales) != 1:
        raise _skipped(op, f"tensor {tensor.describe()} has {len(tensor.scales)} scales, not one")
    _check_scales(op, tensor)


def _check_weights(graph: Graph, op: Op, bits: int) -> None:
    weights = graph.tensors[op.inputs[1]]
    if weights.dtype != f"int{bits}":
        raise _skipped(op, f"weights {weights.describe()} are not int{bits}")
    if weights.data is None:
        raise _skipped(op, f"weights {weights.describe()} are not constant")
    channels = weights.shape[-1 if op.name == "DEPTHWISE_CONV_2D" else 0]
    allowed = (1,) if op.name == "FULLY_CONNECTED" and bits == 4 else (1, channels)
    if len(weights.scales) not in allowed:
        raise _skipped(op, f"weights {weights.describe()} have {len(weights.scales)} scales")
    if any(weights.zero_points):
        raise _skipped(op, f"weights {weights.describe()} have a zero point")
    _check_scales(op, weights)
    if len(op.inputs) > 2 and op.inputs[2] >= 0:
        bias = graph.tensors[op.inputs[2]]
        if bias.dtype != "int32":
            raise _skipped(op, f"bias {bias.describe()} is not int32")


def _check_scales(op: Op, tensor: Tensor) -> None:
    if not all(scale > 0 for scale in tensor.scales):
        raise _skipped(op, f"tensor {tensor.describe()} has a scale that is not above 0")


def _skipped(op: Op, what: str) -> ModelError:
    return ModelError(
        f"operator {op.index} ({op.name}) is not quantized as asked for: {what}",
        "the quantizer has no rule for it; replace the operator in the float model",
    )
