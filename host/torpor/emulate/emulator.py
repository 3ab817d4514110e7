# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Starts the program that stands in for a board, connects its serial port, and ends it again."""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from torpor.board import Board, load_board
from torpor.board import Emulator as EmulatorFacts
from torpor.emulate import qemu
from torpor.emulate.child import Child, ChildTransport
from torpor.emulate.debugger import Debugger, InputLoader
from torpor.emulate.firmware import existing
from torpor.emulate.image import Image
from torpor.errors import DeviceError, UsageError
from torpor.link.transport import SocketTransport, connect_unix

START_TIMEOUT = 30.0  # a loaded machine may take its time


class Emulator:
    """A running board. A context manager: leaving it ends the process.

    Attributes:
        board: what it is.
        elf: the firmware that it runs.
        transport: its serial port.
    """

    def __init__(
        self,
        board: Board,
        elf: Path,
        child: Child,
        transport: ChildTransport,
        debugger: Debugger | None = None,
    ) -> None:
        self.board = board
        self.elf = elf
        self.transport = transport
        self._child = child
        self._debugger = debugger

    @property
    def pid(self) -> int:
        """Process id of the emulator."""
        return self._child.pid

    def instructions(self, ticks: int, timer_hz: int) -> int | None:
        """Turn a duration in ticks of the board's timer into instructions.

        Args:
            ticks: from a `result`.
            timer_hz: from `hello`.

        Returns:
            The count, exact to one tick; None where instructions are not counted (native).
        """
        facts = self.board.emulator
        return qemu.instructions(facts, ticks, timer_hz) if facts else None

    def input_loader(self) -> InputLoader | None:
        """Return what loads a model's inputs into the device's memory, for `DeviceClient`.

        None where there is no way into it (native): its serial port is fast.

        Raises:
            UsageError: the firmware has no symbols.
        """
        return InputLoader(self._debugger, Image.read(self.elf)) if self._debugger else None

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._debugger:
            self._debugger.close()
        self.transport.close()
        self._child.close()

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start(board: Board | str, elf: Path | str, arguments: Sequence[str] = ()) -> Emulator:
    """Start `elf` on an emulated `board`, its serial port connected before the first instruction.

    Args:
        board: what to emulate.
        elf: the firmware.
        arguments: more words for QEMU's command line.

    Raises:
        UsageError: no such board, no such file, or the board has no emulator.
        MissingToolError: the emulator is not installed.
        DeviceError: it does not start; with its last lines of output.
    """
    board = load_board(board) if isinstance(board, str) else board
    facts = board.emulator
    if facts is None:
        raise UsageError(f"board '{board.name}' has no emulator", "torpor boards lists those with")
    elf = existing(Path(elf))
    with tempfile.TemporaryDirectory(prefix="torpor-", ignore_cleanup_errors=True) as folder:
        return _start_in(
            Path(folder), board, facts, elf, arguments
        )  # once connected, no file is needed


def _start_in(
    folder: Path, board: Board, facts: EmulatorFacts, elf: Path, arguments: Sequence[str]
) -> Emulator:
    if facts.flash_image:
        qemu.write_flash_image(elf, board.memory["code"], folder / qemu.FLASH_IMAGE)
    with contextlib.ExitStack() as undo:
        child = Child([*_command(facts, elf), *arguments], folder, facts.package)
        undo.callback(child.close)
        uart = _connect(folder / qemu.UART_SOCKET, child)
        undo.callback(uart.close)
        debugger = _start_qemu(folder, child) if facts.kind == "qemu" else None
        undo.pop_all()
    return Emulator(board, elf, child, ChildTransport(uart, child), debugger)


def _start_qemu(folder: Path, child: Child) -> Debugger:
    """Connect to the debug port, which would stop a running QEMU, then let it run."""
    _connect(folder / qemu.QMP_SOCKET, child).close()  # it is there now
    port = _connect(folder / qemu.DEBUG_SOCKET, child)
    try:
        _release(folder / qemu.QMP_SOCKET, child)
    except DeviceError:
        port.close()
        raise
    return Debugger(ChildTransport(port, child))


def _release(path: Path, child: Child) -> None:
    try:
        qemu.release(path)
    except DeviceError:
        child.check(wait=2)  # QEMU opens its sockets before it loads the firmware
        raise


def _command(facts: EmulatorFacts, elf: Path) -> list[str]:
    if facts.kind == "qemu":
        return qemu.command(facts, elf)
    return [str(elf.resolve()), "--uart", f"unix:{qemu.UART_SOCKET}"]


def _connect(path: Path, child: Child) -> SocketTransport:
    """Connect to a socket that the child is about to open, as long as the child lives."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            return connect_unix(str(path), timeout=0)
        except DeviceError:
            child.check()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
