# SPDX-License-Identifier: Apache-2.0
"""A model's registrations are those of its operators and types; what cannot run is refused."""

from collections.abc import Callable

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.small_models import SCALES, codes, one_dense, small_cnn
from tests.support.tflite_builder import GraphBuilder
from torpor.errors import UnsupportedError
from torpor.graph import read_tflite
from torpor.plan.tflm import NUMBERS, REGISTRATIONS, with_special
from torpor.tflm.needs import FLOATS_ONLY, FOUR_DIMENSIONS, Need, needs_of

RNG = np.random.default_rng(7)


def needs(model: bytes) -> dict[str, Need]:
    return {need.name: need for need in needs_of(read_tflite(model))}


def refusal(model: bytes) -> UnsupportedError:
    with pytest.raises(UnsupportedError) as caught:
        needs(model)
    return caught.value


def conv(
    data: str = "int8",
    weight: str = "int8",
    *,
    groups: int = 1,
    graph: GraphBuilder | None = None,
    bias: str = "",
) -> bytes:
    """A CONV_2D of four channels; `graph` may have operators already."""
    g = graph or GraphBuilder()
    x = g.input((1, 3, 3, 4), data, scale=0.1 if data != "float32" else None)
    w = g.constant(codes(RNG, (4, 1, 1, 4 // groups), 4), weight, scale=list(SCALES))
    added = g.bias(x, w, [0] * 4, bias) if bias else None
    return g.build([g.conv_2d(x, w, added, scale=0.1)])


def dense(data: str = "int8", weight: str = "int8", shape: tuple[int, ...] = (1, 4)) -> bytes:
    g = GraphBuilder()
    x = g.input(shape, data, scale=0.1)
    w = g.constant(codes(RNG, (2, 4), 4), weight, scale=0.1)
    return g.build([g.fully_connected(x, w, scale=0.1, keep_dims=True)])


def test_int8_models_need_the_registrations_for_int8() -> None:
    assert set(needs(small_cnn())) == {
        "CONV_2D_INT8", "DEPTHWISE_CONV_2D_INT8", "FULLY_CONNECTED_INT8", "ADD_INT8",
        "MAX_POOL_2D_INT8", "SOFTMAX_INT8", "RESHAPE",
    }  # fmt: skip


def test_int4_weights_need_the_registrations_for_int4() -> None:
    found = needs(small_cnn(weight="int4"))
    assert {"CONV_2D_INT4", "DEPTHWISE_CONV_2D_INT4", "FULLY_CONNECTED_INT4"} <= set(found)
    assert found["CONV_2D_INT4"].types == ("int8 with int4 weights",)


def test_int8_beside_int4_needs_the_one_for_all_types() -> None:
    g = GraphBuilder()
    x = g.input((1, 3, 3, 4), scale=0.1)
    for weight in ("int4", "int8"):
        w = g.constant(codes(RNG, (4, 1, 1, 4), 4), weight, scale=list(SCALES))
        x = g.conv_2d(x, w, scale=0.1)
    found = needs(g.build([x]))
    assert set(found) == {"CONV_2D"}
    assert found["CONV_2D"].operators == 2 and "few types" in found["CONV_2D"].reason


def test_int16_activations_need_the_one_for_all_types() -> None:
    assert set(needs(conv("int16"))) == {"CONV_2D"}


def test_softmax_for_int8_must_write_int8() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    y = g.tensor((1, 4), "int16", scale=1 / 65536, zero_point=-32768)
    g.op("SOFTMAX", [x], [y], schema.SoftmaxOptionsT())
    assert set(needs(g.build([y]))) == {"SOFTMAX"}


def test_transpose_conv_looks_at_its_third_input() -> None:
    g = GraphBuilder()
    x = g.input((1, 2, 2, 4), scale=0.1)
    w = g.constant(codes(RNG, (4, 1, 1, 4)), scale=list(SCALES))
    assert set(needs(g.build([g.transpose_conv(x, w, size=(2, 2), scale=0.1)]))) == {
        "TRANSPOSE_CONV_INT8"
    }


def test_pads_need_the_registration_of_their_own_operator() -> None:
    for value, wanted in ((None, "PAD_INT8"), (3, "PADV2")):
        g = GraphBuilder()
        x = g.input((1, 2), scale=0.1)
        assert set(needs(g.build([g.pad(x, [(0, 0), (1, 1)], value)]))) == {wanted}


def test_the_lstm_for_int8_is_never_asked_for() -> None:
    g = GraphBuilder()
    x, y = g.input((1, 4), scale=0.1), g.tensor((1, 4), scale=0.1)
    g.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [x], [y])
    found = needs(g.build([y]))
    assert set(found) == {"UNIDIRECTIONAL_SEQUENCE_LSTM"}
    assert "assertion" in found["UNIDIRECTIONAL_SEQUENCE_LSTM"].reason


def test_operators_of_all_subgraphs_count() -> None:
    g = GraphBuilder()
    other = g.subgraph()
    handle = other.var_handle("v")
    other.assign_variable(handle, other.constant(np.zeros((1, 4)), scale=0.1))
    g.call_once()
    assert {"CALL_ONCE", "VAR_HANDLE", "ASSIGN_VARIABLE"} <= set(needs(conv(graph=g)))


def test_floats_between_quantized_parts_are_computed() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    y, z = g.tensor((1, 4), "float32"), g.tensor((1, 4), "float32")
    g.op("DEQUANTIZE", [x], [y])
    g.op("SOFTMAX", [y], [z], schema.SoftmaxOptionsT())
    assert set(needs(g.build([z]))) == {"DEQUANTIZE", "SOFTMAX"}


def test_registrations_come_in_the_order_of_their_numbers() -> None:
    numbers = [REGISTRATIONS[need.name].number for need in needs_of(read_tflite(small_cnn()))]
    assert numbers == sorted(numbers)


# ---- the table


def test_numbers_are_distinct_and_fit_the_header() -> None:
    assert len(NUMBERS) == len(REGISTRATIONS) and max(NUMBERS) < 128


def test_who_has_the_one_for_all_types_has_those_for_few() -> None:
    assert with_special({"CONV_2D"}) == {"CONV_2D", "CONV_2D_INT8", "CONV_2D_INT4"}
    assert with_special({"CONV_2D_INT8"}) == {"CONV_2D_INT8"}


def test_operators_of_the_table_are_those_of_the_schema() -> None:
    known = vars(schema.BuiltinOperator)
    assert all(entry.operator in known for entry in REGISTRATIONS.values())
    assert all(name in known and name not in REGISTRATIONS for name in FLOATS_ONLY)
    assert all(name in REGISTRATIONS for name in FOUR_DIMENSIONS)


# ---- refusals


def test_int4_dense_weights_per_channel_are_refused_with_a_way_out() -> None:
    error = refusal(one_dense(dtype="int4", scale=[0.1, 0.2]))
    assert "operator 0 (FULLY_CONNECTED), tensor 1 " in error.message
    assert "per channel" in error.message
    assert "torpor quantize makes them per tensor" in error.hint and "1x1 CONV_2D" in error.hint


def test_weight_only_int4_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), "float32", scale=None)
    w, wide = g.constant(codes(RNG, (1, 4), 4), "int4", scale=0.1), g.tensor((1, 4), "float32")
    y = g.tensor((1, 4), "float32")
    g.op("DEQUANTIZE", [w], [wide])
    g.op("ADD", [x, wide], [y], schema.AddOptionsT())
    error = refusal(g.build([y]))
    assert "operator 0 (DEQUANTIZE), tensor 1 't1' (int4 [1, 4]): weight-only int4" in error.message
    assert "torpor quantize" in error.hint


@pytest.mark.parametrize("weight", ["int8", "int4"])
def test_dynamic_range_quantization_is_refused(weight: str) -> None:
    error = refusal(conv("float32", weight))
    assert "operator 0 (CONV_2D), tensor 1" in error.message
    assert f"dynamic range quantization ({weight} weights, float activations)" in error.message


def test_int16_activations_with_int4_weights_are_refused() -> None:
    assert "int4 weights need int8 activations" in refusal(conv("int16", "int4")).message


def transposed(weight: str) -> bytes:
    g = GraphBuilder()
    x = g.input((1, 2, 2, 4), scale=0.1)
    w = g.constant(codes(RNG, (4, 1, 1, 4), 4), weight, scale=list(SCALES))
    return g.build([g.transpose_conv(x, w, size=(2, 2), scale=0.1)])


def test_int4_of_other_operators_is_refused() -> None:
    error = refusal(transposed("int4"))
    assert "operator 0 (TRANSPOSE_CONV)" in error.message and "takes int4 only" in error.message
    assert "int8" in error.hint


def test_float_models_are_refused_as_our_compiler_does() -> None:
    g = GraphBuilder()
    x, y = g.input((1, 4), "float32", scale=None), g.tensor((1, 4), "float32")
    g.op("RELU", [x], [y])
    error = refusal(g.build([y]))
    assert "this is a float model" in error.message and "torpor quantize" in error.hint


def unary(name: str, dtype: str = "int8") -> bytes:
    g = GraphBuilder()
    x, y = g.input((1, 4), dtype, scale=0.1), g.tensor((1, 4), dtype, scale=0.1)
    g.op(name, [x], [y])
    return g.build([y])


@pytest.mark.parametrize(
    "name, reason, hint",
    [
        ("CUSTOM", "custom operators are not supported", "before the model"),
        ("EXP", "for floats only", "keep it out"),
        ("GELU", "does not have this operator", "OPERATORS.md"),
        ("CONV_3D", "does not have this operator", "use CONV_2D instead"),
        ("RELU_N1_TO_1", "does not have this operator", "OPERATORS.md"),
    ],
)
def test_operators_without_a_registration_are_refused(name: str, reason: str, hint: str) -> None:
    error = refusal(unary(name))
    assert f"operator 0 ({name}" in error.message and reason in error.message
    assert hint in error.hint


def test_a_subgraph_is_named_where_the_operator_is_not_in_the_first() -> None:
    g = GraphBuilder()
    other = g.subgraph()
    other.op("EXP", [other.constant(np.zeros(4), scale=0.1)], [other.tensor((4,), scale=0.1)])
    assert "subgraph 1, operator 0 (EXP)" in refusal(conv(graph=g)).message


def deep(name: str, rank: int, batches: int = 3) -> bytes:
    """An int8 operator of `rank` dimensions, `batches` and 2, 2, ..."""
    g = GraphBuilder()
    shape = (batches, *[2] * (rank - 1))
    x = g.input(shape, scale=0.1)
    if name in ("PAD", "PADV2"):
        return g.build([g.pad(x, [(0, 0)] * rank, 1 if name == "PADV2" else None)])
    if name == "TRANSPOSE":
        y = g.tensor(shape, scale=0.1)
        g.op(name, [x, g.constant(np.arange(rank), "int32")], [y], schema.TransposeOptionsT())
        return g.build([y])
    return g.build([g.binary(name, x, g.constant(np.ones(shape), scale=0.1), scale=0.1)])


@pytest.mark.parametrize("name", FOUR_DIMENSIONS)
def test_five_dimensions_are_refused_where_cmsis_nn_knows_four(name: str) -> None:
    assert needs(deep(name, 4))
    error = refusal(deep(name, 5))
    assert f"operator 0 ({name})" in error.message and "four dimensions" in error.message


def test_a_fifth_dimension_of_one_is_no_matter_to_a_pad() -> None:
    assert needs(deep("PAD", 5, batches=1)) and needs(deep("PADV2", 5, batches=1))
    assert refusal(deep("TRANSPOSE", 5, batches=1)) and refusal(deep("MAXIMUM", 5, batches=1))


def test_groups_are_refused_where_cmsis_nn_has_none() -> None:
    assert needs(conv(groups=2))
    for data, weight in (("int8", "int4"), ("int16", "int8")):
        assert needs(conv(data, weight))
        assert "groups" in refusal(conv(data, weight, groups=2)).message


def test_dense_layers_of_one_or_five_dimensions_are_refused() -> None:
    assert needs(dense(shape=(1, 1, 1, 4)))
    for shape in ((4,), (1, 1, 1, 1, 4)):
        assert "two to four dimensions" in refusal(dense(shape=shape)).message


def biased(bias: str) -> bytes:
    g = GraphBuilder()
    x = g.input((1, 4), "int16", scale=0.1)
    w = g.constant(codes(RNG, (2, 4)), scale=0.1)
    return g.build([g.fully_connected(x, w, g.bias(x, w, [1, 2], bias), scale=0.1)])


def test_a_bias_of_int32_is_refused_where_it_would_be_read_as_int64() -> None:
    assert needs(biased("int64"))
    assert needs(conv("int16", bias="int32"))
    assert "read as int64" in refusal(biased("int32")).message


@pytest.mark.parametrize("bias", [-1, None])
def test_a_depthwise_bias_is_there_or_not_mentioned(bias: int | None) -> None:
    g = GraphBuilder()
    x = g.input((1, 3, 3, 4), "int8", scale=0.1)
    w = g.constant(codes(RNG, (1, 1, 1, 4), 4), "int8", scale=0.1)
    model = g.build([g.depthwise_conv_2d(x, w, bias, scale=0.1)])
    if bias is None:
        assert set(needs(model)) == {"DEPTHWISE_CONV_2D_INT8"}
    else:
        assert "null pointer" in refusal(model).message


def test_a_model_that_computes_nothing_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    assert "computes nothing" in refusal(g.build([x])).message


EACH: list[Callable[[], bytes]] = [small_cnn, conv, dense, lambda: transposed("int8")]


@pytest.mark.parametrize("make", EACH, ids=["cnn", "conv", "dense", "transposed"])
def test_needs_name_each_operator_once(make: Callable[[], bytes]) -> None:
    model = make()
    found = needs_of(read_tflite(model))
    operators = [REGISTRATIONS[need.name].operator for need in found]
    assert sorted(operators) == sorted({op.name for op in read_tflite(model).ops})
    assert sum(need.operators for need in found) == len(read_tflite(model).ops)
