# SPDX-License-Identifier: Apache-2.0
"""Fixed-point numbers as TensorFlow Lite Micro makes them; corner cases worked out by hand."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.compile.fixed_point import (
    Rescale,
    activation_range,
    mean_rescale,
    quantize_multiplier,
    round_half_away,
    window,
)
from torpor.graph import Tensor


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, Rescale(0, 0)),
        (1.0, Rescale(1 << 30, 1)),
        (0.5, Rescale(1 << 30, 0)),
        (0.75, Rescale(3 << 29, 0)),
        (1 - 2.0**-40, Rescale(1 << 30, 1)),  # rounds up to 2^31 and is halved
        (2.0**-32, Rescale(1 << 30, -31)),
        (2.0**-33, Rescale(0, 0)),  # shift -32: flushed to zero
    ],
)
def test_multipliers_of_known_numbers(real: float, expected: Rescale) -> None:
    assert quantize_multiplier(real) == expected


@given(st.floats(2.0**-31, 2.0**29))
def test_a_multiplier_is_normalised_and_within_half_a_unit(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert 1 << 30 <= multiplier < 1 << 31
    assert abs(math.ldexp(multiplier, shift - 31) - real) <= math.ldexp(0.5, shift - 31)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.5, 1), (-0.5, -1), (2.5, 3), (-2.4999, -2), (0.0, 0), (7.0, 7)]
)
def test_ties_are_rounded_away_from_zero(value: float, rounded: int) -> None:
    assert round_half_away(value) == rounded


@given(st.integers(1 << 30, (1 << 31) - 1), st.integers(-20, 10), st.integers(1, 100_000))
def test_a_mean_folds_its_count_into_the_multiplier(m: int, shift: int, count: int) -> None:
    folded = mean_rescale(Rescale(m, shift), count)
    unit = Fraction(2) ** folded.shift
    exact = m * Fraction(2) ** shift / count
    assert 0 <= exact - folded.multiplier * unit < unit
    assert 1 << 29 <= folded.multiplier < 1 << 31 or folded.shift == -31


def tensor(scale: float, zero_point: int) -> Tensor:
    return Tensor(0, "y", (1,), "int8", (scale,), (zero_point,))


@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "expected"),
    [
        ("NONE", 0.1, 5, (-128, 127)),
        ("RELU", 0.1, -128, (-128, 127)),
        ("RELU", 0.1, 5, (5, 127)),
        ("RELU6", 0.5, -4, (-4, 8)),
        ("RELU6", 0.01, -128, (-128, 127)),
        ("RELU_N1_TO_1", 0.25, 1, (-3, 5)),
    ],
)
def test_activation_bounds(
    activation: str, scale: float, zero_point: int, expected: tuple[int, int]
) -> None:
    assert activation_range(activation, tensor(scale, zero_point)) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("SAME", 49, 10, 2), (25, 4)),
        (("SAME", 10, 4, 2), (5, 1)),
        (("SAME", 96, 3, 2), (48, 0)),
        (("SAME", 7, 3, 1, 2), (7, 2)),
        (("VALID", 7, 3, 1), (5, 0)),
        (("VALID", 8, 3, 2), (3, 0)),
        (("SAME", 5, 1, 3), (2, 0)),
    ],
)
def test_windows_along_one_dimension(
    arguments: tuple[str, int, int, int], expected: tuple[int, int]
) -> None:
    assert window(*arguments) == expected
