# SPDX-License-Identifier: Apache-2.0
"""The tensor arena is the smallest in which the model runs: measured once, crash or not."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.small_models import one_dense, small_cnn
from torpor.errors import ModelError, UnsupportedError, UsageError
from torpor.golden import Golden, TensorInfo
from torpor.tflm import arena, probe
from torpor.tflm.arena import STEP, Arena, given_arena, measure_host, read_arena
from torpor.tflm.probe import CRASH, ENOUGH, TOO_SMALL, allocates, attempt, bisect, sample

MODEL = small_cnn()


@given(st.integers(1, 1 << 20), st.integers(-100, 1 << 20))
def test_bisecting_finds_the_smallest_step_from_any_guess(needed: int, below: int) -> None:
    probes: list[int] = []

    def enough(size: int) -> bool:
        assert size > 0 and size % STEP == 0
        probes.append(size)
        return size >= needed

    assert bisect(below, enough) == -(-needed // STEP) * STEP
    assert len(probes) <= 2 * 18 and len(set(probes)) == len(probes)


def test_a_good_guess_needs_two_probes() -> None:
    probes: list[int] = []

    def enough(size: int) -> bool:
        probes.append(size)
        return size >= 1000

    assert bisect(1000, enough) == 1008 and probes == [992, 1008]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[arena.HostArena, Path]:
    cache = tmp_path_factory.mktemp("cache") / "of" / "arenas"
    return measure_host(MODEL, cache), cache


def test_the_arena_is_enough_and_a_step_less_is_not(
    measured: tuple[arena.HostArena, Path],
) -> None:
    size = measured[0].bytes
    assert size % STEP == 0 and size >= measured[0].lower_bound > 0
    assert attempt(lambda: allocates(MODEL, size)) == ENOUGH
    assert attempt(lambda: allocates(MODEL, size - STEP)) == TOO_SMALL


def test_what_was_tried_is_told(measured: tuple[arena.HostArena, Path]) -> None:
    found = measured[0]
    assert found.probes[-1] == (found.bytes, ENOUGH)
    assert (found.bytes - STEP, TOO_SMALL) in found.probes
    assert len(found.probes) < 30


def test_a_model_is_measured_once(
    measured: tuple[arena.HostArena, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert measure_host(MODEL, measured[1]) == measured[0]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"bytes": 1}', "\0"])
def test_a_broken_cache_is_no_cache(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_with(monkeypatch, {"bytes": 32, "lower_bound": 20, "probes": [[32, "enough"]]})
    first = measure_host(b"model", tmp_path)
    [file] = tmp_path.iterdir()
    file.write_text(content)
    assert measure_host(b"model", tmp_path) == first
    assert json.loads(file.read_text())["bytes"] == 32


def test_a_cache_that_cannot_be_written_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_with(monkeypatch, {"bytes": 32, "lower_bound": 20, "probes": []})
    (tmp_path / "file").write_text("")
    assert measure_host(b"model", tmp_path / "file" / "cache").bytes == 32


def measure_with(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]) -> None:
    """Have the process print `found`."""

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 0, json.dumps(found).encode(), b"")

    monkeypatch.setattr(subprocess, "run", run)


# ---- what may happen in the process


def test_a_crash_is_told_from_a_refusal() -> None:
    def crash() -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def refuse() -> None:
        raise RuntimeError

    assert (attempt(crash), attempt(refuse), attempt(lambda: None)) == (CRASH, TOO_SMALL, ENOUGH)


def test_what_an_attempt_prints_is_not_seen(capfd: pytest.CaptureFixture[str]) -> None:
    def talk() -> None:
        os.write(1, b"1")
        os.write(2, b"2")

    assert attempt(talk) == ENOUGH
    assert capfd.readouterr() == ("", "")


def test_a_hang_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_SECONDS", 0.05)
    assert attempt(signal.pause) == CRASH


def test_other_outputs_are_not_enough() -> None:
    golden = Golden(MODEL)
    inputs = [sample(info) for info in golden.inputs]
    wanted = [value.tobytes() for value in golden.invoke(inputs)]
    assert attempt(lambda: probe.runs(MODEL, 1 << 20, inputs, wanted)) == ENOUGH
    wanted[0] = bytes(len(wanted[0]))
    assert attempt(lambda: probe.runs(MODEL, 1 << 20, inputs, wanted)) == TOO_SMALL


def test_inputs_that_may_be_indices_are_zeros() -> None:
    def info(dtype: type) -> TensorInfo:
        return TensorInfo("x", (50,), np.dtype(dtype), 0.1, 0)

    assert not sample(info(np.int32)).any() and not sample(info(np.float32)).any()
    codes = sample(info(np.int8))
    assert codes.dtype == np.int8 and codes.min() < -50 and codes.max() > 50
    assert (codes == sample(info(np.int8))).all()


def test_what_the_interpreter_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="TensorFlow Lite Micro") as caught:
        measure_host(one_dense(dtype="int4", scale=[0.1, 0.2]), tmp_path)
    assert "kTfLiteInt4" in caught.value.message
    assert not list(tmp_path.iterdir())


def test_a_model_that_crashes_the_interpreter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(crashing.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(crashing))
    with pytest.raises(ModelError, match="crashes on this model"):
        measure_host(MODEL, tmp_path / "cache")


# ---- what a user says


@pytest.mark.parametrize("text, size", [("1", 16), ("16", 16), ("5000", 5008), ("0x100", 256)])
def test_a_given_arena_is_filled_up_to_sixteen(text: str, size: int) -> None:
    assert given_arena(text) == Arena(size, "given")


@pytest.mark.parametrize("text", ["", "0", "-16", "1e3", "4k", str(1 << 31)])
def test_what_is_no_arena_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not the bytes of an arena"):
        given_arena(text)


WRITTEN = {"tensor_arena": 3000, "stack": 900, "board": "mps2_an386", "host": 4624}


def test_the_file_of_the_build_is_read(tmp_path: Path) -> None:
    path = tmp_path / "arena.json"
    path.write_text(json.dumps(WRITTEN))
    assert read_arena(path) == Arena(3008, "board", "mps2_an386", 900)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"tensor_arena": "x", "stack": 1, "board": "b"}', b"\xff"],
)
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "arena.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not the file of an arena"):
        read_arena(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_arena(tmp_path)


def test_a_file_with_an_impossible_arena_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "arena.json"
    path.write_text(json.dumps({**WRITTEN, "tensor_arena": 0}))
    with pytest.raises(UsageError, match="not the bytes of an arena"):
        read_arena(path)
