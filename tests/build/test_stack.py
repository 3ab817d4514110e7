# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The stack that the build computes is never less than the one that the firmware uses."""

import shutil

import numpy as np
import pytest

from torpor import emulate
from torpor.board import board_names, load_board
from torpor.emulate import firmware
from torpor.engine import Engine
from torpor.link import DeviceClient

BOARDS = [name for name in board_names() if load_board(name).memory]


@pytest.mark.emulated
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("board", BOARDS)
def test_the_painted_stack_is_at_most_the_computed_one(board: str, bits: int) -> None:
    facts = load_board(board).emulator
    if facts is None or shutil.which(facts.program) is None:
        pytest.skip(f"no emulator of {board} is installed")
    made = firmware.build(board, "motion", bits)
    shape = Engine(made.plan).inputs[0].shape
    window = np.random.default_rng(bits).integers(-128, 128, shape).astype(np.int8)
    with emulate.start(board, made.elf) as device:
        client = DeviceClient(device.transport)
        client.hello()
        used = max(client.infer(n, [window.tobytes()]).stack for n in range(3))
    computed = made.footprint["stack_bytes"]
    assert computed / 2 < used <= computed
