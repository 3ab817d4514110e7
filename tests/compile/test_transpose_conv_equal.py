# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV and PRELU give the bytes of TFLM."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.small_models import mismatches
from tests.support.tflite_builder import GraphBuilder
from torpor.compile import Compiled, compile_model
from torpor.compile.ops.transpose_conv import padding_before
from torpor.errors import ModelError, UnsupportedError
from torpor.plan.reader import Plan

FEW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ACTIVATIONS = st.sampled_from(["none", "relu", "relu6", "relu_n1_to_1"])
codes = st.integers(-128, 127)


def equal(model: bytes) -> Compiled:
    compiled = compile_model(model)
    assert mismatches(model, compiled, 3, 1) == []
    return compiled


@FEW
@given(
    batches=st.integers(1, 2),
    inside=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    channels=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    more=st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    padding=st.sampled_from(["same", "valid"]),
    activation=ACTIVATIONS,
    points=st.tuples(codes, codes),
    per_channel=st.booleans(),
    with_bias=st.booleans(),
    seed=st.integers(0, 1 << 16),
)
def test_transpose_conv(
    *,
    batches: int,
    inside: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    channels: tuple[int, int],
    more: tuple[int, int],
    padding: str,
    activation: str,
    points: tuple[int, int],
    per_channel: bool,
    with_bias: bool,
    seed: int,
) -> None:
    """The output may have any size: what no input reaches is the bias."""
    rng = np.random.default_rng(seed)
    in_c, out_c = channels
    g = GraphBuilder()
    x = g.input([batches, *inside, in_c], scale=0.1, zero_point=points[0])
    scale = [float(s) for s in rng.uniform(0.001, 0.02, out_c)] if per_channel else 0.01
    w = g.constant(rng.integers(-127, 128, [out_c, *kernel, in_c]), scale=scale)
    bias = g.bias(x, w, rng.integers(-900, 900, out_c)) if with_bias and per_channel else None
    full = [
        n * s if padding == "same" else (n - 1) * s + k
        for n, s, k in zip(inside, stride, kernel, strict=True)
    ]
    y = g.transpose_conv(
        x,
        w,
        bias,
        size=(max(1, full[0] + more[0]), max(1, full[1] + more[1])),
        scale=0.05,
        zero_point=points[1],
        stride=stride,
        padding=padding,
        activation=activation,
    )
    equal(g.build([y]))


@pytest.mark.parametrize(
    ("padding", "out", "kernel", "stride", "before"),
    [
        ("SAME", 8, 3, 2, 0),
        ("SAME", 7, 3, 2, 1),
        ("SAME", 4, 4, 1, 1),
        ("SAME", 2, 1, 2, 0),
        ("VALID", 9, 3, 2, 0),
        ("VALID", 1, 8, 4, 1),
        ("VALID", 1, 3, 1, 0),
    ],
)
def test_padding_is_that_of_a_convolution_of_the_output(
    padding: str, out: int, kernel: int, stride: int, before: int
) -> None:
    assert padding_before(padding, out, kernel, stride) == before


def decoder(**changes: Any) -> bytes:
    """An image of 4 x 4 that is doubled; `changes` go to attributes such as x_shape."""
    g = GraphBuilder()
    x = g.input([1, 4, 4, 6], scale=0.1)
    w = g.constant(np.ones([3, 3, 3, 6]), scale=[0.1, 0.2, 0.3])
    a = g.unary("TANH", x, scale=0.1)
    options = {k: v for k, v in changes.items() if k in ("stride", "padding", "activation")}
    y = g.transpose_conv(a, w, size=(8, 8), scale=0.3, **{"stride": (2, 2), **options})
    for name, value in changes.items():
        if name not in options:
            target, _, attribute = name.partition("_")
            setattr(g._tensors[{"x": a, "w": w, "y": y}[target]], attribute, value)
    return g.build([y])


def test_the_output_overlaps_its_input() -> None:
    report = equal(decoder()).report
    assert any("overlaps" in reason for reason in report.ops[-1].reasons)
    assert report.arena.bytes < report.arena.without_overlap == 96 + 192


def test_a_relu_after_it_is_fused() -> None:
    g = GraphBuilder()
    x = g.input([1, 2, 2, 1], scale=0.1)
    w = g.constant(np.array([3, -2, 1, -1]).reshape(1, 2, 2, 1), scale=0.1)
    y = g.transpose_conv(x, w, size=(4, 4), scale=0.3, stride=(2, 2))
    compiled = equal(g.build([g.unary("RELU6", y)]))
    assert compiled.kernels == ("TRANSPOSE_CONV_S8",)
    assert Plan.parse(compiled.plan).ops[0].fields["act_min"] == 0


def test_the_output_shape_may_be_an_input_that_nobody_reads() -> None:
    g = GraphBuilder()
    x = g.input([1, 2, 2, 1], scale=0.1)
    w = g.constant(np.array([3, -2, 1, -1]).reshape(1, 2, 2, 1), scale=0.1)
    wanted = g.constant([9, 9, 9, 9], "int32")
    y = g.transpose_conv(x, w, size=(4, 4), scale=0.3, stride=(2, 2), shape=wanted)
    equal(g.build([y]))


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("4 dimensions", {"x_shape": [4, 4, 6]}),
        ("4 dimensions", {"w_shape": [27, 6]}),
        ("input channels", {"w_shape": [3, 3, 6, 3]}),
        ("output channels", {"y_shape": [1, 8, 8, 4]}),
        ("in batches", {"y_shape": [2, 8, 8, 3]}),
        ("stride", {"stride": (0, 1)}),
        ("stride", {"stride": (1, 0)}),
        ("262144", {"stride": (65537, 1)}),
        ("int16", {"y_type": schema.TensorType.INT16}),
        ("int4", {"w_type": schema.TensorType.INT4}),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(words: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        compile_model(decoder(**changes))
    assert words in caught.value.message


SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@FEW
@given(
    shape=SHAPES,
    alpha_points=st.tuples(codes, codes, codes),
    scales=st.tuples(*[st.floats(0.001, 0.5)] * 3),
    constant=st.booleans(),
    data=st.data(),
)
def test_prelu(
    *,
    shape: list[int],
    alpha_points: tuple[int, int, int],
    scales: tuple[float, float, float],
    constant: bool,
    data: st.DataObject,
) -> None:
    kept = shape[data.draw(st.integers(0, len(shape) - 1)) :]
    alpha_shape = [data.draw(st.sampled_from([1, n])) for n in kept]
    g = GraphBuilder()
    x = g.input(shape, scale=scales[0], zero_point=alpha_points[0])
    quantization: dict[str, Any] = {"scale": scales[1], "zero_point": alpha_points[1]}
    if constant:
        values = np.random.default_rng(len(shape)).integers(-128, 128, alpha_shape)
        alpha = g.constant(values, **quantization)
    else:
        alpha = g.input(alpha_shape, **quantization)
    y = g.tensor(shape, scale=scales[2], zero_point=alpha_points[2])
    g.op("PRELU", [x, alpha], [y])
    equal(g.build([y]))


def test_prelu_of_every_code_with_every_slope() -> None:
    g = GraphBuilder()
    x = g.constant(np.arange(-128, 128).reshape(256, 1), scale=0.05, zero_point=5)
    alpha = g.input([1, 256], scale=0.01, zero_point=-9)
    y = g.tensor([256, 256], scale=0.04, zero_point=-2)
    g.op("PRELU", [x, alpha], [y])
    equal(g.build([y]))


def test_prelu_works_in_place() -> None:
    g = GraphBuilder()
    x = g.input([1, 50, 2], scale=0.1)
    alpha = g.constant(np.array([[3, -90]]), scale=0.01)
    y = g.tensor([1, 50, 2], scale=0.1)
    g.op("PRELU", [x, alpha], [y])
    assert equal(g.build([y])).report.arena.bytes == 100


@pytest.mark.parametrize(
    ("words", "dtype", "scale"),
    [("int16", "int16", 0.1), ("2^30", "int8", 1e-12), ("one scale", "int8", None)],
)
def test_a_prelu_that_has_no_record_is_refused(words: str, dtype: str, scale: Any) -> None:
    g = GraphBuilder()
    x = g.input([1, 4], scale=0.1)
    alpha = g.constant(np.ones(4), dtype, scale=0.1 if scale else None)
    y = g.tensor([1, 4], scale=scale or 0.1)
    g.op("PRELU", [x, alpha], [y])
    with pytest.raises(ModelError) as caught:
        compile_model(g.build([y]))
    assert words in caught.value.message
    assert isinstance(caught.value, UnsupportedError) == (scale is not None)
