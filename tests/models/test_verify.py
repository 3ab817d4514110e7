# SPDX-License-Identifier: Apache-2.0
"""Byte for byte, and what verify says when it is not so."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.floats import conv, model, samples
from tests.support.tflite_builder import GraphBuilder
from torpor import verify as verify_package
from torpor.cli import verify as command
from torpor.compile import compile_model
from torpor.emulate import firmware
from torpor.engine import Engine
from torpor.errors import BudgetError, MissingToolError, ModelError, TorporError
from torpor.plan.reader import Plan
from torpor.quantize import measure_ranges, quantize
from torpor.verify import Verdict, compare, verify
from torpor.verify.stimuli import EXTREMES, RANDOM, FloatInput, stimuli


@dataclass(frozen=True)
class Info:
    """An input of a test."""

    shape: tuple[int, ...] = (1, 10, 10)
    dtype: Any = np.int8
    zero_point: int = -7


@pytest.fixture(scope="module")
def tflite() -> bytes:
    content = model(conv)
    return quantize(content, 8, measure_ranges(content, samples((6, 6, 2))))


@pytest.fixture
def path(tmp_path: Path, tflite: bytes) -> Path:
    file = tmp_path / "conv.tflite"
    file.write_bytes(tflite)
    return file


# ---- inputs


def test_every_kind_comes_and_looks_as_it_is_called() -> None:
    cases = {case.kind: case.inputs[0] for case in stimuli([Info()], 8, seed=1)}
    assert list(cases) == [*EXTREMES, *RANDOM]
    assert {x.shape for x in cases.values()} == {(1, 10, 10)}
    assert {x.dtype for x in cases.values()} == {np.dtype(np.int8)}
    assert set(cases["lowest"].flat) == {-128}
    assert set(cases["highest"].flat) == {127}
    assert set(cases["zero"].flat) == {-7}
    assert cases["alternating"].flat[:4].tolist() == [-128, 127, -128, 127]
    assert (cases["ramp"].flat[0], cases["ramp"].flat[-1]) == (-128, 127)
    assert (cases["sparse"] == -7).mean() > 0.8
    assert set(cases["corners"].flat) == {-128, -127, -7, 126, 127}
    assert len(set(cases["random"].flat)) > 50


def test_a_seed_gives_the_same_inputs_and_fewer_are_a_prefix() -> None:
    def codes(count: int, seed: int) -> list[bytes]:
        return [case.inputs[0].tobytes() for case in stimuli([Info()], count, seed)]

    assert codes(30, 1) == codes(30, 1)
    assert codes(9, 1) == codes(30, 1)[:9]
    assert codes(30, 1) != codes(30, 2)
    assert len(set(codes(30, 1))) == 30, "an input came twice"


def test_every_input_of_the_model_is_fed() -> None:
    infos = [Info((1, 2)), Info((3,), np.uint8, 5)]
    for case in stimuli(infos, 8, seed=1):
        assert [x.shape for x in case.inputs] == [(1, 2), (3,)]
        assert [x.dtype for x in case.inputs] == [np.int8, np.uint8]


# ---- comparing


def test_equal_outputs_compare_equal() -> None:
    x = np.arange(6, dtype=np.int8).reshape(1, 6)
    assert compare([x, x], [x.copy(), x.copy()]) == ""


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([[1, 2, 9, 4]], "output 0, element 2: 9 instead of 3; 1 of 4 differ"),
        ([[0, 0, 0, 0]], "output 0, element 0: 0 instead of 1; 4 of 4 differ"),
        ([[1, 2, 3]], "output 0 is int8"),
    ],
)
def test_a_difference_is_told_where_and_how_much(found: list[list[int]], says: str) -> None:
    expected = [np.array([[1, 2, 3, 4]], np.int8)]
    assert says in compare(expected, [np.array(found, np.int8)])


def test_a_missing_output_and_another_type_are_differences() -> None:
    x = np.zeros((1, 2), np.int8)
    assert "1 outputs instead of 2" in compare([x, x], [x])
    assert "uint8" in compare([x], [x.astype(np.uint8)])


# ---- verifying


def test_our_c_gives_the_golden_bytes(path: Path) -> None:
    found = verify(path, inputs=12)
    assert found == Verdict(str(path), "host", 12, 0, supported=True, reason="")


def test_progress_is_told_after_each_input(path: Path) -> None:
    told: list[int] = []
    verify(path, inputs=5, on_progress=told.append)
    assert told == [1, 2, 3, 4, 5]


class Damaged:
    """A compiler that flips one bit of the plan's data section."""

    def __init__(self, bit: int) -> None:
        self._bit = bit

    def __call__(self, content: bytes, **options: Any) -> Any:
        self.plan = bytearray(compile_model(content, **options).plan)
        header = Plan.parse(bytes(self.plan)).header
        self.plan[header["data"]] ^= 1 << self._bit
        return self


@pytest.mark.parametrize("bit", [0, 6])
def test_one_wrong_bit_in_the_weights_is_found(
    path: Path, monkeypatch: pytest.MonkeyPatch, bit: int
) -> None:
    monkeypatch.setattr(verify_package, "compile_model", Damaged(bit))
    found = verify(path, inputs=12)
    assert found.supported
    assert 0 < found.mismatches <= 12
    assert "instead of" in found.reason
    assert found.reason.startswith("input ")


def test_one_wrong_code_in_one_output_is_counted_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OffByOne(Engine):
        calls = 0

        def invoke(self, inputs: Any) -> list[np.ndarray]:
            outputs = super().invoke(inputs)
            OffByOne.calls += 1
            if OffByOne.calls == 4:
                outputs[0].reshape(-1)[-1] ^= 1
            return outputs

    monkeypatch.setattr(verify_package, "Engine", OffByOne)
    found = verify(path, inputs=12)
    assert (found.inputs, found.mismatches) == (12, 1)
    assert found.reason.startswith("input 3 (alternating): output 0, element 47:")


def test_an_unsupported_model_is_a_verdict_not_an_error(tmp_path: Path) -> None:
    graph = GraphBuilder()
    file = tmp_path / "logistic.tflite"
    file.write_bytes(graph.build([graph.unary("FLOOR", graph.input((1, 4)))]))
    found = verify(file)
    assert (found.supported, found.inputs, found.mismatches) == (False, 0, 0)
    assert "FLOOR" in found.reason


def test_a_model_that_does_not_fit_the_board_is_not_supported_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_args: object, **_options: object) -> Path:
        raise BudgetError("does not fit microbit: too much RAM")

    monkeypatch.setattr(firmware, "build", too_large)
    found = verify(path, board="microbit")
    assert (found.board, found.supported) == ("microbit", False)
    assert "too much RAM" in found.reason


@pytest.mark.parametrize("content", [None, b"", b"no model", b"\0\0\0\0TFL3" + b"\xff" * 64])
def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "broken.tflite"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.tflite"):
        verify(file)


# ---- the build that verify --board asks for


def fake_build(monkeypatch: pytest.MonkeyPatch, code: int, output: str) -> list[list[str]]:
    calls: list[list[str]] = []

    class Done:
        returncode, stdout = code, output

    def run(command: list[str], **_options: Any) -> Done:
        calls.append(command)
        return Done()

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_the_build_is_asked_for_the_file_and_its_elf_is_returned(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_build(monkeypatch, 0, "")
    made = firmware.build("native", path, quiet=True)
    assert calls[0][-2:] == ["board=native", f"model={path}"]
    assert made.elf.name == "firmware.elf"
    assert made.tflite == path


@pytest.mark.parametrize(
    "case",
    [
        (
            6,
            "flash 71736\nscons: flash: 71736 bytes, 6200 over the budget of 65536\nhint: x\n"
            "scons: *** [footprint.json] Explicit exit, status 6",
            BudgetError,
            r"^does not fit: flash: 71736 bytes, 6200 over the budget of 65536$",
            "x",
        ),
        (
            3,
            "scons: arm-none-eabi-gcc is not installed\nhint: sudo apt-get install it",
            MissingToolError,
            r"^the firmware could not be built: arm-none-eabi-gcc is not installed$",
            "sudo apt-get install it",
        ),
        (
            2,
            "  cc main.c\nmain.c:3: error: expected ';'\nscons: *** failed",
            TorporError,
            r"^the firmware could not be built: main.c:3: error: expected ';'$",
            "to see it again: scons board=microbit model=",
        ),
        (1, "killed", TorporError, r"^the firmware could not be built: killed$", "to see it"),
    ],
    ids=["budget", "tool", "compiler", "other"],
)
def test_a_failed_build_is_told_by_kind_with_its_own_words(
    path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[int, str, type, str, str]
) -> None:
    code, output, kind, message, hint = case
    fake_build(monkeypatch, code, output)
    with pytest.raises(TorporError, match=message) as caught:
        firmware.build("microbit", path, quiet=True)
    assert type(caught.value) is kind
    assert caught.value.hint.startswith(hint)


# ---- the exit code


@pytest.mark.parametrize(
    ("mismatches", "supported", "code"),
    [([0, 0], [True, True], 0), ([0, 2], [True, True], 1), ([0, 0], [True, False], 5),
     ([3, 0], [True, False], 1)],
)  # fmt: skip
def test_a_difference_weighs_more_than_an_unsupported_model(
    mismatches: list[int], supported: list[bool], code: int
) -> None:
    verdicts = [
        Verdict("m", "host", 4, count, supported=ok, reason="")
        for count, ok in zip(mismatches, supported, strict=True)
    ]
    assert command.exit_code(verdicts) == code


def test_a_difference_ends_the_command_with_1(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from torpor.cli.main import dispatch  # noqa: PLC0415

    monkeypatch.setattr(verify_package, "compile_model", Damaged(6))
    assert dispatch(["verify", str(path), "--json", "--inputs", "6"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["mismatches"] > 0
    assert dispatch(["verify", str(path)]) == 1
    assert "inputs differ" in capsys.readouterr().out


# ---- floats and bools


def test_floats_are_made_about_the_range_that_is_quantized() -> None:
    info = FloatInput((1, 40, 40), scale=0.5, zero_point=-28)
    cases = {case.kind: case.inputs[0] for case in stimuli([info], 8, seed=1)}
    assert {x.dtype for x in cases.values()} == {np.dtype(np.float32)}
    assert set(cases["lowest"].flat) == {-50.0}
    assert set(cases["highest"].flat) == {77.5}
    assert set(cases["zero"].flat) == {0.0}
    assert cases["ramp"].min() < -60 and cases["ramp"].max() > 90
    assert cases["random"].min() < -50 and cases["random"].max() > 77.5
    corners = cases["corners"].reshape(-1)
    assert np.isnan(corners).any() and np.isinf(corners).any()
    halves = corners[np.abs(corners) < 1000] * 2 % 1
    assert (halves == 0.5).mean() > 0.9, "few lie halfway between two codes"


def test_floats_of_which_nothing_is_known_lie_about_one() -> None:
    (case,) = list(stimuli([Info((1, 4), np.float32, 0)], 6, seed=1))[5:]
    assert case.inputs[0].dtype == np.float32
    assert 0 < np.abs(case.inputs[0]).max() <= 1.25


def test_inputs_may_be_of_any_type() -> None:
    kinds = (np.bool_, np.uint8, np.int16, np.int32)
    for case in stimuli([Info((1, 9), kind, 0) for kind in kinds], 8, seed=1):
        assert tuple(x.dtype for x in case.inputs) == tuple(map(np.dtype, kinds))
