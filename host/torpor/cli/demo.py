# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Run the firmware with a model in its emulator, on held-out data.

Builds it first. Each held-out window goes to the device over its serial port. What comes back must
be, byte for byte, what TensorFlow Lite Micro and our C on this computer make of it. Runs int8 and
int4, one after the other, unless --bits names one (--json: int8). Exits 1 if a byte differs or the
accuracy is below the model's floor.

`torpor demo wake` is about the sleeping device: it lives through scenes of motion and of speech in
noise, beside one that infers all the time, and must miss at most one event more with a tenth of the
instructions where it is quiet.
"""

import argparse
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from torpor import emulate
from torpor.board import Board, load_board
from torpor.cli import _wake, whole_number
from torpor.cli._engine import add_engine_argument, need, shown
from torpor.cli._progress import progress
from torpor.compile import compile_model
from torpor.emulate import Firmware, firmware
from torpor.engine import Engine
from torpor.golden import Golden
from torpor.graph import read_tflite
from torpor.link import DeviceClient
from torpor.model import Model, from_codes, load_model, to_codes
from torpor.paths import TORPOR
from torpor.plan.reader import Plan

ROWS = 12  # windows that the table shows unless asked for more


@dataclass(frozen=True)
class Window:
    """What became of one held-out window."""

    number: int
    truth: int
    best: int
    score: float  # of the best class, dequantized
    instructions: int | None
    golden_equal: bool  # device and TensorFlow Lite Micro gave the same bytes
    engine_equal: bool  # device and our C on this computer gave the same bytes

    @property
    def correct(self) -> bool:
        """The device recognised it."""
        return self.best == self.truth

    @property
    def equal(self) -> bool:
        """All three gave the same bytes."""
        return self.golden_equal and self.engine_equal

    @property
    def remarks(self) -> list[str]:
        """What is wrong with it, in words."""
        wrong = [] if self.correct else ["wrong"]
        return wrong if self.equal else [*wrong, "bytes differ"]


@dataclass(frozen=True)
class Outcome:
    """All windows of one run, and what the firmware costs."""

    board: str
    model: Model
    bits: int
    windows: list[Window]
    flash_bytes: int
    ram_bytes: int
    model_bytes: int
    engine: str = TORPOR

    @property
    def place(self) -> str:
        """Where it ran: the board, and the engine if it is not our own."""
        return f"{self.board}{shown(self.engine)}"

    @property
    def correct(self) -> int:
        """Number of windows that were recognised."""
        return sum(window.correct for window in self.windows)

    @property
    def accuracy(self) -> float:
        """Share of windows that were recognised, 0 to 1."""
        return self.correct / len(self.windows)

    @property
    def instructions(self) -> int | None:
        """Mean per inference; None where they are not counted."""
        counts = [w.instructions for w in self.windows if w.instructions is not None]
        return round(statistics.mean(counts)) if counts else None

    @property
    def good(self) -> bool:
        """Every byte is right and the accuracy is not below the model's floor."""
        equal = all(window.equal for window in self.windows)
        return equal and self.accuracy >= self.model.accuracy_floor

    def to_json(self) -> dict[str, Any]:
        """Return the object that --json prints."""
        return {
            "board": self.board,
            "model": self.model.name,
            "bits": self.bits,
            "windows": len(self.windows),
            "correct": self.correct,
            "byte_equal": all(window.equal for window in self.windows),
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "model_bytes": self.model_bytes,
            "insn_per_inference": self.instructions,
        }


class _Judge:
    """Runs windows on the device and compares with the two references."""

    def __init__(self, made: Firmware, link: DeviceClient, emulator: emulate.Emulator) -> None:
        self._link = link
        self._emulator = emulator
        self._golden = Golden(made.model)
        self._engine = Engine(_our_plan(made))
        self._hello = link.hello()
        link.expect_plan(made.plan)

    def judge(self, number: int, x: Any, truth: int) -> Window:
        """Run window `x` (float32, without batch) everywhere."""
        info = self._golden.inputs[0]
        codes = to_codes(x, info).reshape(info.shape)
        answer = self._link.infer(number, [codes.tobytes()])
        outputs = [self._golden.invoke([codes]), self._engine.invoke([codes])]
        equal = [[o.tobytes() for o in output] == answer.outputs for output in outputs]
        made = np.frombuffer(answer.outputs[0], outputs[0][0].dtype)
        scores = from_codes(made, self._golden.outputs[0]).ravel()
        instructions = self._emulator.instructions(answer.ticks, self._hello.timer_hz)
        score = float(scores[answer.best])
        return Window(number, truth, answer.best, score, instructions, equal[0], equal[1])


def _our_plan(made: Firmware) -> bytes:
    """Return the plan for our C on this computer, whatever engine the firmware has."""
    if made.engine == TORPOR:
        return made.plan
    return compile_model(made.model).plan


def measure(board: Board, model: Model, bits: int, made: Firmware, limit: int | None) -> Outcome:
    """Run the first `limit` held-out windows (None: all) on the emulated board.

    Raises:
        TorporError: the emulator is missing, the device does not answer, a file is missing.
    """
    sizes = made.footprint
    xs, truths = model.windows("test")
    total = min(limit or len(xs), len(xs))
    with emulate.start(board, made.elf) as emulator, progress(total, "windows") as show:
        judge = _Judge(made, DeviceClient(emulator.transport), emulator)
        windows = []
        for number in range(total):
            windows.append(judge.judge(number, xs[number], int(truths[number])))
            show(number + 1)
    return Outcome(
        board=board.name,
        model=model,
        bits=bits,
        windows=windows,
        flash_bytes=sizes["flash_bytes"],
        ram_bytes=sizes["ram_bytes"],
        model_bytes=len(made.plan),
        engine=made.engine,
    )


def _window_table(outcome: Outcome, rows: int) -> Table:
    """The first `rows` windows, and every later one that something is wrong with."""
    shown = [w for i, w in enumerate(outcome.windows) if i < rows or w.remarks]
    left = len(outcome.windows) - len(shown)
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title=f"{outcome.model.name}, int{outcome.bits}, on {outcome.place}",
        caption=f"and {left} more, recognised and byte-equal (--rows shows them)" if left else None,
    )
    table.add_column("window", justify="right")
    table.add_column("truth", no_wrap=True)
    table.add_column("prediction", no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("instructions", justify="right")
    table.add_column("")
    labels = outcome.model.labels
    for window in shown:
        count = "-" if window.instructions is None else f"{window.instructions:,}"
        table.add_row(
            *(str(window.number), labels[window.truth], labels[window.best]),
            *(f"{window.score:.0%}", count, ", ".join(window.remarks)),
            style="bold red" if window.remarks else None,
        )
    return table


def _summary_column(outcome: Outcome) -> dict[str, str]:
    total = len(outcome.windows)
    golden = sum(window.golden_equal for window in outcome.windows)
    engine = sum(window.engine_equal for window in outcome.windows)
    count = outcome.instructions
    return {
        "": f"int{outcome.bits}",
        "recognised": f"{outcome.correct} of {total} = {outcome.accuracy:.1%}",
        "bytes as in TensorFlow Lite Micro": f"{golden} of {total}",
        "bytes as in our C on this computer": f"{engine} of {total}",
        "flash, bytes": f"{outcome.flash_bytes:,}",
        "of which model": f"{outcome.model_bytes:,}",
        "RAM, bytes": f"{outcome.ram_bytes:,}",
        "instructions an inference": "-" if count is None else f"{count:,}",
    }


def _summary(outcomes: list[Outcome]) -> Table:
    columns = [_summary_column(outcome) for outcome in outcomes]
    heads = [column.pop("") for column in columns]
    first = outcomes[0]
    title = f"{first.model.name} on {first.place}"
    table = Table(title, box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        table.add_column(head, justify="right")
    for key in columns[0]:
        table.add_row(key, *(column[key] for column in columns))
    return table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor demo`."""
    parser.add_argument(
        "model", metavar="MODEL", nargs="?", default="motion", help="of models/; or wake"
    )
    parser.add_argument("--board", default="mps2_an386", help="default: %(default)s")
    parser.add_argument("--bits", type=int, choices=(8, 4), help="default: both, one by one")
    add_engine_argument(parser)
    parser.add_argument(
        "--windows", type=whole_number(1), metavar="N", help="only the first N windows"
    )
    parser.add_argument(
        "--rows",
        type=whole_number(1),
        metavar="N",
        default=ROWS,
        help="of the table; default: %(default)s",
    )
    parser.add_argument("--elf", type=Path, help="the firmware to run; nothing is built")
    parser.add_argument(
        "--seconds",
        type=whole_number(1),
        metavar="N",
        default=_wake.SECONDS,
        help="of each scene of wake; default: %(default)s",
    )
    parser.add_argument(
        "--scene",
        choices=_wake.KINDS,
        metavar="KIND",
        default="all",
        help="of wake: all, motion, quiet, noisy; default: %(default)s",
    )
    parser.add_argument("--json", action="store_true", help="print one object")


def _bits(elf: Path) -> int:
    """The width of the model in a firmware that is already built."""
    made = firmware.built("", "", elf=firmware.existing(elf))
    plan = Plan.parse(made.plan)
    if made.engine == TORPOR:
        return 4 if any(op.name.endswith("_S4") for op in plan.ops) else 8
    return 4 if any(t.dtype == "int4" for t in read_tflite(plan.data).tensors) else 8


def _run_one(args: argparse.Namespace, board: Board, model: Model, bits: int) -> Outcome:
    if args.elf:
        made = firmware.built(board.name, model.name, bits, args.elf)
    else:
        app = firmware.App(engine=args.engine)
        made = firmware.build(board.name, model.name, bits, app=app)
    return measure(board, model, bits, made, args.windows)


def run(args: argparse.Namespace) -> int:
    """Build, emulate, compare, print; 1 if something is not as it must be."""
    if args.model == "wake":
        return _wake.run(args)
    board, model = load_board(args.board), load_model(args.model)
    model.about.trained("data")
    if not args.elf:
        need(args.engine, board)
    widths: tuple[int, ...] = (args.bits,) if args.bits else (8,) if args.json else (8, 4)
    if args.elf:
        widths = (_bits(args.elf),)
    outcomes = []
    console = Console()
    for bits in widths:
        outcomes.append(_run_one(args, board, model, bits))
        if not args.json:
            console.print(_window_table(outcomes[-1], args.rows))
    if args.json:
        print(json.dumps(outcomes[0].to_json()))
    else:
        console.print(_summary(outcomes))
    return 0 if all(outcome.good for outcome in outcomes) else 1
