# SPDX-License-Identifier: Apache-2.0
"""Variables keep their values from one inference to the next, as in tflite_micro."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.tflite_builder import GraphBuilder
from torpor.compile import Compiled, compile_model
from torpor.compile.passes import run_passes
from torpor.engine import Engine
from torpor.errors import ModelError, UnsupportedError
from torpor.golden import Golden
from torpor.graph import read_tflite

FOUR = (1, 4)


def inputs(engine: Engine | Golden, number: int) -> list[NDArray[Any]]:
    """Some codes, other ones for each number."""
    return [
        (np.arange(np.prod(i.shape)) * 7 + 31 * number).astype(i.dtype).reshape(i.shape)
        for i in engine.inputs
    ]


def assert_same_stream(model: bytes, steps: int = 6) -> Compiled:
    """Compare `steps` inferences, and again from the start after a reset."""
    compiled = compile_model(model)
    engine, golden = Engine(compiled.plan, sanitize=True), Golden(model)
    for _ in range(2):
        for number in range(steps):
            case = inputs(engine, number)
            expected, found = golden.invoke(case), engine.invoke(case)
            for wanted, got in zip(expected, found, strict=True):
                np.testing.assert_array_equal(got, wanted)
        engine.reset()
        golden.reset()
    return compiled


def kernels(compiled: Compiled) -> list[str]:
    return [op.kernel for op in compiled.report.ops]


class Model:
    """A graph of one input of four codes, and its variable "v" as it is at the beginning."""

    def __init__(self, dtype: str = "int8", zero_point: int = 0) -> None:
        self.graph = GraphBuilder()
        self.quantization: dict[str, Any] = {"scale": 0.1, "zero_point": zero_point}
        self.x = self.graph.input(FOUR, **self.quantization)
        self.dtype = dtype
        self.handle = -1

    def start_with(self, value: Sequence[int], name: str = "v", subgraph: int = 1) -> None:
        """CALL_ONCE of a subgraph that assigns `value`."""
        other = self.graph.subgraph()
        codes = other.constant([value], self.dtype, **self.quantization)
        other.assign_variable(other.var_handle(name), codes)
        self.graph.call_once(subgraph)

    def variable(self, name: str = "v", **names: Any) -> int:
        """VAR_HANDLE."""
        self.handle = self.graph.var_handle(name, **names)
        return self.handle

    def read(self, shape: Sequence[int] = FOUR) -> int:
        """READ_VARIABLE."""
        return self.graph.read_variable(self.handle, shape, dtype=self.dtype, **self.quantization)

    def assign(self, value: int) -> None:
        """ASSIGN_VARIABLE."""
        self.graph.assign_variable(self.handle, value)

    def add(self, a: int, b: int) -> int:
        """ADD of two tensors with the variable's quantization."""
        return self.graph.add(a, b, **self.quantization)

    def build(self, *outputs: int) -> bytes:
        """Return the file."""
        return self.graph.build(outputs)


def accumulator(zero_point: int = 0, start: Sequence[int] = ()) -> bytes:
    """The sum of all inputs so far."""
    m = Model(zero_point=zero_point)
    if start:
        m.start_with(start)
    m.variable()
    total = m.add(m.x, m.read())
    m.assign(total)
    return m.build(total)


# Equal to tflite_micro


@pytest.mark.parametrize("zero_point", [0, 7, -128])
def test_a_variable_begins_at_its_zero_point(zero_point: int) -> None:
    compiled = assert_same_stream(accumulator(zero_point))
    assert kernels(compiled) == ["ADD_S8", "ASSIGN"]


@pytest.mark.parametrize("start", [[5, 6, 7, 8], [9, 9, 9, 9]])
def test_what_call_once_assigns_is_there_at_the_beginning(start: list[int]) -> None:
    compiled = assert_same_stream(accumulator(start=start))
    assert kernels(compiled) == ["ADD_S8", "ASSIGN"]
    x = np.zeros(FOUR, np.int8)
    np.testing.assert_array_equal(Engine(compiled.plan).invoke([x])[0], [start])


def test_a_variable_that_only_call_once_assigns_stays_as_it_is() -> None:
    m = Model()
    m.start_with([1, 2, 3, 4])
    m.variable()
    assert kernels(assert_same_stream(m.build(m.add(m.x, m.read())))) == ["ADD_S8"]


def test_a_subgraph_that_is_never_called_assigns_nothing() -> None:
    m = Model(zero_point=3)
    other = m.graph.subgraph()
    value = other.constant([[1, 2, 3, 4]], scale=0.1, zero_point=9)
    other.assign_variable(other.var_handle("v"), value)
    m.variable()
    assert_same_stream(m.build(m.add(m.x, m.read())))


def test_of_two_call_onces_the_later_counts() -> None:
    m = Model()
    m.start_with([1, 2, 3, 4])
    m.start_with([5, 6, 7, 8], subgraph=2)
    m.variable()
    assert_same_stream(m.build(m.add(m.x, m.read())))


def test_a_variable_that_is_assigned_twice() -> None:
    m = Model()
    m.variable()
    first = m.add(m.x, m.read())
    m.assign(first)
    second = m.add(m.read(), m.x)
    m.assign(second)
    compiled = assert_same_stream(m.build(second))
    assert kernels(compiled) == ["ADD_S8", "ASSIGN", "ADD_S8", "ASSIGN"]


def test_what_was_read_before_an_assignment_stays_what_it_was() -> None:
    m = Model()
    m.variable()
    before = m.read()
    m.assign(m.x)
    compiled = assert_same_stream(m.build(m.add(before, m.x)))
    assert kernels(compiled) == ["COPY", "ASSIGN", "ADD_S8"]


def test_a_variable_read_before_the_assignment_may_be_the_output() -> None:
    m = Model()
    m.variable()
    before = m.read()
    m.assign(m.x)
    assert kernels(assert_same_stream(m.build(before))) == ["COPY", "ASSIGN"]


@pytest.mark.parametrize(
    ("dtype", "quantization"),
    [
        ("int16", {"scale": 0.1, "zero_point": 300}),
        ("int16", {"scale": 0.1, "zero_point": 0}),
        ("int32", {"scale": 0.1, "zero_point": -2}),
        ("uint8", {"scale": 0.1, "zero_point": 200}),
        ("float32", {"scale": None}),
    ],
)
def test_a_variable_of_another_type_begins_at_its_zero_points_last_byte_in_each_byte(
    dtype: str, quantization: dict[str, Any]
) -> None:
    graph = GraphBuilder()
    x = graph.input((1, 3), dtype, **quantization)
    handle = graph.var_handle("v")
    before = graph.read_variable(handle, (1, 3), dtype=dtype, **quantization)
    graph.assign_variable(handle, x)
    assert_same_stream(graph.build([before]))


def test_a_variable_assigned_to_another_is_a_delay() -> None:
    m = Model()
    first, second = m.variable("first"), m.variable("second")
    m.handle = second
    oldest = m.read()
    m.handle = first
    older = m.read()
    total = m.add(oldest, m.x)
    m.graph.assign_variable(second, older)
    m.graph.assign_variable(first, m.x)
    compiled = assert_same_stream(m.build(total))
    assert kernels(compiled) == ["ADD_S8", "ASSIGN", "ASSIGN"]


def test_a_variable_assigned_to_itself() -> None:
    m = Model()
    m.start_with([1, 2, 3, 4])
    m.variable()
    kept = m.read()
    m.assign(kept)
    assert_same_stream(m.build(m.add(kept, m.x)))


def test_a_variable_may_be_read_in_another_shape() -> None:
    m = Model()
    m.variable()
    total = m.add(m.x, m.graph.reshape(m.read((2, 2)), FOUR))
    m.assign(total)
    assert kernels(assert_same_stream(m.build(total))) == ["ADD_S8", "ASSIGN"]


def test_an_assignment_that_nobody_reads_is_dropped() -> None:
    m = Model()
    m.variable()
    total = m.add(m.x, m.x)
    m.assign(total)
    compiled = assert_same_stream(m.build(total))
    assert kernels(compiled) == ["ADD_S8"]


def test_two_handles_of_one_name_are_one_variable() -> None:
    m = Model()
    m.variable()
    total = m.add(m.x, m.read())
    m.variable()
    m.assign(total)
    assert_same_stream(m.build(total))


@given(st.binary(max_size=6), st.binary(max_size=6))
@settings(max_examples=20, deadline=None)
def test_names_are_compared_as_c_compares_them(one: bytes, two: bytes) -> None:
    m = Model()
    first = m.graph.var_handle(one.decode("latin-1"))
    second = m.graph.var_handle(two.decode("latin-1"))
    before = m.graph.read_variable(first, FOUR, scale=0.1)
    m.graph.assign_variable(first, m.x)
    m.graph.assign_variable(second, m.add(m.x, m.x))
    after = m.graph.read_variable(second, FOUR, scale=0.1)
    assert_same_stream(m.build(m.add(m.add(before, m.x), after)), steps=3)


# A slice that is assigned


def sliced(begin: Sequence[int], end: Sequence[int], *, read_again: bool = False) -> bytes:
    """Part of an input [3, 2, 4] is kept; the output is what was kept before, plus 0."""
    graph = GraphBuilder()
    x = graph.input((3, 2, 4), scale=0.1)
    shape = [e - b for b, e in zip(begin, end, strict=True)]
    handle = graph.var_handle("v")
    before = graph.read_variable(handle, shape, scale=0.1)
    zero = graph.constant(np.zeros(shape, np.int8), scale=0.1)
    y = graph.add(before, zero, scale=0.1)
    part = graph.tensor(shape, scale=0.1)
    bounds = [graph.constant(np.array(v, np.int32), "int32") for v in (begin, end, [1, 1, 1])]
    graph.op("STRIDED_SLICE", [x, *bounds], [part], schema.StridedSliceOptionsT())
    graph.assign_variable(handle, part)
    return graph.build([y, graph.add(part, part, scale=0.1)] if read_again else [y])


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ([0, 0, 0], [1, 1, 1]),
        ([1, 0, 0], [3, 2, 4]),
        ([2, 1, 0], [3, 2, 4]),
        ([1, 1, 1], [2, 2, 3]),
    ],
)
def test_a_slice_in_a_row_is_assigned_from_where_it_lies(begin: list[int], end: list[int]) -> None:
    assert kernels(assert_same_stream(sliced(begin, end))) == ["ADD_S8", "ASSIGN"]


def test_a_slice_with_gaps_is_made_before_it_is_assigned() -> None:
    compiled = assert_same_stream(sliced([0, 0, 0], [3, 1, 4]))
    assert kernels(compiled) == ["ADD_S8", "STRIDED_COPY_S8", "ASSIGN"]


def test_a_slice_that_others_read_too_is_made() -> None:
    compiled = assert_same_stream(sliced([1, 0, 0], [3, 2, 4], read_again=True))
    assert kernels(compiled) == ["ADD_S8", "STRIDED_COPY_S8", "ASSIGN", "ADD_S8"]


# What is refused


def refusal(model: bytes, kind: type[ModelError] = ModelError) -> str:
    with pytest.raises(kind) as caught:
        compile_model(model)
    return f"{caught.value.message} {caught.value.hint}"


def test_a_variable_that_nothing_assigns_is_refused() -> None:
    m = Model()
    m.variable()
    said = refusal(m.build(m.add(m.x, m.read())), UnsupportedError)
    assert "never assigned" in said and "READ_VARIABLE" in said


def late_call() -> bytes:
    m = Model()
    m.variable()
    before = m.read()
    m.start_with([1, 2, 3, 4])
    total = m.add(m.x, before)
    m.assign(total)
    return m.build(total)


def computing_call() -> bytes:
    m = Model()
    other = m.graph.subgraph()
    codes = other.constant([[1, 2, 3, 4]], scale=0.1)
    other.assign_variable(other.var_handle("v"), other.add(codes, codes, scale=0.1))
    m.graph.call_once()
    m.variable()
    return m.build(m.add(m.x, m.read()))


def constant_value() -> bytes:
    m = Model()
    m.variable()
    total = m.add(m.x, m.read())
    m.assign(m.graph.constant([[1, 2, 3, 4]], scale=0.1))
    return m.build(total)


def two_containers() -> bytes:
    m = Model()
    m.variable(container="a")
    total = m.add(m.x, m.read())
    m.variable(container="b")
    m.assign(total)
    return m.build(total)


def foreign_handle() -> bytes:
    m = Model()
    m.handle = m.graph.input((), "resource", scale=None)
    m.assign(m.x)
    return m.build(m.add(m.x, m.x))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (late_call(), "before CALL_ONCE"),
        (computing_call(), "subgraph 1 does more than assigning constants"),
        (constant_value(), "a constant that is assigned in every inference"),
        (two_containers(), "two containers"),
        (foreign_handle(), "does not come from a VAR_HANDLE"),
    ],
)
def test_what_we_do_not_follow_is_refused_in_words(model: bytes, words: str) -> None:
    assert words in refusal(model, UnsupportedError)


def test_two_containers_are_refused_by_tflm_too() -> None:
    with pytest.raises(ModelError):
        Golden(two_containers())


@pytest.mark.parametrize("shape", [(1, 8), (1, 2)])
def test_a_variable_of_two_sizes_is_refused(shape: tuple[int, int]) -> None:
    m = Model()
    m.variable()
    read = m.read(shape)
    m.assign(m.x)
    assert "the variable is 'v' (int8 [1, 4])" in refusal(m.build(m.add(m.x, m.x), read))


def test_a_variable_of_two_types_is_refused() -> None:
    m = Model()
    m.variable()
    read = m.graph.read_variable(m.handle, (1, 2), dtype="int16", scale=0.1)
    m.assign(m.x)
    assert "(int16 [1, 2]): the variable is 'v'" in refusal(m.build(m.add(m.x, m.x), read))


def test_a_call_of_a_subgraph_that_is_not_there_is_refused() -> None:
    m = Model()
    m.start_with([1, 2, 3, 4], subgraph=2)
    m.variable()
    assert "there is no subgraph 2" in refusal(m.build(m.add(m.x, m.read())))


def test_a_call_of_the_model_itself_is_refused() -> None:
    m = Model()
    m.graph.call_once(0)
    assert "subgraph 0 does more" in refusal(m.build(m.add(m.x, m.x)), UnsupportedError)


def with_operator(name: str, operands: Callable[[Model], tuple[list[int], list[int]]]) -> bytes:
    m = Model()
    m.variable()
    total = m.add(m.x, m.read())
    m.graph.op(name, *operands(m))
    m.assign(total)
    return m.build(total)


@pytest.mark.parametrize(
    "model",
    [
        with_operator("ASSIGN_VARIABLE", lambda m: ([m.handle], [])),
        with_operator("ASSIGN_VARIABLE", lambda m: ([m.handle, m.x, m.x], [])),
        with_operator("ASSIGN_VARIABLE", lambda m: ([m.handle, -1], [])),
        with_operator("READ_VARIABLE", lambda m: ([m.handle, m.x], [m.graph.tensor(FOUR)])),
        with_operator("CALL_ONCE", lambda m: ([m.x], [])),
    ],
)
def test_operators_with_odd_operands_are_refused(model: bytes) -> None:
    assert refusal(model)


@pytest.mark.parametrize("name", ["IF", "WHILE"])
def test_control_flow_is_refused_by_name(name: str) -> None:
    m = Model()
    body = m.graph.subgraph()
    body.input(FOUR, scale=0.1)
    y = m.graph.tensor(FOUR, scale=0.1)
    m.graph.op(name, [m.x, m.x], [y])
    assert f"({name})" in refusal(m.build(y), UnsupportedError)


# Passes


def test_the_reasons_say_what_became_of_variables() -> None:
    graph, reasons = run_passes(read_tflite(accumulator(start=[1, 2, 3, 4])))
    text = "\n".join(reasons)
    assert "variable 'v' (int8 [1, 4]) becomes a state" in text
    assert "(READ_VARIABLE) dropped: the state's own bytes" in text
    assert list(graph.initial.values()) == [bytes([1, 2, 3, 4])] and graph.subgraphs == ()
