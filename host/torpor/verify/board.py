# SPDX-License-Identifier: Apache-2.0
"""A quantized model on an emulated board: built by scons, asked through its serial port."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor import emulate
from torpor.emulate.firmware import built
from torpor.errors import BudgetError, TorporError
from torpor.link import DeviceClient
from torpor.paths import ROOT

OVERFLOW = ("overflowed by", "will not fit")
"""What linkers say when a memory is too small."""
RUN_TIMEOUT_S = 300.0


class BoardRunner:
    """Runs a model on an emulated board. A context manager: leaving it ends the emulator.

    Args:
        board: name of a folder in boards/.
        elf: the firmware with the model.
        outputs: descriptions of the model's outputs (shape, dtype), to read bytes as codes.
    """

    def __init__(self, board: str, elf: Path, outputs: Sequence[Any]) -> None:
        self._emulator = emulate.start(board, elf)
        self._client = DeviceClient(self._emulator.transport, run_timeout=RUN_TIMEOUT_S)
        self._outputs = outputs
        self._window = 0

    def invoke(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run once; return the outputs.

        Raises:
            DeviceError: no answer, or a refusal.
        """
        self._window += 1
        answer = self._client.infer(self._window, [x.tobytes() for x in inputs])
        return [
            np.frombuffer(data, info.dtype).reshape(info.shape)
            for data, info in zip(answer.outputs, self._outputs, strict=True)
        ]

    def __enter__(self) -> "BoardRunner":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._emulator.close()


def build_firmware(board: str, tflite: Path) -> Path:
    """Build a firmware with the quantized model `tflite` and return the ELF.

    Raises:
        BudgetError: it does not fit the board.
        TorporError: the build failed otherwise.
    """
    goal = [f"board={board}", f"model={tflite.resolve()}"]
    done = subprocess.run(
        [sys.executable, "-m", "SCons", "-Q", *goal],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return built(board, tflite).elf
    raise _failure(board, tflite, done.returncode, done.stdout + done.stderr)


def _failure(board: str, tflite: Path, code: int, talk: str) -> TorporError:
    lines = [line.strip() for line in talk.splitlines() if line.strip()]
    short = [line for words in OVERFLOW for line in lines if words in line]
    if code == BudgetError.exit_code:
        short += [line.removeprefix("scons: ") for line in lines if line.startswith("scons: ")]
    if short:
        return BudgetError(f"does not fit {board}: {short[0].rpartition('ld: ')[2]}")
    reason = next((line for line in lines if "error" in line.lower()), "".join(lines[-1:]))
    hint = f"scons board={board} model={tflite}"
    return TorporError(f"{tflite.name} could not be built: {reason}", hint)
