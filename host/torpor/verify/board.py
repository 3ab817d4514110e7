# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A quantized model on a board: emulated, its inputs loaded into memory, or at a serial port."""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor import emulate
from torpor.board import load_board
from torpor.emulate import Firmware
from torpor.link import DeviceClient, open_transport

RUN_TIMEOUT_S = 300.0


class BoardRunner:
    """Runs a model on a board, its state kept from one input to the next.

    A context manager: leaving it ends the emulator, or lets go of the port.

    Args:
        board: name of a folder in boards/.
        made: the firmware with the model.
        outputs: descriptions of the model's outputs (shape, dtype), to read bytes as codes.
        link: serial port of a device that runs this firmware already; None: it is emulated.

    Raises:
        DeviceError: it does not start, does not answer, or embeds another plan.
    """

    def __init__(
        self, board: str, made: Firmware, outputs: Sequence[Any], link: str | None = None
    ) -> None:
        self._outputs = outputs
        self._window = 0
        with contextlib.ExitStack() as opened:
            self._client = _open(opened, board, made, link)
            self._client.expect_plan(made.plan)
            self._client.reset()
            self._opened = opened.pop_all()

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
        self._opened.close()


def _open(
    opened: contextlib.ExitStack, board: str, made: Firmware, link: str | None
) -> DeviceClient:
    if link is None:
        emulator = opened.enter_context(emulate.start(board, made.elf))
        load = emulator.input_loader()
        return DeviceClient(emulator.transport, run_timeout=RUN_TIMEOUT_S, load=load)
    uart = load_board(board).uart
    transport = open_transport(link, *([uart.baud] if uart else []))
    opened.callback(transport.close)
    return DeviceClient(transport, run_timeout=RUN_TIMEOUT_S)
