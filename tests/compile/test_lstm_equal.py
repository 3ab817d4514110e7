# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM: the bytes of TFLM over several inferences, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.lstm import BIASES, CELL, HIDDEN, WEIGHTS, Lstm
from tests.support.tflite_builder import GraphBuilder
from torpor.compile import Compiled, compile_model
from torpor.compile.fixed_point import quantize_multiplier
from torpor.compile.kernel_math import requantize
from torpor.engine import Engine
from torpor.errors import ModelError, UnsupportedError
from torpor.golden import Golden

Make = Callable[[GraphBuilder], int]
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SMALL = st.integers(1, 4)


def power(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda exponent: float(np.float32(2.0**exponent)))


@st.composite
def layers(draw: st.DrawFn) -> Lstm:
    wide = draw(st.booleans())
    point = st.just(0) if wide else st.integers(-128, 127)
    return Lstm(
        batches=draw(SMALL),
        steps=draw(SMALL),
        in_n=draw(st.integers(1, 12)),
        out_n=draw(st.integers(1, 9)),
        wide=wide,
        time_major=draw(st.booleans()),
        x=(draw(power(-16, -8) if wide else power(-8, -3)), draw(point)),
        hidden=(draw(power(-16, -14) if wide else power(-8, -6)), draw(point)),
        cell_scale=draw(st.one_of(power(-16, -9), st.integers(-16, -8).map(lambda e: 2.0**e))),
        weight_scales=tuple(draw(power(-9, -3)) for _ in range(8)),
        bias=draw(st.sampled_from([10, 2000, 100_000])),
        cell_clip=draw(st.sampled_from([0.0, 10.0, 0.5, -1.0])),
        proj_clip=draw(st.sampled_from([0.0, 0.1])),
        seed=draw(st.integers(0, 99)),
    )


def assert_same_bytes(layer: Lstm, inferences: int = 3, model: bytes | None = None) -> Compiled:
    """Compare several inferences, with a reset of the states before the last."""
    model = model or layer.build()
    compiled = compile_model(model)
    engine, golden = Engine(compiled.plan, sanitize=True), Golden(model)
    rng = np.random.default_rng(layer.seed)
    span = np.iinfo(layer.dtype)
    for i in range(inferences):
        x = rng.integers(span.min, span.max + 1, layer.shape(layer.in_n)).astype(layer.dtype)
        if i == inferences - 1:
            engine.reset()
            golden.reset()
        np.testing.assert_array_equal(engine.invoke([x])[0], golden.invoke([x])[0])
    return compiled


@FEW
@given(layers())
@example(Lstm(cell_scale=4.0))
@example(Lstm(cell_scale=2.0**-30, wide=True, x=(2.0**-15, 0), hidden=(2.0**-15, 0)))
@example(Lstm(wide=True, x=(32.0, 0), hidden=(2.0**-15, 0), bias=100_000))
@example(Lstm(cell_clip=1e-9))
@example(Lstm(cell_clip=1e30))
@example(Lstm(cell_clip=float("nan")))
def test_every_inference_has_the_bytes_of_tflm(layer: Lstm) -> None:
    compiled = assert_same_bytes(layer)
    assert compiled.kernels == ("LSTM_S16" if layer.wide else "LSTM_S8",)


def test_states_live_on_and_a_reset_forgets_them() -> None:
    layer = Lstm(hidden=(1 / 128, -4))
    engine = Engine(compile_model(layer.build()).plan)
    x = np.zeros(layer.shape(layer.in_n), np.int8)
    first, second = engine.invoke([x])[0], engine.invoke([x])[0]
    assert not np.array_equal(first, second)
    engine.reset()
    np.testing.assert_array_equal(engine.invoke([x])[0], first)


@pytest.mark.parametrize("in_n", [255, 256, 257, 600])
def test_long_sums_of_16_bit_activations(in_n: int) -> None:
    small = Lstm(wide=True, x=(2.0**-22, 0), hidden=(2.0**-15, 0), bias=1 << 40, seed=in_n)
    assert_same_bytes(replace(small, in_n=in_n))


def test_the_product_of_scales_is_double_as_in_tflm() -> None:
    """Biases that a product of scales rounded to float would make other gates."""
    x, weights = 0.008086413145065308, 0.004043533466756344
    double, single = (quantize_multiplier(p * 4096) for p in (x * weights, float_of(x * weights)))
    telling = [b for b in range(87_000, 95_000) if requantize(b, double) != requantize(b, single)]
    layer = Lstm(in_n=1, out_n=256, steps=1, x=(x, 0), weight_scales=(weights,) * 8, seed=7)
    rng = np.random.default_rng(7)
    biases = rng.choice(telling, (4, 256)) * rng.choice([-1, 1], (4, 256))
    zeros = constant(np.zeros((256, 1)), scale=weights)
    replaced = {WEIGHTS + gate: zeros for gate in range(4)}
    replaced |= {BIASES + gate: constant(biases[gate], "int32") for gate in range(4)}
    assert_same_bytes(layer, model=layer.build(replaced))


def float_of(value: float) -> float:
    return float(np.float32(value))


def constant(values: NDArray[Any], dtype: str = "int8", **tensor: Any) -> Make:
    return lambda g: g.constant(values, dtype, **{"scale": 0.1, **tensor})


def test_two_layers_have_states_of_their_own() -> None:
    first = Lstm(in_n=5, out_n=4)
    graph = GraphBuilder()
    x = graph.input(first.shape(5), scale=0.05, zero_point=-3)
    middle = first.add_to(graph, x)
    y = Lstm(in_n=4, out_n=6, x=first.hidden, seed=1).add_to(graph, middle)
    compiled = assert_same_bytes(first, model=graph.build([y]))
    assert compiled.report.sections["data"] < 2 * 512 + 2000, "the table is there once"


def test_the_output_may_trail_the_input() -> None:
    layer = Lstm(steps=20, in_n=16, out_n=4, batches=2)
    compiled = assert_same_bytes(layer)
    states = 2 * 4 + 2 * 4 * 2
    assert compiled.report.arena.bytes <= 2 * 20 * 16 + 4 + states + 2
    assert "keeps its state" in compiled.report.to_text()


@pytest.mark.parametrize("wide", [False, True])
def test_a_longer_output_trails_as_far_as_it_must(wide: bool) -> None:
    layer = Lstm(steps=6, in_n=3, out_n=7, batches=2, wide=wide)
    if wide:
        layer = replace(layer, x=(2.0**-12, 0), hidden=(2.0**-15, 0))
    assert_same_bytes(layer)


def test_the_output_has_the_codes_of_the_hidden_state_whatever_its_own_scale() -> None:
    layer = Lstm()
    graph = GraphBuilder()
    x = graph.input(layer.shape(layer.in_n), scale=0.05, zero_point=-3)
    y = layer.add_to(graph, x, output=(0.5, 17))
    assert_same_bytes(layer, model=graph.build([y]))


@pytest.mark.parametrize("shape", [(4,), (1, 1, 4), (2, 2)])
def test_the_cell_state_may_have_any_shape(shape: tuple[int, ...]) -> None:
    layer = Lstm()
    replaced = {CELL: lambda g: g.tensor(shape, "int16", scale=2.0**-12, is_variable=True)}
    assert_same_bytes(layer, model=layer.build(replaced))


# What is refused


def refused(layer: Lstm, replaced: dict[int, Make] | None = None) -> tuple[str, bytes]:
    """Return the message of the refusal, and the model."""
    model = layer.build(replaced)
    with pytest.raises(ModelError) as caught:
        compile_model(model)
    return caught.value.message, model


def refused_by_both(layer: Lstm, replaced: dict[int, Make]) -> str:
    """Return our message; TFLM must refuse the model too."""
    message, model = refused(layer, replaced)
    with pytest.raises(ModelError):
        golden = Golden(model)
        golden.invoke([np.zeros(i.shape, i.dtype) for i in golden.inputs])
    return message


def ones(shape: tuple[int, ...], dtype: str = "int8", **tensor: Any) -> Make:
    return constant(np.ones(shape), dtype, **tensor)


def variable(shape: tuple[int, ...], dtype: str) -> Make:
    return lambda g: g.tensor(shape, dtype, scale=0.1, is_variable=True)


@pytest.mark.parametrize(
    ("position", "make", "words"),
    [
        (9, ones((4,), "int16"), "peepholes"),
        (11, ones((4,), "int16"), "peepholes"),
        (16, ones((4, 4)), "projection"),
        (17, ones((4,), "int32"), "projection"),
        (20, ones((4,), "int16"), "layer normalization"),
        (23, ones((4,), "int16"), "layer normalization"),
        (BIASES, lambda _: -1, "input 12 is missing"),
        (WEIGHTS, lambda _: -1, "input 1 is missing"),
        (WEIGHTS + 3, ones((4, 6)), "[4, 5]"),
        (WEIGHTS + 4, ones((4, 5)), "[4, 4]"),
        (BIASES + 2, ones((5,), "int32"), "[4]"),
        (BIASES + 2, ones((1, 4), "int32"), "[4]"),
        (HIDDEN, lambda g: g.input((1, 4), scale=0.1), "variable"),
        (CELL, lambda g: g.input((1, 4), "int16", scale=0.1), "variable"),
        (HIDDEN, variable((1, 4), "int16"), "must be int8"),
        (HIDDEN, variable((4,), "int8"), "2 dimensions"),
        (HIDDEN, variable((4, 1), "int8"), "[1, 3, 1]"),
        (HIDDEN, variable((2, 4), "int8"), "4 elements"),
        (CELL, variable((2, 4), "int16"), "4 elements"),
        (CELL, variable((1, 4), "int8"), "int8 activations"),
    ],
)
def test_what_tflm_refuses(position: int, make: Make, words: str) -> None:
    assert words in refused_by_both(Lstm(), {position: make})


@pytest.mark.parametrize(
    ("position", "make", "words"),
    [
        (WEIGHTS, ones((4, 5), zero_point=5), "zero point"),
        (WEIGHTS, ones((4, 5), scale=[0.1] * 4), "per channel"),
        (WEIGHTS, lambda g: g.input((4, 5), scale=0.1), "constant"),
        (BIASES, ones((4,), "int64"), "int32"),
    ],
)
def test_what_tflm_miscalculates_or_we_do_not_support(
    position: int, make: Make, words: str
) -> None:
    assert words in refused(Lstm(), {position: make})[0]


WIDE = Lstm(wide=True, x=(2.0**-12, 0), hidden=(2.0**-15, 0))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Lstm(activation=schema.ActivationFunctionType.NONE), "activation NONE"),
        (Lstm(activation=schema.ActivationFunctionType.RELU), "activation RELU"),
        (Lstm(cell_scale=8.0), "too small or too large"),
        (Lstm(cell_scale=2.0**-45), "too small or too large"),
        (replace(WIDE, x=(2.0**-12, 1)), "zero point"),
        (replace(WIDE, hidden=(2.0**-15, -1)), "zero point"),
        (replace(WIDE, x=(512.0, 0)), "factor"),
    ],
)
def test_layers_that_are_not_supported(layer: Lstm, words: str) -> None:
    message, _ = refused(layer)
    assert words in message


def test_an_input_without_three_dimensions_is_refused() -> None:
    layer = Lstm()
    graph = GraphBuilder()
    y = layer.add_to(graph, graph.input((3, 5), scale=0.05))
    with pytest.raises(ModelError, match="3 dimensions"):
        compile_model(graph.build([y]))


def test_another_length_of_the_output_is_refused() -> None:
    layer = Lstm()
    graph = GraphBuilder()
    y = replace(layer, steps=4).add_to(graph, graph.input(layer.shape(5), scale=0.05))
    with pytest.raises(ModelError, match=r"\[1, 3, 4\]"):
        compile_model(graph.build([y]))


def test_a_float_layer_is_refused() -> None:
    layer = Lstm()
    graph = GraphBuilder()
    y = layer.add_to(graph, graph.input(layer.shape(5), "float32", scale=None))
    with pytest.raises(UnsupportedError):
        compile_model(graph.build([y]))
