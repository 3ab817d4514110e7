# SPDX-License-Identifier: Apache-2.0
"""Small float models for tests, one operator or two."""

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.tflite_builder import GraphBuilder

RANDOM = np.random.default_rng(7)


def _floats(*shape: int) -> NDArray[np.float32]:
    return RANDOM.normal(size=shape).astype(np.float32)


def _strides(options: Any) -> Any:
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = 1
    options.dilationHFactor = options.dilationWFactor = 1
    return options


def conv(graph: GraphBuilder) -> int:
    """Add a 3x3 convolution."""
    x = graph.input((1, 6, 6, 2), "float32", scale=None)
    y = graph.tensor((1, 4, 4, 3), "float32")
    operands = [x, graph.constant(_floats(3, 3, 3, 2), "float32"), _bias(graph, 3)]
    graph.op("CONV_2D", operands, [y], _strides(schema.Conv2DOptionsT()))
    return y


def depthwise(graph: GraphBuilder) -> int:
    """Add a 3x3 depthwise convolution."""
    x = graph.input((1, 6, 6, 4), "float32", scale=None)
    y = graph.tensor((1, 4, 4, 4), "float32")
    operands = [x, graph.constant(_floats(1, 3, 3, 4), "float32"), _bias(graph, 4)]
    options = _strides(schema.DepthwiseConv2DOptionsT())
    options.depthMultiplier = 1
    graph.op("DEPTHWISE_CONV_2D", operands, [y], options)
    return y


def dense(graph: GraphBuilder) -> int:
    """Add a dense layer."""
    x = graph.input((1, 8), "float32", scale=None)
    y = graph.tensor((1, 5), "float32")
    operands = [x, graph.constant(_floats(5, 8), "float32"), _bias(graph, 5)]
    graph.op("FULLY_CONNECTED", operands, [y], schema.FullyConnectedOptionsT())
    return y


def dense_then_exp(graph: GraphBuilder) -> int:
    """Add a dense layer and an operator that the quantizer has no rule for."""
    x = dense(graph)
    y = graph.tensor((1, 5), "float32")
    graph.op("EXP", [x], [y])
    return y


def two_inputs(graph: GraphBuilder) -> int:
    """Add the sum of two inputs."""
    a = graph.input((1, 4), "float32", scale=None, name="a")
    b = graph.input((1, 4), "float32", scale=None, name="b")
    y = graph.tensor((1, 4), "float32")
    graph.op("ADD", [a, b], [y], schema.AddOptionsT())
    return y


def _bias(graph: GraphBuilder, count: int) -> int:
    return graph.constant(_floats(count), "float32")


def model(layer: Callable[[GraphBuilder], int]) -> bytes:
    """Return the .tflite file of one of the layers above, with a signature as converters write."""
    graph = GraphBuilder()
    built = graph.build([layer(graph)])

    def sign(tree: Any) -> None:
        tree.signatureDefs = [_signature(tree.subgraphs[0])]

    return edited(built, sign)


def _signature(graph: Any) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.subgraphIndex = 0
    signature.inputs = [_map("in", t) for t in graph.inputs]
    signature.outputs = [_map("out", t) for t in graph.outputs]
    return signature


def _map(name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = f"{name}{tensor}", int(tensor)
    return entry


def edited(tflite: bytes, edit: Callable[[Any], None]) -> bytes:
    """Return the model after `edit` has changed its object tree."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    edit(tree)
    builder = flatbuffers.Builder(len(tflite))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def samples(shape: tuple[int, ...], count: int = 20) -> NDArray[np.float32]:
    """Return [count, *shape] of fixed random numbers."""
    return np.random.default_rng(3).normal(size=(count, *shape)).astype(np.float32)
