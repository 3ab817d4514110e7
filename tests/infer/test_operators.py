# SPDX-License-Identifier: Apache-2.0
"""Each operator with random shapes, codes and scales gives tflite_micro's bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.tflite_builder import GraphBuilder
from torpor.compile import compile_model
from torpor.engine import Engine
from torpor.golden import Golden

EXAMPLES = settings(max_examples=40, deadline=None)
ACTIVATIONS = st.sampled_from(["none", "relu", "relu6", "relu_n1_to_1"])
codes = st.integers(-128, 127)
scales = st.floats(0.002, 0.5)
seeds = st.integers(0, 1 << 16)
sizes = st.integers(1, 7)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
weight_types = st.sampled_from(["int8", "int4"])


def inputs_for(shapes: Sequence[tuple[int, ...]], seed: int) -> list[list[NDArray[np.int8]]]:
    """Random, smallest, largest and sparse inputs."""
    random = np.random.default_rng(seed)
    sets = [[random.integers(-128, 128, s).astype(np.int8) for s in shapes] for _ in range(3)]
    sets.append([np.full(s, -128, np.int8) for s in shapes])
    sets.append([np.full(s, 127, np.int8) for s in shapes])
    sets.append([np.where(random.random(s) < 0.1, 127, -3).astype(np.int8) for s in shapes])
    return sets


def assert_same_bytes(graph: GraphBuilder, outputs: Sequence[int], seed: int) -> None:
    tflite = graph.build(outputs)
    golden = Golden(tflite)
    engine = Engine(compile_model(tflite).plan, sanitize=True)
    for inputs in inputs_for([i.shape for i in engine.inputs], seed):
        expected, found = golden.invoke(inputs), engine.invoke(inputs)
        for wanted, got in zip(expected, found, strict=True):
            np.testing.assert_array_equal(got, wanted)


def weights(
    graph: GraphBuilder, shape: tuple[int, ...], kind: str, axis: int | None, seed: int
) -> int:
    """Random weights; `axis` None is one scale for all."""
    random = np.random.default_rng(seed)
    most = 127 if kind == "int8" else 7
    values = random.integers(-most, most + 1, shape)
    if axis is None:
        return graph.constant(values, kind, scale=0.02)
    return graph.constant(
        values, kind, scale=[float(s) for s in random.uniform(0.001, 0.05, shape[axis])], axis=axis
    )


def bias_for(graph: GraphBuilder, x: int, w: int, n: int, *, seed: int, wanted: bool) -> int | None:
    if not wanted:
        return None
    return graph.bias(x, w, np.random.default_rng(seed).integers(-3000, 3000, n))


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    """Padding, stride, dilation and activation that fit a 9 x 8 input and kernels up to 3 x 3."""
    return {
        "padding": draw(st.sampled_from(["same", "valid"])),
        "stride": draw(pairs),
        "dilation": draw(pairs),
        "activation": draw(ACTIVATIONS),
        "scale": draw(scales),
        "zero_point": draw(codes),
    }


@EXAMPLES
@given(
    kind=weight_types,
    groups=st.integers(1, 3),
    depth=sizes,
    per_group=st.integers(1, 3),
    kernel=pairs,
    window=windows(),
    batches=st.integers(1, 2),
    zero=codes,
    with_bias=st.booleans(),
    seed=seeds,
)
def test_conv_2d_equals_the_golden_bytes(
    *,
    kind: str,
    groups: int,
    depth: int,
    per_group: int,
    kernel: tuple[int, int],
    window: dict[str, Any],
    batches: int,
    zero: int,
    with_bias: bool,
    seed: int,
) -> None:
    graph = GraphBuilder()
    x = graph.input((batches, 9, 8, depth * groups), scale=0.04, zero_point=zero)
    out = per_group * groups
    w = weights(graph, (out, *kernel, depth), kind, 0, seed)
    y = graph.conv_2d(x, w, bias_for(graph, x, w, out, seed=seed, wanted=with_bias), **window)
    assert_same_bytes(graph, [y], seed)


@EXAMPLES
@given(
    kind=weight_types,
    depth=sizes,
    multiplier=st.integers(1, 3),
    kernel=pairs,
    window=windows(),
    batches=st.integers(1, 2),
    zero=codes,
    with_bias=st.booleans(),
    seed=seeds,
)
def test_depthwise_conv_2d_equals_the_golden_bytes(
    *,
    kind: str,
    depth: int,
    multiplier: int,
    kernel: tuple[int, int],
    window: dict[str, Any],
    batches: int,
    zero: int,
    with_bias: bool,
    seed: int,
) -> None:
    graph = GraphBuilder()
    x = graph.input((batches, 9, 8, depth), scale=0.04, zero_point=zero)
    out = depth * multiplier
    w = weights(graph, (1, *kernel, out), kind, 3, seed)
    y = graph.depthwise_conv_2d(
        x, w, bias_for(graph, x, w, out, seed=seed, wanted=with_bias), **window
    )
    assert_same_bytes(graph, [y], seed)


@EXAMPLES
@given(
    kind=st.sampled_from([("int8", None), ("int8", 0), ("int4", None)]),
    batches=st.integers(1, 3),
    n=st.integers(1, 40),
    out=st.integers(1, 9),
    points=st.tuples(codes, codes),
    scale=scales,
    activation=ACTIVATIONS,
    with_bias=st.booleans(),
    seed=seeds,
)
def test_fully_connected_equals_the_golden_bytes(
    *,
    kind: tuple[str, int | None],
    batches: int,
    n: int,
    out: int,
    points: tuple[int, int],
    scale: float,
    activation: str,
    with_bias: bool,
    seed: int,
) -> None:
    graph = GraphBuilder()
    x = graph.input((batches, n), scale=0.04, zero_point=points[0])
    w = weights(graph, (out, n), *kind, seed)
    y = graph.fully_connected(
        x,
        w,
        bias_for(graph, x, w, out, seed=seed, wanted=with_bias),
        scale=scale,
        zero_point=points[1],
        activation=activation,
    )
    assert_same_bytes(graph, [y], seed)


@EXAMPLES
@given(
    name=st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]),
    shape=st.tuples(st.integers(1, 2), st.integers(3, 8), st.integers(3, 8), sizes),
    kernel=pairs,
    stride=pairs,
    padding=st.sampled_from(["same", "valid"]),
    activation=ACTIVATIONS,
    zero=codes,
    seed=seeds,
)
def test_pools_equal_the_golden_bytes(
    *,
    name: str,
    shape: tuple[int, ...],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: str,
    activation: str,
    zero: int,
    seed: int,
) -> None:
    graph = GraphBuilder()
    x = graph.input(shape, scale=0.04, zero_point=zero)
    y = graph.pool_2d(name, x, kernel, stride=stride, padding=padding, activation=activation)
    assert_same_bytes(graph, [y], seed)


@EXAMPLES
@given(
    shape=st.tuples(st.integers(1, 2), sizes, sizes, sizes),
    axes=st.sampled_from([[1, 2], [3], [2, 3], [1], [2]]),
    points=st.tuples(codes, codes),
    scale=scales,
    keep_dims=st.booleans(),
    seed=seeds,
)
def test_mean_equals_the_golden_bytes(
    *,
    shape: tuple[int, ...],
    axes: list[int],
    points: tuple[int, int],
    scale: float,
    keep_dims: bool,
    seed: int,
) -> None:
    graph = GraphBuilder()
    x = graph.input(shape, scale=0.04, zero_point=points[0])
    y = graph.mean(x, axes, scale=scale, zero_point=points[1], keep_dims=keep_dims)
    assert_same_bytes(graph, [y], seed)


@EXAMPLES
@given(
    shape=st.tuples(st.integers(1, 3), sizes, sizes, sizes),
    squeezed=st.tuples(*[st.booleans()] * 4),
    input_scales=st.tuples(scales, scales),
    points=st.tuples(codes, codes, codes),
    stretch=st.floats(0.05, 4),
    activation=ACTIVATIONS,
    seed=seeds,
)
def test_add_with_broadcasting_equals_the_golden_bytes(
    *,
    shape: tuple[int, ...],
    squeezed: tuple[bool, ...],
    input_scales: tuple[float, float],
    points: tuple[int, int, int],
    stretch: float,
    activation: str,
    seed: int,
) -> None:
    graph = GraphBuilder()
    a = graph.input(shape, scale=input_scales[0], zero_point=points[0])
    other = tuple(1 if s else n for s, n in zip(squeezed, shape, strict=True))
    b = graph.input(other, scale=input_scales[1], zero_point=points[1])
    scale = max(input_scales) * stretch
    y = graph.add(a, b, scale=scale, zero_point=points[2], activation=activation)
    assert_same_bytes(graph, [y], seed)


@EXAMPLES
@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    amounts=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=4),
    value=st.one_of(st.none(), codes),
    zero=codes,
    seed=seeds,
)
def test_pad_equals_the_golden_bytes(
    *, shape: list[int], amounts: list[tuple[int, int]], value: int | None, zero: int, seed: int
) -> None:
    graph = GraphBuilder()
    x = graph.input(shape, scale=0.04, zero_point=zero)
    y = graph.pad(x, amounts[: len(shape)], value)
    assert_same_bytes(graph, [y], seed)


@EXAMPLES
@given(
    rows=st.integers(1, 4),
    depth=st.integers(1, 300),
    scale=st.floats(0.0005, 8),
    beta=st.sampled_from([0.25, 1.0, 3.0]),
    zero=codes,
    seed=seeds,
)
def test_softmax_equals_the_golden_bytes(
    *, rows: int, depth: int, scale: float, beta: float, zero: int, seed: int
) -> None:
    graph = GraphBuilder()
    x = graph.input((rows, depth), scale=scale, zero_point=zero)
    assert_same_bytes(graph, [graph.softmax(x, beta)], seed)


@EXAMPLES
@given(
    name=st.sampled_from(["RELU", "RELU6"]),
    points=st.tuples(codes, codes),
    ratio=st.floats(0.3, 3),
    seed=seeds,
)
def test_activations_equal_the_golden_bytes(
    *, name: str, points: tuple[int, int], ratio: float, seed: int
) -> None:
    graph = GraphBuilder()
    # The reference refuses a RELU6 whose 6 is not an int8 code, and does not rescale it.
    x = graph.input((3, 5), scale=0.06, zero_point=min(points[0], 20))
    change: dict[str, Any] = (
        {"scale": 0.06 * ratio, "zero_point": points[1]} if name == "RELU" else {}
    )
    y = graph.unary(name, x, **change)
    assert_same_bytes(graph, [y], seed)


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_a_network_of_every_operator_equals_the_golden_bytes(kind: str) -> None:
    graph = GraphBuilder()
    x = graph.input((1, 12, 10, 3), scale=0.04, zero_point=-7)
    w = weights(graph, (8, 3, 3, 3), kind, 0, 1)
    first = graph.conv_2d(x, w, graph.bias(x, w, range(8)), scale=0.1, stride=(2, 2))
    w = weights(graph, (1, 3, 3, 8), kind, 3, 2)
    y = graph.depthwise_conv_2d(first, w, scale=0.06, zero_point=-128, activation="relu6")
    w = weights(graph, (8, 1, 1, 8), kind, 0, 3)
    y = graph.conv_2d(y, w, scale=0.07, zero_point=3)
    y = graph.add(first, y, scale=0.11, zero_point=-4, activation="relu")
    y = graph.pad(y, [(0, 0), (1, 0), (0, 1), (0, 0)])
    y = graph.pool_2d("MAX_POOL_2D", y, (2, 2), stride=(2, 2))
    pooled = graph.pool_2d("AVERAGE_POOL_2D", y, (2, 2), padding="same")
    y = graph.mean(pooled, [1, 2], scale=0.05, zero_point=1)
    w = weights(graph, (5, 8), kind, None, 4)
    y = graph.fully_connected(y, w, graph.bias(y, w, range(5)), scale=0.2)
    y = graph.softmax(graph.reshape(graph.unary("RELU", y), (5, 1)[::-1]))
    assert_same_bytes(graph, [y, pooled], 5)
