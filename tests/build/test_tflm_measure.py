# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Measuring the tensor arena: on which board, and what a program may say. The program is a fake."""

import json
import sys
from pathlib import Path

import pytest

from torpor.board import Board, board_names, load_board
from torpor.errors import BudgetError, DeviceError
from torpor.tflm.measure import Measured, measure, stand_in

PROGRAM = """\
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[2].removeprefix("unix:"))
server.listen()
port, _ = server.accept()
for piece in {pieces!r}:
    port.sendall(piece)
{end}
"""


def program(folder: Path, *pieces: bytes, stays: bool = True) -> Path:
    """Write a firmware for the native board that sends something over its serial port."""
    end = "port.recv(1)" if stays else ""
    file = folder / "firmware.elf"
    file.write_text(f"#!{sys.executable}\n{PROGRAM.format(pieces=pieces, end=end)}")
    file.chmod(0o755)
    return file


def found(folder: Path, *pieces: bytes, stays: bool = True) -> Measured:
    return measure(program(folder, *pieces, stays=stays), load_board("native"), 3000)


# ---- what the program says


def test_the_line_becomes_arena_json(tmp_path: Path) -> None:
    measured = found(tmp_path, b"measured arena=1936 used=1900 stack=1204\n")
    assert json.loads(measured.to_json()) == {
        "tensor_arena": 1936,
        "stack": 1204,
        "board": "native",
        "host": 3000,
    }
    assert "1936 on native, 3000 on this computer" in measured.summary()


def test_the_line_may_come_in_pieces_among_others(tmp_path: Path) -> None:
    pieces = (b"hello\r\nmeasured arena=16", b" used=8 st", b"ack=0\r", b"\n")
    assert found(tmp_path, *pieces).tensor_arena == 16


def test_a_program_that_says_no_more_than_half_a_line_has_measured_nothing(tmp_path: Path) -> None:
    with pytest.raises(DeviceError):
        found(tmp_path, b"measured arena=16 used=8 stack=12", stays=False)


def test_a_model_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    line = b"failed: arena Failed to resize buffer. Requested: 4096\n"
    with pytest.raises(BudgetError) as error:
        found(tmp_path, line)
    assert "arena Failed to resize buffer. Requested: 4096" in error.value.message
    assert "native" in error.value.hint


# ---- on which board


def name_of(board: Board | str) -> str:
    assert isinstance(board, Board), board
    return board.name


@pytest.mark.parametrize(
    ("board", "measured_on"),
    [
        ("native", "native"),
        ("mps2_an386", "mps2_an386"),
        ("stm32f4_discovery", "mps2_an386"),
        ("nrf52840dk", "mps2_an386"),
        ("microbit", "nrf51_large"),
        ("rp2040_pico", "nrf51_large"),
        ("mps3_an547", "mps3_an547"),
    ],
)
def test_a_board_is_measured_on_one_in_qemu_of_its_core(
    board: str, measured_on: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qemu = tmp_path / "qemu-system-arm"
    qemu.write_text("#!/bin/sh\n")
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert name_of(stand_in(load_board(board))) == measured_on


def test_without_the_emulator_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert stand_in(load_board("mps2_an386")) == "qemu-system-arm is not installed"
    assert name_of(stand_in(load_board("native"))) == "native"


def test_whoever_stands_in_runs_the_same_code() -> None:
    for name in board_names():
        board = load_board(name)
        other = stand_in(board)
        if isinstance(other, Board) and board.core.name != "cortex-m0plus":
            assert other.core.flags == board.core.flags
