# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Build a model into firmware, run it in the emulator on held-out data, compare every byte.

Each held-out window goes to the device over its serial port. What comes back must be, byte for
byte, what TensorFlow Lite Micro and our C on this computer make of it. Exits 1 if a byte differs
or the accuracy is below the model's floor.
"""

import argparse
import contextlib
import json
import statistics
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from torpor import emulate
from torpor.board import Board, load_board
from torpor.emulate import Firmware, firmware
from torpor.engine import Engine
from torpor.errors import DeviceError
from torpor.golden import Golden
from torpor.link import DeviceClient
from torpor.model import Model, from_codes, load_model, to_codes

LOG_STEPS = 4  # lines of progress where there is no terminal


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
        self._engine = Engine(made.plan)
        self._hello = link.hello()
        if self._hello.plan_crc != zlib.crc32(made.plan):
            raise DeviceError(
                "the firmware embeds another plan than the one beside it", "build it again"
            )

    def judge(self, number: int, x: Any, truth: int) -> Window:
        """Run window `x` (float32, without batch) everywhere."""
        info = self._golden.inputs[0]
        codes = to_codes(x, info).reshape(info.shape)
        answer = self._link.infer(number, [codes.tobytes()])
        outputs = [self._golden.invoke([codes]), self._engine.invoke([codes])]
        equal = [[o.tobytes() for o in output] == answer.outputs for output in outputs]
        scores = from_codes(outputs[0][0], self._golden.outputs[0]).ravel()
        instructions = self._emulator.instructions(answer.ticks, self._hello.timer_hz)
        score = float(scores[answer.best])
        return Window(number, truth, answer.best, score, instructions, equal[0], equal[1])


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show how many windows are done: a bar on a terminal, a few lines in a log; on stderr."""
    console = Console(stderr=True)
    columns = TextColumn("[progress.description]{task.description}"), BarColumn()
    if not console.is_terminal:
        step = -(-total // LOG_STEPS)
        yield (
            lambda done: (
                print(f"{done} of {total} windows", file=sys.stderr)
                if done % step == 0 or done == total
                else None
            )
        )
        return
    with Progress(*columns, MofNCompleteColumn(), console=console, transient=True) as bar:
        task = bar.add_task("windows", total=total)
        yield lambda done: bar.update(task, completed=done)


def measure(board: Board, model: Model, bits: int, made: Firmware, limit: int | None) -> Outcome:
    """Run the first `limit` held-out windows (None: all) on the emulated board.

    Raises:
        TorporError: the emulator is missing, the device does not answer, a file is missing.
    """
    sizes, plan = made.footprint, made.plan
    xs, truths = model.windows("test")
    total = min(limit or len(xs), len(xs))
    with emulate.start(board, made.elf) as emulator, _progress(total) as show:
        judge = _Judge(made, DeviceClient(emulator.transport), emulator)
        windows = []
        for number in range(total):
            windows.append(judge.judge(number, xs[number], int(truths[number])))
            show(number + 1)
    return Outcome(
        board.name, model, bits, windows, sizes["flash_bytes"], sizes["ram_bytes"], len(plan)
    )


def _window_table(outcome: Outcome) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("window", justify="right")
    table.add_column("truth", no_wrap=True)
    table.add_column("prediction", no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("instructions", justify="right")
    table.add_column("")
    labels = outcome.model.labels
    for window in outcome.windows:
        remarks = [] if window.correct else ["wrong"]
        remarks += [] if window.equal else ["bytes differ"]
        count = "-" if window.instructions is None else f"{window.instructions:,}"
        table.add_row(
            *(str(window.number), labels[window.truth], labels[window.best]),
            *(f"{window.score:.0%}", count, ", ".join(remarks)),
            style="bold red" if remarks else None,
        )
    return table


def _summary(outcome: Outcome) -> Table:
    total = len(outcome.windows)
    golden = sum(window.golden_equal for window in outcome.windows)
    engine = sum(window.engine_equal for window in outcome.windows)
    count = outcome.instructions
    floor = outcome.model.accuracy_floor
    rows = {
        "board": outcome.board,
        "model": f"{outcome.model.name}, int{outcome.bits}",
        "recognised": f"{outcome.correct} of {total} = {outcome.accuracy:.1%} (floor {floor:.0%})",
        "same bytes": f"{golden} of {total} as TensorFlow Lite Micro, {engine} as our C here",
        "flash": f"{outcome.flash_bytes:,} bytes, of which model {outcome.model_bytes:,}",
        "RAM": f"{outcome.ram_bytes:,} bytes",
        "inference": "not counted here" if count is None else f"{count:,} instructions",
    }
    table = Table.grid(padding=(0, 2))
    for key, value in rows.items():
        table.add_row(key, value)
    return table


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of windows")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor demo`."""
    parser.add_argument("model", metavar="MODEL", nargs="?", default="motion", help="of models/")
    parser.add_argument("--board", default="mps2_an386", help="default: %(default)s")
    parser.add_argument("--bits", type=int, choices=(8, 4), default=8, help="default: %(default)s")
    parser.add_argument("--windows", type=_positive, metavar="N", help="only the first N windows")
    parser.add_argument("--elf", type=Path, help="the firmware to run; nothing is built")
    parser.add_argument("--json", action="store_true", help="print one object")


def run(args: argparse.Namespace) -> int:
    """Build, emulate, compare, print; 1 if something is not as it must be."""
    board, model = load_board(args.board), load_model(args.model)
    if args.elf:
        elf = firmware.existing(args.elf)
        made = firmware.built(board.name, model.name, args.bits, elf)
    else:
        made = firmware.build(board.name, model.name, args.bits)
    outcome = measure(board, model, args.bits, made, args.windows)
    if args.json:
        print(json.dumps(outcome.to_json()))
    else:
        console = Console()
        console.print(_window_table(outcome))
        console.print(_summary(outcome))
    return 0 if outcome.good else 1
