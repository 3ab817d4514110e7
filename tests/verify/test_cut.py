# SPDX-License-Identifier: Apache-2.0
"""A part of a model computes what it computes inside the whole."""

from tests.support.small_models import small_cnn
from tests.support.tflite_builder import GraphBuilder
from torpor.golden import Golden
from torpor.graph import read_tflite
from torpor.verify.cut import between, cut_out, with_outputs
from torpor.verify.stimuli import stimuli

NAMES = [
    "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX",
]  # fmt: skip


def test_each_operator_alone_computes_the_same() -> None:
    whole = small_cnn()
    graph = read_tflite(whole)
    golden = Golden(whole, keep_tensors=True)
    case = list(stimuli(golden.inputs, 6, 1))[5]
    golden.invoke(case.inputs)
    for op in graph.ops:
        cut = cut_out(whole, [op.index], op.outputs)
        alone = read_tflite(cut.tflite)
        assert [o.name for o in alone.ops] == [op.name]
        assert cut.inputs == tuple(t for t in op.inputs if graph.tensors[t].data is None)
        [y] = Golden(cut.tflite).invoke([golden.tensor(t) for t in cut.inputs])
        assert y.tobytes() == golden.tensor(op.outputs[0]).tobytes()
        assert len(cut.tflite) < len(whole)


def test_a_part_has_only_what_it_needs() -> None:
    whole = small_cnn()
    graph = read_tflite(whole)
    cut = cut_out(whole, [5], graph.ops[5].outputs)
    alone = read_tflite(cut.tflite)
    assert len(alone.tensors) == 4
    assert [t.name for t in alone.tensors] == ["t9", "t11", "t12", "t13"]
    weights = graph.tensors[11]
    assert alone.tensors[1].data == weights.data
    assert alone.tensors[1].scales == weights.scales


def test_several_operators_and_outputs() -> None:
    whole = small_cnn()
    graph = read_tflite(whole)
    outputs = [graph.ops[i].outputs[0] for i in (1, 2)]
    cut = cut_out(whole, [0, 1, 2], outputs)
    part = read_tflite(cut.tflite)
    assert [o.name for o in part.ops] == NAMES[:3]
    assert len(part.outputs) == 2
    inputs = next(iter(stimuli(Golden(whole).inputs, 1, 1))).inputs
    golden = Golden(whole, keep_tensors=True)
    golden.invoke(inputs)
    for y, tensor in zip(Golden(cut.tflite).invoke(inputs), outputs, strict=True):
        assert y.tobytes() == golden.tensor(tensor).tobytes()


def test_more_outputs_leave_the_rest_as_it_is() -> None:
    whole = small_cnn()
    graph = read_tflite(whole)
    wider = read_tflite(with_outputs(whole, [graph.ops[2].outputs[0], *graph.outputs]))
    assert wider.outputs == (graph.ops[2].outputs[0], *graph.outputs)
    assert wider.ops == graph.ops
    assert wider.tensors == graph.tensors


def test_operators_between_tensors() -> None:
    graph = read_tflite(small_cnn())
    a, b, c = (graph.ops[i].outputs[0] for i in range(3))
    assert between(graph, c) == (0, 1, 2)
    assert between(graph, c, [a, b]) == (2,)
    assert between(graph, c, [b]) == (0, 2)
    assert between(graph, b, [b, a]) == (1,)
    assert between(graph, graph.inputs[0]) == ()


def test_an_operator_that_is_reached_twice_counts_once() -> None:
    g = GraphBuilder()
    x = g.input((1, 4))
    a = g.add(x, x, scale=0.2)
    b = g.add(a, a, scale=0.4)
    graph = read_tflite(g.build([g.add(a, b, scale=0.5)]))
    assert between(graph, graph.outputs[0]) == (0, 1, 2)
