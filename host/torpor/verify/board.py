# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A quantized model on an emulated board: inputs loaded into its memory, asked over its port."""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor import emulate
from torpor.emulate import Firmware
from torpor.link import DeviceClient

RUN_TIMEOUT_S = 300.0


class BoardRunner:
    """Runs a model on an emulated board, its state kept from one input to the next.

    A context manager: leaving it ends the emulator.

    Args:
        board: name of a folder in boards/.
        made: the firmware with the model.
        outputs: descriptions of the model's outputs (shape, dtype), to read bytes as codes.

    Raises:
        DeviceError: it does not start, or embeds another plan.
    """

    def __init__(self, board: str, made: Firmware, outputs: Sequence[Any]) -> None:
        self._outputs = outputs
        self._window = 0
        with contextlib.ExitStack() as undo:
            self._emulator = undo.enter_context(emulate.start(board, made.elf))
            self._client = DeviceClient(
                self._emulator.transport,
                run_timeout=RUN_TIMEOUT_S,
                load=self._emulator.input_loader(),
            )
            self._client.expect_plan(made.plan)
            self._client.reset()
            undo.pop_all()

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
