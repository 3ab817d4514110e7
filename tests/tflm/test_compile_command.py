# SPDX-License-Identifier: Apache-2.0
"""torpor compile --engine tflm, as a process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.small_models import one_dense, small_cnn
from torpor.cli.main import dispatch
from torpor.errors import UsageError
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan

MODEL = small_cnn()


def compiled(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torpor", "compile", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def tflite(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(MODEL)
    return path


def test_it_writes_the_files_of_every_plan(tflite: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = compiled(tflite, "--engine", "tflm", "--json", "-o", out, "--labels", "a,b,c,d,e")
    assert {p.name for p in out.iterdir()} == {"plan.bin", "plan.c", "kernels.txt", "report.json"}
    plan = Plan.parse((out / "plan.bin").read_bytes())
    assert plan.data == MODEL and plan.name == "small" and plan.labels[4] == "e"
    report = json.loads((out / "report.json").read_text())
    assert json.loads(done.stdout) == report
    assert (out / "kernels.txt").read_text().split() == report["kernels"]
    size = report["tensor_arena"]
    assert size["source"] == "host" and size["bytes"] == size["host"] > 0
    assert plan.header["arena_bytes"] == CONST["PLAN_TFLM_BYTES"] + size["bytes"]


def test_it_takes_the_arena_of_the_build(tflite: Path, tmp_path: Path) -> None:
    measured = {"tensor_arena": 3008, "stack": 900, "board": "mps2_an386", "host": 4000}
    (tmp_path / "arena.json").write_text(json.dumps(measured))
    done = compiled(tflite, "--engine=tflm", "--arena-file", tmp_path / "arena.json")
    assert "3008  tensor arena, measured on the emulated mps2_an386; stack 900" in done.stdout


def test_it_takes_an_arena_that_is_given(tflite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--engine=tflm", "--arena", "5000", "--keep-input"]
    assert dispatch(["compile", str(tflite), *words]) == 0
    shown = capsys.readouterr().out
    assert "5008  tensor arena, given by the user" in shown and "kept inputs" in shown


@pytest.mark.parametrize(
    "words, said",
    [
        (["--engine", "other"], "unknown engine 'other'"),
        (["--engine=tflm", "--target", "portable"], "--target is for --engine torpor"),
        (["--arena", "100"], "--arena is for --engine tflm"),
        (["--arena-file", "x"], "--arena-file is for --engine tflm"),
        (["--engine=tflm", "--arena", "1", "--arena-file", "x"], "not allowed with"),
        (["--engine=tflm", "--arena", "much"], "not the bytes of an arena: much"),
        (["--engine=tflm", "--arena-file", "missing"], "cannot read missing"),
    ],
)
def test_wrong_options_are_named(
    words: list[str], said: str, tflite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((UsageError, SystemExit)) as caught:
        dispatch(["compile", str(tflite), *words])
    assert said in str(caught.value) + capsys.readouterr().err


def test_a_refused_model_has_its_own_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(one_dense(dtype="int4", scale=[0.1, 0.2]))
    done = compiled(path, "--engine=tflm", code=5)
    assert "torpor: operator 0 (FULLY_CONNECTED), tensor 1" in done.stderr
    assert "hint: torpor quantize makes them per tensor" in done.stderr and not done.stdout


def test_our_own_engine_is_the_default(tflite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["compile", str(tflite), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["target"] == "portable"
