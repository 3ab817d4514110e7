# SPDX-License-Identifier: Apache-2.0
"""Layers, pools and means of int16 activations: compiled, they give the bytes of TFLM."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compile.test_operators_equal import dilation, equal, weights, windows
from tests.support.tflite_builder import ACTIVATIONS, GraphBuilder
from torpor.compile import Compiled
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 1 << 30)
SCALE = st.floats(2.0**-14, 0.5, width=32)
ACTIVATION = st.sampled_from(sorted(ACTIVATIONS))
PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
BIAS = st.sampled_from([None, "int32", "int64"])


def bias(g: GraphBuilder, seed: int, layer: tuple[int, int], count: int, dtype: str | None) -> Any:
    """Return a bias of this type, now and then one beyond what 32 bits hold, or none."""
    if dtype is None:
        return None
    top = 1 << {"int16": 15, "int32": 20, "int64": 40 if seed % 2 else 20}[dtype]
    return g.bias(*layer, np.random.default_rng(seed).integers(-top, top, count), dtype)


def flags_of(compiled: Compiled) -> int:
    """Return the flags of the last operator."""
    return int(Plan.parse(compiled.plan).ops[-1].raw[1])


@FEW
@given(
    data=st.data(),
    seed=SEEDS,
    scales=st.tuples(SCALE, SCALE),
    options=windows(),
    dtype=BIAS,
    accumulator=st.sampled_from(["float32", "int32", "int64"]),
    per_channel=st.booleans(),
)
def test_conv_2d(
    *,
    data: st.DataObject,
    seed: int,
    scales: tuple[float, float],
    options: dict[str, Any],
    dtype: str | None,
    accumulator: str,
    per_channel: bool,
) -> None:
    groups, depth = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    out_c = groups * data.draw(st.integers(1, 4))
    kernel = data.draw(PAIR)
    shape = (data.draw(st.integers(1, 2)), *(data.draw(st.integers(k, 9)) for k in kernel))
    g = GraphBuilder()
    x = g.input((*shape, groups * depth), "int16", scale=scales[0])
    w = weights(g, seed, "int8", (out_c, *kernel, depth), axis=0, per_channel=per_channel)
    options |= {"dilation": dilation(g, x, kernel, data.draw(PAIR)), "bias_type": accumulator}
    constant = bias(g, seed, (x, w), out_c, dtype)
    compiled = equal(g, g.conv_2d(x, w, constant, scale=scales[1], **options), seed)
    narrow = (dtype or accumulator) == "int32"
    assert bool(flags_of(compiled) & CONST["PLAN_OP_ACC_32"]) == narrow


@FEW
@given(
    data=st.data(),
    seed=SEEDS,
    scales=st.tuples(SCALE, SCALE),
    options=windows(),
    dtype=st.sampled_from([None, "int64"]),
    per_channel=st.booleans(),
)
def test_depthwise_conv_2d(
    *,
    data: st.DataObject,
    seed: int,
    scales: tuple[float, float],
    options: dict[str, Any],
    dtype: str | None,
    per_channel: bool,
) -> None:
    in_c, multiplier = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    kernel = data.draw(PAIR)
    shape = (data.draw(st.integers(1, 2)), *(data.draw(st.integers(k, 9)) for k in kernel))
    g = GraphBuilder()
    x = g.input((*shape, in_c), "int16", scale=scales[0])
    w = weights(g, seed, "int8", (1, *kernel, in_c * multiplier), axis=3, per_channel=per_channel)
    options["dilation"] = dilation(g, x, kernel, data.draw(PAIR))
    constant = bias(g, seed, (x, w), in_c * multiplier, dtype)
    equal(g, g.depthwise_conv_2d(x, w, constant, scale=scales[1], **options), seed)


@FEW
@given(
    image=st.tuples(st.integers(1, 2), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    out=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4)),
    kernel=PAIR,
    options=windows(),
    dtype=st.sampled_from([None, "int64", "int16"]),
    per_channel=st.booleans(),
    seed=SEEDS,
)
def test_transpose_conv(
    *,
    image: tuple[int, ...],
    out: tuple[int, int, int],
    kernel: tuple[int, int],
    options: dict[str, Any],
    dtype: str | None,
    per_channel: bool,
    seed: int,
) -> None:
    """The output has any size."""
    g = GraphBuilder()
    x = g.input(image, "int16", scale=0.001)
    w = weights(g, seed, "int8", (out[2], *kernel, image[3]), axis=0, per_channel=per_channel)
    constant = bias(g, seed, (x, w), out[2], dtype)
    equal(g, g.transpose_conv(x, w, constant, size=out[:2], scale=0.01, **options), seed)


@FEW
@given(
    seed=SEEDS,
    scales=st.tuples(SCALE, SCALE),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 300), st.integers(1, 9)),
    activation=ACTIVATION,
    dtype=BIAS,
    accumulator=st.sampled_from(["float32", "int32"]),
    per_channel=st.booleans(),
)
def test_fully_connected(
    *,
    seed: int,
    scales: tuple[float, float],
    sizes: tuple[int, int, int],
    activation: str,
    dtype: str | None,
    accumulator: str,
    per_channel: bool,
) -> None:
    batches, in_n, out_n = sizes
    g = GraphBuilder()
    x = g.input((batches, in_n), "int16", scale=scales[0])
    w = weights(g, seed, "int8", (out_n, in_n), axis=0, per_channel=per_channel)
    constant = bias(g, seed, (x, w), out_n, dtype)
    options: dict[str, Any] = {"activation": activation, "bias_type": accumulator}
    equal(g, g.fully_connected(x, w, constant, scale=scales[1], **options), seed)


@FEW
@given(
    name=st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]),
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    kernel=PAIR,
    scale=SCALE,
    options=windows(),
    seed=SEEDS,
)
def test_pool_2d(
    *,
    name: str,
    shape: tuple[int, ...],
    kernel: tuple[int, int],
    scale: float,
    options: dict[str, Any],
    seed: int,
) -> None:
    kernel = min(kernel[0], shape[0]), min(kernel[1], shape[1])
    g = GraphBuilder()
    x = g.input((2, *shape), "int16", scale=scale)
    equal(g, g.pool_2d(name, x, kernel, **options), seed)


@FEW
@given(
    shape=st.lists(st.integers(1, 7), min_size=2, max_size=4),
    scales=st.tuples(SCALE, SCALE),
    axes=st.sampled_from([(0,), (1,), (0, 1), (-1,)]),
    keep_dims=st.booleans(),
    seed=SEEDS,
)
def test_mean(
    *,
    shape: list[int],
    scales: tuple[float, float],
    axes: tuple[int, ...],
    keep_dims: bool,
    seed: int,
) -> None:
    g = GraphBuilder()
    x = g.input(shape, "int16", scale=scales[0])
    equal(g, g.mean(x, axes, scale=scales[1], keep_dims=keep_dims), seed)


@pytest.mark.parametrize("scale", [2.0**-20, 0.5, 100.0])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_factors_far_from_one(scale: float, dtype: str) -> None:
    """The output is all saturated, all zeros, or wraps as the reference does."""
    g = GraphBuilder()
    x = g.input((3, 40), "int16", scale=0.25)
    w = weights(g, 1, "int8", (5, 40), axis=0, per_channel=True)
    wide = bias(g, 1, (x, w), 5, dtype)
    if scale < 2.0**-14:
        wide = None if dtype == "int64" else wide
    y = g.fully_connected(x, w, wide, scale=max(scale, 2.0**-14))
    equal(g, y, 3)


def test_a_long_sum_of_the_largest_products_needs_more_than_32_bits() -> None:
    g = GraphBuilder()
    x = g.input((1, 3000), "int16", scale=0.001)
    w = g.constant(np.full((2, 3000), [[127], [-127]], np.int8), scale=0.01)
    assert 3000 * 127 * 32767 > 1 << 33
    equal(g, g.fully_connected(x, w, scale=4.0), 2)


def test_a_chain_of_int16_layers_in_a_small_arena() -> None:
    """Layers trail their inputs, at even offsets."""
    g = GraphBuilder()
    x = g.input((1, 7, 5, 3), "int16", scale=0.001)
    w = weights(g, 1, "int8", (6, 3, 3, 3), axis=0, per_channel=True)
    a = g.conv_2d(x, w, bias(g, 1, (x, w), 6, "int64"), scale=0.01)
    k = weights(g, 2, "int8", (1, 3, 2, 6), axis=3, per_channel=True)
    b = g.depthwise_conv_2d(a, k, bias(g, 2, (a, k), 6, "int64"), scale=0.02, activation="relu")
    c = g.pool_2d("AVERAGE_POOL_2D", b, (2, 2), stride=(2, 2))
    d = g.pool_2d("MAX_POOL_2D", c, (2, 1))
    e = g.mean(d, (1, 2), scale=0.02)
    v = weights(g, 3, "int8", (5, 6), axis=0, per_channel=False)
    compiled = equal(g, g.fully_connected(e, v, bias(g, 3, (e, v), 5, "int32"), scale=0.1), 5)
    plan = Plan.parse(compiled.plan)
    assert all(t["offset"] % 2 == 0 for t in plan.tensors)
    assert sum(op.raw[1] & CONST["PLAN_OP_OVERLAP"] for op in plan.ops) > 1
    assert plan.header["arena_bytes"] < 2 * (7 * 5 * 6 * 2)
