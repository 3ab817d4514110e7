# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/duty/gate.c: scores of stage 1 in exact fractions, and its verdicts."""

import math
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.duty.conftest import Library

SAMPLES = st.integers(-(2**15), 2**15 - 1)
FULL_SCALE = st.sampled_from([-(2**15), 2**15 - 1])
REJECT, UNSURE, POSITIVE = range(3)


def motion(duty: Library, samples: Sequence[int], axes: int) -> int:
    """Return gate_motion() of samples, one axis after the other in each."""
    count = len(samples) // axes
    found: int = duty.c.gate_motion(duty.ffi.new("int16_t[]", list(samples)), count, axes)
    return found


def exact_motion(samples: Sequence[int], axes: int) -> int:
    """Return what the header says: the root of an integer part is the integer part of the root."""
    total = 0
    for axis in range(axes):
        values = samples[axis::axes]
        mean = Fraction(sum(values), len(values))
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        total += math.isqrt(math.floor(variance))
    return total


@st.composite
def windows(draw: st.DrawFn) -> tuple[list[int], int]:
    """Draw (samples, axes)."""
    axes, count = draw(st.integers(1, 6)), draw(st.integers(1, 64))
    values = draw(st.sampled_from((SAMPLES, st.integers(-5, 5), FULL_SCALE)))
    return draw(st.lists(values, min_size=count * axes, max_size=count * axes)), axes


@given(windows())
def test_the_score_of_motion_is_the_exact_deviation_rounded_down_for_each_axis(
    duty: Library, window: tuple[list[int], int]
) -> None:
    assert motion(duty, *window) == exact_motion(*window)


@pytest.mark.parametrize("count", [2, 64, 1000, 65534])
def test_full_scale_does_not_overflow(duty: Library, count: int) -> None:
    assert motion(duty, [-(2**15), 2**15 - 1] * (count // 2), 1) == 32767
    assert motion(duty, [-(2**15)] * count, 1) == 0
    assert motion(duty, [-(2**15)] * count * 6, 6) == 0


@given(st.integers(1, 2**15 - 1))
def test_roots_of_squares_are_exact(duty: Library, deviation: int) -> None:
    assert motion(duty, [deviation, -deviation], 1) == deviation
    assert motion(duty, [deviation, -deviation, 0], 1) == math.isqrt(2 * deviation**2 // 3)


@given(st.lists(SAMPLES, min_size=1, max_size=100))
def test_rest_has_score_0_and_order_does_not_matter(duty: Library, samples: list[int]) -> None:
    assert motion(duty, [samples[0]] * len(samples), 1) == 0
    assert motion(duty, samples, 1) == motion(duty, sorted(samples), 1)


def test_an_empty_window_has_score_0(duty: Library) -> None:
    assert duty.c.gate_motion(duty.ffi.NULL, 0, 6) == 0
    assert duty.c.gate_motion(duty.ffi.new("int16_t[]", 6), 1, 0) == 0


@given(st.lists(st.integers(0, 2**16 - 1), min_size=40, max_size=40), st.data())
def test_the_score_of_sound_is_the_mean_of_a_band(
    duty: Library, row: list[int], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, 39))
    last = data.draw(st.integers(first + 1, 40))
    expected = sum(row[first:last]) // (last - first)
    assert duty.c.gate_sound(duty.ffi.new("uint16_t[]", row), first, last) == expected


@pytest.mark.parametrize(("first", "last"), [(0, 0), (40, 40), (5, 4)])
def test_a_band_without_channels_has_score_0(duty: Library, first: int, last: int) -> None:
    row = duty.ffi.new("uint16_t[]", [65535] * 40)
    assert duty.c.gate_sound(row, first, last) == 0


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0, REJECT), (9, REJECT), (10, UNSURE), (19, UNSURE), (20, POSITIVE), (2**32 - 1, POSITIVE)],
)
def test_verdicts_at_their_thresholds(duty: Library, score: int, verdict: int) -> None:
    config = duty.ffi.new("gate_config_t *", {"low": 10, "high": 20})
    assert duty.c.gate_judge(config, score) == verdict


@pytest.mark.parametrize("score", [0, 6, 7, 8])
def test_equal_thresholds_leave_nothing_unsure(duty: Library, score: int) -> None:
    config = duty.ffi.new("gate_config_t *", {"low": 7, "high": 7})
    assert duty.c.gate_judge(config, score) == (POSITIVE if score >= 7 else REJECT)


def test_a_gate_of_0_rejects_nothing(duty: Library) -> None:
    config = duty.ffi.new("gate_config_t *", {"low": 0, "high": 1})
    assert duty.c.gate_judge(config, 0) == UNSURE
