# SPDX-License-Identifier: Apache-2.0
"""LOGISTIC, TANH and SOFTMAX of 16-bit activations: the bytes of TFLM, and what is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.tflite_builder import GraphBuilder
from torpor.compile import Compiled, compile_model
from torpor.engine import Engine
from torpor.errors import ModelError
from torpor.golden import Golden

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EVERY_CODE = np.arange(-(1 << 15), 1 << 15).astype(np.int16).reshape(1, -1)
Q15 = 2.0**-15
Array = NDArray[Any]


def float32(value: float) -> float:
    return float(np.float32(value))


def powers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda exponent: float32(2.0**exponent))


def assert_same_bytes(model: bytes, x: Array) -> Compiled:
    compiled = compile_model(model)
    found = Engine(compiled.plan, sanitize=True).invoke([x])[0]
    np.testing.assert_array_equal(found, Golden(model).invoke([x])[0])
    return compiled


def refused_by_both(model: bytes, x: Array) -> str:
    with pytest.raises(ModelError) as caught:
        compile_model(model)
    with pytest.raises(ModelError):
        Golden(model).invoke([x])
    return caught.value.message


# LOGISTIC and TANH


def function(
    name: str,
    scale: float,
    points: tuple[int, int] = (0, 0),
    y_scale: float = Q15,
    dtypes: tuple[str, str] = ("int16", "int16"),
) -> bytes:
    graph = GraphBuilder()
    shape = EVERY_CODE.shape
    x = graph.input(shape, dtypes[0], scale=scale, zero_point=points[0])
    y = graph.tensor(shape, dtypes[1], scale=y_scale, zero_point=points[1])
    graph.op(name, [x], [y])
    return graph.build([y])


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
@FEW
@given(scale=powers(-22, 2.4))
@example(scale=2.0**-12)
@example(scale=2.0**-11)
@example(scale=2.0**-13)
@example(scale=2.0**-12 * 1.0005)
@example(scale=2.0**-12 * 1.0009)
@example(scale=2.0**-40)
@example(scale=5.3)
def test_every_code_has_the_bytes_of_tflm(name: str, scale: float) -> None:
    compiled = assert_same_bytes(function(name, float32(scale)), EVERY_CODE)
    assert compiled.kernels == (f"{name}_S16",)


@pytest.mark.parametrize("y_scale", [Q15 * 1.0006, Q15 * 0.9994])
def test_an_output_scale_close_to_a_power_of_two_is_one(y_scale: float) -> None:
    assert_same_bytes(function("TANH", 2.0**-12, y_scale=y_scale), EVERY_CODE)


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
@pytest.mark.parametrize(
    ("points", "y_scale", "words"),
    [
        ((1, 0), Q15, "zero point"),
        ((0, -1), Q15, "zero point"),
        ((0, 0), 2.0**-14, "output scale"),
        ((0, 0), 2.0**-16, "output scale"),
        ((0, 0), Q15 * 1.001, "output scale"),
    ],
)
def test_quantizations_that_tflm_refuses(
    name: str, points: tuple[int, int], y_scale: float, words: str
) -> None:
    assert words in refused_by_both(function(name, 1e-4, points, y_scale), EVERY_CODE)


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
@pytest.mark.parametrize("dtypes", [("int8", "int16"), ("int16", "int8")])
def test_input_and_output_must_have_one_type(name: str, dtypes: tuple[str, str]) -> None:
    points = (0, -128) if dtypes[1] == "int8" else (0, 0)
    x = EVERY_CODE.astype(dtypes[0])
    refused_by_both(function(name, 1e-4, points, dtypes=dtypes), x)


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
def test_scales_at_which_the_argument_overflows_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="too large"):
        compile_model(function(name, 5.4))


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
def test_another_size_of_the_output_is_refused(name: str) -> None:
    graph = GraphBuilder()
    x = graph.input((1, 6), "int16", scale=1e-4)
    y = graph.tensor((1, 7), "int16", scale=Q15)
    graph.op(name, [x], [y])
    with pytest.raises(ModelError, match="differ in size"):
        compile_model(graph.build([y]))


def test_the_table_is_stored_once_and_functions_run_in_place() -> None:
    graph = GraphBuilder()
    y = graph.input((1, 64), "int16", scale=Q15)
    for name in ("TANH", "LOGISTIC", "TANH"):
        x, y = y, graph.tensor((1, 64), "int16", scale=Q15)
        graph.op(name, [x], [y])
    compiled = assert_same_bytes(graph.build([y]), EVERY_CODE[:, ::1024])
    assert compiled.report.sections["data"] == 512
    assert compiled.report.arena.bytes == 128


# SOFTMAX


def softmax(
    shape: tuple[int, ...],
    scale: float,
    beta: float = 1.0,
    *,
    dtypes: tuple[str, str] = ("int16", "int16"),
    y: tuple[float, int] = (Q15, 0),
    x_point: int = 0,
) -> bytes:
    graph = GraphBuilder()
    source = graph.input(shape, dtypes[0], scale=scale, zero_point=x_point)
    target = graph.tensor(shape, dtypes[1], scale=y[0], zero_point=y[1])
    options = schema.SoftmaxOptionsT()
    options.beta = beta
    graph.op("SOFTMAX", [source], [target], options)
    return graph.build([target])


def rows(shape: tuple[int, int], dtype: str, scale: float, seed: int) -> Array:
    """Random codes in some rows, real numbers of a few units in others."""
    rng = np.random.default_rng(seed)
    span = np.iinfo(dtype)
    wide = rng.integers(span.min, span.max + 1, shape)
    near = np.clip(rng.normal(0, min(3 / scale, 1e5), shape), span.min, span.max)
    return np.where(np.arange(shape[0])[:, None] % 2, wide, near).astype(dtype)


@FEW
@given(
    scale=powers(-20, 1),
    beta=st.sampled_from([1.0, 0.25, 3.0, 0.0]),
    depth=st.integers(1, 40),
    seed=st.integers(0, 99),
)
@example(scale=10 / 65535, beta=1.0, depth=2, seed=0)
@example(scale=4.9, beta=1.0, depth=3, seed=1)
def test_softmax_of_16_bits(scale: float, beta: float, depth: int, seed: int) -> None:
    shape = (24, depth)
    compiled = assert_same_bytes(softmax(shape, scale, beta), rows(shape, "int16", scale, seed))
    assert compiled.kernels == ("SOFTMAX_S16",)


def test_every_number_of_both_tables() -> None:
    """The sum of each row lies between 1 and 2, which is all that the reciprocal is asked for."""
    shape = (1 << 14, 2)
    x = np.full(shape, 32767, np.int16)
    x[:, 1] -= np.arange(0, 1 << 16, 4).astype(np.uint16).view(np.int16)
    assert_same_bytes(softmax(shape, 10 / 65535), x)


def test_a_long_row_of_16_bits() -> None:
    assert_same_bytes(softmax((1, 65535), 1e-4), np.zeros((1, 65535), np.int16))
    with pytest.raises(ModelError, match="more than 65535 classes"):
        compile_model(softmax((1, 65536), 1e-4))


INT8_TO_16 = ("int8", "int16")
UNSIGNED_Q16 = (2.0**-16, -(1 << 15))


@FEW
@given(
    scale=powers(-8, 1),
    beta=st.sampled_from([1.0, 0.25, 3.0]),
    depth=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_softmax_from_8_to_16_bits(scale: float, beta: float, depth: int, seed: int) -> None:
    shape = (24, depth)
    model = softmax(shape, scale, beta, dtypes=INT8_TO_16, y=UNSIGNED_Q16, x_point=3)
    compiled = assert_same_bytes(model, rows(shape, "int8", scale, seed))
    assert compiled.kernels == ("SOFTMAX_S8_S16",)


@pytest.mark.parametrize("depth", [256, 600, 4095])
def test_a_long_row_from_8_to_16_bits(depth: int) -> None:
    model = softmax((1, depth), 0.1, dtypes=INT8_TO_16, y=UNSIGNED_Q16)
    assert_same_bytes(model, np.zeros((1, depth), np.int8))


@pytest.mark.parametrize("factor", [1.0009, 0.9991])
@pytest.mark.parametrize(("dtype", "y"), [("int16", (Q15, 0)), ("int8", UNSIGNED_Q16)])
def test_an_output_scale_may_be_nearly_right(
    dtype: str, y: tuple[float, int], factor: float
) -> None:
    model = softmax((2, 5), 0.1, dtypes=(dtype, "int16"), y=(y[0] * factor, y[1]))
    assert_same_bytes(model, np.arange(10, dtype=dtype).reshape(2, 5))


@pytest.mark.parametrize(
    ("dtypes", "y", "x_point", "words"),
    [
        (("int16", "int16"), (Q15, 1), 0, "zero point"),
        (("int16", "int16"), (Q15, 0), -1, "zero point"),
        (("int16", "int16"), (Q15 * 1.0011, 0), 0, "1/32768"),
        (("int16", "int16"), (2.0**-16, 0), 0, "1/32768"),
        (("int16", "int8"), (Q15, 0), 0, "int16"),
        (("int8", "int16"), (2.0**-16, 0), 0, "1/65536"),
        (("int8", "int16"), (Q15, -(1 << 15)), 0, "1/65536"),
        (("int8", "int16"), (2.0**-16 * 1.0011, -(1 << 15)), 0, "1/65536"),
    ],
)
def test_softmax_that_tflm_refuses(
    dtypes: tuple[str, str], y: tuple[float, int], x_point: int, words: str
) -> None:
    model = softmax((2, 5), 0.1, dtypes=dtypes, y=y, x_point=x_point)
    assert words in refused_by_both(model, np.zeros((2, 5), dtypes[0]))


@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf"), 1e30, 60.0])
def test_a_factor_that_makes_no_sense_is_refused(beta: float) -> None:
    with pytest.raises(ModelError, match="negative or too large"):
        compile_model(softmax((2, 5), 0.1, beta))
