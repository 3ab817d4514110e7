# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A board in Renode, from the moment its power comes to the moment it goes: docs/RENODE.md.

One instruction is one cycle of the core's `PerformanceInMips`. Virtual time is never faster than
that of the wall, unless idle time is skipped.
"""

import contextlib
import socket
import tempfile
import time
from pathlib import Path

from torpor.board import Board
from torpor.emulate.child import Child, ChildTransport
from torpor.emulate.debugger import Debugger
from torpor.emulate.image import Image
from torpor.emulate.machine import Machine, Setup, ram_noise
from torpor.emulate.remote import Remote, quoted
from torpor.errors import DeviceError, UsageError
from torpor.link.transport import SocketTransport
from torpor.paths import BOARDS

START_TIMEOUT = 120.0  # a loaded machine may take its time
PORT_FILE = "renode-*/robot_port"  # below the folder for temporary files
PORT_TRIES = 8
LONGEST_TICK = 8  # in instructions: a real-time clock counts time, not them
ERASED = b"\xff"
UART = 'emulation CreateServerSocketTerminal {port} "console" false'
DEBUG_PORT = "machine StartGdbServer {port} false"
SKIP_IDLE = "emulation SetGlobalAdvanceImmediately true"


class RenodeMachine(Machine):
    """A Renode, and the ways into it.

    Attributes:
        remote: where it takes orders.
    """

    def __init__(
        self,
        setup: Setup,
        child: Child,
        remote: Remote,
        *,
        folder: "tempfile.TemporaryDirectory[str]",
        uart: SocketTransport,
        debugger: Debugger,
    ) -> None:
        super().__init__(setup, child, ChildTransport(uart, child), debugger, None)
        self.remote = remote
        self._folder = folder
        self._mips = remote.number("cpu PerformanceInMips")

    def save(self) -> None:
        """See `Machine.save`."""
        if self._ended or self._setup.flash is None:
            return
        saved = Path(self._folder.name) / "saved"
        self.remote.order("pause")  # for ever: nothing more happens in this process
        self.remote.order(f'flashController SaveTo "{saved}"')
        self._setup.flash.save(saved.read_bytes())

    def reset(self) -> None:
        """See `Machine.reset`."""
        self.remote.order("machine Reset")

    def edge(self) -> None:
        """See `Machine.edge`."""
        if self._setup.board.pin is None:
            raise UsageError(f"board '{self._setup.board.name}' has no button")
        self.remote.order("button Press")  # time passes between the two: some chips look at levels
        self.remote.order("button Release")

    def instructions(self, ticks: int, timer_hz: int) -> int | None:
        """See `Machine.instructions`: as exact as a tick, which must not be long."""
        a_second = self._mips * 1_000_000
        is_fine = timer_hz * LONGEST_TICK >= a_second
        return round(ticks * a_second / timer_hz) if is_fine else None

    def close(self) -> None:
        """See `Machine.close`."""
        super().close()
        self.remote.close()
        self._folder.cleanup()


def start(setup: Setup, seed: int) -> RenodeMachine:
    """Switch a board on; its core stands still before it begins.

    Args:
        setup: the board and what is in it.
        seed: of what its RAM holds at first, as that of a chip holds anything.

    Raises:
        MissingToolError: Renode is not installed.
        DeviceError: it does not start, or refuses what the board's folder says.
        UsageError: the firmware is no ELF file.
    """
    folder = tempfile.TemporaryDirectory(prefix="torpor-", ignore_cleanup_errors=True)
    with contextlib.ExitStack() as undo:
        undo.callback(folder.cleanup)
        child = _child(setup, Path(folder.name))
        undo.callback(child.close)
        remote = Remote(_remote_port(Path(folder.name), child))
        undo.callback(remote.close)
        for command in [*making(setup.board), *filling(setup, seed, Path(folder.name))]:
            remote.order(command)
        uart = _connected(remote, UART)
        undo.callback(uart.close)
        remote.order("connector Connect sysbus.uart console")
        port = _connected(remote, DEBUG_PORT)
        undo.callback(port.close)
        debugger = Debugger(ChildTransport(port, child), running=False)
        debugger.read(setup.board.memory["ram"].origin, 1)  # answered: it knows of the debugger
        remote.order("start")
        debugger.expect_stop()
        made = RenodeMachine(setup, child, remote, folder=folder, uart=uart, debugger=debugger)
        undo.pop_all()
    return made


def _child(setup: Setup, folder: Path) -> Child:
    words = ("--disable-gui", "--plain", "--hide-log", "--hide-analyzers")
    files = ("--config", str(folder / "config"), "--robot-server-port", "0")  # 0: any that is free
    command = [setup.facts.program, *words, *files]
    return Child(command, folder, setup.facts.how_to_get, {"TMPDIR": str(folder)})


def _remote_port(folder: Path, child: Child) -> int:
    """Wait until Renode has written which port it took."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        child.check(wait=0.02)
        written = "".join(path.read_text() for path in folder.glob(PORT_FILE))
        if written.strip():
            return int(written)
    raise DeviceError(f"{child.program} has not started within {START_TIMEOUT:g} s")


# ---- what it is told


def making(board: Board) -> list[str]:
    """Return the commands that make the machine, from the files of the board's folder."""
    assert board.emulator is not None and board.core.architecture == "cortexm"
    folder = BOARDS / board.name
    vectors = f"cpu VectorTableOffset {board.memory['code'].origin:#x}"
    return [
        *(f"include {quoted(model)}" for model in sorted(folder.glob("*.cs"))),
        f'mach create "{board.name}"',
        f"machine LoadPlatformDescription {quoted(folder / board.emulator.machine)}",
        vectors,
        f'macro reset "{vectors}"',
    ]


def filling(setup: Setup, seed: int, folder: Path) -> list[str]:
    """Return the commands that put bytes into RAM and flash, as they are when the power comes.

    Args:
        setup: the board and what is in it.
        seed: of what the RAM holds.
        folder: for files.
    """
    inside, outside = split(setup)
    pieces = [ram_noise(setup.board, seed), *outside]
    files = [(at, _file(folder / f"{at:x}", data)) for at, data in pieces]
    files += [(at, path.resolve()) for at, path in setup.memory]
    flash = [f'flashController LoadFrom "{_file(folder / "flash", inside)}"'] if inside else []
    return [
        *(f"sysbus LoadBinary {quoted(path)} {at:#x}" for at, path in files),
        *flash,
        *([SKIP_IDLE] if setup.skip_idle else []),
        *setup.facts.args,
        *setup.arguments,
    ]


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def split(setup: Setup) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Return all bytes of the flash, what has lasted and over it the firmware's, and what of the
    firmware lies elsewhere, with its addresses. Without a model there is no such flash.

    Raises:
        UsageError: the firmware is no ELF file.
    """
    segments = Image.read(setup.elf).segments
    facts = setup.board.flash
    if facts is None or setup.facts.flash != "model":
        return b"", list(segments)
    content = bytearray(setup.flash.read() if setup.flash else ERASED * facts.size)
    outside = []
    for address, data in segments:
        offset = address - facts.origin
        if offset >= 0 and offset + len(data) <= facts.size:
            content[offset : offset + len(data)] = data
        else:
            outside.append((address, data))
    return bytes(content), outside


# ---- its ports


def _connected(remote: Remote, command: str) -> SocketTransport:
    """Let Renode listen on a port, and connect to it.

    Renode wants to be told which. One that was free may be taken by somebody else until Renode
    takes it: then another is tried.
    """
    for tries_left in reversed(range(PORT_TRIES)):
        port = _free_port()
        try:
            remote.order(command.format(port=port))
        except DeviceError as error:
            if tries_left and "in use" in error.hint:
                continue
            raise
        break
    connection = socket.create_connection(("127.0.0.1", port), START_TIMEOUT)
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return SocketTransport(connection, f"port {port} of Renode")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        port: int = found.getsockname()[1]
        return port
