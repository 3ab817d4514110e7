# SPDX-License-Identifier: Apache-2.0
"""SVDF with its state gives tflite_micro's bytes over many inferences, or is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tflite_builder import GraphBuilder
from torpor.compile import compile_model
from torpor.compile.fixed_point import quantize_multiplier
from torpor.compile.kernel_math import requantize
from torpor.engine import Engine
from torpor.errors import ModelError, UnsupportedError
from torpor.golden import Golden

STEPS = 12


@dataclass
class Layer:
    """An SVDF; `edit` may change the builder's tensors before the file is made."""

    batches: int = 1
    in_n: int = 5
    units: int = 3
    rank: int = 1
    memory: int = 4
    kind: str = "int16"
    scales: tuple[float, float, float, float, float] = (0.05, 0.01, 0.001, 0.003, 0.06)
    """Of input, features, time weights, state, output."""
    points: tuple[int, int, int] = (-3, 0, 5)
    """Of input, state, output."""
    weight_points: tuple[int, int] = (0, 0)
    activation: str = "none"
    seed: int = 1
    edit: Callable[[GraphBuilder], object] = lambda _: None

    def build(self) -> bytes:
        random = np.random.default_rng(self.seed)
        filters = self.units * self.rank
        most = np.iinfo(self.kind).max
        x_scale, feature_scale, time_scale, state_scale, y_scale = self.scales
        g = GraphBuilder()
        x = g.input((self.batches, self.in_n), scale=x_scale, zero_point=self.points[0])
        feature = g.constant(
            random.integers(-127, 128, (filters, self.in_n)),
            scale=feature_scale,
            zero_point=self.weight_points[0],
        )
        time = g.constant(
            random.integers(-most, most + 1, (filters, self.memory)),
            self.kind,
            scale=time_scale,
            zero_point=self.weight_points[1],
        )
        state = g.tensor(
            (self.batches, filters * self.memory),
            self.kind,
            scale=state_scale,
            zero_point=self.points[1],
            is_variable=True,
        )
        y = g.svdf(
            x,
            feature,
            time,
            state,
            random.integers(-3000, 3000, self.units).tolist(),
            scale=y_scale,
            zero_point=self.points[2],
            rank=self.rank,
            activation=self.activation,
        )
        self.edit(g)
        return g.build([y])


def assert_same_stream(model: bytes) -> None:
    """Random inputs, with the extremes among them; after a reset the same again."""
    engine, golden = Engine(compile_model(model).plan, sanitize=True), Golden(model)
    (info,) = engine.inputs
    random = np.random.default_rng(7)
    for _ in range(2):
        for step in range(STEPS):
            x = random.integers(-128, 128, info.shape).astype(np.int8)
            x = np.full(info.shape, (-128, 127)[step % 2], np.int8) if step % 5 == 4 else x
            np.testing.assert_array_equal(engine.invoke([x])[0], golden.invoke([x])[0])
        engine.reset()
        golden.reset()


INT16 = st.tuples(*[st.floats(*r) for r in ((0.01, 0.2), (3e-3, 2e-2), (1e-4, 1e-3))])
INT8 = st.tuples(*[st.floats(*r) for r in ((0.01, 0.2), (3e-3, 2e-2), (5e-3, 2e-2))])


@given(
    batches=st.integers(1, 3),
    in_n=st.integers(1, 20),
    units=st.integers(1, 5),
    rank=st.integers(1, 3),
    memory=st.integers(1, 9),
    kind=st.sampled_from(["int8", "int16"]),
    scales=st.data(),
    stretch=st.tuples(st.floats(0.3, 4), st.floats(0.2, 4)),
    points=st.tuples(*[st.integers(-128, 127)] * 3),
    activation=st.sampled_from(["none", "relu", "relu6"]),
    seed=st.integers(0, 1 << 16),
)
@settings(max_examples=60, deadline=None)
def test_svdf_equals_the_golden_bytes(
    *, scales: st.DataObject, kind: str, stretch: tuple[float, float], **sizes: Any
) -> None:
    x, feature, time = scales.draw(INT8 if kind == "int8" else INT16)
    most = np.iinfo(kind).max
    state = x * feature * 127 * 127 * sizes["in_n"] ** 0.5 / most * stretch[0]
    y = state * time * most * most / 3 * (sizes["memory"] * sizes["rank"]) ** 0.5 / 128 * stretch[1]
    if kind == "int16":
        batches, _, y_point = sizes["points"]
        sizes["points"] = (batches, 0, y_point)
    assert_same_stream(Layer(kind=kind, scales=(x, feature, time, state, y), **sizes).build())


@pytest.mark.parametrize("kind", ["int8", "int16"])
def test_codes_that_leave_the_state_wrap_as_in_tflm(kind: str) -> None:
    point = 100 if kind == "int8" else 30000
    assert_same_stream(Layer(kind=kind, scales=(1, 1, 1e-4, 1e-3, 1), points=(0, point, 0)).build())


@pytest.mark.parametrize("kind", ["int8", "int16"])
def test_zero_points_of_weights_are_ignored_as_in_tflm(kind: str) -> None:
    assert_same_stream(Layer(kind=kind, weight_points=(3, -5)).build())


def test_a_sum_that_overflows_wraps() -> None:
    layer = Layer(memory=3, scales=(1, 1, 1, 1, 1e6), points=(-128, 0, 0), in_n=40)
    assert_same_stream(layer.build())


@pytest.mark.parametrize("seed", range(6))
def test_the_products_of_svdf_scales_are_double_as_in_tflm(seed: int) -> None:
    random = np.random.default_rng(seed)
    units, f32 = 64, np.float32
    x, feature = (float(v) for v in random.uniform(0.01, 0.2, 2).astype(f32))
    state = float(f32(x * feature * random.uniform(1, 3)))
    time = float(f32(2.0**-20 * random.uniform(1, 2)))
    y = float(f32(state * time * 2.0**22 * random.uniform(1, 2)))
    factor = state * time / y
    bias = [int((c - 32 + 0.5) / factor) + int(random.integers(-20, 20)) for c in range(units)]
    single = float(f32(state) * f32(time) / f32(y))
    exact, rounded = quantize_multiplier(factor), quantize_multiplier(single)
    assert [requantize(b, exact) for b in bias] != [requantize(b, rounded) for b in bias]
    g = GraphBuilder()
    source = g.input((1, 8), scale=x)
    weights = g.constant(random.integers(-127, 128, (units, 8)), scale=feature)
    times = g.constant(np.zeros((units, 2)), "int16", scale=time)
    kept = g.tensor((1, units * 2), "int16", scale=state, is_variable=True)
    assert_same_stream(g.build([g.svdf(source, weights, times, kept, bias, scale=y)]))


def test_the_state_lies_in_the_arena_from_beginning_to_end() -> None:
    report = compile_model(Layer().build()).report
    (region,) = [r for r in report.arena.regions if r.bytes == 3 * 4 * 2]
    assert (region.first, region.last, region.offset % 2) == (0, 2, 0)
    assert [op.kernel for op in report.ops] == ["SVDF_S8"]


# What is refused


def refused_by_both(model: bytes, words: str, kind: type[ModelError] = ModelError) -> None:
    with pytest.raises(kind, match=words):
        compile_model(model)
    with pytest.raises(ModelError):
        Golden(model)


def tensor(index: int, **values: Any) -> Callable[[GraphBuilder], None]:
    """Change tensor `index`: 0 input, 1 features, 2 time, 3 state, 4 bias, 5 output."""

    def edit(g: GraphBuilder) -> None:
        for name, value in values.items():
            setattr(g._tensors[index], name, value)

    return edit


def options(**values: Any) -> Callable[[GraphBuilder], None]:
    def edit(g: GraphBuilder) -> None:
        for name, value in values.items():
            setattr(g._operators[0].builtinOptions, name, value)

    return edit


def without_state(g: GraphBuilder) -> None:
    g._operators[0].inputs = g._operators[0].inputs[:4]


def other_bias_scale(g: GraphBuilder) -> None:
    g._tensors[4].quantization.scale = [0.1]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (tensor(3, isVariable=False), "must be a variable|before anything has written"),
        (tensor(3, shape=[1, 13]), r"should be \[1, 12\]"),
        (tensor(1, shape=[5, 3]), r"should be \[3, 5\]"),
        (tensor(5, shape=[1, 4]), "should have 3 units"),
        (tensor(5, shape=[3]), "must have 2 dimensions"),
        (options(rank=2), "not of rank 2"),
        (without_state, "must have 5 inputs"),
        (other_bias_scale, "its scale should be"),
        (tensor(4, shape=[1, 3]), "bias has not 3 elements"),
    ],
)
def test_what_tflm_refuses_is_refused(edit: Callable[[GraphBuilder], None], words: str) -> None:
    refused_by_both(Layer(edit=edit).build(), words)


@pytest.mark.parametrize("rank", [0, -1])
def test_a_rank_that_tflm_divides_by_is_refused(rank: int) -> None:
    with pytest.raises(ModelError, match="not of rank"):
        compile_model(Layer(edit=options(rank=rank)).build())


def test_a_state_of_another_type_than_the_time_weights_is_refused() -> None:
    edit = tensor(3, type=9)
    with pytest.raises(UnsupportedError, match="int8 activations are not"):
        compile_model(Layer(edit=edit).build())


def test_a_state_with_a_zero_point_outside_its_type_is_refused() -> None:
    with pytest.raises(ModelError, match="zero point outside int8"):
        compile_model(Layer(kind="int8", points=(0, 200, 0)).build())


def test_weights_per_channel_are_refused() -> None:
    def edit(g: GraphBuilder) -> None:
        g._tensors[1].quantization.scale = [0.1, 0.2, 0.3]
        g._tensors[1].quantization.zeroPoint = [0, 0, 0]

    with pytest.raises(UnsupportedError, match="must be quantized per tensor"):
        compile_model(Layer(edit=edit).build())
