# SPDX-License-Identifier: Apache-2.0
"""Multiply-accumulates, against numbers that were worked out by hand."""

import numpy as np
import pytest

from tests.support.small_models import small_cnn
from tests.support.tflite_builder import GraphBuilder
from torpor.bench.macs import macs_by_op
from torpor.graph import Graph, Op, Tensor, read_tflite


def graph(name: str, *shapes: tuple[int, ...] | None, **options: object) -> Graph:
    """Return a graph of one operator: the shapes of its inputs (None: left out) and output."""
    tensors = tuple(Tensor(i, str(i), shape or (), "int8") for i, shape in enumerate(shapes))
    inputs = tuple(-1 if shape is None else i for i, shape in enumerate(shapes[:-1]))
    op = Op(3, name, inputs, (len(shapes) - 1,), options)
    return Graph(tensors, (op,), (0,), (len(shapes) - 1,))


def test_a_model_with_several_operators_has_one_number_for_each_that_multiplies() -> None:
    found = macs_by_op(read_tflite(small_cnn()))
    conv = 9 * 7 * 4 * (3 * 3 * 3)
    depthwise = 9 * 7 * 4 * (3 * 3)
    assert list(found.values()) == [conv, depthwise, 5 * 48]


def test_numbers_are_by_the_operators_place_in_the_file() -> None:
    g = GraphBuilder()
    x = g.input((1, 6), scale=0.1)
    w = g.constant(np.ones((2, 6), np.int8), scale=0.05)
    y = g.softmax(g.fully_connected(x, w, scale=0.2))
    found = macs_by_op(read_tflite(g.build([y])))
    (index,) = found
    assert found[index] == 12


@pytest.mark.parametrize(
    ("made", "macs"),
    [
        (graph("CONV_2D", (1, 9, 9, 4), (8, 3, 3, 4), (1, 5, 5, 8)), 200 * 36),
        (graph("CONV_2D", (1, 9, 9, 4), (8, 3, 3, 2), (1, 5, 5, 8)), 200 * 18),  # two groups
        (graph("DEPTHWISE_CONV_2D", (1, 9, 9, 4), (1, 3, 3, 8), (1, 9, 9, 8)), 648 * 9),
        (graph("FULLY_CONNECTED", (3, 10), (4, 10), (3, 4)), 3 * 4 * 10),
        (graph("TRANSPOSE_CONV", (4,), (6, 3, 3, 5), (1, 4, 4, 5), (1, 8, 8, 6)), 16 * 5 * 54),
        (graph("SVDF", (2, 16), (8, 16), (8, 10), None, (2, 80), (2, 8)), 2 * (128 + 80)),
        (graph("BATCH_MATMUL", (2, 3, 5), (2, 5, 7), (2, 3, 7)), 42 * 5),
        (graph("BATCH_MATMUL", (2, 5, 3), (2, 5, 7), (2, 3, 7), adj_x=True), 42 * 5),
        (graph("SOFTMAX", (1, 4), (1, 4)), 0),
    ],
    ids=lambda value: value.ops[0].name if isinstance(value, Graph) else str(value),
)
def test_an_operator_alone(made: Graph, macs: int) -> None:
    assert macs_by_op(made) == ({3: macs} if macs else {})


def test_an_lstm_multiplies_with_every_gate_that_it_has_at_every_time() -> None:
    to_gates, recurrent = [(8, 6)] * 4, [(8, 8)] * 4
    full = graph("UNIDIRECTIONAL_SEQUENCE_LSTM", (2, 5, 6), *to_gates, *recurrent, (2, 5, 8))
    assert macs_by_op(full) == {3: 10 * (4 * 48 + 4 * 64)}
    shapes = [None, *to_gates[1:], None, *recurrent[1:]]  # input gate coupled with the forget gate
    coupled = graph("UNIDIRECTIONAL_SEQUENCE_LSTM", (2, 5, 6), *shapes, (2, 5, 8))
    assert macs_by_op(coupled) == {3: 10 * (3 * 48 + 3 * 64)}
