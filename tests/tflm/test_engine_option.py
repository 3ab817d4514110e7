# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""`--engine` of the commands, as processes: what is refused, and both engines beside each other."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.small_models import small_cnn
from tests.support.tflm import real_library, stand_in, tflm_dir
from torpor.cli.main import dispatch
from torpor.errors import UsageError
from torpor.paths import ENGINES

Done = subprocess.CompletedProcess[str]
OF_TFLM = ("TFLM_DIR", "TFLM_LIB")
pytestmark = pytest.mark.xdist_group("engine-option")  # what they build is built once


def torpor(*words: object, code: int = 0, tree: Path | None = None, lib: str = "") -> Done:
    env = {name: value for name, value in os.environ.items() if name not in OF_TFLM}
    env |= {"COLUMNS": "80"} | ({"TFLM_DIR": str(tree)} if tree else {})
    done = subprocess.run(
        [sys.executable, "-m", "torpor", *map(str, words)],
        env=env | ({"TFLM_LIB": lib} if lib else {}),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engines") / "engines_small.tflite"
    path.write_bytes(small_cnn())
    return path


# ---- refused before anything is built

BUILDING = [
    *(["bench", "motion"], ["demo", "motion"], ["demo", "wake"], ["emulate"], ["power", "motion"]),
    ["verify", "none.tflite", "--board", "mps2_an386"],
    ["replay", "--board", "mps2_an386", "--model", "motion"],
]
NAMES = [" ".join(words[:2]) for words in BUILDING]


@pytest.mark.parametrize("words", [*BUILDING, ["bisect", "none.tflite"]], ids=" ".join)
def test_an_engine_that_there_is_not_is_refused_with_the_nearest(words: list[str]) -> None:
    with pytest.raises(UsageError, match="unknown engine 'tflw'") as caught:
        dispatch([*words, "--engine", "tflw"])
    assert caught.value.hint == f"did you mean 'tflm'? known: {', '.join(sorted(ENGINES))}"


@pytest.mark.parametrize("words", BUILDING, ids=NAMES)
def test_without_tflm_dir_every_command_says_what_the_build_says(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TFLM_DIR", raising=False)
    with pytest.raises(UsageError, match=r"^engine=tflm needs TFLM_DIR="):
        dispatch([*words, "--engine", "tflm"])


def test_without_tflm_dir_there_are_two_lines() -> None:
    lines = torpor("bench", "motion", "--engine", "tflm,torpor", code=2).stderr.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["torpor:", "hint:"]


def test_a_tree_that_fits_no_board_is_named_once(tmp_path: Path) -> None:
    words = ["bench", "motion", "--board", "all", "--engine", "tflm"]
    done = torpor(*words, code=2, tree=tmp_path)
    assert done.stderr.count("not a tree of TFLM") == 1


def test_verify_on_this_computer_is_about_our_engine_alone() -> None:
    done = torpor("verify", "none.tflite", "--engine", "tflm", code=2)
    assert done.stderr.splitlines() == [
        "torpor: engine tflm runs in firmware alone",
        "hint: name a board: --board native, --board mps2_an386",
    ]


def test_bisect_cannot_look_into_the_other_engine() -> None:
    words = ["bisect", "none.tflite", "--board", "native", "--engine", "tflm"]
    lines = torpor(*words, code=2).stderr.splitlines()
    assert "does not show what its operators write" in lines[0]
    assert "torpor verify" in lines[1]


# ---- both engines, with the stand-in, which computes something else


@pytest.fixture(scope="module")
def beside(model: Path) -> tuple[list[dict[str, Any]], str]:
    words = ["bench", model, "--board", "native", "--engine", "tflm,torpor", "--inputs", 2]
    done = torpor(*words, "--json", code=1, tree=stand_in("native"))
    return json.loads(done.stdout), done.stderr


@pytest.mark.emulated
def test_bench_has_an_object_for_each_engine_in_their_order(
    beside: tuple[list[dict[str, Any]], str],
) -> None:
    theirs, ours = beside[0]
    assert (theirs["engine"], ours["engine"]) == ("tflm", "torpor")
    assert list(theirs) == list(ours)
    assert theirs["macs"] == ours["macs"]
    assert all(theirs[name] > 0 for name in ("code_bytes", "model_bytes", "ram_bytes"))


@pytest.mark.emulated
def test_the_bytes_of_each_engine_are_judged_by_themselves(
    beside: tuple[list[dict[str, Any]], str],
) -> None:
    (theirs, ours), said = beside
    assert (theirs["byte_equal"], ours["byte_equal"]) == (False, True)
    assert "engines_small on native with tflm: input 1" in said
    assert "engines_small on native: input" not in said


@pytest.mark.emulated
def test_bench_says_what_was_linked(beside: tuple[list[dict[str, Any]], str]) -> None:
    (line,) = (line for line in beside[1].splitlines() if line.startswith("tflm on native: "))
    assert str(stand_in("native")) in line
    assert "kernels reference" in line


@pytest.mark.emulated
def test_verify_finds_what_the_other_engine_computes_wrongly(model: Path) -> None:
    words = ["verify", model, "--board", "native", "--inputs", 2, "--engine", "tflm"]
    shown = torpor(*words, code=1, tree=stand_in("native")).stdout
    assert "native with tflm" in shown
    assert "2 inputs differ" in shown


# ---- with the user's TensorFlow Lite Micro


@pytest.mark.emulated
def test_a_real_one_gives_its_own_bytes(model: Path) -> None:
    real_library()
    words = ["bench", model, "--board", "native", "--engine", "tflm,torpor", "--inputs", 4]
    rows = json.loads(torpor(*words, "--json", tree=tflm_dir()).stdout)
    assert [row["byte_equal"] for row in rows] == [True, True]


@pytest.mark.emulated
def test_a_real_one_is_demonstrated_with_both_widths(model: Path) -> None:
    real_library()
    words = ["demo", "motion", "--board", "native", "--engine", "tflm", "--windows", 4]
    shown = torpor(*words, tree=tflm_dir()).stdout
    assert "motion on native with tflm" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("4 of 4 ") >= 5
