# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The recorded code sizes are those of today's kernels, and predict the code of any firmware."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.tflite_builder import GraphBuilder
from tools.record_code_sizes import differences, groups
from torpor.board import load_board
from torpor.compile.code_sizes import estimate, load
from torpor.emulate import firmware
from torpor.paths import ROOT

pytestmark = pytest.mark.xdist_group("scons")

TOLERANCE = 0.05
BOARDS = ("mps2_an386", "microbit", "mps2_an505", "mps3_an547", "riscv_virt")


def test_the_table_is_up_to_date() -> None:
    tool = [sys.executable, "tools/record_code_sizes.py", "--check"]
    done = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, check=False)
    remedy = "run tools/record_code_sizes.py and commit host/torpor/compile/code_sizes.toml"
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{remedy}"


def few_kernels(folder: Path) -> Path:
    """A model of one fully connected layer: nothing of what kernels share is linked but its own."""
    g = GraphBuilder()
    w = g.constant(np.ones((3, 5), np.int8), "int8", scale=0.05)
    return saved(folder / "one.tflite", g, g.fully_connected(g.input((1, 5)), w, scale=0.2))


def many_kernels(folder: Path) -> Path:
    """A model without convolutions over all channels, with pools, padding and an addition."""
    g = GraphBuilder()
    x = g.input((1, 6, 6, 4))
    w = g.constant(np.ones((1, 3, 3, 4), np.int8), "int8", scale=[0.05] * 4, axis=3)
    y = g.depthwise_conv_2d(x, w, scale=0.2)
    y = g.add(x, y, scale=0.3)
    y = g.pad(y, [(0, 0), (1, 1), (1, 1), (0, 0)])
    y = g.pool_2d("MAX_POOL_2D", y, (2, 2), stride=(2, 2))
    return saved(folder / "many.tflite", g, y)


def saved(path: Path, graph: GraphBuilder, output: int) -> Path:
    path.write_bytes(graph.build([output]))
    return path


def check(board: str, made: firmware.Firmware) -> None:
    """The estimate for the kernels of a firmware is right within the tolerance."""
    kernels = (made.elf.parent / "kernels.txt").read_text().split()
    predicted = estimate(load()[load_board(board).core.name], kernels)
    assert predicted is not None
    assert predicted == pytest.approx(made.footprint["code_bytes"], rel=TOLERANCE)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("board", BOARDS)
def test_the_predicted_code_of_the_motion_firmware_is_within_5_percent(
    board: str, bits: int
) -> None:
    check(board, firmware.build(board, "motion", bits))


@pytest.mark.parametrize("model", [few_kernels, many_kernels])
@pytest.mark.parametrize("board", BOARDS)
def test_the_predicted_code_is_within_5_percent_whichever_kernels_a_model_uses(
    board: str, model: Callable[[Path], Path], tmp_path: Path
) -> None:
    check(board, firmware.build(board, model(tmp_path)))


def test_code_that_kernels_share_is_counted_once_beside_all_their_names() -> None:
    base = {("a.o", ".text.main"): 100}
    alone = {
        "K": {**base, ("k.o", ".text.k"): 10, ("s.o", ".text.shared"): 7},
        "J": {**base, ("j.o", ".text.j"): 20, ("s.o", ".text.shared"): 7, ("l.a", ".text"): 1},
    }
    assert groups(base, alone) == {"J": 21, "J K": 7, "K": 10}


def test_a_group_that_came_went_or_grew_is_a_difference() -> None:
    measured = {"m4": {"base": 1000, "A": 100, "A B": 100}}
    assert differences(measured, measured) == []
    assert differences({"m4": {"base": 1040, "A": 130, "A B": 80}}, measured) == []
    found = differences({"m4": {"base": 1060, "A": 100, "B": 50}}, measured)
    assert found == [
        "m4 base: recorded 1060, measured 1000",
        "m4 A B: recorded 0, measured 100",
        "m4 B: recorded 50, measured 0",
    ]
