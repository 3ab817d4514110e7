# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""infer_check() of firmware/infer/tflm: what it refuses, and that it reads nothing outside."""

import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.lstm import Lstm
from tests.support.plans import changed
from tests.support.small_models import small_cnn
from tests.support.tflm_plans import (
    KEEP_INPUT,
    SOURCES,
    STATE,
    Container,
    Verdict,
    code,
    flat,
    open_check,
    tree,
    verdict,
    with_variables,
)
from torpor.engine.library import INFER, SANITIZERS, compiler
from torpor.model import load_model
from torpor.model.reference import QUANTIZED, reference_models
from torpor.paths import FIRMWARE, ROOT
from torpor.plan.layout import CONST
from torpor.plan.tflm import REGISTRATIONS

OK = Verdict("ok", -1)
HEADER = Verdict("header", -1)
MODEL_H = (INFER / "tflm" / "model.h").read_text(encoding="utf-8")
PARTS = {n.lower(): int(i) for n, i in re.findall(r"TFLM_PART_(\w+) = (\d+),", MODEL_H)}
CNN = small_cnn()
CONV, DEPTHWISE, RESHAPE = 0, 1, 4  # numbers of operators of CNN
IF, WHILE, CALL_ONCE, SVDF = 118, 119, 129, 27


def part(name: str) -> Verdict:
    return Verdict("model", PARTS[name])


def judged(model: Any, **header: Any) -> Verdict:
    """The verdict on objects of the schema, in the container of CNN."""
    container = Container.of(CNN, **header)
    container.model = flat(model)
    return verdict(container.build())


def after(change: Callable[[Any], object]) -> Verdict:
    """The verdict on CNN after a change to its objects."""
    model = tree(CNN)
    change(model)
    return judged(model)


SOUND: dict[str, Callable[[], bytes]] = {
    "int8": small_cnn,
    "int4": lambda: small_cnn(weight="int4"),
    "float": (ROOT / "models/motion/motion.tflite").read_bytes,
    "lstm": lambda: Lstm().build(),
    "variables": with_variables,
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_model_is_accepted(name: str) -> None:
    assert verdict(Container.of(SOUND[name]()).build()) == OK


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_public_model_is_accepted(name: str) -> None:
    (path,) = reference_models([name])
    assert verdict(Container.of(path.read_bytes()).build()) == OK


def test_a_public_model_with_variables_is_accepted() -> None:
    model = load_model("alexa").quantized_file().read_bytes()
    assert verdict(Container.of(model).build()) == OK


@pytest.mark.parametrize("flags", [0, KEEP_INPUT, STATE, KEEP_INPUT | STATE])
def test_inputs_may_be_kept_and_states_may_be_there(flags: int) -> None:
    assert verdict(Container.of(CNN, flags=flags).build()) == OK


# The container


@pytest.mark.parametrize(
    "wrong",
    [
        {"flags": 4},
        {"arena_align": 8},
        {"arena_bytes": 1 << 30},
        {"arena_bytes": CONST["PLAN_TFLM_BYTES"] - 1},
        {"arena_bytes": CONST["PLAN_TFLM_BYTES"] + 9 * 7 * 3, "flags": KEEP_INPUT},
        {"arena_bytes": 100},
    ],
    ids=str,
)
def test_a_header_that_does_not_fit_is_refused(wrong: dict[str, int]) -> None:
    found = verdict(Container.of(CNN, **wrong).build())
    assert found.status == ("tensor" if wrong.get("arena_bytes") == 100 else "header")


def test_an_arena_of_just_interpreter_and_kept_inputs_is_accepted() -> None:
    arena = CONST["PLAN_TFLM_BYTES"] + 192
    assert verdict(Container.of(CNN, flags=KEEP_INPUT, arena_bytes=arena).build()) == OK
    assert verdict(Container.of(CNN, flags=KEEP_INPUT, arena_bytes=arena - 1).build()) == HEADER


def test_there_are_no_operator_records_states_or_other_tensors() -> None:
    plan = Container.of(CNN)
    plan.header, plan.tensors = {"n_ops": 1}, {0: {"last": 2}, 1: {"last": 2}}
    assert verdict(plan.build()) == HEADER
    plan.tensors = {}
    for section in ("ops", "states"):
        plan.sections = {section: bytes(8)}
        plan.header = {"n_states": 1 if section == "states" else 0}
        assert verdict(plan.build()) == HEADER
    plan = Container.of(CNN)
    plan.ends.append(plan.ends[0])
    plan.header = {"n_outputs": 1}
    assert verdict(plan.build()) == HEADER


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("wrong", [{"offset": 16}, {"first": 1}])
def test_each_input_and_output_has_a_plain_tensor(end: int, wrong: dict[str, int]) -> None:
    plan = Container.of(CNN)
    plan.tensors[end] = wrong
    assert verdict(plan.build()) == Verdict("tensor", end)


def test_an_input_lives_to_the_end() -> None:
    plan = Container.of(CNN)
    plan.tensors[0] = {"last": 0}
    assert verdict(plan.build()) == Verdict("tensor", 0)


def test_each_input_and_output_has_the_tensor_of_its_number() -> None:
    model = tree(CNN)
    model.subgraphs[0].outputs = [model.subgraphs[0].outputs[0]] * 2
    plan = Container.of(flat(model))
    assert verdict(plan.build()) == OK
    plan.io[2] = {"tensor": 1}
    assert verdict(plan.build()) == Verdict("io", 2)


def test_what_is_wrong_with_any_plan_is_wrong_with_this_one() -> None:
    plan = Container.of(CNN).build()
    assert verdict(changed(plan, "header.magic", 1)) == Verdict("magic", -1)
    assert verdict(changed(plan, "header.version", 1)) == Verdict("version", -1)
    assert verdict(plan, length=len(plan) - 1) == Verdict("length", -1)
    assert verdict(changed(plan, "io 1.name", 99)) == Verdict("string", 1)


@pytest.mark.parametrize("target", [0, 1, 2, 4, 255])
def test_plans_of_other_engines_are_refused(target: int) -> None:
    assert verdict(Container.of(CNN, target=target).build()) == Verdict("target", -1)


@pytest.mark.parametrize("bit", [0, 1, 31, 32, 64, 127])
def test_an_operator_that_is_not_registered_is_refused(bit: int) -> None:
    words = [1 << bit >> shift & 0xFFFFFFFF for shift in range(0, 128, 32)]
    plan = Container.of(CNN, kernels=words).build()
    assert verdict(plan) == OK
    assert verdict(plan, bits=1 << 1) == (OK if bit == 1 else Verdict("kernel", -1))


# The file and its root


@pytest.mark.parametrize("length", range(0, 12, 4))
def test_a_file_too_short_for_a_flatbuffer_is_refused(length: int) -> None:
    plan = Container.of(CNN)
    plan.model = CNN[:length]
    assert verdict(plan.build()) == part("file" if length < 8 else "model")


def test_another_kind_of_file_is_refused() -> None:
    plan = Container.of(CNN)
    plan.model = CNN[:4] + b"TFL2" + CNN[8:]
    assert verdict(plan.build()) == part("file")


@pytest.mark.parametrize("version", [0, 1, 2, 4, 1 << 31])
def test_another_version_of_the_schema_is_refused(version: int) -> None:
    assert after(lambda m: setattr(m, "version", version)) == Verdict("version", -1)


@pytest.mark.parametrize("root", [2, 5, 0x7FFFFFFC, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF])
def test_a_root_that_is_no_table_is_refused(root: int) -> None:
    plan = Container.of(CNN)
    plan.model = struct.pack("<I", root) + CNN[4:]
    assert verdict(plan.build()) == part("model")


@pytest.mark.parametrize("field", ["subgraphs", "buffers"])
def test_a_model_has_subgraphs_and_buffers(field: str) -> None:
    assert after(lambda m: setattr(m, field, None)) == part("model")


def test_a_model_without_operator_codes_has_no_operators() -> None:
    assert after(lambda m: setattr(m, "operatorCodes", None)) == part("operator")


def field_at(model: bytes, table: int, number: int) -> int:
    """Where a field of a table lies, read here once more."""
    vtable = table - struct.unpack_from("<i", model, table)[0]
    offset = int(struct.unpack_from("<H", model, vtable + 4 + 2 * number)[0])
    assert offset
    return table + offset


def vector_at(model: bytes, table: int, number: int) -> int:
    """Where the vector of a field lies."""
    at = field_at(model, table, number)
    return at + int(struct.unpack_from("<I", model, at)[0])


def element_at(model: bytes, vector: int, index: int) -> int:
    """Where a table of a vector lies."""
    at = vector + 4 + 4 * index
    return at + int(struct.unpack_from("<I", model, at)[0])


def patched(model: bytes, at: int, value: int, size: int = 4) -> Verdict:
    """The verdict on CNN's container with other bytes in the flatbuffer."""
    plan = Container.of(CNN)
    plan.model = model[:at] + value.to_bytes(size, "little") + model[at + size :]
    return verdict(plan.build())


ROOT_TABLE = struct.unpack_from("<I", CNN)[0]
GRAPH = element_at(CNN, vector_at(CNN, ROOT_TABLE, 2), 0)
TABLES = {
    "code": element_at(CNN, vector_at(CNN, ROOT_TABLE, 1), 0),
    "buffer": element_at(CNN, vector_at(CNN, ROOT_TABLE, 4), 1),
    "subgraph": GRAPH,
    "tensor": element_at(CNN, vector_at(CNN, GRAPH, 0), 0),
    "operator": element_at(CNN, vector_at(CNN, GRAPH, 3), 0),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_whose_vtable_lies_outside_is_refused(name: str) -> None:
    for value in (0x80000000, 0x7FFFFFFF, 0xFFFF0000, 1, len(CNN)):
        assert patched(CNN, TABLES[name], value) == part(name), hex(value)


@pytest.mark.parametrize("name", TABLES)
def test_a_vtable_of_an_impossible_size_is_refused(name: str) -> None:
    table = TABLES[name]
    vtable = table - struct.unpack_from("<i", CNN, table)[0]
    assert patched(CNN, vtable, 0xFFFE, 2).status == "model"
    assert patched(CNN, vtable, 7, 2).status == "model"
    assert patched(CNN, vtable + 2, 0xFFFF, 2).status == "model"
    assert patched(CNN, vtable + 2, 4, 2).status == "model"


@pytest.mark.parametrize("value", [0xFFFFFFFF, 0x7FFFFFFC, 1, len(CNN)])
def test_a_vector_outside_the_file_is_refused(value: int) -> None:
    tensors = field_at(CNN, GRAPH, 0)
    assert patched(CNN, tensors, value) == part("subgraph")
    data = field_at(CNN, TABLES["buffer"], 0)
    assert patched(CNN, data, value) == part("buffer")


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x40000000, 1 << 20])
def test_a_vector_longer_than_the_file_is_refused(size: int) -> None:
    assert patched(CNN, vector_at(CNN, TABLES["buffer"], 0), size) == part("buffer")
    assert patched(CNN, vector_at(CNN, GRAPH, 1), size) == part("subgraph")


def test_a_field_behind_its_table_or_misaligned_is_refused() -> None:
    table = TABLES["tensor"]
    vtable = table - struct.unpack_from("<i", CNN, table)[0]
    assert patched(CNN, vtable + 4, 0xFFFC, 2) == part("tensor")
    assert patched(CNN, vtable + 4, 7, 2) == part("tensor")


def test_a_text_must_end() -> None:
    model = tree(CNN)
    model.operatorCodes[0].customCode = "custom"
    data = flat(model)
    assert judged(model) == OK
    assert patched(data, data.index(b"custom\0") + 6, ord("x"), 1) == part("code")


# Buffers


@pytest.mark.parametrize("field", ["offset", "size"])
def test_bytes_elsewhere_in_the_file_are_refused(field: str) -> None:
    assert after(lambda m: setattr(m.buffers[1], field, 1 << 40)) == part("buffer")
    assert after(lambda m: setattr(m.buffers[1], field, 1)) == part("buffer")


# Subgraphs


@pytest.mark.parametrize("field", ["tensors", "inputs", "outputs"])
def test_a_subgraph_has_tensors_inputs_and_outputs(field: str) -> None:
    assert after(lambda m: setattr(m.subgraphs[0], field, None)) == part("subgraph")


@pytest.mark.parametrize("number", [-1, 99, 1 << 30])
@pytest.mark.parametrize("field", ["inputs", "outputs"])
def test_inputs_and_outputs_are_tensors(field: str, number: int) -> None:
    assert after(lambda m: setattr(m.subgraphs[0], field, [number])) == part("subgraph")


def test_a_constant_is_no_input() -> None:
    assert after(lambda m: setattr(m.subgraphs[0], "inputs", [1])) == part("subgraph")


def test_operators_may_be_missing() -> None:
    assert after(lambda m: setattr(m.subgraphs[0], "operators", None)) == OK


# Tensors


def test_a_shape_has_as_many_dimensions_as_fit() -> None:
    def change(shape: list[int]) -> Verdict:
        return after(lambda m: setattr(m.subgraphs[0].tensors[3], "shape", shape))

    assert change([1, 1, 9, 7, 1, 4]) == OK
    assert change([1, 1, 1, 9, 7, 1, 4]) == part("tensor")
    assert change([1, -1, 4]) == part("tensor")
    assert change([0, -1, 4]) == part("tensor")
    assert change([1 << 15, 1 << 15, 0]) == OK
    assert change([1 << 15, 1 << 15, 1]) == part("tensor")
    assert change([1 << 16, 1 << 16]) == part("tensor")


def test_a_scalar_may_have_no_shape() -> None:
    assert after(lambda m: setattr(m.subgraphs[0].tensors[3], "shape", None)) == OK


UNKNOWN_TYPES = [schema.TensorType.STRING, schema.TensorType.VARIANT, 19, 127]


@pytest.mark.parametrize("kind", UNKNOWN_TYPES)
def test_a_type_that_has_no_size_is_refused(kind: int) -> None:
    assert after(lambda m: setattr(m.subgraphs[0].tensors[3], "type", kind)) == part("tensor")


@pytest.mark.parametrize("number", [99, 1 << 31])
def test_a_buffer_that_is_not_there_is_refused(number: int) -> None:
    assert after(lambda m: setattr(m.subgraphs[0].tensors[3], "buffer", number)) == part("tensor")


def test_bytes_in_another_file_are_refused() -> None:
    data = bytearray(CNN)
    vtable_bytes, table_bytes = 4 + 2 * 11, 12
    # a table for tensor 0, behind everything, whose field 10 alone is there
    at = len(data) + vtable_bytes + 2
    data += struct.pack("<HH11H", vtable_bytes, table_bytes, *[0] * 10, 8) + bytes(2)
    data += struct.pack("<iII", vtable_bytes + 2, 0, 1)
    where = vector_at(CNN, GRAPH, 0) + 4
    assert patched(bytes(data), where, at - where) == part("tensor")
    data[-4:] = bytes(4)
    assert patched(bytes(data), where, at - where) != part("tensor")


def test_a_constant_has_all_its_bytes() -> None:
    def cut(model: bytes, missing: int) -> Verdict:
        objects = tree(model)
        weights = objects.subgraphs[0].tensors[1]
        data = objects.buffers[weights.buffer].data
        objects.buffers[weights.buffer].data = data[: len(data) - missing]
        return judged(objects)

    assert cut(CNN, 0) == cut(small_cnn(weight="int4"), 0) == OK
    assert cut(CNN, 1) == cut(small_cnn(weight="int4"), 1) == part("constant")


def test_an_odd_number_of_int4_takes_a_whole_byte_more() -> None:
    model = tree(small_cnn(weight="int4"))
    model.subgraphs[0].tensors[1].shape = [4, 3, 3, 3]
    weights = model.subgraphs[0].tensors[1]
    weights.shape, weights.quantization = [5, 1], None
    buffer = model.buffers[weights.buffer]
    buffer.data = buffer.data[:3]
    assert judged(model) == OK
    buffer.data = buffer.data[:2]
    assert judged(model) == part("constant")


def test_tensors_together_overflow_nothing() -> None:
    def change(count: int) -> Verdict:
        model = tree(CNN)
        graph = model.subgraphs[0]
        for _ in range(count):
            big = schema.TensorT()
            big.shape, big.type = [1 << 28], schema.TensorType.INT8
            graph.tensors.append(big)
        return judged(model)

    assert change(3) == OK
    assert change(4) == part("count")


def test_there_are_no_more_tensors_than_a_plan_may_have() -> None:
    def change(count: int) -> Verdict:
        model = tree(CNN)
        tensors = model.subgraphs[0].tensors
        tensors += [schema.TensorT() for _ in range(count - len(tensors))]
        return judged(model)

    assert change(CONST["PLAN_MAX_TENSORS"]) == OK
    assert change(CONST["PLAN_MAX_TENSORS"] + 1) == part("count")


# Quantization


def scales(count: int, dimension: int, tensor: int = 1) -> Verdict:
    """Give a tensor of CNN that many scales: 1 is a filter [4, 3, 3, 3], 2 a bias [4]."""

    def change(model: Any) -> None:
        quantization = model.subgraphs[0].tensors[tensor].quantization
        quantization.scale = [0.5] * count
        quantization.zeroPoint = [0] * count
        quantization.quantizedDimension = dimension

    return after(change)


def test_there_are_as_many_scales_as_the_dimension_has() -> None:
    assert scales(4, 0) == scales(3, 1) == scales(3, 3) == scales(1, 9) == OK
    assert scales(3, 0) == scales(4, 1) == scales(0xFFFF, 0) == part("quantization")
    assert scales(4, 4) == scales(4, -1) == scales(4, 1 << 30) == part("quantization")


def test_the_only_dimension_of_a_bias_may_have_the_number_of_the_filters() -> None:
    assert scales(4, 3, tensor=2) == scales(4, 0, tensor=2) == OK
    assert scales(3, 3, tensor=2) == scales(4, 6, tensor=2) == part("quantization")


def test_quantization_is_a_table() -> None:
    tensor = TABLES["tensor"]
    assert patched(CNN, field_at(CNN, tensor, 4), 0x7FFFFFFC) == part("quantization")


# Operators


@pytest.mark.parametrize("number", [-2, 99, 1 << 30])
@pytest.mark.parametrize("field", ["inputs", "outputs", "intermediates"])
def test_operators_use_tensors_that_are_there(field: str, number: int) -> None:
    found = after(lambda m: setattr(m.subgraphs[0].operators[CONV], field, [number]))
    assert found == part("operator")


@pytest.mark.parametrize("field", ["inputs", "outputs", "intermediates"])
def test_only_an_input_may_be_left_out(field: str) -> None:
    def change(model: Any) -> None:
        conv = model.subgraphs[0].operators[CONV]
        numbers = getattr(conv, field)
        setattr(conv, field, [*([] if numbers is None else numbers[:-1]), -1])

    assert after(change) == (OK if field == "inputs" else part("operator"))


def test_the_first_inputs_may_not_be_left_out() -> None:
    def without(model: bytes, number: int) -> Verdict:
        objects = tree(model)
        operator = objects.subgraphs[0].operators[0]
        operator.inputs = [-1 if i == number else t for i, t in enumerate(operator.inputs)]
        return verdict(Container.of(flat(objects)).build())

    assert [without(CNN, n) for n in range(3)] == [part("operator"), part("operator"), OK]
    lstm = Lstm().build()
    assert [without(lstm, n) for n in (0, 1, 2, 8)] == [part("operator")] * 4
    assert without(lstm, 9) == without(lstm, 12) == OK


def test_intermediates_may_be_tensors() -> None:
    assert after(lambda m: setattr(m.subgraphs[0].operators[CONV], "intermediates", [3])) == OK


def test_nothing_is_written_into_a_constant_that_is_no_variable() -> None:
    def change(model: Any, variable: bool) -> None:
        model.subgraphs[0].operators[CONV].outputs = [1]
        model.subgraphs[0].tensors[1].isVariable = variable

    assert after(lambda m: change(m, variable=False)) == part("operator")
    assert after(lambda m: change(m, variable=True)) == OK


def test_a_code_that_is_not_there_is_refused() -> None:
    found = after(lambda m: setattr(m.subgraphs[0].operators[CONV], "opcodeIndex", 99))
    assert found == part("operator")


@pytest.mark.parametrize("field", ["inputs", "outputs"])
@pytest.mark.parametrize("builtin", ["CONV_2D", "VAR_HANDLE", "ASSIGN_VARIABLE", "CALL_ONCE"])
def test_inputs_and_outputs_are_there_unless_the_operator_has_none(
    field: str, builtin: str
) -> None:
    model = tree(with_variables())
    number = getattr(schema.BuiltinOperator, builtin)
    call = model.subgraphs[0].operators[0]
    if builtin != "CALL_ONCE":
        model.operatorCodes[call.opcodeIndex] = code(number)
    call.inputs, call.outputs = [0], [1]
    setattr(call, field, None)
    none = {"inputs": ("VAR_HANDLE", "CALL_ONCE"), "outputs": ("ASSIGN_VARIABLE", "CALL_ONCE")}
    found = verdict(Container.of(flat(model)).build())
    assert found == (OK if builtin in none[field] else part("operator"))


def test_there_are_no_more_operators_than_a_plan_may_have() -> None:
    def change(count: int) -> Verdict:
        model = tree(CNN)
        graph = model.subgraphs[0]
        graph.operators = [graph.operators[RESHAPE]] * count
        return judged(model)

    assert change(CONST["PLAN_MAX_OPS"]) == OK
    assert change(CONST["PLAN_MAX_OPS"] + 1) == part("count")


def options_of(model: bytes, number: int) -> int:
    """Where the options of an operator lie."""
    at = field_at(model, element_at(model, vector_at(model, GRAPH, 3), number), 4)
    return at + int(struct.unpack_from("<I", model, at)[0])


def test_options_are_a_table_and_what_they_lead_to_lies_inside() -> None:
    options = options_of(CNN, RESHAPE)
    assert patched(CNN, options, 0x7FFFFFFF) == part("options")
    assert patched(CNN, field_at(CNN, options, 0), 1 << 30) == part("options")
    assert patched(CNN, vector_at(CNN, options, 0), 1 << 30) == part("options")


def test_options_that_no_operator_reads_are_not_looked_at() -> None:
    where = element_at(CNN, vector_at(CNN, GRAPH, 3), RESHAPE)
    assert patched(CNN, field_at(CNN, where, 3), schema.BuiltinOptions.PadOptions, 1) == OK


# Calls of subgraphs


def calling(builtin: int, called: list[int], *, new: int | None = None, old: int | None = None,
            options: bool = True, subgraphs: int = 3) -> Verdict:  # fmt: skip
    """The verdict on a model whose first operator calls subgraphs."""
    model = tree(with_variables())
    graph = model.subgraphs[0]
    call = graph.operators[0]
    call.inputs, call.outputs = [0], [1]
    numbers = code(builtin)
    numbers.builtinCode = builtin if new is None else new
    numbers.deprecatedBuiltinCode = numbers.deprecatedBuiltinCode if old is None else old
    model.operatorCodes[call.opcodeIndex] = numbers
    kind = {IF: "If", WHILE: "While", CALL_ONCE: "CallOnce"}[builtin]
    made = getattr(schema, f"{kind}OptionsT")()
    for name, number in zip([n for n in vars(made) if n.endswith("Index")], called, strict=True):
        setattr(made, name, number)
    call.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
    call.builtinOptions = made if options else None
    if not options:
        call.builtinOptionsType = schema.BuiltinOptions.AddOptions
        call.builtinOptions = schema.AddOptionsT()
    model.subgraphs += [model.subgraphs[1]] * (subgraphs - len(model.subgraphs))
    return verdict(Container.of(flat(model)).build())


@pytest.mark.parametrize(("builtin", "called"), [(IF, [1, 2]), (WHILE, [2, 1]), (CALL_ONCE, [2])])
def test_subgraphs_behind_the_caller_may_be_called(builtin: int, called: list[int]) -> None:
    assert calling(builtin, called) == OK


@pytest.mark.parametrize(
    ("builtin", "called"),
    [(IF, [1, 0]), (IF, [0, 1]), (IF, [3, 1]), (WHILE, [1, 3]), (WHILE, [-1, 1]), (CALL_ONCE, [3]),
     (CALL_ONCE, [0])],
)  # fmt: skip
def test_no_call_comes_back_or_leads_nowhere(builtin: int, called: list[int]) -> None:
    assert calling(builtin, called) == part("call")


@pytest.mark.parametrize(("builtin", "called"), [(IF, [1, 2]), (WHILE, [1, 2]), (CALL_ONCE, [1])])
def test_a_call_has_its_own_options(builtin: int, called: list[int]) -> None:
    assert calling(builtin, called, options=False) == part("call")


def test_a_call_without_options_is_refused() -> None:
    model = tree(with_variables())
    model.subgraphs[0].operators[0].builtinOptions = None
    assert verdict(Container.of(flat(model)).build()) == part("call")


def test_both_fields_of_a_code_must_agree_on_a_call() -> None:
    assert calling(IF, [1, 2], new=0, old=IF) == part("call")
    assert calling(IF, [1, 2], new=IF, old=WHILE) == part("call")
    assert calling(IF, [1, 2], new=IF, old=127) == part("call")
    assert calling(IF, [1, 2], new=IF, old=0) == OK
    assert calling(IF, [1, 2], new=IF, old=-1) == OK
    assert calling(IF, [1, 0], new=SVDF, old=1) == OK, "no call at all"


# Metadata


def memory_plan(
    words: list[int], name: bytes = b"OfflineMemoryAllocation", **wrong: Any
) -> Verdict:
    """The verdict on CNN with a memory plan in its metadata."""
    model = tree(CNN)
    made = schema.BufferT()
    made.data = np.frombuffer(struct.pack(f"<{len(words)}i", *words), np.uint8)
    model.buffers.append(made)
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = name, wrong.get("buffer", len(model.buffers) - 1)
    model.metadata = [metadata]
    return judged(model, arena_bytes=1 << 16)


TENSORS = len(tree(CNN).subgraphs[0].tensors)


def test_a_memory_plan_has_an_aligned_offset_in_the_arena_for_each_tensor() -> None:
    offsets = [-1] * (TENSORS - 2)
    assert memory_plan([1, 0, TENSORS, *offsets, 0, 1 << 16]) == OK
    for wrong in (-2, -16, 8, (1 << 16) + 16, 0x7FFFFFF0):
        assert memory_plan([1, 0, TENSORS, *offsets, 0, wrong]) == part("metadata"), wrong


def test_a_memory_plan_is_for_all_tensors() -> None:
    assert memory_plan([1, 0, TENSORS - 1, *[-1] * TENSORS]) == part("metadata")
    assert memory_plan([1, 0, TENSORS, *[-1] * (TENSORS - 1)]) == part("metadata")
    assert memory_plan([1, 0]) == part("metadata")
    assert memory_plan([]) == part("metadata")
    assert memory_plan([1, 0, TENSORS, *[-1] * TENSORS], buffer=99) == part("metadata")


def test_compressed_tensors_are_refused() -> None:
    assert memory_plan([0], b"COMPRESSION_METADATA") == part("metadata")


@pytest.mark.parametrize("name", [None, b"", b"min_runtime_version", b"OfflineMemoryAllocatio"])
def test_other_metadata_may_be_anything(name: bytes) -> None:
    assert memory_plan([-7], name, buffer=99) == OK


def test_metadata_is_a_table() -> None:
    model = tree(CNN)
    model.metadata = [schema.MetadataT()]
    data = flat(model)
    vector = vector_at(data, struct.unpack_from("<I", data)[0], 6)
    assert patched(data, vector + 4, 0x7FFFFFFC) == part("metadata")


# Inputs and outputs


def test_there_are_as_many_inputs_and_outputs_as_in_the_plan() -> None:
    assert after(lambda m: setattr(m.subgraphs[0], "inputs", [0, 0])) == Verdict("io", -1)
    assert after(lambda m: setattr(m.subgraphs[0], "outputs", [])) == Verdict("io", -1)


@pytest.mark.parametrize("end", [0, 1])
def test_inputs_and_outputs_have_types_and_shapes_of_the_plan(end: int) -> None:
    def change(**fields: Any) -> Verdict:
        model = tree(CNN)
        graph = model.subgraphs[0]
        tensor = graph.tensors[(graph.inputs, graph.outputs)[end][0]]
        for name, value in fields.items():
            setattr(tensor, name, value)
        return judged(model)

    shape = [int(n) for n in tree(CNN).subgraphs[0].tensors[0].shape] if end == 0 else [1, 5]
    assert change(shape=shape) == OK
    assert change(type=schema.TensorType.UINT8) == Verdict("io", end)
    assert change(type=schema.TensorType.FLOAT16) == Verdict("io", end)
    assert change(type=schema.TensorType.INT4) == Verdict("io", end)
    assert change(shape=shape[1:]) == Verdict("io", end)
    assert change(shape=[*shape, 1]) == Verdict("io", end)
    assert change(shape=[*shape[:-1], shape[-1] + 1]) == Verdict("io", end)


# Damage


class Shared:
    """A table that is written once, however often it is packed."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._at: int | None = None

    def Pack(self, builder: Any) -> int:
        """Return where it lies."""
        if self._at is None:
            self._at = self._table.Pack(builder)
        return self._at


def test_what_leads_to_the_same_bytes_again_and_again_ends() -> None:
    def operators(count: int, inputs: int) -> Verdict:
        model = tree(CNN)
        graph = model.subgraphs[0]
        graph.operators[RESHAPE].inputs = [0] * inputs
        graph.operators = [Shared(graph.operators[RESHAPE])] * count
        return judged(model)

    assert operators(2, 1000) == OK
    assert operators(1000, 4000) == part("operator")


@pytest.fixture(scope="session")
def hammer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that damages a plan everywhere, with sanitizers."""
    program = tmp_path_factory.mktemp("hammer") / "hammer"
    sources = [Path(__file__).with_name("hammer.c"), *(p for p in SOURCES if p.name != "check.c")]
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{FIRMWARE}"]
    kept = [p for p in sources if p.parent.name != "plan"]
    command = [compiler(), *flags, *SANITIZERS["address"], *map(str, kept), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


@pytest.mark.parametrize("name", ["int8", "variables"])
def test_no_damage_in_any_place_makes_it_read_outside(
    hammer: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "plan.bin"
    path.write_bytes(Container.of(SOUND[name]()).build())
    run = subprocess.run([hammer, path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    said = dict(pair.split("=") for pair in run.stdout.split())
    assert int(said["ok"]) > 5000
    for found in ("model", "code", "buffer", "subgraph", "tensor", "operator", "options"):
        assert int(said[str(PARTS[found])]) > 10, found


CHANGE = st.tuples(st.integers(0, 1 << 20), st.integers(0, 255))


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["int8", "int4", "variables"]),
    changes=st.lists(CHANGE, min_size=1, max_size=6),
)
def test_what_is_accepted_can_be_read_by_the_schemas_own_reader(
    name: str, changes: list[tuple[int, int]]
) -> None:
    model = bytearray(SOUND[name]())
    plan = Container.of(bytes(model))
    for place, value in changes:
        model[place % len(model)] = value
    plan.model = bytes(model)
    if verdict(plan.build()) == OK:
        read_all(plan.model)


def read_all(model: bytes) -> None:
    """Read what TensorFlow Lite Micro reads; the reader raises if that lies outside."""
    root = schema.Model.GetRootAs(model, 0)
    for s in range(root.SubgraphsLength()):
        graph = root.Subgraphs(s)
        for t in range(graph.TensorsLength()):
            tensor = graph.Tensors(t)
            [tensor.Shape(i) for i in range(tensor.ShapeLength())]
            buffer = root.Buffers(tensor.Buffer())
            if buffer.DataLength():
                buffer.Data(buffer.DataLength() - 1)
            if (quantization := tensor.Quantization()) is not None:
                [quantization.Scale(i) for i in range(quantization.ScaleLength())]
                [quantization.ZeroPoint(i) for i in range(quantization.ZeroPointLength())]
        for o in range(graph.OperatorsLength()):
            found = graph.Operators(o)
            root.OperatorCodes(found.OpcodeIndex()).BuiltinCode()
            for numbers in (found.InputsAsNumpy(), found.OutputsAsNumpy()):
                assert np.all(np.asarray(numbers) < graph.TensorsLength())


# The tables of the schema


def kinds_in_python(reader: Any) -> list[str]:
    """Kinds of a table's fields, read from the source of the schema's own reader."""
    found: dict[int, str] = {}
    source = Path(schema.__file__).read_text(encoding="utf-8")
    start = source.index(f"class {reader.__name__}(object)")
    text = source[start : source.index("\ndef ", start)]
    pattern = r"def (\w+)\(self[^)]*\):\n(?:        #.*\n)*        o = .*Offset\((\d+)\)\)\n"
    for match in re.finditer(pattern + r"((?:        .*\n)+)", text):
        number = (int(match[2]) - 4) // 2
        body = match[3]
        if match[1].endswith(("AsNumpy", "Length", "IsNone")):
            continue
        found[number] = kind_of(body)
    return [found.get(i, "SKIP") for i in range(max(found, default=-1) + 1)]


def kind_of(body: str) -> str:
    """The kind that a getter of the schema's own reader reads."""
    numbers = {"Bool": 1, "Int8": 1, "Uint8": 1, "Int32": 4, "Uint32": 4, "Float32": 4,
               "Int64": 8, "Uint64": 8}  # fmt: skip
    if "self._tab.Vector(" in body:
        inner = re.search(r"number_types\.(\w+)Flags", body)
        size = numbers[inner[1]] if inner else 4
        return {1: "BYTES", 4: "WORDS", 8: "LONGS"}[size]
    if "self._tab.String(" in body:
        return "TEXT"
    scalar = re.search(r"number_types\.(\w+)Flags", body)
    return {1: "BYTE", 4: "WORD", 8: "LONG"}[numbers[scalar[1]]] if scalar else "WORD"


def kinds_in_c() -> dict[int, list[str]]:
    """Kinds of the fields of each kind of options, from schema.h."""
    text = (INFER / "tflm" / "schema.h").read_text(encoding="utf-8")
    numbers = {n: int(i) for n, i in re.findall(r"(OPTIONS_\w+) = (\d+)", text)}
    rows = re.findall(r"\{(\w+),\s*\{([^}]*)\}\}", text)
    return {
        numbers.get(name) or int(name): re.findall(r"FLAT_(\w+)", kinds) for name, kinds in rows
    }


OPTIONS = {number: name for name, number in vars(schema.BuiltinOptions).items()
           if isinstance(number, int)}  # fmt: skip


NEWER = {"FullyConnectedOptions": ["BYTES"]}
"""Fields that TensorFlow Lite Micro does not know."""


@pytest.mark.parametrize("number", kinds_in_c(), ids=lambda n: OPTIONS[n])
def test_options_have_the_fields_of_the_schema(number: int) -> None:
    theirs = kinds_in_python(getattr(schema, OPTIONS[number]))
    ours = kinds_in_c()[number]
    assert [k for k in ours if k != "SKIP"] == [
        theirs[i] for i, k in enumerate(ours) if k != "SKIP"
    ]
    assert theirs[len(ours) :] == NEWER.get(OPTIONS[number], [])


def test_each_operator_that_can_be_registered_has_its_options() -> None:
    """By name: CONV_2D has Conv2DOptions; some share those of another, most have no field."""
    shared = {"AVERAGE_POOL_2D": "Pool2D", "MAX_POOL_2D": "Pool2D", "MEAN": "Reducer",
              "SUM": "Reducer", "REDUCE_ALL": "Reducer", "REDUCE_MAX": "Reducer",
              "REDUCE_MIN": "Reducer", "L2_NORMALIZATION": "L2Norm"}  # fmt: skip
    known = {name.removesuffix("Options").lower(): number for number, name in OPTIONS.items()}
    ours = kinds_in_c()
    missing = []
    for name in {r.operator for r in REGISTRATIONS.values()}:
        number = known.get(shared.get(name, name).replace("_", "").lower())
        if number and kinds_in_python(getattr(schema, OPTIONS[number])) and number not in ours:
            missing.append(name)
    assert missing == []


def test_the_specification_lists_every_part() -> None:
    text = (ROOT / "docs" / "SPEC.md").read_text(encoding="utf-8")
    section = text[text.index("### 1.7") : text.index("## 2. The wire")]
    rows = {name: int(n) for n, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", section, flags=re.M)}
    assert rows == {name: n for name, n in PARTS.items() if n}


def test_a_misaligned_plan_is_refused() -> None:
    ffi, library = open_check()
    plan = Container.of(CNN).build()
    memory = ffi.new("uint8_t[]", len(plan) + 32)
    start = memory + -int(ffi.cast("uintptr_t", memory)) % 16 + 4
    ffi.buffer(start, len(plan))[:] = plan
    assert library.infer_check(start, len(plan)).status == library.INFER_E_ALIGN
