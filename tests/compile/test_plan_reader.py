# SPDX-License-Identifier: Apache-2.0
"""The plan reader takes what is sound apart, and answers everything else with a ModelError."""

import struct
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.plans import PlanBuilder, one_op
from tests.support.small_models import small_cnn
from torpor.compile import compile_model
from torpor.errors import ModelError
from torpor.plan.layout import CONST, OPCODES, fields, record_type, sizeof
from torpor.plan.reader import Plan, read_struct

LABELS = ("a", "", "é", "last one")
COMPILED = compile_model(small_cnn(), name="net", labels=(*LABELS, "z")).plan
OFFSETS = {name: field.offset for name, field in fields("plan_header_t")}
SIZES = {name: field.type for name, field in fields("plan_header_t")}


def copy_plan(size: int = 8, **header: Any) -> bytes:
    """Return a plan of one COPY, its header changed."""
    plan = one_op("COPY", [size, size], lambda _: {"bytes": size})
    plan.header.update(header)
    return plan.build()


def with_strings(strings: bytes, **header: Any) -> Plan:
    plan = one_op("COPY", [8, 8], lambda _: {"bytes": 8})
    plan.strings = strings
    plan.header.update(header)
    return Plan.parse(plan.build())


# ---- what is sound


def test_a_plan_made_by_hand_is_read_back() -> None:
    plan = Plan.parse(copy_plan())
    assert [op.name for op in plan.ops] == ["COPY"]
    assert plan.ops[0].fields["bytes"] == 8
    assert (plan.ops[0].fields["x"], plan.ops[0].fields["y"]) == (0, 1)
    assert plan.ops[0].fields["op"] == {
        "code": {name: code for code, name in OPCODES.items()}["COPY"],
        "flags": 0,
        "words": sizeof("plan_copy_t") // 4,
    }
    assert plan.tensors[1] == {"offset": 8, "bytes": 8, "first": 1, "last": 2}
    assert plan.inputs[0]["tensor"] == 0 and plan.outputs[0]["tensor"] == 1
    assert plan.inputs[0]["dims"] == (8, 1, 1, 1, 1)


@pytest.mark.parametrize("extra", [b"", b"\1", bytes(range(124))], ids=len)
def test_extra_bytes_travel_with_a_compiled_model_and_change_nothing_else(extra: bytes) -> None:
    compiled = compile_model(small_cnn(), name="net", labels=(*LABELS, "z"), extra=extra)
    plan, plain = Plan.parse(compiled.plan), Plan.parse(COMPILED)
    assert plan.extra == extra
    assert plan.header["extra"] % 4 == 0
    assert (plan.ops, plan.strings, plan.data) == (plain.ops, plain.strings, plain.data)
    assert compiled.report.sections["extra"] == len(extra)
    assert sum(compiled.report.sections.values()) == len(compiled.plan)


def test_nested_structs_and_arrays_become_values() -> None:
    plan = Plan.parse(COMPILED)
    (addition,) = (op for op in plan.ops if op.name == "ADD_S8")
    assert set(addition.fields["a_rescale"]) == {"multiplier", "shift"}
    assert len(addition.fields["dims"]) == 4 and isinstance(addition.fields["dims"], tuple)


def test_the_raw_bytes_of_a_record_are_the_record() -> None:
    for op in Plan.parse(COMPILED).ops:
        kind = record_type(op.fields["op"]["code"])
        assert len(op.raw) == sizeof(kind) == 4 * op.fields["op"]["words"]
        assert read_struct(kind, op.raw) == op.fields


def test_records_follow_each_other_in_the_file() -> None:
    plan = Plan.parse(COMPILED)
    start, length = plan.header["ops"], plan.header["ops_bytes"]
    assert b"".join(op.raw for op in plan.ops) == COMPILED[start : start + length]


def test_labels_are_read_one_after_the_other() -> None:
    assert Plan.parse(COMPILED).labels == (*LABELS, "z")
    assert Plan.parse(COMPILED).name == "net"


def test_a_plan_without_labels_has_none() -> None:
    assert with_strings(b"m\0", n_labels=0, labels=CONST["PLAN_NO_STRING"]).labels == ()


def test_a_string_that_is_absent_is_empty() -> None:
    assert with_strings(b"m\0", name=CONST["PLAN_NO_STRING"]).name == ""


def test_bytes_that_are_no_utf8_do_not_shift_the_labels_behind_them() -> None:
    plan = with_strings(b"m\0\xff\xfe\0ok\0", n_labels=2, labels=2)
    assert plan.labels == ("\ufffd\ufffd", "ok")


@pytest.mark.parametrize("kind", ["plan_header_t", "plan_io_t", "plan_conv_2d_t", "plan_binary_t"])
def test_every_member_of_a_struct_is_read_from_its_place(kind: str) -> None:
    for member, field in fields(kind):
        if field.type.kind != "primitive" or field.type.cname == "float":
            continue
        size = {"uint8_t": 1, "int8_t": 1, "uint16_t": 2, "int16_t": 2}.get(field.type.cname, 4)
        data = bytearray(sizeof(kind))
        data[field.offset : field.offset + size] = b"\x01" * size
        found = read_struct(kind, bytes(data))
        assert found[member] == int.from_bytes(b"\x01" * size, "little"), member


# ---- what is not


@pytest.mark.parametrize("offset", [4, 100, 2**31, 2**32 - 2])
def test_a_string_outside_of_the_section_is_an_error(offset: int) -> None:
    plan = with_strings(b"abc\0", name=offset)
    with pytest.raises(ModelError, match=f"string offset {offset} is out of bounds"):
        _ = plan.name


@pytest.mark.parametrize("offset", [-1, -4])
def test_a_string_before_the_section_is_an_error(offset: int) -> None:
    with pytest.raises(ModelError, match="is out of bounds"):
        with_strings(b"abc\0").string(offset)


def test_a_string_without_an_end_is_an_error() -> None:
    with pytest.raises(ModelError, match="string offset 2 is out of bounds"):
        _ = with_strings(b"m\0abc", name=2).name


def test_more_labels_than_there_are_is_an_error() -> None:
    with pytest.raises(ModelError, match="is out of bounds"):
        _ = with_strings(b"m\0a\0b\0", n_labels=3, labels=2).labels


@pytest.mark.parametrize(
    ("section", "length", "words"),
    [
        ("tensors", "n_tensors", "plan_tensor_t records lie beyond its end"),
        ("io", "n_inputs", "plan_io_t records lie beyond its end"),
        ("io", "n_outputs", "plan_io_t records lie beyond its end"),
        ("ops", "ops_bytes", "operator records lie beyond its end"),
        ("strings", "strings_bytes", "strings lie beyond its end"),
        ("data", "data_bytes", "data lie beyond its end"),
    ],
)
def test_each_section_must_lie_inside(section: str, length: str, words: str) -> None:
    for changes in ({length: 250 if section == "io" else 60_000}, {section: 2**32 - 4}):
        if changes == {"data": 2**32 - 4} or changes == {"io": 2**32 - 4}:
            changes[length] = 1
        with pytest.raises(ModelError, match=words):
            Plan.parse(copy_plan(**changes))


def test_more_operators_than_records_is_an_error() -> None:
    with pytest.raises(ModelError, match="operators lie beyond its end"):
        Plan.parse(copy_plan(n_ops=2))


def changed_record(**words: int) -> bytes:
    plan = one_op("COPY", [8, 8], lambda _: {"bytes": 8})
    raw = bytearray(plan.ops[0])
    for name, field in fields("plan_op_t"):
        if name in words:
            raw[field.offset] = words[name]
    plan.ops[0] = bytes(raw)
    plan.header["kernels"] = [0, 0]
    return plan.build()


@pytest.mark.parametrize("code", [max(OPCODES) + 1, 255])
def test_an_unknown_operator_is_an_error(code: int) -> None:
    with pytest.raises(ModelError, match=f"operator 0 has the unknown code {code}"):
        Plan.parse(changed_record(code=code))


@pytest.mark.parametrize("words", [0, 1, sizeof("plan_copy_t") // 4 - 1])
def test_a_record_of_the_wrong_size_is_an_error(words: int) -> None:
    expected = f"operator 0 has {4 * words} bytes instead of {sizeof('plan_copy_t')}"
    with pytest.raises(ModelError, match=expected):
        Plan.parse(changed_record(words=words))


def test_a_record_that_reaches_beyond_the_section_is_an_error() -> None:
    with pytest.raises(ModelError, match="operator 0's fields lie beyond its end"):
        Plan.parse(changed_record(words=255))


@pytest.mark.parametrize("length", range(0, sizeof("plan_header_t"), 8))
def test_half_a_header_is_an_error(length: int) -> None:
    with pytest.raises(ModelError, match="header lie beyond its end"):
        Plan.parse(COMPILED[:length])


def test_a_byte_more_or_less_is_an_error() -> None:
    for data in (COMPILED[:-1], COMPILED + b"\0"):
        with pytest.raises(ModelError, match=f"says {len(COMPILED)} bytes but has {len(data)}"):
            Plan.parse(data)


NUMBERS = st.one_of(
    st.sampled_from([0, 1, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32 - 1]),
    st.integers(0, 2**32 - 1),
    st.integers(0, len(COMPILED) + 16),
)
COUNTED = [n for n in OFFSETS if n not in ("magic", "version", "length", "kernels")]


def hostile(changes: dict[str, int]) -> bytes:
    """Return the compiled plan with other numbers in its header."""
    data = bytearray(COMPILED)
    for name, value in changes.items():
        wide = SIZES[name].cname in ("uint32_t", "int32_t")
        width = 4 if wide else 2 if SIZES[name].cname == "uint16_t" else 1
        raw = struct.pack("<I", value)[:width]
        data[OFFSETS[name] : OFFSETS[name] + width] = raw
    return bytes(data)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(COUNTED), NUMBERS, min_size=1, max_size=3))
def test_a_hostile_header_is_one_error_or_a_plan_that_can_be_looked_at(
    changes: dict[str, int],
) -> None:
    try:
        plan = Plan.parse(hostile(changes))
        seen = [plan.name, *plan.labels, *(plan.string(x["name"]) for x in plan.inputs)]
        assert all(isinstance(text, str) for text in seen)
        assert len(plan.tensors) == plan.header["n_tensors"]
        assert len(plan.ops) == plan.header["n_ops"]
    except ModelError as error:
        assert error.message.startswith("plan") and "\n" not in error.message


RECORDS = Plan.parse(COMPILED).header["ops"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=4))
def test_hostile_records_are_one_error_or_records(changes: list[tuple[int, int]]) -> None:
    data = bytearray(COMPILED)
    for place, value in changes:
        data[RECORDS + place] = value
    try:
        assert all(op.name in OPCODES.values() for op in Plan.parse(bytes(data)).ops)
    except ModelError as error:
        assert error.message.startswith("plan: operator")


def test_the_time_to_read_tensors_grows_with_their_number_only() -> None:
    plan = PlanBuilder()
    for _ in range(40_000):
        plan.tensor(0, 1, 0, 1)
    plan.inputs.append(plan.io(0))
    data = plan.build()
    began = time.process_time()
    assert len(Plan.parse(data).tensors) == 40_000
    assert time.process_time() - began < 5
