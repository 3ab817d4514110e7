# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The core of cortexm.py does what QEMU's does."""

from pathlib import Path

from tests.chips import conformance
from tests.chips.mps2 import Mps2
from torpor.board import load_board


def test_the_mps2_keeps_the_contracts_here_too(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    conformance.check(conformance.run(Mps2(board), board, tmp_path))
