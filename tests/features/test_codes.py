# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""From sound features to codes: whole numbers give what floats give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torpor.errors import ModelError
from torpor.features import UNIT, CodeRule, Features, code_rule, float_codes
from torpor.features.codes import LARGEST

ALL = np.arange(1 << 16, dtype=np.uint16)
SCALE = float(np.float32(0.10196078568696976))
"""Of all four models of pymicro-wakeword 2.5.0; their zero point is -128."""


def test_the_public_models_have_a_rule_for_every_value() -> None:
    rule = code_rule(SCALE, -128)
    assert rule == CodeRule(50215, 17, -128)
    np.testing.assert_array_equal(rule.codes(ALL), float_codes(ALL, SCALE, -128))


def test_floats_are_rounded_and_scaled_as_pymicro_wakeword_does() -> None:
    values = ALL[:667]  # beyond, its codes wrap around, and ours are clipped
    features = (values.astype(np.float32) * np.float32(UNIT)).astype(np.float64)
    theirs = np.round(features / SCALE + -128).astype(np.int8)
    np.testing.assert_array_equal(float_codes(values, SCALE, -128), theirs)
    assert (int(theirs[0]), int(theirs[-1])) == (-128, 127)
    assert set(float_codes(ALL[667:], SCALE, -128).tolist()) == {127}


def test_a_neighbour_of_the_rule_is_wrong_somewhere() -> None:
    expected = float_codes(ALL, SCALE, -128)
    rule = code_rule(SCALE, -128)
    for step in (-60, 60):
        other = rule._replace(multiplier=rule.multiplier + step)
        assert not np.array_equal(other.codes(ALL), expected)
    coarse = (rule._replace(multiplier=m, shift=16) for m in (25107, 25108))
    assert not any(np.array_equal(other.codes(ALL), expected) for other in coarse)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.015625, 1, width=32), st.integers(-128, 127))
def test_a_rule_that_is_found_is_right_for_every_value(scale: float, zero_point: int) -> None:
    try:
        rule = code_rule(scale, zero_point)
    except ModelError:
        return
    np.testing.assert_array_equal(rule.codes(ALL), float_codes(ALL, scale, zero_point))
    assert LARGEST * rule.multiplier + (1 << rule.shift - 1) < 1 << 31
    assert 1 <= rule.shift < 32


def test_most_scales_have_a_rule() -> None:
    scales = np.random.default_rng(1).uniform(0.05, 0.2, 200).astype(np.float32)
    assert all(code_rule(float(scale), -128).shift <= 24 for scale in scales)


def test_a_scale_without_a_rule_is_an_error_that_names_it() -> None:
    with pytest.raises(ModelError, match=r"no integer rule .* at scale 1e-09"):
        code_rule(1e-9, 0)


def test_no_feature_is_larger_than_the_largest() -> None:
    samples = np.random.default_rng(1).choice(np.array([-32768, 32767], np.int16), 32_000)
    steps = np.repeat(np.array([-32768, 32767] * 400, np.int16), 40)
    for sound in (samples, steps):
        assert Features().process(sound).max() <= LARGEST
