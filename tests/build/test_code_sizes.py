# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The recorded code sizes are those of today's kernels, and predict the motion firmware."""

import subprocess
import sys

import pytest

from torpor.board import load_board
from torpor.compile.code_sizes import estimate, load
from torpor.emulate import firmware
from torpor.paths import ROOT

pytestmark = pytest.mark.xdist_group("scons")

TOLERANCE = 0.05


def test_the_table_is_up_to_date() -> None:
    tool = [sys.executable, "tools/record_code_sizes.py", "--check"]
    done = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, check=False)
    remedy = "run tools/record_code_sizes.py and commit host/torpor/compile/code_sizes.toml"
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{remedy}"


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("board", ["mps2_an386", "microbit"])
def test_the_predicted_code_of_the_motion_firmware_is_within_5_percent(
    board: str, bits: int
) -> None:
    made = firmware.build(board, "motion", bits)
    kernels = (made.elf.parent / "kernels.txt").read_text().split()
    predicted = estimate(load()[load_board(board).core.name], kernels)
    assert predicted is not None
    assert abs(predicted / made.footprint["code_bytes"] - 1) < TOLERANCE
