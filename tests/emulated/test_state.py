# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A model with state in the firmware that ships: in step with tflite_micro on a bad wire too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulated.conftest import require
from tests.support.tflite_builder import GraphBuilder
from torpor import emulate
from torpor.board import load_board
from torpor.emulate import firmware
from torpor.golden import Golden
from torpor.link import DeviceClient
from torpor.link.faults import Damage, FaultyTransport, random_faults

pytestmark = pytest.mark.emulated


def sums(folder: Path) -> Path:
    """A model that adds up its inputs, 24 codes each, in a variable and gives the sums out."""
    graph = GraphBuilder()
    quantization: dict[str, Any] = {"scale": 0.1, "zero_point": 3}
    x = graph.input((1, 24), **quantization)
    handle = graph.var_handle("sums")
    before = graph.read_variable(handle, (1, 24), **quantization)
    after = graph.add(before, x, **quantization)
    graph.assign_variable(handle, after)
    path = folder / "sums.tflite"
    path.write_bytes(graph.build([after]))
    return path


@pytest.mark.parametrize("board", ["microbit", "native", "riscv_virt"])
def test_a_state_advances_once_a_window_on_a_bad_wire_and_a_reset_begins_again(
    board: str, tmp_path: Path
) -> None:
    require(load_board(board))
    made = firmware.build(board, sums(tmp_path))
    golden, random_codes = Golden(made.model), np.random.default_rng(1)
    with emulate.start(board, made.elf) as emulator:
        bad = FaultyTransport(
            emulator.transport, Damage(random_faults(1, 300)), Damage(random_faults(2, 300))
        )
        client = DeviceClient(bad, timeout=0.15, tries=60)
        for windows in (8, 4):
            client.reset()
            golden.reset()
            for window in range(windows):
                codes = random_codes.integers(-2, 8, (1, 24)).astype(np.int8)
                answer = client.infer(window, [codes.tobytes()])
                assert answer.outputs == [golden.invoke([codes])[0].tobytes()], window
                assert answer.runs == window + 1
    assert client.counters.resent > 0
