# SPDX-License-Identifier: Apache-2.0
"""torpor.engine: opening, running and looking into plans."""

from pathlib import Path

import numpy as np
import pytest

import torpor.engine.library as engine_library
from tests.support.plans import SPECIMENS, add, chain, changed, fully_connected, one_op, state
from torpor.engine import Engine, TensorInfo, check
from torpor.engine.library import build_library, infer_library, kernel_table
from torpor.errors import MissingToolError, ModelError, TorporError
from torpor.plan.layout import OPCODES, sizeof

X = np.array([1, -2, 3, -4, 5, -6], np.int8)


def test_inputs_and_outputs_are_described() -> None:
    engine = Engine(add().build())
    assert engine.inputs[1] == TensorInfo("x", (4,), np.dtype(np.int8), 0.5, 0)
    assert [o.name for o in engine.outputs] == ["y"]
    assert (engine.name, engine.labels, engine.n_ops) == ("model", ("cat", "dog"), 1)


def test_an_open_plan_passes_its_own_check() -> None:
    assert Engine(chain().build()).check() == (0, -1)


def test_a_verdict_names_status_and_index() -> None:
    verdict = check(changed(chain().build(), "op 3.bytes", 5))
    assert (verdict.ok, verdict.name, verdict.index) == (False, "shape", 3)


def test_a_refused_plan_is_an_error_that_says_why() -> None:
    with pytest.raises(ModelError, match=r"plan refused: shape \(index 0\)"):
        Engine(changed(fully_connected(False).build(), "op 0.in_n", 1))


@pytest.mark.parametrize("extra", [b"", b"x", bytes(range(124))], ids=len)
def test_extra_bytes_are_what_was_put_in_and_change_no_output(extra: bytes) -> None:
    built = chain()
    plain = Engine(built.build()).invoke([X])[0]
    built.extra = extra
    engine = Engine(built.build(), sanitize=True)
    assert engine.extra == extra
    np.testing.assert_array_equal(engine.invoke([X])[0], plain)


def test_the_same_input_gives_the_same_output_again() -> None:
    engine = Engine(chain().build())
    first = engine.invoke([X])[0]
    engine.invoke([X[::-1]])
    np.testing.assert_array_equal(engine.invoke([X])[0], first)


def test_two_engines_do_not_share_anything() -> None:
    one, two = Engine(chain().build()), Engine(chain().build())
    expected = one.invoke([X])[0]
    two.invoke([X[::-1]])
    np.testing.assert_array_equal(one.read_outputs()[0], expected)


@pytest.mark.parametrize(
    ("initial", "expected"), [(7, [7, 7, 7, 7]), (bytes([1, 2, 255, 4]), [1, 2, -1, 4])]
)
def test_states_begin_as_the_plan_says_and_again_after_a_reset(
    initial: int | bytes, expected: list[int]
) -> None:
    engine = Engine(state(initial).build(), sanitize=True)
    lowest = np.full(4, -128, np.int8)
    assert engine.invoke([lowest])[0].tolist() == expected
    engine.arena[4:8] = bytes([9, 9, 9, 9])
    assert engine.invoke([lowest])[0].tolist() == [9, 9, 9, 9]
    engine.reset()
    assert engine.invoke([lowest])[0].tolist() == expected


def test_steps_in_order_are_an_invocation() -> None:
    whole, stepped = Engine(chain().build()), Engine(chain().build())
    stepped.write_inputs([X])
    for i in range(stepped.n_ops):
        stepped.step(i)
    np.testing.assert_array_equal(stepped.read_outputs()[0], whole.invoke([X])[0])


def test_a_tensor_can_be_looked_into() -> None:
    engine = Engine(chain().build())
    engine.write_inputs([X])
    assert engine.tensor(0) == X.tobytes()
    engine.step(0)
    assert len(engine.tensor(1)) == 8


@pytest.mark.parametrize(
    "inputs",
    [[], [X, X], [X[:5]], [X.astype(np.uint8)], [X.reshape(2, 3)]],
    ids=["none", "two", "short", "dtype", "shape"],
)
def test_wrong_inputs_are_a_user_error(inputs: list[np.ndarray]) -> None:
    with pytest.raises(TorporError):
        Engine(chain().build()).invoke(inputs)


def test_there_is_no_operator_or_tensor_beyond_the_last() -> None:
    engine = Engine(chain().build())
    for bad in (-1, 99):
        with pytest.raises(TorporError, match="no operator"):
            engine.step(bad)
        with pytest.raises(TorporError, match="no tensor"):
            engine.tensor(bad)


def test_what_does_not_exist_is_not_reached_in_c_either() -> None:
    engine = Engine(chain().build(), sanitize=True)
    library, model, ffi = engine._library, engine._model, engine._ffi
    before = bytes(engine.arena)
    for beyond in (engine.n_ops, engine.n_ops + 1, 2**32 - 1):
        library.infer_step(model, beyond)
    assert bytes(engine.arena) == before
    for beyond in (1, 2, 2**32 - 1):
        assert library.infer_input_info(model, beyond) == ffi.NULL
        assert library.infer_output_info(model, beyond) == ffi.NULL
        assert library.infer_input(model, beyond) == ffi.NULL
        assert library.infer_output(model, beyond) == ffi.NULL
        assert library.infer_input_bytes(model, beyond) == 0
        assert library.infer_output_bytes(model, beyond) == 0
    assert ffi.string(library.infer_label(model, 1)) == b"dog"
    for beyond in (2, 2**32 - 1):
        assert library.infer_label(model, beyond) == ffi.NULL


def test_wider_types_keep_their_values() -> None:
    plan = one_op("COPY", [8, 8], lambda _: {"bytes": 8})
    for io in (plan.inputs[0], plan.outputs[0]):
        io |= {"type": 5, "rank": 2, "dims": [1, 2, 1, 1, 1], "scale": 0}
    engine = Engine(plan.build())
    x = np.array([[1.5, -3e30]], np.float32)
    np.testing.assert_array_equal(engine.invoke([x])[0], x)
    assert engine.inputs[0].shape == (1, 2)


@pytest.mark.parametrize("name", SPECIMENS)
def test_sanitized_code_gives_the_same_bytes(name: str) -> None:
    plan = SPECIMENS[name]().build()
    fast, careful = Engine(plan), Engine(plan, sanitize=True)
    random = np.random.default_rng(7)
    inputs = [random.integers(-128, 128, i.shape).astype(np.int8) for i in fast.inputs]
    for a, b in zip(fast.invoke(inputs), careful.invoke(inputs), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_library_is_built_once() -> None:
    first = infer_library()
    built = first.stat().st_mtime_ns
    assert infer_library() == first
    assert first.stat().st_mtime_ns == built


def test_the_table_of_the_host_has_every_kernel() -> None:
    for name in OPCODES.values():
        assert f"[PLAN_OP_{name}] = &infer_{name.lower()}," in kernel_table()


def test_another_compiler_makes_another_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrapper = tmp_path / "cc"
    wrapper.write_text('#!/bin/sh\ntouch "$0.used"\nexec gcc "$@"\n')
    wrapper.chmod(0o755)
    source = tmp_path / "one.c"
    source.write_text("int one(void);\nint one(void)\n{\n    return 1;\n}\n")
    monkeypatch.setattr(engine_library, "CACHE", tmp_path)
    first = build_library("one", [source])
    monkeypatch.setenv("CC", str(wrapper))
    assert build_library("one", [source]) != first
    assert (tmp_path / "cc.used").exists()


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setattr(engine_library, "CACHE", tmp_path)
    with pytest.raises(MissingToolError, match="C compiler"):
        build_library("none", [])


def test_sizes_of_the_structs_are_those_of_c() -> None:
    assert (sizeof("plan_header_t"), sizeof("plan_tensor_t"), sizeof("plan_io_t")) == (96, 12, 36)
