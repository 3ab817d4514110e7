# SPDX-License-Identifier: Apache-2.0
"""What is refused is refused in words: which operator, which tensor, why, and what else to do."""

from collections.abc import Callable

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.small_models import one_dense
from tests.support.tflite_builder import GraphBuilder
from torpor.compile import compile_model
from torpor.compile.lowering import ALTERNATIVES, OPERATORS
from torpor.errors import ModelError, TorporError, UnsupportedError, UsageError
from torpor.graph.schema import KINDS


def refusal(model: bytes) -> TorporError:
    with pytest.raises(ModelError) as caught:
        compile_model(model)
    return caught.value


def test_an_unknown_operator_is_named_with_index_tensor_and_an_alternative() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    y = g.unary("RELU", x)
    z = g.tensor((1, 4), scale=0.1, name="probability")
    g.op("ELU", [y], [z])
    error = refusal(g.build([z]))
    assert isinstance(error, UnsupportedError)
    assert "operator 1 (ELU), output tensor 2 'probability' (int8 [1, 4])" in error.message
    assert "use RELU instead" in error.hint and "CONV_2D" in error.hint


def test_a_custom_operator_is_named() -> None:
    g = GraphBuilder()
    x = g.input((1, 4))
    y = g.tensor((1, 4), scale=0.1)
    g.op("CUSTOM", [x], [y])
    assert "operator 0 (CUSTOM ''" in refusal(g.build([y])).message


def test_a_float_model_is_told_to_be_quantized() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), "float32", scale=None)
    y = g.tensor((1, 4), "float32")
    g.op("RELU", [x], [y])
    error = refusal(g.build([y]))
    assert "this is a float model" in error.message
    assert "torpor quantize" in error.hint


def test_an_operator_that_computes_in_floats_is_told_to_be_quantized() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), "float32", scale=None)
    y, z = g.tensor((1, 4), "float32"), g.tensor((1, 4), scale=0.1)
    g.op("RELU", [x], [y])
    g.op("QUANTIZE", [y], [z])
    error = refusal(g.build([z]))
    assert "operator 0 (RELU)" in error.message and "floats" in error.message
    assert "torpor quantize" in error.hint


def test_int4_dense_weights_per_channel_are_refused_because_tflm_does() -> None:
    error = refusal(one_dense(dtype="int4", scale=[0.1, 0.2]))
    assert isinstance(error, UnsupportedError)
    assert "TensorFlow Lite Micro refuses" in error.message and "1x1 CONV_2D" in error.message
    assert "operator 0 (FULLY_CONNECTED), tensor 1" in error.message


def test_unfused_relu_n1_to_1_is_refused_because_tflm_has_none() -> None:
    g = GraphBuilder()
    x = g.input((1, 4))
    assert "TensorFlow Lite Micro" in refusal(g.build([g.unary("RELU_N1_TO_1", x)])).message


def conv(**changes: object) -> bytes:
    g = GraphBuilder()
    x = g.input((1, 5, 5, 4), scale=0.1)
    w = g.constant(np.ones((2, 3, 3, 4), np.int8), scale=[0.1, 0.2], axis=0)
    y = g.conv_2d(x, w, scale=0.5)
    for name, value in changes.items():
        target, _, attribute = name.partition("_")
        setattr(
            {"x": g._tensors[x], "w": g._tensors[w], "y": g._tensors[y]}[target], attribute, value
        )
    return g.build([y])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y_shape": [1, 4, 5, 2]}, "dimension 1 should be 5"),
        ({"y_shape": [1, 5, 5, 3]}, "output channels differ"),
        ({"y_shape": [2, 5, 5, 2]}, "differ in batches"),
        ({"y_shape": [5, 5, 2]}, "4 dimensions"),
        ({"x_shape": [1, 5, 5, 6]}, "no multiple"),
        ({"y_type": schema.TensorType.INT16}, "int16"),
        ({"w_quantization": None}, "one scale"),
        ({"y_quantization": None}, "one scale"),
        ({"x_isVariable": True}, "variable|constant"),
    ],
)
def test_inconsistent_convolutions_are_refused(changes: dict[str, object], words: str) -> None:
    error = refusal(conv(**changes))
    assert any(w in error.message for w in words.split("|")), error.message


def test_weights_that_are_computed_are_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 6), scale=0.1)
    w = g.input((2, 6), scale=0.1)
    error = refusal(g.build([g.fully_connected(x, w, scale=0.2)]))
    assert "must be a constant" in error.message


def test_a_sum_of_two_constants_is_refused() -> None:
    g = GraphBuilder()
    g.input((1, 6), scale=0.1)
    c = g.constant(np.ones((1, 6)), scale=0.1)
    assert "should have folded" in refusal(g.build([g.add(c, c, scale=0.2)])).message


def test_a_constant_summand_without_a_scale_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 6), scale=0.1)
    c = g.constant(np.ones((1, 6)))
    assert "one scale" in refusal(g.build([g.add(x, c, scale=0.2)])).message


@pytest.mark.parametrize("name", ["ADD", "SUB"])
def test_a_sum_whose_output_scale_is_too_small_is_refused_as_tflm_does(name: str) -> None:
    g = GraphBuilder()
    x = g.input((1, 6), scale=1.0)
    assert "too small" in refusal(g.build([g.binary(name, x, x, scale=1e-6)])).message


def test_a_product_whose_output_scale_is_far_too_small_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 6), scale=1.0)
    assert "2^30" in refusal(g.build([g.binary("MUL", x, x, scale=1e-10)])).message


def test_a_pool_that_changes_the_quantization_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 4, 4, 2), scale=0.1)
    y = g.pool_2d("AVERAGE_POOL_2D", x, (2, 2))
    g._tensors[y].quantization.scale = [0.2]
    assert "differs from the input's" in refusal(g.build([y])).message


def test_a_softmax_with_another_output_scale_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    y = g.softmax(x)
    g._tensors[y].quantization.scale = [0.01]
    assert "1/256" in refusal(g.build([y])).message


def test_a_fused_tanh_is_refused() -> None:
    g = GraphBuilder()
    a = g.input((1, 4), scale=0.1)
    y = g.add(a, a, scale=0.2)
    g._operators[0].builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.TANH
    assert "TANH" in refusal(g.build([y])).message


def test_a_dimension_beyond_16_bits_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 1, 70_000, 1), scale=0.1)
    y = g.pool_2d("MAX_POOL_2D", x, (1, 1))
    assert "too large" in refusal(g.build([y])).message


@pytest.mark.parametrize("labels", [("a",), ("a", "b", "c")])
def test_labels_must_fit_the_output(labels: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="labels for an output of 2"):
        compile_model(one_dense(), labels=labels)


def test_an_unknown_target_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown target 'portabel'") as caught:
        compile_model(one_dense(), target="portabel")
    assert "did you mean 'portable'" in caught.value.hint


def test_every_operator_whose_options_are_read_has_a_file_that_supports_it() -> None:
    compile_model(one_dense())
    resolved_by_passes = {"CALL_ONCE", "VAR_HANDLE"}
    assert {kind.name for kind in KINDS.values()} == set(OPERATORS) | resolved_by_passes


def test_alternatives_are_only_given_for_what_is_not_supported() -> None:
    compile_model(one_dense())
    assert not set(ALTERNATIVES) & set(OPERATORS)


BUILDERS: dict[str, Callable[[GraphBuilder, int], int]] = {
    "AVERAGE_POOL_2D": lambda g, x: g.pool_2d("AVERAGE_POOL_2D", x, (2, 2)),
    "MEAN": lambda g, x: g.mean(x, (1, 2), scale=0.1),
    "PAD": lambda g, x: g.pad(x, [(0, 0), (1, 1), (0, 1), (0, 0)]),
    "RELU6": lambda g, x: g.unary("RELU6", x),
    "SOFTMAX": lambda g, x: g.softmax(x),
    "ADD": lambda g, x: g.add(x, x, scale=0.2),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_a_message_tells_what_the_operator_supports(name: str) -> None:
    g = GraphBuilder()
    y = BUILDERS[name](g, g.input((1, 4, 4, 2), scale=0.1))
    g._tensors[0].type = schema.TensorType.INT16
    with pytest.raises(ModelError) as caught:
        compile_model(g.build([y]))
    assert "int8" in f"{caught.value.message} {caught.value.hint}"


def wide_pool(g: GraphBuilder) -> int:
    x = g.input((1, 3000, 3000, 1), scale=0.1)
    return g.pool_2d("AVERAGE_POOL_2D", x, (3000, 3000), stride=(3000, 3000))


def far_stride(g: GraphBuilder) -> int:
    x = g.input((1, 1, 20, 1), scale=0.1)
    y = g.pool_2d("MAX_POOL_2D", x, (1, 1), stride=(1, 50_000), padding="same")
    g._operators[-1].builtinOptions.strideW = 500_000
    return y


LIMITS: dict[str, tuple[str, Callable[[GraphBuilder], int]]] = {
    "classes": ("4095 classes", lambda g: g.softmax(g.input((1, 4096), scale=0.1))),
    "mean": ("overflows", lambda g: g.mean(g.input((1, 9_000_000), scale=0.1), (1,), scale=0.1)),
    "pool": ("8388608 elements", wide_pool),
    "stride": ("262144 elements", far_stride),
}


@pytest.mark.parametrize("name", LIMITS)
def test_what_the_engine_would_refuse_is_refused_in_words_before(name: str) -> None:
    words, build = LIMITS[name]
    g = GraphBuilder()
    error = refusal(g.build([build(g)]))
    assert isinstance(error, UnsupportedError)
    assert words in error.message
