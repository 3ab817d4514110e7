# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A board from the moment its power comes to the moment it goes: one process."""

import contextlib
import os
import random
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from torpor.board import Board
from torpor.board import Emulator as EmulatorFacts
from torpor.emulate import qemu
from torpor.emulate.child import Child, ChildTransport
from torpor.emulate.debugger import Debugger
from torpor.emulate.flash import FlashFile
from torpor.emulate.image import Image
from torpor.emulate.monitor import Monitor
from torpor.errors import DeviceError, UsageError
from torpor.link.transport import SocketTransport, connect_unix

START_TIMEOUT = 30.0  # a loaded machine may take its time
RESET_SIGNAL = signal.SIGUSR1  # of a process, see firmware/port/host/host.h
PIN_SIGNAL = signal.SIGURG
NOISE_BYTES = 16384  # at the beginning of the RAM, where word is left for the next run


@dataclass(frozen=True)
class Setup:
    """What is started, each time that the power comes.

    Attributes:
        board: what to emulate.
        facts: its emulator.
        elf: the firmware.
        arguments: more words for QEMU's command line, or commands for Renode's monitor.
        flash: the flash that outlives the process, or None.
        memory: addresses, and files whose bytes are there when it starts.
        skip_idle: virtual time jumps to the next timer while the core sleeps. What happens from
            timer to timer is the same each time; bytes from outside come at any time.
        held: the core stands still before its first instruction until the debugger lets it run.
    """

    board: Board
    facts: EmulatorFacts
    elf: Path
    arguments: tuple[str, ...]
    flash: FlashFile | None
    memory: tuple[tuple[int, Path], ...] = ()
    skip_idle: bool = False
    held: bool = False


class Machine:
    """A process, and the ways into it.

    Attributes:
        child: the process.
        uart: its serial port.
        debugger: its debug port, or None (native).
        monitor: where QEMU takes orders, or None.
    """

    def __init__(
        self,
        setup: Setup,
        child: Child,
        uart: ChildTransport,
        debugger: Debugger | None,
        monitor: Monitor | None,
    ) -> None:
        self.child = child
        self.uart = uart
        self.debugger = debugger
        self.monitor = monitor
        self._setup = setup
        self._ended = False

    def save(self) -> None:
        """Put the flash into its file where it is in the process only.

        Raises:
            DeviceError: the process is gone.
        """
        setup = self._setup
        if self._ended:
            return
        if setup.flash and self.debugger and setup.facts.flash == "debug-port":
            self.debugger.pause()  # for ever: nothing more happens in this process
            content = bytearray(setup.flash.read())
            for start, end in _own_parts(setup):
                content[start:end] = self.debugger.read(_origin(setup) + start, end - start)
            setup.flash.save(bytes(content))

    def reset(self) -> None:
        """Press the reset button.

        Raises:
            UsageError: a process (native) without bootloader has no reset.
            DeviceError: the process is gone.
        """
        setup = self._setup
        if self.monitor:
            self.monitor.order("system_reset", event="RESET")
        elif setup.flash:
            os.kill(self.child.pid, RESET_SIGNAL)
        else:
            raise UsageError(
                f"{setup.elf.name} on {setup.board.name} has no reset",
                "start a bootloader with flash",
            )

    def edge(self) -> None:
        """Make an edge at the pin of hal/pin.h.

        Raises:
            UsageError: the emulator has no such pin.
        """
        if self.monitor:
            raise UsageError(f"the emulator of board '{self._setup.board.name}' has no button")
        os.kill(self.child.pid, PIN_SIGNAL)

    def instructions(self, ticks: int, timer_hz: int) -> int | None:
        """Turn ticks of the board's timer into instructions; None where they are not counted."""
        return qemu.instructions(self._setup.facts, ticks, timer_hz)

    def close(self) -> None:
        """End the process. Safe to call twice."""
        self._ended = True
        if self.debugger:
            self.debugger.close()
        if self.monitor:
            self.monitor.close()
        self.uart.close()
        self.child.close()


def start(setup: Setup, seed: int) -> Machine:
    """Switch a board on. Where it has a debug port, the core stands still before it begins.

    Args:
        setup: the board and what is in it.
        seed: of what its RAM holds at first, as that of a chip holds anything.

    Raises:
        MissingToolError: the emulator is not installed.
        DeviceError: it does not start; with its last lines of output.
    """
    with tempfile.TemporaryDirectory(prefix="torpor-", ignore_cleanup_errors=True) as folder:
        return _start_in(Path(folder), setup, seed)  # once connected, no file is needed


def _start_in(folder: Path, setup: Setup, seed: int) -> Machine:
    facts = setup.facts
    if facts.flash_image:
        qemu.write_flash_image(setup.elf, setup.board.memory["code"], folder / qemu.FLASH_IMAGE)
    with contextlib.ExitStack() as undo:
        child = Child([*_command(setup), *setup.arguments], folder, facts.how_to_get)
        undo.callback(child.close)
        uart = _connect(folder / qemu.UART_SOCKET, child)
        undo.callback(uart.close)
        machine = Machine(setup, child, ChildTransport(uart, child), None, None)
        if facts.kind == "qemu":
            machine.monitor = _monitor(folder / qemu.QMP_SOCKET, child)
            undo.callback(machine.monitor.close)
            port = _connect(folder / qemu.DEBUG_SOCKET, child)  # it would stop a running QEMU
            undo.callback(port.close)
            machine.debugger = Debugger(ChildTransport(port, child), running=False)
            machine.debugger.write(_first_content(setup, seed))
        undo.pop_all()
    return machine


def _command(setup: Setup) -> list[str]:
    flash = setup.flash.path.resolve() if setup.flash else None
    if setup.facts.kind == "qemu":
        memory = [(address, path.resolve()) for address, path in setup.memory]
        return qemu.command(setup.facts, setup.elf, flash, memory, skip_idle=setup.skip_idle)
    lasting = [] if flash is None else ["--flash", str(flash)]
    loaded = [word for _, path in setup.memory for word in ("--memory", str(path.resolve()))]
    return [str(setup.elf.resolve()), *lasting, *loaded, "--uart", f"unix:{qemu.UART_SOCKET}"]


def _monitor(path: Path, child: Child) -> Monitor:
    _connect(path, child).close()  # it is there now
    try:
        return Monitor(path)
    except DeviceError:
        child.check(wait=2)  # QEMU opens its sockets before it loads the firmware
        raise


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


# ---- what memory holds when the power comes


def ram_noise(board: Board, seed: int) -> tuple[int, bytes]:
    """Return where and what a RAM holds that has just got power."""
    ram = board.memory["ram"]
    return ram.origin, random.Random(seed).randbytes(min(ram.size, NOISE_BYTES))  # noqa: S311


def _first_content(setup: Setup, seed: int) -> list[tuple[int, bytes]]:
    pieces = [ram_noise(setup.board, seed)]
    if setup.flash and setup.facts.flash == "debug-port":
        content = setup.flash.read()
        for start, end in _own_parts(setup):
            pieces.append((_origin(setup) + start, content[start:end]))
    return pieces


def _origin(setup: Setup) -> int:
    return setup.board.flash.origin if setup.board.flash else 0


def _own_parts(setup: Setup) -> list[tuple[int, int]]:
    """Return the parts of the flash, first and end, where the ELF has nothing: whole blocks.

    QEMU puts the ELF's bytes there again at every reset.
    """
    flash = setup.board.flash
    assert flash is not None
    taken: set[int] = set()
    for address, data in Image.read(setup.elf).segments:
        first, last = address - flash.origin, address + len(data) - 1 - flash.origin
        taken.update(range(first // flash.erase_size, last // flash.erase_size + 1))
    parts: list[tuple[int, int]] = []
    for block in range(flash.size // flash.erase_size):
        start, end = block * flash.erase_size, (block + 1) * flash.erase_size
        if block in taken:
            continue
        if parts and parts[-1][1] == start:
            parts[-1] = (parts[-1][0], end)
        else:
            parts.append((start, end))
    return parts
