# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Debug a firmware with GDB, in its emulator or at the board's probe.

The emulator is halted before the first instruction, its serial port is a pseudo terminal whose path
it prints. At a probe OpenOCD is the server, and the board is reset and halted; nothing is flashed.
Where GDB is missing, what would be run is printed, one command a line, and the exit code is 3.
"""

import argparse
import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from torpor.board import Board, load_board
from torpor.emulate import attach, qemu
from torpor.emulate.firmware import existing
from torpor.errors import DeviceError, MissingToolError

END_S = 5.0  # that a server may take to end


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor gdb`."""
    parser.add_argument("--board", required=True, help="that the firmware was built for")
    parser.add_argument("--elf", type=Path, required=True, help="the firmware")
    parser.add_argument("--probe", action="store_true", help="at the board, not in its emulator")
    parser.add_argument("--serial", default="", metavar="N", help="of the probe: implies --probe")
    parser.add_argument(
        "--gdb-port", type=int, metavar="N", help="between GDB and its server; default: a free one"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands only")


def run(args: argparse.Namespace) -> int:
    """Debug until GDB ends; return its exit code."""
    board, elf = load_board(args.board), existing(args.elf)
    port = args.gdb_port or _free_port()
    probe = args.probe or bool(args.serial)
    session = attach.session(board, elf, port, probe=probe, serial=args.serial)
    is_missing = attach.debugger_of(board) is None
    if args.dry_run or is_missing:
        _print(session)
    if args.dry_run:
        return 0
    if is_missing:
        names = " or ".join(attach.DEBUGGERS[board.core.architecture])
        package = attach.PACKAGES.get(board.core.architecture, attach.PACKAGE)
        raise MissingToolError(f"{names} is not installed", f"sudo apt install {package}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    with _served(session, board, elf):
        before = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is for GDB
        try:
            return subprocess.run(session.debugger, check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End, and the server too."""
    raise SystemExit(128 + number)


def _print(session: attach.Session) -> None:
    """Print what would be run, and as comments the files that the server would find."""
    for name, text in session.files.items():
        print("".join(f"# {name}: {line}\n" for line in text.splitlines()), end="")
    for command in filter(None, (session.server, session.debugger)):
        print(shlex.join(command))


@contextlib.contextmanager
def _served(session: attach.Session, board: Board, elf: Path) -> Iterator[None]:
    """Keep the server running; Ctrl-C is for GDB alone."""
    if not session.server:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="torpor-") as name:
        folder = Path(name)
        for file, text in session.files.items():
            (folder / file).write_text(text, encoding="utf-8")
        if board.emulator and board.emulator.flash_image and session.server[0] != "openocd":
            qemu.write_flash_image(elf, board.memory["code"], folder / qemu.FLASH_IMAGE)
        server = _start(session.server, folder)
        try:
            yield
        finally:
            ended = server.poll()
            _end(server)
        if ended:
            raise DeviceError(f"{session.server[0]} ended with code {ended}", "it says why above")


def _start(command: tuple[str, ...], folder: Path) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise MissingToolError(f"{command[0]} is not installed") from None


def _end(server: "subprocess.Popen[bytes]") -> None:
    """End a server and what it has started: Renode is a script around a program."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(END_S)
            return


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
