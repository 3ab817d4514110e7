# SPDX-License-Identifier: Apache-2.0
"""Each operator alone, over its whole range of options: compiled, it gives the bytes of TFLM."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.small_models import codes, mismatches
from tests.support.tflite_builder import ACTIVATIONS, GraphBuilder
from torpor.compile import Compiled, compile_model

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 1 << 30)
SCALE = st.floats(2.0**-10, 2.0, width=32)
ZERO_POINT = st.integers(-128, 127)
ACTIVATION = st.sampled_from(sorted(ACTIVATIONS))
WEIGHTS = st.sampled_from(["int8", "int4"])
PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
QUANTIZATION = st.fixed_dictionaries({"scale": SCALE, "zero_point": ZERO_POINT})


def equal(g: GraphBuilder, y: int, seed: int) -> Compiled:
    """Compile the model that ends in `y`, and check that its bytes are those of TFLM."""
    model = g.build([y])
    compiled = compile_model(model)
    assert mismatches(model, compiled, 6, seed) == []
    return compiled


def weights(
    g: GraphBuilder, seed: int, dtype: str, shape: tuple[int, ...], *, axis: int, per_channel: bool
) -> int:
    rng = np.random.default_rng(seed)
    count = shape[axis] if per_channel else 1
    scales = rng.uniform(0.0005, 0.1, count).astype(np.float32).tolist()
    return g.constant(
        codes(rng, shape, 4 if dtype == "int4" else 8), dtype, scale=scales, axis=axis
    )


def bias(g: GraphBuilder, seed: int, x: int, w: int, count: int) -> int | None:
    """Return a bias, or none for every third seed; now and then a huge one."""
    if seed % 3 == 0:
        return None
    top = 1 << (24 if seed % 3 == 1 else 12)
    return g.bias(x, w, np.random.default_rng(seed).integers(-top, top, count)) if count else None


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "padding": draw(st.sampled_from(["same", "valid"])),
        "activation": draw(ACTIVATION),
        "stride": draw(PAIR),
    }


def dilation(g: GraphBuilder, x: int, kernel: tuple[int, int], wanted: tuple[int, int]) -> Any:
    """Return the dilation, made small enough for the kernel to lie inside the image."""
    sizes = g.shape(x)[1:3]
    return tuple(d if (k - 1) * d < n else 1 for d, k, n in zip(wanted, kernel, sizes, strict=True))


@FEW
@given(
    data=st.data(),
    seed=SEEDS,
    x_codes=QUANTIZATION,
    y_codes=QUANTIZATION,
    options=windows(),
    dtype=WEIGHTS,
    per_channel=st.booleans(),
)
def test_conv_2d(
    *,
    data: st.DataObject,
    seed: int,
    x_codes: dict[str, Any],
    y_codes: dict[str, Any],
    options: dict[str, Any],
    dtype: str,
    per_channel: bool,
) -> None:
    groups, depth = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    out_c = groups * data.draw(st.integers(1, 4))
    kernel = data.draw(PAIR)
    shape = (data.draw(st.integers(1, 2)), *(data.draw(st.integers(k, 9)) for k in kernel))
    g = GraphBuilder()
    x = g.input((*shape, groups * depth), **x_codes)
    w = weights(g, seed, dtype, (out_c, *kernel, depth), axis=0, per_channel=per_channel)
    options["dilation"] = dilation(g, x, kernel, data.draw(PAIR))
    y = g.conv_2d(x, w, bias(g, seed, x, w, out_c * per_channel), **y_codes, **options)
    equal(g, y, seed)


@FEW
@given(
    data=st.data(),
    seed=SEEDS,
    x_codes=QUANTIZATION,
    y_codes=QUANTIZATION,
    options=windows(),
    dtype=WEIGHTS,
    per_channel=st.booleans(),
)
def test_depthwise_conv_2d(
    *,
    data: st.DataObject,
    seed: int,
    x_codes: dict[str, Any],
    y_codes: dict[str, Any],
    options: dict[str, Any],
    dtype: str,
    per_channel: bool,
) -> None:
    in_c, multiplier = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    kernel = data.draw(PAIR)
    shape = (data.draw(st.integers(1, 2)), *(data.draw(st.integers(k, 9)) for k in kernel))
    g = GraphBuilder()
    x = g.input((*shape, in_c), **x_codes)
    w = weights(g, seed, dtype, (1, *kernel, in_c * multiplier), axis=3, per_channel=per_channel)
    options["dilation"] = dilation(g, x, kernel, data.draw(PAIR))
    constant = bias(g, seed, x, w, in_c * multiplier * per_channel)
    equal(g, g.depthwise_conv_2d(x, w, constant, **y_codes, **options), seed)


@FEW
@given(
    seed=SEEDS,
    x_codes=QUANTIZATION,
    y_codes=QUANTIZATION,
    sizes=st.tuples(*[st.integers(1, 9)] * 3),
    dtype=WEIGHTS,
    keep_dims=st.booleans(),
)
def test_fully_connected(
    *,
    seed: int,
    x_codes: dict[str, Any],
    y_codes: dict[str, Any],
    sizes: tuple[int, int, int],
    dtype: str,
    keep_dims: bool,
) -> None:
    batches, in_n, out_n = sizes
    g = GraphBuilder()
    x = g.input((1, batches, in_n), **x_codes)
    per_channel = dtype == "int8" and seed % 2 == 0
    w = weights(g, seed, dtype, (out_n, in_n), axis=0, per_channel=per_channel)
    constant = bias(g, seed, x, w, out_n if per_channel or out_n == 1 else 0)
    y = g.fully_connected(
        x, w, constant, **y_codes, keep_dims=keep_dims, activation=sorted(ACTIVATIONS)[seed % 4]
    )
    equal(g, y, seed)


@FEW
@given(
    data=st.data(),
    seed=SEEDS,
    x_codes=QUANTIZATION,
    options=windows(),
    name=st.sampled_from(["AVERAGE", "MAX"]),
)
def test_pool_2d(
    *, data: st.DataObject, seed: int, x_codes: dict[str, Any], options: dict[str, Any], name: str
) -> None:
    kernel = data.draw(PAIR)
    shape = (data.draw(st.integers(1, 2)), *(data.draw(st.integers(k, 9)) for k in kernel))
    g = GraphBuilder()
    x = g.input((*shape, data.draw(st.integers(1, 5))), **x_codes)
    equal(g, g.pool_2d(f"{name}_POOL_2D", x, kernel, **options), seed)


@FEW
@given(
    seed=SEEDS,
    x_codes=QUANTIZATION,
    y_codes=QUANTIZATION,
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    data=st.data(),
)
def test_mean(
    *,
    seed: int,
    x_codes: dict[str, Any],
    y_codes: dict[str, Any],
    shape: list[int],
    data: st.DataObject,
) -> None:
    first = data.draw(st.integers(0, len(shape) - 1))
    last = data.draw(st.integers(first, len(shape) - 1))
    axes = data.draw(st.permutations(range(first, last + 1)))
    if data.draw(st.booleans()):
        axes = [a - len(shape) for a in axes]
    g = GraphBuilder()
    x = g.input(shape, **x_codes)
    keep_dims = len(axes) == len(shape) or data.draw(st.booleans())
    equal(g, g.mean(x, axes, **y_codes, keep_dims=keep_dims), seed)


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
@FEW
@given(
    seed=SEEDS,
    a_codes=QUANTIZATION,
    b_codes=QUANTIZATION,
    dims=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=4),
    constant=st.sampled_from("ab-"),
    activation=ACTIVATION,
)
def test_two_operands(
    *,
    name: str,
    seed: int,
    a_codes: dict[str, Any],
    b_codes: dict[str, Any],
    dims: list[tuple[int, int]],
    constant: str,
    activation: str,
) -> None:
    g = GraphBuilder()
    a_shape = [1 if who == 1 else n for n, who in dims]
    b_shape = [1 if who == 2 else n for n, who in dims][seed % 2 * (len(dims) - 1) :]
    operands = []
    for letter, shape, code in (("a", a_shape, a_codes), ("b", b_shape, b_codes)):
        values = codes(np.random.default_rng(seed), tuple(shape))
        operands.append(
            g.constant(values, **code) if constant == letter else g.input(shape, **code)
        )
    product, larger = a_codes["scale"] * b_codes["scale"], max(a_codes["scale"], b_codes["scale"])
    scale = (product if name == "MUL" else larger) * (0.3 + seed % 70)
    zero_point = seed % 256 - 128
    y = g.binary(name, *operands, scale=scale, zero_point=zero_point, activation=activation)
    equal(g, y, seed)


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("ratio", [2.0**-14, 2.0**-3, 1.0, 2.0**9])
@pytest.mark.parametrize("zero_point", [-128, 127])
def test_two_operands_with_extreme_scales(name: str, ratio: float, zero_point: int) -> None:
    g = GraphBuilder()
    a = g.input((1, 4000), scale=0.37, zero_point=zero_point)
    b = g.input((1, 4000), scale=0.37 * ratio, zero_point=-1 - zero_point)
    scale = 0.37 * 0.37 * ratio * 131 if name == "MUL" else 0.37 * max(ratio, 1.0) * 0.9
    equal(g, g.binary(name, a, b, scale=scale, zero_point=5), 1)


def test_a_product_that_overflows_the_output_is_clamped() -> None:
    g = GraphBuilder()
    x = g.input((1, 300), scale=0.5, zero_point=3)
    equal(g, g.binary("MUL", x, g.constant([[-7]], scale=0.5), scale=0.001), 2)


# Where the ratios in double and the ratios rounded to float give one difference another code.
DIFFERENCES = [
    (0.9719730615615845, 0.7769175171852112, 1.6163678169250488),
    (0.5263098478317261, 0.3158785104751587, 1.0090980529785156),
    (0.7849328517913818, 0.2587549090385437, 1.5290573835372925),
    (0.6748717427253723, 0.8465728759765625, 0.5347502827644348),
]


@pytest.mark.parametrize(("a_scale", "b_scale", "y_scale"), DIFFERENCES)
def test_the_ratios_of_the_scales_of_sub_are_double_as_in_tflm(
    a_scale: float, b_scale: float, y_scale: float
) -> None:
    g = GraphBuilder()
    every = np.arange(-128, 128).reshape(256, 1)
    a = g.constant(every, scale=a_scale, zero_point=-128)
    b = g.input((1, 4000), scale=b_scale, zero_point=-128)
    equal(g, g.binary("SUB", a, b, scale=y_scale), 0)


@FEW
@given(
    seed=SEEDS,
    x_codes=QUANTIZATION,
    dims=st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=5
    ),
    value=st.one_of(st.none(), ZERO_POINT),
)
def test_pad(
    *, seed: int, x_codes: dict[str, Any], dims: list[tuple[int, int, int]], value: int | None
) -> None:
    g = GraphBuilder()
    x = g.input([n for n, _, _ in dims], **x_codes)
    equal(g, g.pad(x, [(before, after) for _, before, after in dims], value), seed)


@FEW
@given(
    seed=SEEDS,
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    scale=st.floats(2.0**-9, 20.0, width=32),
    beta=st.sampled_from([0.5, 1.0, 2.5]),
)
def test_softmax(*, seed: int, shape: list[int], scale: float, beta: float) -> None:
    g = GraphBuilder()
    x = g.input(shape, scale=scale, zero_point=seed % 256 - 128)
    equal(g, g.softmax(x, beta), seed)


@FEW
@given(
    seed=SEEDS, x_codes=QUANTIZATION, y_codes=QUANTIZATION, name=st.sampled_from(["RELU", "RELU6"])
)
def test_relu(*, seed: int, x_codes: dict[str, Any], y_codes: dict[str, Any], name: str) -> None:
    g = GraphBuilder()
    x = g.input((3, 7), **x_codes)
    equal(g, g.unary(name, x, **(y_codes if seed % 3 else {})), seed)


def test_squeeze_and_expand_dims_are_views() -> None:
    g = GraphBuilder()
    x = g.input((1, 1, 6), scale=0.1)
    a = g.unary("RELU", x)
    b = g.tensor((6,), scale=0.1)
    g.op("SQUEEZE", [a], [b])
    c = g.tensor((6, 1), scale=0.1)
    g.op("EXPAND_DIMS", [b, g.constant(np.asarray([1]), "int32")], [c])
    compiled = equal(g, g.add(c, c, scale=0.2), 0)
    assert compiled.kernels == ("ADD_S8", "RELU_S8")


def between(first: float, second: float, outputs: int) -> np.ndarray:
    """Return biases whose codes differ between the multipliers `first` and `second`.

    They lie between both multipliers' thresholds of neighbouring codes.
    """
    halves = np.arange(outputs) + 20.5
    return np.round((halves / first + halves / second) / 2).astype(np.int64)


@pytest.mark.parametrize("scale", [0.0569, 0.0142, 0.0324])
@pytest.mark.parametrize("outputs", [1, 60])
def test_the_product_of_dense_scales_is_double_as_in_tflm(scale: float, outputs: int) -> None:
    g = GraphBuilder()
    x = g.input((1, 2), scale=scale)
    w = g.constant(np.zeros((outputs, 2)), scale=0.0177)
    single, real = (np.float32(g.scale(t)) for t in (x, w)), g.scale(x) * g.scale(w)
    rounded = float(math.prod(single))
    y_scale = float(np.float32(real * (1 << 24)))
    biases = between(real / y_scale, rounded / y_scale, outputs)
    assert abs(rounded - real) / real > 2**-25, "these scales tell nothing"
    constant = g.constant(biases, "int32", scale=real)
    equal(g, g.fully_connected(x, w, constant, scale=y_scale), 1)


def test_a_long_row_that_saturates() -> None:
    g = GraphBuilder()
    x = g.input((1, 4000), scale=0.5, zero_point=-128)
    w = g.constant(np.full((3, 4000), 127), scale=0.5)
    compiled = equal(g, g.fully_connected(x, w, scale=math.pi), 0)
    assert compiled.report.sections["data"] > 12_000


# Where the ratio in double and the ratio rounded to float give some code differently.
RATIOS = [
    (0.0900878757238388, 0.03024226613342762),
    (0.013664938509464264, 0.013266930356621742),
    (0.08560539036989212, 0.0832214429974556),
    (0.025234872475266457, 0.07402229309082031),
    (0.0644579604268074, 0.031325362622737885),
]


@pytest.mark.parametrize(("x_scale", "y_scale"), RATIOS)
def test_the_ratio_of_relu_scales_is_double_as_in_tflm(x_scale: float, y_scale: float) -> None:
    g = GraphBuilder()
    x = g.input((1, 4000), scale=x_scale, zero_point=-128)
    equal(g, g.unary("RELU", x, scale=y_scale, zero_point=-128), 0)


def scales_at_ties() -> list[float]:
    """Return scales for which 6 / scale rounds one way in float and another in double."""
    scales = [float(np.float32(12 / half)) for half in range(3, 250, 2)]
    below = [s for s in scales if 6 / s % 1 < 0.5 <= np.float32(6) / np.float32(s) % 1]
    assert len(below) > 12
    return below


@pytest.mark.parametrize("name", ["RELU6", "fused"])
def test_bounds_of_activations_at_ties_are_rounded_in_float_as_in_tflm(name: str) -> None:
    for scale in scales_at_ties()[:12]:
        g = GraphBuilder()
        x = g.input((1, 300), scale=scale, zero_point=-100)
        if name == "RELU6":
            y = g.unary(name, x)
        else:
            y = g.add(x, x, scale=scale, zero_point=-100, activation="relu6")
        equal(g, y, 0)
