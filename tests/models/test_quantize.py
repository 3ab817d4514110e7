# SPDX-License-Identifier: Apache-2.0
"""Quantizing: what comes out is checked, and the same every time."""

from typing import Any

import numpy as np
import pytest

from tests.models.floats import (
    conv,
    dense,
    dense_then_exp,
    depthwise,
    edited,
    model,
    samples,
    two_inputs,
)
from torpor.errors import ModelError, UsageError
from torpor.golden import Golden
from torpor.graph import read_tflite
from torpor.model.windows import from_codes, to_codes
from torpor.quantize import check_quantized, measure_ranges, quantize, samples_of

LAYERS = {"conv": (conv, (6, 6, 2)), "depthwise": (depthwise, (6, 6, 4)), "dense": (dense, (8,))}


def quantized(name: str, bits: int) -> tuple[bytes, bytes]:
    """Return a float model of LAYERS and what `quantize` makes of it."""
    layer, shape = LAYERS[name]
    content = model(layer)
    return content, quantize(content, bits, measure_ranges(content, samples(shape)))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("bits", [8, 4])
def test_weights_have_the_bits_and_the_rest_is_int8(name: str, bits: int) -> None:
    _, content = quantized(name, bits)
    graph = read_tflite(content)
    (op,) = graph.ops
    weights, bias = (graph.tensors[t] for t in op.inputs[1:])
    assert (weights.dtype, bias.dtype) == (f"int{bits}", "int32")
    assert {graph.tensors[t].dtype for t in (*graph.inputs, *graph.outputs)} == {"int8"}
    per_tensor = name == "dense" and bits == 4
    assert len(weights.scales) == (1 if per_tensor else len(bias.values()))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("bits", [8, 4])
def test_the_interpreter_runs_it_and_comes_near_the_float_model(name: str, bits: int) -> None:
    original, content = quantized(name, bits)
    plain, run = Golden(original), Golden(content)
    for x in samples(LAYERS[name][1]):
        [expected] = plain.invoke([x[None]])
        found = from_codes(run.invoke([to_codes(x[None], run.inputs[0])])[0], run.outputs[0])
        allowed = (4 if bits == 8 else 0.15 * 255) * run.outputs[0].scale
        assert np.abs(found - expected).max() < allowed


@pytest.mark.parametrize("bits", [8, 4])
def test_two_runs_give_the_same_bytes(bits: int) -> None:
    layer, shape = LAYERS["conv"]
    content = model(layer)
    ranges = measure_ranges(content, samples(shape))
    assert quantize(content, bits, ranges) == quantize(content, bits, ranges)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    quantized("conv", 4)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_other_bits_are_refused() -> None:
    with pytest.raises(UsageError, match="2 bits"):
        quantize(model(conv), 2, {})


def test_a_missing_range_is_named() -> None:
    content = model(dense)
    ranges = measure_ranges(content, samples((8,)))
    del ranges["t1"]
    with pytest.raises(ModelError, match="'t1'"):
        quantize(content, 8, ranges)


def test_a_skipped_rule_is_an_error_that_names_operator_and_tensor() -> None:
    content = model(dense_then_exp)
    ranges = measure_ranges(content, samples((8,)))
    with pytest.raises(ModelError, match=r"not quantized as asked for") as caught:
        quantize(content, 8, ranges)
    assert "EXP" in caught.value.message or "DEQUANTIZE" in caught.value.message
    assert "tensor '" in caught.value.message
    assert "float32" in caught.value.message


# ---- the check itself, on results that were damaged on purpose


def weights_of(tree: Any) -> Any:
    return tree.subgraphs[0].tensors[tree.subgraphs[0].operators[0].inputs[1]]


def data_of(tree: Any, tensor: Any) -> Any:
    return tree.buffers[tensor.buffer]


def four_bytes_an_element(tree: Any) -> None:
    buffer = data_of(tree, weights_of(tree))
    buffer.data = np.repeat(buffer.data, 4)


def truncated_buffer(tree: Any) -> None:
    buffer = data_of(tree, weights_of(tree))
    buffer.data = buffer.data[:-1]


def zero_scale(tree: Any) -> None:
    weights_of(tree).quantization.scale = [0.0] * len(weights_of(tree).quantization.scale)


def too_few_scales(tree: Any) -> None:
    quantization = weights_of(tree).quantization
    quantization.scale, quantization.zeroPoint = quantization.scale[:2], [0, 0]


def shifted_weights(tree: Any) -> None:
    quantization = weights_of(tree).quantization
    quantization.zeroPoint = [1] * len(quantization.scale)


def unquantized_input(tree: Any) -> None:
    tree.subgraphs[0].tensors[tree.subgraphs[0].inputs[0]].quantization = None


def float_output(tree: Any) -> None:
    tree.subgraphs[0].tensors[tree.subgraphs[0].outputs[0]].type = 0


def wide_bias(tree: Any) -> None:
    graph = tree.subgraphs[0]
    bias = graph.tensors[graph.operators[0].inputs[2]]
    data_of(tree, bias).data = data_of(tree, bias).data[: int(np.prod(bias.shape))]
    bias.type = 9


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (four_bytes_an_element, r"bytes of data instead of"),
        (truncated_buffer, r"bytes of data instead of"),
        (zero_scale, r"operator 0 \(CONV_2D\).*a scale that is not above 0"),
        (too_few_scales, r"operator 0 \(CONV_2D\).*have 2 scales"),
        (shifted_weights, r"operator 0 \(CONV_2D\).*have a zero point"),
        (unquantized_input, r"operator 0 \(CONV_2D\).*has 0 scales"),
        (float_output, r"operator 0 \(CONV_2D\).*is not an integer"),
        (wide_bias, r"operator 0 \(CONV_2D\): bias|operator 0 \(CONV_2D\).*bias .* is not int32"),
    ],
)
@pytest.mark.parametrize("bits", [8, 4])
def test_a_broken_result_is_caught(damage: Any, says: str, bits: int) -> None:
    _, content = quantized("conv", bits)
    check_quantized(content, bits)
    with pytest.raises(ModelError, match=says):
        check_quantized(edited(content, damage), bits)


def test_int8_weights_are_not_taken_for_int4() -> None:
    _, content = quantized("conv", 8)
    with pytest.raises(ModelError, match=r"operator 0 \(CONV_2D\).*are not int4"):
        check_quantized(content, 4)


def test_a_dense_layer_with_int4_weights_has_one_scale() -> None:
    _, content = quantized("dense", 4)

    def per_channel(tree: Any) -> None:
        weights_of(tree).quantization.scale = [0.1] * 5
        weights_of(tree).quantization.zeroPoint = [0] * 5

    with pytest.raises(ModelError, match=r"operator 0 \(FULLY_CONNECTED\).*have 5 scales"):
        check_quantized(edited(content, per_channel), 4)


# ---- calibration


def test_ranges_are_the_extremes_over_all_samples_in_any_order() -> None:
    content, x = model(dense), samples((8,))
    ranges = measure_ranges(content, x)
    assert ranges["t0"] == (float(x.min()), float(x.max()))
    assert measure_ranges(content, x[::-1]) == ranges
    outputs = [Golden(content).invoke([one[None]])[0] for one in x]
    assert ranges["t1"] == (float(np.min(outputs)), float(np.max(outputs)))


def test_samples_may_have_a_batch_of_one() -> None:
    content, x = model(dense), samples((8,))
    assert measure_ranges(content, x[:, None]) == measure_ranges(content, x)


def test_several_inputs_are_taken_by_name() -> None:
    a, b = np.ones((3, 4), np.float32), np.full((3, 4), 5.0, np.float32)
    ranges = measure_ranges(model(two_inputs), samples_of({"b": b, "a": a}, ["a", "b"]))
    assert (ranges["a"], ranges["b"], ranges["t2"]) == ((1, 1), (5, 5), (6, 6))


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"a": np.ones((3, 4))}, "no array 'b'"),
        ({"a": np.ones((3, 4)), "b": np.ones((2, 4))}, "equally many"),
        ({"a": np.ones((3, 4)), "b": np.float32(1)}, "equally many"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        samples_of(arrays, ["a", "b"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "at least one sample"),
        (samples((7,)), "shape"),
        ([samples((8,), 2)], "shape"),
        ([[np.zeros(8, np.float32)] * 2], "2 inputs, the model 1"),
        (np.full((1, 8), np.nan, np.float32), "finite"),
        (np.full((1, 8), "x"), "not numbers"),
        (np.full((1, 8), 1j), "not numbers"),
    ],
)
def test_samples_that_do_not_fit_are_refused(given: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        measure_ranges(model(dense), given)


def test_a_quantized_model_is_not_calibrated_again() -> None:
    _, content = quantized("dense", 8)
    with pytest.raises(ModelError, match="not float"):
        measure_ranges(content, samples((8,)))
