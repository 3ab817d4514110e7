# SPDX-License-Identifier: Apache-2.0
"""Each pass on graphs made by hand: what it changes, what it declines, and the reason it gives."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.sites import OPTIONS
from torpor.compile.ops import load_all
from torpor.compile.passes import drop_dead, drop_views, fuse_activation, fuse_pad, run_passes
from torpor.errors import ModelError
from torpor.graph import Tensor
from torpor.graph.model import Graph, Op

load_all()


class Draft:
    """Collects tensors and operators of a graph."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []

    def tensor(self, *shape: int, **changes: Any) -> int:
        made = Tensor(len(self.tensors), f"t{len(self.tensors)}", shape, "int8", (0.5,), (0,))
        self.tensors.append(replace(made, **changes))
        return len(self.tensors) - 1

    def table(self, values: Any) -> int:
        array = np.array(values, np.int32)
        return self.tensor(
            *array.shape, dtype="int32", scales=(), zero_points=(), data=array.tobytes()
        )

    def op(self, name: str, inputs: list[int], output: int, **options: Any) -> int:
        chosen = {**OPTIONS.get(name, {}), **options}
        self.ops.append(Op(len(self.ops), name, tuple(inputs), (output,), chosen))
        return output

    def graph(self, *outputs: int, inputs: tuple[int, ...] = (0,)) -> Graph:
        return Graph(tuple(self.tensors), tuple(self.ops), inputs, outputs)


# ---- drop_dead


def test_what_only_the_dead_read_is_dead_too() -> None:
    d = Draft()
    x, a, b, y = (d.tensor(4) for _ in range(4))
    d.op("RELU", [x], a)
    d.op("RELU", [a], b)
    d.op("RELU6", [x], y)
    graph, reasons = drop_dead(d.graph(y))
    assert [op.index for op in graph.ops] == [2]
    assert reasons == [
        "operator 1 (RELU) dropped: nothing reads its output",
        "operator 0 (RELU) dropped: nothing reads its output",
    ]


def test_operators_that_live_keep_their_order() -> None:
    d = Draft()
    x, a, b, y = (d.tensor(4) for _ in range(4))
    d.op("RELU", [x], a)
    d.op("RELU6", [x], b)
    d.op("ADD", [a, b], y)
    graph, reasons = drop_dead(d.graph(y))
    assert [op.index for op in graph.ops] == [0, 1, 2] and reasons == []


def test_an_operator_of_which_one_output_is_read_lives() -> None:
    d = Draft()
    x, a, b = (d.tensor(4) for _ in range(3))
    graph = d.graph(b)
    graph = replace(graph, ops=(Op(0, "SPLIT", (x,), (a, b)),))
    assert len(drop_dead(graph)[0].ops) == 1


# ---- drop_views


@pytest.mark.parametrize(
    ("name", "shape"), [("RESHAPE", (3, 2)), ("SQUEEZE", (2, 3)), ("EXPAND_DIMS", (2, 1, 1, 3))]
)
def test_a_change_of_shape_is_a_view(name: str, shape: tuple[int, ...]) -> None:
    d = Draft()
    x, a, y = d.tensor(2, 1, 3), d.tensor(2, 1, 3), d.tensor(*shape)
    d.op("RELU", [x], a)
    d.op(name, [a, d.table([1])] if name == "EXPAND_DIMS" else [a], y)
    graph, reasons = drop_views(d.graph(y))
    assert graph.views == {y: a} and len(graph.ops) == 1
    assert reasons == [f"operator 1 ({name}) dropped: same bytes, another shape"]


def test_a_view_of_a_view_is_a_view_of_the_first() -> None:
    d = Draft()
    x, a, b, c = d.tensor(6), d.tensor(2, 3), d.tensor(3, 2), d.tensor(1, 6)
    d.op("RESHAPE", [x], a)
    d.op("RESHAPE", [a], b)
    d.op("RELU", [b], c)
    graph, _ = drop_views(d.graph(c))
    assert graph.views == {a: x, b: x}


def test_an_input_that_is_an_output_too_is_copied() -> None:
    d = Draft()
    x, a, y = d.tensor(6), d.tensor(2, 3), d.tensor(3, 2)
    d.op("RESHAPE", [x], a)
    d.op("RESHAPE", [a], y)
    graph, reasons = drop_views(d.graph(y))
    assert [op.index for op in graph.ops] == [1]
    assert graph.views == {a: x}
    assert reasons[1] == "operator 1 (RESHAPE) kept as a copy: an input is also an output"


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ({"data": bytes(6)}, {}),
        ({"is_variable": True}, {}),
        ({}, {"is_variable": True}),
        ({}, {"dtype": "int16"}),
        ({}, {"shape": (5,)}),
    ],
)
def test_what_is_no_plain_view_is_left_for_the_operator_to_refuse(
    x: dict[str, Any], y: dict[str, Any]
) -> None:
    d = Draft()
    d.tensor(6)
    a, b = d.tensor(6, **x), d.tensor(2, 3)
    d.tensors[b] = replace(d.tensors[b], **y)
    d.op("RESHAPE", [a], b)
    graph, reasons = drop_views(d.graph(b))
    assert len(graph.ops) == 1 and graph.views == {} and reasons == []


def test_a_reshape_without_an_input_is_left_too() -> None:
    d = Draft()
    d.tensor(6)
    y = d.op("RESHAPE", [-1], d.tensor(6))
    assert len(drop_views(d.graph(y))[0].ops) == 1


# ---- fuse_pad


def padded(
    pairs: list[tuple[int, int]], changes: dict[str, Any] | None = None, reader: str = "CONV_2D"
) -> tuple[Draft, int, int]:
    """Return a draft of a PAD and its reader, the padded tensor, and the output."""
    d = Draft()
    x = d.tensor(1, 4, 4, 2)
    grown = [n + sum(p) for n, p in zip((1, 4, 4, 2), pairs, strict=True)]
    y = d.tensor(*grown, **(changes or {}))
    d.op("PAD", [x, d.table(pairs)], y)
    weights = d.tensor(3, 3, 3, 2, data=bytes(54))
    z = d.tensor(1, 4, 4, 3)
    d.op(reader, [y, weights] if "CONV" in reader else [y], z)
    return d, y, z


ROUND = [(0, 0), (1, 1), (2, 0), (0, 0)]


@pytest.mark.parametrize("reader", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_a_pad_becomes_padding_of_the_convolution(reader: str) -> None:
    d, _, z = padded(ROUND, reader=reader)
    graph, reasons = fuse_pad(d.graph(z))
    (conv,) = graph.ops
    assert conv.inputs[0] == 0 and conv.index == 1
    assert conv.options["extra_padding_h"] == (1, 1)
    assert conv.options["extra_padding_w"] == (2, 0)
    assert reasons == ["operator 0 (PAD) fused into its neighbour"]


@pytest.mark.parametrize(
    ("pairs", "changes", "reader", "reason"),
    [
        ([(1, 0), (0, 0), (0, 0), (0, 0)], {}, "CONV_2D", "it pads batches or channels"),
        ([(0, 0), (0, 0), (0, 0), (0, 1)], {}, "CONV_2D", "it pads batches or channels"),
        (ROUND, {"zero_points": (1,)}, "CONV_2D", "another value than the zero point"),
        (ROUND, {"scales": (0.25,)}, "CONV_2D", "another value than the zero point"),
        (ROUND, {}, "MAX_POOL_2D", "no convolution is its only reader"),
    ],
)
def test_a_pad_that_would_change_bytes_is_kept_with_the_reason(
    pairs: list[tuple[int, int]], changes: dict[str, Any], reader: str, reason: str
) -> None:
    d, _, z = padded(pairs, changes, reader)
    graph, reasons = fuse_pad(d.graph(z))
    assert len(graph.ops) == 2
    assert reasons[0].startswith("operator 0 (PAD) kept: ") and reason in reasons[0]


def test_a_pad_whose_output_is_an_output_of_the_model_is_kept() -> None:
    d, y, z = padded(ROUND)
    graph, reasons = fuse_pad(d.graph(z, y))
    assert len(graph.ops) == 2 and "no convolution is its only reader" in reasons[0]


def test_a_pad_with_a_view_is_kept() -> None:
    d, y, z = padded(ROUND)
    view = d.tensor(d.tensors[y].elements)
    graph = replace(d.graph(z, view), views={view: y})
    assert len(fuse_pad(graph)[0].ops) == 2


def test_a_broken_pad_is_an_error_of_the_pad() -> None:
    d, _, z = padded(ROUND)
    d.tensors[2] = replace(d.tensors[2], shape=(7,), data=bytes(28))
    with pytest.raises(ModelError, match=r"operator 0 \(PAD\).*two numbers a dimension"):
        fuse_pad(d.graph(z))


# ---- fuse_activation


def activated(
    before: str, relu: str = "RELU", x: dict[str, Any] | None = None, **y: Any
) -> tuple[Draft, int, int]:
    """Return a draft of `before` and an activation, the tensor between and the output."""
    d = Draft()
    a, b = d.tensor(1, 4, 4, 2), d.tensor(1, 4, 4, 2, **(x or {}))
    d.op(before, [a, a] if before == "ADD" else [a], b, activation="NONE")
    z = d.op(relu, [b], d.tensor(1, 4, 4, 2, **(y or x or {})))
    return d, b, z


@pytest.mark.parametrize(
    ("relu", "point", "clamp"),
    [("RELU", 0, (0, 127)), ("RELU", -9, (-9, 127)), ("RELU6", -9, (-9, 3))],
)
@pytest.mark.parametrize("before", ["ADD", "CONV_2D", "AVERAGE_POOL_2D", "FULLY_CONNECTED"])
def test_an_activation_becomes_a_clamp(
    before: str, relu: str, point: int, clamp: tuple[int, int]
) -> None:
    d, _, z = activated(before, relu, {"zero_points": (point,)})
    graph, reasons = fuse_activation(d.graph(z))
    (op,) = graph.ops
    assert (op.name, op.outputs, op.options["clamp"]) == (before, (z,), clamp)
    assert reasons == [f"operator 1 ({relu}) fused into its neighbour"]


@pytest.mark.parametrize(
    ("first", "clamp"),
    [("RELU_N1_TO_1", (0, 2)), ("RELU6", (0, 12)), ("RELU", (0, 12)), ("NONE", (0, 12))],
)
def test_a_clamp_after_a_clamp_lets_through_what_both_do(
    first: str, clamp: tuple[int, int]
) -> None:
    d, _, z = activated("ADD", "RELU6")
    d.ops[0] = replace(d.ops[0], options={"activation": first})
    assert fuse_activation(d.graph(z))[0].ops[0].options["clamp"] == clamp


@pytest.mark.parametrize("changes", [{"scales": (0.25,)}, {"zero_points": (1,)}])
def test_an_activation_that_rescales_is_kept_with_the_reason(changes: dict[str, Any]) -> None:
    d, _, z = activated("ADD", "RELU", {}, **changes)
    graph, reasons = fuse_activation(d.graph(z))
    assert len(graph.ops) == 2
    assert reasons == ["operator 1 (RELU) kept: it changes the quantization"]


@pytest.mark.parametrize("before", ["MEAN", "SOFTMAX", "PAD", "RELU"])
def test_an_activation_behind_an_operator_without_a_clamp_is_kept(before: str) -> None:
    d, _, z = activated(before, "RELU6")
    graph, reasons = fuse_activation(d.graph(z))
    assert len(graph.ops) == 2
    assert "operator 1 (RELU6) kept: no operator with a clamp is its private input" in reasons


def test_an_activation_of_a_value_that_is_read_twice_is_kept() -> None:
    d, b, z = activated("ADD")
    last = d.op("ADD", [b, z], d.tensor(1, 4, 4, 2))
    assert len(fuse_activation(d.graph(last))[0].ops) == 3


def test_all_passes_together_say_which_of_them_did_what() -> None:
    d, _, z = activated("ADD")
    d.op("RELU6", [0], d.tensor(1, 4, 4, 2))
    y = d.op("RESHAPE", [z], d.tensor(32))
    graph, reasons = run_passes(d.graph(y))
    assert [op.name for op in graph.ops] == ["ADD"] and graph.views == {y: z}
    assert [reason.split(":")[0] for reason in reasons] == [
        "drop_dead",
        "drop_views",
        "fuse_activation",
    ]
