# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The port of the ESP32-C3 in a model of the chip."""

from pathlib import Path

from tests.chips import conformance
from tests.chips.esp32c3 import Esp32C3
from tests.port.test_conformance import build
from torpor.board import load_board

BOARD = load_board("esp32c3_devkit")


def test_the_esp32c3_keeps_the_contracts(tmp_path: Path) -> None:
    chip = Esp32C3()
    chip.load_plain(build(BOARD, tmp_path, exact=True))
    chip.machine.power_on()
    conformance.check(conformance.until_line(chip, "done"))
