# SPDX-License-Identifier: Apache-2.0
"""Proof and kernels of CONCATENATION, RESIZE_NEAREST_NEIGHBOR, PRELU and TRANSPOSE_CONV."""

import itertools
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.infer.test_kernels import clamp, random_codes, requantize, seeds
from tests.support.plans import (
    OVERLAP,
    RANGE,
    SPECIMENS,
    PlanBuilder,
    changed,
    channel_block,
    one_op,
    record,
)
from torpor.engine import Engine, check, overlap_distance

EXAMPLES = settings(max_examples=80, deadline=None)
NEVER = 0x7FFFFFFF
small = st.integers(1, 4)

REFUSED = [
    ("concatenation", "n", 0, "record"),
    ("concatenation", "n", 11, "record"),
    ("concatenation", "constants", 2 | 8, "record"),
    ("concatenation", "constants", 7, "record"),
    ("concatenation", "constants", 0, "record"),
    ("concatenation", "reserved", 1, "record"),
    ("concatenation", "x[2]", 1, "record"),
    ("concatenation", "inner[3]", 1, "record"),
    ("concatenation", "x[1]", 9, "record"),
    ("concatenation", "outer", 0, "shape"),
    ("concatenation", "outer", 3, "data"),
    ("concatenation", "inner[0]", 0, "shape"),
    ("concatenation", "inner[0]", 4, "shape"),
    ("concatenation", "inner[0]", (1 << 32) - 1, "shape"),
    ("concatenation", "inner[1]", 3, "data"),
    ("concatenation", "constant", 5, "data"),
    ("concatenation", "constant", 1 << 31, "data"),
    ("resize nearest neighbor", "batches", 0, "shape"),
    ("resize nearest neighbor", "batches", 3, "shape"),
    ("resize nearest neighbor", "pixel", 0, "shape"),
    ("resize nearest neighbor", "in_h", 0, "shape"),
    ("resize nearest neighbor", "in_w", 0, "shape"),
    ("resize nearest neighbor", "out_h", 0, "shape"),
    ("resize nearest neighbor", "out_w", 0, "shape"),
    ("resize nearest neighbor", "in_h", 1, "range"),
    ("resize nearest neighbor", "in_w", 2, "range"),
    ("resize nearest neighbor", "out_w", 9, "data"),
    ("resize nearest neighbor", "constant", 2, "data"),
    ("prelu", "left_shift", 23, "range"),
    ("prelu", "b_zero_point", 128, "range"),
    ("prelu", "y_rescale.shift", 31, "range"),
    ("transpose conv", "reserved", 1, "record"),
    ("transpose conv", "batches", 0, "shape"),
    ("transpose conv", "in_c", 0, "shape"),
    ("transpose conv", "out_c", 0, "shape"),
    ("transpose conv", "kernel_h", 0, "shape"),
    ("transpose conv", "stride_w", 0, "shape"),
    ("transpose conv", "out_h", 4, "shape"),
    ("transpose conv", "in_h", 4, "shape"),
    ("transpose conv", "kernel_h", 65535, "data"),
    ("transpose conv", "weights", 1 << 31, "data"),
    ("transpose conv", "channels", 2, "data"),
    ("transpose conv", "x_zero_point", 128, "range"),
    ("transpose conv", "y_zero_point", -129, "range"),
    ("transpose conv", "act_min", 128, "range"),
]


@pytest.mark.parametrize(("specimen", "member", "value", "word"), REFUSED)
def test_a_record_that_is_not_sound_is_refused(
    specimen: str, member: str, value: int, word: str
) -> None:
    plan = changed(SPECIMENS[specimen]().build(), f"op 0.{member}", value)
    assert check(plan, sanitizer="undefined").name == word


def joined(
    outer: int, inner: list[int], constants: int, gap: int | None, repeated: bool = False
) -> PlanBuilder:
    """A plan whose output starts `gap` bytes below its first tensor; None: apart from all."""
    plan = PlanBuilder()
    row = sum(inner)
    tensors = [n for i, n in enumerate(inner) if not constants >> i & 1]
    y_at = 0 if gap is not None else 1 << 12
    at = outer * row + (gap or 0)
    for i, n in enumerate(tensors):
        start = gap if i == 0 and gap is not None else at
        plan.inputs.append(plan.io(plan.tensor(start, outer * n, 0, 1)))
        at += outer * n
    y = plan.tensor(y_at, outer * row, 1, 2)
    plan.outputs.append(plan.io(y))
    data = {}
    if constants:
        size = sum(outer * n for i, n in enumerate(inner) if constants >> i & 1)
        plan.put(bytes(4))
        data = {"constant": plan.put(bytes(random_codes(5, size).view(np.uint8)))}
    x = [0] * len(tensors) if repeated else list(range(len(tensors)))
    values: dict[str, Any] = {"n": len(inner), "constants": constants, "outer": outer}
    flags = 0 if gap is None else OVERLAP
    plan.ops.append(record("CONCATENATION", flags, x=x, y=y, inner=inner, **values, **data))
    return plan


def run(plan: PlanBuilder, inputs: list[NDArray[np.int8]]) -> list[int]:
    return [int(code) for code in Engine(plan.build(), sanitize=True).invoke(inputs)[0]]


@EXAMPLES
@given(
    outer=small,
    inner=st.lists(st.integers(1, 5), min_size=1, max_size=10),
    mask=st.integers(0, 1023),
    seed=seeds,
)
def test_rows_are_joined(outer: int, inner: list[int], mask: int, seed: int) -> None:
    constants = mask & ((1 << len(inner)) - 1)
    if constants == (1 << len(inner)) - 1:
        constants -= 1
    parts = [outer * n for i, n in enumerate(inner) if not constants >> i & 1]
    tensors = [random_codes(seed + i, n) for i, n in enumerate(parts)]
    sizes = [outer * n for i, n in enumerate(inner) if constants >> i & 1]
    stored = iter(np.split(random_codes(5, sum(sizes)), np.cumsum(sizes)[:-1]))
    given_ = iter(tensors)
    operands = [next(stored if constants >> i & 1 else given_) for i in range(len(inner))]
    rows = [o.reshape(outer, n) for o, n in zip(operands, inner, strict=True)]
    expected = np.concatenate(rows, axis=1).ravel().tolist()
    assert run(joined(outer, inner, constants, None), tensors) == expected


@EXAMPLES
@given(outer=small, inner=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=seeds)
def test_rows_are_joined_around_the_first_operand(outer: int, inner: list[int], seed: int) -> None:
    tensors = [random_codes(seed + i, outer * n) for i, n in enumerate(inner)]
    apart = joined(outer, inner, 0, None)
    gap = overlap_distance(apart.ops[0])
    assert gap == (outer - 1) * (sum(inner) - inner[0])
    assert run(joined(outer, inner, 0, gap), tensors) == run(apart, tensors)
    if gap:
        assert check(joined(outer, inner, 0, gap - 1).build()).name == "alias"


def test_nothing_is_joined_around_a_constant_or_an_operand_that_comes_again() -> None:
    assert overlap_distance(joined(2, [2, 3], 1, None).ops[0]) == NEVER
    assert overlap_distance(joined(2, [2, 2], 0, None, repeated=True).ops[0]) == NEVER
    assert overlap_distance(joined(2, [2, 3], 2, None).ops[0]) == 3


@EXAMPLES
@given(shape=st.tuples(small, small, small, small), out=st.tuples(small, small), data=st.data())
def test_rows_and_columns_are_taken_by_their_tables(
    shape: tuple[int, int, int, int], out: tuple[int, int], data: st.DataObject
) -> None:
    batches, in_h, in_w, pixel = shape
    rows = [data.draw(st.integers(0, in_h - 1)) for _ in range(out[0])]
    columns = [data.draw(st.integers(0, in_w - 1)) for _ in range(out[1])]
    x = random_codes(sum(shape), batches * in_h * in_w * pixel)
    values = {"batches": batches, "pixel": pixel, "in_h": in_h, "in_w": in_w}
    values |= {"out_h": out[0], "out_w": out[1]}
    table = struct.pack(f"<{len(rows) + len(columns)}H", *rows, *columns)
    plan = one_op(
        "RESIZE_NEAREST_NEIGHBOR",
        [x.size, batches * out[0] * out[1] * pixel],
        lambda p: values | {"constant": p.put(table)},
    )
    expected = x.reshape(shape)[:, rows][:, :, columns].ravel().tolist()
    assert run(plan, [x]) == expected


@st.composite
def spreads(draw: st.DrawFn) -> dict[str, int]:
    """Any transposed convolution: outputs smaller and larger than what the inputs reach."""
    c = {"batches": draw(st.integers(1, 2)), "in_c": draw(small), "out_c": draw(small)}
    for axis in "hw":
        c |= {f"{n}_{axis}": draw(small) for n in ("in", "kernel", "stride")}
        c[f"out_{axis}"] = draw(st.integers(1, 12))
    return c | {"pad_top": draw(st.integers(0, 5)), "pad_left": draw(st.integers(0, 5))}


def spread_plan(c: dict[str, int], seed: int, gap: int | None) -> PlanBuilder:
    values = {**c, "x_zero_point": 7, "y_zero_point": -4, **RANGE}
    x_size = c["batches"] * c["in_h"] * c["in_w"] * c["in_c"]
    y_size = c["batches"] * c["out_h"] * c["out_w"] * c["out_c"]
    weights = random_codes(seed, c["out_c"] * c["kernel_h"] * c["kernel_w"] * c["in_c"])
    block = channel_block(range(c["out_c"]), [1 << 30] * c["out_c"], [-5] * c["out_c"])

    def arguments(plan: PlanBuilder) -> dict[str, Any]:
        return values | {"weights": plan.put(weights.tobytes()), "channels": plan.put(block)}

    places = None if gap is None else [max(gap, 0), max(-gap, 0)]
    flags = 0 if gap is None else OVERLAP
    return one_op("TRANSPOSE_CONV_S8", [x_size, y_size], arguments, flags, places)


@EXAMPLES
@given(c=spreads(), seed=seeds)
def test_each_input_spreads_over_the_output(c: dict[str, int], seed: int) -> None:
    shape = (c["batches"], c["in_h"], c["in_w"], c["in_c"])
    x = random_codes(seed + 1, int(np.prod(shape)))
    kernel = (c["out_c"], c["kernel_h"], c["kernel_w"], c["in_c"])
    weights = random_codes(seed, int(np.prod(kernel))).reshape(kernel).astype(int)
    sums = np.zeros((c["batches"], c["out_h"], c["out_w"], c["out_c"]), int) + range(c["out_c"])
    image = x.reshape(shape).astype(int) - 7
    for i, j, k, m in itertools.product(*map(range, (*shape[1:3], *kernel[1:3]))):
        at = i * c["stride_h"] + k - c["pad_top"], j * c["stride_w"] + m - c["pad_left"]
        if 0 <= at[0] < c["out_h"] and 0 <= at[1] < c["out_w"]:
            sums[:, at[0], at[1]] += image[:, i, j] @ weights[:, k, m].T
    expected = [clamp(requantize(int(s), 1 << 30, -5) - 4) for s in sums.ravel()]
    apart = spread_plan(c, seed, None)
    assert run(apart, [x]) == expected
    gap = overlap_distance(apart.ops[0])
    assert run(spread_plan(c, seed, gap), [x]) == expected
