# SPDX-License-Identifier: Apache-2.0
"""What inference costs on an emulated board: instructions, memory traffic, flash, RAM, stack.

measure(Subject.of_file(path), load_board("mps2_an386"), inputs=5)

docs/BENCH.md defines every number. The same files and tools give the same numbers.
"""

import contextlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from torpor import emulate
from torpor.bench.macs import macs_by_op
from torpor.board import Board
from torpor.emulate import Emulator, Firmware, counting, firmware
from torpor.emulate.counting import Cost, Counter
from torpor.emulate.supported import refuse_unsupported
from torpor.footprint import measure_inference
from torpor.golden import Golden
from torpor.graph import read_tflite
from torpor.link import DeviceClient
from torpor.paths import TORPOR
from torpor.verify.stimuli import EXTREMES, Stimulus, stimuli

__all__ = ["Measurement", "OpCost", "Subject", "measure", "why_not_exact"]

RUN_TIMEOUT_S = 300.0
SEED = 1


@dataclass(frozen=True)
class Subject:
    """A model to measure.

    Attributes:
        name: what it is called in tables.
        model: name of a folder in models/, or the path of a quantized .tflite.
        bits: of the weights, 8 or 4; a .tflite has them already.
    """

    name: str
    model: str | Path
    bits: int = 8

    @classmethod
    def of_file(cls, path: Path) -> "Subject":
        """Return the subject for a quantized .tflite, called as the file is."""
        return cls(path.stem, path)

    def built(self, board: Board, engine: str = TORPOR) -> Firmware:
        """Build its firmware.

        Raises:
            UnsupportedError: the engine cannot run it.
            BudgetError: it does not fit the board.
            TorporError: it could not be built otherwise.
        """
        if isinstance(self.model, Path):
            refuse_unsupported(self.model.read_bytes(), self.name, engine)
        app = firmware.App(engine=engine)
        return firmware.build(board.name, self.model, self.bits, app=app, quiet=True)


@dataclass(frozen=True)
class OpCost:
    """What one operator of the plan costs in one inference."""

    step: int
    kernel: str
    output: str
    shape: tuple[int, ...]
    macs: int
    insn: int
    loaded_bytes: int
    stored_bytes: int


@dataclass(frozen=True)
class Measurement:
    """One model on one board with one engine; docs/BENCH.md defines the members up to `inputs`.

    Attributes:
        loaded_bytes: loaded by the instructions of `insn`; stored_bytes likewise.
        ops: the same, operator by operator; () where they cannot be told apart.
        difference: where output bytes differ first, "" if they do not.
    """

    model: str
    board: str
    engine: str
    insn: int | None
    insn_per_mac: float | None
    macs: int
    code_bytes: int
    rodata_bytes: int
    model_bytes: int
    ram_bytes: int
    stack_bytes: int | None
    init_insn: int | None
    byte_equal: bool
    inputs: int
    loaded_bytes: int | None
    stored_bytes: int | None
    ops: tuple[OpCost, ...]
    difference: str

    def to_json(self, *, by_op: bool = False) -> dict[str, Any]:
        """Return the object that --json prints; with `by_op` it has a list `ops` more."""
        whole = asdict(self)
        return {name: whole[name] for name in (*JSON_FIELDS, *(["ops"] if by_op else []))}


JSON_FIELDS = tuple(
    itertools.takewhile(lambda n: n != "loaded_bytes", (f.name for f in fields(Measurement)))
)
"""Members of the object that --json prints."""


@dataclass(frozen=True)
class _Run:
    """What the device did: costs are None where they cannot be known."""

    insn: int | None = None
    init_insn: int | None = None
    traffic: Cost | None = None
    ops: tuple[Cost, ...] = ()
    difference: str = ""


def why_not_exact(board: Board) -> str:
    """Return "" if instructions are counted one by one on a board, else why they are not."""
    facts = board.emulator
    if facts is None or facts.kind != "qemu":
        return f"{board.name} is no QEMU machine: instructions are not counted"
    return counting.unavailable(facts.program)


def measure(subject: Subject, board: Board, inputs: int, engine: str = TORPOR) -> Measurement:
    """Build, run and measure a model on an emulated board.

    Args:
        subject: the model.
        board: with an emulator.
        inputs: how many different inputs are compared with TensorFlow Lite Micro.
        engine: what runs the model, of ENGINES.

    Raises:
        UnsupportedError: the engine cannot run the model.
        BudgetError: it does not fit the board.
        DeviceError: the emulated device does not answer.
        TorporError: the firmware could not be built.
    """
    made = subject.built(board, engine)
    macs = macs_by_op(read_tflite(made.model))
    total = sum(macs.values())
    run = _run(made, board, inputs)
    used = measure_inference(made.elf, stack=bool(board.memory))
    return Measurement(
        model=subject.name,
        board=board.name,
        engine=engine,
        insn=run.insn,
        insn_per_mac=round(run.insn / total, 3) if run.insn is not None and total else None,
        macs=total,
        code_bytes=used.code,
        rodata_bytes=used.rodata,
        model_bytes=used.model,
        ram_bytes=used.ram,
        stack_bytes=used.stack,
        init_insn=run.init_insn,
        byte_equal=not run.difference,
        inputs=inputs,
        loaded_bytes=run.traffic.loaded if run.traffic else None,
        stored_bytes=run.traffic.stored if run.traffic else None,
        ops=_ops(made, macs, run.ops),
        difference=run.difference,
    )


def _ops(made: Firmware, macs: dict[int, int], costs: Sequence[Cost]) -> tuple[OpCost, ...]:
    """Name the operators of the plan; what several steps compute together counts in the first."""
    steps = json.loads((made.elf.parent / "report.json").read_text())["ops"]
    if len(steps) != len(costs):
        return ()
    left = dict(macs)
    return tuple(
        OpCost(
            step=step["step"],
            kernel=step["kernel"],
            output=step["output"],
            shape=tuple(step["shape"]),
            macs=left.pop(step["index"], 0),
            insn=cost.instructions,
            loaded_bytes=cost.loaded,
            stored_bytes=cost.stored,
        )
        for step, cost in zip(steps, costs, strict=True)
    )


def _run(made: Firmware, board: Board, inputs: int) -> _Run:
    golden = Golden(made.model)
    cases = list(_cases(golden, inputs))
    exact = not why_not_exact(board)
    with contextlib.ExitStack() as stack:
        counter = stack.enter_context(Counter(made.elf)) if exact else None
        arguments = counter.arguments if counter else []
        emulator = stack.enter_context(emulate.start(board, made.elf, arguments))
        device = _Device(emulator, made.plan, golden, counter)
        device.infer(cases[0])  # warm-up: models with variables initialise them now
        measured = device.infer(cases[0])
        for case in cases[1:]:
            device.infer(case)
    return replace(measured, difference=device.difference)


def _cases(golden: Golden, inputs: int) -> Iterator[Stimulus]:
    """Yield the first random stimulus, which is measured, then the others in their order."""
    first = len(EXTREMES)
    all_cases = list(stimuli(golden.inputs, max(inputs, first + 1), SEED))
    yield from [all_cases[first], *all_cases[:first], *all_cases[first + 1 :]][:inputs]


class _Device:
    """Runs inputs on the emulated device and in TensorFlow Lite Micro, and compares."""

    def __init__(
        self, emulator: Emulator, plan: bytes, golden: Golden, counter: Counter | None
    ) -> None:
        self._emulator = emulator
        self._client = DeviceClient(
            emulator.transport, run_timeout=RUN_TIMEOUT_S, load=emulator.input_loader()
        )
        self._golden = golden
        self._counter = counter
        self._number = 0
        self._hello = self._client.hello()
        self._client.expect_plan(plan)
        self._client.reset()
        self.difference = ""

    def infer(self, case: Stimulus) -> _Run:
        """Run once; keep the first difference."""
        self._number += 1
        answer = self._client.infer(self._number, [x.tobytes() for x in case.inputs])
        expected = self._golden.invoke(case.inputs)
        equal = [x.tobytes() for x in expected] == answer.outputs
        if not equal and not self.difference:
            self.difference = f"input {self._number} ({case.kind}) gives other bytes"
        if self._counter is None:
            return _Run(self._emulator.instructions(answer.ticks, self._hello.timer_hz))
        return _counted(self._counter)


def _counted(counter: Counter) -> _Run:
    calls = counter.calls()
    invoke = counting.last(calls, "infer_invoke")
    start = counting.last(calls, "infer_check").total + counting.last(calls, "infer_init").total
    return _Run(invoke.total.instructions, start.instructions, invoke.total, invoke.ops)
