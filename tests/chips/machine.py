# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A microcontroller in Python that keeps its manual's rules, and refuses what they forbid.

The instructions are unicorn's (engine.py); interrupts, sleep and faults are those of cortexm.py or
riscv.py; the chip's registers are `Peripheral` objects. To add a chip:

    machine = Machine(CortexM("m4"), hz=64_000_000)           # what it runs at after reset
    machine.add_ram(0x20000000, 0x40000)                      # noise after power loss
    flash = machine.add_flash(0x00000000, 0x100000)           # lasts; stores go to flash.on_store
    machine.add(Uart(machine, base=0x40002000, irq=2))        # a Peripheral: read() and write()
    machine.load(elf)
    machine.power_on()
    machine.run(seconds=5, until=lambda: b"done" in uart.sent)

Time is in picoseconds (`machine.now`) and passes with instructions: each takes
`cycles_per_instruction` cycles of `machine.clock`. Everything else that takes time is a `Timer` on
a `Clock`: `timer.after(ticks)` calls back when they have passed; a clock whose `hz` is set to 0
stands still, and so do its timers. A sleeping CPU skips to the next timer. A peripheral raises its
interrupt with `machine.core.line(irq, True)` (a level) or `machine.core.pulse(irq)`.

A model raises `ForbiddenError` for what the manual forbids: wrong order, too fast a clock, a
register that it does not have. `machine.reset("software")` is for a model whose register resets the
chip; each peripheral's `reset(cause)` is called, with "power" where power has come.

Power is cut with `flash.cut(n, shape, seed)`: the n-th erase or unit programmed from now on tears,
run() returns "power", and power_on() goes on with another RAM.
"""

import math
import random
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import unicorn
from elftools.elf.elffile import ELFFile

from tests.chips.engine import FOREVER, Engine

SECOND = 10**12  # in units of time
PAGE = 0x1000
GRAIN = 0x400  # peripherals begin and end at multiples of it
PATIENCE = 16  # equal reads of a register that only an event changes, before time is skipped
LONGEST_WAIT = 5 * SECOND  # that is skipped: what takes longer is not waited for in a loop
LOOP = 12  # instructions from one such read to the next


class ForbiddenError(AssertionError):
    """The manual forbids it."""


class StuckError(AssertionError):
    """Nothing will ever go on."""


class PowerError(Exception):
    """Power is gone; run() catches it."""


class Clock:
    """What ticks `hz` times a second, since power came."""

    def __init__(self, machine: "Machine", hz: int) -> None:
        self._machine = machine
        self._base = (0, 0)  # a time, and the ticks until then
        self._hz = hz
        self.timers: list[Timer] = []
        machine.clocks.append(self)

    @property
    def hz(self) -> int:
        """How fast; 0: it stands still."""
        return self._hz

    @hz.setter
    def hz(self, hz: int) -> None:
        if hz != self._hz:
            self._base = (self._machine.now, self.ticks)
            self._machine.look_again()  # while its time is still that of the old frequency
            self._hz = hz
            for timer in self.timers:
                timer.plan()

    @property
    def ticks(self) -> int:
        """How often it has ticked."""
        time, ticks = self._base
        return ticks + (self._machine.now - time) * self._hz // SECOND

    def time_of(self, tick: int) -> int | None:
        """Return when it comes to a tick, as far as is known now."""
        time, ticks = self._base
        if self._hz == 0:
            return None
        return time + max(0, -(-(tick - ticks) * SECOND // self._hz))


class Timer:
    """Calls back at a tick of a clock; once, unless it is set again."""

    def __init__(self, clock: Clock, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._machine = clock._machine
        self._callback = callback
        self.tick: int | None = None
        self.time: int | None = None
        """When it calls back; None: not, as things are."""
        clock.timers.append(self)

    def at(self, tick: int) -> None:
        """Set it to a tick; one that has passed calls back before the next instruction."""
        self.tick = tick
        self.plan()
        self._machine.look_again(self.time)

    def after(self, ticks: int) -> None:
        """Set it so many ticks from now."""
        self.at(self._clock.ticks + ticks)

    def cancel(self) -> None:
        """Forget it."""
        self.tick = None
        self.plan()

    def plan(self) -> None:
        """Find out when it calls back, as things are."""
        self.time = None if self.tick is None else self._clock.time_of(self.tick)
        if self.time is None:
            self._machine.planned.pop(self, None)
        else:
            self._machine.planned[self] = self.time

    def fire(self) -> None:
        """Call back."""
        self.cancel()
        self._callback()


class Peripheral:
    """Registers from `base` on. A read or write that it does not know is forbidden."""

    size = GRAIN
    events_only: frozenset[int] = frozenset()
    """Offsets of registers that only timers and writes change: waiting for them skips time."""

    def __init__(self, machine: "Machine", base: int) -> None:
        self.machine = machine
        self.base = base

    @property
    def name(self) -> str:
        """What messages call it."""
        return type(self).__name__

    def read(self, offset: int, size: int) -> int:
        """Return what the CPU reads."""
        raise self.forbidden(f"has no register at {offset:#x} to read ({size} bytes)")

    def write(self, offset: int, size: int, value: int) -> None:
        """Take what the CPU writes."""
        raise self.forbidden(f"has no register at {offset:#x} to write {value:#x} ({size} bytes)")

    def reset(self, cause: str) -> None:
        """Go back to the values after reset; `cause` is "power", or what reset() was called with.

        Called for power too, before any instruction.
        """

    def forbidden(self, what: str) -> ForbiddenError:
        """Return the error to raise."""
        return ForbiddenError(f"{self.name}: {what}, at pc {self.machine.pc:#010x}")


class Shape(IntEnum):
    """What an operation that is cut leaves behind, as in host/torpor/powercut/flash.h."""

    PREFIX = 0
    RANDOM = 1
    COMPLETE = 2


class Flash:
    """Memory that lasts. Its rules are the controller's: it calls erase() and program()."""

    def __init__(self, machine: "Machine", base: int, size: int) -> None:
        self._machine = machine
        self.base = base
        self.size = size
        self.operations = 0
        self._cut_at = 0
        self._shape = Shape.COMPLETE
        self._random = random.Random(0)
        self.on_store: Callable[[int, int, int], None] = self._refuse
        self.on_access: Callable[[], None] | None = None

    def _refuse(self, address: int, size: int, value: int) -> None:
        raise ForbiddenError(f"a store to flash at {address:#010x}, {size} bytes: {value:#x}")

    def read(self, address: int, size: int) -> bytes:
        """Return its content."""
        assert self.base <= address and address + size <= self.base + self.size, hex(address)
        return bytes(self._machine.uc.mem_read(address, size))

    def put(self, address: int, content: bytes) -> None:
        """Set its content without rules, count or cut: the factory."""
        assert self.base <= address and address + len(content) <= self.base + self.size
        self._machine.uc.mem_write(address, content)

    def cut(self, operation: int, shape: Shape, seed: int = 0) -> None:
        """Cut power in an operation, counted from now on, from 1."""
        self._cut_at = self.operations + operation
        self._shape = shape
        self._random = random.Random(seed)

    def erase(self, address: int, size: int) -> None:
        """Make all bits of a sector ones."""
        self._operate(address, b"\xff" * size)
        self._machine.uc.ctl_remove_cache(address, address + size)

    def program(self, address: int, data: bytes) -> None:
        """Clear the bits of one unit that are 0 in `data`."""
        old = self.read(address, len(data))
        self._operate(address, bytes(a & b for a, b in zip(old, data, strict=True)))

    def _operate(self, address: int, target: bytes) -> None:
        self.operations += 1
        if self.operations != self._cut_at:
            self.put(address, target)
            return
        self.put(address, self._torn(self.read(address, len(target)), target))
        self._machine.power_off()

    def _torn(self, old: bytes, target: bytes) -> bytes:
        """Return what lies between the two."""
        if self._shape is Shape.COMPLETE:
            return target
        if self._shape is Shape.PREFIX:
            half = len(old) // 2
            return target[:half] + old[half:]
        done = self._random.randbytes(len(old))
        return bytes((o & ~d) | (t & d) for o, t, d in zip(old, target, done, strict=True))

    def close(self) -> None:
        """Let nothing be read or executed from it: the first who does calls on_access()."""
        self._machine.uc.mem_protect(self.base, self.size, unicorn.UC_PROT_NONE)

    def open(self) -> None:
        """Let it be read and executed again."""
        readable = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        self._machine.uc.mem_protect(self.base, self.size, readable)


class Core:
    """What a CPU does between two slices; cortexm.py and riscv.py know how."""

    engine: Engine

    def attach(self, machine: "Machine") -> None:
        """Belong to a machine."""
        self.machine = machine

    def reset(self) -> None:
        """Start from the reset vector."""
        raise NotImplementedError

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        raise NotImplementedError

    def line(self, irq: int, level: bool) -> None:
        """Set the level of an interrupt."""
        raise NotImplementedError

    def pulse(self, irq: int) -> None:
        """Raise an interrupt once."""
        self.line(irq, True)
        self.line(irq, False)

    def service(self) -> bool:
        """Take an interrupt that is due; False if the CPU sleeps on."""
        raise NotImplementedError

    def run(self, limit: int) -> None:
        """Execute until `limit` instructions have been counted, or less."""
        raise NotImplementedError


class Machine:
    """A chip with its core, memories and peripherals; see above."""

    def __init__(
        self, core: Core, *, hz: int, cycles_per_instruction: int = 1, seed: int = 0
    ) -> None:
        self.core = core
        self.uc: Any = core.engine.uc
        self.clocks: list[Clock] = []
        self.planned: dict[Timer, int] = {}  # those that will call back, and when
        self._slice = core.engine.slice
        self._base = (0, 0)  # a time, and the instructions until then
        self._cycles = cycles_per_instruction
        self._random = random.Random(seed)
        self._clock: Clock | None = None
        self._clock = Clock(self, hz)
        self._ram: list[tuple[int, int]] = []
        self._flashes: list[Flash] = []
        self.peripherals: list[Peripheral] = []
        self._pages: dict[int, list[Peripheral | None]] = {}
        self._last_read = (0, 0, 0, 0)  # address, value, at which instruction, how often
        self._idle = False  # waits for an event, by asking
        self._waits_for: Timer | None = None
        self._failure: BaseException | None = None
        self._reset_cause = ""
        self.is_powered = False
        self.fault_address: int | None = None  # of the access that the bus refuses
        self.fault_kind = 0  # unicorn's UC_MEM_*
        self.on_sleep: Callable[[bool], None] = lambda deep: None
        self.on_wake: Callable[[bool], None] = lambda deep: None
        self.on_lockup: Callable[[], None] = self._lock_up
        core.attach(self)
        kinds = unicorn.UC_HOOK_MEM_UNMAPPED | unicorn.UC_HOOK_MEM_PROT
        self.uc.hook_add(kinds, self._on_trouble)

    # Time

    @property
    def clock(self) -> Clock:
        """The CPU's."""
        assert self._clock
        return self._clock

    @property
    def now(self) -> int:
        """Picoseconds since power came first."""
        time, count = self._base
        passed = (self._slice.count - count) * self._cycles * SECOND
        if not passed or self._clock is None:
            return time
        return time - (-passed // self._running_hz)

    @property
    def seconds(self) -> float:
        """The same, to print."""
        return self.now / SECOND

    @property
    def _running_hz(self) -> int:
        return self.clock.hz or 1

    def look_again(self, at: int | None = 0) -> None:
        """Something has changed: end the slice, at a time that matters from now on."""
        if at is None or self._clock is None:
            return
        if at <= self.now:
            self._base = (self.now, self._slice.count)
            self._slice.stop = 1
        else:
            self._slice.limit = min(self._slice.limit, self._instructions_until(at))

    def _instructions_until(self, at: int) -> int:
        time, count = self._base
        return count - (-(at - time) * self._running_hz // (self._cycles * SECOND))

    def _next_timer(self) -> tuple[int, Timer] | None:
        if not self.planned:
            return None
        timer = min(self.planned, key=self.planned.__getitem__)
        return self.planned[timer], timer

    def _fire(self) -> None:
        """Call what is due."""
        while (found := self._next_timer()) and found[0] <= self.now:
            found[1].fire()

    def _skip(self, until: int) -> None:
        """Let time pass without instructions."""
        self._base = (max(self.now, until), self._slice.count)

    @property
    def instructions(self) -> int:
        """How many have been executed, the one that is being executed included."""
        return int(self._slice.count)

    def stall_after_this(self, timer: Timer) -> None:
        """Let the CPU wait for a timer, from the end of this instruction on."""
        self._waits_for = timer
        self._slice.stop = 1

    def stall(self, until: int) -> None:
        """Let the CPU wait, in the middle of an access; what is due meanwhile happens."""
        self._skip(until)
        self._fire()

    # Memory

    def add_ram(self, base: int, size: int) -> None:
        """Map RAM: noise when power comes."""
        self.uc.mem_map(base, size, unicorn.UC_PROT_ALL)
        self._ram.append((base, size))

    def add_flash(self, base: int, size: int) -> Flash:
        """Map memory that lasts, erased."""
        self.uc.mem_map(base, size, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self.uc.mem_write(base, b"\xff" * size)
        self._flashes.append(Flash(self, base, size))
        return self._flashes[-1]

    def add(self, peripheral: Peripheral) -> None:
        """Map a peripheral's registers."""
        self.peripherals.append(peripheral)
        for address in range(peripheral.base, peripheral.base + peripheral.size, GRAIN):
            page = address // PAGE * PAGE
            if page not in self._pages:
                self._pages[page] = [None] * (PAGE // GRAIN)
                self._map(page)
            self._pages[page][address % PAGE // GRAIN] = peripheral

    def _map(self, page: int) -> None:
        entries = self._pages[page]

        def read(uc: Any, offset: int, size: int, data: Any) -> int:
            return self._guard(self._read, entries[offset // GRAIN], page + offset, size)

        def write(uc: Any, offset: int, size: int, value: int, data: Any) -> None:
            self._guard(self._write, entries[offset // GRAIN], page + offset, size, value)

        self.uc.mmio_map(page, PAGE, read, None, write, None)

    def _guard(self, function: Callable[..., int], *arguments: Any) -> int:
        """Call a model; what it raises comes out of run(), behind the translator's frames."""
        if self._failure:
            return 0
        try:
            return function(*arguments)
        except BaseException as error:
            self._failure = error
            self._slice.stop = 1
            return 0

    def _read(self, peripheral: Peripheral | None, address: int, size: int) -> int:
        if peripheral is None:
            raise ForbiddenError(f"nothing to read at {address:#010x}, at pc {self.pc:#010x}")
        offset = address - peripheral.base
        value = peripheral.read(offset, size)
        if offset in peripheral.events_only:
            self._look_for_idling(address, value)
        return value & ((1 << 8 * size) - 1)

    def _look_for_idling(self, address: int, value: int) -> None:
        """Find out whether the CPU asks the same again and again, in a short loop."""
        before, old, when, times = self._last_read
        now = self.instructions
        is_loop = (before, old) == (address, value) and now - when <= LOOP
        self._last_read = (address, value, now, times + 1 if is_loop else 0)
        if self._last_read[3] >= PATIENCE:
            self._last_read = (0, 0, 0, 0)
            self._idle = True
            self._slice.stop = 1

    def _write(self, peripheral: Peripheral | None, address: int, size: int, value: int) -> int:
        if peripheral is None:
            raise ForbiddenError(f"nothing to write at {address:#010x}, at pc {self.pc:#010x}")
        self._last_read = (0, 0, 0, 0)
        peripheral.write(address - peripheral.base, size, value)
        return 0

    def _on_trouble(self, uc: Any, access: int, address: int, *rest: Any) -> bool:
        """Take an access that memory does not allow; True if it is to go on."""
        size, value, _ = rest
        for flash in self._flashes:
            if flash.base <= address < flash.base + flash.size:
                self._guard(self._on_flash, flash, access, address, size, value)
                return True  # what a model has refused comes out of run()
        self.fault_address, self.fault_kind = address, access
        return False

    def _on_flash(self, flash: Flash, access: int, address: int, size: int, value: int) -> int:
        if access == unicorn.UC_MEM_WRITE_PROT:
            self._last_read = (0, 0, 0, 0)
            flash.on_store(address, size, value & ((1 << 8 * size) - 1))
            return True
        if not flash.on_access:
            raise ForbiddenError(f"flash is closed: {address:#010x}, at pc {self.pc:#010x}")
        flash.on_access()
        flash.open()
        return True

    @property
    def pc(self) -> int:
        """Address of the instruction that is being, or was last, executed."""
        return self._slice.address

    def load(self, elf: Path) -> None:
        """Put what an ELF has for flash into it."""
        with elf.open("rb") as file:
            for segment in ELFFile(file).iter_segments():
                if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                    self.uc.mem_write(segment["p_paddr"], segment.data())

    # Running

    def power_on(self) -> None:
        """Let power come: RAM is noise, all else as after power-on reset."""
        for base, size in self._ram:
            self.uc.mem_write(base, self._random.randbytes(size))
        self.is_powered = True
        self._start("power")

    def power_off(self) -> None:
        """Cut power at once; for models."""
        self.is_powered = False
        raise PowerError

    def reset(self, cause: str) -> None:
        """Reset behind this instruction; RAM keeps its content."""
        self._reset_cause = cause
        self._slice.stop = 1

    def _start(self, cause: str) -> None:
        self._reset_cause = ""
        self._idle, self._waits_for = False, None
        for flash in self._flashes:
            flash.open()
        for peripheral in self.peripherals:
            peripheral.reset(cause)
        self.core.reset()

    def _lock_up(self) -> None:
        raise StuckError(f"the CPU has locked up: a fault in a fault handler, at {self.pc:#010x}")

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> str:
        """Run until something holds, looked at between slices; or so long.

        Returns "until", "time", or "power" where power was cut.
        """
        assert self.is_powered, "power_on() comes first"
        end = self.now + math.ceil(seconds * SECOND)  # never nothing, or who loops would for ever
        try:
            while self.now < end and not until():
                self._step(end)
        except PowerError:
            self._failure = None
            return "power"
        return "until" if until() else "time"

    def _step(self, end: int) -> None:
        """Go on, by a slice or by sleep, at most to `end`."""
        if self._waits_for:
            self._skip(self._waits_for.time or 0)
            self._waits_for = None
        self._fire()
        if self._reset_cause:
            self._start(self._reset_cause)
        awake = self.core.service()
        found = self._next_timer()
        if not awake or (self._idle and found and found[0] - self.now < LONGEST_WAIT):
            self._idle = False
            if found is None:
                raise StuckError(f"sleeps, and nothing will ever come, at {self.pc:#010x}")
            self._skip(min(found[0], end))
            return
        self._idle = False
        limit = FOREVER if found is None else self._instructions_until(found[0])
        self.core.run(min(limit, self._instructions_until(end)))
        if self._failure:
            failure, self._failure = self._failure, None
            raise failure
