# SPDX-License-Identifier: Apache-2.0
"""Ten kernels and more are broken on purpose: bisect names exactly the right operator."""

import functools
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.broken_kernels import Broken, Workshop
from tests.support.small_models import codes
from tests.support.tflite_builder import GraphBuilder
from torpor import engine
from torpor.cli.main import dispatch as main
from torpor.compile import compile_model
from torpor.engine import Engine
from torpor.errors import UsageError
from torpor.golden import Golden
from torpor.graph import read_tflite
from torpor.verify import bisect, compare
from torpor.verify.bisect import (
    Finding,
    first_difference,
    first_difference_of,
    on_this_computer,
    reproduce,
)
from torpor.verify.stimuli import stimuli

SCALES = (0.02, 0.05, 0.013, 0.031)


@functools.cache
def every_kind(seed: int = 0) -> bytes:
    """Return a model of 13 operators, each kernel in one place only; 0 and 1 are one step."""
    rng = np.random.default_rng(seed)
    g = GraphBuilder()
    x = g.input((1, 9, 8, 3), scale=0.04, zero_point=-5)
    w = g.constant(codes(rng, (4, 3, 3, 3)), scale=list(SCALES))
    y = g.conv_2d(
        x, w, g.bias(x, w, [3, -9, 0, 77]), scale=0.2, zero_point=-9, stride=(2, 1), dilation=(1, 2)
    )
    y = g.unary("RELU", y)
    w = g.constant(codes(rng, (1, 2, 2, 4), 4), "int4", scale=list(SCALES), axis=3)
    y = g.depthwise_conv_2d(y, w, g.bias(y, w, [1, 2, 3, 4]), scale=0.1, zero_point=-3)
    w = g.constant(codes(rng, (6, 1, 1, 4), 4), "int4", scale=0.05)
    y = g.conv_2d(y, w, scale=0.2, zero_point=11)
    y = g.pool_2d("MAX_POOL_2D", y, (3, 2), stride=(2, 2), padding="same")
    y = g.unary("LOGISTIC", y, scale=1 / 256, zero_point=-128)
    b = g.constant(codes(rng, (6,)), scale=0.004, zero_point=7)
    y = g.add(y, b, scale=0.006, zero_point=-20)
    y = g.pad(y, [(0, 0), (1, 0), (0, 2), (0, 0)])
    y = g.pool_2d("AVERAGE_POOL_2D", y, (2, 3))
    y = g.mean(y, [1], scale=0.005, zero_point=2)
    y = g.reshape(y, (1, -1 + 1 + int(np.prod(g.shape(y)))))
    w = g.constant(codes(rng, (5, g.shape(y)[1])), scale=0.02)
    y = g.fully_connected(y, w, scale=0.02, zero_point=-4)
    return g.build([g.softmax(y)])


def shown(seed: int = 1, count: int = 8, tflite: bytes | None = None) -> list[list[Any]]:
    model = every_kind() if tflite is None else tflite
    return [case.inputs for case in stimuli(Golden(model).inputs, count, seed)]


ADDED = ", c->left_shift, &c->b_rescale);\n    return binary_output(c, wrapping_add"
BROKEN: dict[str, tuple[Broken, tuple[int, ...]]] = {
    "dilation ignored": (
        Broken("conv_2d_s8.c", "conv_2d.h", "(uint32_t)c->dilation_w * c->in_c", "c->in_c"),
        (0, 1),
    ),
    "strides swapped": (
        Broken("conv_2d_s8.c", "conv_2d.h", "taps_inside(out_y, c->stride_h,",
               "taps_inside(out_y, c->stride_w,"),
        (0, 1),
    ),
    "zero point of the input ignored": (
        Broken("conv_2d_s8.c", "conv_2d.h", "-c->x_zero_point, weights", "0, weights"),
        (0, 1),
    ),
    "last channel missed": (
        Broken("depthwise_conv_2d_s4.c", "channels.h", "channels->zero_point), channels->min",
               "channels->zero_point) + (c == 3), channels->min"),
        (2,),
    ),
    "nibbles swapped": (
        Broken("conv_2d_s4.c", "dot.h", "(uint32_t)byte << 28", "(uint32_t)byte << 24"),
        (3,),
    ),
    "padding wrong": (
        Broken("max_pool_2d_s8.c", "pool_2d.h", "c->stride_h, c->pad_top", "c->stride_h, 0"),
        (4,),
    ),
    "table read one beside": (
        Broken("lut_s8.c", "lut_s8.c", "x[i] - INT8_MIN", "(x[i] - INT8_MIN) ^ 1"),
        (5,),
    ),
    "zero point of a constant ignored": (
        Broken("add_s8.c", "binary.h", "b - c->b_zero_point" + ADDED, "b" + ADDED),
        (6,),
    ),
    "filled with zero": (
        Broken("pad_s8.c", "pad_s8.c", "(int)(value & 0xFFu), count", "0, count"),
        (7,),
    ),
    "average rounded down": (
        Broken("average_pool_2d_s8.c", "pool_2d.h", "sum + count / 2", "sum"),
        (8,),
    ),
    "rounded down": (
        Broken("mean_s8.c", "requantize.h", "(int64_t)x * multiplier + (1 << 30)",
               "(int64_t)x * multiplier"),
        (9,),
    ),
    "clamped one too early": (
        Broken("fully_connected_s8.c", "fully_connected.h", "= c->act_max", "= c->act_max - 1"),
        (11,),
    ),
    "a wrong number in the table of powers": (
        Broken("softmax_s8.c", "softmax.h", "1302514674", "1302514674 / 2"),
        (12,),
    ),
}  # fmt: skip
"""By what is wrong: the change, and the operators of every_kind() that must be named."""


compiled = functools.cache(compile_model)


@pytest.fixture(autouse=True)
def compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile each model once for all tests: what is broken is not the compiler."""
    monkeypatch.setattr(bisect, "compile_model", compiled)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    yield Workshop(tmp_path_factory.mktemp("kernels"))


def break_kernel(patch: pytest.MonkeyPatch, workshop: Workshop, broken: Broken) -> None:
    opened = workshop.build(broken)
    patch.setattr(engine, "open_infer", lambda *_: opened)


@pytest.mark.parametrize("what", BROKEN)
def test_the_broken_operator_is_named(
    what: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, operators = BROKEN[what]
    break_kernel(monkeypatch, workshop, broken)
    finding = first_difference(every_kind(), shown())
    assert finding is not None
    assert tuple(op.index for op in finding.operators) == operators
    assert not finding.overwrites
    graph = read_tflite(every_kind())
    assert finding.tensor == graph.ops[operators[-1]].outputs[0]
    assert [op.name for op in finding.operators] == [graph.ops[i].name for i in operators]
    check_elements(finding)
    smallest = reproduce(every_kind(), finding, shown())
    assert smallest.cut.operators == operators
    assert len(smallest.invocations) == 1
    again = first_difference(smallest.cut.tflite, smallest.invocations)
    assert again is not None
    assert again.elements == finding.elements


def check_elements(finding: Finding) -> None:
    assert 1 <= len(finding.elements) <= min(5, finding.differing)
    for element in finding.elements:
        assert element.theirs != element.ours
        assert all(0 <= i < n for i, n in zip(element.index, finding.shape, strict=True))


def test_sound_kernels_show_no_difference() -> None:
    assert first_difference(every_kind(), shown()) is None


def test_the_first_of_two_wrong_operators_is_named(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = GraphBuilder()
    x = g.input((1, 40), scale=0.1)
    y = g.unary("TANH", g.unary("LOGISTIC", x, scale=1 / 256, zero_point=-128), scale=1 / 128)
    break_kernel(monkeypatch, workshop, BROKEN["table read one beside"][0])
    model = g.build([y])
    finding = first_difference(model, shown(tflite=model)[5:])
    assert finding is not None
    assert [op.name for op in finding.operators] == ["LOGISTIC"]


def test_what_overwrites_a_tensor_that_is_still_needed_is_named(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = GraphBuilder()
    x = g.input((1, 8), scale=0.1)
    a = g.add(x, x, scale=0.3)
    b = g.unary("LOGISTIC", a, scale=1 / 256, zero_point=-128)
    model = g.build([a, g.softmax(b)])
    broken = Broken(
        "lut_s8.c",
        "lut_s8.c",
        "y[i] = table[x[i] - INT8_MIN];",
        "y[i] = table[x[i] - INT8_MIN];\n        ((int8_t *)(uintptr_t)x)[i] = 1;",
    )
    break_kernel(monkeypatch, workshop, broken)
    finding = first_difference(model, shown(tflite=model))
    assert finding is not None
    assert [op.index for op in finding.operators] == [1]
    assert finding.overwrites
    assert finding.tensor == a


# ---- states


def test_a_wrong_state_is_named(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    g = GraphBuilder()
    x = g.input((1, 6), scale=0.05)
    feature = g.constant(codes(rng, (4, 6)), scale=0.01)
    time = g.constant(rng.integers(-999, 999, (4, 3)), "int16", scale=0.001)
    state = g.tensor((1, 12), "int16", scale=0.003, is_variable=True)
    y = g.svdf(g.unary("RELU6", x), feature, time, state, scale=0.2)
    model = g.build([g.softmax(y)])
    broken = Broken("svdf_s8.c", "svdf_s8.c", "= (int16_t)code;", "= (int16_t)(code / 2);")
    break_kernel(monkeypatch, workshop, broken)
    finding = first_difference(model, shown(tflite=model))
    assert finding is not None
    assert [op.name for op in finding.operators] == ["SVDF"]
    assert finding.tensor in (state, y)
    assert reproduce(model, finding, shown(tflite=model)).cut.operators == (1,)


def stream(copied: bool) -> bytes:
    """Return a running sum in a variable; `copied` if the caller reads the variable, too."""
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    handle = g.var_handle("v")
    y = g.read_variable(handle, (1, 4), scale=0.1)
    total = g.add(x, y, scale=0.1)
    g.assign_variable(handle, total)
    return g.build([total, y] if copied else [total])


@pytest.mark.parametrize("copied", [False, True])
def test_the_operator_that_assigns_a_wrong_variable_is_named(
    copied: bool, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = stream(copied)
    assert first_difference(model, shown(tflite=model)) is None
    missed = Broken("assign.c", "assign.c", "c->bytes);", "c->bytes - 1);")
    break_kernel(monkeypatch, workshop, missed)
    finding = first_difference(model, shown(tflite=model))
    assert finding is not None
    assert [op.name for op in finding.operators] == ["ASSIGN_VARIABLE"]
    assert finding.invocation == 1
    assert not finding.overwrites
    again = reproduce(model, finding, shown(tflite=model))
    assert again.cut.tflite == model
    assert len(again.invocations) == 2


# ---- where only outputs can be seen: a broken kernel stands for a device


class Device:
    """Our C on this computer, opened as a device is: as a context manager."""

    def __init__(self, tflite: bytes) -> None:
        self._engine = Engine(compiled(tflite).plan)

    def invoke(self, inputs: Any, /) -> list[Any]:
        return self._engine.invoke(inputs)

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("what", ["strides swapped", "nibbles swapped", "filled with zero"])
def test_a_device_of_which_only_outputs_are_seen(
    what: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, operators = BROKEN[what]
    break_kernel(monkeypatch, workshop, broken)
    finding = first_difference_of(every_kind(), shown(), Device)
    assert finding is not None
    assert tuple(op.index for op in finding.operators) == operators
    check_elements(finding)
    assert reproduce(every_kind(), finding, shown(), Device).cut.operators == operators


def test_a_device_without_a_difference() -> None:
    assert first_difference_of(every_kind(), shown(), Device) is None


class OddDevice(Device):
    """Wrong only where a model has a single output."""

    def invoke(self, inputs: Any, /) -> list[Any]:
        outputs = super().invoke(inputs)
        return [outputs[0] ^ 1] if len(outputs) == 1 else outputs


def test_a_difference_that_goes_when_it_is_looked_at_is_said_to_be_so() -> None:
    finding = first_difference_of(every_kind(), shown(), OddDevice)
    assert finding is not None
    assert finding.operators == ()
    assert finding.step == -1
    graph = read_tflite(every_kind())
    assert finding.tensor == graph.outputs[0]
    whole = reproduce(every_kind(), finding, shown(), OddDevice)
    assert whole.cut.tflite == every_kind()


class Pair(Device):
    """Wrong only where a model has several operators."""

    def invoke(self, inputs: Any, /) -> list[Any]:
        outputs = super().invoke(inputs)
        return [y ^ 1 for y in outputs] if self._engine.n_ops > 1 else outputs


def test_what_is_right_alone_is_shown_with_all_that_comes_before(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        break_kernel(patch, workshop, BROKEN["zero point of a constant ignored"][0])
        finding = first_difference(every_kind(), shown())
    assert finding is not None
    smallest = reproduce(every_kind(), finding, shown(), Pair)
    assert smallest.cut.operators == (0, 1, 2, 3, 4, 5, 6)
    assert len(smallest.invocations) == 1


def test_this_computer_is_a_runner_as_well() -> None:
    with on_this_computer(every_kind()) as runner:
        [inputs] = shown(count=1)
        assert compare(Golden(every_kind()).invoke(inputs), runner.invoke(inputs)) == ""


# ---- the command


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "every.tflite"
    path.write_bytes(every_kind())
    return path


def test_equal_bytes_end_with_0(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bisect", str(model), "--inputs", "3"]) == 0
    assert capsys.readouterr().out == "every.tflite: every byte equal\n"
    assert main(["bisect", str(model), "--inputs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) is None


def test_a_difference_ends_with_1_and_a_command_that_shows_it_again(
    model: Path,
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    break_kernel(monkeypatch, workshop, BROKEN["dilation ignored"][0])
    out = model.parent / "a folder"
    assert main(["bisect", str(model), "--out", str(out)]) == 1
    text = capsys.readouterr().out
    assert "the first difference is in operator 1 (RELU), one step with 0 (CONV_2D)" in text
    assert "smallest model that differs: 2 operators, alone" in text
    again = shlex.split(text.splitlines()[-1].removeprefix("again: "))
    assert again[:2] == ["torpor", "bisect"]
    assert main([*again[1:], "--json", "--out", str(out / "again")]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["operators"] == [{"index": 0, "name": "CONV_2D"}, {"index": 1, "name": "RELU"}]
    assert found["smallest"]["invocations"] == 1
    assert found["kernel"] == "CONV_2D_S8"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([b"12"], "has 2 bytes, input 't0' takes 216"),
        ([b""], "has 0 bytes"),
        ([bytes(216), bytes(216)], "2 input files given, the model has 1 inputs"),
    ],
    ids=["odd", "empty", "too many"],
)
def test_inputs_that_do_not_fit_are_refused_in_words(
    model: Path, files: list[bytes], words: str
) -> None:
    arguments = ["bisect", str(model)]
    for number, data in enumerate(files):
        path = model.parent / f"{number}.bin"
        path.write_bytes(data)
        arguments += ["--input", str(path)]
    with pytest.raises(UsageError) as caught:
        main(arguments)
    assert words in caught.value.message


def test_input_files_of_different_length_are_refused(tmp_path: Path) -> None:
    g = GraphBuilder()
    y = g.add(g.input((1, 4)), g.input((1, 4)), scale=0.2)
    (tmp_path / "m.tflite").write_bytes(g.build([y]))
    (tmp_path / "a").write_bytes(bytes(8))
    (tmp_path / "b").write_bytes(bytes(4))
    files = ["--input", str(tmp_path / "a"), "--input", str(tmp_path / "b")]
    with pytest.raises(UsageError, match="different numbers of invocations"):
        main(["bisect", str(tmp_path / "m.tflite"), *files])


def test_an_unknown_board_is_refused(model: Path) -> None:
    with pytest.raises(UsageError, match="unknown board 'hots'"):
        main(["bisect", str(model), "--board", "hots"])
