# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The port of the STM32F4 on the chip's model."""

from pathlib import Path

from tests.chips import conformance
from tests.chips.stm32f4 import Stm32F407
from torpor.board import load_board

BOARD = load_board("stm32f4_discovery")


def test_the_port_keeps_the_contracts(tmp_path: Path) -> None:
    chip = Stm32F407(cycles_per_instruction=8)
    lines = conformance.run(chip, BOARD, tmp_path)
    conformance.check(lines)
    assert chip.registers.errors == []
