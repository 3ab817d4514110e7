# SPDX-License-Identifier: Apache-2.0
"""Fixed-point arithmetic and inner loops, against models with unbounded integers."""

import functools
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torpor.engine.library import SANITIZERS, build_library, declarations

SHIM = Path(__file__).with_name("shim.c")
MIN, MAX = -(1 << 31), (1 << 31) - 1
DECLARATIONS = """
typedef struct { int32_t first; int32_t end; int32_t start; } taps_t;
int32_t shim_doubling_high_mul(int32_t a, int32_t b);
int32_t shim_rounding_shr(int32_t x, uint32_t shift);
int32_t shim_requantize(int32_t x, int32_t multiplier, int32_t shift);
int32_t shim_requantize_64(uint64_t x, int32_t multiplier, int32_t shift);
int32_t shim_wrapping_sub(int32_t a, int32_t b);
int32_t shim_clamp(int32_t x, int32_t min, int32_t max);
uint64_t shim_dot_s16(uint64_t acc, const int16_t *x, uint32_t x_step, const int8_t *w,
                      uint32_t w_step, uint32_t n);
uint32_t shim_dot_s4(uint32_t acc, const int8_t *x, int32_t x_offset, const uint8_t *row,
                     uint32_t first, int32_t w_offset, uint32_t n);
uint32_t shim_dot_s8(uint32_t acc, const int8_t *x, int32_t x_offset, const uint8_t *row,
                     uint32_t first, int32_t w_offset, uint32_t n);
taps_t shim_taps_inside(int32_t out, int32_t stride, int32_t pad, int32_t in, int32_t kernel,
                        int32_t dilation);
"""

int32s = st.one_of(
    st.integers(MIN, MAX),
    st.sampled_from([MIN, MIN + 1, -(1 << 30), -1, 0, 1, 1 << 30, MAX - 1, MAX]),
    st.integers(-1000, 1000),
)
multipliers = st.one_of(st.just(0), st.integers(1 << 30, MAX), st.sampled_from([1 << 30, MAX]))
int64s = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(-(1 << 40), 1 << 40),
    st.integers(-(1 << 16), 1 << 16),
)
codes = st.integers(-128, 127)
codes16 = st.one_of(st.integers(-(1 << 15), (1 << 15) - 1), st.just(-(1 << 15)))
ANY_TIME = settings(deadline=None)
"""The first example may have to build the library."""


@functools.cache
def shim() -> Any:
    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS)
    return ffi.dlopen(str(build_library("shim", [SHIM], SANITIZERS["undefined"])))


def wrap(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def doubling_high_mul(a: int, b: int) -> int:
    """gemmlowp's saturating rounding doubling high multiply, with its truncating division."""
    if a == b == MIN:
        return MAX
    product = a * b
    nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
    return abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1)


def rounding_shr(x: int, shift: int) -> int:
    """x / 2^shift, to the nearest, ties away from zero."""
    magnitude = (2 * abs(x) + (1 << shift)) >> (shift + 1)
    return magnitude if x >= 0 else -magnitude


@ANY_TIME
@given(a=int32s, b=int32s)
def test_the_high_multiply_rounds_as_the_reference_does(a: int, b: int) -> None:
    assert shim().shim_doubling_high_mul(a, b) == doubling_high_mul(a, b)


def test_the_high_multiply_saturates_in_its_only_overflow() -> None:
    assert shim().shim_doubling_high_mul(MIN, MIN) == MAX


@ANY_TIME
@given(x=int32s, shift=st.integers(0, 31))
def test_the_rounding_shift_rounds_ties_away_from_zero(x: int, shift: int) -> None:
    assert shim().shim_rounding_shr(x, shift) == rounding_shr(x, shift)


@pytest.mark.parametrize(
    ("x", "shift", "expected"),
    [
        (3, 1, 2),
        (-3, 1, -2),
        (1, 1, 1),
        (-1, 1, -1),
        (MAX, 31, 1),
        (MIN, 31, -1),
        (5, 0, 5),
        (-1, 2, 0),
        (-5, 2, -1),
    ],
)
def test_the_rounding_shift_at_its_corners(x: int, shift: int, expected: int) -> None:
    assert shim().shim_rounding_shr(x, shift) == expected


@ANY_TIME
@given(x=int32s, multiplier=multipliers, shift=st.integers(-31, 30))
def test_requantize_rounds_twice_and_wraps_where_the_shift_overflows(
    x: int, multiplier: int, shift: int
) -> None:
    high = doubling_high_mul(wrap(x << max(shift, 0)), multiplier)
    assert shim().shim_requantize(x, multiplier, shift) == rounding_shr(high, max(-shift, 0))


@pytest.mark.parametrize(("shift", "expected"), [(0, 3), (1, 5), (2, 10), (-1, 2), (-2, 1)])
def test_requantize_by_half_a_power_of_two(shift: int, expected: int) -> None:
    assert shim().shim_requantize(5, 1 << 30, shift) == expected


def test_requantize_differs_from_rounding_once() -> None:
    x, multiplier, shift = 1, 1 << 30, -1  # 1/4: once rounded 0, twice 1/2 -> 1 -> 1/2 -> 1
    assert shim().shim_requantize(x, multiplier, shift) == 1


@ANY_TIME
@given(x=int64s, multiplier=st.integers(0, (1 << 15) - 1), shift=st.integers(-31, 14))
def test_requantizing_64_bits_rounds_once_ties_upwards(x: int, multiplier: int, shift: int) -> None:
    nudged = x * multiplier + (1 << (14 - shift))
    wrapped = (nudged + (1 << 63)) % (1 << 64) - (1 << 63)
    found = shim().shim_requantize_64(x % (1 << 64), multiplier, shift)
    assert found == wrap(wrapped >> (15 - shift))


@pytest.mark.parametrize(("x", "rounded"), [(1, 1), (-1, 0), (3, 2), (-3, -1), (2, 1)])
def test_ties_of_64_bits_go_upwards(x: int, rounded: int) -> None:
    assert shim().shim_requantize_64(x % (1 << 64), 1 << 14, 0) == rounded


@ANY_TIME
@given(a=int32s, b=int32s)
def test_a_difference_wraps(a: int, b: int) -> None:
    assert shim().shim_wrapping_sub(a, b) == wrap(a - b)


@ANY_TIME
@given(
    x=st.lists(codes16, min_size=1, max_size=20),
    w=st.lists(codes, min_size=1, max_size=20),
    steps=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    n=st.sampled_from([0, 1, 2, 9, 255, 256, 257, 511, 512, 513]),
    acc=st.integers(0, (1 << 64) - 1),
)
def test_the_inner_product_of_int16_has_64_bits(
    *, x: list[int], w: list[int], steps: tuple[int, int], n: int, acc: int
) -> None:
    a, b = (np.resize(v, n * step + 1) for v, step in zip((x, w), steps, strict=True))
    ffi = cffi.FFI()
    found = shim().shim_dot_s16(
        acc,
        ffi.from_buffer("int16_t[]", a.astype(np.int16).tobytes()),
        steps[0],
        ffi.from_buffer("int8_t[]", b.astype(np.int8).tobytes()),
        steps[1],
        n,
    )
    pairs = zip(a[:: steps[0]][:n].tolist(), b[:: steps[1]][:n].tolist(), strict=True)
    assert found == (acc + sum(p * q for p, q in pairs)) % (1 << 64)


def test_the_largest_products_do_not_overflow_an_inner_product() -> None:
    x, w = np.full(1000, -(1 << 15), np.int16).tobytes(), bytes([128]) * 1000
    ffi = cffi.FFI()
    pointers = ffi.from_buffer("int16_t[]", x), ffi.from_buffer("int8_t[]", w)
    assert shim().shim_dot_s16(0, pointers[0], 1, pointers[1], 1, 1000) == 1000 << 22


@ANY_TIME
@given(x=int32s, bounds=st.tuples(codes, codes).map(sorted))
def test_clamp_is_the_median(x: int, bounds: list[int]) -> None:
    assert shim().shim_clamp(x, *bounds) == sorted([x, *bounds])[1]


@ANY_TIME
@given(
    pairs=st.lists(st.tuples(codes, codes), max_size=20),
    offsets=st.tuples(codes, codes),
    acc=st.integers(0, (1 << 32) - 1),
)
def test_the_s8_inner_product_is_exact(
    pairs: list[tuple[int, int]], offsets: tuple[int, int], acc: int
) -> None:
    x = np.array([p[0] for p in pairs], np.int8).tobytes()
    w = np.array([0, 0, 0, *(p[1] for p in pairs)], np.int8).tobytes()
    ffi = cffi.FFI()
    found = shim().shim_dot_s8(
        acc, ffi.from_buffer("int8_t[]", x), offsets[0], ffi.from_buffer(w), 3, offsets[1], len(x)
    )
    exact = acc + sum((a + offsets[0]) * (b + offsets[1]) for a, b in pairs)
    assert found == exact % (1 << 32)


@ANY_TIME
@given(
    pairs=st.lists(st.tuples(codes, st.integers(-8, 7)), max_size=20),
    offsets=st.tuples(codes, codes),
    first=st.integers(0, 5),
)
def test_the_s4_inner_product_starts_at_any_nibble(
    pairs: list[tuple[int, int]], offsets: tuple[int, int], first: int
) -> None:
    x = np.array([p[0] for p in pairs], np.int8).tobytes()
    row = [7] * first + [p[1] for p in pairs]
    row += [0] * (len(row) % 2)
    packed = bytes(row[i] & 15 | (row[i + 1] & 15) << 4 for i in range(0, len(row), 2))
    ffi = cffi.FFI()
    found = shim().shim_dot_s4(
        0,
        ffi.from_buffer("int8_t[]", x),
        offsets[0],
        ffi.from_buffer(packed),
        first,
        offsets[1],
        len(x),
    )
    assert found == sum((a + offsets[0]) * (b + offsets[1]) for a, b in pairs) % (1 << 32)


@ANY_TIME
@given(
    out=st.integers(0, 30),
    stride=st.integers(1, 5),
    pad=st.integers(0, 20),
    size=st.integers(1, 20),
    kernel=st.integers(1, 9),
    dilation=st.integers(1, 5),
)
def test_taps_inside_are_those_that_a_test_of_each_finds(
    *, out: int, stride: int, pad: int, size: int, kernel: int, dilation: int
) -> None:
    taps = shim().shim_taps_inside(out, stride, pad, size, kernel, dilation)
    places = {k: out * stride - pad + k * dilation for k in range(kernel)}
    inside = [k for k, place in places.items() if 0 <= place < size]
    assert list(range(taps.first, taps.end)) == inside
    if inside:
        assert taps.start == places[inside[0]]


def test_declarations_of_a_header_have_no_comments_and_no_directives() -> None:
    text = "#ifndef A\n/* a\n * b */\nint f(void); /* c */\n#endif\n"
    assert declarations(text).split() == ["int", "f(void);"]
