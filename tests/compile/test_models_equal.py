# SPDX-License-Identifier: Apache-2.0
"""Random graphs of many operators: our C gives the bytes of tflite_micro, int8 and int4."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.small_models import codes, mismatches, small_cnn
from tests.support.tflite_builder import GraphBuilder
from torpor.compile import compile_model
from torpor.engine import Engine, check

RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large]


@dataclass
class Random:
    """Builds a random graph; each method adds an operator and returns its output."""

    draw: st.DrawFn
    g: GraphBuilder
    rng: np.random.Generator

    def weights(self, shape: tuple[int, ...], axis: int, per_channel: bool | None = None) -> int:
        dtype = self.draw(st.sampled_from(["int8", "int4"]))
        if per_channel is None:
            per_channel = self.draw(st.booleans())
        count = shape[axis] if per_channel else 1
        scales = self.rng.uniform(0.004, 0.06, count).astype(np.float32).tolist()
        bits = 4 if dtype == "int4" else 8
        return self.g.constant(codes(self.rng, shape, bits), dtype, scale=scales, axis=axis)

    def bias(self, x: int, w: int, count: int) -> int | None:
        if not self.draw(st.booleans()):
            return None
        scales = self.g._tensors[w].quantization.scale
        values = self.rng.integers(-3000, 3000, count)
        return self.g.constant(values, "int32", scale=[self.g.scale(x) * s for s in scales])

    def quantization(self) -> dict[str, Any]:
        return {
            "scale": self.draw(st.sampled_from([0.03, 0.0843, 0.25, 0.7])),
            "zero_point": self.draw(st.sampled_from([-128, -7, 0, 31, 127])),
        }

    def window(self) -> dict[str, Any]:
        return {
            "stride": self.draw(st.sampled_from([(1, 1), (2, 1), (2, 2)])),
            "padding": self.draw(st.sampled_from(["same", "valid"])),
            "activation": self.draw(st.sampled_from(["none", "relu", "relu6", "relu_n1_to_1"])),
        }

    def kernel(self, x: int) -> tuple[int, int]:
        _, height, width, _ = self.g.shape(x)
        return (
            self.draw(st.integers(1, min(3, height))),
            self.draw(st.integers(1, min(3, width))),
        )

    def conv_2d(self, x: int) -> int:
        out_c = self.draw(st.integers(1, 5))
        w = self.weights((out_c, *self.kernel(x), self.g.shape(x)[3]), 0)
        bias = self.bias(x, w, out_c)
        return self.g.conv_2d(x, w, bias, **self.quantization(), **self.window())

    def depthwise_conv_2d(self, x: int) -> int:
        out_c = self.g.shape(x)[3] * self.draw(st.integers(1, 2))
        w = self.weights((1, *self.kernel(x), out_c), 3)
        bias = self.bias(x, w, out_c)
        return self.g.depthwise_conv_2d(x, w, bias, **self.quantization(), **self.window())

    def pool(self, x: int) -> int:
        name = self.draw(st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
        return self.g.pool_2d(name, x, self.kernel(x), **self.window())

    def pad(self, x: int) -> int:
        amounts = [(0, 0), (1, 0), (1, 2), (0, 0)]
        return self.g.pad(x, amounts, self.draw(st.sampled_from([None, None, 5])))

    def add(self, x: int) -> int:
        other = self.draw(st.sampled_from([x, self.g.unary("RELU", x, **self.quantization())]))
        pair = self.draw(st.permutations([x, other]))
        activation = self.draw(st.sampled_from(["none", "relu"]))
        return self.g.add(*pair, **self.quantization(), activation=activation)

    def relu(self, x: int) -> int:
        name = self.draw(st.sampled_from(["RELU", "RELU6"]))
        return self.g.unary(name, x, **self.draw(st.sampled_from([{}, self.quantization()])))

    def head(self, x: int) -> int:
        """Flatten or average, a dense layer, and a softmax or not."""
        if self.draw(st.booleans()):
            x = self.g.mean(x, (1, 2), **self.quantization())
        else:
            x = self.g.reshape(x, (1, int(np.prod(self.g.shape(x)))))
        out_n = self.draw(st.integers(2, 6))
        w = self.weights((out_n, self.g.shape(x)[1]), 0, per_channel=False)
        x = self.g.fully_connected(x, w, self.bias(x, w, out_n), **self.quantization())
        return self.g.softmax(x) if self.draw(st.booleans()) else x


STEPS = ("conv_2d", "depthwise_conv_2d", "pool", "pad", "add", "relu")


@st.composite
def models(draw: st.DrawFn) -> bytes:
    """Return a random model of up to seven operators before its head."""
    seed = draw(st.integers(0, 1 << 30))
    make = Random(draw, GraphBuilder(), np.random.default_rng(seed))
    shape = (1, draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.integers(1, 4)))
    x = make.g.input(shape, **make.quantization())
    tensors = [x]
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=7)):
        tensors.append(getattr(make, step)(tensors[-1]))
    outputs = [make.head(tensors[-1])]
    if draw(st.booleans()):
        outputs.append(draw(st.sampled_from(tensors[1:])))
    return make.g.build(outputs)


@settings(max_examples=120, deadline=None, suppress_health_check=RELAXED)
@given(models(), st.booleans())
def test_random_models_give_the_bytes_of_tflm(model: bytes, keep_input: bool) -> None:
    compiled = compile_model(model, keep_input=keep_input)
    assert check(compiled.plan).ok, check(compiled.plan)
    assert mismatches(model, compiled, 4, 0) == []


@pytest.mark.parametrize("weight", ["int8", "int4"])
@pytest.mark.parametrize("seed", range(3))
def test_a_small_cnn_gives_the_bytes_of_tflm_on_many_inputs(weight: str, seed: int) -> None:
    model = small_cnn(seed, weight)
    assert mismatches(model, compile_model(model), 100, seed) == []


def test_inputs_that_are_kept_survive_an_inference() -> None:
    model = small_cnn()
    engine = Engine(compile_model(model, keep_input=True).plan)
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, engine.inputs[0].shape).astype(np.int8)
    first = engine.invoke([x])[0]
    for op in range(6):
        engine.step(op)
    assert np.array_equal(engine.invoke([x])[0], first)


def test_a_model_whose_output_is_its_reshaped_input_copies_it() -> None:
    g = GraphBuilder()
    x = g.input((1, 2, 3), scale=0.1)
    y = g.reshape(x, (6,))
    z = g.unary("RELU", x)
    model = g.build([y, z])
    compiled = compile_model(model)
    assert "COPY" in compiled.kernels
    assert mismatches(model, compiled, 5, 0) == []


def test_views_of_views_and_of_outputs_give_the_bytes_of_tflm() -> None:
    g = GraphBuilder()
    x = g.input((1, 2, 6), scale=0.1)
    a = g.unary("RELU", x, scale=0.2)
    b = g.reshape(a, (3, 4))
    c = g.reshape(b, (12,))
    d = g.unary("RELU6", c)
    model = g.build([b, d, a])
    assert mismatches(model, compile_model(model), 5, 0) == []


def test_many_inputs_and_outputs_give_the_bytes_of_tflm() -> None:
    g = GraphBuilder()
    a = g.input((1, 3, 5), scale=0.1)
    b = g.input((5,), scale=0.3, zero_point=4)
    c = g.input((3, 1), scale=0.2)
    s = g.add(a, b, scale=0.4)
    t = g.add(s, c, scale=0.5, zero_point=-3, activation="relu6")
    model = g.build([t, s])
    assert mismatches(model, compile_model(model), 10, 0) == []
