# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX bit by bit, against a model with unbounded integers and constants from math.exp."""

import functools
import math
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.infer.test_arithmetic import MAX, doubling_high_mul, rounding_shr, wrap
from tests.infer.test_operators import assert_same_bytes
from tests.support.plans import one_op
from tests.support.tflite_builder import GraphBuilder
from torpor.engine import Engine
from torpor.engine.library import SANITIZERS, build_library

Codes = NDArray[np.int8]
SHIM = Path(__file__).with_name("softmax_shim.c")
ONE, QUARTER = 1 << 31, 1 << 24
SUM_SHIFT = 12


@functools.cache
def shim() -> Any:
    ffi = cffi.FFI()
    ffi.cdef("int32_t shim_exp(int32_t a); int32_t shim_reciprocal(int32_t x);")
    return ffi.dlopen(str(build_library("softmax", [SHIM], SANITIZERS["undefined"])))


@functools.cache
def exp(a: int) -> int:
    """exp(a / 2^26) for a <= 0 as gemmlowp computes it, in units of 2^-31."""
    if a == 0:
        return MAX
    fraction = a % QUARTER - QUARTER
    x = (fraction << 5) + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3, x4 = doubling_high_mul(x2, x), doubling_high_mul(x2, x2)
    upper = doubling_high_mul(rounding_shr(x4, 2) + x3, round(ONE / 3)) + x2
    eighth = round(math.exp(-1 / 8) * ONE)
    result = eighth + doubling_high_mul(eighth, x + rounding_shr(upper, 1))
    for bit in range(7):
        if (fraction - a) >> (24 + bit) & 1:
            result = doubling_high_mul(result, round(math.exp(-(2.0 ** (bit - 2))) * ONE))
    return result


def reciprocal(x: int) -> int:
    """2^31 / (1 + x / 2^31), by three Newton steps from a straight line; saturated."""
    half = (x + ONE) // 2
    guess = round(48 / 17 * 2**29) + doubling_high_mul(half, round(-32 / 17 * 2**29))
    for _ in range(3):
        error = (1 << 29) - doubling_high_mul(half, guess)
        guess += doubling_high_mul(guess, error) << 2
    return min(guess << 1, MAX)


def softmax(x: list[int], multiplier: int, shift: int, diff_min: int) -> list[int]:
    """A row of codes."""

    def weight(code: int) -> int:
        difference = code - max(x)
        if difference < diff_min:
            return 0
        return exp(doubling_high_mul(wrap(difference << shift), multiplier))

    total = sum(rounding_shr(weight(code), SUM_SHIFT) for code in x)
    zeros = 32 - total.bit_length()
    scale = reciprocal((total << zeros) - ONE)
    places = SUM_SHIFT - zeros + 31 - 8
    if places > 31:
        return [-128] * len(x)
    shares = (rounding_shr(doubling_high_mul(scale, weight(code)), places) for code in x)
    return [min(share - 128, 127) for share in shares]


def run(x: Codes, multiplier: int, shift: int, diff_min: int = -255) -> list[list[int]]:
    rows, depth = x.shape
    rescale = {"multiplier": multiplier, "shift": shift}
    values = {"rows": rows, "depth": depth, "diff_min": diff_min, "rescale": rescale}
    plan = one_op("SOFTMAX_S8", [x.size, x.size], lambda _: values).build()
    found = Engine(plan, sanitize=True).invoke([x.reshape(-1)])[0]
    return [[int(code) for code in row] for row in found.reshape(rows, depth)]


def corners_and_random(low: int, high: int, count: int) -> list[int]:
    powers = [sign * (1 << i) + d for i in range(31) for sign in (1, -1) for d in (-1, 0, 1)]
    random = np.random.default_rng(11).integers(low, high, count, endpoint=True)
    spread = [-(2 ** (31 * i / count)) for i in range(count)]
    values = [*powers, low, high, *map(int, random), *map(int, spread)]
    return [value for value in values if low <= value <= high]


def test_the_exponential_is_that_of_the_reference() -> None:
    values = corners_and_random(-(1 << 31), 0, 4000) + corners_and_random(-QUARTER, 0, 20000)
    for a in values:
        assert shim().shim_exp(a) == exp(a), a


def test_the_exponential_is_near_the_real_one() -> None:
    for a in corners_and_random(-(1 << 31), 0, 500):
        assert abs(shim().shim_exp(a) / ONE - math.exp(a / 2**26)) < 1e-6, a


def test_the_reciprocal_is_that_of_the_reference() -> None:
    for x in corners_and_random(0, MAX, 6000):
        assert shim().shim_reciprocal(x) == reciprocal(x), x


def test_the_reciprocal_of_one_is_the_largest_number_below_one() -> None:
    assert shim().shim_reciprocal(0) == MAX


@pytest.mark.parametrize("depth", [1, 2, 3, 10, 64, 300])
@pytest.mark.parametrize("shift", [16, 20, 22, 24])
def test_rows_are_those_of_the_model(depth: int, shift: int) -> None:
    random = np.random.default_rng(depth * 100 + shift)
    x = random.integers(-128, 128, (max(2, 600 // depth), depth)).astype(np.int8)
    x[0] = np.clip(random.normal(0, 4, depth), -128, 127).astype(np.int8)
    multiplier = int(random.integers(1 << 30, 1 << 31))
    # A difference must not be so large that it wraps: diff_min is made for that.
    diff_min = max(-255, -((1 << 31) >> shift) + 1)
    expected = [softmax([int(code) for code in row], multiplier, shift, diff_min) for row in x]
    assert run(x, multiplier, shift, diff_min) == expected


@pytest.mark.parametrize("shift", [25, 28, 30, 31])
def test_differences_that_wrap_are_harmless(shift: int) -> None:
    x = np.random.default_rng(shift).integers(-128, 128, (40, 5)).astype(np.int8)
    expected = [softmax([int(code) for code in row], MAX, shift, -255) for row in x]
    assert run(x, MAX, shift) == expected


@pytest.mark.parametrize("depth", [1, 2, 4, 255, 256, 257, 511])
def test_rows_of_equal_codes_are_those_of_the_reference(depth: int) -> None:
    graph = GraphBuilder()
    x = graph.input((2, depth), scale=0.1, zero_point=3)
    assert_same_bytes(graph, [graph.softmax(x)], depth)


@pytest.mark.parametrize("depth", [512, 513, 1024, 4095])
def test_shares_that_are_too_small_are_nothing(depth: int) -> None:
    # Here the reference shifts by more than its assertions allow, and ends the process.
    assert run(np.full((1, depth), 3, np.int8), 1 << 30, 20) == [[-128] * depth]


def test_the_longest_row_does_not_overflow() -> None:
    x = np.full((1, 4095), -5, np.int8)
    x[0, 100] = -6
    assert run(x, 1 << 30, 20) == [softmax([int(code) for code in x[0]], 1 << 30, 20, -255)]


@pytest.mark.parametrize(("diff_min", "counted"), [(-11, 2), (-10, 1), (-1, 1), (0, 1)])
def test_a_difference_counts_down_to_the_smallest(diff_min: int, counted: int) -> None:
    x = np.array([[10, -1]], np.int8)
    row = run(x, 1 << 30, 20, diff_min)[0]
    assert sum(code > -128 for code in row) == counted
    assert row == softmax([10, -1], 1 << 30, 20, diff_min)


@pytest.mark.parametrize(
    ("x", "multiplier", "shift", "expected"),
    [
        ([120, -79, 105], 1906463447, 21, [26, -127, -27]),
        ([-21, -17], 1277408018, 22, [-9, 9]),
        ([3, 72, -49, -3, -110, -54], 1318933381, 22, [-112, 95, -126, -115, -128, -126]),
        ([25, 55, 42], 1243006823, 22, [-84, 2, -47]),
        ([52, 58, 27, 17, 40, 9], 1374556968, 22, [-59, -40, -102, -111, -85, -116]),
    ],
    ids=["three", "two", "six", "fraction", "long fraction"],
)
def test_the_sum_keeps_every_bit_of_its_fraction(
    x: list[int], multiplier: int, shift: int, expected: list[int]
) -> None:
    """Rows that round otherwise if the sum of the exponentials has one bit less.

    Or if its fraction is 2^-31 less.
    """
    assert softmax(x, multiplier, shift, -255) == expected
    assert run(np.array([x], np.int8), multiplier, shift) == [expected]
