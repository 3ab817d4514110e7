# SPDX-License-Identifier: Apache-2.0
"""FlatBuffers read by hand: tables laid out byte for byte, sound ones and ones that lie."""

import struct
from collections.abc import Callable
from typing import Any

import flatbuffers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.small_models import one_dense, small_cnn
from torpor.errors import ModelError, UnsupportedError
from torpor.graph import read_tflite
from torpor.graph.flatbuffer import Buffer, Table

TABLE = 24  # where `file` puts the table


def file(fields: bytes, offsets: list[int], *, vtable_length: int | None = None) -> bytes:
    """Return root offset, vtable at 4 (slots with `offsets` into the table) and the table at 24.

    `fields` are the bytes behind the table's own offset, so offset 4 is their first one.
    """
    length = 4 + 2 * len(offsets) if vtable_length is None else vtable_length
    vtable = struct.pack(f"<HH{len(offsets)}H", length, 4 + len(fields), *offsets)
    head = struct.pack("<I", TABLE) + vtable.ljust(TABLE - 4, b"\xee")
    return head + struct.pack("<i", TABLE - 4) + fields


def table(fields: bytes, offsets: list[int], **changes: Any) -> Table:
    return Buffer(file(fields, offsets, **changes)).root()


def test_a_scalar_lies_where_its_slot_says() -> None:
    read = table(struct.pack("<iHb", -70_000, 65_535, -3), [4, 10, 8])
    assert read.integer(0, "i") == -70_000
    assert read.integer(1, "b") == -3
    assert read.integer(2, "H") == 65_535


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("b", -128),
        ("B", 255),
        ("h", -32_768),
        ("H", 65_535),
        ("i", -(2**31)),
        ("I", 2**32 - 1),
        ("q", -(2**63)),
        ("Q", 2**64 - 1),
        ("f", 0.1015625),
        ("?", True),
    ],
)
def test_each_kind_of_scalar_has_its_size_and_sign(kind: str, value: Any) -> None:
    data = struct.pack(f"<{kind}", value)
    assert table(data, [4]).scalar(0, kind, 0) == value
    with pytest.raises(ModelError, match="an offset points outside"):
        table(data[:-1], [4]).scalar(0, kind, 0)


def test_a_slot_that_is_absent_zero_or_beyond_the_vtable_has_the_default() -> None:
    read = table(struct.pack("<i", 5), [0, 4])
    assert read.integer(0, "i", 77) == 77 and not read.has(0)
    assert read.integer(1, "i", 77) == 5 and read.has(1)
    assert read.integer(2, "i", 77) == 77 and not read.has(2)
    assert read.table(9) is None
    assert list(read.tables(9)) == []
    assert read.integers(9, "i") == ()
    assert read.bytes(9) is None
    assert read.string(9) == ""


@pytest.mark.parametrize("length", [0, 1, 3, 4])
def test_a_vtable_too_short_for_a_slot_has_none(length: int) -> None:
    assert not table(b"\1\0\0\0", [4], vtable_length=length).has(0)


def test_a_vtable_of_odd_length_has_no_half_slot() -> None:
    assert not table(b"\1\0\0\0", [4], vtable_length=5).has(0)


def test_vectors_and_strings_are_found_through_their_offset() -> None:
    vector = struct.pack("<I3h", 3, -1, 2, -3) + bytes(2)
    text = struct.pack("<I", 5) + b"h\xc3\xa9\xff!" + bytes(3)
    data = file(bytes(12), [4, 8, 12])
    start = len(data)
    fields = bytearray(data + vector + text)
    for slot, target in enumerate((start, start + len(vector), start + len(vector))):
        at = TABLE + 4 + 4 * slot
        struct.pack_into("<I", fields, at, target - at)
    read = Buffer(bytes(fields)).root()
    assert read.integers(0, "h") == (-1, 2, -3)
    assert read.string(1) == "hé\ufffd!"
    assert read.bytes(2) == b"h\xc3\xa9\xff!"


@pytest.mark.parametrize("count", [4, 1 << 16, 1 << 30, 2**32 - 1])
@pytest.mark.parametrize("kind", ["b", "i", "q"])
def test_a_vector_longer_than_the_file_is_refused(count: int, kind: str) -> None:
    read = table(struct.pack("<II3B", 4, count, 1, 2, 3), [4])
    with pytest.raises(ModelError, match="an offset points outside"):
        read.vector(0, kind)


@pytest.mark.parametrize("offset", [5, 6, 1 << 20, 2**32 - 1])
def test_a_vector_that_lies_outside_is_refused(offset: int) -> None:
    read = table(struct.pack("<I", offset), [4])
    for access in (read.bytes, read.string, read.table):
        with pytest.raises(ModelError, match="an offset points outside"):
            access(0)


@pytest.mark.parametrize("vtable", [TABLE + 1, -(2**31), 2**31 - 1, -8])
def test_a_vtable_outside_of_the_file_is_refused(vtable: int) -> None:
    data = bytearray(file(b"\1\0\0\0", [4]))
    struct.pack_into("<i", data, TABLE, vtable)
    with pytest.raises(ModelError, match="an offset points outside"):
        Buffer(bytes(data)).root()


@pytest.mark.parametrize("root", [29, 1 << 16, 2**32 - 1])
def test_a_root_outside_of_the_file_is_refused(root: int) -> None:
    data = bytearray(file(b"\1\0\0\0", [4]))
    struct.pack_into("<I", data, 0, root)
    with pytest.raises(ModelError, match="an offset points outside"):
        Buffer(bytes(data)).root()


def test_what_is_read_is_counted_to_the_byte() -> None:
    buffer = Buffer(bytes(100))
    left = 16 * 100 + (1 << 16)
    for _ in range(left // 100):
        buffer.spend(0, 100)
    buffer.spend(0, left % 100)
    with pytest.raises(ModelError, match="refer to each other too often"):
        buffer.spend(0, 1)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.integers(-(2**31), 2**31 - 1),
    st.lists(st.integers(-(2**15), 2**15 - 1), max_size=20),
    st.text(max_size=20),
)
def test_what_the_library_writes_is_read_back(number: int, values: list[int], text: str) -> None:
    builder = flatbuffers.Builder(0)
    string = builder.CreateString(text)
    builder.StartVector(2, len(values), 2)
    for value in reversed(values):
        builder.PrependInt16(value)
    vector = builder.EndVector()
    builder.StartObject(5)
    builder.PrependInt32Slot(1, number, 42)
    builder.PrependUOffsetTRelativeSlot(2, vector, 0)
    builder.PrependUOffsetTRelativeSlot(4, string, 0)
    builder.Finish(builder.EndObject())
    read = Buffer(bytes(builder.Output())).root()
    assert read.integer(1, "i", 42) == number
    assert read.integers(2, "h") == tuple(values)
    assert read.string(4) == text
    assert not read.has(0) and not read.has(3)


# ---- models that are sound files and still refused

SMALL, CNN = one_dense(), small_cnn()


def edited(data: bytes, change: Callable[[Any], object]) -> bytes:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data)))
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor(model: Any, index: int) -> Any:
    return model.subgraphs[0].tensors[index]


def set_tensor(index: int, **values: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for name, value in values.items():
            setattr(tensor(model, index), name, value)

    return change


def set_quantization(index: int, **values: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for name, value in values.items():
            setattr(tensor(model, index).quantization, name, value)

    return change


def set_op(**values: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for name, value in values.items():
            setattr(model.subgraphs[0].operators[0], name, value)

    return change


def sparse(model: Any) -> None:
    tensor(model, 1).sparsity = schema.SparsityParametersT()


def outside(model: Any) -> None:
    model.buffers[-1].data, model.buffers[-1].offset = None, 1000


def twice(model: Any) -> None:
    model.subgraphs[0].operators.append(model.subgraphs[0].operators[0])


def an_op_more(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [0, 1, -2]


CHANGES: dict[str, Callable[[Any], object]] = {
    r"the model has no input": lambda m: setattr(m.subgraphs[0], "inputs", []),
    r"inputs are not distinct": lambda m: setattr(m.subgraphs[0], "inputs", [0, 0]),
    r"has an output that is not there": lambda m: setattr(m.subgraphs[0], "outputs", [3]),
    r"has an input that is not there": lambda m: setattr(m.subgraphs[0], "inputs", [-1]),
    r"an input of the model is a constant": lambda m: setattr(m.subgraphs[0], "inputs", [1]),
    r"'t2' .* is never written": lambda m: setattr(m.subgraphs[0], "operators", []),
    r"operator 0 \(FULLY_CONNECTED\) writes a tensor that already": set_op(outputs=[2, 2]),
    r"operator 0 \(FULLY_CONNECTED\) writes a tensor that already has": set_op(outputs=[1]),
    r"operator 0 .* reads tensor 2 before": set_op(inputs=[2, 1]),
    r"operator 1 .* already has a value": twice,
    r"operator 0 .* a tensor that is not there": an_op_more,
    r"refers to a tensor that is not there": set_op(outputs=[-1]),
    r"tensor 0 't0' has an impossible shape, \[1, 1, 1, 1, 1, 1, 1, 1\]": set_tensor(
        0, shape=[1] * 9
    ),
    r"tensor 2 't2' has an impossible shape, \[65536, 32768\]": set_tensor(2, shape=[65536, 32768]),
    r"tensor 1 't1' has a scale that is negative": set_quantization(1, scale=[-0.5]),
    r"tensor 2 't2' has a scale that is .*no number": set_quantization(2, scale=[float("inf")]),
    r"tensor 0 't0' has a zero point outside 32 bits": set_quantization(0, zeroPoint=[1 << 31]),
    r"tensor 0 't0' has a zero point outside 32": set_quantization(0, zeroPoint=[-(1 << 31) - 1]),
    r"has the unknown type -1": set_tensor(2, type=-1),
    r"the model has no subgraph": lambda m: setattr(m, "subgraphs", []),
}
UNSUPPORTED: dict[str, Callable[[Any], object]] = {
    r"keeps its weights outside the flatbuffer": outside,
    r"tensor 1 't1' is sparse": sparse,
}


@pytest.mark.parametrize("words", CHANGES)
def test_an_inconsistent_model_is_told_apart(words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_tflite(edited(SMALL, CHANGES[words]))
    assert not isinstance(caught.value, UnsupportedError)


@pytest.mark.parametrize("words", UNSUPPORTED)
def test_what_a_sound_model_may_not_have_is_named(words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        read_tflite(edited(SMALL, UNSUPPORTED[words]))


def test_an_unknown_value_of_an_option_is_named() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators[0].builtinOptions.padding = 9

    with pytest.raises(ModelError, match=r"operator 0 \(CONV_2D\) has the unknown padding 9"):
        read_tflite(edited(CNN, change))


def test_options_of_another_operator_are_not_taken_for_its_own() -> None:
    def change(model: Any) -> None:
        op = model.subgraphs[0].operators[0]
        op.builtinOptionsType, op.builtinOptions = (
            schema.BuiltinOptions.SoftmaxOptions,
            schema.SoftmaxOptionsT(),
        )
        op.builtinOptions.beta = 3.0

    options = read_tflite(edited(SMALL, change)).ops[0].options
    assert options == {
        "activation": "NONE",
        "weights_format": 0,
        "keep_num_dims": False,
        "bias_type": "float32",
    }


def test_the_extreme_numbers_that_are_allowed_are_kept() -> None:
    change = set_quantization(0, zeroPoint=[-(1 << 31)], scale=[0.0])
    x = read_tflite(edited(SMALL, change)).tensors[0]
    assert (x.zero_point, x.scale) == (-(1 << 31), 0.0)


def test_too_many_operators_are_refused_before_they_are_looked_at() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.operators = [graph.operators[0]] * 4097

    with pytest.raises(UnsupportedError, match="4097 operators, more than 4096"):
        read_tflite(edited(SMALL, change))
