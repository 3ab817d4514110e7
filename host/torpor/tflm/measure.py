# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How large the tensor arena must be, measured on an emulated core (firmware/app/measure)."""

import contextlib
import json
import re
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from torpor.board import Board, board_names, load_board
from torpor.errors import BudgetError, DeviceError, TorporError

STACK_BYTES = 32 << 10
"""The stack of the measuring program: more than any kernel has needed."""

_SECONDS = 600.0
_LINE = re.compile(r"^measured arena=(\d+) used=(\d+) stack=(\d+)$")
_FAILED = re.compile(r"^failed: (.*)$")
_RUNS_ON = {"cortex-m0plus": "cortex-m0"}
"""A core without an emulator -> one that runs the same code, Armv6-M."""


@dataclass(frozen=True)
class Measured:
    """What the measuring program has said: the content of arena.json.

    Attributes:
        tensor_arena: the fewest bytes with which the model can be opened, a multiple of 16.
        stack: the most that opening it and inferring have used; 0 where it cannot be known.
        board: on which it was.
        host: bytes of the tensor arena that this computer needs.
    """

    tensor_arena: int
    stack: int
    board: str
    host: int

    def to_json(self) -> str:
        """Return the content of arena.json."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def summary(self) -> str:
        """Return one line."""
        return (
            f"tensor arena {self.tensor_arena} on {self.board}, {self.host} on this computer  "
            f"stack {self.stack}"
        )


def stand_in(board: Board) -> Board | str:
    """Return the board on which programs for `board` are measured, or why there is none.

    It has the same core, and of those in QEMU the most RAM: what a model needs does not depend on
    what there is.
    """
    if board.core.name == "native":
        return board
    found = [other for other in _emulated() if _is_like(board, other)]
    if not found:
        return f"no board in QEMU has the core of {board.name}"
    chosen = max(found, key=lambda other: (other.memory["ram"].size, other.name == board.name))
    assert chosen.emulator is not None
    program = chosen.emulator.program
    return chosen if shutil.which(program) else f"{program} is not installed"


def _emulated() -> list[Board]:
    """Return all boards in QEMU; those of others that are broken are of no interest here."""
    boards = []
    for name in board_names():
        with contextlib.suppress(TorporError):
            boards.append(load_board(name))
    return [board for board in boards if board.emulator and board.emulator.kind == "qemu"]


def _is_like(board: Board, other: Board) -> bool:
    if other.core.flags == board.core.flags:
        return True
    return _RUNS_ON.get(board.core.name) == other.core.name


def measure(elf: Path, board: Board, host: int) -> Measured:
    """Run the measuring program.

    Args:
        elf: the program.
        board: that it was built for, one that is emulated.
        host: bytes of the tensor arena that this computer needs.

    Raises:
        BudgetError: the arena that it has is not enough, or the model cannot be run at all.
        DeviceError: it says nothing.
    """
    line = _said(elf, board)
    if match := _FAILED.match(line):
        raise BudgetError(
            f"TensorFlow Lite Micro cannot run the model: {match[1]}",
            f"seen on board '{board.name}', with as much memory as it has",
        )
    match = _LINE.match(line)
    if match is None:
        raise DeviceError(f"{elf}: not a measurement: {line!r}")
    return Measured(int(match[1]), int(match[3]), board.name, host)


def _said(elf: Path, board: Board) -> str:
    """Return the last line that the program prints before it stops."""
    from torpor.emulate import start  # noqa: PLC0415 - the build asks for stand_in() alone

    deadline = time.monotonic() + _SECONDS
    received = b""
    with start(board, elf) as emulator:
        while time.monotonic() < deadline:
            received += emulator.transport.read(1.0)
            for line in received.decode("utf-8", "replace").splitlines(keepends=True):
                text = line.rstrip()
                if line.endswith("\n") and (_LINE.match(text) or _FAILED.match(text)):
                    return text
    raise DeviceError(
        f"{elf} has not measured anything in {_SECONDS:.0f} s: {received[-200:]!r}",
        "say how large the arena is: scons ... arena=BYTES",
    )
