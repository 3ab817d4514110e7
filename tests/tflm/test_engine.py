# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Our adapter behind infer.h, on the stand-in for TensorFlow Lite Micro, with sanitizers."""

import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.support.tflite_builder import GraphBuilder
from tests.support.tflm import build_runner, stand_in_library
from tests.tflm.runner import Answer, Runner
from torpor.plan.layout import CONST, ffi
from torpor.tflm.container import contain_model

OPERATORS = ("FULLY_CONNECTED", "ADD", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")
DESCRIPTION = "as its name says, or not"
OK = Answer("ok", "")
X = bytes(range(6))
LARGE = 1 << 14


def dense(outputs: int = 2) -> bytes:
    """Return a model of one operator: six codes in, `outputs` out."""
    g = GraphBuilder(DESCRIPTION)
    x = g.input((1, 6), scale=0.1, name="x")
    w = g.constant(np.ones((outputs, 6)), scale=0.05)
    return g.build([g.fully_connected(x, w, scale=0.2)])


def two_ends() -> bytes:
    """Return a model of two inputs (6 and 20 codes) and two outputs."""
    g = GraphBuilder(DESCRIPTION)
    a, b = g.input((1, 6), scale=0.1, name="a"), g.input((1, 20), scale=0.1, name="b")
    return g.build([g.add(a, a, scale=0.1), g.add(b, b, scale=0.1)])


def with_variables() -> bytes:
    """Return a model with two variables: the stand-in counts how often it has run."""
    g = GraphBuilder(DESCRIPTION)
    x = g.input((1, 6), scale=0.1, name="x")
    for name in ("first", "second", "first"):
        g.assign_variable(g.var_handle(name), x)
    old = g.read_variable(g.var_handle("second"), (1, 6), dtype="int8", scale=0.1)
    return g.build([g.add(x, old, scale=0.1)])


def told(plan: bytes, what: str) -> bytes:
    """Return a plan whose flatbuffer describes itself otherwise: the stand-in does as it says."""
    assert len(what) < len(DESCRIPTION)
    padded = what.encode().ljust(len(DESCRIPTION), b"\0")
    return plan.replace(DESCRIPTION.encode(), padded, 1)


def changed(plan: bytes, **members: int | list[int]) -> bytes:
    """Return a plan with other members of its header."""
    header = ffi.new("plan_header_t *")
    size = ffi.sizeof("plan_header_t")
    ffi.buffer(header)[:] = plan[:size]
    for name, value in members.items():
        setattr(header, name, value)
    return bytes(ffi.buffer(header)) + plan[size:]


def header_of(plan: bytes) -> dict[str, int]:
    header = ffi.new("plan_header_t *")
    ffi.buffer(header)[:] = plan[: ffi.sizeof("plan_header_t")]
    return {name: getattr(header, name) for name, _ in ffi.typeof("plan_header_t").fields}


def arena_of(plan: bytes) -> int:
    return header_of(plan)["arena_bytes"]


def plus(value: bytes, number: int) -> bytes:
    """Return what the stand-in makes of an input."""
    return bytes((x + number) % 256 for x in value)


@pytest.fixture(scope="module")
def program() -> Path:
    return build_runner(stand_in_library(), OPERATORS)


@pytest.fixture
def engine(program: Path) -> Iterator[Runner]:
    with Runner(program) as runner:
        yield runner


@pytest.fixture(scope="module")
def plan() -> bytes:
    return contain_model(dense()).plan


@pytest.fixture(scope="module")
def stateful() -> bytes:
    return contain_model(with_variables()).plan


# What works


def test_it_says_which_engine_it_is(engine: Runner) -> None:
    assert engine.engine() == "tflm"


def test_an_inference_goes_from_input_to_output(engine: Runner, plan: bytes) -> None:
    assert engine.check(plan) == ("ok", -1)
    assert engine.open(plan, arena_of(plan)) == OK
    engine.put(X)
    assert engine.invoke() == OK
    assert engine.get() == plus(X[:2], 1)


def test_each_input_and_output_has_its_place(engine: Runner) -> None:
    plan = contain_model(two_ends()).plan
    engine.open(plan, arena_of(plan))
    b = bytes(range(100, 120))
    engine.put(X)
    engine.put(b, index=1)
    assert (engine.show(), engine.show(index=1)) == (X, b)
    engine.invoke()
    assert engine.get() == plus(X, 1)
    assert engine.get(index=1) == plus((X * 4)[:20], 2)


def test_there_is_no_further_input_or_output(engine: Runner, plan: bytes) -> None:
    engine.open(plan, arena_of(plan))
    assert (engine.show(index=1), engine.get(index=1)) == (b"", b"")


def test_there_is_no_single_operator_to_run(engine: Runner, plan: bytes) -> None:
    engine.open(plan, arena_of(plan))
    engine.put(X)
    engine.step(0)
    assert engine.show() == X


def test_inputs_that_are_kept_lie_outside_the_tensor_arena(engine: Runner) -> None:
    kept = contain_model(two_ends(), keep_input=True).plan
    other = contain_model(two_ends()).plan
    assert arena_of(kept) - arena_of(other) == 16 + 32
    engine.open(kept, arena_of(kept))
    engine.put(X)
    engine.put(bytes(20), index=1)
    engine.invoke()
    engine.put(plus(X, 7), index=0)
    assert engine.get() == plus(X, 1), "writing an input has changed an output"
    assert engine.invoke() == OK
    assert engine.get() == plus(X, 8)
    assert (engine.show(), engine.show(index=1)) == (plus(X, 7), bytes(20))


def test_a_model_can_be_opened_where_another_one_was(
    engine: Runner, plan: bytes, stateful: bytes
) -> None:
    for number in range(3):
        assert engine.open(stateful, LARGE) == OK
        engine.put(X)
        engine.invoke()
        assert engine.get() == plus(X, 1), f"something of the models before, round {number}"
        assert engine.open(plan, LARGE) == OK
        engine.put(X)
        engine.invoke()
        assert engine.get() == plus(X[:2], 1)


def test_two_models_are_open_at_once(engine: Runner, plan: bytes, stateful: bytes) -> None:
    engine.open(plan, arena_of(plan), number=0)
    engine.open(stateful, arena_of(stateful), number=1)
    for run in range(4):
        engine.put(X, number=0)
        engine.put(plus(X, 50), number=1)
        assert engine.invoke(number=1) == OK
        assert engine.invoke(number=0) == OK
        assert engine.get(number=0) == plus(X[:2], 1)
        assert engine.get(number=1) == plus(X, 51 + run)


# What is kept between inferences


def test_a_reset_forgets_what_the_model_has_kept(engine: Runner, stateful: bytes) -> None:
    engine.open(stateful, arena_of(stateful))
    for _ in range(2):
        for run in range(3):
            engine.put(X)
            engine.invoke()
            assert engine.get() == plus(X, 1 + run)
        engine.reset()


def test_a_reset_does_nothing_where_the_plan_says_that_nothing_is_kept(
    engine: Runner, stateful: bytes
) -> None:
    plan = changed(stateful, flags=0)
    engine.open(plan, arena_of(plan))
    engine.invoke()
    engine.reset()
    engine.put(X)
    engine.invoke()
    assert engine.get() == plus(X, 2)


def test_kept_inputs_survive_a_reset(engine: Runner) -> None:
    plan = contain_model(with_variables(), keep_input=True).plan
    engine.open(plan, arena_of(plan))
    engine.put(X)
    engine.invoke()
    engine.reset()
    engine.invoke()
    assert engine.get() == plus(X, 1)


def test_memory_for_variables_is_there_once_for_each_name(engine: Runner) -> None:
    def needed(names: list[str]) -> int:
        g = GraphBuilder(DESCRIPTION)
        x = g.input((1, 6), scale=0.1, name="x")
        for name in names:
            g.assign_variable(g.var_handle(name), x)
        return engine.measure(contain_model(g.build([g.add(x, x, scale=0.1)])).plan, LARGE)[1]

    assert needed(["a", "b"]) - needed(["a"]) == 32  # a row of the stand-in's table
    assert needed(["a", "b", "a", "b", "a"]) == needed(["a", "b"])


# What is refused


def test_what_is_no_plan_for_this_firmware_is_refused(engine: Runner, plan: bytes) -> None:
    assert engine.open(bytes(200), LARGE) == Answer("magic", "")
    assert engine.open(plan[:-16], LARGE) == Answer("length", "")
    assert engine.open(changed(plan, target=0), LARGE) == Answer("target", "")
    assert engine.open(changed(plan, kernels=[0, 0, 0, 1 << 30]), LARGE) == Answer("kernel", "")


def test_an_operator_that_is_missing_is_named(engine: Runner) -> None:
    g = GraphBuilder(DESCRIPTION)
    x = g.input((1, 6), scale=0.1, name="x")
    plan = contain_model(g.build([g.reshape(x, (6, 1))])).plan
    assert engine.open(plan, LARGE) == Answer("kernel", "")
    found = engine.open(changed(plan, kernels=[0] * 4), LARGE)
    assert found == Answer("kernel", "Didn't find op for builtin opcode 22")


def test_another_version_of_the_schema_is_refused(engine: Runner, plan: bytes) -> None:
    data = header_of(plan)["data"]
    model = data + struct.unpack_from("<I", plan, data)[0]
    fields = model - struct.unpack_from("<i", plan, model)[0]
    version = model + struct.unpack_from("<H", plan, fields + 4)[0]
    assert struct.unpack_from("<I", plan, version)[0] == 3
    newer = plan[:version] + struct.pack("<I", 4) + plan[version + 4 :]
    assert engine.open(newer, LARGE) == Answer("version", "")
    assert engine.invoke() == Answer("version", "")


@pytest.mark.parametrize(("end", "difference"), [(0, 1), (0, -1), (1, 4), (1, -1)])
def test_tensors_of_other_sizes_than_the_plan_says_are_refused(
    engine: Runner, plan: bytes, end: int, difference: int
) -> None:
    tensor = ffi.new("plan_tensor_t *")
    size = ffi.sizeof("plan_tensor_t")
    at = header_of(plan)["tensors"] + end * size
    ffi.buffer(tensor)[:] = plan[at : at + size]
    tensor.bytes += difference
    other = plan[:at] + bytes(ffi.buffer(tensor)) + plan[at + size :]
    assert engine.open(other, LARGE) == Answer("io", "")


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 3), (3, 1), (1, 2), (2, 1)])
def test_another_number_of_inputs_or_outputs_is_refused(
    engine: Runner, inputs: int, outputs: int
) -> None:
    plan = contain_model(two_ends()).plan
    other = changed(plan, n_inputs=inputs, n_outputs=outputs)
    assert engine.open(other, LARGE) == Answer("io", "")


def test_preparing_that_fails_is_told_in_its_own_words(engine: Runner, plan: bytes) -> None:
    found = engine.open(told(plan, "fails to allocate"), arena_of(plan))
    said = "Node STAND_IN (number 0) failed to prepare with status 1"
    assert found == Answer("engine", said)
    assert engine.invoke() == found, "a model that is not open has made an inference"


def test_a_request_that_fails_with_memory_at_hand_is_not_called_a_shortage(
    engine: Runner, plan: bytes
) -> None:
    found = engine.open(told(plan, "forgets to clear up"), LARGE)
    assert found == Answer("engine", "Internal error: buffer is not resizable")


def test_what_is_written_to_a_model_that_is_not_open_harms_nothing(
    engine: Runner, plan: bytes
) -> None:
    engine.open(told(plan, "fails to allocate"), arena_of(plan))
    engine.put(X)
    assert engine.show() == X
    assert len(engine.get()) == 2
    assert engine.invoke().status == "engine"


def test_a_message_is_gone_with_the_next_success(engine: Runner, plan: bytes) -> None:
    engine.open(told(plan, "fails to allocate"), LARGE)
    assert engine.open(plan, LARGE) == OK


# Inferences that fail


def test_an_inference_that_fails_is_told_in_its_own_words(engine: Runner, plan: bytes) -> None:
    failing = told(plan, "fails to invoke")
    engine.open(failing, arena_of(plan))
    said = "Node STAND_IN (number 0) failed to invoke with status 1"
    for _ in range(3):
        engine.put(X)
        assert engine.show() == X
        assert engine.invoke() == Answer("engine", said)


def test_after_a_failure_the_model_begins_anew_and_takes_inputs(
    engine: Runner, stateful: bytes
) -> None:
    engine.open(told(stateful, "fails to invoke"), arena_of(stateful))
    for _ in range(3):
        engine.put(X)
        assert engine.invoke().status == "engine"
        assert engine.get() == plus(X, 1), "something of the failed inference is left"


def test_memory_that_is_missing_in_an_inference_is_told(engine: Runner, plan: bytes) -> None:
    engine.open(told(plan, "starves"), arena_of(plan))
    for _ in range(3):
        engine.put(X)
        found = engine.invoke()
        assert found.status == "arena"
        assert found.message.startswith("Failed to allocate temp memory. Requested: ")


def test_a_condition_that_does_not_hold_ends_the_run(program: Path, plan: bytes) -> None:
    runner = Runner(program)
    runner.open(told(plan, "asserts"), arena_of(plan))
    with pytest.raises(AssertionError, match=r"the engine has died: \(-6"):
        runner.invoke()


# Memory


def test_an_arena_that_is_not_aligned_is_refused(engine: Runner, plan: bytes) -> None:
    for beside in (1, 4, 8):
        assert engine.open(plan, LARGE, beside=beside) == Answer("align", "")
    assert engine.open(plan, LARGE, beside=16) == OK


def test_an_arena_smaller_than_the_plan_says_is_refused(engine: Runner, plan: bytes) -> None:
    assert engine.open(plan, arena_of(plan) - 16) == Answer("arena", "")
    none = changed(plan, arena_bytes=CONST["PLAN_TFLM_BYTES"] - 16)
    assert engine.open(none, LARGE) == Answer("arena", "")


@pytest.mark.parametrize("model", [dense, two_ends, with_variables, partial(dense, 200)])
def test_every_tensor_arena_that_is_too_small_is_refused_and_safe(
    engine: Runner, model: Callable[[], bytes]
) -> None:
    plan = contain_model(model()).plan
    answer, smallest, used = engine.measure(plan, LARGE)
    assert answer == OK
    assert used <= smallest
    for size in range(0, smallest, 16):
        found = engine.open_with(plan, size)
        assert found.status == "arena", f"{size} of {smallest} bytes: {found}"
        assert found.message, f"{size} of {smallest} bytes: why?"
    for size in range(smallest, smallest + 256, 16):
        assert engine.open_with(plan, size) == OK
        engine.put(X)
        assert engine.invoke() == OK


def test_a_tensor_arena_need_not_be_a_multiple_of_16(engine: Runner, plan: bytes) -> None:
    smallest = engine.measure(plan, LARGE)[1]
    sizes = range(smallest - 32, smallest + 48)
    found = [engine.open_with(plan, size).status for size in sizes]
    assert found[32] == "ok"
    assert found == sorted(found), "more memory is not enough where less is"
    assert set(found) == {"arena", "ok"}


def test_measuring_needs_no_more_than_there_is(engine: Runner, plan: bytes) -> None:
    _, smallest, used = engine.measure(plan, LARGE)
    exact = CONST["PLAN_TFLM_BYTES"] + smallest
    assert engine.measure(plan, exact) == (OK, smallest, used)
    assert engine.measure(plan, exact + 15) == (OK, smallest, used)
    assert engine.measure(plan, exact - 16)[0].status == "arena"
    assert engine.measure(plan, CONST["PLAN_TFLM_BYTES"] - 1)[0] == Answer("arena", "")


def test_measuring_counts_kept_inputs_apart(engine: Runner) -> None:
    plans = [contain_model(two_ends(), keep_input=keep).plan for keep in (False, True)]
    assert engine.measure(plans[0], LARGE) == engine.measure(plans[1], LARGE)


@pytest.mark.parametrize(
    ("what", "status"),
    [("fails to allocate", "engine"), ("fails to invoke", "engine"), ("starves", "arena")],
)
def test_measuring_says_what_cannot_run_at_all(
    engine: Runner, plan: bytes, what: str, status: str
) -> None:
    answer, _, used = engine.measure(told(plan, what), LARGE)
    assert (answer.status, used) == (status, 0)
    assert answer.message
