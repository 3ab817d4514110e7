# SPDX-License-Identifier: Apache-2.0
"""infer_check(): what it refuses, what it accepts, and that whatever it accepts is harmless."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.infer.hammer import judge, run_confined
from tests.support.plans import (
    ACC_32,
    CODES,
    CONST_A,
    CONST_B,
    CONV,
    OVERLAP,
    PER_TENSOR,
    POINTS,
    RANGE,
    SPECIMENS,
    PlanBuilder,
    add,
    chain,
    changed,
    channel_block,
    conv_2d,
    conv_2d_16,
    field_named,
    fields_of,
    fully_connected,
    one_op,
    record,
    state,
)
from torpor.engine import Engine, check
from torpor.engine.library import open_infer
from torpor.paths import ROOT
from torpor.plan.layout import CONST

UNKNOWN = CONST["PLAN_OP_COUNT"]


def word(plan: bytes) -> str:
    return check(plan, sanitizer="undefined").name


def changed_word(name: str, label: str, value: int) -> str:
    """The verdict on a specimen with one number changed."""
    return word(changed(SPECIMENS[name]().build(), label, value))


def two_relus(
    a: tuple[int, int, int, int], b: tuple[int, int, int, int], flags: int = OVERLAP
) -> PlanBuilder:
    """x -> relu -> relu -> y: x is (0, 8, step 0), y as `b`; `a` lies between."""
    plan = PlanBuilder()
    x = plan.tensor(0, 8, 0, 1)
    middle, y = plan.tensor(*a), plan.tensor(*b)
    plan.inputs.append(plan.io(x))
    plan.outputs.append(plan.io(y))
    values = {"count": 8, **POINTS, **RANGE}
    plan.ops = [
        record("RELU_S8", flags, x=x, y=middle, **values),
        record("RELU_S8", flags, x=middle, y=y, **values),
    ]
    return plan


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_sound_plan_is_accepted(name: str) -> None:
    assert word(SPECIMENS[name]().build()) == "ok"


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_sound_plan_runs_confined(name: str) -> None:
    assert judge(SPECIMENS[name]().build(), "undefined") == "ok"


@pytest.mark.parametrize("name", SPECIMENS)
def test_nothing_is_written_around_the_tensors(name: str) -> None:
    plan = SPECIMENS[name]()
    plan.tensors = [(at + 64, size, first, last) for at, size, first, last in plan.tensors]
    plan.header = {"arena_bytes": max(t[0] + t[1] for t in plan.tensors) + 64}
    run_confined(plan.build(), "undefined")


def test_specimens_use_every_operator() -> None:
    bits = 0
    for specimen in SPECIMENS.values():
        plan = specimen().build()
        for i in range(4):
            bits |= field_named(plan, f"header.kernels[{i}]").get(plan) << 32 * i
    assert bits == sum(1 << code for code in CODES.values())


# Header


def test_another_magic_is_no_plan() -> None:
    assert changed_word("copy", "header.magic", 0x12345678) == "magic"


def test_another_version_is_refused() -> None:
    assert changed_word("copy", "header.version", 1) == "version"
    assert changed_word("copy", "header.version", 3) == "version"


@pytest.mark.parametrize("target", [1, 2, 255])
def test_weights_packed_for_other_kernels_are_refused(target: int) -> None:
    assert changed_word("copy", "header.target", target) == "target"


def test_every_truncation_is_refused() -> None:
    plan = chain().build()
    for length in range(len(plan)):
        assert word(plan[:length]) == "length", length


def test_bytes_after_the_plan_do_not_matter() -> None:
    assert word(chain().build() + b"\xff" * 7) == "ok"


@pytest.mark.parametrize("length", [0, 16, 80, 1 << 31, 0xFFFFFFF0])
def test_an_impossible_length_is_refused(length: int) -> None:
    assert changed_word("copy", "header.length", length) == "length"


def test_a_length_that_is_no_multiple_of_16_is_refused() -> None:
    plan = chain().build()
    assert word(changed(plan + bytes(16), "header.length", len(plan) + 4)) == "length"


def test_a_misaligned_plan_is_refused() -> None:
    plan = chain().build()
    ffi, library = open_infer("undefined")
    memory = ffi.new("uint8_t[]", len(plan) + 32)
    start = -int(ffi.cast("uintptr_t", memory)) % 16
    for shift in range(16):
        ffi.buffer(memory)[start + shift : start + shift + len(plan)] = plan
        found = library.infer_check(memory + start + shift, len(plan))
        assert found.status == (library.INFER_OK if shift == 0 else library.INFER_E_ALIGN)


def open_with_arena(plan: bytes, shift: int, missing: int) -> int:
    """infer_init()'s status with an arena that is misaligned or too small."""
    ffi, library = open_infer("undefined")
    memory = ffi.new("uint8_t[]", len(plan) + 16)
    plan_at = memory + -int(ffi.cast("uintptr_t", memory)) % 16
    ffi.buffer(plan_at, len(plan))[:] = plan
    arena = ffi.new("uint8_t[]", 4096)
    arena_at = arena + -int(ffi.cast("uintptr_t", arena)) % 16 + shift
    size = field_named(plan, "header.arena_bytes").get(plan) - missing
    return int(library.infer_init(ffi.new("infer_t *"), plan_at, len(plan), arena_at, size))


def test_init_takes_an_arena_of_exactly_the_size() -> None:
    assert open_with_arena(chain().build(), shift=0, missing=0) == 0


def test_init_refuses_a_small_arena() -> None:
    library = open_infer("undefined")[1]
    assert open_with_arena(chain().build(), shift=0, missing=1) == library.INFER_E_ARENA


def test_init_refuses_a_misaligned_arena() -> None:
    library = open_infer("undefined")[1]
    assert open_with_arena(chain().build(), shift=8, missing=0) == library.INFER_E_ALIGN


def test_init_refuses_a_plan_whose_kernels_are_not_linked() -> None:
    library = open_infer("undefined")[1]
    plan = changed(chain().build(), "header.kernels[3]", 1 << 8)
    assert open_with_arena(plan, shift=0, missing=0) == library.INFER_E_KERNEL


@pytest.mark.parametrize("bit", [0, UNKNOWN, 127])
def test_an_unknown_kernel_bit_is_refused(bit: int) -> None:
    plan = chain().build()
    bits = field_named(plan, f"header.kernels[{bit // 32}]")
    assert word(bits.set(plan, bits.get(plan) | 1 << bit % 32)) == "kernel"


@pytest.mark.parametrize("code", [0, UNKNOWN, 128, 255])
def test_an_unknown_operator_is_refused(code: int) -> None:
    assert changed_word("copy", "op 0.op.code", code) == "kernel"


def test_kernel_bits_must_be_those_of_the_operators() -> None:
    plan = SPECIMENS["copy"]().build()
    assert word(changed(plan, "header.kernels[0]", 1 << CODES["COPY"] | 1 << 13)) == "header"
    assert word(changed(plan, "header.kernels[0]", 0)) == "header"


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("header.flags", 2),
        ("header.states", 0),
        ("header.states", 0xFFFFFFFC),
        ("header.arena_bytes", 1 << 31),
        ("header.arena_align", 0),
        ("header.arena_align", 24),
        ("header.n_ops", 1025),
        ("header.n_tensors", 2049),
        ("header.n_inputs", 0),
        ("header.n_outputs", 0),
        ("header.tensors", 0),
        ("header.tensors", 100),
        ("header.io", 0xFFFFFFFC),
        ("header.ops", 96),
        ("header.ops_bytes", 0xFFFFFFF0),
        ("header.strings_bytes", 0x7FFFFFFF),
        ("header.extra", 0),
        ("header.extra", 0xFFFFFFFC),
        ("header.extra_bytes", 0xFFFFFFF0),
        ("header.data", 0),
        ("header.data_bytes", 0xFFFFFFF0),
    ],
)
def test_a_wrong_header_field_is_refused(label: str, value: int) -> None:
    assert changed_word("chain", label, value) == "header"


def test_a_gap_between_sections_must_be_zero() -> None:
    plan = chain().build()
    end = field_named(plan, "header.strings").get(plan) + len(PlanBuilder().strings)
    assert plan[end] == 0
    assert word(plan[:end] + b"\1" + plan[end + 1 :]) == "header"


@pytest.mark.parametrize("extra", [b"x", b"four", bytes(range(124))], ids=len)
def test_extra_bytes_may_be_anything_but_must_lie_between_strings_and_data(extra: bytes) -> None:
    built = fully_connected(s4=False)
    built.extra = extra
    plan = built.build()
    start = field_named(plan, "header.extra").get(plan)
    assert word(plan) == "ok"
    assert plan[start : start + len(extra)] == extra
    assert word(changed(plan, "header.extra", start + 1)) == "header"
    assert word(changed(plan, "header.extra", start - 4)) == "header"
    assert word(changed(plan, "header.extra_bytes", len(plan) - start + 1)) == "header"
    assert word(changed(plan, "header.extra_bytes", 0)) == "header"  # a gap that is not zero


def test_extra_bytes_may_not_reach_into_the_data() -> None:
    built = fully_connected(s4=False)
    plan = built.build()
    reach = field_named(plan, "header.data").get(plan) - field_named(plan, "header.extra").get(plan)
    assert word(changed(plan, "header.extra_bytes", reach)) == "ok"
    assert word(changed(plan, "header.extra_bytes", reach + 1)) == "header"


def test_the_fill_after_the_data_must_be_zero() -> None:
    plan = fully_connected(s4=True).build()
    assert word(plan[:-1] + b"\1") == "header"


# Strings


@pytest.mark.parametrize("label", ["header.name", "header.labels", "io 0.name", "io 1.name"])
def test_a_string_outside_its_section_is_refused(label: str) -> None:
    assert changed_word("copy", label, len(PlanBuilder().strings)) == "string"


def test_strings_must_end() -> None:
    plan = chain()
    plan.strings = plan.strings[:-1]
    assert word(plan.build()) == "string"


def test_a_name_must_end_even_where_there_are_no_labels() -> None:
    plan = chain()
    plan.strings = b"endless"
    plan.header = {"labels": 0xFFFFFFFF, "n_labels": 0}
    assert word(plan.build()) == "string"


def test_there_must_be_as_many_labels_as_promised() -> None:
    assert changed_word("copy", "header.n_labels", 3) == "string"
    assert changed_word("copy", "header.labels", 0xFFFFFFFF) == "string"


def test_name_and_labels_may_be_absent() -> None:
    plan = chain()
    plan.strings = b""
    plan.header = {"name": 0xFFFFFFFF, "labels": 0xFFFFFFFF, "n_labels": 0}
    engine = Engine(plan.build(), sanitize=True)
    assert (engine.name, engine.labels, engine.inputs[0].name) == ("", (), "")


# Tensors


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("tensor 0.offset", 1 << 20),
        ("tensor 0.offset", 0xFFFFFFFF),
        ("tensor 0.bytes", 0),
        ("tensor 0.bytes", 0xFFFFFFFF),
        ("tensor 1.last", 0),
        ("tensor 1.last", 7),
        ("tensor 1.first", 6),
        ("tensor 1.first", 0),
        ("tensor 1.first", 2),
        ("tensor 0.last", 0),
        ("tensor 2.last", 2),
    ],
)
def test_a_tensor_that_contradicts_the_operators_is_refused(label: str, value: int) -> None:
    assert changed_word("chain", label, value) == "tensor"


def test_an_input_lives_from_the_start_on() -> None:
    assert changed_word("chain", "tensor 0.first", 1) == "io"


def test_a_tensor_must_be_written_before_it_is_read() -> None:
    plan = two_relus((8, 8, 1, 2), (0, 8, 2, 3))
    assert word(plan.build()) == "ok"
    plan.ops.reverse()
    assert word(plan.build()) == "tensor"


def relu(x: int, y: int, flags: int = 0) -> bytes:
    return record("RELU_S8", flags, x=x, y=y, count=8, **POINTS, **RANGE)


def test_a_tensor_must_not_end_before_it_begins() -> None:
    plan = two_relus((8, 8, 1, 1), (16, 8, 2, 3))
    plan.tensors[0] = (0, 8, 0, 2)
    plan.ops = [relu(0, 1), relu(0, 2)]
    assert word(plan.build()) == "ok"
    plan.tensors[1] = (8, 8, 1, 0)
    assert word(plan.build()) == "tensor"


@pytest.mark.parametrize("first", [0, 1])
def test_a_tensor_that_nobody_writes_is_refused(first: int) -> None:
    plan = two_relus((8, 8, 1, 2), (0, 8, 2, 3))
    plan.tensor(32, 8, first, 2)
    assert word(plan.build()) == "tensor"


def test_a_tensor_must_not_be_written_twice() -> None:
    plan = two_relus((8, 8, 1, 2), (16, 8, 2, 3))
    plan.tensors[0] = (0, 8, 0, 2)
    plan.ops = [relu(0, 1), relu(0, 1)]
    assert word(plan.build()) == "tensor"


@pytest.mark.parametrize("x", [1, 2])
def test_an_operator_must_not_read_what_is_yet_to_be_written(x: int) -> None:
    plan = two_relus((8, 8, 1, 2), (16, 8, 2, 3))
    plan.ops[0] = relu(x, 1)
    assert word(plan.build()) == "tensor"


# Inputs and outputs


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("io 0.tensor", 9),
        ("io 0.tensor", 1),
        ("io 1.tensor", 0),
        ("io 0.type", 0),
        ("io 0.type", 7),
        ("io 0.type", 5),
        ("io 0.rank", 6),
        ("io 0.rank", 0),
        ("io 0.dims[0]", 7),
        ("io 0.dims[0]", 0),
        ("io 0.dims[0]", 0x80000008),
        ("io 0.dims[4]", 2),
        ("io 0.zero_point", 128),
        ("io 0.zero_point", -129),
        ("io 0.scale", 0x7F800000),
        ("io 0.scale", 0x7FC00000),
        ("io 0.scale", 0xBF800000),
    ],
)
def test_a_wrong_input_or_output_is_refused(label: str, value: int) -> None:
    assert changed_word("copy", label, value) == "io"


@pytest.mark.parametrize(
    ("kind", "smallest", "largest"),
    [("INT8", -128, 127), ("UINT8", 0, 255), ("INT16", -(1 << 15), (1 << 15) - 1)]
    + [(other, 0, 0) for other in ("FLOAT32", "BOOL")],
)
def test_a_zero_point_must_be_a_code_of_its_type(kind: str, smallest: int, largest: int) -> None:
    code = CONST[f"PLAN_TYPE_{kind}"]
    size = {"INT16": 2, "FLOAT32": 4}.get(kind, 1)
    said = {}
    for point in (smallest - 1, smallest, largest, largest + 1):
        plan = one_op("COPY", [8, 8], lambda _: {"bytes": 8})
        dims = [8 // size, 1, 1, 1, 1]
        plan.inputs[0] |= {"type": code, "dims": dims, "zero_point": point}
        said[point] = word(plan.build())
    accepted = {point for point, name in said.items() if name == "ok"}
    assert accepted == {smallest, largest}
    assert set(said.values()) == {"ok", "io"}


@pytest.mark.parametrize("point", [-(1 << 31), 0, (1 << 31) - 1])
def test_any_zero_point_is_a_code_of_int32(point: int) -> None:
    plan = one_op("COPY", [8, 8], lambda _: {"bytes": 8})
    plan.inputs[0] |= {
        "type": CONST["PLAN_TYPE_INT32"],
        "dims": [2, 1, 1, 1, 1],
        "zero_point": point,
    }
    assert word(plan.build()) == "ok"


def test_an_output_must_live_to_the_end() -> None:
    assert changed_word("copy", "tensor 1.last", 1) == "io"


def test_an_input_must_not_be_listed_twice() -> None:
    plan = add()
    plan.inputs[1] = plan.inputs[0]
    assert word(plan.build()) == "io"


def test_a_wide_type_must_be_aligned() -> None:
    plan = one_op("COPY", [8, 8], lambda _: {"bytes": 8}, offsets=[2, 10])
    assert word(plan.build()) == "ok"
    for io in (plan.inputs[0], plan.outputs[0]):
        io |= {"type": 4, "dims": [2, 1, 1, 1, 1]}
    assert word(plan.build()) == "io"


def test_an_arena_must_be_aligned_to_its_widest_type() -> None:
    plan = one_op("COPY", [8, 8], lambda _: {"bytes": 8})
    for io in (plan.inputs[0], plan.outputs[0]):
        io |= {"type": 4, "dims": [2, 1, 1, 1, 1]}
    assert word(plan.build()) == "ok"
    assert word(changed(plan.build(), "header.arena_align", 2)) == "io"
    wide = SPECIMENS["conv s16"]().build()
    assert word(changed(wide, "header.arena_align", 2)) == "ok"
    assert word(changed(wide, "header.arena_align", 1)) == "tensor"


def test_keeping_the_input_means_that_it_lives_to_the_end() -> None:
    plan = SPECIMENS["relu"]()
    plan.header = {"flags": 1}
    assert word(plan.build()) == "io"
    plan.tensors[0] = (0, 9, 0, 2)
    assert word(plan.build()) == "ok"


# States


@pytest.mark.parametrize(
    ("name", "label", "value"),
    [
        ("state filled", "state 0.tensor", 3),
        ("state filled", "state 0.tensor", 2),
        ("state filled", "state 0.reserved", 1),
        ("state filled", "state 0.data", 0),
        ("state from data", "state 0.fill", 1),
        ("state from data", "state 0.data", 1 << 20),
        ("state from data", "state 0.data", 0xFFFFFFFE),
        ("state filled", "tensor 1.last", 1),
    ],
)
def test_a_wrong_state_is_refused(name: str, label: str, value: int) -> None:
    assert changed_word(name, label, value) == "state"


def test_a_state_must_not_be_assigned_to_itself() -> None:
    plan = SPECIMENS["assign"]()
    plan.ops[0] = record("ASSIGN", x=1, state=1, x_bytes=8, start=0, bytes=8)
    assert word(plan.build()) == "alias"


def test_an_input_is_no_state() -> None:
    plan = state(7)
    plan.states[0]["tensor"] = 0
    plan.tensors[0] = (0, 4, 0, 2)
    assert word(plan.build()) == "io"


def test_a_state_must_not_be_listed_twice() -> None:
    plan = state(7)
    plan.states.append(plan.states[0])
    assert word(plan.build()) == "tensor"
    plan.tensor(16, 4, 0, 2)
    assert word(plan.build()) == "state"


@pytest.mark.parametrize("offset", [1, 4, 7])
def test_a_state_shares_no_bytes_with_an_input_or_a_later_tensor(offset: int) -> None:
    plan = state(7)
    plan.tensors[0] = (offset, 4, 0, 1)
    assert word(plan.build()) == "alias"
    plan = state(7)
    plan.tensors[2] = (offset, 4, 1, 2)
    assert word(plan.build()) == "alias"


# Records


@pytest.mark.parametrize("name", [n for n in SPECIMENS if n != "chain"])
def test_a_record_must_have_exactly_its_size(name: str) -> None:
    plan = SPECIMENS[name]().build()
    words = field_named(plan, "op 0.op.words")
    for other in (0, 1, words.get(plan) - 1, words.get(plan) + 1, 0xFFFF):
        assert word(words.set(plan, other)) == "record"


@pytest.mark.parametrize("kept", range(5))
def test_a_section_that_ends_before_its_operators_is_refused(kept: int) -> None:
    plan = chain()
    plan.header = {"n_ops": 5}
    del plan.ops[kept:]
    found = check(plan.build(), sanitizer="undefined")
    assert (found.name, found.index) == ("record", kept)


def test_operators_must_fill_their_section() -> None:
    plan = SPECIMENS["copy"]()
    plan.header = {"n_ops": 1, "kernels": [1 << CODES["COPY"], 0]}
    plan.ops.append(bytes(4))
    assert word(plan.build()) == "header"
    plan.ops = [plan.ops[0][:-4]]
    assert word(plan.build()) == "record"


@pytest.mark.parametrize("name", SPECIMENS)
def test_unknown_flags_are_refused(name: str) -> None:
    plan = SPECIMENS[name]().build()
    for bit in range(5, 8):
        assert word(changed(plan, "op 0.op.flags", 1 << bit)) == "record"


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("pad", OVERLAP),
        ("pad", PER_TENSOR),
        ("mean", PER_TENSOR),
        ("add", PER_TENSOR),
        ("relu", CONST_A),
        ("conv s8", CONST_B),
        ("conv s8", ACC_32),
        ("depthwise s16", ACC_32),
        ("mean s16", ACC_32),
        ("transpose conv s16", ACC_32),
        ("conv s16", CONST_A),
        ("assign", OVERLAP),
        ("svdf s8", OVERLAP),
    ],
)
def test_flags_that_mean_nothing_to_an_operator_are_refused(name: str, flag: int) -> None:
    assert changed_word(name, "op 0.op.flags", flag) == "record"


@pytest.mark.parametrize("name", [n for n in SPECIMENS if n != "chain"])
def test_tensors_of_a_record_must_exist(name: str) -> None:
    plan = SPECIMENS[name]().build()
    for field in fields_of(plan):
        unused = {"constant a": "op 0.a", "constant b": "op 0.b"}.get(name)
        if field.label in {"op 0.x", "op 0.y", "op 0.a", "op 0.b"} - {unused}:
            assert word(field.set(plan, 99)) == "record"
            assert word(field.set(plan, 0xFFFF)) == "record"


@pytest.mark.parametrize("name", ["fully connected s8", "add", "svdf wide"])
def test_reserved_fields_must_be_zero(name: str) -> None:
    assert changed_word(name, "op 0.reserved", 1) == "record"


@pytest.mark.parametrize(
    ("name", "label"),
    [("constant a", "a"), ("constant b", "b"), ("add", "constant"), ("constant b", "reserved")],
)
def test_what_a_record_of_two_operands_does_not_use_must_be_zero(name: str, label: str) -> None:
    assert changed_word(name, f"op 0.{label}", 1) == "record"


def test_at_most_one_operand_is_a_constant() -> None:
    assert changed_word("constant a", "op 0.op.flags", CONST_A | CONST_B) == "record"


@pytest.mark.parametrize("name", ["assign", "svdf s8", "svdf wide"])
def test_the_state_of_a_record_must_be_one(name: str) -> None:
    plan = SPECIMENS[name]().build()
    state = field_named(plan, "op 0.state")
    assert word(state.set(plan, 99)) == word(state.set(plan, 0xFFFF)) == "record"
    assert word(state.set(plan, field_named(plan, "op 0.x").get(plan))) in {"tensor", "shape"}


@pytest.mark.parametrize("size", [0, 3, 4, 0xFFFF])
def test_a_state_has_elements_of_one_or_two_bytes(size: int) -> None:
    assert changed_word("svdf s8", "op 0.state_size", size) == "record"
    assert changed_word("svdf s8", "op 0.state_size", 2) == "shape"


@pytest.mark.parametrize(("name", "expected"), [("svdf s8", "ok"), ("svdf wide", "tensor")])
def test_a_state_of_two_byte_elements_must_be_aligned(name: str, expected: str) -> None:
    plan = SPECIMENS[name]()
    offset, size, first, last = plan.tensors[1]
    plan.tensors[1] = (offset - 1, size, first, last)
    assert word(plan.build()) == expected


@pytest.mark.parametrize(("start", "said"), [(0, "ok"), (4, "shape"), (0xFFFFFFFF, "shape")])
def test_an_assignment_takes_only_bytes_of_its_input(start: int, said: str) -> None:
    assert changed_word("assign", "op 0.start", start) == said


# Shapes

GEOMETRY = {
    "conv s8": ["batches", "groups", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c"],
    "depthwise s4": ["batches", "multiplier", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c"],
    "fully connected s8": ["batches", "in_n", "out_n"],
    "average pool": ["batches", "channels", "in_h", "in_w", "out_h", "out_w"],
    "conv s16": ["batches", "groups", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c"],
    "depthwise s16": ["batches", "multiplier", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c"],
    "fully connected s16": ["batches", "in_n", "out_n"],
    "transpose conv s16": ["batches", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c"],
    "max pool s16": ["batches", "channels", "in_h", "in_w", "out_h", "out_w"],
    "mean s16": ["outer", "reduced", "inner"],
    "mean": ["outer", "reduced", "inner"],
    "add": ["dims[2]", "dims[3]", "a_strides[2]", "b_strides[3]"],
    "constant a": ["dims[2]", "b_strides[3]"],
    "constant b": ["dims[3]", "a_strides[2]"],
    "pad": ["dims[1]", "before[1]", "after[4]"],
    "softmax": ["rows", "depth"],
    "softmax to int16": ["rows", "depth"],
    "softmax s16": ["rows", "depth"],
    "logistic s16": ["count"],
    "tanh s16": ["count"],
    "lstm s8": ["batches", "steps", "in_n", "out_n"],
    "lstm s16": ["batches", "steps", "in_n", "out_n"],
    "relu": ["count"],
    "lut": ["count"],
    "strided copy": ["count", "dims[1]", "dims[4]"],
    "copy": ["bytes"],
    "assign": ["x_bytes", "bytes"],
    "svdf s8": ["batches", "in_n", "units", "rank", "memory"],
    "svdf wide": ["batches", "in_n", "units", "rank", "memory"],
}


@pytest.mark.parametrize(("name", "label"), [(n, f) for n, fs in GEOMETRY.items() for f in fs])
def test_sizes_must_be_those_of_the_tensors(name: str, label: str) -> None:
    plan = SPECIMENS[name]().build()
    field = field_named(plan, f"op 0.{label}")
    for value in (field.get(plan) + 1, (1 << 8 * field.size) - 1, 0):
        if value != field.get(plan):
            assert word(field.set(plan, value)) in {"shape", "data"}, (label, value)


@pytest.mark.parametrize("name", ["conv s8", "conv s4", "depthwise s8", "average pool"])
@pytest.mark.parametrize("label", ["kernel_h", "kernel_w", "stride_h", "stride_w"])
def test_a_window_without_extent_is_refused(name: str, label: str) -> None:
    assert changed_word(name, f"op 0.{label}", 0) == "shape"


@pytest.mark.parametrize("label", ["pad_top", "pad_left", "stride_h", "stride_w"])
def test_a_pool_without_a_tap_inside_is_refused(label: str) -> None:
    assert changed_word("average pool", f"op 0.{label}", 6) == "shape"


def test_a_convolution_may_lie_in_its_padding() -> None:
    assert changed_word("conv s8", "op 0.pad_top", 50) == "ok"


@pytest.mark.parametrize(
    "span", [{"out_h": 65535, "stride_h": 65535}, {"kernel_h": 65535, "dilation_h": 65535}]
)
def test_a_window_that_spans_more_than_any_input_is_refused(span: dict[str, int]) -> None:
    ones = {k: 1 for k in CONV if k not in {*POINTS, *RANGE, "pad_top", "pad_left"}}
    values = ones | span | POINTS | RANGE

    def arguments(plan: PlanBuilder) -> dict[str, Any]:
        weights = plan.put(bytes(values["kernel_h"]))
        return values | {
            "weights": weights,
            "channels": plan.put(channel_block([0], [1 << 30], [0])),
        }

    plan = one_op("CONV_2D_S8", [1, values["out_h"]], arguments).build()
    assert word(plan) == "shape"


def test_sums_that_could_overflow_are_refused() -> None:
    plan = SPECIMENS["average pool"]().build()
    plan = changed(changed(plan, "op 0.kernel_h", 4096), "op 0.kernel_w", 2048)
    assert word(plan) == "ok"
    assert word(changed(plan, "op 0.kernel_w", 2049)) == "shape"
    plan = SPECIMENS["average pool s16"]().build()
    plan = changed(changed(plan, "op 0.kernel_h", 256), "op 0.kernel_w", 128)
    assert word(plan) == "ok"
    assert word(changed(plan, "op 0.kernel_w", 129)) == "shape"


@pytest.mark.parametrize(("bits", "most"), [(8, 1 << 23), (16, 1 << 16)])
def test_a_mean_over_too_many_is_refused(bits: int, most: int) -> None:
    for reduced, expected in ((most, "ok"), (most + 1, "shape")):
        values: dict[str, Any] = {"outer": 1, "reduced": reduced, "inner": 1}
        values["rescale"] = {"multiplier": 1 << 30, "shift": -23}
        sizes = [reduced * bits // 8, bits // 8]
        mean = one_op(f"MEAN_S{bits}", sizes, lambda _, v=values: v)  # type: ignore[misc]
        assert word(mean.build()) == expected


def test_sizes_that_overflow_32_bits_are_refused() -> None:
    plan = SPECIMENS["mean"]().build()
    plan = changed(changed(plan, "op 0.outer", 0x40000000), "op 0.reduced", 8)
    assert word(changed(plan, "op 0.inner", 0xFFFFFFFF)) == "shape"


def softmax_s16(depth: int, table: int = 32767) -> PlanBuilder:
    """A row of `depth`; each number of both tables is `table`."""
    numbers = np.full(2 * 513, table, np.int16).tobytes()
    values = {"rows": 1, "depth": depth, "rescale": {"multiplier": 1 << 30, "shift": 15}}
    return one_op(
        "SOFTMAX_S16", [2 * depth, 2 * depth], lambda p: values | {"constant": p.put(numbers)}
    )


@pytest.mark.parametrize("table", [-32768, -1, 0, 1, 2, 32767])
@pytest.mark.parametrize("depth", [1, 2, 65535])
def test_no_table_makes_a_softmax_of_16_bits_overflow(table: int, depth: int) -> None:
    engine = Engine(softmax_s16(depth, table).build(), sanitize=True)
    x = np.resize(np.array([32767, -32768], np.int16), depth)
    found = engine.invoke([x.view(np.int8)])[0].view(np.int16)
    assert found.min() >= 0


def test_a_softmax_row_must_not_overflow_its_sum() -> None:
    def softmax(depth: int) -> bytes:
        values: dict[str, Any] = {"rows": 1, "depth": depth, "diff_min": -100}
        values["rescale"] = {"multiplier": 1 << 30, "shift": 20}
        return one_op("SOFTMAX_S8", [depth, depth], lambda _: values).build()

    assert word(softmax(4096)) == "shape"
    assert word(softmax_s16(65536).build()) == "shape"
    assert word(softmax_s16(65535).build()) == "ok"
    engine = Engine(softmax(4095), sanitize=True)
    assert engine.invoke([np.zeros(4095, np.int8)])[0].max() == -128


def strided(**changes: Any) -> str:
    values = {"count": 30, "start": 0, "dims": [1, 1, 1, 1, 12], "strides": [0, 0, 0, 0, 1]}
    return word(one_op("STRIDED_COPY_S8", [30, 12], lambda _: values | changes).build())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": 18}, "ok"),
        ({"start": 19}, "shape"),
        ({"start": 0xFFFFFFFF}, "shape"),
        ({"strides": [0, 0, 0, 0, 2]}, "ok"),
        ({"strides": [0, 0, 0, 0, 3]}, "shape"),
        ({"start": 11, "strides": [0, 0, 0, 0, -1]}, "ok"),
        ({"start": 10, "strides": [0, 0, 0, 0, -1]}, "shape"),
        ({"strides": [0x7FFFFFFF, 0, 0, -0x80000000, 1]}, "ok"),
        ({"dims": [3, 1, 4, 1, 1], "strides": [8, 0, 4, 0, 0]}, "ok"),
        ({"dims": [3, 1, 4, 1, 1], "strides": [9, 0, 4, 0, 0]}, "shape"),
        ({"dims": [3, 1, 4, 1, 1], "strides": [-4, 0, 4, 0, 0], "start": 8}, "ok"),
        ({"dims": [3, 1, 4, 1, 1], "strides": [-4, 0, 4, 0, 0], "start": 7}, "shape"),
        ({"dims": [3, 0, 4, 1, 1], "strides": [0, 0, 0, 0, 0]}, "shape"),
        ({"dims": [0xFFFFFFFF] * 5, "strides": [-0x80000000] * 5}, "shape"),
    ],
)
def test_a_strided_copy_must_stay_inside_its_input(changes: dict[str, Any], said: str) -> None:
    assert strided(**changes) == said


# Ranges

RANGES = {
    "conv s8": ["x_zero_point", "y_zero_point", "act_min", "act_max"],
    "depthwise s8": ["x_zero_point", "y_zero_point", "act_min", "act_max"],
    "fully connected s8": ["x_zero_point", "y_zero_point", "w_zero_point", "act_min", "act_max"],
    "max pool": ["act_min", "act_max"],
    "mean": ["x_zero_point", "y_zero_point"],
    "add": ["a_zero_point", "b_zero_point", "y_zero_point", "act_min", "act_max"],
    "mul": ["a_zero_point", "b_zero_point", "y_zero_point", "act_min", "act_max"],
    "constant b": ["a_zero_point", "b_zero_point", "y_zero_point"],
    "relu": ["x_zero_point", "y_zero_point", "act_min", "act_max"],
    "svdf s8": ["x_zero_point", "y_zero_point", "state_zero_point"],
    "svdf wide": ["x_zero_point", "y_zero_point"],
}


@pytest.mark.parametrize(("name", "label"), [(n, f) for n, fs in RANGES.items() for f in fs])
@pytest.mark.parametrize("value", [-129, 128, 0x7FFF])
def test_codes_outside_int8_are_refused(name: str, label: str, value: int) -> None:
    assert changed_word(name, f"op 0.{label}", value) == "range"


ZEROS = {
    "conv s16": ["x_zero_point", "y_zero_point"],
    "conv s16 narrow": ["x_zero_point", "y_zero_point"],
    "depthwise s16": ["x_zero_point", "y_zero_point"],
    "fully connected s16": ["x_zero_point", "y_zero_point", "w_zero_point"],
    "transpose conv s16": ["x_zero_point", "y_zero_point"],
    "mean s16": ["x_zero_point", "y_zero_point"],
}


@pytest.mark.parametrize(("name", "label"), [(n, f) for n, fs in ZEROS.items() for f in fs])
@pytest.mark.parametrize("value", [-1, 1, 0x7FFF])
def test_int16_codes_have_no_zero_point(name: str, label: str, value: int) -> None:
    assert changed_word(name, f"op 0.{label}", value) == "range"


@pytest.mark.parametrize("name", [n for n in SPECIMENS if "s16" in n])
@pytest.mark.parametrize("tensor", [0, 1])
def test_tensors_of_int16_must_be_aligned(name: str, tensor: int) -> None:
    plan = SPECIMENS[name]()
    plan.tensors = [(t[0] + 2 * i, *t[1:]) for i, t in enumerate(plan.tensors)]
    assert word(plan.build()) == "ok"
    offset, *rest = plan.tensors[tensor]
    plan.tensors[tensor] = (offset + 1, *rest)  # type: ignore[assignment]
    assert word(plan.build()) == "tensor"


@pytest.mark.parametrize(
    "name",
    [
        *("conv s8", "fully connected s4", "average pool", "relu"),
        *("conv s16", "depthwise s16", "fully connected s16", "max pool s16"),
    ],
)
def test_activation_bounds_must_be_in_order(name: str) -> None:
    plan = changed(SPECIMENS[name]().build(), "op 0.act_min", 5)
    assert word(changed(plan, "op 0.act_max", 4)) == "range"
    assert word(changed(plan, "op 0.act_max", 5)) == "ok"


@pytest.mark.parametrize("name", ["relu", "softmax", "add", "svdf s8"])
def test_multipliers_must_be_normalized(name: str) -> None:
    members = {"add": "y_rescale", "svdf s8": "state_rescale"}
    prefix = f"op 0.{members.get(name, 'rescale')}"
    for value in (-1, 1, (1 << 30) - 1, 1 << 31):
        assert changed_word(name, f"{prefix}.multiplier", value) == "range"
    for value in (0, 1 << 30, (1 << 31) - 1):
        assert changed_word(name, f"{prefix}.multiplier", value) == "ok"


def test_a_mean_may_have_any_multiplier_that_is_not_negative() -> None:
    assert changed_word("mean", "op 0.rescale.multiplier", 1) == "ok"
    assert changed_word("mean", "op 0.rescale.multiplier", -1) == "range"


@pytest.mark.parametrize("name", ["relu", "mean", "softmax"])
def test_shifts_must_be_in_range(name: str) -> None:
    most = 31 if name == "softmax" else 30
    least = 0 if name == "softmax" else -31
    for value in (least - 1, most + 1, 1 << 31, (1 << 31) - 1):
        assert changed_word(name, "op 0.rescale.shift", value) == "range"
    for value in (least, most):
        assert changed_word(name, "op 0.rescale.shift", value) == "ok"


GATE_RESCALES = [f"{side}_rescale[{gate}]" for side in "xy" for gate in range(4)]
CELL_RESCALES = ["forget_rescale", "input_rescale", "output_rescale"]


@pytest.mark.parametrize("rescale", GATE_RESCALES + CELL_RESCALES)
def test_rescales_of_an_lstm_must_be_in_range(rescale: str) -> None:
    for value in (-1, 1, (1 << 30) - 1, 1 << 31):
        assert changed_word("lstm s8", f"op 0.{rescale}.multiplier", value) == "range"
    for value in (-32, 31, 1 << 31):
        assert changed_word("lstm s8", f"op 0.{rescale}.shift", value) == "range"
    for value in (-31, 30):
        assert changed_word("lstm s8", f"op 0.{rescale}.shift", value) == "ok"


@pytest.mark.parametrize("rescale", GATE_RESCALES)
def test_gates_of_16_bit_activations_are_rescaled_by_15_bits(rescale: str) -> None:
    for value, expected in ((0, "ok"), (1, "ok"), (32767, "ok"), (32768, "range"), (-1, "range")):
        assert changed_word("lstm s16", f"op 0.{rescale}.multiplier", value) == expected
    for value, expected in ((-31, "ok"), (14, "ok"), (-32, "range"), (15, "range")):
        assert changed_word("lstm s16", f"op 0.{rescale}.shift", value) == expected


@pytest.mark.parametrize(
    ("name", "label", "value", "expected"),
    [
        ("lstm s8", "reserved", 1, "record"),
        ("lstm s8", "time_major", 2, "record"),
        ("lstm s8", "time_major", 1, "ok"),
        ("lstm s8", "x_zero_point", 128, "range"),
        ("lstm s8", "y_zero_point", -129, "range"),
        ("lstm s16", "x_zero_point", 1, "range"),
        ("lstm s16", "y_zero_point", -1, "range"),
        ("lstm s8", "cell_max", -30000, "ok"),
        ("lstm s8", "cell_max", -30001, "range"),
        ("lstm s8", "tanh_multiplier", 32768, "range"),
        ("lstm s8", "tanh_shift", 32, "range"),
        ("lstm s8", "x", 1, "shape"),
        ("lstm s8", "hidden", 0, "shape"),
        ("lstm s8", "cell", 2, "shape"),
        ("lstm s16", "hidden", 3, "alias"),
        ("lstm s16", "cell", 1, "shape"),
    ],
)
def test_records_of_an_lstm(name: str, label: str, value: int, expected: str) -> None:
    assert changed_word(name, f"op 0.{label}", value) == expected


@pytest.mark.parametrize("name", ["lstm s8", "lstm s16"])
@pytest.mark.parametrize("label", ["weights", "channels", "constant"])
def test_the_data_of_an_lstm_lies_in_the_data_section(name: str, label: str) -> None:
    plan = SPECIMENS[name]().build()
    field = field_named(plan, f"op 0.{label}")
    end = field_named(plan, "header.data_bytes").get(plan)
    for offset in (end, field.get(plan) + 2, (1 << 32) - 4):
        assert word(field.set(plan, offset)) == "data"
    last = field_named(plan, "op 0.constant").get(plan)
    assert word(changed(plan, "op 0.constant", last + 4)) == "data"


@pytest.mark.parametrize("name", ["logistic s16", "tanh s16"])
@pytest.mark.parametrize(
    ("multiplier", "shift", "expected"),
    [
        (65535, 0, "ok"),
        (32767, 31, "ok"),
        (32767, 1, "ok"),
        (32768, 1, "range"),
        (65535, 31, "range"),
        (1, 32, "range"),
    ],
)
def test_the_argument_of_a_sigmoid_must_not_overflow(
    name: str, multiplier: int, shift: int, expected: str
) -> None:
    plan = changed(SPECIMENS[name]().build(), "op 0.multiplier", multiplier)
    plan = changed(plan, "op 0.shift", shift)
    assert word(plan) == expected
    if expected == "ok":
        x = np.array([-(1 << 15), (1 << 15) - 1, 0, 1, -1, 2, 3, 4, 5], np.int16)
        Engine(plan, sanitize=True).invoke([x.view(np.int8)])


@pytest.mark.parametrize("name", ["logistic s16", "tanh s16", "softmax s16"])
def test_a_table_lies_in_the_data_section(name: str) -> None:
    for offset in (2, 4, 1 << 31):
        assert changed_word(name, "op 0.constant", offset) == "data"


@pytest.mark.parametrize("offset", [1, 3])
@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("logistic s16", 0),
        ("tanh s16", 0),
        ("softmax s16", 0),
        ("lstm s16", 0),
    ],
)
def test_16_bit_activations_must_be_aligned(name: str, tensor: int, offset: int) -> None:
    plan = SPECIMENS[name]()
    end = max(place + size for place, size, _, _ in plan.tensors)
    _, size, first, last = plan.tensors[tensor]
    plan.tensors[tensor] = (end + end % 2 + offset, size, first, last)
    assert word(plan.build()) == "tensor"


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        ("rescale.shift", 15, "ok"),
        ("rescale.shift", 16, "range"),
        ("rescale.shift", -31, "ok"),
        ("rescale.shift", -32, "range"),
        ("rescale.multiplier", 0, "ok"),
        ("rescale.multiplier", (1 << 30) - 1, "range"),
        ("diff_min", -1, "range"),
    ],
)
def test_ranges_of_a_softmax_of_16_bits(label: str, value: int, expected: str) -> None:
    assert changed_word("softmax s16", f"op 0.{label}", value) == expected


@pytest.mark.parametrize("name", ["softmax", "softmax to int16"])
def test_a_softmax_of_int8_has_no_table(name: str) -> None:
    assert changed_word(name, "op 0.constant", 4) == "record"


def test_an_addition_must_not_shift_its_inputs_out() -> None:
    assert changed_word("add", "op 0.left_shift", 22) == "ok"
    assert changed_word("add", "op 0.left_shift", 23) == "range"


def test_a_softmax_must_count_its_largest_element() -> None:
    assert changed_word("softmax", "op 0.diff_min", 0) == "ok"
    assert changed_word("softmax", "op 0.diff_min", 1) == "range"


@pytest.mark.parametrize("channel", [0, 3])
@pytest.mark.parametrize(("part", "value"), [(4, 1), (4, -1), (8, 31), (8, -32)])
def test_the_channel_block_is_checked(channel: int, part: int, value: int) -> None:
    change_channels(conv_2d(s4=False), part, value, channel)


@pytest.mark.parametrize("channel", [0, 3])
@pytest.mark.parametrize(("part", "value"), [(4, 1), (4, -1), (8, 31), (8, -32)])
def test_the_channel_block_of_narrow_int16_layers_is_that_of_int8(
    channel: int, part: int, value: int
) -> None:
    change_channels(conv_2d_16(narrow=True), part, value, channel)


@pytest.mark.parametrize("channel", [0, 3])
@pytest.mark.parametrize(
    ("start", "size", "value", "said"),
    [
        (32, 2, -1, "range"),
        (32, 2, -(1 << 15), "range"),
        (32, 2, 0, "ok"),
        (32, 2, (1 << 15) - 1, "ok"),
        (40, 1, 15, "range"),
        (40, 1, -32, "range"),
        (40, 1, 14, "ok"),
        (40, 1, -31, "ok"),
    ],
)
def test_the_channel_block_of_64_bits_is_checked(
    *, channel: int, start: int, size: int, value: int, said: str
) -> None:
    plan = conv_2d_16(narrow=False)
    channels = field_named(plan.build(), "op 0.channels").get(plan.build())
    at = channels + start + channel * size
    data = value.to_bytes(size, "little", signed=True)
    plan.data = plan.data[:at] + data + plan.data[at + size :]
    assert word(plan.build()) == said


def change_channels(plan: PlanBuilder, part: int, value: int, channel: int) -> None:
    """Expect a refusal of a number of a channel block with 4 channels of 32 bits."""
    channels = field_named(plan.build(), "op 0.channels").get(plan.build())
    size = 4 if part == 4 else 1
    at = channels + part * 4 + channel * size
    data = value.to_bytes(size, "little", signed=True)
    plan.data = plan.data[:at] + data + plan.data[at + size :]
    assert word(plan.build()) == "range"


# Data


@pytest.mark.parametrize(
    "name",
    [
        *("conv s8", "conv s4", "depthwise s8", "fully connected s4", "svdf s8"),
        *("conv s16", "conv s16 narrow", "depthwise s16", "fully connected s16"),
        "transpose conv s16",
    ],
)
@pytest.mark.parametrize("label", ["op 0.weights", "op 0.channels"])
def test_constants_must_lie_aligned_in_the_data_section(name: str, label: str) -> None:
    plan = SPECIMENS[name]().build()
    field = field_named(plan, label)
    end = field_named(plan, "header.data_bytes").get(plan)
    for value in (end, field.get(plan) + 1, field.get(plan) + 2, 0xFFFFFFFC, 1 << 31):
        assert word(field.set(plan, value)) == "data"


@pytest.mark.parametrize("name", ["constant a", "constant b", "lut"])
def test_a_constant_operand_must_lie_aligned_in_the_data_section(name: str) -> None:
    plan = SPECIMENS[name]().build()
    field = field_named(plan, "op 0.constant")
    end = field_named(plan, "header.data_bytes").get(plan)
    for value in (end, field.get(plan) + 1, field.get(plan) + 4, 0xFFFFFFFC, 1 << 31):
        assert word(field.set(plan, value)) == "data"


def test_the_weights_of_a_memory_must_lie_aligned_in_the_data_section() -> None:
    plan = SPECIMENS["svdf wide"]().build()
    field = field_named(plan, "op 0.constant")
    end = field_named(plan, "header.data_bytes").get(plan)
    for value in (end, end - 20, field.get(plan) + 1, field.get(plan) + 2, 0xFFFFFFFC):
        assert word(field.set(plan, value)) == "data"


def test_the_strides_of_a_constant_operand_must_stay_inside_the_data_section() -> None:
    assert changed_word("constant a", "op 0.a_strides[2]", 3) == "ok"
    assert changed_word("constant a", "op 0.a_strides[2]", 5) == "data"
    assert changed_word("constant b", "op 0.b_strides[3]", 0xFFFFFFFF) == "data"


@pytest.mark.parametrize("name", ["fully connected s8", "fully connected s16"])
@pytest.mark.parametrize("missing", [1, 4, 16])
def test_a_channel_block_must_be_whole(name: str, missing: int) -> None:
    plan = SPECIMENS[name]().build()
    size = field_named(plan, "header.data_bytes")
    shorter = size.get(plan) - missing
    start = field_named(plan, "header.data").get(plan) + shorter
    blank = plan[:start] + bytes(missing) + plan[start + missing :]
    cut = size.set(blank, shorter)
    tail = -(-start // 16) * 16
    assert word(changed(cut[:tail], "header.length", tail)) == "data"


def test_the_last_byte_of_an_odd_int4_row_counts() -> None:
    values = {"batches": 1, "in_n": 7, "out_n": 3, **POINTS, **RANGE}

    def plan_with(weight_bytes: int) -> bytes:
        def arguments(plan: PlanBuilder) -> dict[str, Any]:
            block = plan.put(channel_block([0] * 3, [1 << 30] * 3, [0] * 3))
            return values | {"channels": block, "weights": plan.put(bytes(weight_bytes))}

        return one_op("FULLY_CONNECTED_S4", [7, 3], arguments).build()

    assert word(plan_with(12)) == "ok"
    assert word(plan_with(11)) == "data"


# Aliases


def test_tensors_may_share_bytes_at_different_times() -> None:
    assert word(two_relus((8, 8, 1, 2), (0, 8, 2, 3), flags=0).build()) == "ok"


def test_an_operator_in_place_needs_its_flag() -> None:
    assert word(two_relus((0, 8, 1, 2), (0, 8, 2, 3)).build()) == "ok"
    assert word(two_relus((0, 8, 1, 2), (0, 8, 2, 3), flags=0).build()) == "alias"


def test_an_output_may_trail_but_not_lead_its_input() -> None:
    plan = two_relus((0, 8, 1, 2), (0, 8, 2, 3))
    plan.tensors[0] = (1, 8, 0, 1)
    assert word(plan.build()) == "ok"
    plan.tensors[0], plan.tensors[1] = (0, 8, 0, 1), (1, 8, 1, 2)
    assert word(plan.build()) == "alias"


def test_an_input_that_is_needed_later_must_not_be_overwritten() -> None:
    plan = two_relus((0, 8, 1, 2), (8, 8, 2, 3))
    plan.tensors[0] = (0, 8, 0, 2)
    assert word(plan.build()) == "alias"


def test_a_kept_input_must_not_be_overwritten() -> None:
    plan = two_relus((0, 8, 1, 2), (8, 8, 2, 3))
    plan.tensors[0] = (0, 8, 0, 3)
    plan.header = {"flags": 1}
    assert word(plan.build()) == "alias"


def test_an_output_must_not_share_bytes_with_the_second_input() -> None:
    plan = add()
    plan.tensors = [(12, 12, 0, 1), (0, 4, 0, 1), (0, 12, 1, 2)]
    plan.ops[0] = bytes([plan.ops[0][0], OVERLAP]) + plan.ops[0][2:]
    assert word(plan.build()) == "alias"


def test_inputs_must_not_share_bytes() -> None:
    plan = add()
    plan.tensors[1] = (11, 4, 0, 1)
    assert word(plan.build()) == "alias"


def test_a_bystander_must_not_be_overwritten() -> None:
    plan = two_relus((8, 8, 1, 3), (8, 8, 2, 3))
    plan.outputs.append(plan.io(1))
    assert word(plan.build()) == "alias"


# All of it


def test_every_status_has_a_name_of_its_own() -> None:
    ffi, library = open_infer("undefined")
    names = {ffi.string(library.infer_status_name(i)) for i in range(library.INFER_STATUS_COUNT)}
    assert len(names) == library.INFER_STATUS_COUNT
    assert ffi.string(library.infer_status_name(library.INFER_STATUS_COUNT)) == b"unknown"


@pytest.mark.parametrize("part", range(4))
def test_no_damage_to_any_number_is_harmful_under_address_sanitizer(part: int) -> None:
    asan = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert Path(asan).is_absolute(), "gcc has no AddressSanitizer (apt install libgcc-12-dev)"
    environment = os.environ | {
        "LD_PRELOAD": asan,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'host'}",
    }
    run = subprocess.run(
        [sys.executable, "-m", "infer.hammer", "address", "200", *list(SPECIMENS)[part::4]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    said = dict(pair.split("=") for pair in run.stdout.split())
    assert int(said["ok"]) > 500 and int(said["shape"]) > 500, "both outcomes were exercised"


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(SPECIMENS)),
    changes=st.lists(
        st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=6
    ),
    seed=st.integers(0, 100),
)
def test_a_plan_with_random_bytes_is_refused_or_harmless(
    name: str, changes: list[tuple[int, int]], seed: int
) -> None:
    plan = bytearray(SPECIMENS[name]().build())
    for place, value in changes:
        plan[place % len(plan)] = value
    judge(bytes(plan), "undefined", seed)


@settings(deadline=None)
@given(noise=st.binary(max_size=600))
def test_noise_is_no_plan(noise: bytes) -> None:
    assert word(noise) in {"length", "magic"}


# Types


@pytest.mark.parametrize(
    ("name", "label", "value", "said"),
    [
        ("quantize", "count", 0, "shape"),
        ("quantize", "count", 6, "shape"),
        ("quantize", "count", 0x40000005, "shape"),
        ("quantize", "y_type", CONST["PLAN_TYPE_UINT8"], "record"),
        ("quantize", "y_type", CONST["PLAN_TYPE_INT32"], "record"),
        ("quantize", "y_type", 99, "record"),
        ("quantize", "y_type", CONST["PLAN_TYPE_INT16"], "shape"),
        ("quantize", "scale", 0, "range"),
        ("quantize", "scale", 0x7F800000, "range"),
        ("quantize", "scale", 0x7FC00000, "range"),
        ("quantize", "scale", 0xBF800000, "range"),
        ("quantize", "scale", 1, "ok"),
        ("quantize", "scale", 0x7F7FFFFF, "ok"),
        ("dequantize", "count", 0, "shape"),
        ("dequantize", "count", 7, "shape"),
        ("dequantize", "x_type", CONST["PLAN_TYPE_FLOAT32"], "record"),
        ("dequantize", "x_type", CONST["PLAN_TYPE_BOOL"], "record"),
        ("dequantize", "x_type", CONST["PLAN_TYPE_INT16"], "shape"),
        ("dequantize", "x_type", CONST["PLAN_TYPE_UINT8"], "ok"),
        ("dequantize", "scale", 0, "range"),
        ("dequantize", "scale", 0x7F800000, "range"),
        ("requantize", "count", 0, "shape"),
        ("requantize", "count", 5, "shape"),
        ("requantize", "x_type", CONST["PLAN_TYPE_FLOAT32"], "record"),
        ("requantize", "y_type", CONST["PLAN_TYPE_BOOL"], "record"),
        ("requantize", "y_type", 0, "record"),
        ("requantize", "y_type", CONST["PLAN_TYPE_INT16"], "shape"),
        ("requantize", "reserved", 1, "record"),
        ("requantize", "rescale.shift", 31, "range"),
        ("requantize", "rescale.multiplier", 5, "range"),
        ("requantize", "x_zero_point", 0x80000000, "ok"),
        ("requantize", "y_zero_point", 0x7FFFFFFF, "ok"),
        ("leaky relu", "count", 0, "shape"),
        ("leaky relu", "count", 5, "shape"),
        ("leaky relu", "reserved", 1, "record"),
        ("leaky relu", "sign_before", 0, "range"),
        ("leaky relu", "sign_after", 2, "range"),
        ("leaky relu", "act_min", 32001, "range"),
        ("leaky relu", "above.shift", -32, "range"),
        ("leaky relu", "below.multiplier", 1, "range"),
        ("add s16", "left_shift", 16, "range"),
        ("add s16", "left_shift", 15, "ok"),
        ("add s16", "act_min", 0x7FFF, "ok"),
        ("mul s16", "a_zero_point", -32768, "ok"),
        ("add s16", "dims[3]", 5, "shape"),
    ],
)
def test_what_types_of_elements_ask_for(name: str, label: str, value: int, said: str) -> None:
    assert changed_word(name, f"op 0.{label}", value) == said


@pytest.mark.parametrize("value", [0, 0x7FFFFFFF, 0x80000000, 0x01020304])
def test_a_padding_may_have_any_four_bytes(value: int) -> None:
    assert changed_word("pad", "op 0.value", value) == "ok"


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("add s16", 0),
        ("add s16", 1),
        ("add s16", 2),
        ("leaky relu", 0),
        ("leaky relu", 1),
        ("quantize", 0),
        ("dequantize", 1),
        ("requantize", 0),
        ("requantize", 1),
    ],
)
def test_elements_of_several_bytes_must_be_aligned(name: str, tensor: int) -> None:
    specimen = SPECIMENS[name]()
    specimen.tensors = [
        (at + 64 * i + (1 if i == tensor else 0), size, first, last)
        for i, (at, size, first, last) in enumerate(specimen.tensors)
    ]
    refused = word(specimen.build())
    specimen.tensors = [
        (at + (3 if i == tensor else 0), size, first, last)
        for i, (at, size, first, last) in enumerate(specimen.tensors)
    ]
    assert (refused, word(specimen.build())) == ("tensor", "ok")


@pytest.mark.parametrize("name", ["quantize", "dequantize", "requantize"])
def test_elements_of_two_types_share_bytes_only_where_one_is_a_byte(name: str) -> None:
    def verdict(x: int, y: int) -> str:
        specimen = SPECIMENS[name]()
        (_, x_size, *_), (_, y_size, *_) = specimen.tensors
        specimen.tensors = [(x, x_size, 0, 1), (y, y_size, 1, 2)]
        plan = specimen.build()
        return word(changed(plan, "op 0.op.flags", OVERLAP))

    assert verdict(0, 64) == "ok"
    in_place = {"quantize": verdict(0, 0), "dequantize": verdict(21, 0)}
    assert in_place.get(name, verdict(0, 0)) == ("alias" if name == "requantize" else "ok")
    if name == "dequantize":
        assert verdict(20, 0) == "alias"
