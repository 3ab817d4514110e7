# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The ESP32-C3 with its flash, as far as firmware/port/esp32c3 uses it, and what its ROM does.

Of the ESP32-C3 Technical Reference Manual (UART, System Timer, Watchdog Timers, Interrupt Matrix,
Reset and Clock), Espressif's SVD file of the chip where that is silent (cache, MMU, SPI1), and
JEDEC's rules of SPI NOR flash. The cache is the strictest there can be: it has read every page the
moment that it is mapped, and forgets nothing that it is not told to. The PLL is always ready.
"""

import ctypes
import random
import struct
from pathlib import Path

from elftools.elf.elffile import ELFFile

from tests.chips.esp32c3_timers import Rtc, SysTimer, TimerGroup
from tests.chips.machine import (
    PATIENCE,
    Clock,
    Flash,
    ForbiddenError,
    Machine,
    Peripheral,
    Timer,
)
from tests.chips.riscv import RiscV

XTAL_HZ = 40_000_000
IBUS, DBUS, RAM, IRAM = 0x42000000, 0x3C000000, 0x3FC80000, 0x40380000
WINDOWS, RAM_BYTES, PAGE, PAGES = 0x800000, 0x60000, 0x10000, 128
ROM_RAM = 0x403DC710  # of the ROM itself while it loads
ARRAY = 0x10000000  # where the flash chip's content lies for the machine; the CPU has nothing there
NOTHING = 0x100
SECTOR, FLASH_PAGE, BUFFER = 4096, 256, 64
ERASE_S, PROGRAM_S = 0.045, 0.0004
WIRE_TICKS = XTAL_HZ * 10 // 115200  # of the crystal, for a byte


class Words(Peripheral):
    """Registers that keep what is written: those in `known`, with their values after reset."""

    known: dict[int, int] = {}  # noqa: RUF012 - each class has its own

    def __init__(self, machine: Machine, base: int) -> None:
        super().__init__(machine, base)
        self.values = dict(self.known)

    def reset(self, cause: str) -> None:
        self.values = dict(self.known)

    def read(self, offset: int, size: int) -> int:
        if size != 4 or offset not in self.values:
            return super().read(offset, size)
        return self.values[offset]

    def write(self, offset: int, size: int, value: int) -> None:
        if size != 4 or offset not in self.values:
            super().write(offset, size, value)
        self.values[offset] = value


class System(Words):
    """Which clock the CPU has."""

    known = {8: 0x0C, 0x58: 0x00000001}  # noqa: RUF012

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self._set_clock()

    def write(self, offset: int, size: int, value: int) -> None:
        super().write(offset, size, value)
        self._set_clock()

    def _set_clock(self) -> None:
        period, source = self.values[8] & 3, self.values[0x58] >> 10 & 3
        if source == 0:
            self.machine.clock.hz = XTAL_HZ // ((self.values[0x58] & 0x3FF) + 1)
        elif source == 1 and self.values[8] & 4 and period < 2:
            self.machine.clock.hz = 80_000_000 << period
        else:
            raise self.forbidden(f"no such clock: {source}, {period}")

    @property
    def stops_in_wfi(self) -> bool:
        """The CPU's clock is gated while it waits."""
        return not self.values[8] & 8


class Matrix(Peripheral):
    """The interrupt matrix: sources to lines, and what the CPU takes."""

    def __init__(self, machine: Machine, base: int, core: RiscV) -> None:
        super().__init__(machine, base)
        self._core = core
        core.due = self.due

    def reset(self, cause: str) -> None:
        self._maps = dict.fromkeys(range(62), 0)
        self._priorities = dict.fromkeys(range(1, 32), 0)
        self._enabled = self._kinds = self._threshold = 0

    def due(self) -> int | None:
        """Return the line of the highest priority, the lowest number among equals."""
        lines = {self._maps[source] for source in self._core.levels}
        ready = [n for n in lines if n and self._enabled >> n & 1]
        ready = [n for n in ready if self._priorities[n] >= max(self._threshold, 1)]
        return max(ready, key=lambda n: (self._priorities[n], -n), default=None)

    def read(self, offset: int, size: int) -> int:
        values = {0x104: self._enabled, 0x108: self._kinds, 0x194: self._threshold}
        return values[offset] if offset in values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset // 4 in self._maps and value < 32:
            self._maps[offset // 4] = value
        elif offset == 0x104 and not value & 1:
            self._enabled = value
        elif offset == 0x108 and value == 0:  # levels only
            self._kinds = value
        elif 0x118 <= offset <= 0x190 and value < 16:
            self._priorities[(offset - 0x114) // 4] = value
        elif offset == 0x194 and value < 16:
            self._threshold = value
        else:
            super().write(offset, size, value)
        self.machine.look_again()


class Uart(Words):
    """UART0: two FIFOs of 128 bytes; settings hold after an update."""

    known = {0x14: 0x2B6, 0x20: 0x1000001C, 0x24: 0xC060, 0x78: 0x03701000, 0x80: 0x40000500}  # noqa: RUF012
    events_only = frozenset({0x1C})
    FULL, TOUT = 1 << 0, 1 << 8

    def __init__(self, machine: Machine, base: int, irq: int) -> None:
        self._irq = irq
        self._xtal = Clock(machine, XTAL_HZ)
        self.sent = bytearray()
        self.burst = 1  # bytes that come at once: more of them take less of our time
        self._coming = bytearray()
        super().__init__(machine, base)
        self._leaves = Timer(self._xtal, self._on_sent)
        self._arrives = Timer(self._xtal, self._on_arrival)
        self._quiet = Timer(self._xtal, self._on_quiet)

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self._held: dict[int, int] = {}
        self._in, self._out = bytearray(), 0
        self._raw = self._enabled = 0
        for timer in (self._leaves, self._quiet):
            timer.cancel()

    @property
    def byte_ticks(self) -> int:
        """Of the crystal, for ten bits."""
        clock, divisor = self._held.get(0x78, 0), self._held.get(0x14, 0)
        if clock >> 20 & 3 != 3 or not clock & 1 << 22 or not clock & 3 << 24:
            raise self.forbidden("has no clock")
        sixteenths = (divisor & 0xFFF) * 16 + (divisor >> 20 & 0xF)
        baud = XTAL_HZ * 16 / sixteenths / ((clock >> 12 & 0xFF) + 1)
        if abs(baud / 115200 - 1) > 0.01 or self._held[0x20] & 0x3F != 0x1C:
            raise self.forbidden(f"{baud:.0f} baud, format {self._held[0x20]:#x}")
        return round(10 * XTAL_HZ / baud)

    def receive(self, data: bytes) -> None:
        """Send bytes to the device, as fast as the wire carries them."""
        self._coming += data
        if not self._arrives.time:
            self._arrives.after(WIRE_TICKS * min(self.burst, len(self._coming)))

    def _on_sent(self) -> None:
        self._out -= 1
        if self._out:
            self._leaves.after(self.byte_ticks)

    def _on_arrival(self) -> None:
        """Bytes have come; a UART without a clock hears nothing."""
        come, self._coming = self._coming[: self.burst], self._coming[self.burst :]
        if self._coming:
            self._arrives.after(WIRE_TICKS * min(self.burst, len(self._coming)))
        if not self._held:
            return
        self._in += come
        assert len(self._in) <= 128, "a byte has been lost"
        self._quiet.after(WIRE_TICKS)
        self._look()

    def _on_quiet(self) -> None:
        if self._in and self.values[0x24] & 1 << 21:
            self._raw |= self.TOUT
            self._look()

    def _look(self) -> None:
        if self._in and len(self._in) >= self.values[0x24] & 0x1FF:
            self._raw |= self.FULL
        self.machine.core.line(self._irq, bool(self._raw & self._enabled))

    def read(self, offset: int, size: int) -> int:
        if offset == 0:
            if not self._in:
                raise self.forbidden("nothing has come")
            return self._in.pop(0)
        if offset == 0x1C:
            return len(self._in) | self._out << 16
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0:
            assert self.byte_ticks
            if self._out >= 128:
                raise self.forbidden("the FIFO is full")
            self.sent.append(value & 0xFF)
            self._out += 1
            if self._out == 1:
                self._leaves.after(self.byte_ticks)
        elif offset == 0x0C:
            self._enabled = value
            self._look()
        elif offset == 0x10:
            self._raw &= ~value
            self._look()
        else:
            super().write(offset, size, value)
            if offset == 0x80 and value & 1 << 31:
                self.values[0x80] &= ~(1 << 31)
                self._held = dict(self.values)


class Gpio(Peripheral):
    """Edges of the pins that are watched."""

    def __init__(self, machine: Machine, base: int, irq: int, mux: "IoMux") -> None:
        super().__init__(machine, base)
        self._irq, self._mux = irq, mux

    def reset(self, cause: str) -> None:
        self._pins = dict.fromkeys(range(26), 0)
        self._status = 0
        self.machine.core.line(self._irq, False)

    def edge(self, pin: int, *, rising: bool) -> None:
        """An edge at a pin: seen if its input is on, and it is a GPIO, and this edge is meant."""
        mux, conf = self._mux.values[4 + 4 * pin], self._pins[pin]
        if mux & 1 << 9 and mux >> 12 & 7 == 1 and conf >> 7 & 7 == (1 if rising else 2):
            self._status |= 1 << pin
            self.machine.core.line(self._irq, bool(conf & 1 << 13))

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x4C:
            self._status &= ~value
            self.machine.core.line(self._irq, bool(self._status))
        elif 0x74 <= offset < 0x74 + 4 * 26:
            self._pins[(offset - 0x74) // 4] = value
        else:
            super().write(offset, size, value)


class IoMux(Words):
    """What each pad is for."""

    known = {4 + 4 * pin: 0xB00 for pin in range(22)}  # noqa: RUF012


class Cache(Peripheral):
    """The cache, and the table of pages that it reads by."""

    size = 0x2000

    def __init__(
        self, machine: Machine, base: int, array: Flash, views: tuple[Flash, Flash]
    ) -> None:
        super().__init__(machine, base)
        self._array, self._views = array, views
        self._stale: set[int] = set()  # pages whose entry has changed

    def reset(self, cause: str) -> None:
        self.is_on = self._opens = False
        self._shut, self._address, self._lines = 3, 0, 0
        self._ahead = True  # it reads ahead, as the ROM may have let it
        self.table = [NOTHING] * PAGES
        self._stale = set(range(PAGES))
        self.busy = False
        for view in self._views:
            view.close()

    def map_all(self) -> None:
        """What the ROM does before it starts a program from flash."""
        self.table = [page if page < 64 else NOTHING for page in range(PAGES)]
        self._stale = set(range(PAGES))
        self.is_on, self._shut = True, 0
        self.apply()

    def apply(self) -> None:
        """Fill what has been mapped; between two instructions."""
        if not self.is_on or self._shut:
            return
        for page in sorted(self._stale):
            entry = self.table[page]
            content = (
                bytes(PAGE) if entry & NOTHING else self._array.read(ARRAY + entry * PAGE, PAGE)
            )
            for view in self._views:
                view.put(view.base + page * PAGE, content)
        if self._stale:
            for view in self._views:
                self.machine.uc.ctl_remove_cache(view.base, view.base + WINDOWS)
            self._stale.clear()
        if self._opens:
            self._opens = False
            for view in self._views:
                view.open()

    def read(self, offset: int, size: int) -> int:
        values = {0: self.is_on, 4: self._shut, 0x28: 2, 0x40: 8 | self._ahead << 2, 0xB0: 1}
        return int(values[offset]) if offset in values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset >= 0x1000:
            self._write_entry((offset - 0x1000) // 4, value)
        elif offset == 0:
            self._switch(bool(value & 1))
        elif offset == 4:
            self._shut = value
        elif offset == 0x40:
            self._ahead = bool(value & 4)
        elif offset == 0x2C:
            if value % 32:
                raise self.forbidden(f"no line begins at {value:#x}")
            self._address = value
        elif offset == 0x30:
            self._lines = value
        elif offset == 0x28 and value == 1:
            self._forget()
        else:
            super().write(offset, size, value)

    def _write_entry(self, page: int, value: int) -> None:
        if self.is_on:
            raise self.forbidden("the table changes under a running cache")
        if page >= PAGES or value & ~0x1FF or (not value & NOTHING and value >= 64):
            raise self.forbidden(f"entry {page} cannot be {value:#x}")
        self.table[page] = value
        self._stale.add(page)

    def _switch(self, on: bool) -> None:
        if on and self.busy:
            raise self.forbidden("the flash is busy")
        if on and self._shut:
            raise self.forbidden("both buses are shut")
        if not on and self._ahead:
            raise self.forbidden("it reads ahead while it is switched off")
        if on != self.is_on:
            for view in self._views if not on else ():
                view.close()
            self._opens = on
        self.is_on = on
        self.machine.look_again()  # the map changes between two instructions

    def _forget(self) -> None:
        """Read again what lies in a range of lines."""
        if self.is_on:
            raise self.forbidden("lines are forgotten while the cache runs")
        view = next(v for v in self._views if v.base <= self._address < v.base + WINDOWS)
        start, size = self._address - view.base, 32 * self._lines
        if start + size > WINDOWS or not size:
            raise self.forbidden(f"{size:#x} bytes from {self._address:#x}")
        for page in range(start // PAGE, (start + size - 1) // PAGE + 1):
            low, high = max(start, page * PAGE), min(start + size, (page + 1) * PAGE)
            entry = self.table[page]
            if page not in self._stale and not entry & NOTHING:
                data = self._array.read(ARRAY + entry * PAGE + low % PAGE, high - low)
                view.put(view.base + low, data)


class Spi1(Words):
    """The controller that writes the flash, and the flash chip's rules."""

    known = {4: 0, 8: 0x2CA000, 0x18: 0x80000000, 0x1C: 0x5C000007, 0x2C: 0} | {
        0x58 + 4 * n: 0 for n in range(16)
    }

    def __init__(self, machine: Machine, base: int, array: Flash, cache: Cache) -> None:
        super().__init__(machine, base)
        self._array, self._cache = array, cache
        self._time = Clock(machine, 1_000_000)
        self._ready = Timer(self._time, self._on_ready)
        self._is_writable = False
        self._asked = 0

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self.values[8] |= 1 << 23  # the ROM has read in two lines
        if cause == "power":
            self._ready.cancel()
            self._is_writable = False
        self._cache.busy = self._ready.tick is not None

    def _on_ready(self) -> None:
        self._cache.busy = self._is_writable = False

    def read(self, offset: int, size: int) -> int:
        return 0 if offset == 0 else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset != 0:
            super().write(offset, size, value)
            return
        commands = {1 << 24: self._erase, 1 << 25: self._program, 1 << 27: self._status}
        commands[1 << 30] = self._enable
        if value not in commands:
            raise self.forbidden(f"no command {value:#x}")
        if self._cache.busy and value != 1 << 27:
            raise self.forbidden("the flash is busy")
        commands[value]()

    def _enable(self) -> None:
        self._is_writable = True

    def _status(self) -> None:
        """Who asks while the flash is busy, asks until it is not: time passes."""
        self.values[0x2C] = int(self._cache.busy) | self._is_writable << 1
        self._asked += 1
        if self._cache.busy and self._ready.time and self._asked > PATIENCE:
            self.machine._skip(self._ready.time)
            self.machine.look_again()

    def _check(self) -> int:
        if self._cache.is_on:
            raise self.forbidden("a write under a running cache")
        if not self._is_writable:
            raise self.forbidden("the flash is not enabled for a write")
        if self.values[8] & (1 << 13 | 1 << 14 | 1 << 20 | 3 << 23):
            raise self.forbidden("the command goes over several lines")
        if self.values[0x18] != 3 << 30 or self.values[0x1C] >> 26 != 23:
            raise self.forbidden("the command has no address of 24 bits")
        return self.values[4] & 0xFFFFFF

    def _begin(self, seconds: float) -> None:
        self._cache.busy = True
        self._asked = 0
        self._ready.after(round(seconds * 1_000_000))

    def _erase(self) -> None:
        address = self._check()
        if address % SECTOR:
            raise self.forbidden(f"no sector begins at {address:#x}")
        self._begin(ERASE_S)
        self._array.erase(ARRAY + address, SECTOR)

    def _program(self) -> None:
        address, length = self._check(), self.values[4] >> 24
        if not 0 < length <= BUFFER or address % FLASH_PAGE + length > FLASH_PAGE:
            raise self.forbidden(f"{length} bytes at {address:#x}")
        data = b"".join(struct.pack("<I", self.values[0x58 + 4 * n]) for n in range(16))[:length]
        self._begin(PROGRAM_S)
        self._array.program(ARRAY + address, data)


class Ram(Peripheral):
    """Internal SRAM 1, seen by both buses; noise when power comes. No registers."""

    def __init__(self, machine: Machine, seed: int) -> None:
        super().__init__(machine, 0x60FF0000)
        self._random = random.Random(seed)
        self._bytes = ctypes.create_string_buffer(RAM_BYTES + 0x1000)
        start = -ctypes.addressof(self._bytes) % 0x1000
        place = ctypes.addressof(self._bytes) + start
        for base in (RAM, IRAM):
            machine.uc.mem_map_ptr(base, RAM_BYTES, 7, place)

    def reset(self, cause: str) -> None:
        if cause == "power":
            self.machine.uc.mem_write(RAM, self._random.randbytes(RAM_BYTES))
        self.forget_code()

    def forget_code(self) -> None:
        """The translator does not see that one bus has written what the other executes."""
        self.machine.uc.ctl_remove_cache(IRAM, IRAM + RAM_BYTES)


class Esp32C3:
    """The chip, with 4 MB of flash."""

    def __init__(self, seed: int = 0, *, cycles_per_instruction: int = 16) -> None:
        """Make it. The CPU is slower than the real one, so that waiting takes less of our time."""
        self.core = RiscV()
        self.machine = machine = Machine(
            self.core,
            hz=XTAL_HZ // 2,
            cycles_per_instruction=cycles_per_instruction,
            seed=seed,
        )
        self.array = machine.add_flash(ARRAY, 0x400000)
        views = machine.add_flash(DBUS, WINDOWS), machine.add_flash(IBUS, WINDOWS)
        self.ram = Ram(machine, seed)
        self.system = System(machine, 0x600C0000)
        self.matrix = Matrix(machine, 0x600C2000, self.core)
        self.cache = Cache(machine, 0x600C4000, self.array, views)
        self.spi1 = Spi1(machine, 0x60002000, self.array, self.cache)
        self.uart = Uart(machine, 0x60000000, irq=21)
        self.mux = IoMux(machine, 0x60009000)
        self.gpio = Gpio(machine, 0x60004000, 16, self.mux)
        self.rtc = Rtc(machine, 0x60008000)
        self.timer = SysTimer(machine, 0x60023000, irq=37)
        self.group = TimerGroup(machine, 0x6001F000, irq=33)
        parts = (self.ram, self.system, self.matrix, self.cache, self.spi1, self.uart, self.mux)
        for part in (*parts, self.gpio, self.rtc, self.timer, self.group):
            machine.add(part)
        self.core.start = self.rom
        self.core.before_slice = self.cache.apply
        self.starts: list[str] = []  # what the ROM has started
        self._beat = Timer(Clock(machine, 10), self._on_beat)
        self._on_beat()

    def _on_beat(self) -> None:
        """Time goes on while all sleeps: a button may be pressed."""
        self._beat.after(1)

    def flash(self, offset: int, content: bytes) -> None:
        """Write the flash as a flasher does."""
        self.array.put(ARRAY + offset, content)

    def load_plain(self, elf: Path) -> None:
        """Put a firmware without bootloader where it lies."""
        with elf.open("rb") as file:
            for segment in ELFFile(file).iter_segments("PT_LOAD"):
                if segment["p_filesz"]:
                    self.flash(segment["p_paddr"] - IBUS, segment.data())

    def rom(self) -> int:
        """Do what the ROM does after a reset; return where it jumps."""
        begin = self.array.read(ARRAY, 24)
        if begin[0] == 0xE9:
            self.starts.append("image")
            return self._load_image(begin)
        if begin[:8] == bytes.fromhex("1d04dbae1d04dbae"):
            self.starts.append("direct")
            self.cache.map_all()
            for view in (DBUS, IBUS):
                self.machine.uc.mem_protect(view, WINDOWS, 5)
            return IBUS + 8
        raise ForbiddenError("the ROM finds nothing to start")

    def _load_image(self, header: bytes) -> int:
        """Copy segments to RAM ("Firmware Image Format" of esptool's documentation)."""
        at = ARRAY + 24
        for _ in range(header[1]):
            address, size = struct.unpack("<II", self.array.read(at, 8))
            room = ROM_RAM - IRAM
            if not any(b <= address and address + size <= b + room for b in (RAM, IRAM)):
                raise ForbiddenError(f"the ROM cannot load {size:#x} bytes to {address:#x}")
            self.machine.uc.mem_write(address, self.array.read(at + 8, size))
            at += 8 + size
        self.ram.forget_code()
        return int.from_bytes(header[4:8], "little")
