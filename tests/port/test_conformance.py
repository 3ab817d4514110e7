# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Every port against the contracts of firmware/hal (conformance.c)."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.emulated.conftest import require
from torpor import emulate
from torpor.board import Board, board_names, load_board
from torpor.errors import UsageError
from torpor.paths import FIRMWARE, ROOT
from torpor.wire import framing

sys.path.insert(0, str(ROOT / "site_scons"))
from torpor_build import config, linker, steps

WITH_SLOTS = [name for name in board_names() if load_board(name).slots]
BOARDS = [name for name in WITH_SLOTS if load_board(name).emulator]
BITES = {name: name not in ("microbit", "riscv_virt") for name in WITH_SLOTS}
WATCHDOGS_FOR_EVER = ("nrf51", "nrf52")  # ports whose hardware cannot stop it
PATIENCE_S = 240  # an emulator that polls registers is slow
UNDEFINED_INSTRUCTION = {"cortexm": 1 << 16, "riscv": 3, "": 2}  # CFSR, mcause, ILL_ILLOPN


def is_exact(board: Board) -> bool:
    """Say whether its time is that of its instructions."""
    return bool(board.emulator and board.emulator.icount_shift is not None)


def fault_status(board: Board) -> int:
    """What the CPU says of the instruction that GCC ends a program with."""
    return (
        0
        if board.core.name.startswith("cortex-m0")
        else UNDEFINED_INSTRUCTION[board.core.architecture]
    )


def build(board: Board, folder: Path, *, careless: bool = False, exact: bool | None = None) -> Path:
    """Build conformance.c for a board, as the firmware without bootloader is built.

    `exact`: its time will be that of its instructions; without it, as in the board's emulator.
    """
    exact = is_exact(board) if exact is None else exact
    facts = {
        "HAS_WATCHDOG": int(BITES[board.name]),
        "WATCHDOG_STOPS": int(board.port not in WATCHDOGS_FOR_EVER),
        "IS_EXACT": int(exact),
        "FAULT_STATUS": f"{fault_status(board)}u",
        "ALARMS": "6000u" if exact else "500u",
        "PHASES": "601u" if exact else "1001u",
        "IS_CARELESS": int(careless),
    }
    flags = [f"-D{name}={value}" for name, value in facts.items()]
    return compile_program(board, folder, Path(__file__).with_name("conformance.c"), *flags)


def compile_program(
    board: Board, folder: Path, program: Path, *more: str, changed: Path | None = None
) -> Path:
    """Build a program of one file with the board's port, and with `more` flags.

    `changed`: a file that is taken in place of the port's file of that name.
    """
    assert board.slots
    (folder / "gen").mkdir()
    (folder / "gen" / "board_config.h").write_text(config.board_header(board))
    (folder / "board.c").write_text(config.board_source(board))
    tool = "gcc" if board.core.toolchain == "native" else f"{board.core.toolchain}-gcc"
    flags = [*board.core.flags, "-std=c11", "-Os", "-g", "-D_GNU_SOURCE", *steps.WARNINGS]
    flags += [f"-I{FIRMWARE}", f"-I{folder}", f"-DFLASH_OFFSET={board.slots.firmware[0]}u", *more]
    if board.memory:
        (folder / "script.ld").write_text(linker.script(board))
        flags += ["--specs=picolibc.specs", "-nostartfiles", "-T", str(folder / "script.ld")]
        flags += ["-Wl,--nmagic", "-Wl,--no-warn-rwx-segments"]
    port = steps.port_files(board, *steps.DRIVERS)
    if changed:
        (right,) = [path for path in port if path.name == changed.name]
        port[port.index(right)] = changed
    sources = [program, *port, FIRMWARE / "core" / "text.c", folder / "board.c"]
    elf = folder / f"{program.stem}.elf"
    subprocess.run([tool, *flags, *map(str, sources), "-o", str(elf)], check=True)
    return elf


def read_lines(device: emulate.Emulator, last: str) -> list[str]:
    """Return what it says, until and with `last`."""
    decoder, lines = framing.Decoder(), list[str]()
    deadline = time.monotonic() + PATIENCE_S
    while last not in lines:
        assert time.monotonic() < deadline, lines
        lines += [str(event) for event in decoder.feed(device.transport.read(1))]
    print(*lines, sep="\n")
    return lines


@pytest.mark.emulated
@pytest.mark.parametrize("name", BOARDS)
def test_a_port_keeps_the_contracts(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    require(board)
    elf, flash = build(board, tmp_path), tmp_path / "flash"
    skips = board.emulator is not None and board.emulator.skips_idle
    with emulate.start(board, elf, flash=flash, skip_idle=skips) as device:
        lines = read_lines(device, "done")
        if board.pin or not board.memory:
            press(device)
    assert lines[0] == "first"
    assert [line for line in lines if line.startswith("BAD")] == []
    assert len([line for line in lines if line.startswith("good")]) == 48 + 5 * BITES[name]


@pytest.mark.emulated
def test_a_loop_that_looks_before_it_masks_loses_wake_ups(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    require(board)
    elf = build(board, tmp_path, careless=True)
    with emulate.start(board, elf, flash=tmp_path / "flash", skip_idle=True) as device:
        lines = read_lines(device, "done")
    assert "BAD no wake-up is lost, whenever the alarm comes" in lines


def press(device: emulate.Emulator) -> None:
    """Insist that each edge at the pin is seen, where there are edges."""
    if device.board.emulator and device.board.emulator.kind == "qemu":
        with pytest.raises(UsageError, match="has no button"):
            device.edge()
        return
    for _ in range(5):
        device.edge()
        assert read_lines(device, "edge") == ["edge"]
