# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A debugger in front of a firmware: which programs, with which words.

The server is the emulator, halted before the first instruction, or OpenOCD at the board's probe;
GDB waits for it by itself. A process of this computer needs no server.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from torpor.board import Board
from torpor.emulate import qemu, renode
from torpor.emulate.remote import quoted
from torpor.errors import UsageError

DEBUGGERS = {
    "cortexm": ("arm-none-eabi-gdb", "gdb-multiarch"),
    "riscv": ("riscv64-unknown-elf-gdb", "riscv32-esp-elf-gdb", "gdb-multiarch"),
    "": ("gdb",),
}
PACKAGES = {"": "gdb"}
PACKAGE = "gdb-multiarch"
RENODE_SCRIPT = "debug.resc"
UART_LINK = "uart"
PROBE_RESET = "monitor reset halt"


@dataclass(frozen=True)
class Session:
    """What is to be started.

    Attributes:
        server: a command line, or empty; it runs in a folder of its own.
        debugger: GDB's command line; its program is the first of DEBUGGERS that is there.
        files: by name, what that folder must have.
    """

    server: tuple[str, ...]
    debugger: tuple[str, ...]
    files: dict[str, str]


def debugger_of(board: Board) -> str | None:
    """Return the first GDB for the board's core that is on PATH, or None."""
    return next(filter(shutil.which, DEBUGGERS[board.core.architecture]), None)


def session(board: Board, elf: Path, port: int, *, probe: bool, serial: str = "") -> Session:
    """Return what a debugger in front of `elf` consists of.

    Args:
        board: that it runs on.
        elf: the firmware.
        port: TCP port between the two.
        probe: at the board's probe, not at its emulator.
        serial: number of the probe; empty for the only one.

    Raises:
        UsageError: there is neither, or not what was asked for.
    """
    program = debugger_of(board) or DEBUGGERS[board.core.architecture][-1]
    elf = elf.resolve()
    if probe or board.emulator is None:
        attached = _gdb(program, elf, f"target extended-remote 127.0.0.1:{port}", PROBE_RESET)
        return Session(_openocd(board, port, serial), attached, {})
    if board.emulator.kind == "native":
        return Session((), (program, "--args", str(elf), "--uart", "pty"), {})
    attached = _gdb(program, elf, f"target remote 127.0.0.1:{port}")
    if board.emulator.kind == "renode":
        script = "\n".join(_renode_commands(board, elf, port)) + "\n"
        words = ("--disable-gui", "--console", RENODE_SCRIPT)
        return Session((board.emulator.program, *words), attached, {RENODE_SCRIPT: script})
    return Session(tuple(_qemu(qemu.command(board.emulator, elf), port)), attached, {})


def _gdb(program: str, elf: Path, *commands: str) -> tuple[str, ...]:
    return (program, str(elf), *(word for command in commands for word in ("-ex", command)))


def _qemu(words: list[str], port: int) -> list[str]:
    """Return the emulator's command line with ways in for people: a terminal and a TCP port."""
    changes = {
        f"socket,id=uart,path={qemu.UART_SOCKET},server=on,wait=off": "pty,id=uart",
        f"unix:{qemu.DEBUG_SOCKET},server=on,wait=off": f"tcp:127.0.0.1:{port}",
    }
    return [changes.get(word, word) for word in words]


def _renode_commands(board: Board, elf: Path, port: int) -> list[str]:
    return [
        *renode.making(board),
        f"sysbus LoadELF {quoted(elf)}",
        f'emulation CreateUartPtyTerminal "console" "{UART_LINK}"',
        "connector Connect sysbus.uart console",
        f"machine StartGdbServer {port}",
    ]


def _openocd(board: Board, port: int, serial: str) -> tuple[str, ...]:
    if board.probe is None or not board.probe.openocd:
        raise UsageError(
            f"board '{board.name}' has neither an emulator nor a probe that OpenOCD knows",
            f"[probe] of boards/{board.name}/board.toml",
        )
    chosen = ("-c", f"adapter serial {serial}") if serial else ()
    return ("openocd", *board.probe.openocd_words, *chosen, "-c", f"gdb_port {port}")
