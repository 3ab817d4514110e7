# SPDX-License-Identifier: Apache-2.0
"""Kernels on records that the compiler seldom or never makes, against models in plain Python."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.infer.test_arithmetic import doubling_high_mul, rounding_shr, wrap
from tests.support.plans import (
    ACC_32,
    OVERLAP,
    PER_TENSOR,
    RANGE,
    RANGE_16,
    PlanBuilder,
    channel_block,
    channel_block_64,
    one_op,
)
from torpor.engine import Engine

Codes = NDArray[np.int8]
Arguments = dict[str, Any] | Callable[[PlanBuilder], dict[str, Any]]
EXAMPLES = settings(max_examples=60, deadline=None)
codes = st.integers(-128, 127)
sizes = st.integers(1, 3)
seeds = st.integers(0, 1 << 16)


def requantize(x: int, multiplier: int, shift: int) -> int:
    """As requantize.h says it."""
    high = doubling_high_mul(wrap(x << max(shift, 0)), multiplier)
    return rounding_shr(high, max(-shift, 0))


def clamp(x: int, low: int = -128, high: int = 127) -> int:
    return min(max(x, low), high)


def random_codes(seed: int, count: int) -> Codes:
    return np.random.default_rng(seed).integers(-128, 128, count).astype(np.int8)


def random_codes16(seed: int, count: int) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-(1 << 15), 1 << 15, count).astype(np.int16)


def run16(
    name: str, x: NDArray[np.int16], count: int, values: Arguments, flags: int = 0
) -> list[int]:
    """As `run`, for int16 codes; `values` may be a function of the plan's builder."""
    arguments = values if callable(values) else lambda _: values
    plan = one_op(name, [2 * len(x), 2 * count], arguments, flags).build()
    y = Engine(plan, sanitize=True).invoke([x.view(np.int8)])[0]
    return [int(code) for code in y.view(np.int16)]


def run(name: str, inputs: Sequence[Codes], count: int, values: dict[str, Any]) -> list[int]:
    """The codes that operator `name` makes of its inputs."""
    plan = one_op(name, [*(len(x) for x in inputs), count], lambda _: values).build()
    return [int(code) for code in Engine(plan, sanitize=True).invoke(list(inputs))[0]]


rescales = st.fixed_dictionaries(
    {"multiplier": st.integers(1 << 30, (1 << 31) - 1), "shift": st.integers(-8, 1)}
)


@EXAMPLES
@given(
    dims=st.tuples(sizes, sizes, sizes, sizes),
    strides=st.tuples(*[st.tuples(*[st.integers(0, 5)] * 4)] * 2),
    left_shift=st.integers(0, 22),
    points=st.tuples(codes, codes, codes),
    factors=st.tuples(rescales, rescales, rescales),
    bounds=st.tuples(codes, codes).map(sorted),
    seed=seeds,
)
def test_an_addition_follows_any_strides(
    *,
    dims: tuple[int, ...],
    strides: tuple[tuple[int, ...], ...],
    left_shift: int,
    points: tuple[int, int, int],
    factors: tuple[dict[str, int], ...],
    bounds: list[int],
    seed: int,
) -> None:
    lengths = [1 + sum((d - 1) * s for d, s in zip(dims, each, strict=True)) for each in strides]
    a, b = (random_codes(seed + i, length) for i, length in enumerate(lengths))
    found = run(
        "ADD_S8",
        [a, b],
        int(np.prod(dims)),
        {
            "left_shift": left_shift,
            "dims": list(dims),
            "a_strides": list(strides[0]),
            "b_strides": list(strides[1]),
            **dict(zip(("a_zero_point", "b_zero_point", "y_zero_point"), points, strict=True)),
            **dict(zip(("a_rescale", "b_rescale", "y_rescale"), factors, strict=True)),
            "act_min": bounds[0],
            "act_max": bounds[1],
        },
    )
    expected = []
    for index in itertools.product(*map(range, dims)):
        total = 0
        for x, each, point, factor in zip((a, b), strides, points, factors, strict=False):
            code = int(x[sum(i * s for i, s in zip(index, each, strict=True))])
            total += requantize(wrap((code - point) << left_shift), **factor)
        y = wrap(requantize(wrap(total), **factors[2]) + points[2])
        expected.append(clamp(y, *bounds))
    assert found == expected


@EXAMPLES
@given(
    dims=st.lists(st.integers(1, 4), min_size=5, max_size=5),
    strides=st.lists(st.integers(-6, 6), min_size=5, max_size=5),
    seed=seeds,
)
def test_a_strided_copy_follows_any_strides(
    *, dims: list[int], strides: list[int], seed: int
) -> None:
    reach = [(d - 1) * s for d, s in zip(dims, strides, strict=True)]
    start = -sum(r for r in reach if r < 0)
    x = random_codes(seed, start + sum(r for r in reach if r > 0) + 1)
    found = run(
        "STRIDED_COPY_S8",
        [x],
        int(np.prod(dims)),
        {"count": x.size, "start": start, "dims": dims, "strides": strides},
    )
    places = [
        start + sum(i * s for i, s in zip(index, strides, strict=True))
        for index in itertools.product(*map(range, dims))
    ]
    assert found == [int(x[p]) for p in places]


@EXAMPLES
@given(
    dims=st.lists(st.integers(1, 4), min_size=5, max_size=5),
    more=st.lists(st.integers(0, 5), min_size=5, max_size=5),
    start=st.integers(0, 3),
    seed=seeds,
)
def test_a_strided_copy_in_place_gives_the_same_bytes(
    *, dims: list[int], more: list[int], start: int, seed: int
) -> None:
    steps = [int(np.prod(dims[i + 1 :])) for i in range(5)]
    strides = [s + m for s, m in zip(steps, more, strict=True)]
    count = start + 1 + sum((d - 1) * s for d, s in zip(dims, strides, strict=True))
    values = {"count": count, "start": start, "dims": dims, "strides": strides}
    sizes_of = [count, int(np.prod(dims))]
    apart = one_op("STRIDED_COPY_S8", sizes_of, lambda _: values).build()
    inside = one_op("STRIDED_COPY_S8", sizes_of, lambda _: values, OVERLAP, [0, 0]).build()
    x = random_codes(seed, count)
    found = [Engine(plan, sanitize=True).invoke([x])[0].tolist() for plan in (apart, inside)]
    assert found[0] == found[1]


@EXAMPLES
@given(table=st.permutations(range(256)), seed=seeds)
def test_a_table_is_indexed_from_the_smallest_code_on(table: list[int], seed: int) -> None:
    x = random_codes(seed, 300)
    codes_of = np.array(table, np.uint8).view(np.int8)
    plan = one_op(
        "LUT_S8", [300, 300], lambda p: {"count": 300, "constant": p.put(codes_of.tobytes())}
    )
    found = Engine(plan.build(), sanitize=True).invoke([x])[0]
    np.testing.assert_array_equal(found, codes_of[x.astype(int) + 128])


@EXAMPLES
@given(
    dims=st.tuples(sizes, st.integers(1, 9), sizes),
    points=st.tuples(codes, codes, codes),
    factors=st.lists(rescales, min_size=3, max_size=3),
    per_tensor=st.booleans(),
    seed=seeds,
)
def test_a_fully_connected_layer_has_one_rescale_a_channel_or_one_for_all(
    *,
    dims: tuple[int, int, int],
    points: tuple[int, int, int],
    factors: list[dict[str, int]],
    per_tensor: bool,
    seed: int,
) -> None:
    batches, in_n, out_n = dims
    x, w = random_codes(seed, batches * in_n), random_codes(seed + 1, out_n * in_n)
    bias = [1000 * n - 900 for n in range(out_n)]
    factors = factors[: 1 if per_tensor else out_n]

    def arguments(plan: PlanBuilder) -> dict[str, Any]:
        multipliers, shifts = ([f[key] for f in factors] for key in ("multiplier", "shift"))
        names = ("x_zero_point", "w_zero_point", "y_zero_point")
        return {
            **dict(zip(("batches", "in_n", "out_n"), dims, strict=True)),
            **dict(zip(names, points, strict=True)),
            **RANGE,
            "weights": plan.put(w.tobytes()),
            "channels": plan.put(channel_block(bias, multipliers, shifts)),
        }

    flags = PER_TENSOR if per_tensor else 0
    plan = one_op("FULLY_CONNECTED_S8", [x.size, batches * out_n], arguments, flags).build()
    found = Engine(plan, sanitize=True).invoke([x])[0].tolist()
    product = (x.reshape(batches, in_n).astype(int) - points[0]) @ (
        w.reshape(out_n, in_n).astype(int).T - points[1]
    )
    expected = []
    for row in product:
        for out, total in enumerate(row):
            y = requantize(int(total) + bias[out], **factors[0 if per_tensor else out])
            expected.append(clamp(wrap(y + points[2])))
    assert found == expected


factors_64 = st.fixed_dictionaries(
    {"multiplier": st.integers(1 << 14, (1 << 15) - 1), "shift": st.integers(-12, 2)}
)


def requantize_64(x: int, multiplier: int, shift: int) -> int:
    """As requantize.h says it, of products that fit."""
    return wrap((x * multiplier + (1 << (14 - shift))) >> (15 - shift))


@dataclass(frozen=True)
class Rescales:
    """The channel block of int16 layers: its kind, its numbers, and what they do."""

    factors: list[dict[str, int]]
    bias: list[int]
    narrow: bool
    per_tensor: bool

    @property
    def flags(self) -> int:
        return ACC_32 * self.narrow | PER_TENSOR * self.per_tensor

    def block(self) -> bytes:
        used = self.factors[:1] if self.per_tensor else self.factors
        multipliers = [f["multiplier"] << 16 * self.narrow for f in used]
        shifts = [f["shift"] for f in used]
        return (channel_block if self.narrow else channel_block_64)(self.bias, multipliers, shifts)

    def output(self, channel: int, total: int) -> int:
        factor = self.factors[0 if self.per_tensor else channel]
        acc = total + self.bias[channel]
        if self.narrow:
            return requantize(wrap(acc), factor["multiplier"] << 16, factor["shift"])
        return requantize_64(acc, **factor)


@st.composite
def channel_blocks(draw: st.DrawFn, channels: int, *, narrow: bool | None = None) -> Rescales:
    narrow = draw(st.booleans()) if narrow is None else narrow
    top = (1 << 30) - 1 if narrow else 1 << 36
    return Rescales(
        draw(st.lists(factors_64, min_size=channels, max_size=channels)),
        draw(st.lists(st.integers(-top, top), min_size=channels, max_size=channels)),
        narrow,
        draw(st.booleans()),
    )


bounds_16 = st.tuples(*[st.integers(-(1 << 15), (1 << 15) - 1)] * 2).map(sorted)


@EXAMPLES
@given(
    data=st.data(), dims=st.tuples(sizes, st.integers(1, 9), sizes), bounds=bounds_16, seed=seeds
)
def test_a_fully_connected_layer_of_int16(
    *, data: st.DataObject, dims: tuple[int, int, int], bounds: list[int], seed: int
) -> None:
    batches, in_n, out_n = dims
    x, w = random_codes16(seed, batches * in_n), random_codes(seed + 1, out_n * in_n)
    rescales_of = data.draw(channel_blocks(out_n))

    def arguments(plan: PlanBuilder) -> dict[str, Any]:
        return {
            **dict(zip(("batches", "in_n", "out_n"), dims, strict=True)),
            **dict(zip(("act_min", "act_max"), bounds, strict=True)),
            "weights": plan.put(w.tobytes()),
            "channels": plan.put(rescales_of.block()),
        }

    found = run16("FULLY_CONNECTED_S16", x, batches * out_n, arguments, rescales_of.flags)
    product = x.reshape(batches, in_n).astype(int) @ w.reshape(out_n, in_n).astype(int).T
    expected = [rescales_of.output(c, int(t)) for row in product for c, t in enumerate(row)]
    assert found == [clamp(y, *bounds) for y in expected]


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, int]:
    """Any window, also one that lies in the padding; depthwise is the groups' one extreme."""
    c = {"batches": draw(st.integers(1, 2)), "pad_top": draw(st.integers(0, 4))}
    c["pad_left"] = draw(st.integers(0, 4))
    for axis in "hw":
        for name in ("kernel", "stride", "dilation"):
            c[f"{name}_{axis}"] = draw(sizes)
        c[f"in_{axis}"], c[f"out_{axis}"] = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    groups = draw(sizes)
    return c | {"groups": groups, "in_c": groups * draw(sizes), "out_c": groups * draw(sizes)}


def convolved(c: dict[str, int], x: NDArray[np.int16], w: Codes) -> list[tuple[int, int]]:
    """(channel, sum of products) of each output; w is [out_c, kernel_h, kernel_w, depth]."""
    image = x.reshape(c["batches"], c["in_h"], c["in_w"], c["in_c"]).astype(int)
    depth, siblings = c["in_c"] // c["groups"], c["out_c"] // c["groups"]
    found = []
    for b, oy, ox, out in np.ndindex(c["batches"], c["out_h"], c["out_w"], c["out_c"]):
        first, total = out // siblings * depth, 0
        for ky, kx in np.ndindex(c["kernel_h"], c["kernel_w"]):
            i = oy * c["stride_h"] - c["pad_top"] + ky * c["dilation_h"]
            j = ox * c["stride_w"] - c["pad_left"] + kx * c["dilation_w"]
            if 0 <= i < c["in_h"] and 0 <= j < c["in_w"]:
                total += int(image[b, i, j, first : first + depth] @ w[out, ky, kx].astype(int))
        found.append((out, total))
    return found


@EXAMPLES
@given(data=st.data(), c=convolutions(), depthwise=st.booleans(), bounds=bounds_16, seed=seeds)
def test_a_convolution_of_int16(
    *, data: st.DataObject, c: dict[str, int], depthwise: bool, bounds: list[int], seed: int
) -> None:
    if depthwise:
        c |= {"groups": c["in_c"], "out_c": c["in_c"] * (c["out_c"] // c["groups"])}
    rescales_of = data.draw(channel_blocks(c["out_c"], narrow=False if depthwise else None))
    expect_convolution(c, rescales_of, bounds, seed, depthwise=depthwise)


@pytest.mark.parametrize(("in_c", "out_c"), [(1, 1), (1, 3), (2, 4)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_few_channels_of_int16_may_feed_many(in_c: int, out_c: int, dilation: int) -> None:
    c = {f"{n}_{axis}": v for n, v in (("in", 5), ("out", 4), ("kernel", 3)) for axis in "hw"}
    c |= {"batches": 1, "pad_top": 1, "pad_left": 1, "stride_h": 1, "stride_w": 1}
    c |= {"dilation_h": 1, "dilation_w": dilation, "groups": in_c, "in_c": in_c, "out_c": out_c}
    factors = [{"multiplier": (1 << 14) + i, "shift": -8} for i in range(out_c)]
    rescales_of = Rescales(factors, list(range(out_c)), narrow=False, per_tensor=False)
    for depthwise in (False, True):
        expect_convolution(c, rescales_of, [-(1 << 15), (1 << 15) - 1], 4, depthwise=depthwise)


def expect_convolution(
    c: dict[str, int], rescales_of: Rescales, bounds: list[int], seed: int, *, depthwise: bool
) -> None:
    """The kernel gives what `convolved` and the rescales say, on random codes and weights."""
    shape = c["out_c"], c["kernel_h"], c["kernel_w"], c["in_c"] // c["groups"]
    x = random_codes16(seed, c["batches"] * c["in_h"] * c["in_w"] * c["in_c"])
    w = random_codes(seed + 1, int(np.prod(shape))).reshape(shape)

    def arguments(plan: PlanBuilder) -> dict[str, Any]:
        values = {k: v for k, v in c.items() if k != "groups" or not depthwise}
        if depthwise:
            values["multiplier"] = c["out_c"] // c["in_c"]
        packed = np.moveaxis(w[..., 0], 0, -1) if depthwise else w
        return {
            **values,
            **dict(zip(("act_min", "act_max"), bounds, strict=True)),
            "weights": plan.put(packed.tobytes()),
            "channels": plan.put(rescales_of.block()),
        }

    name = "DEPTHWISE_CONV_2D_S16" if depthwise else "CONV_2D_S16"
    count = c["batches"] * c["out_h"] * c["out_w"] * c["out_c"]
    found = run16(name, x, count, arguments, rescales_of.flags)
    expected = [rescales_of.output(out, total) for out, total in convolved(c, x, w)]
    assert found == [clamp(y, *bounds) for y in expected]


def spread(c: dict[str, int], x: NDArray[np.int16], w: Codes) -> NDArray[np.int64]:
    """Sums of a TRANSPOSE_CONV, each input pixel spread over the output as the reference does."""
    image = x.reshape(c["batches"], c["in_h"], c["in_w"], c["in_c"]).astype(np.int64)
    y = np.zeros((c["batches"], c["out_h"], c["out_w"], c["out_c"]), np.int64)
    for b, i, j in np.ndindex(c["batches"], c["in_h"], c["in_w"]):
        for ky, kx in np.ndindex(c["kernel_h"], c["kernel_w"]):
            row = i * c["stride_h"] + ky - c["pad_top"]
            column = j * c["stride_w"] + kx - c["pad_left"]
            if 0 <= row < c["out_h"] and 0 <= column < c["out_w"]:
                y[b, row, column] += w[:, ky, kx].astype(np.int64) @ image[b, i, j]
    return y


@EXAMPLES
@given(data=st.data(), c=convolutions(), bounds=bounds_16, seed=seeds)
def test_a_transposed_convolution_of_int16(
    *, data: st.DataObject, c: dict[str, int], bounds: list[int], seed: int
) -> None:
    c = {k: v for k, v in c.items() if not k.startswith(("groups", "dilation"))}
    shape = c["out_c"], c["kernel_h"], c["kernel_w"], c["in_c"]
    x = random_codes16(seed, c["batches"] * c["in_h"] * c["in_w"] * c["in_c"])
    w = random_codes(seed + 1, int(np.prod(shape))).reshape(shape)
    rescales_of = data.draw(channel_blocks(c["out_c"], narrow=False))

    def arguments(plan: PlanBuilder) -> dict[str, Any]:
        return {
            **c,
            **dict(zip(("act_min", "act_max"), bounds, strict=True)),
            "weights": plan.put(w.tobytes()),
            "channels": plan.put(rescales_of.block()),
        }

    count = c["batches"] * c["out_h"] * c["out_w"] * c["out_c"]
    found = run16("TRANSPOSE_CONV_S16", x, count, arguments, rescales_of.flags)
    sums = spread(c, x, w).reshape(-1, c["out_c"])
    expected = [rescales_of.output(o, int(total)) for row in sums for o, total in enumerate(row)]
    assert found == [clamp(y, *bounds) for y in expected]


@EXAMPLES
@given(
    shape=st.tuples(sizes, st.integers(1, 40), sizes),
    multiplier=st.integers(0, (1 << 31) - 1),
    shift=st.integers(-12, 3),
    seed=seeds,
)
def test_a_mean_of_int16(
    *, shape: tuple[int, int, int], multiplier: int, shift: int, seed: int
) -> None:
    outer, reduced, inner = shape
    x = random_codes16(seed, outer * reduced * inner)
    values = {"outer": outer, "reduced": reduced, "inner": inner}
    rescale = {"rescale": {"multiplier": multiplier, "shift": shift}}
    found = run16("MEAN_S16", x, outer * inner, values | rescale)
    sums = x.reshape(shape).astype(int).sum(axis=1).reshape(-1)
    means = [requantize(int(total), multiplier, shift) for total in sums]
    assert found == [clamp(mean, -(1 << 15), (1 << 15) - 1) for mean in means]


@EXAMPLES
@given(
    shape=st.tuples(sizes, st.integers(1, 40), sizes),
    points=st.tuples(codes, codes),
    multiplier=st.integers(0, (1 << 31) - 1),
    shift=st.integers(-12, 3),
    seed=seeds,
)
def test_a_mean_runs_over_the_middle(
    *, shape: tuple[int, int, int], points: tuple[int, int], multiplier: int, shift: int, seed: int
) -> None:
    outer, reduced, inner = shape
    x = random_codes(seed, outer * reduced * inner)
    found = run(
        "MEAN_S8",
        [x],
        outer * inner,
        {
            "outer": outer,
            "reduced": reduced,
            "inner": inner,
            "x_zero_point": points[0],
            "y_zero_point": points[1],
            "rescale": {"multiplier": multiplier, "shift": shift},
        },
    )
    sums = (x.reshape(shape).astype(np.int64) - points[0]).sum(axis=1).reshape(-1)
    means = [requantize(int(total), multiplier, shift) for total in sums]
    assert found == [clamp(wrap(mean + points[1])) for mean in means]


def window_taps(out: int, stride: int, pad: int, size: int, kernel: int) -> list[int]:
    places = (out * stride - pad + k for k in range(kernel))
    return [place for place in places if 0 <= place < size]


@st.composite
def axes(draw: st.DrawFn) -> dict[str, int]:
    """One axis of a pool whose windows all have a tap inside."""
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    size, pad = draw(st.integers(1, 6)), draw(st.integers(0, kernel - 1))
    most = (size + pad - 1) // stride + 1
    out = draw(st.integers(1, most))
    return {"in": size, "out": out, "kernel": kernel, "stride": stride, "pad": pad}


@EXAMPLES
@given(
    name=st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]),
    bits=st.sampled_from([8, 16]),
    batches=st.integers(1, 2),
    channels=sizes,
    rows=axes(),
    columns=axes(),
    bounds=st.tuples(codes, codes).map(sorted),
    seed=seeds,
)
def test_a_pool_takes_the_taps_inside(
    *,
    name: str,
    bits: int,
    batches: int,
    channels: int,
    rows: dict[str, int],
    columns: dict[str, int],
    bounds: list[int],
    seed: int,
) -> None:
    axis_values = {
        f"{key}_{suffix}": axis[key]
        for axis, suffix in ((rows, "h"), (columns, "w"))
        for key in ("in", "out", "kernel", "stride")
    }
    bounds = [bound << (bits - 8) for bound in bounds]
    size = batches * rows["in"] * columns["in"] * channels
    x: NDArray[Any] = random_codes(seed, size) if bits == 8 else random_codes16(seed, size)
    image = x.reshape(batches, rows["in"], columns["in"], channels).astype(int)
    count = batches * rows["out"] * columns["out"] * channels
    values = {
        "batches": batches,
        "channels": channels,
        **axis_values,
        "pad_top": rows["pad"],
        "pad_left": columns["pad"],
        "act_min": bounds[0],
        "act_max": bounds[1],
    }
    kind = f"{name}_S{bits}"
    found = run(kind, [x], count, values) if bits == 8 else run16(kind, x, count, values)
    expected = []
    for batch, out_y, out_x in itertools.product(
        range(batches), range(rows["out"]), range(columns["out"])
    ):
        inside = [
            window_taps(out, axis["stride"], axis["pad"], axis["in"], axis["kernel"])
            for out, axis in ((out_y, rows), (out_x, columns))
        ]
        taps = image[batch][np.ix_(*inside)].reshape(-1, channels)
        for channel in range(channels):
            value = pooled(name, [int(tap) for tap in taps[:, channel]])
            expected.append(clamp(value, *bounds))
    assert found == expected


def pooled(name: str, taps: list[int]) -> int:
    if name == "MAX_POOL_2D":
        return max(taps)
    half = len(taps) // 2
    magnitude = (abs(sum(taps)) + half) // len(taps)
    return magnitude if sum(taps) > 0 else -magnitude


@pytest.mark.parametrize(
    ("taps", "average"),
    [
        ([1, 0], 1),
        ([-1, 0], -1),
        ([0, 0], 0),
        ([1, 0, 0], 0),
        ([1, 1, 0], 1),
        ([-1, -1, 0], -1),
        ([3, 0, 0, -1], 1),
        ([-3, 0, 0, 1], -1),
        ([127] * 4, 127),
        ([-128] * 4, -128),
    ],
)
def test_averages_of_ties_go_away_from_zero(taps: list[int], average: int) -> None:
    values = {
        **{"batches": 1, "channels": 1, "in_h": 1, "in_w": len(taps), "out_h": 1, "out_w": 1},
        **{"kernel_h": 1, "kernel_w": len(taps), "stride_h": 1, "stride_w": 1},
        **{"pad_top": 0, "pad_left": 0, **RANGE},
    }
    assert run("AVERAGE_POOL_2D_S8", [np.array(taps, np.int8)], 1, values) == [average]


def test_the_largest_of_the_smallest_int16_codes_is_found() -> None:
    values = {
        **{"batches": 1, "channels": 1, "in_h": 1, "in_w": 3, "out_h": 1, "out_w": 1},
        **{"kernel_h": 1, "kernel_w": 3, "stride_h": 1, "stride_w": 1},
        **{"pad_top": 0, "pad_left": 0, **RANGE_16},
    }
    for codes_of, largest in (([-(1 << 15)] * 3, -(1 << 15)), ([-9, -(1 << 15), -200], -9)):
        assert run16("MAX_POOL_2D_S16", np.array(codes_of, np.int16), 1, values) == [largest]
