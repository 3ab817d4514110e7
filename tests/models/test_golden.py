# SPDX-License-Identifier: Apache-2.0
"""The golden interpreter: its errors are told, its arena is nobody's business."""

import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_micro import runtime

from tests.models.floats import conv, dense, edited, model, samples, two_inputs
from tests.support.tflite_builder import GraphBuilder
from torpor import golden
from torpor.errors import ModelError
from torpor.golden import Golden, captured_output


def relu_model() -> bytes:
    graph = GraphBuilder()
    x = graph.input((1, 4), scale=0.5, zero_point=3, name="entry")
    return graph.build([graph.unary("RELU", x)])


def test_inputs_and_outputs_are_described() -> None:
    (info,) = Golden(relu_model()).inputs
    assert (info.name, info.shape, info.dtype.name) == ("entry", (1, 4), "int8")
    assert (info.scale, info.zero_point) == (0.5, 3)
    (info,) = Golden(model(dense)).outputs
    assert (info.shape, info.dtype.name, info.scale) == ((1, 5), "float32", 0.0)


def test_invoke_computes_and_returns_copies() -> None:
    run = Golden(relu_model())
    [first] = run.invoke([np.array([[-5, 3, 4, 120]], np.int8)])
    assert first.tolist() == [[3, 3, 4, 120]]
    run.invoke([np.zeros((1, 4), np.int8)])
    assert first.tolist() == [[3, 3, 4, 120]]


def test_several_inputs_and_outputs_keep_their_order() -> None:
    a, b = np.arange(4, dtype=np.float32)[None], np.full((1, 4), 0.5, np.float32)
    run = Golden(model(two_inputs))
    assert [info.name for info in run.inputs] == ["a", "b"]
    assert run.invoke([a, b])[0].tolist() == [[0.5, 1.5, 2.5, 3.5]]
    graph = GraphBuilder()
    x = graph.input((1, 2))
    both = graph.build([graph.unary("RELU", x), graph.unary("RELU6", x)])
    assert [y.tolist() for y in Golden(both).invoke([np.array([[-9, 100]], np.int8)])] == [
        [[0, 100]],
        [[0, 60]],
    ]


def test_transposed_arrays_are_read_as_they_look() -> None:
    x = np.asfortranarray(samples((1, 6, 6, 2), 1)[0])
    run = Golden(model(conv))
    assert run.invoke([x])[0].tobytes() == run.invoke([np.ascontiguousarray(x)])[0].tobytes()


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [np.zeros((1, 4), np.int8)] * 2,
        [np.zeros((1, 5), np.int8)],
        [np.zeros((4,), np.int8)],
        [np.zeros((1, 4), np.float32)],
    ],
)
def test_wrong_inputs_are_refused(inputs: list[Any]) -> None:
    with pytest.raises(ModelError):
        Golden(relu_model()).invoke(inputs)


def test_the_interpreters_own_words_are_in_the_error(capfd: pytest.CaptureFixture[str]) -> None:
    def add_gelu(tree: Any) -> None:
        tree.operatorCodes[0].builtinCode = 150  # GELU, which the interpreter does not have
        tree.operatorCodes[0].deprecatedBuiltinCode = 127

    with pytest.raises(ModelError) as caught:
        Golden(edited(relu_model(), add_gelu))
    assert "GELU" in caught.value.message
    printed = capfd.readouterr()
    assert printed.out + printed.err == "", "C++ talked to the user"


def test_nothing_is_printed_when_all_is_well(capfd: pytest.CaptureFixture[str]) -> None:
    Golden(relu_model()).invoke([np.zeros((1, 4), np.int8)])
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def starved(sizes: list[int], enough: int, words: str) -> Callable[..., Any]:
    """Return an opener that notes sizes and fails below `enough`, as the interpreter does."""
    real = runtime.Interpreter.from_bytes

    def opener(content: bytes, *, arena_size: int, intrepreter_config: Any) -> Any:
        sizes.append(arena_size)
        if arena_size < enough:
            os.write(2, f"{words}\n".encode())
            raise RuntimeError("TFLM failed to allocate tensors")
        return real(content, arena_size=arena_size, intrepreter_config=intrepreter_config)

    return opener


def test_the_arena_grows_until_it_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    words = "Failed to resize buffer. Requested: 192, available 32, missing: 160"
    monkeypatch.setattr(runtime.Interpreter, "from_bytes", starved(sizes, 5_000_000, words))
    run = Golden(relu_model())
    assert run.arena_bytes == sizes[-1] >= 5_000_000
    assert len(sizes) > 1
    assert all(b == 2 * a for a, b in itertools.pairwise(sizes))
    assert run.invoke([np.ones((1, 4), np.int8)])[0].tolist() == [[3, 3, 3, 3]]


def test_the_arena_does_not_grow_for_another_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(
        runtime.Interpreter, "from_bytes", starved(sizes, 1 << 40, "Node X is not amused")
    )
    with pytest.raises(ModelError, match="Node X is not amused"):
        Golden(relu_model())
    assert len(sizes) == 1


def test_the_arena_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    opener = starved(sizes, 1 << 40, "Failed to allocate tail memory. Requested: 44")
    monkeypatch.setattr(runtime.Interpreter, "from_bytes", opener)
    with pytest.raises(ModelError, match="tail memory"):
        Golden(relu_model())
    assert golden.MAX_ARENA <= sizes[-1] < 2 * golden.MAX_ARENA


def test_absurd_shapes_are_refused_before_memory_is_asked_for() -> None:
    def blow_up(tree: Any) -> None:
        tree.subgraphs[0].tensors[0].shape = [1 << 20, 1 << 10]

    with pytest.raises(ModelError, match="too large"):
        Golden(edited(relu_model(), blow_up))


@pytest.mark.parametrize("content", [b"", b"TFL3", b"x" * 3000, b"\0\0\0\0TFL3" + b"\xff" * 99])
def test_what_is_no_model_is_an_error(content: bytes) -> None:
    with pytest.raises(ModelError):
        Golden(content)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_a_truncated_model_is_an_error(cut: int) -> None:
    content = relu_model()
    with pytest.raises(ModelError):
        Golden(content[: cut % (len(content) * 3 // 4)])


def test_inner_tensors_can_be_kept() -> None:
    run = Golden(model(dense), keep_tensors=True)
    x = samples((1, 8), 1)[0]
    [y] = run.invoke([x])
    assert run.tensor(0).tobytes() == x.tobytes()
    assert any(run.tensor(i).tobytes() == y.tobytes() for i in range(1, 4))


def test_reset_leaves_a_model_without_state_as_it_was() -> None:
    run = Golden(relu_model())
    x = np.array([[-5, 3, 4, 120]], np.int8)
    before = run.invoke([x])[0].tolist()
    run.reset()
    assert run.invoke([x])[0].tolist() == before


def test_captured_output_takes_what_c_and_python_print(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_output() as captured:
        os.write(1, b"one\n")
        os.write(2, b"two\n\n")
        print("three")
    assert set(captured.text.split()) == {"one", "two", "three"}
    print("after")
    assert capfd.readouterr().out == "after\n"


def test_captured_output_is_kept_and_ended_by_an_exception() -> None:
    with pytest.raises(ValueError, match="x"), captured_output() as captured:
        os.write(2, b"before it broke")
        raise ValueError("x")
    assert captured.text == "before it broke"


def test_a_summary_is_one_short_line_without_repetitions() -> None:
    with captured_output() as captured:
        os.write(2, b"a\n  b\na\n" + b"c" * 500)
    assert captured.summary(20) == "a; b; " + "c" * 14 + "..."
