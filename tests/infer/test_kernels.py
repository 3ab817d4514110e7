# SPDX-License-Identifier: Apache-2.0
"""Kernels on records that the compiler seldom or never makes, against models in plain Python."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.infer.test_arithmetic import doubling_high_mul, rounding_shr, wrap
from tests.support.plans import OVERLAP, RANGE, one_op
from torpor.engine import Engine

Codes = NDArray[np.int8]
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
    name=st.sampled_from(["AVERAGE_POOL_2D_S8", "MAX_POOL_2D_S8"]),
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
    x = random_codes(seed, batches * rows["in"] * columns["in"] * channels)
    image = x.reshape(batches, rows["in"], columns["in"], channels).astype(int)
    found = run(
        name,
        [x],
        batches * rows["out"] * columns["out"] * channels,
        {
            "batches": batches,
            "channels": channels,
            **axis_values,
            "pad_top": rows["pad"],
            "pad_left": columns["pad"],
            "act_min": bounds[0],
            "act_max": bounds[1],
        },
    )
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
    if name == "MAX_POOL_2D_S8":
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
