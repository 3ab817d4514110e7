# SPDX-License-Identifier: Apache-2.0
"""Other types than int8 at the ends of models and between operators: the bytes of TFLM."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.tflite_builder import GraphBuilder
from torpor.compile import Compiled, compile_model
from torpor.compile.ops.quantize import _INTEGERS, _TO
from torpor.engine import Engine
from torpor.errors import ModelError, UnsupportedError
from torpor.golden import Golden
from torpor.verify import described_inputs
from torpor.verify.stimuli import SPECIAL, FloatInput, stimuli

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EXPONENT = st.floats(-12, 3)
RATIO = st.floats(-6, 6)
PAIRS = [(x, y) for x, to in _TO.items() for y in to]
WRONG_PAIRS = [(x, y) for x in _TO for y in _INTEGERS if y not in _TO[x]]
WIDE = 20_000
"""Codes of one test of int16: most of them."""


def power(exponent: float) -> float:
    return float(np.float32(2.0**exponent))


def points(dtype: str) -> st.SearchStrategy[int]:
    """Zero points of a type; those of int32 are codes as good as any."""
    if dtype == "int32":
        return st.integers(-1000, 1000)
    return st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def converted(name: str, x: tuple[str, float, int], y: tuple[str, float, int], count: int) -> bytes:
    """Return a model of QUANTIZE or DEQUANTIZE from (type, scale, zero point) to another."""
    g = GraphBuilder()
    source, target = (
        {"dtype": t, "scale": None if t == "float32" else s, "zero_point": z} for t, s, z in (x, y)
    )
    made = g.input((1, count), **source)  # type: ignore[arg-type]
    result = g.tensor((1, count), **target)  # type: ignore[arg-type]
    g.op(name, [made], [result])
    return g.build([result])


def equal(model: bytes, inputs: Sequence[NDArray[Any]]) -> Compiled:
    """Compile, run with undefined behaviour trapped, compare every byte."""
    compiled = compile_model(model)
    found = Engine(compiled.plan, sanitize=True).invoke(inputs)
    for ours, golden in zip(found, Golden(model).invoke(list(inputs)), strict=True):
        assert ours.dtype == golden.dtype
        np.testing.assert_array_equal(ours.view(np.uint8), golden.view(np.uint8))
    return compiled


def codes(dtype: str, seed: int, count: int = 400) -> NDArray[Any]:
    """Return random codes of a type, the outermost among them."""
    limits = np.iinfo(dtype)
    drawn = np.random.default_rng(seed).integers(
        limits.min, limits.max, count, dtype, endpoint=True
    )
    drawn[:6] = [limits.min, limits.min + 1, 0, 1, limits.max - 1, limits.max]
    return drawn.reshape(1, count)


# ---- QUANTIZE and DEQUANTIZE


@pytest.mark.parametrize(("x", "y"), [p for p in PAIRS if p[0] != "float32"])
@FEW
@given(exponent=EXPONENT, ratio=RATIO, data=st.data())
def test_quantize_from_integer_to_integer(
    x: str, y: str, exponent: float, ratio: float, data: st.DataObject
) -> None:
    source = (x, power(exponent), data.draw(points(x)))
    target = (y, power(exponent + ratio), data.draw(points(y)))
    given_codes = codes(x, seed=1)
    compiled = equal(converted("QUANTIZE", source, target, 400), [given_codes])
    both_bytes = x.endswith("int8") and y.endswith("int8")
    assert compiled.kernels == (("LUT_S8",) if both_bytes else ("REQUANTIZE",))


def floats(y: tuple[str, float, int], seed: int) -> NDArray[Any]:
    """Return numbers about the range of y, halfway between codes, special ones, and any bits."""
    info = FloatInput((1, 100), y[1], y[2], y[0])
    cases = [case.inputs[0] for case in stimuli([info], 8, seed)]
    random = np.random.default_rng(seed)
    bits = random.integers(0, 1 << 32, 400, np.uint32).view(np.float32)
    borders = np.array([2.0**31, -(2.0**31), 2.0**31 - 128, 2.0**23 + 0.5, 0.49999997]) * y[1]
    parts = [*(c.reshape(-1) for c in cases), bits, borders, np.array(SPECIAL)]
    with np.errstate(over="ignore"):
        return np.concatenate([p.astype(np.float32) for p in parts]).reshape(1, -1)


@pytest.mark.parametrize("dtype", _TO["float32"])
@FEW
@given(exponent=st.floats(-130, 127), seed=st.integers(0, 99), data=st.data())
def test_quantize_from_float(dtype: str, exponent: float, seed: int, data: st.DataObject) -> None:
    target = (dtype, power(exponent), data.draw(points(dtype)))
    x = floats(target, seed)
    assert equal(converted("QUANTIZE", ("float32", 0, 0), target, x.size), [x]).kernels == (
        "QUANTIZE_F32",
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@FEW
@given(exponent=st.floats(-145, 127), data=st.data())
def test_dequantize(dtype: str, exponent: float, data: st.DataObject) -> None:
    source = (dtype, power(exponent), data.draw(points(dtype)))
    limits = np.iinfo(dtype)
    x = np.arange(limits.min, limits.max + 1).astype(dtype).reshape(1, -1)
    compiled = equal(converted("DEQUANTIZE", source, ("float32", 0, 0), x.size), [x])
    assert compiled.kernels == ("DEQUANTIZE",)


@pytest.mark.parametrize(("x", "y"), WRONG_PAIRS)
def test_what_tflm_does_not_quantize_is_refused_as_it_does(x: str, y: str) -> None:
    model = converted("QUANTIZE", (x, 0.1, 0), (y, 0.1, 0), 400)
    with pytest.raises(UnsupportedError, match=f"does not quantize {x} to {y}"):
        compile_model(model)
    given_codes = np.zeros((1, 400), np.float32) if x == "float32" else codes(x, 1)
    with pytest.raises(ModelError):
        Golden(model).invoke([given_codes])


def test_int32_codes_without_a_scale_are_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), "int32", scale=None)
    y = g.tensor((1, 4), "int16", scale=0.1)
    g.op("QUANTIZE", [x], [y])
    with pytest.raises(ModelError, match="one scale"):
        compile_model(g.build([y]))


def test_a_float_input_gives_its_bytes_back_to_what_is_made_of_it() -> None:
    model = converted("QUANTIZE", ("float32", 0, 0), ("int8", 0.1, 3), 64)
    assert compile_model(model).report.arena.bytes == 256


def test_a_float_output_lies_on_the_codes_it_is_made_of() -> None:
    g = GraphBuilder()
    x = g.input((1, 64), scale=0.1)
    y = g.tensor((1, 64), "float32")
    g.op("DEQUANTIZE", [g.unary("RELU", x)], [y])
    model = g.build([y])
    assert compile_model(model).report.arena.bytes == 256
    equal(model, [codes("int8", 3, 64)])


def test_the_inputs_of_verify_know_what_floats_are_quantized_to() -> None:
    model = converted("QUANTIZE", ("float32", 0, 0), ("int16", 0.25, 3), 8)
    (info,) = described_inputs(model, Golden(model).inputs)
    assert info == FloatInput((1, 8), 0.25, 3, "int16")


# ---- int16


def two_operands(
    name: str,
    scales: tuple[float, float, float],
    zero_points: tuple[int, int, int],
    *,
    shapes: tuple[Sequence[int], Sequence[int]] = ((1, WIDE), (1, WIDE)),
    activation: str = "none",
) -> bytes:
    g = GraphBuilder()
    a, b = (
        g.input(s, "int16", scale=q, zero_point=z)
        for s, q, z in zip(shapes, scales, zero_points, strict=False)
    )
    y = g.binary(name, a, b, scale=scales[2], zero_point=zero_points[2], activation=activation)
    g._tensors[y].type = g._tensors[a].type
    return g.build([y])


INT16 = st.one_of(st.just(0), points("int16"))


@pytest.mark.parametrize("name", ["ADD", "SUB"])
@FEW
@given(
    exponents=st.tuples(EXPONENT, EXPONENT),
    ratio=st.floats(-6, 8),
    zero_points=st.tuples(INT16, INT16, INT16),
    activation=st.sampled_from(["none", "relu", "relu6"]),
)
def test_sums_of_int16(
    *,
    name: str,
    exponents: tuple[float, float],
    ratio: float,
    zero_points: tuple[int, int, int],
    activation: str,
) -> None:
    a, b = map(power, exponents)
    scales = (a, b, max(a, b) * power(ratio))
    model = two_operands(name, scales, zero_points, activation=activation)
    inputs = [codes("int16", 1, WIDE), codes("int16", 2, WIDE)[:, ::-1].copy()]
    assert equal(model, inputs).kernels == (f"{name}_S16",)


@FEW
@given(exponents=st.tuples(EXPONENT, EXPONENT), ratio=st.floats(-2, 16))
def test_products_of_int16(exponents: tuple[float, float], ratio: float) -> None:
    a, b = map(power, exponents)
    model = two_operands("MUL", (a, b, a * b * power(ratio)), (0, 0, 0))
    inputs = [codes("int16", 1, WIDE), codes("int16", 2, WIDE)[:, ::-1].copy()]
    assert equal(model, inputs).kernels == ("MUL_S16",)


@pytest.mark.parametrize("name", ["MAXIMUM", "MINIMUM", "ADD", "SUB", "MUL"])
@pytest.mark.parametrize("shapes", [((2, 3, 5), (5,)), ((2, 1, 5), (1, 3, 1)), ((1,), (2, 3))])
def test_operands_of_int16_are_broadcast(
    name: str, shapes: tuple[Sequence[int], Sequence[int]]
) -> None:
    model = two_operands(name, (0.1, 0.2, 0.3), (0, 0, 0), shapes=shapes)
    inputs = [
        codes("int16", i, 400).reshape(-1)[: int(np.prod(s))].reshape(s)
        for i, s in enumerate(shapes)
    ]
    equal(model, inputs)


def test_an_operand_of_int16_may_be_a_constant() -> None:
    g = GraphBuilder()
    x = g.input((2, 5), "int16", scale=0.1)
    c = g.constant([-32768, -5, 0, 300, 32767], "int16", scale=0.2)
    y = g.binary("SUB", c, x, scale=0.3)
    g._tensors[y].type = g._tensors[x].type
    equal(g.build([y]), [codes("int16", 1, 10).reshape(2, 5)])


@pytest.mark.parametrize("name", ["MUL", "RELU", "ABS"])
def test_a_zero_point_of_int16_is_refused_where_tflm_does(name: str) -> None:
    if name == "MUL":
        model = two_operands("MUL", (0.1, 0.1, 0.1), (5, 0, 0), shapes=((1, 8), (1, 8)))
    else:
        model = slopes(name, (0.1, 5), (0.1, 0))
    with pytest.raises(UnsupportedError, match="zero point 0"):
        compile_model(model)
    with pytest.raises(ModelError):
        Golden(model)


def slopes(
    name: str, x: tuple[float, int], y: tuple[float, int], alpha: float = 0.0, count: int = WIDE
) -> bytes:
    """Return a model of a function of one int16 code."""
    g = GraphBuilder()
    source = g.input((1, count), "int16", scale=x[0], zero_point=x[1])
    if name == "LEAKY_RELU":
        made = g.leaky_relu(source, alpha, scale=y[0], zero_point=y[1])
    else:
        made = g.unary(name, source, scale=y[0], zero_point=y[1])
    g._tensors[made].type = g._tensors[source].type
    return g.build([made])


@FEW
@given(
    exponent=EXPONENT,
    ratio=RATIO,
    zero_points=st.tuples(INT16, INT16),
    alpha=st.floats(-3, 3, width=32),
)
def test_leaky_relu_of_int16(
    *, exponent: float, ratio: float, zero_points: tuple[int, int], alpha: float
) -> None:
    x, y = (power(exponent), zero_points[0]), (power(exponent + ratio), zero_points[1])
    model = slopes("LEAKY_RELU", x, y, alpha)
    assert equal(model, [codes("int16", 1, WIDE)]).kernels == ("LEAKY_RELU_S16",)


@pytest.mark.parametrize("name", ["RELU", "ABS"])
@FEW
@given(exponent=EXPONENT, ratio=RATIO)
def test_relu_and_abs_of_int16(name: str, exponent: float, ratio: float) -> None:
    model = slopes(name, (power(exponent), 0), (power(exponent + ratio), 0))
    assert equal(model, [codes("int16", 1, WIDE)]).kernels == ("LEAKY_RELU_S16",)


@FEW
@given(exponent=EXPONENT, ratio=RATIO, zero_points=st.tuples(INT16, INT16))
def test_relu6_of_int16(exponent: float, ratio: float, zero_points: tuple[int, int]) -> None:
    x, y = (power(exponent), zero_points[0]), (power(exponent + ratio), zero_points[1])
    equal(slopes("RELU6", x, y), [codes("int16", 1, WIDE)])


def test_hard_swish_of_int16_is_refused_as_tflm_does() -> None:
    model = slopes("HARD_SWISH", (0.1, 0), (0.1, 0), count=8)
    with pytest.raises(UnsupportedError, match="int16 activations are not supported"):
        compile_model(model)
    with pytest.raises(ModelError):
        Golden(model).invoke([codes("int16", 1, 8)])


@pytest.mark.parametrize("name", ["RELU", "RELU6"])
def test_an_activation_of_int16_is_fused_into_the_operator_before(name: str) -> None:
    g = GraphBuilder()
    a = g.input((1, 400), "int16", scale=0.001)
    s = g.add(a, a, scale=0.001)
    y = g.unary(name, s)
    for tensor in (s, y):
        g._tensors[tensor].type = g._tensors[a].type
    assert equal(g.build([y]), [codes("int16", 1)]).kernels == ("ADD_S16",)


# ---- ends of models


def test_a_float_output_that_tells_a_range_of_codes_has_none() -> None:
    g = GraphBuilder()
    x = g.input((1, 8), scale=0.1)
    y = g.tensor((1, 8), "float32", scale=0.5, zero_point=7)
    g.op("DEQUANTIZE", [x], [y])
    model = g.build([y])
    equal(model, [codes("int8", 1, 8)])
    (info,) = Engine(compile_model(model).plan).outputs
    assert (info.scale, info.zero_point, info.dtype) == (0.0, 0, np.dtype(np.float32))


def test_an_input_without_a_scale_is_not_to_blame_for_an_operator_that_nobody_knows() -> None:
    g = GraphBuilder()
    x = g.input((1, 8), "int16", scale=None)
    y = g.tensor((1, 8), "int16")
    g.op("CUSTOM", [x], [y])
    with pytest.raises(UnsupportedError, match="CUSTOM"):
        compile_model(g.build([y]))


@pytest.mark.parametrize(("dtype", "point"), [("uint8", 256), ("uint8", -1), ("int16", 1 << 15)])
def test_a_zero_point_outside_the_type_of_an_input_is_refused(dtype: str, point: int) -> None:
    g = GraphBuilder()
    x = g.input((1, 8), dtype, scale=0.1, zero_point=point)
    with pytest.raises(ModelError, match=f"zero point outside {dtype}"):
        compile_model(g.build([g.reshape(x, (8,))]))
