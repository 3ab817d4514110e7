# SPDX-License-Identifier: Apache-2.0
"""A quantized model on an emulated board: built by scons, asked through its serial port."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor import emulate
from torpor.link import DeviceClient

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
