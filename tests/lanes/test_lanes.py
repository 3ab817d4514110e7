# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How a device is chosen, and that a fingerprint can fail."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lanes import fingerprint
from tests.lanes.fingerprint import Observations, file_of
from tests.lanes.lane import DEFAULT, all_lanes, chosen, parse
from torpor.board import board_names, load_board
from torpor.paths import ROOT, TFLM, TORPOR


def pytest_of(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a lane, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/lanes/test_inference.py", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_every_board_that_is_emulated_and_updated_is_a_lane() -> None:
    boards = [load_board(name) for name in board_names()]
    wanted = {board.name for board in boards if board.emulator and board.slots}
    assert {lane.what for lane in all_lanes()} == wanted
    assert set(DEFAULT) <= {lane.name for lane in all_lanes()}
    assert chosen(["all"]) == all_lanes()
    assert {lane.name for lane in chosen([]) if lane.kind != "renode"} == set(DEFAULT)


def test_a_port_is_a_lane_whatever_its_name() -> None:
    assert parse("serial:/dev/ttyACM0").what == "/dev/ttyACM0"
    assert parse("serial:socket://localhost:1234").what == "socket://localhost:1234"


@pytest.mark.parametrize("text", ["qemu:mps2_an368", "serial:", "simulator", "renode:microbit"])
def test_a_device_that_there_is_not_is_a_mistake_in_one_line(text: str) -> None:
    done = pytest_of("--device", text)
    assert done.returncode == 4
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1 and f"no device '{text}'" in errors[0]
    if text == "qemu:mps2_an368":
        assert "did you mean qemu:mps2_an386?" in errors[0]


# ---- engines


def test_a_lane_with_another_engine_has_a_name_of_its_own() -> None:
    (ours,), (theirs,) = chosen(["qemu:mps2_an386"]), chosen(["qemu:mps2_an386"], TFLM)
    assert (ours.name, theirs.name) == ("qemu:mps2_an386", "qemu:mps2_an386+tflm")
    assert theirs.board == ours.board
    assert file_of(theirs.name, "a test") != file_of(ours.name, "a test")
    assert {lane.engine for lane in (*chosen([], TFLM), *chosen(["all"], TFLM))} == {TFLM}


def test_a_lane_without_tensorflow_lite_micro_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TFLM_DIR", raising=False)
    (theirs,) = chosen(["native"], TFLM)
    assert "TFLM_DIR" in theirs.missing
    assert replace(theirs, engine=TORPOR).missing == ""


def test_an_engine_that_there_is_not_is_refused_before_anything_runs() -> None:
    done = pytest_of("--engine", "tflite")
    assert done.returncode == 4
    assert "invalid choice: 'tflite'" in done.stderr


# ---- fingerprints


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "FOLDER", tmp_path)


def run(lane: str, value: object, of: str = "images", of_models: str = "models") -> None:
    observed = Observations(lane, "a test[1]", of, of_models)
    observed.see("mine", lane)
    observed.see("ours", value, everywhere=True)
    observed.keep()


def test_a_run_that_sees_the_same_is_equal() -> None:
    run("qemu:one", b"output")
    first = fingerprint.fingerprint("qemu:one")
    run("qemu:one", b"output")
    run("qemu:two", b"output")
    assert fingerprint.fingerprint("qemu:one") == first != fingerprint.fingerprint("qemu:two")
    assert fingerprint.fingerprint("qemu:three") == ""


def test_a_run_that_sees_something_else_fails() -> None:
    run("qemu:one", b"output")
    with pytest.raises(AssertionError, match=r"another run has seen something else"):
        run("qemu:one", b"Output")


def test_a_lane_that_sees_something_else_than_another_fails() -> None:
    run("qemu:one", b"output")
    with pytest.raises(AssertionError, match=r"everywhere"):
        run("qemu:two", b"Output")


def test_other_images_are_another_story() -> None:
    run("qemu:one", b"output")
    run("qemu:one", b"Output", of="other images", of_models="other models")
    run("qemu:one", b"Output", of="other images", of_models="other models")


def test_the_file_says_what_was_seen() -> None:
    run("qemu:one", [1, 2])
    text = file_of("qemu:one", "a test[1]").read_text()
    assert '"ours"' in text and '"mine"' in text


def test_two_runs_of_a_lane_have_one_fingerprint() -> None:
    """As processes, so that nothing is remembered but the files."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/lanes/test_inference.py"]
    command += ["--device", "native", "-p", "no:randomly", "-k", "not cable"]  # which takes long
    prints = []
    for _ in range(2):
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=250)
        shown = subprocess.run(
            [sys.executable, "-m", "tests.lanes.fingerprint", "native"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        prints.append(shown.stdout)
    assert prints[0] == prints[1]
    assert len(prints[0].split()[1]) == 64
