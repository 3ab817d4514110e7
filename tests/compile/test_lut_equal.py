# SPDX-License-Identifier: Apache-2.0
"""Operators that are a function of one code: each of the 256 codes gives the code of TFLM."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.tflite_builder import GraphBuilder
from torpor.compile import compile_model
from torpor.compile.fixed_point import Rescale
from torpor.compile.kernel_math import (
    exp_of_negative,
    high_mul,
    logistic,
    requantize,
    rounding_shr,
    saturating_shl,
    tanh,
    wrap,
)
from torpor.engine import Engine
from torpor.errors import ModelError, UnsupportedError
from torpor.golden import Golden

FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CODES = np.arange(-128, 128).astype(np.int8).reshape(1, 256)
EXPONENT = st.floats(-12, 4)
RATIO = st.floats(-7.5, 7)
ZERO_POINT = st.integers(-128, 127)
PLAIN = ["ABS", "HARD_SWISH", "QUANTIZE", "TANH"]


def power(exponent: float) -> float:
    return float(np.float32(2.0**exponent))


def build(name: str, x: tuple[float, int], y: tuple[float, int], alpha: float = 0.0) -> bytes:
    g = GraphBuilder()
    source = g.input((1, 256), scale=x[0], zero_point=x[1])
    if name == "LEAKY_RELU":
        return g.build([g.leaky_relu(source, alpha, scale=y[0], zero_point=y[1])])
    return g.build([g.unary(name, source, scale=y[0], zero_point=y[1])])


def assert_every_code_equal(model: bytes) -> None:
    compiled = compile_model(model)
    assert compiled.kernels == ("LUT_S8",)
    found = Engine(compiled.plan, sanitize=True).invoke([CODES])[0]
    np.testing.assert_array_equal(found, Golden(model).invoke([CODES])[0])


@pytest.mark.parametrize("name", PLAIN)
@FEW
@given(exponent=EXPONENT, ratio=RATIO, points=st.tuples(ZERO_POINT, ZERO_POINT))
@example(exponent=-20.0, ratio=7.9, points=(-128, 127))
@example(exponent=22.0, ratio=-5.9, points=(127, -128))
def test_a_function_of_one_code(
    *, name: str, exponent: float, ratio: float, points: tuple[int, int]
) -> None:
    model = build(name, (power(exponent), points[0]), (power(exponent + ratio), points[1]))
    if name == "HARD_SWISH" and power(exponent) / power(exponent + ratio) >= 128:
        with pytest.raises(UnsupportedError, match="output scale is too small"):
            compile_model(model)
        with pytest.raises(ModelError):
            Golden(model)
    else:
        assert_every_code_equal(model)


@FEW
@given(exponent=EXPONENT, zero_point=ZERO_POINT, y_scale=st.sampled_from([1 / 256, 0.1]))
@example(exponent=-27.9, zero_point=-128, y_scale=1 / 256)
@example(exponent=20.0, zero_point=127, y_scale=1 / 256)
@example(exponent=-4.0, zero_point=0, y_scale=1 / 256)
def test_logistic(*, exponent: float, zero_point: int, y_scale: float) -> None:
    assert_every_code_equal(build("LOGISTIC", (power(exponent), zero_point), (y_scale, -128)))


@FEW
@given(
    exponent=EXPONENT,
    ratio=RATIO,
    points=st.tuples(ZERO_POINT, ZERO_POINT),
    alpha=st.floats(-3, 3, width=32),
)
def test_leaky_relu(
    *, exponent: float, ratio: float, points: tuple[int, int], alpha: float
) -> None:
    x, y = (power(exponent), points[0]), (power(exponent + ratio), points[1])
    assert_every_code_equal(build("LEAKY_RELU", x, y, alpha))


# Where ratios of scales in double and ratios rounded to float give some code differently.
RATIOS = [
    (0.09129171073436737, 0.013731900602579117),
    (0.021705681458115578, 0.03934948146343231),
    (0.01858716830611229, 0.011890781112015247),
]
LEAKY = [
    (0.07495281845331192, 0.061946235597133636, 0.6970012784004211),
    (0.07876808941364288, 0.04242832213640213, 0.32868558168411255),
    (0.06438207626342773, 0.04969484731554985, 0.7453114986419678),
]
SWISH = [
    (0.0995609387755394, 0.08749464899301529),
    (0.01856599934399128, 0.05964856967329979),
    (0.03187481313943863, 0.022415045648813248),
    (0.04091031849384308, 0.05042976886034012),
]


@pytest.mark.parametrize("name", ["ABS", "QUANTIZE"])
@pytest.mark.parametrize(("x_scale", "y_scale"), RATIOS)
def test_the_ratio_of_scales_is_double_as_in_tflm(
    name: str, x_scale: float, y_scale: float
) -> None:
    assert_every_code_equal(build(name, (x_scale, -128), (y_scale, -128)))


@pytest.mark.parametrize(("x_scale", "y_scale", "alpha"), LEAKY)
def test_the_ratio_of_scales_below_zero_is_double_as_in_tflm(
    x_scale: float, y_scale: float, alpha: float
) -> None:
    assert_every_code_equal(build("LEAKY_RELU", (x_scale, 127), (y_scale, 127), alpha))


@pytest.mark.parametrize(("x_scale", "y_scale"), SWISH)
@pytest.mark.parametrize("zero_point", [-128, 0])
def test_the_ratios_of_hard_swish_are_double_as_in_tflm(
    x_scale: float, y_scale: float, zero_point: int
) -> None:
    assert_every_code_equal(build("HARD_SWISH", (x_scale, zero_point), (y_scale, -128)))


def test_a_table_is_stored_once_and_runs_in_place() -> None:
    g = GraphBuilder()
    x = g.input((1, 64), scale=0.1)
    y = g.unary("TANH", g.unary("TANH", g.unary("TANH", x)))
    compiled = compile_model(g.build([y]))
    assert compiled.report.sections["data"] == 256
    assert compiled.report.arena.bytes == 64
    assert [op.data.constant_bytes for op in compiled.report.ops] == [256] * 3
    assert "looked up" in compiled.report.to_text()


# What TFLM refuses or cannot compute


def refusal(model: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        compile_model(model)
    return caught.value.message


def test_a_logistic_with_another_output_zero_point_is_refused_as_tflm_does() -> None:
    model = build("LOGISTIC", (0.1, 0), (1 / 256, -127))
    assert "-128" in refusal(model)
    with pytest.raises(ModelError):
        Golden(model)


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH", "HARD_SWISH"])
@pytest.mark.parametrize("scale", [2.0**-29, 2.0**40])
def test_scales_at_which_tflm_shifts_by_too_much_are_refused(name: str, scale: float) -> None:
    assert "too small or too large" in refusal(build(name, (scale, 0), (scale, -128)))


@pytest.mark.parametrize("alpha", [math.inf, math.nan])
def test_a_slope_that_is_no_number_is_refused(alpha: float) -> None:
    assert "alpha" in refusal(build("LEAKY_RELU", (0.1, 0), (0.1, 0), alpha))


@pytest.mark.parametrize("name", [*PLAIN, "LEAKY_RELU"])
def test_another_size_of_the_output_is_refused(name: str) -> None:
    g = GraphBuilder()
    x = g.input((1, 6), scale=0.1)
    y = g.tensor((1, 7), scale=0.1)
    g.op(name, [x], [y])
    assert "differ in size" in refusal(g.build([y]))


# The arithmetic


@given(st.integers(-(15 << 27), 15 << 27))
def test_logistic_and_tanh_are_close_to_the_functions(a: int) -> None:
    x = a / (1 << 27)
    assert logistic(a) / (1 << 31) == pytest.approx(1 / (1 + math.exp(-x)), abs=4e-7)
    assert tanh(a) / (1 << 31) == pytest.approx(math.tanh(x), abs=8e-7)


@given(st.integers(-(1 << 31), -1), st.sampled_from([4, 5]))
def test_exp_is_close_to_the_function(a: int, integer_bits: int) -> None:
    expected = math.exp(a / (1 << 31 - integer_bits))
    assert exp_of_negative(a, integer_bits) / (1 << 31) == pytest.approx(expected, abs=3e-7)


def test_rounding_at_ties() -> None:
    assert [rounding_shr(v, 1) for v in (-3, -1, 0, 1, 3)] == [-2, -1, 0, 1, 2]
    assert [high_mul(v, 1 << 30) for v in (-3, -1, 1, 3)] == [-1, 0, 1, 2]
    assert high_mul(-(1 << 15), -(1 << 15), 16) == (1 << 15) - 1


def test_saturation_and_wrapping() -> None:
    most = (1 << 29) - 1
    assert saturating_shl(most, 2) == most << 2
    assert saturating_shl(most + 1, 2) == (1 << 31) - 1
    assert saturating_shl(-most, 2) == -most << 2
    assert saturating_shl(-most - 1, 2) == -(1 << 31)
    assert wrap(1 << 31) == -(1 << 31)
    assert requantize(3, Rescale(1 << 30, 30)) == wrap(3 << 30) // 2
