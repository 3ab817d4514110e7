# SPDX-License-Identifier: Apache-2.0
"""The .tflite reader understands sound files, and answers each broken one with one ModelError."""

import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import flatbuffers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.small_models import one_dense, small_cnn
from tests.support.tflite_builder import GraphBuilder
from torpor.compile import compile_model
from torpor.engine import check
from torpor.errors import ModelError
from torpor.graph import read_tflite
from torpor.graph.flatbuffer import Buffer
from torpor.graph.model import unpack_int4
from torpor.graph.schema import KINDS, operator_name

MODEL = small_cnn()
SMALL = one_dense()


def edited(data: bytes, change: Callable[[Any], object]) -> bytes:
    """Return a model with `change(model)` applied through the schema's object API."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data)))
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_tensors_have_names_shapes_types_and_quantization() -> None:
    graph = read_tflite(MODEL)
    x = graph.tensors[graph.inputs[0]]
    assert (x.name, x.shape, x.dtype, x.zero_points) == ("window", (1, 9, 7, 3), "int8", (-5,))
    assert x.scale == float(np.float32(0.04))
    weights = graph.tensors[graph.ops[0].inputs[1]]
    assert len(weights.scales) == 4 and weights.values().shape == (4, 3, 3, 3)


def test_operators_have_names_options_and_tensors_in_running_order() -> None:
    graph = read_tflite(MODEL)
    assert [op.name for op in graph.ops][:3] == ["CONV_2D", "DEPTHWISE_CONV_2D", "ADD"]
    conv = graph.ops[0].options
    assert conv["padding"] == "SAME" and conv["activation"] == "RELU" and conv["dilation_w"] == 1


def test_options_that_are_left_out_have_the_defaults_of_the_schema() -> None:
    for code, kind in KINDS.items():
        options = [c for c in vars(schema.BuiltinOptions).items() if c[1] == kind.options_type]
        if not kind.options_type:
            continue
        made = getattr(schema, options[0][0] + "T")()
        for name, option in kind.options.items():
            attribute = {
                "activation": "fusedActivationFunction",
                "filter_w": "filterWidth",
                "filter_h": "filterHeight",
                "bias_type": "quantizedBiasType",
                "dilation_w": "dilationWFactor",
                "dilation_h": "dilationHFactor",
            }.get(name, "".join(w.title() if i else w for i, w in enumerate(name.split("_"))))
            assert (getattr(made, attribute) or 0) == option.default, (code, name)


def test_the_operator_code_is_the_larger_of_the_old_and_the_new_field() -> None:
    def old_only(model: Any) -> None:
        for code in model.operatorCodes:
            code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0

    assert [o.name for o in read_tflite(edited(SMALL, old_only)).ops] == ["FULLY_CONNECTED"]


def test_a_free_batch_in_the_shape_signature_is_ignored() -> None:
    def free_batch(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.shapeSignature = [-1, *list(tensor.shape)[1:]]

    assert compile_model(edited(SMALL, free_batch)).plan == compile_model(SMALL).plan


def test_int4_codes_are_two_a_byte_low_nibble_first() -> None:
    assert unpack_int4(bytes([0x21, 0xF8]), 3).tolist() == [1, 2, -8]


def test_int4_constants_are_widened_in_their_shape() -> None:
    graph = read_tflite(one_dense(dtype="int4"))
    weights = graph.tensors[graph.ops[0].inputs[1]]
    assert weights.values().tolist() == [[-6, -5, -4, -3, -2, -1], [0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x7fELF" * 99, b"\0" * 4 + b"TFL3", b"{}" * 40])
def test_what_is_no_flatbuffer_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(ModelError):
        read_tflite(data)


@pytest.mark.parametrize("data", [SMALL, one_dense(dtype="int4")], ids=["int8", "int4"])
def test_a_model_truncated_anywhere_is_one_clear_error(data: bytes) -> None:
    for length in range(len(data)):
        try:
            compile_model(data[:length])
        except ModelError as error:
            assert "\n" not in error.message
        else:
            # FlatBuffers may end with padding that nothing refers to
            assert length > len(data) - 8


def refused_or_safe(model: bytes) -> None:
    """Check that a model is refused with one error, or becomes a plan that the engine accepts."""
    try:
        plan = compile_model(model).plan
    except ModelError as error:
        assert error.message and "\n" not in error.message
    else:
        assert check(plan).ok, check(plan)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(MODEL) - 1), st.integers(0, 255)), min_size=1))
def test_flipped_bytes_never_cause_anything_but_a_model_error(flips: list[tuple[int, int]]) -> None:
    broken = bytearray(MODEL)
    for offset, value in flips:
        broken[offset] = value
    refused_or_safe(bytes(broken))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SMALL) // 4 - 1), st.sampled_from([0, 1, 4, 0x7FFFFFFF, 0xFFFFFFFF]))
def test_hostile_words_never_cause_anything_but_a_model_error(word: int, value: int) -> None:
    broken = bytearray(SMALL)
    struct.pack_into("<I", broken, 4 * word, value)
    refused_or_safe(bytes(broken))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_after_the_identifier_never_cause_anything_else(data: bytes) -> None:
    with pytest.raises(ModelError):
        read_tflite(data[:4].ljust(4, b"\x08") + b"TFL3" + data[4:])


def hostile_sharing(tables: int, vector: int) -> bytes:
    """Return a file whose `tables` buffers all refer to one vector of `vector` bytes."""
    head = struct.pack("<I4s", 32, b"TFL3") + bytes(24)
    body = bytearray(head)
    vtable = len(body) - 24
    struct.pack_into("<HH5H", body, vtable, 14, 8, 0, 0, 0, 0, 4)
    body += struct.pack("<iI", 32 - vtable, 4)  # the model's table at 32, its buffers behind it
    start = len(body)
    body += struct.pack("<I", tables) + bytes(4 * tables)
    shared_vtable = len(body)
    body += struct.pack("<HHHH", 6, 8, 4, 0)
    shared = len(body)
    body += struct.pack("<iII", shared - shared_vtable, 4, vector) + bytes(vector)
    for i in range(tables):
        at = start + 4 + 4 * i
        struct.pack_into("<I", body, at, shared - at)
    return bytes(body)


def test_many_tables_that_share_one_vector_cost_neither_memory_nor_time() -> None:
    root = Buffer(hostile_sharing(20_000, 1 << 20)).root()
    began = time.monotonic()
    with pytest.raises(ModelError, match="too often"):
        [table.bytes(0) for table in root.tables(4)]
    assert time.monotonic() - began < 2


def test_a_constant_whose_data_has_the_wrong_length_is_named() -> None:
    def shorten(model: Any) -> None:
        model.buffers[-1].data = model.buffers[-1].data[:-1]

    with pytest.raises(ModelError, match=r"tensor 1 .* has 11 bytes of data instead of 12"):
        read_tflite(edited(SMALL, shorten))


def test_an_int4_constant_with_a_byte_a_code_is_refused() -> None:
    def mislabel(model: Any) -> None:
        model.subgraphs[0].tensors[1].type = schema.TensorType.INT4

    with pytest.raises(ModelError, match="12 bytes of data instead of 6"):
        read_tflite(edited(SMALL, mislabel))


def subgraph(outputs: Sequence[int] = (0,), shape: Sequence[int] = (1,)) -> Any:
    """A second subgraph of one input, which may be its output."""
    graph, tensor = schema.SubGraphT(), schema.TensorT()
    tensor.shape, tensor.name = list(shape), "inner"
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [tensor], [0], list(outputs), []
    return graph


def test_other_subgraphs_are_read_too() -> None:
    graph = read_tflite(edited(SMALL, lambda m: m.subgraphs.append(subgraph())))
    (other,) = graph.subgraphs
    assert len(graph.ops) == 1 and not other.ops and other.subgraphs == ()
    assert [t.name for t in other.tensors] == ["inner"] and other.outputs == (0,)


CHANGES: dict[str, Callable[[Any], object]] = {
    "reads tensor 0 before": lambda m: setattr(m.subgraphs[0], "inputs", [2]),
    "model has no output": lambda m: setattr(m.subgraphs[0], "outputs", []),
    "not distinct": lambda m: setattr(m.subgraphs[0], "inputs", [0, 0]),
    "tensor that is not there": lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [0, 99]),
    "already has a value": lambda m: setattr(m.subgraphs[0].operators[0], "outputs", [0]),
    "has no output": lambda m: setattr(m.subgraphs[0].operators[0], "outputs", []),
    "impossible shape": lambda m: setattr(m.subgraphs[0].tensors[0], "shape", [1, -6]),
    "unknown type": lambda m: setattr(m.subgraphs[0].tensors[0], "type", 77),
    "buffer 99": lambda m: setattr(m.subgraphs[0].tensors[0], "buffer", 99),
    "schema version 4": lambda m: setattr(m, "version", 4),
    "input or output of a subgraph": lambda m: m.subgraphs.append(subgraph(outputs=[9])),
    "impossible shape, .-1": lambda m: m.subgraphs.append(subgraph(shape=[-1])),
    "opcode index 5": lambda m: setattr(m.subgraphs[0].operators[0], "opcodeIndex", 5),
    "negative or no number": lambda m: setattr(
        m.subgraphs[0].tensors[0].quantization, "scale", [float("nan")]
    ),
}


@pytest.mark.parametrize("words", CHANGES)
def test_inconsistent_models_are_told_apart(words: str) -> None:
    with pytest.raises(ModelError, match=words):
        read_tflite(edited(SMALL, CHANGES[words]))


def test_names_of_operators_that_we_do_not_support_are_known() -> None:
    assert operator_name(14) == "LOGISTIC"
    assert operator_name(9999) == "operator 9999"


def test_a_graph_knows_producers_consumers_and_roots() -> None:
    graph = read_tflite(SMALL)
    assert graph.producer(2) is graph.ops[0] and graph.producer(0) is None
    assert graph.consumers(0) == [graph.ops[0]]
    assert replace(graph, views={2: 1, 1: 0}).root(2) == 0


def test_an_empty_model_with_only_an_input_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((1, 4))
    with pytest.raises(ModelError, match="computes nothing"):
        compile_model(g.build([x]))
