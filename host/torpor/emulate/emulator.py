# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""An emulated board on a desk: its serial port, its reset button, and its power."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from torpor.board import Board, Memory, load_board
from torpor.board import Emulator as Facts
from torpor.emulate import machine, renode
from torpor.emulate.cut import Cut, Moment
from torpor.emulate.debugger import Debugger, InputLoader, input_loader
from torpor.emulate.firmware import existing
from torpor.emulate.flash import FlashFile
from torpor.emulate.image import Image
from torpor.emulate.machine import NOISE_BYTES, Machine, Setup
from torpor.emulate.port import Port
from torpor.errors import DeviceError, UsageError

LARGEST_SHIFT = 10  # QEMU's


class Emulator:
    """A board. A context manager: leaving it ends the process. For one thread.

    Attributes:
        board: what it is.
        elf: the firmware that it starts with: a bootloader, or all that there is.
        transport: its serial port; whoever holds it need not care about resets and power cuts.
        flash: the flash that outlives the process, or None. Written while the board is `off()`.
    """

    def __init__(self, setup: Setup) -> None:
        self.board = setup.board
        self.elf = setup.elf
        self.flash = setup.flash
        self.transport = Port()
        self._setup = setup
        self._starts = 0
        self._is_on = False
        self._next_cut: Cut | None = None
        self._claim = contextlib.ExitStack()
        self._machine = self._switch_on()

    @property
    def pid(self) -> int:
        """Process id of the emulator; another one after the power was cut."""
        return self._machine.child.pid

    @property
    def debugger(self) -> Debugger:
        """The debug port, into the device's memory; another one after the power was cut.

        Raises:
            UsageError: there is none (native).
        """
        if self._machine.debugger is None:
            raise UsageError(f"board '{self.board.name}' has no debug port")
        return self._machine.debugger

    def instructions(self, ticks: int, timer_hz: int) -> int | None:
        """Turn a duration in ticks of the board's timer into instructions.

        Args:
            ticks: from a `result`.
            timer_hz: from `hello`.

        Returns:
            The count, exact to one tick; None where instructions are not counted (native), or
            not so exactly (Renode).
        """
        return self._machine.instructions(ticks, timer_hz)

    def input_loader(self) -> InputLoader | None:
        """Return what loads a model's inputs into the device's memory, for `DeviceClient`.

        None where there is no way into it (native): its serial port is fast; and where it is not
        known at what address a model reads them: TensorFlow Lite Micro decides that on the device.

        Raises:
            UsageError: the firmware has no symbols.
        """
        if self._machine.debugger is None:
            return None
        return input_loader(self._write_memory, Image.read(self.elf))

    def _write_memory(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        self.debugger.write(pieces)  # the one that there is now

    def reset(self) -> None:
        """Press the reset button: the CPU starts anew, RAM keeps what it has.

        Raises:
            UsageError: a process (native) without bootloader has no reset.
            DeviceError: the emulator is gone.
        """
        self._machine.reset()

    def edge(self) -> None:
        """Press the button: an edge at the pin of hal/pin.h.

        Raises:
            UsageError: the emulator has no such pin: QEMU never has.
        """
        self._machine.edge()

    @contextlib.contextmanager
    def off(self) -> Iterator[FlashFile | None]:
        """Cut the power, and give it back at the end of the block. All RAM is lost.

        Yields:
            The flash, to be looked at, or changed.

        Raises:
            DeviceError: the process is gone already, or does not start again.
        """
        self._switch_off()
        yield self.flash
        self._machine = self._switch_on()

    def power_cut(self) -> None:
        """Cut the power and give it back; see `off`."""
        with self.off():
            pass

    def cut_at(
        self, *moments: Moment, meanwhile: Callable[[FlashFile | None], None] | None = None
    ) -> Cut:
        """Let the power fail at the last of several moments, each counted from the one before.

        The core stands still at each until somebody reads from the serial port, or waits for the
        cut. The board starts again at once. There is one cut at a time. While the board is off, it
        is one that waits from the first instruction on.

        Args:
            moments: see `Moment`.
            meanwhile: called while there is no power.

        Raises:
            UsageError: the board has no debug port (native).
        """

        def act() -> None:
            with self.off() as flash:
                if meanwhile:
                    meanwhile(flash)

        debugger = self.debugger
        cut = Cut(self.transport, moments, act)
        if self._is_on:
            cut.begin(debugger)
        else:
            self._next_cut = cut
        return cut

    def close(self) -> None:
        """End the process. Safe to call twice."""
        with contextlib.suppress(DeviceError):  # it has ended by itself
            self._machine.save()
        self._machine.close()
        self.transport.close()
        self._claim.close()

    def _switch_on(self) -> Machine:
        with contextlib.ExitStack() as claim:
            if self.flash:
                claim.enter_context(self.flash.claimed())
            begin = renode.start if self._setup.facts.kind == "renode" else machine.start
            started = begin(self._setup, self._starts)
            self._claim = claim.pop_all()
        self._starts += 1
        self._is_on = True
        self.transport.plug(started.uart)
        if self._setup.skip_idle and started.monitor:
            self.transport.nudge = started.monitor.nudge
        if started.debugger:
            if self._next_cut:
                self._next_cut.begin(started.debugger)
                self._next_cut = None
            if not self._setup.held:
                started.debugger.resume()
        return started

    def _switch_off(self) -> None:
        self._is_on = False
        self._machine.save()
        self._machine.child.kill()
        self.transport.unplug()
        self._machine.close()
        self._claim.close()

    def __enter__(self) -> "Emulator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start(
    board: Board | str,
    elf: Path | str,
    arguments: Sequence[str] = (),
    *,
    flash: Path | str | None = None,
    icount_shift: int | None = None,
    skip_idle: bool = False,
    memory: Mapping[int, Path] | None = None,
    held: bool = False,
) -> Emulator:
    """Start `elf` on an emulated `board`, its serial port connected before the first instruction.

    Args:
        board: what to emulate.
        elf: the firmware, or the bootloader.
        arguments: more words for QEMU's command line, or commands for Renode's monitor.
        flash: a file for the flash that images and journal are in; made, erased, if it is not
            there. None: what is written into the flash is lost with the process.
        icount_shift: one instruction is 2^icount_shift ns of virtual time, 0 to 10; None is what
            the board has.
        skip_idle: virtual time jumps to the next timer while the core sleeps, instead of passing
            as fast as that of the wall.
        memory: files, by the address where their bytes are to be found from the start on. A
            process (native) has no addresses: there is one file, which host_memory() gives.
        held: the core stands still before its first instruction until the debugger lets it run.

    Raises:
        UsageError: no such board, no such file, the board has no emulator, or not this option.
        MissingToolError: the emulator is not installed.
        DeviceError: it does not start; with its last lines of output.
    """
    board = load_board(board) if isinstance(board, str) else board
    facts = board.emulator
    if facts is None:
        raise UsageError(f"board '{board.name}' has no emulator", "torpor boards lists those with")
    facts = _with_shift(board, facts, icount_shift, skip_idle=skip_idle)
    loaded = _loaded(board, facts, memory or {})
    lasting = None if flash is None else FlashFile(board, Path(flash))
    elf = existing(Path(elf))
    return Emulator(Setup(board, facts, elf, tuple(arguments), lasting, loaded, skip_idle, held))


def _with_shift(board: Board, facts: Facts, shift: int | None, *, skip_idle: bool) -> Facts:
    """Return `facts` with another icount_shift."""
    if shift is None and (facts.skips_idle or not skip_idle):
        return facts
    if facts.icount_shift is None:
        raise UsageError(f"board '{board.name}' counts no instructions: its time is the wall's")
    assert shift is not None, "a board that counts can skip"
    if not 0 <= shift <= LARGEST_SHIFT:
        raise UsageError(f"an icount shift of {shift} is none", f"0 to {LARGEST_SHIFT}")
    return dataclasses.replace(facts, icount_shift=shift)


def _loaded(board: Board, facts: Facts, memory: Mapping[int, Path]) -> tuple[tuple[int, Path], ...]:
    """Return the files that are to be in memory, in the order of their addresses."""
    for path in memory.values():
        if not path.is_file():
            raise UsageError(f"no such file: {path}", "it was to be in the device's memory")
    if facts.kind == "native" and len(memory) > 1:
        raise UsageError(f"board '{board.name}' is a process", "one file can be in its memory")
    pieces = tuple(sorted(memory.items()))
    if board.memory:
        _check_places(board.memory["ram"], pieces)
    return pieces


def _check_places(ram: Memory, pieces: Sequence[tuple[int, Path]]) -> None:
    """Raise UsageError for a file in the RAM's beginning, which is noise when the power comes."""
    free = ram.origin + NOISE_BYTES
    for address, path in pieces:
        if address < free and ram.origin < address + path.stat().st_size:
            raise UsageError(
                f"{path} at {address:#x} lies where the RAM begins, which the firmware uses",
                f"an address from {free:#x} on",
            )
