# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Every port against the contracts of firmware/hal: flash, restarts, watchdog (conformance.c)."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.emulated.conftest import require
from torpor import emulate
from torpor.board import Board, board_names, load_board
from torpor.paths import FIRMWARE, ROOT
from torpor.wire import framing

sys.path.insert(0, str(ROOT / "site_scons"))
from torpor_build import config, linker, steps

BOARDS = [name for name in board_names() if load_board(name).slots]
BITES = {name: name not in ("microbit", "riscv_virt") for name in BOARDS}
PATIENCE_S = 60


def build(board: Board, folder: Path) -> Path:
    """Build conformance.c for a board, as the firmware without bootloader is built."""
    assert board.slots
    (folder / "gen").mkdir()
    (folder / "gen" / "board_config.h").write_text(config.board_header(board))
    (folder / "board.c").write_text(config.board_source(board))
    tool = "gcc" if board.core.toolchain == "native" else f"{board.core.toolchain}-gcc"
    flags = [*board.core.flags, "-std=c11", "-Os", "-g", *steps.WARNINGS]
    flags += [f"-I{FIRMWARE}", f"-I{folder}", f"-DFLASH_OFFSET={board.slots.firmware[0]}u"]
    flags += [f"-DHAS_WATCHDOG={int(BITES[board.name])}", "-D_GNU_SOURCE"]
    if board.memory:
        (folder / "script.ld").write_text(linker.script(board))
        flags += ["--specs=picolibc.specs", "-nostartfiles", "-T", str(folder / "script.ld")]
        flags += ["-Wl,--nmagic", "-Wl,--no-warn-rwx-segments"]
    sources = [*steps.port_files(board), FIRMWARE / "core" / "text.c", folder / "board.c"]
    elf = folder / "conformance.elf"
    here = Path(__file__).with_name("conformance.c")
    subprocess.run([tool, *flags, *map(str, [here, *sources]), "-o", str(elf)], check=True)
    return elf


@pytest.mark.emulated
@pytest.mark.parametrize("name", BOARDS)
def test_a_port_keeps_the_contracts_of_flash_restarts_and_watchdog(
    name: str, tmp_path: Path
) -> None:
    board = load_board(name)
    require(board)
    decoder, lines = framing.Decoder(), list[str]()
    deadline = time.monotonic() + PATIENCE_S
    with emulate.start(board, build(board, tmp_path), flash=tmp_path / "flash") as device:
        while "done" not in lines:
            assert time.monotonic() < deadline, lines
            lines += [str(event) for event in decoder.feed(device.transport.read(1))]
    print(*lines, sep="\n")
    assert lines[0] == "first"
    assert [line for line in lines if line.startswith("BAD")] == []
    assert len([line for line in lines if line.startswith("good")]) == 24 + 3 * BITES[name]
