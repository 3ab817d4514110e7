# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where the tests of this folder run: --device native, qemu:BOARD, renode:BOARD, serial:PORT."""

import difflib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torpor.board import Board, board_names, load_board
from torpor.errors import TorporError
from torpor.paths import TFLM, TORPOR
from torpor.tflm.tree import find

KINDS = ("native", "qemu", "renode", "serial")
ALL = "all"
DEFAULT = ("native", "qemu:mps2_an386", "qemu:microbit")
"""A process and two cores; whatever Renode runs is added. The others take minutes each: they have
tests/emulated in every run, and these when they are asked for."""


@dataclass(frozen=True)
class Lane:
    """One device to test.

    Attributes:
        device: as given with --device.
        kind: of KINDS.
        what: the board's name; the port of a serial lane.
        engine: what runs the models: --engine.
    """

    device: str
    kind: str
    what: str
    engine: str = TORPOR

    @property
    def name(self) -> str:
        """What it is called in the ids of tests and in fingerprints."""
        return self.device if self.engine == TORPOR else f"{self.device}+{self.engine}"

    @property
    def board(self) -> Board:
        """What stands for the device; a serial lane's is known when it has answered."""
        assert self.kind != "serial"
        return load_board(self.what)

    @property
    def missing(self) -> str:
        """Why it cannot be run here; empty if it can."""
        if self.kind == "serial":
            return ""
        emulator = self.board.emulator
        assert emulator
        if self.kind != "native" and not shutil.which(emulator.program):
            return f"{emulator.program} is not installed ({emulator.package})"
        return _no_tflm(self.board) if self.engine == TFLM else ""


def _no_tflm(board: Board) -> str:
    """Return why firmware of a board cannot have TensorFlow Lite Micro here, or ""."""
    try:
        find(os.environ.get("TFLM_DIR"), os.environ.get("TFLM_LIB"), board.core)
    except TorporError as error:
        return error.message
    return ""


def chosen(devices: Sequence[str], engine: str = TORPOR) -> list[Lane]:
    """Return the lanes that --device names: of all those that emulators stand for, or the default.

    Raises:
        ValueError: there is no such; with what there is.
    """
    usual = [lane for lane in all_lanes() if lane.name in DEFAULT or lane.kind == "renode"]
    lanes = all_lanes() if ALL in devices else [parse(text) for text in devices] or usual
    return [replace(lane, engine=engine) for lane in lanes]


def parse(text: str) -> Lane:
    """Return the lane that --device names.

    Raises:
        ValueError: there is no such; with what there is.
    """
    kind, _, what = text.partition(":")
    if kind == "serial" and what:
        return Lane(text, kind, what)
    known = [lane.name for lane in all_lanes()]
    for lane in all_lanes():
        if text == lane.name:
            return lane
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.4)
    question = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"no device '{text}'; {question}known: {', '.join(known)}, serial:PORT, {ALL}")


def all_lanes() -> list[Lane]:
    """Return a lane for each board that an emulator stands for, and that can be updated."""
    boards = [load_board(name) for name in board_names()]
    found = [Lane(_name(b), b.emulator.kind, b.name) for b in boards if b.emulator and b.slots]
    return sorted(found, key=lambda lane: (KINDS.index(lane.kind), lane.what))


def _name(board: Board) -> str:
    assert board.emulator
    kind = board.emulator.kind
    return kind if kind == "native" else f"{kind}:{board.name}"
