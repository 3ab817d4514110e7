# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""smpmgr from PyPI, unmodified, as a user types it, on the firmware that ships.

It exits 0 when a device refuses, so what a command has done is read from the device afterwards.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import updatable
from tests.emulated.conftest import require
from tests.emulated.test_update_commands import Bench
from tests.emulated.updatable import Signed
from torpor.board import load_board

SMPMGR = Path(sys.executable).parent / "smpmgr"

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    board = load_board("mps2_an386")
    require(board)
    made = Bench(updatable.kit(board.name), tmp_path)
    yield made
    made.close()


def smpmgr(bench: Bench, *words: str) -> str:
    """Run a command; returns what it printed."""
    command = [str(SMPMGR), "--port", bench.port, "--line-buffers", "8", "--timeout", "20", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def try_out(bench: Bench, image: Signed) -> None:
    """Upload an image, mark it for test, restart."""
    file = bench.folder / "image.bin"
    file.write_bytes(image.data)
    smpmgr(bench, "image", "upload", str(file))
    smpmgr(bench, "image", "state-write", image.hash.hex())
    assert "pending=True" in smpmgr(bench, "image", "state-read")
    smpmgr(bench, "os", "reset")


def test_smpmgr_uploads_tests_and_confirms_and_the_history_tells_why_a_bad_image_went(
    bench: Bench,
) -> None:
    assert "hello" in smpmgr(bench, "os", "echo", "hello")
    try_out(bench, bench.kit.crashing)
    last = json.loads(bench.torpor("history", "--json", "--last", "1").stdout)[0]
    assert (last["event"], last["slot"], last["reason"]) == ("reverted", "B", "fault")

    try_out(bench, bench.kit.new)
    last = json.loads(bench.torpor("history", "--json", "--last", "1").stdout)[0]
    assert (last["event"], last["slot"], last["version"]) == ("confirmed", "B", "2.0.0")
    smpmgr(bench, "image", "state-write", "--confirm")
    states = smpmgr(bench, "image", "state-read").split("ImageState(")
    assert "version='2.0.0'" in states[2]
    assert "confirmed=True" in states[2]
    assert "active=True" in states[2]
