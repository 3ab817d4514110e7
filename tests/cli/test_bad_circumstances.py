# SPDX-License-Identifier: Apache-2.0
"""Full disks, closed pipes, odd names and odd files: every command ends in words, none in a trace.

Each test runs a command as a process, as a shell would.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from tests.models.floats import dense, model
from tests.support.small_models import small_cnn
from torpor.cli.main import EXIT_CODES, command_names

FULL = Path("/dev/full")
Done = subprocess.CompletedProcess[bytes]
BUFFERED = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
LONG = "x" * 300  # more than a name may have in any file system of Linux


def command(*words: object) -> list[Any]:
    arguments = [word if isinstance(word, bytes) else str(word) for word in words]
    return [sys.executable, "-m", "torpor", *arguments]


def torpor(*words: object, code: int, **options: Any) -> Done:
    """Run a command, insist on its exit code, and on no trace of Python on stderr."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": BUFFERED, **options}
    done = subprocess.run(command(*words), timeout=120, check=False, **streams)
    assert done.returncode == code, (done.stdout, done.stderr)
    for sign in (b"Traceback", b"Exception ignored", b"internal error", b"Warning"):
        assert sign not in (done.stderr or b"")
    return done


@pytest.fixture
def tflite(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(small_cnn())
    return path


# ---- where the output goes


@pytest.mark.parametrize(
    "words", [["models"], ["models", "--json"], ["boards"], ["boards", "--json"]]
)
def test_a_full_disk_is_named(words: list[str]) -> None:
    with FULL.open("wb") as full:
        done = torpor(*words, code=1, stdout=full)
    assert done.stderr == b"torpor: No space left on device\n"


def test_a_full_disk_is_named_after_a_long_report_too(tflite: Path) -> None:
    with FULL.open("wb") as full:
        assert b"No space left" in torpor("compile", tflite, code=1, stdout=full).stderr


def closed_pipe() -> IO[bytes]:
    """Return the writing end of a pipe that nobody reads, as after `| head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "wb", buffering=0)


@pytest.mark.parametrize("words", [["models", "--json"], ["boards", "--json"]])
def test_a_reader_that_has_seen_enough_is_no_failure(words: list[str]) -> None:
    with closed_pipe() as pipe:
        assert torpor(*words, code=0, stdout=pipe).stderr == b""


@pytest.mark.parametrize("name", ["models", "boards"])
def test_a_table_that_nobody_reads_ends_quietly(name: str) -> None:
    with closed_pipe() as pipe:
        assert torpor(name, code=1, stdout=pipe).stderr == b""  # rich decides on the code


def test_a_report_that_nobody_reads_ends_quietly(tflite: Path) -> None:
    with closed_pipe() as pipe:
        assert torpor("compile", tflite, code=0, stdout=pipe).stderr == b""


def test_a_closed_stdout_does_not_keep_files_from_being_written(tflite: Path) -> None:
    out = tflite.parent / "out"
    script = 'exec "$@" >&-'
    words = ["sh", "-c", script, "sh", *command("compile", tflite, "-o", out)]
    done = subprocess.run(words, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (out / "plan.bin").stat().st_size > 0


def test_an_error_is_an_error_on_a_full_disk_too(tmp_path: Path) -> None:
    with FULL.open("wb") as full:
        done = torpor("compile", tmp_path / "absent.tflite", code=4, stdout=full)
    assert b"absent.tflite: No such file" in done.stderr


# ---- names


@pytest.mark.parametrize("name", ["größe 模.tflite".encode(), b"latin-\xfc.tflite"])
def test_any_name_that_a_file_can_have_can_be_compiled(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118 - bytes
    Path(os.fsdecode(path)).write_bytes(small_cnn())
    torpor("compile", path, "-o", tmp_path / "out", code=0)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["name"] == name.removesuffix(b".tflite").decode(errors="replace").replace(
        "\ufffd", "?"
    )
    assert torpor("verify", path, "--inputs", 1, "--json", code=0).stdout


@pytest.mark.parametrize("option", ["--name", "--labels"])
def test_bytes_that_are_no_unicode_become_question_marks_in_the_plan(
    tflite: Path, option: str
) -> None:
    out = tflite.parent / "out"
    value = b"\xfcb" if option == "--name" else b"a,\xfcb,c,d,e"
    torpor("compile", tflite, option, value, "-o", out, code=0)
    assert b"?b\0" in (out / "plan.bin").read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ["compile", LONG],
        ["verify", LONG],
        ["quantize", LONG],
        ["quantize", f"{LONG}.tflite", "--calibration", "x.npy"],
        ["evaluate", LONG],
        ["demo", "--board", "native", "--elf", LONG],
        ["emulate", "--board", "native", "--elf", LONG],
    ],
    ids=lambda words: words[0],
)
def test_a_name_that_is_too_long_is_a_mistake_in_words(words: list[str]) -> None:
    done = subprocess.run(command(*words), capture_output=True, check=False, timeout=60)
    assert done.returncode in (1, 2, 4)
    assert b"Traceback" not in done.stderr
    assert b"File name too long" in done.stderr
    assert LONG.encode() in done.stderr


@pytest.mark.parametrize("text", ["", ".", "..", "/", "/etc/passwd", "models"])
@pytest.mark.parametrize("name", ["quantize", "evaluate"])
def test_what_is_no_model_is_answered_with_the_known_ones(name: str, text: str) -> None:
    error = torpor(name, text, code=2).stderr.decode()
    assert error.splitlines()[0] == f"torpor: unknown model '{text}'"
    assert "known: alexa, motion" in error


@pytest.mark.parametrize("name", ["", "main", "__init__", "cli", "Models", "/bin/sh"])
def test_what_is_no_command_is_answered_with_the_known_ones(name: str) -> None:
    error = torpor(name, code=2).stderr.decode()
    assert f"unknown command '{name}'" in error
    assert all(known in error for known in command_names())


# ---- files


@pytest.mark.parametrize("name", ["compile", "verify"])
def test_a_folder_an_empty_and_an_absent_file_are_told_apart(tmp_path: Path, name: str) -> None:
    folder, empty = tmp_path / "folder.tflite", tmp_path / "empty.tflite"
    folder.mkdir()
    empty.touch()
    assert b"Is a directory" in torpor(name, folder, code=4).stderr
    assert b"not a .tflite file" in torpor(name, empty, code=4).stderr
    assert b"No such file" in torpor(name, tmp_path / "absent.tflite", code=4).stderr


def test_a_model_that_was_cut_off_asks_for_a_whole_one(tflite: Path) -> None:
    tflite.write_bytes(tflite.read_bytes()[:500])
    error = torpor("compile", tflite, code=4).stderr.decode()
    assert "hint: is it a whole .tflite file?" in error


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_an_output_folder_that_is_a_file_is_named(tflite: Path, below: str) -> None:
    out = f"{tflite}{below}"
    done = torpor("compile", tflite, "-o", out, code=1)
    assert done.stderr.startswith(f"torpor: cannot write to {out}: ".encode())
    assert done.stdout == b""


@pytest.mark.parametrize("out", [".", "{file}/x.tflite"])
def test_quantize_names_the_file_that_it_cannot_write(tflite: Path, out: str) -> None:
    path = out.format(file=tflite)
    done = torpor("quantize", "motion", "--no-accuracy", "-o", path, code=1)
    assert done.stderr.startswith(f"torpor: cannot write {path}: ".encode())


SAMPLES: dict[str, tuple[Any, str]] = {
    "text": (np.array(["a", "b"]), "not numbers"),
    "complex": (np.ones((3, 8), complex), "complex128, not numbers"),
    "truth": (np.ones((3, 8), bool), "bool, not numbers"),
    "nan": (np.full((3, 8), np.nan), "finite numbers throughout"),
    "beyond float32": (np.full((3, 8), 1e300), "finite numbers throughout"),
    "none": (np.zeros((0, 8)), "at least one sample"),
    "scalar": (np.float32(3), "equally many samples"),
    "wide": (np.ones((3, 9)), "has the shape [9], the model takes [1, 8]"),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_calibration_that_is_no_calibration_is_refused_in_words(tmp_path: Path, kind: str) -> None:
    array, words = SAMPLES[kind]
    np.save(tmp_path / "x.npy", array)
    (tmp_path / "f.tflite").write_bytes(model(dense))
    out = tmp_path / "q.tflite"
    arguments = [tmp_path / "f.tflite", "--calibration", tmp_path / "x.npy", "-o", out]
    assert words in torpor("quantize", *arguments, code=4).stderr.decode()
    assert not out.exists()


def test_an_archive_without_arrays_is_said_to_have_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz")
    (tmp_path / "f.tflite").write_bytes(model(dense))
    done = torpor("quantize", tmp_path / "f.tflite", "--calibration", tmp_path / "x.npz", code=4)
    assert b"it has: none" in done.stderr


def test_a_model_description_that_is_a_folder_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "mine" / "model.toml").mkdir(parents=True)
    assert b"unknown model" in torpor("evaluate", tmp_path / "mine", code=2).stderr


# ---- the top


def test_help_names_every_command_and_every_exit_code() -> None:
    shown = torpor("--help", code=0).stdout.decode()
    assert EXIT_CODES in shown
    for name in command_names():
        assert f"\n  {name}" in shown


@pytest.mark.parametrize("name", command_names())
def test_every_command_explains_itself_and_refuses_unknown_options(name: str) -> None:
    assert f"usage: torpor {name}".encode() in torpor(name, "--help", code=0).stdout
    error = torpor(name, "--frobnicate", code=2).stderr.decode()
    assert error.startswith("torpor: ")
    assert f"hint: torpor {name} --help" in error


def test_without_a_command_the_overview_goes_to_stderr_with_exit_code_2() -> None:
    done = torpor(code=2)
    assert done.stdout == b""
    assert b"commands:" in done.stderr


def test_ctrl_c_ends_a_command_quietly_with_130(tmp_path: Path) -> None:
    fifo = tmp_path / "model.tflite"
    os.mkfifo(fifo)  # the command waits here until somebody writes
    process = subprocess.Popen(command("compile", fifo), stderr=subprocess.PIPE)
    with fifo.open("wb"):  # returns when the command has opened it
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (130, b"")
