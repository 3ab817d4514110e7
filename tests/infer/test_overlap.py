# SPDX-License-Identifier: Apache-2.0
"""The distance by which an output must trail its input, against a simulation of each access."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.plans import (
    CODES,
    CONST_A,
    CONST_B,
    OVERLAP,
    POINTS,
    RANGE,
    PlanBuilder,
    channel_block,
    one_op,
    record,
)
from torpor.engine import Engine, check, overlap_distance
from torpor.engine.library import open_infer

NEVER = 0x7FFFFFFF
Access = tuple[list[int], range]
"""(bytes of x that a step reads, bytes of y that it writes)"""


def windows(c: dict[str, int]) -> Iterator[Access]:
    """The steps of a kernel with a sliding window: a pixel with all channels each."""
    pixels = np.ndindex(c["batches"], c["out_h"], c["out_w"])
    for step, (batch, out_y, out_x) in enumerate(pixels):
        reads: list[int] = []
        for ky, kx in np.ndindex(c["kernel_h"], c["kernel_w"]):
            i = out_y * c["stride_h"] - c["pad_top"] + ky * c["dilation_h"]
            j = out_x * c["stride_w"] - c["pad_left"] + kx * c["dilation_w"]
            if 0 <= i < c["in_h"] and 0 <= j < c["in_w"]:
                pixel = (batch * c["in_h"] + i) * c["in_w"] + j
                reads += range(pixel * c["in_c"], (pixel + 1) * c["in_c"])
        yield reads, range(step * c["out_c"], (step + 1) * c["out_c"])


def rows(batches: int, in_n: int, out_n: int) -> Iterator[Access]:
    """The steps of a fully connected layer: a row each."""
    for b in range(batches):
        yield list(range(b * in_n, (b + 1) * in_n)), range(b * out_n, (b + 1) * out_n)


def needed(accesses: list[Access]) -> int:
    """The least x - y at which no write hits what its own or a later step reads."""
    distance, lowest = -(1 << 30), 1 << 30
    for reads, writes in reversed(accesses):
        lowest = min([lowest, *reads])
        if lowest < 1 << 30:
            distance = max(distance, writes[-1] + 1 - lowest)
    return distance


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, int]:
    """Any window that fits the format: SAME, VALID and whatever else a compiler might fold."""
    small = st.integers(1, 4)
    names = ["batches", "in_c", "out_c", "kernel", "stride", "dilation"]
    c = {n: draw(small) for n in names if n not in {"kernel", "stride", "dilation"}}
    for axis in "hw":
        for name in names[3:]:
            c[f"{name}_{axis}"] = draw(small)
        c[f"in_{axis}"] = draw(st.integers(1, 7))
        c[f"out_{axis}"] = draw(st.integers(1, 7))
    return c | {"pad_top": draw(st.integers(0, 5)), "pad_left": draw(st.integers(0, 5))}


def conv(c: dict[str, int]) -> bytes:
    return record("CONV_2D_S8", groups=1, **POINTS, **RANGE, **c)


@settings(max_examples=400, deadline=None)
@given(c=geometries())
def test_the_distance_of_a_window_is_never_too_small(c: dict[str, int]) -> None:
    assert overlap_distance(conv(c)) >= needed(list(windows(c)))


@settings(max_examples=200, deadline=None)
@given(c=geometries())
def test_the_distance_is_exact_where_every_window_starts_inside(c: dict[str, int]) -> None:
    c |= {"pad_top": 0, "pad_left": 0}
    assume((c["out_h"] - 1) * c["stride_h"] < c["in_h"])
    assume((c["out_w"] - 1) * c["stride_w"] < c["in_w"])
    assert overlap_distance(conv(c)) == needed(list(windows(c)))


@pytest.mark.parametrize(("size", "kernel", "stride"), [(8, 3, 1), (8, 3, 2), (9, 5, 2), (7, 2, 2)])
def test_the_distance_is_exact_for_the_usual_padding(size: int, kernel: int, stride: int) -> None:
    out = -(-size // stride)
    pad = max((out - 1) * stride + kernel - size, 0) // 2
    axes = {f"{n}_{a}": v for n, v in (("kernel", kernel), ("stride", stride)) for a in "hw"}
    axes |= {"in_h": size, "in_w": size, "out_h": out, "out_w": out, "pad_top": pad}
    c = axes | {"pad_left": pad, "dilation_h": 1, "dilation_w": 1}
    c |= {"batches": 1, "in_c": 3, "out_c": 5}
    assert overlap_distance(conv(c)) == needed(list(windows(c)))


@settings(deadline=None)
@given(batches=st.integers(1, 5), in_n=st.integers(1, 20), out_n=st.integers(1, 20))
def test_the_distance_of_a_fully_connected_layer_is_exact(
    batches: int, in_n: int, out_n: int
) -> None:
    raw = record("FULLY_CONNECTED_S8", batches=batches, in_n=in_n, out_n=out_n)
    assert overlap_distance(raw) == needed(list(rows(batches, in_n, out_n)))


@settings(deadline=None)
@given(
    batches=st.integers(1, 3),
    steps=st.integers(1, 4),
    in_n=st.integers(1, 20),
    out_n=st.integers(1, 20),
    time_major=st.integers(0, 1),
)
def test_the_distance_of_an_lstm_is_that_of_its_rows(
    batches: int, steps: int, in_n: int, out_n: int, time_major: int
) -> None:
    sizes = {"batches": batches, "steps": steps, "in_n": in_n, "out_n": out_n}
    distance = needed(list(rows(batches * steps, in_n, out_n)))
    assert overlap_distance(record("LSTM_S8", time_major=time_major, **sizes)) == distance
    assert overlap_distance(record("LSTM_S16", time_major=time_major, **sizes)) == 2 * distance


IN_PLACE = [
    "RELU_S8",
    "LUT_S8",
    "COPY",
    "SOFTMAX_S8",
    "SOFTMAX_S16",
    "LOGISTIC_S16",
    "TANH_S16",
    "MEAN_S8",
]


@pytest.mark.parametrize("name", IN_PLACE)
def test_operators_that_go_element_by_element_work_in_place(name: str) -> None:
    assert overlap_distance(record(name)) == 0


@pytest.mark.parametrize("name", ["PAD_S8", "SOFTMAX_S8_S16"])
def test_some_operators_never_overlap(name: str) -> None:
    assert overlap_distance(record(name)) == NEVER


@pytest.mark.parametrize(
    ("strides", "b", "distance"),
    [
        ([[12, 12, 4, 1], [12, 12, 4, 1]], 1, 0),
        ([[0, 0, 4, 1], [0, 0, 0, 1]], 1, 0),
        ([[0, 0, 0, 1], [12, 12, 4, 1]], 1, NEVER),
        ([[12, 12, 4, 1], [12, 12, 4, 1]], 0, 0),
        ([[12, 12, 4, 1], [0, 0, 0, 1]], 0, NEVER),
        ([[12, 12, 1, 3], [12, 12, 4, 1]], 1, NEVER),
    ],
)
def test_an_addition_works_in_place_where_its_first_input_is_not_repeated(
    strides: list[list[int]], b: int, distance: int
) -> None:
    raw = record(
        "ADD_S8", a=0, b=b, y=2, dims=[1, 1, 3, 4], a_strides=strides[0], b_strides=strides[1]
    )
    assert overlap_distance(raw) == distance


@pytest.mark.parametrize("flag", [CONST_A, CONST_B])
def test_beside_a_constant_only_the_order_of_the_other_operand_counts(flag: int) -> None:
    strides = {"a_strides": [12, 12, 4, 1], "b_strides": [0, 0, 0, 1]}
    raw = record("MUL_S8", flag, y=1, dims=[1, 1, 3, 4], **strides)
    assert overlap_distance(raw) == (NEVER if flag == CONST_A else 0)


@pytest.mark.parametrize(
    ("strides", "distance"),
    [
        ([24, 12, 4, 2, 1], 0),
        ([48, 12, 9, 2, 2], 0),
        ([24, 12, 4, 1, 2], NEVER),
        ([24, 12, 4, 2, 0], NEVER),
        ([24, 12, -4, 2, 1], NEVER),
    ],
)
def test_a_strided_copy_works_in_place_where_nothing_moves_up(
    strides: list[int], distance: int
) -> None:
    raw = record("STRIDED_COPY_S8", x=0, y=1, dims=[2, 2, 3, 2, 2], strides=strides)
    assert overlap_distance(raw) == distance


def test_dimensions_of_one_do_not_move_anything() -> None:
    raw = record("STRIDED_COPY_S8", x=0, y=1, dims=[1, 1, 3, 1, 2], strides=[0, -1, 2, 0, 1])
    assert overlap_distance(raw) == 0


@pytest.mark.parametrize(("bits", "size"), [(8, 1), (16, 2)])
def test_distances_are_in_bytes(bits: int, size: int) -> None:
    c = {f"{n}_{axis}": 3 for n in ("in", "out", "kernel") for axis in "hw"}
    c |= {f"{n}_{axis}": 1 for n in ("stride", "dilation") for axis in "hw"}
    c |= {"batches": 2, "groups": 1, "in_c": 2, "out_c": 5, "pad_top": 1, "pad_left": 1}
    raw = record(f"CONV_2D_S{bits}", **c)
    assert overlap_distance(raw) == size * overlap_distance(record("CONV_2D_S8", **c)) > 0
    dense = record(f"FULLY_CONNECTED_S{bits}", batches=3, in_n=2, out_n=7)
    assert overlap_distance(dense) == size * (7 + 2 * 5)


@pytest.mark.parametrize("name", ["TRANSPOSE_CONV_S8", "TRANSPOSE_CONV_S16", "CONCATENATION"])
def test_shapes_without_extent_never_overlap(name: str) -> None:
    assert overlap_distance(record(name)) == NEVER


def test_a_concatenation_of_no_rows_never_overlaps() -> None:
    raw = record("CONCATENATION", n=1, x=[0], inner=[4], outer=0)
    assert overlap_distance(raw) == NEVER


@settings(deadline=None)
@given(noise=st.binary(min_size=96, max_size=96), code=st.integers(0, 255))
def test_any_bytes_have_a_defined_distance(noise: bytes, code: int) -> None:
    ffi, library = open_infer("undefined")
    words = ffi.new("uint32_t[24]")
    ffi.buffer(words)[:] = bytes([code]) + noise[1:]
    distance = library.infer_overlap_distance(ffi.cast("const plan_op_t *", words))
    assert distance == NEVER or code in CODES.values()


@pytest.mark.parametrize("raw", [b"", b"\0\0\0\0", b"\1\0\0\0", bytes([255]) * 52])
def test_what_is_no_record_has_no_distance(raw: bytes) -> None:
    with pytest.raises(ValueError, match="record"):
        overlap_distance(raw)


def conv_plan(c: dict[str, int], gap: int | None) -> PlanBuilder:
    """A convolution whose output starts `gap` bytes below its input; None: apart from it."""
    sizes = [c["batches"] * c[f"{end}_h"] * c[f"{end}_w"] * c[f"{end}_c"] for end in ("in", "out")]

    def arguments(plan: PlanBuilder) -> dict[str, Any]:
        codes = np.random.default_rng(3).integers(-128, 128, 256)
        taps = c["kernel_h"] * c["kernel_w"] * c["in_c"] * c["out_c"]
        weights = plan.put(codes.astype(np.int8).tobytes()[:taps])
        n = c["out_c"]
        block = plan.put(channel_block([0] * n, [1 << 30] * n, [-7] * n))
        return c | POINTS | RANGE | {"groups": 1, "weights": weights, "channels": block}

    offsets = [sizes[1], 0] if gap is None else [gap, 0]
    return one_op("CONV_2D_S8", sizes, arguments, OVERLAP, offsets)


@settings(max_examples=150, deadline=None)
@given(c=geometries(), seed=st.integers(0, 1000))
def test_a_trailing_output_is_the_same_as_a_separate_one(c: dict[str, int], seed: int) -> None:
    assume(c["kernel_h"] * c["kernel_w"] * c["in_c"] * c["out_c"] <= 256)
    gap = overlap_distance(conv(c))
    trailing, apart = conv_plan(c, gap).build(), conv_plan(c, None).build()
    engines = [Engine(plan, sanitize=True) for plan in (trailing, apart)]
    x = np.random.default_rng(seed).integers(-128, 128, engines[0].inputs[0].shape)
    trailed, separate = (engine.invoke([x.astype(np.int8)])[0] for engine in engines)
    np.testing.assert_array_equal(trailed, separate)


@settings(max_examples=100, deadline=None)
@given(c=geometries())
def test_an_output_one_byte_closer_is_refused(c: dict[str, int]) -> None:
    assume(c["kernel_h"] * c["kernel_w"] * c["in_c"] * c["out_c"] <= 256)
    gap = overlap_distance(conv(c))
    y_bytes = c["batches"] * c["out_h"] * c["out_w"] * c["out_c"]
    assume(0 < gap <= y_bytes)
    assert check(conv_plan(c, gap).build()).name == "ok"
    assert check(conv_plan(c, gap - 1).build()).name == "alias"
