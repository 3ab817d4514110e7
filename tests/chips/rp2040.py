# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The RP2040 on a Pico, as far as firmware/port/rp2040 uses it, with the rules of its data sheet.

Of the RP2040 Datasheet and the W25Q16JV's, and of the boot ROM's published source: what the ROM
does is done here in Python, when its addresses are called. Core 1 always waits in the ROM.
"""

import struct
from functools import partial

from unicorn import arm_const as arm

from tests.chips.cortexm import CortexM
from tests.chips.machine import Clock, ForbiddenError, Machine, Peripheral, Timer
from tests.chips.rp2040_flash import PAGE, SECTOR, Ssi
from torpor_build.second_stage import checksum

ROSC_HZ, XOSC_HZ = 6_500_000, 12_000_000
FLASH, FLASH_BYTES = 0x10000000, 0x200000
RAM, RAM_BYTES = 0x20000000, 0x42000
STAGE, STAGE_BYTES = RAM + RAM_BYTES - 256, 256
PLL_LOCK_S, ERASE_S, PROGRAM_S = 100e-6, 0.045, 0.0004
WIRE_TICKS = XOSC_HZ * 10 // 115200  # of a byte, in cycles of 12 MHz
IO_BANK0, IO_QSPI, PADS_BANK0, PADS_QSPI, PLL_SYS, TIMER, UART0 = 5, 6, 8, 9, 12, 21, 22
PSM_MASK = 0x1FFFC
CHIP_WIDE = ("power", "pin", "watchdog", "forced")  # resets of more than the cores


class Apb(Peripheral):
    """Registers with aliases that set or clear bits (2.1.2), in a block that RESETS may hold."""

    size = 0x4000
    bit: int | None = None  # in RESETS; None: is never held

    def __init__(self, chip: "Rp2040", base: int) -> None:
        super().__init__(chip.machine, base)
        self.chip = chip

    def read(self, offset: int, size: int) -> int:
        self._check(size)
        if offset >= 0x1000:
            raise self.forbidden(f"an alias is read: {offset:#x}")
        return self.get(offset)

    def write(self, offset: int, size: int, value: int) -> None:
        self._check(size)
        how, offset = offset >> 12, offset & 0xFFF
        if how == 2:
            value |= self.get(offset)
        elif how == 3:
            value = self.get(offset) & ~value
        elif how == 1:
            value ^= self.get(offset)
        self.put(offset, value)

    def _check(self, size: int) -> None:
        if size != 4:
            raise self.forbidden("takes whole words only")
        if self.bit is not None and self.chip.resets.held >> self.bit & 1:
            raise self.forbidden("is used while it is held in reset")

    def get(self, offset: int) -> int:
        """Read, without aliases."""
        return Peripheral.read(self, offset, 4)

    def put(self, offset: int, value: int) -> None:
        """Write, without aliases."""
        Peripheral.write(self, offset, 4, value)

    def clear(self) -> None:
        """Take the values after reset."""

    def reset(self, cause: str) -> None:
        if cause in CHIP_WIDE:
            self.clear()


class Words(Apb):
    """Registers that keep what is written."""

    known: dict[int, int] = {}  # noqa: RUF012 - each class has its own

    def __init__(self, chip: "Rp2040", base: int) -> None:
        super().__init__(chip, base)
        self.values = dict(self.known)

    def clear(self) -> None:
        self.values = dict(self.known)

    def get(self, offset: int) -> int:
        return self.values[offset] if offset in self.values else super().get(offset)

    def put(self, offset: int, value: int) -> None:
        if offset not in self.values:
            super().put(offset, value)
        self.values[offset] = value


class Resets(Apb):
    """Which blocks are held in reset (2.14); the ROM lets some go."""

    held = 0x1FFFFFF

    def clear(self) -> None:
        self.held = 0x1FFFFFF & ~(1 << PADS_BANK0)

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self.held &= ~(1 << IO_QSPI | 1 << PADS_QSPI | 1 << TIMER)

    def get(self, offset: int) -> int:
        if offset == 0:
            return self.held
        return 0x1FFFFFF & ~self.held if offset == 8 else super().get(offset)

    def put(self, offset: int, value: int) -> None:
        if offset:
            super().put(offset, value)
        for part in self.chip.machine.peripherals:
            if isinstance(part, Apb) and part.bit is not None and value >> part.bit & 1:
                part.clear()
        self.held = value


class Psm(Words):
    """The power-on state machine (2.13): what the watchdog resets."""

    known = {8: 0}  # noqa: RUF012


class Xosc(Words):
    """The crystal (2.16)."""

    known = {0: 0, 4: 0, 0xC: 0xC4}  # noqa: RUF012
    events_only = frozenset({4})

    def __init__(self, chip: "Rp2040", base: int) -> None:
        super().__init__(chip, base)
        self._starts = Timer(chip.wire, self._on_stable)

    def reset(self, cause: str) -> None:
        if cause in ("power", "pin"):
            self.clear()
            self._starts.cancel()

    @property
    def is_stable(self) -> bool:
        """It can be used."""
        return bool(self.values[4] >> 31)

    def _on_stable(self) -> None:
        self.values[4] = 1 << 31 | 1 << 12

    def put(self, offset: int, value: int) -> None:
        if offset == 4:
            raise self.forbidden("STATUS is written")
        if self.chip.clocks.values[0x30] & 3 == 2:
            raise self.forbidden("its settings are changed while it is used")
        super().put(offset, value)
        if offset == 0:
            if value != 0xFABAA0:
                raise self.forbidden(f"CTRL {value:#x}")
            if not self.is_stable and self._starts.tick is None:
                self._starts.after(256 * (self.values[0xC] & 0x3FFF))


class Pll(Words):
    """PLL_SYS (2.18)."""

    known = {0: 1, 4: 0x2D, 8: 0, 0xC: 0x77000}  # noqa: RUF012
    bit = PLL_SYS
    events_only = frozenset({0})

    def __init__(self, chip: "Rp2040", base: int) -> None:
        super().__init__(chip, base)
        self._locks = Timer(chip.wire, self._on_lock)

    def clear(self) -> None:
        if self.chip.clocks.is_pll_used:
            raise self.forbidden("is reset while the CPU runs from it")
        super().clear()
        self._locks.cancel()

    def reset(self, cause: str) -> None:
        if cause in CHIP_WIDE:
            self.values = dict(self.known)
            self._locks.cancel()

    def _on_lock(self) -> None:
        self.values[0] |= 1 << 31

    @property
    def hz(self) -> int:
        """What comes out; 0: nothing that could be used."""
        divider = (self.values[0xC] >> 16 & 7) * (self.values[0xC] >> 12 & 7)
        if not self.values[0] >> 31 or self.values[4] & 0x29:
            return 0
        return XOSC_HZ * self.values[8] // divider

    def put(self, offset: int, value: int) -> None:
        if self.chip.clocks.is_pll_used:
            raise self.forbidden("is changed while the CPU runs from it")
        runs = not self.values[4] & 0x21
        if runs and offset in (0, 8):
            raise self.forbidden("its loop is changed while it runs")
        super().put(offset, value)
        if offset == 4 and value & 0x21:
            self.values[0] &= ~(1 << 31)
            self._locks.cancel()
        elif offset == 4 and not runs:
            if not 750 <= 12 * self.values[8] <= 1600 or not self.chip.xosc.is_stable:
                raise self.forbidden(f"cannot lock: times {self.values[8]}")
            self._locks.after(int(PLL_LOCK_S * XOSC_HZ))


class Clocks(Words):
    """Clock generators, and which parts have a clock asleep (2.15)."""

    known = {  # noqa: RUF012
        **{0x30: 0, 0x34: 0x100, 0x3C: 0, 0x40: 0x100, 0x48: 0, 0x78: 0xFF},
        **{0xA0: 0xFFFFFFFF, 0xA4: 0x7FFF, 0xA8: 0xFFFFFFFF, 0xAC: 0x7FFF},
    }

    def clear(self) -> None:
        super().clear()
        self.chip.look_at_clocks()

    @property
    def is_pll_used(self) -> bool:
        """The CPU runs from it."""
        return bool(self.values[0x3C] & 1)

    def get(self, offset: int) -> int:
        if offset == 0x38:
            return 1 << (self.values[0x30] & 3)
        if offset == 0x44:
            return 1 << (self.values[0x3C] & 1)
        return super().get(offset)

    def put(self, offset: int, value: int) -> None:
        old = self.values.get(offset, 0)
        if offset == 0x3C and old & 1 and value & 1 and (old ^ value) & 0xE0:
            raise self.forbidden("the auxiliary source is switched while it is used")
        super().put(offset, value)
        self.chip.look_at_clocks()


class TimerBlock(Apb):
    """TIMER (4.6), which counts the watchdog's ticks."""

    bit = TIMER

    def __init__(self, chip: "Rp2040", base: int) -> None:
        super().__init__(chip, base)
        self.clock = Clock(chip.machine, 0)
        self._alarms = [Timer(self.clock, partial(self._on_match, n)) for n in range(4)]
        self._targets = [0] * 4
        self._zero = 0

    def clear(self) -> None:
        self._zero = self.clock.ticks
        self._raw = self._enabled = 0
        for alarm in self._alarms:
            alarm.cancel()
        self._look()

    def reset(self, cause: str) -> None:
        self.clear()  # by the ROM at least

    def _on_match(self, number: int) -> None:
        self._raw |= 1 << number
        self._look()

    def _look(self) -> None:
        for n in range(4):
            self.machine.core.line(n, bool((self._raw & self._enabled) >> n & 1))

    @property
    def _count(self) -> int:
        return self.clock.ticks - self._zero

    def get(self, offset: int) -> int:
        if offset == 0x28:
            return self._count & 0xFFFFFFFF
        if offset == 0x20:
            return sum((alarm.tick is not None) << n for n, alarm in enumerate(self._alarms))
        values = {0x34: self._raw, 0x38: self._enabled, 0x40: self._raw & self._enabled}
        return values[offset] if offset in values else super().get(offset)

    def put(self, offset: int, value: int) -> None:
        if 0x10 <= offset < 0x20:
            ahead = (value - self._count) & 0xFFFFFFFF
            self._alarms[offset // 4 - 4].after(ahead or 1 << 32)
        elif offset == 0x20:
            for n in range(4):
                self._alarms[n].cancel() if value >> n & 1 else None
        elif offset == 0x34:
            self._raw &= ~value
        elif offset == 0x38:
            self._enabled = value
        else:
            super().put(offset, value)
        self._look()


class Watchdog(Apb):
    """The watchdog, and the ticks of everybody (4.7); two counts a tick (RP2040-E1)."""

    def __init__(self, chip: "Rp2040", base: int) -> None:
        super().__init__(chip, base)
        self.clock = Clock(chip.machine, 0)
        self._bites = Timer(self.clock, self._on_bite)
        self.scratch = [0] * 8
        self.reason = self._control = self._load = self.tick = 0

    def reset(self, cause: str) -> None:
        if cause in ("power", "pin"):
            self.scratch, self.reason = [0] * 8, 0
        if cause in CHIP_WIDE:
            self._control, self._load, self.tick = 0x07000000, 0, 0x200
            self._bites.cancel()
            self.chip.look_at_clocks()

    @property
    def is_running(self) -> bool:
        """It will bite."""
        return bool(self._control >> 30 & 1)

    def _on_bite(self) -> None:
        self._reset(1, "watchdog")

    def _reset(self, reason: int, cause: str) -> None:
        if self.chip.psm.values[8] != PSM_MASK:
            raise self.forbidden(f"resets only {self.chip.psm.values[8]:#x}")
        self.reason = reason
        self.machine.reset(cause)

    def get(self, offset: int) -> int:
        if 0x0C <= offset < 0x2C:
            return self.scratch[offset // 4 - 3]
        values = {0: self._control, 8: self.reason, 0x2C: self.tick}
        return values[offset] if offset in values else super().get(offset)

    def put(self, offset: int, value: int) -> None:
        if 0x0C <= offset < 0x2C:
            self.scratch[offset // 4 - 3] = value
        elif offset == 0:
            self._control = value & 0x7FFFFFFF
            if value >> 31:
                self._reset(2, "forced")
        elif offset == 4 and value <= 0xFFFFFF:
            self._load = value
        elif offset == 0x2C:
            self.tick = value
            self.chip.look_at_clocks()
        else:
            super().put(offset, value)
        if offset in (0, 4):
            self._begin()

    def _begin(self) -> None:
        if self.is_running:
            self._bites.after(self._load // 2)
        else:
            self._bites.cancel()


class Uart(Apb):
    """UART0, a PL011 (4.2)."""

    bit = UART0
    events_only = frozenset({0x18})
    FIFO = 32

    def __init__(self, chip: "Rp2040", base: int, irq: int) -> None:
        super().__init__(chip, base)
        self.clock = Clock(chip.machine, 0)
        self._irq = irq
        self.sent = bytearray()
        self.lost = 0
        self._coming = bytearray()
        self._leaves = Timer(self.clock, self._on_sent)
        self._arrives = Timer(chip.wire, self._on_arrival)
        self._quiet = Timer(self.clock, self._on_quiet)

    def clear(self) -> None:
        self._values = {0x24: 0, 0x28: 0, 0x2C: 0, 0x30: 0x300, 0x34: 0x12, 0x38: 0}
        self._divider = self._format = self._out = self._raw = 0
        self._in = bytearray()
        for timer in (self._leaves, self._quiet):
            timer.cancel()
        self._look()

    def _byte_ticks(self) -> int:
        baud = self.clock.hz * 4 / self._divider if self._divider else 0
        if abs(baud / 115200 - 1) > 0.01 or self._format != 0x70:
            raise self.forbidden(f"{baud:.0f} baud, format {self._format:#x}")
        return round(10 * self.clock.hz / baud)

    def receive(self, data: bytes) -> None:
        """Send bytes to the device, as fast as the wire carries them."""
        self._coming += data
        if self._arrives.tick is None:
            self._arrives.after(WIRE_TICKS)

    def _on_arrival(self) -> None:
        byte = self._coming.pop(0)
        if self._coming:
            self._arrives.after(WIRE_TICKS)
        held = self.chip.resets.held >> self.bit & 1
        is_deaf = held or not self.clock.hz or self._values[0x30] & 0x201 != 0x201
        if is_deaf or len(self._in) == self.FIFO:
            self.lost += 1
        else:
            self._in.append(byte)
            if len(self._in) >= (4, 8, 16, 24, 28)[self._values[0x34] >> 3 & 7]:
                self._raw |= 1 << 4
            self._quiet.after(self._byte_ticks() * 32 // 10)
            self._look()

    def _on_quiet(self) -> None:
        if self._in:
            self._raw |= 1 << 6
            self._look()

    def _on_sent(self) -> None:
        self._out -= 1
        if self._out:
            self._leaves.after(self._byte_ticks())

    def _look(self) -> None:
        self.machine.core.line(self._irq, bool(self._raw & self._values[0x38]))

    def get(self, offset: int) -> int:
        if offset == 0:
            if not self._in:
                raise self.forbidden("nothing has come")
            byte = self._in.pop(0)
            if not self._in:
                self._raw &= ~(1 << 4 | 1 << 6)
            self._look()
            return byte
        if offset == 0x18:
            empty, full = not self._in, self._out >= self.FIFO
            return empty << 4 | full << 5 | (not self._out) << 7 | bool(self._out) << 3
        return self._values[offset] if offset in self._values else super().get(offset)

    def put(self, offset: int, value: int) -> None:
        if offset == 0:
            self._send(value)
        elif offset == 0x44:
            self._raw &= ~value
        elif offset in self._values:
            if self._values[0x30] & 1 and offset in (0x24, 0x28, 0x2C):
                raise self.forbidden("its line is set up while it is enabled")
            self._values[offset] = value
            if offset == 0x2C:
                self._divider = self._values[0x24] * 64 + self._values[0x28]
                self._format = value
        else:
            super().put(offset, value)
        self._look()

    def _send(self, value: int) -> None:
        if self._values[0x30] & 0x101 != 0x101 or self._out >= self.FIFO:
            raise self.forbidden("cannot send")
        if self.chip.io.function(0) != 2 or self.chip.io.function(1) != 2:
            raise self.forbidden("has no pins")
        self.sent.append(value & 0xFF)
        self._out += 1
        if self._leaves.tick is None:
            self._leaves.after(self._byte_ticks())


class IoBank(Apb):
    """IO_BANK0 (2.19): functions of pins, and their edges."""

    bit = IO_BANK0
    IRQ = 13

    def __init__(self, chip: "Rp2040", base: int) -> None:
        super().__init__(chip, base)
        self.levels = [False] * 30

    def clear(self) -> None:
        self._functions = [0x1F] * 30
        self._raw, self._enabled = 0, 0
        self.machine.core.line(self.IRQ, False)

    def function(self, pin: int) -> int:
        """Return what a pin is used for."""
        return self._functions[pin]

    def drive(self, pin: int, level: bool) -> None:
        """Let somebody outside set the level of a pin."""
        before, self.levels[pin] = self.levels[pin], level
        seen = not self.chip.gated or bool(self.chip.clocks.values[0xA8] >> 8 & 1)
        if before != level and seen and self.chip.pads.values[4 + 4 * pin] & 0x40:
            self._raw |= (8 if level else 4) << 4 * pin
            self._look()

    def _look(self) -> None:
        self.machine.core.line(self.IRQ, bool(self._raw & self._enabled))

    def get(self, offset: int) -> int:
        if offset < 0xF0 and offset % 8 == 4:
            return self._functions[offset // 8]
        for base, bits in ((0xF0, self._raw), (0x100, self._enabled)):
            if base <= offset < base + 0x10:
                return bits >> 32 * ((offset - base) // 4) & 0xFFFFFFFF
        return super().get(offset)

    def put(self, offset: int, value: int) -> None:
        shift = 32 * (offset % 0x10 // 4)
        if offset < 0xF0 and offset % 8 == 4:
            self._functions[offset // 8] = value & 0x1F
        elif 0xF0 <= offset < 0x100:
            self._raw &= ~(value << shift)
        elif 0x100 <= offset < 0x110:
            self._enabled = self._enabled & ~(0xFFFFFFFF << shift) | value << shift
        else:
            super().put(offset, value)
        self._look()


class Pads(Words):
    """PADS_BANK0: inputs, pulls."""

    bit = PADS_BANK0
    known = dict.fromkeys(range(0, 0x80, 4), 0x56)


class QspiPads(Words):
    """PADS_QSPI."""

    bit = PADS_QSPI
    known = {0: 0, 4: 0x56, **dict.fromkeys(range(8, 0x18, 4), 0x52), 0x18: 0x5A}  # noqa: RUF012


class ChipReset(Words):
    """VREG_AND_CHIP_RESET (2.12.7): which of the two large resets was the last."""

    known = {0: 0xB1, 4: 0x91, 8: 0}  # noqa: RUF012

    def reset(self, cause: str) -> None:
        if cause in ("power", "pin"):
            self.clear()
            self.values[8] = 1 << 8 if cause == "power" else 1 << 16


class Rom(Peripheral):
    """What the boot ROM does. Its functions are stubs that write to here."""

    size = 0x1000
    FUNCTIONS = ("lookup", "IF", "EX", "RE", "RP", "FC")
    CODE = bytes.fromhex("054b 1860 5960 9a60 db60 1868 1900 1a00 7047 c046 c046 c046")
    STUBS, TABLE = 0x100, 0x80

    def __init__(self, chip: "Rp2040", base: int) -> None:
        super().__init__(chip.machine, base)
        self._chip = chip
        self._arguments = [0, 0, 0]
        self._result = 0
        content = bytearray(0x4000)
        struct.pack_into("<HHHH", content, 0x14, self.TABLE, 0, self._address(0), 0)
        struct.pack_into("<II", content, 0, STAGE, 0)
        for n in range(len(self.FUNCTIONS)):
            stub = self.CODE + struct.pack("<I", base + 0x10 * n)
            content[self.STUBS + 0x40 * n : self.STUBS + 0x40 * n + len(stub)] = stub
        chip.machine.uc.mem_map(0, 0x4000, 5)
        chip.machine.uc.mem_write(0, bytes(content))

    def _address(self, number: int) -> int:
        return self.STUBS + 0x40 * number | 1

    def read(self, offset: int, size: int) -> int:
        return self._result

    def write(self, offset: int, size: int, value: int) -> None:
        number, place = divmod(offset, 0x10)
        if place < 12:
            self._arguments[place // 4] = value
            return
        self._result = 0xDEADBEEF
        a, b, c = self._arguments
        if number == 0:
            self._result = self._look_up(a, b)
            return
        if not self._chip.core.engine.get(arm.UC_ARM_REG_PRIMASK) & 1:
            raise self.forbidden(f"{self.FUNCTIONS[number]} is called with interrupts enabled")
        ssi = self._chip.ssi
        if number == 1:
            self._chip.qspi.clear()
            ssi.connect()
        elif number == 2:
            ssi.exit_xip()
        elif number == 3:
            self._erase(a, b)
        elif number == 4:
            self._program(a, b, c)
        else:
            ssi.flush()

    def _look_up(self, table: int, code: int) -> int:
        if table != self.TABLE:
            raise self.forbidden(f"no table at {table:#x}")
        name = bytes([code & 0xFF, code >> 8]).decode()
        return self._address(self.FUNCTIONS.index(name))

    def _stall(self, seconds: float) -> None:
        self.machine.stall(self.machine.now + int(seconds * 10**12))

    def _erase(self, offset: int, count: int) -> None:
        self._chip.ssi.insist_on_commands()
        if offset % SECTOR or count % SECTOR or offset + count > FLASH_BYTES:
            raise self.forbidden(f"cannot erase {count:#x} bytes at {offset:#x}")
        for at in range(offset, offset + count, SECTOR):
            self._stall(ERASE_S)
            self._chip.ssi.is_stale = True
            self._chip.flash.erase(FLASH + at, SECTOR)

    def _program(self, offset: int, source: int, count: int) -> None:
        self._chip.ssi.insist_on_commands()
        if offset % PAGE or count % PAGE or offset + count > FLASH_BYTES:
            raise self.forbidden(f"cannot program {count:#x} bytes at {offset:#x}")
        if not RAM <= source < RAM + RAM_BYTES:
            raise self.forbidden(f"data at {source:#x} cannot be read now")
        data = bytes(self.machine.uc.mem_read(source, count))
        for at in range(0, count, 4):
            if at % PAGE == 0:
                self._stall(PROGRAM_S)
            self._chip.ssi.is_stale = True
            if data[at : at + 4] != b"\xff" * 4:  # ones change nothing
                self._chip.flash.program(FLASH + offset + at, data[at : at + 4])


class Core(CortexM):
    """Core 0; after reset it does what the ROM does (2.8.1)."""

    chip: "Rp2040"

    def reset(self) -> None:
        super().reset()
        ssi, flash = self.chip.ssi, self.chip.flash
        ssi.connect()
        ssi.exit_xip()
        stage = flash.read(FLASH, STAGE_BYTES)
        if checksum(stage[:-4]) != int.from_bytes(stage[-4:], "little"):
            raise ForbiddenError("the ROM finds no second stage, and waits for a UF2 file")
        ssi.flush()
        self.engine.uc.mem_write(STAGE, stage)
        self.engine.uc.ctl_remove_cache(STAGE, STAGE + STAGE_BYTES)
        self.engine.set(arm.UC_ARM_REG_MSP, STAGE)
        self.engine.set(arm.UC_ARM_REG_LR, 0)
        self.chip.starts += 1
        self.jump(STAGE | 1)


class Rp2040:
    """The chip on its board: 12 MHz crystal, 2 MB of flash, UART0 on GP0 and GP1, GP15 free."""

    def __init__(
        self, *, cycles_per_instruction: int = 1, seed: int = 0, is_quad: bool = True
    ) -> None:
        self.core = Core("m0plus")
        self.core.chip = self
        self.machine = Machine(
            self.core, hz=ROSC_HZ, cycles_per_instruction=cycles_per_instruction, seed=seed
        )
        self.starts = self.deep_sleeps = 0
        self.gated = False
        self.asleep_hz = 0  # what the CPU's clock was in deep sleep
        self.wire = Clock(self.machine, XOSC_HZ)  # of whoever is outside
        self._second = Timer(self.wire, self._on_second)  # time passes when nothing else happens
        self._on_second()
        self.flash = self.machine.add_flash(FLASH, FLASH_BYTES)
        self.machine.add_ram(RAM, RAM_BYTES)
        self.resets = Resets(self, 0x4000C000)
        self.psm = Psm(self, 0x40010000)
        self.xosc = Xosc(self, 0x40024000)
        self.clocks = Clocks(self, 0x40008000)
        self.pll = Pll(self, 0x40028000)
        self.watchdog = Watchdog(self, 0x40058000)
        self.timer = TimerBlock(self, 0x40054000)
        self.uart = Uart(self, 0x40034000, irq=20)
        self.io = IoBank(self, 0x40014000)
        self.pads = Pads(self, 0x4001C000)
        self.qspi = QspiPads(self, 0x40020000)
        self.ssi = Ssi(self.machine, self.flash, is_quad=is_quad)
        for part in (
            *(self.resets, self.psm, self.xosc, self.clocks, self.pll, self.watchdog, self.timer),
            *(self.uart, self.io, self.pads, self.qspi, self.ssi),
            *(ChipReset(self, 0x40064000), Rom(self, 0x5FFF0000)),
        ):
            self.machine.add(part)
        self.machine.on_sleep, self.machine.on_wake = self._on_sleep, self._on_wake
        self.io.levels[1] = self.io.levels[15] = True

    def _on_second(self) -> None:
        self._second.after(XOSC_HZ)

    def press(self) -> None:
        """Connect GP15 to ground, and let it go."""
        self.io.drive(15, False)
        self.io.drive(15, True)

    # Clocks

    def look_at_clocks(self) -> None:
        """Find out who runs how fast, and whether that is allowed."""
        values = self.clocks.values
        on_crystal = values[0x30] & 3 == 2
        if on_crystal and not self.xosc.is_stable:
            raise self.clocks.forbidden("the crystal is used before it is stable")
        reference = XOSC_HZ if on_crystal else ROSC_HZ
        hz = self.pll.hz if self.clocks.is_pll_used else reference
        if not 0 < hz <= 133_000_000:
            raise self.clocks.forbidden(f"the CPU at {hz} Hz")
        self.machine.clock.hz = hz
        self.ssi.clock_hz = hz
        self._set_ticks(reference)
        is_fed = values[0x48] & 0x8E0 == 0x880 and self._has(0xAC, 6) and self._has(0xAC, 7)
        self.uart.clock.hz = XOSC_HZ if is_fed else 0

    def _set_ticks(self, reference: int) -> None:
        tick = self.watchdog.tick
        cycles = tick & 0x1FF if tick & 0x200 else 0
        self.watchdog.clock.hz = reference // cycles if cycles else 0
        self.timer.clock.hz = self.watchdog.clock.hz if self._has(0xAC, 5) else 0

    def _has(self, offset: int, bit: int) -> bool:
        """Say whether a part has a clock now: asleep, only if SLEEP_EN says so."""
        return not self.gated or bool(self.clocks.values[offset] >> bit & 1)

    def _on_sleep(self, deep: bool) -> None:
        if deep:
            self.gated = True
            self.deep_sleeps += 1
            self.asleep_hz = self.machine.clock.hz
            self.look_at_clocks()

    def _on_wake(self, deep: bool) -> None:
        self.gated = False
        self.look_at_clocks()
