# SPDX-License-Identifier: Apache-2.0
"""Each pass does what it says, tells why, and changes no output byte."""

from typing import Any

import numpy as np
import pytest

from tests.support.small_models import codes, mismatches
from tests.support.tflite_builder import GraphBuilder
from torpor.compile import compile_model
from torpor.compile.passes import drop_dead, drop_views, run_passes
from torpor.graph import read_tflite


def fused(model: bytes) -> list[str]:
    """Compile, check the bytes against TFLM, and return the kernels in order."""
    compiled = compile_model(model)
    assert mismatches(model, compiled, 12, 0) == []
    return [op.kernel for op in compiled.report.ops]


def padded_conv(
    *, value: int | None = None, channels: int = 0, padding: str = "valid", depthwise: bool = False
) -> bytes:
    rng = np.random.default_rng(1)
    g = GraphBuilder()
    x = g.input((1, 6, 5, 2), scale=0.1, zero_point=-4)
    y = g.pad(x, [(0, 0), (1, 2), (0, 1), (0, channels)], value)
    options: dict[str, Any] = {"scale": 0.7, "padding": padding, "stride": (2, 1)}
    if depthwise:
        w = g.constant(codes(rng, (1, 3, 2, 2)), scale=[0.1, 0.2], axis=3)
        return g.build([g.depthwise_conv_2d(y, w, **options)])
    w = g.constant(codes(rng, (3, 3, 2, 2 + channels)), scale=0.1)
    return g.build([g.conv_2d(y, w, **options)])


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("depthwise", [False, True])
def test_a_pad_is_fused_into_a_convolution(padding: str, depthwise: bool) -> None:
    kernels = fused(padded_conv(padding=padding, depthwise=depthwise))
    assert kernels == ["DEPTHWISE_CONV_2D_S8" if depthwise else "CONV_2D_S8"]


def test_a_pad_by_the_zero_point_is_fused_too() -> None:
    assert fused(padded_conv(value=-4)) == ["CONV_2D_S8"]


@pytest.mark.parametrize("change", [{"value": 3}, {"channels": 1}])
def test_a_pad_that_counts_is_kept(change: dict[str, int]) -> None:
    model = padded_conv(**change)  # type: ignore[arg-type]
    assert fused(model) == ["PAD_S8", "CONV_2D_S8"]
    assert any(
        "fuse_pad: operator 0" in r and "kept" in r for r in compile_model(model).report.passes
    )


def test_a_pad_that_others_read_is_kept() -> None:
    g = GraphBuilder()
    x = g.input((1, 4, 4, 1), scale=0.1)
    y = g.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    w = g.constant(np.ones((1, 3, 3, 1)), scale=0.1)
    assert fused(g.build([g.conv_2d(y, w, scale=0.5), y])) == ["PAD_S8", "CONV_2D_S8"]


@pytest.mark.parametrize("relu", ["RELU", "RELU6"])
@pytest.mark.parametrize("first", ["none", "relu", "relu6", "relu_n1_to_1"])
def test_an_activation_is_fused_where_the_quantization_stays(relu: str, first: str) -> None:
    g = GraphBuilder()
    x = g.input((1, 3, 5), scale=0.1)
    y = g.add(x, x, scale=0.06, zero_point=-20, activation=first)
    assert fused(g.build([g.unary(relu, y)])) == ["ADD_S8"]


def test_two_activations_are_fused_one_after_the_other() -> None:
    g = GraphBuilder()
    x = g.input((1, 30), scale=0.1)
    y = g.add(x, x, scale=0.06, zero_point=-20)
    assert fused(g.build([g.unary("RELU", g.unary("RELU6", y))])) == ["ADD_S8"]


def test_an_activation_that_rescales_is_kept() -> None:
    g = GraphBuilder()
    x = g.input((1, 30), scale=0.1)
    y = g.add(x, x, scale=0.06)
    assert fused(g.build([g.unary("RELU", y, scale=0.05)])) == ["ADD_S8", "RELU_S8"]


def test_an_activation_of_an_input_or_of_a_shared_tensor_is_kept() -> None:
    g = GraphBuilder()
    x = g.input((1, 30), scale=0.1)
    y = g.add(x, g.unary("RELU", x), scale=0.06)
    assert fused(g.build([g.unary("RELU", y), y])) == ["RELU_S8", "ADD_S8", "RELU_S8"]


def test_operators_that_nobody_reads_are_dropped() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    g.unary("RELU", g.unary("RELU6", x))
    graph, reasons = drop_dead(read_tflite(g.build([g.add(x, x, scale=0.1)])))
    assert [op.name for op in graph.ops] == ["ADD"]
    assert len(reasons) == 2


def test_reshapes_become_views() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    y = g.reshape(g.reshape(g.unary("RELU", x), (2, 2)), (4,))
    graph, reasons = drop_views(read_tflite(g.build([y])))
    assert [op.name for op in graph.ops] == ["RELU"]
    assert graph.root(y) == graph.ops[0].outputs[0]
    assert len(reasons) == 2


def test_passes_without_work_have_nothing_to_say() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    graph = read_tflite(g.build([g.add(x, x, scale=0.1)]))
    assert run_passes(graph) == (graph, [])
