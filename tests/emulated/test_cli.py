# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor boards, demo and emulate as a user sees them: processes, their output and exit code."""

import dataclasses
import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.emulated.conftest import Reference, built, with_changed_plan
from tests.emulated.processes import TORPOR, alive, children
from torpor.board import Board, board_names
from torpor.cli import demo
from torpor.emulate import Firmware
from torpor.link import DeviceClient, open_transport
from torpor.model import load_model

Done = subprocess.CompletedProcess[str]


def torpor(*words: str, **options: Any) -> Done:
    return subprocess.run(
        [TORPOR, *words], capture_output=True, text=True, timeout=250, check=False, **options
    )


def assert_quiet_failure(done: Done, code: int, message: str) -> None:
    assert done.returncode == code
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


# ---- torpor boards


def test_boards_lists_every_folder_of_boards() -> None:
    done = torpor("boards", "--json")
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == board_names()
    (microbit,) = (row for row in rows if row["name"] == "microbit")
    assert (microbit["core"], microbit["ram_bytes"]) == ("cortex-m0", 16384)
    assert set(microbit) >= {"flash_bytes", "emulator", "tier", "title"}


def test_boards_fits_a_terminal_of_80_columns() -> None:
    done = torpor("boards", env=os.environ | {"COLUMNS": "80"})
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if "mps2_an386" in line)
    assert re.search(r"cortex-m4 .*4096 .*4096 .*QEMU mps2-an386 .*emulated", row)


# ---- torpor demo

KEYS = {
    *("board", "model", "bits", "windows", "correct", "byte_equal"),
    *("flash_bytes", "ram_bytes", "model_bytes", "insn_per_inference"),
}


@pytest.mark.emulated
@pytest.mark.parametrize("bits", [8, 4], ids=["int8", "int4"])
def test_demo_prints_one_object(board: Board, made: Firmware, bits: int) -> None:
    words = ["--board", board.name, "--bits", str(bits), "--windows", "8"]
    done = torpor("demo", "motion", *words, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == KEYS
    assert (found["board"], found["model"], found["bits"]) == (board.name, "motion", bits)
    assert (found["windows"], found["byte_equal"]) == (8, True)
    assert found["model_bytes"] == len(made.plan)
    assert found["flash_bytes"] > found["model_bytes"]
    assert (found["insn_per_inference"] is None) == (board.name == "native")


@pytest.mark.emulated
def test_demo_prints_a_table_and_a_summary_and_talks_on_stderr() -> None:
    words = ["--board", "native", "--elf", str(built("native", 8).elf), "--windows", "5"]
    done = torpor("demo", *words, env=os.environ | {"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    rows = [line for line in done.stdout.splitlines() if re.match(r"\s+\d+ ", line)]
    assert [row.split()[0] for row in rows] == ["0", "1", "2", "3", "4"]
    assert all(row.split()[1] in load_model("motion").labels for row in rows)
    assert re.search(r"recognised +\d of 5", done.stdout)
    assert re.search(r"bytes as in TensorFlow Lite Micro +5 of 5\b", done.stdout)
    assert re.search(r"bytes as in our C on this computer +5 of 5\b", done.stdout)
    assert done.stderr.splitlines()[-1] == "5 of 5 windows"


@pytest.mark.emulated
def test_demo_runs_both_widths_and_says_how_many_rows_it_left_out() -> None:
    words = ["--board", "native", "--windows", "5", "--rows", "2"]
    done = torpor("demo", *words, env=os.environ | {"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if re.match(r"\s+\d+ ", line)]
    assert [row.split()[0] for row in rows] == ["0", "1", "0", "1"]
    assert done.stdout.count("and 3 more, recognised and byte-equal") == 2
    assert re.search(r"motion on native +int8 +int4", done.stdout)


@pytest.mark.emulated
def test_demo_builds_what_it_needs_and_shows_the_build_on_stderr() -> None:
    done = torpor("demo", "--board", "native", "--windows", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["windows"] == 1
    assert "firmware.elf" in done.stderr


@pytest.mark.emulated
def test_demo_shows_a_bar_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    words = ["--board", "native", "--elf", str(built("native", 8).elf), "--windows", "20"]
    process = subprocess.Popen([TORPOR, "demo", *words], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while piece := _read_terminal(ours):
        shown += piece
    process.communicate()
    os.close(ours)
    assert process.returncode == 0
    assert b"20/20" in shown
    assert b"of 20 windows" not in shown


def _read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end is closed
        return b""


@pytest.fixture
def copy(made: Firmware, tmp_path: Path) -> Iterator[Path]:
    """A copy of a build, to be damaged."""
    folder = tmp_path / made.elf.parent.name
    shutil.copytree(made.elf.parent, folder)
    yield folder / "firmware.elf"


@pytest.mark.emulated
def test_demo_notices_a_firmware_with_another_plan(
    board: Board, made: Firmware, copy: Path
) -> None:
    last = len(made.plan) - 32
    elf = with_changed_plan(made, copy.parent, last, made.plan[last] ^ 1)
    done = torpor("demo", "--board", board.name, "--elf", str(elf), "--windows", "1")
    assert_quiet_failure(done, 7, "another plan than the one beside it")


@pytest.mark.emulated
def test_demo_sees_the_width_of_a_given_firmware() -> None:
    elf = str(built("native", 4).elf)
    done = torpor("demo", "--board", "native", "--elf", elf, "--windows", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["bits"], json.loads(done.stdout)["byte_equal"]) == (4, True)


@pytest.mark.emulated
def test_demo_tells_a_missing_compiler_by_its_exit_code(tmp_path: Path) -> None:
    done = torpor("demo", env={"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert_quiet_failure(done, 3, "gcc-arm-none-eabi")


@pytest.mark.emulated
def test_demo_without_its_emulator_names_the_package() -> None:
    words = ["--board", "mps2_an386", "--elf", str(built("native", 8).elf)]
    done = torpor("demo", *words, env={"PATH": "/nowhere", "HOME": "/"})
    assert_quiet_failure(done, 3, "apt-get install qemu-system-arm")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--board", "mps2_an387"], "did you mean 'mps2_an386'"),
        (["moton"], "did you mean 'motion'"),
        (["--bits", "5"], "invalid choice: 5"),
        (["--windows", "0"], "'0' is no whole number from 1 on"),
        (["--elf", "/nowhere/firmware.elf"], "no such firmware: /nowhere/firmware.elf"),
        (["--elf", TORPOR], "plan.bin"),
    ],
)
def test_demo_refuses_wrong_words(words: list[str], message: str) -> None:
    assert_quiet_failure(torpor("demo", *words), 2, message)


def outcome(**changes: Any) -> demo.Outcome:
    fine = demo.Window(0, 1, 1, 0.9, 1000, golden_equal=True, engine_equal=True)
    second = dataclasses.replace(fine, number=1, **changes)
    return demo.Outcome("b", load_model("motion"), 8, [fine, second], 1, 1, 1)


def shown(result: demo.Outcome) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(demo._window_table(result, rows=1))
    console.print(demo._summary([result]))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text.splitlines()


def test_a_demo_where_all_is_well_is_good_and_marks_nothing() -> None:
    assert outcome().good
    assert not any("wrong" in line or "differ" in line for line in shown(outcome()))


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"best": 0}, "wrong"),
        ({"golden_equal": False}, "bytes differ"),
        ({"engine_equal": False}, "bytes differ"),
        ({"best": 0, "golden_equal": False}, "wrong, bytes differ"),
    ],
    ids=str,
)
def test_a_bad_window_is_marked_and_fails_the_demo(changes: dict[str, Any], remark: str) -> None:
    result = outcome(**changes)
    assert not result.good
    (line,) = (line for line in shown(result) if line.strip().startswith("1 "))
    assert line.strip().endswith(remark)
    assert result.to_json()["byte_equal"] == ("differ" not in remark)


# ---- torpor emulate


@pytest.mark.emulated
def test_emulate_offers_the_board_on_a_port_until_ctrl_c(
    board: Board, made: Firmware, reference: Reference, tmp_path: Path
) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    process = subprocess.Popen(
        [TORPOR, "emulate", "--board", board.name, "--link", str(tmp_path / "tty")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    assert process.stdout
    port = process.stdout.readline().strip()
    (emulator,) = children(process.pid)
    for window in range(2):  # a client may leave and another one come
        client = DeviceClient(open_transport(port), timeout=5)
        assert client.infer(window, [reference.inputs[window]]).outputs == reference.outputs[window]
        client.close()
    process.send_signal(signal.SIGINT)
    out, talk = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in talk
    assert not alive(emulator)
    assert list(folder.iterdir()) == []
    assert not (tmp_path / "tty").is_symlink()


def test_emulate_refuses_an_unknown_board() -> None:
    assert_quiet_failure(torpor("emulate", "--board", "nativ"), 2, "did you mean 'native'")
