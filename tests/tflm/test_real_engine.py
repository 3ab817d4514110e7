# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Our adapter with the user's TensorFlow Lite Micro on this computer: every byte is as PyPI's.

Skipped unless the environment variable TFLM_DIR names a tree with an archive for this computer.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.compile.test_variables import accumulator
from tests.support.small_models import numbers, one_dense, small_cnn
from tests.support.tflite_builder import GraphBuilder
from tests.support.tflm import build_runner, real_library
from tests.tflm.runner import Answer, Runner
from tests.tflm.test_engine import changed
from torpor.golden import Golden
from torpor.model import load_model
from torpor.plan.layout import CONST
from torpor.quantize import quantize
from torpor.tflm.container import Contained, contain_model

OK = Answer("ok", "")
LARGE = 1 << 18
STEPS = 6


def motion(bits: int) -> bytes:
    """Return the motion model, quantized."""
    model = load_model("motion")
    return quantize(model.float_tflite, bits, model.ranges)


MODELS: dict[str, Callable[[], bytes]] = {
    "cnn int8": small_cnn,
    "cnn int4": lambda: small_cnn(1, "int4"),
    "one layer": one_dense,
    "motion int8": lambda: motion(8),
    "motion int4": lambda: motion(4),
    "a variable": lambda: accumulator(zero_point=7),
    "a variable with a start": lambda: accumulator(start=(5, -6, 7, 8)),
    "wake word": lambda: load_model("alexa").quantized_file().read_bytes(),
}


@cache
def contained(name: str, keep_input: bool = False) -> tuple[bytes, Contained]:
    model = MODELS[name]()
    return model, contain_model(model, keep_input=keep_input)


@pytest.fixture(scope="module")
def program() -> Path:
    library = real_library()
    needed = {kernel for name in MODELS for kernel in contained(name)[1].kernels}
    return build_runner(library, needed)


@pytest.fixture
def engine(program: Path) -> Iterator[Runner]:
    with Runner(program) as runner:
        yield runner


def assert_same(engine: Runner, golden: Golden, seed: int, number: int = 0) -> None:
    """Compare one inference."""
    rng = np.random.default_rng(seed)
    inputs = [numbers(rng, i.shape, i.dtype, seed) for i in golden.inputs]
    for index, value in enumerate(inputs):
        engine.put(value.tobytes(), index=index, number=number)
    assert engine.invoke(number=number) == OK
    for index, expected in enumerate(golden.invoke(inputs)):
        assert engine.get(index=index, number=number) == expected.tobytes(), f"output {index}"


@pytest.mark.parametrize("keep_input", [False, True], ids=["", "inputs kept"])
@pytest.mark.parametrize("name", MODELS)
def test_every_byte_is_that_of_tflite_micro_also_after_a_reset(
    engine: Runner, name: str, keep_input: bool
) -> None:
    model, found = contained(name, keep_input)
    golden = Golden(model)
    assert engine.check(found.plan) == ("ok", -1)
    assert engine.open(found.plan, found.report.arena_bytes) == OK
    for _ in range(2):
        for seed in range(STEPS):
            assert_same(engine, golden, seed)
        engine.reset()
        golden.reset()


@pytest.mark.parametrize("name", MODELS)
def test_this_computers_interpreter_needs_no_less_arena(engine: Runner, name: str) -> None:
    _, found = contained(name)
    answer, smallest, used = engine.measure(found.plan, LARGE)
    assert answer == OK
    assert used <= smallest <= found.report.host.bytes


@pytest.mark.parametrize("name", ["cnn int8", "one layer", "a variable", "wake word"])
def test_every_arena_that_is_too_small_is_refused_and_safe(engine: Runner, name: str) -> None:
    plan = contained(name)[1].plan
    smallest = engine.measure(plan, LARGE)[1]
    for size in range(0, smallest, 16):
        found = engine.open_with(plan, size)
        assert found.status == "arena", f"{size} of {smallest} bytes: {found}"
    assert engine.open_with(plan, smallest) == OK


def test_models_take_turns_in_one_arena(engine: Runner) -> None:
    for seed, name in enumerate(["wake word", "cnn int8", "a variable", "cnn int4", "wake word"]):
        model, found = contained(name)
        assert engine.open(found.plan, LARGE) == OK
        assert_same(engine, Golden(model), seed)


def test_two_models_are_open_at_once(engine: Runner) -> None:
    opened = []
    for number, name in enumerate(["a variable with a start", "motion int8"]):
        model, found = contained(name)
        assert engine.open(found.plan, found.report.arena_bytes, number=number) == OK
        opened.append(Golden(model))
    for seed in range(STEPS):
        for number, golden in enumerate(opened):
            assert_same(engine, golden, seed, number)


def test_the_arena_that_is_missing_is_told_in_its_words(engine: Runner) -> None:
    found = contained("cnn int8")[1]
    short = changed(found.plan, arena_bytes=CONST["PLAN_TFLM_BYTES"] + 1024)
    answer = engine.open(short, LARGE)
    assert answer.status == "arena"
    assert answer.message.startswith("Failed to allocate tail memory. Requested: ")


def test_an_operator_that_is_missing_is_told_in_its_words(engine: Runner) -> None:
    g = GraphBuilder()
    x = g.input((1, 2, 2, 6), scale=0.1, name="x")
    found = contain_model(g.build([g.pad(x, [(0, 0), (1, 1), (0, 0), (0, 0)])]))
    assert engine.open(found.plan, LARGE) == Answer("kernel", "")
    answer = engine.open(changed(found.plan, kernels=[0] * 4), LARGE)
    assert answer.status == "kernel"
    assert answer.message.startswith("Didn't find op for builtin opcode 'PAD'; ")
