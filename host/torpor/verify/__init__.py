# SPDX-License-Identifier: Apache-2.0
"""Byte for byte: does our C compute what TensorFlow Lite Micro computes?

verify(path)                    our C on this machine
verify(path, board="microbit")  the whole firmware in the board's emulator

The inputs are one sequence: what a model with state keeps from one to the next is compared too.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from torpor.compile import compile_model
from torpor.emulate import firmware
from torpor.emulate.supported import refuse_unsupported
from torpor.engine import Engine
from torpor.errors import BudgetError, ModelError, UnsupportedError
from torpor.golden import Golden
from torpor.graph import read_tflite
from torpor.paths import TORPOR
from torpor.verify.board import BoardRunner
from torpor.verify.stimuli import FloatInput, Info, Stimulus, stimuli

__all__ = ["HOST", "Verdict", "compare", "verify"]

HOST = "host"
"""Board name for our C on this machine."""

_Array = NDArray[Any]


class Runner(Protocol):
    """Something that runs a model."""

    def invoke(self, inputs: list[_Array], /) -> list[_Array]: ...


@dataclass(frozen=True)
class Verdict:
    """The result for one model.

    Attributes:
        model: the file as it was named.
        board: a board, or "host".
        inputs: stimuli that were run; 0 if the model is not supported.
        mismatches: how many of them gave another byte anywhere in the outputs.
        supported: the model was compiled and fits; False leaves mismatches 0.
        reason: why it is not supported, or the first difference, or "".
    """

    model: str
    board: str
    inputs: int
    mismatches: int
    supported: bool
    reason: str


def verify(
    path: Path,
    *,
    board: str = HOST,
    inputs: int = 20,
    seed: int = 1,
    link: str | None = None,
    engine: str = TORPOR,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Verdict:
    """Run `inputs` stimuli through both, in order, and compare every output byte.

    Args:
        path: a quantized .tflite.
        board: a board, or HOST.
        inputs: how many stimuli.
        seed: of the random ones.
        link: serial port of a board that runs the model's firmware; None: the board is emulated.
        engine: what runs the model on the board; on this machine our C alone does.
        on_progress: called with the number of stimuli that are done.

    Raises:
        ModelError: the file cannot be read or is broken.
        DeviceError: the board does not answer.
        TorporError: the firmware could not be built.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None
    try:
        plan = _compiled(content, path.stem, engine)
        golden = Golden(content)
        cases = stimuli(described_inputs(content, golden.inputs), inputs, seed)
        device: contextlib.AbstractContextManager[Runner] = (
            contextlib.nullcontext(Engine(plan))
            if board == HOST
            else _on_board(path, board, link, engine, golden)
        )
        with device as ours:
            found = _differences(cases, golden, ours)
            differences = [d for d in _watched(found, on_progress) if d]
    except (UnsupportedError, BudgetError) as error:
        return Verdict(str(path), board, 0, 0, supported=False, reason=error.message)
    except ModelError as error:
        raise ModelError(f"{path}: {error.message}", error.hint) from None
    first = differences[0] if differences else ""
    return Verdict(str(path), board, inputs, len(differences), supported=True, reason=first)


def described_inputs(tflite: bytes, inputs: Sequence[Info]) -> list[Info]:
    """Return the model's inputs, those of float32 with what they are quantized to."""
    graph = read_tflite(tflite)
    found: list[Info] = []
    for info, t in zip(inputs, graph.inputs, strict=True):
        readers = [op for op in graph.consumers(t) if op.name == "QUANTIZE"]
        if graph.tensors[t].dtype == "float32" and readers:
            y = graph.tensors[readers[0].outputs[0]]
            found.append(FloatInput(info.shape, y.scale, y.zero_point, y.dtype))
        else:
            found.append(info)
    return found


def _compiled(content: bytes, name: str, engine: str) -> bytes:
    """Return the plan for our C; for another engine it is only made sure that it runs the model."""
    if engine == TORPOR:
        return compile_model(content, name=name).plan
    refuse_unsupported(content, name, engine)
    return b""


def _on_board(path: Path, board: str, link: str | None, engine: str, golden: Golden) -> BoardRunner:
    made = firmware.build(board, path, app=firmware.App(engine=engine), quiet=True)
    return BoardRunner(board, made, golden.outputs, link)


def _watched(items: Iterable[str], on_progress: Callable[[int], None]) -> Iterator[str]:
    for done, item in enumerate(items, start=1):
        on_progress(done)
        yield item


def _differences(cases: Iterable[Stimulus], golden: Runner, ours: Runner) -> Iterable[str]:
    for number, case in enumerate(cases):
        found = compare(golden.invoke(case.inputs), ours.invoke(case.inputs))
        yield f"input {number} ({case.kind}): {found}" if found else ""


def compare(expected: Sequence[_Array], found: Sequence[_Array]) -> str:
    """Return "" if all outputs have equal bytes, else where they first differ and by how much."""
    if len(expected) != len(found):
        return f"{len(found)} outputs instead of {len(expected)}"
    for index, (a, b) in enumerate(zip(expected, found, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"output {index} is {b.dtype}{list(b.shape)}, not {a.dtype}{list(a.shape)}"
        if a.tobytes() != b.tobytes():
            wrong = (a != b).reshape(-1).nonzero()[0]
            at = int(wrong[0]) if len(wrong) else 0
            codes = f"{b.reshape(-1)[at]} instead of {a.reshape(-1)[at]}"
            return f"output {index}, element {at}: {codes}; {len(wrong)} of {a.size} differ"
    return ""
