# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The STM32F407, as far as firmware/port/stm32f4 uses it, with the rules of its manuals.

Written from RM0090 (chapters 3 flash, 5 power, 7 clocks, 8 pins, 12 interrupts, 17 to 20 timers, 21
watchdog, 26 RTC, 30 USART, 38 debug) and the data sheet DS8626 (times), not from the port: two
readings of one manual. Supply is 3.0 V. Not there: DMA, the window watchdog, Standby, option bytes.
"""

from collections.abc import Callable

from tests.chips.cortexm import CortexM
from tests.chips.machine import SECOND, Clock, Flash, Machine, Peripheral, Timer

HSI, HSE = 16_000_000, 8_000_000
KB = 1024
SECTORS = (16 * KB,) * 4 + (64 * KB,) + (128 * KB,) * 7
FLASH_BASE = 0x08000000
STOP_WAKE_US = 110  # DS8626, wake-up from Stop: regulator in low power, flash powered down

# Where the clock of a peripheral is enabled: register of RCC and bit (7.3.10, 7.3.13, 7.3.14)
AHB1ENR, APB1ENR, APB2ENR = 0x30, 0x40, 0x44


class Gated(Peripheral):
    """A peripheral that must not be touched before RCC gives it a clock."""

    def __init__(self, chip: "Stm32F407", base: int, enable: int, bit: int) -> None:
        super().__init__(chip.machine, base)
        self.chip = chip
        self._enable, self._bit = enable, bit
        self.registers: dict[int, int] = {}

    def reset(self, cause: str) -> None:
        self.registers = dict(self.values_at_reset())

    def values_at_reset(self) -> dict[int, int]:
        """Return its registers and their values, where they are plain memory."""
        return {}

    def read(self, offset: int, size: int) -> int:
        self.chip.rcc.check_enabled(self, self._enable, self._bit)
        return self.get(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        self.chip.rcc.check_enabled(self, self._enable, self._bit)
        self.put(offset, size, value)

    def get(self, offset: int, size: int) -> int:
        """Read, with a clock."""
        if offset in self.registers:
            return self.registers[offset]
        return super().read(offset, size)

    def put(self, offset: int, size: int, value: int) -> None:
        """Write, with a clock."""
        if offset not in self.registers:
            super().write(offset, size, value)
        self.registers[offset] = value


class Rcc(Peripheral):
    """Reset and clock control (chapter 7)."""

    events_only = frozenset({0x00, 0x08, 0x74})

    def __init__(self, chip: "Stm32F407", lsi_hz: int) -> None:
        super().__init__(chip.machine, 0x40023800)
        self.chip = chip
        self.pclk1, self.pclk2 = Clock(self.machine, HSI), Clock(self.machine, HSI)
        self.timers1 = Clock(self.machine, HSI)  # of the timers on APB1
        self.lsi, self.rtc = Clock(self.machine, 0), Clock(self.machine, 0)
        self._lsi_hz = lsi_hz
        self.has_crystal = True
        self._watchdog_wants_lsi = False
        self._hse_ready = Timer(chip.micro, lambda: self._ready(17))
        self._pll_ready = Timer(chip.micro, lambda: self._ready(25))
        self._lsi_ready = Timer(chip.micro, self._on_lsi)
        self._enabled_at: dict[tuple[int, int], int] = {}
        self.bdcr = 0
        self.flags = 0

    def reset(self, cause: str) -> None:
        flags = {"power": 0x0E, "software": 0x14, "watchdog": 0x24, "pin": 0x04}
        if cause == "power":
            self.flags, self.bdcr = 0, 0
        self.flags |= flags[cause] << 24
        self.cr, self.pllcfgr, self.cfgr = 0x83, 0x24003010, 0
        self.enables = {AHB1ENR: 0x00100000, APB1ENR: 0, APB2ENR: 0}
        self._enabled_at = {}
        self.csr, self._watchdog_wants_lsi = 0, False
        for timer in (self._hse_ready, self._pll_ready, self._lsi_ready):
            timer.cancel()
        self._set_lsi()
        self._switch()

    # Clocks

    def _ready(self, bit: int) -> None:
        self.cr |= 1 << bit

    def _on_lsi(self) -> None:
        self.csr |= 2
        self._set_lsi()

    def _set_lsi(self) -> None:
        self.lsi.hz = self._lsi_hz if self.csr & 2 else 0
        source = {0: 0, 1: 0, 2: self.lsi.hz, 3: 0}[self.bdcr >> 8 & 3]
        self.rtc.hz = source if self.bdcr >> 15 & 1 else 0

    def need_lsi(self) -> None:
        """The watchdog forces it on (21.3)."""
        self._watchdog_wants_lsi = True
        if not self.csr & 2:
            self.csr |= 3
            self._set_lsi()

    def _pll_hz(self) -> int:
        value = self.pllcfgr
        source = HSE if value >> 22 & 1 else HSI
        m, n, p = value & 63, value >> 6 & 511, 2 * ((value >> 16 & 3) + 1)
        q = value >> 24 & 15
        entry = source / m if m >= 2 else 0
        if not 0.95e6 <= entry <= 2.1e6 or not 50 <= n <= 432 or q < 2:
            raise self.forbidden(f"PLLCFGR {value:#x}: input {entry} Hz, n {n}, q {q}")
        vco = source * n // m
        if not 100_000_000 <= vco <= 432_000_000 or vco // q > 48_000_000:
            raise self.forbidden(f"PLLCFGR {value:#x}: VCO {vco} Hz, for USB {vco // q} Hz")
        return vco // p

    def _system_hz(self) -> int:
        source = self.cfgr >> 2 & 3
        return {0: HSI, 1: HSE, 2: self._pll_hz() if source == 2 else 0}[source]

    @staticmethod
    def _divided(code: int) -> int:
        return 1 if code < 4 else 2 << code - 4

    def _switch(self) -> None:
        """Set all clocks to what the registers say, if they may run so fast."""
        hpre = self.cfgr >> 4 & 15
        hclk = self._system_hz() // ((1, 2, 4, 8, 16, 64, 128, 256, 512)[max(0, hpre - 7)])
        one, two = self._divided(self.cfgr >> 10 & 7), self._divided(self.cfgr >> 13 & 7)
        if hclk > 168_000_000 or hclk // one > 42_000_000 or hclk // two > 84_000_000:
            raise self.forbidden(f"too fast: HCLK {hclk}, APB1 {hclk // one}, APB2 {hclk // two}")
        self.machine.clock.hz = hclk
        self.pclk1.hz, self.pclk2.hz = hclk // one, hclk // two
        self.timers1.hz = hclk // one * (1 if one == 1 else 2)
        self.check_speed()

    def check_speed(self) -> None:
        """Refuse a clock that flash or regulator cannot follow (tables 10 and 5.1.3)."""
        chip, hclk = self.chip, self.machine.clock.hz
        wait_states = max(0, -(-hclk // 30_000_000) - 1)
        if chip.registers.latency < wait_states:
            raise self.forbidden(
                f"{hclk} Hz with {chip.registers.latency} wait states instead of {wait_states}"
            )
        if hclk > 144_000_000 and not chip.power.is_scale_1:
            raise self.forbidden(f"{hclk} Hz with the regulator at scale 2")

    def stop(self) -> None:
        """Stop mode: all but LSI and what it drives."""
        for clock in (self.machine.clock, self.pclk1, self.pclk2, self.timers1):
            clock.hz = 0

    def wake(self) -> None:
        """End of Stop mode: the HSI runs, HSE and PLL do not (table 24)."""
        self.cr = self.cr & ~0x030D0000 | 3
        self.cfgr &= ~0xF
        self._switch()

    # Registers

    def check_enabled(self, who: Peripheral, register: int, bit: int) -> None:
        """Refuse a peripheral without clock, and within two cycles of it (7.2.13; ES0182)."""
        if not self.enables[register] >> bit & 1:
            raise who.forbidden("has no clock")
        since = self._enabled_at.get((register, bit))
        if since is not None and self.machine.instructions - since < 2:
            raise who.forbidden("is used at once after it was given a clock")

    def read(self, offset: int, size: int) -> int:
        if offset in self.enables:
            return self.enables[offset]
        values = {
            0x00: self.cr,
            0x04: self.pllcfgr,
            0x08: self.cfgr,
            0x70: self.bdcr,
            0x74: self.csr | self.flags,
        }
        return values[offset] if offset in values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if size != 4:
            raise self.forbidden("only words are written here")
        if offset in self.enables:
            self._write_enable(offset, value)
        elif offset == 0x00:
            self._write_cr(value)
        elif offset == 0x04:
            if self.cr >> 24 & 1:
                raise self.forbidden("PLLCFGR while the PLL is on")
            self.pllcfgr = value
        elif offset == 0x08:
            self._write_cfgr(value)
        elif offset == 0x70:
            self._write_bdcr(value)
        elif offset == 0x74:
            self._write_csr(value)
        else:
            super().write(offset, size, value)

    def _write_enable(self, offset: int, value: int) -> None:
        for bit in range(32):
            if value >> bit & 1 and not self.enables[offset] >> bit & 1:
                self._enabled_at[offset, bit] = self.machine.instructions
        self.enables[offset] = value

    def _write_cr(self, value: int) -> None:
        used = self.cfgr >> 2 & 3
        if not value & 1 and (used == 0 or not (self.pllcfgr >> 22 & 1 or used == 1)):
            raise self.forbidden("the HSI is in use")
        if not value >> 16 & 1 and (used == 1 or (used == 2 and self.pllcfgr >> 22 & 1)):
            raise self.forbidden("the HSE is in use")
        if not value >> 24 & 1 and used == 2:
            raise self.forbidden("the PLL is in use")
        self._turn(value, 16, self._hse_ready, 2000 if self.has_crystal else None)
        source_ready = self.cr >> 17 & 1 if self.pllcfgr >> 22 & 1 else self.cr >> 1 & 1
        if value >> 24 & 1 and not self.cr >> 24 & 1 and not source_ready:
            raise self.forbidden("the PLL's source is not ready")
        self._turn(value, 24, self._pll_ready, 200)
        ready = self.cr & 0x02020000
        self.cr = value & 0x010D00F9 | self.cr & 0xFF00 | ready | (value & 1) << 1

    def _turn(self, value: int, bit: int, timer: Timer, microseconds: int | None) -> None:
        if not value >> bit & 1:
            self.cr &= ~(2 << bit)
            timer.cancel()
        elif not self.cr >> bit & 1 and microseconds is not None:
            timer.after(microseconds)

    def _write_cfgr(self, value: int) -> None:
        wanted = value & 3
        ready = {0: 1, 1: 17, 2: 25}
        if wanted == 3 or not self.cr >> ready[wanted] & 1:
            raise self.forbidden(f"source {wanted} is not ready")
        self.cfgr = value & ~0xC | wanted << 2
        self._switch()

    def _write_bdcr(self, value: int) -> None:
        self.chip.power.check_backup(self)
        if value >> 16 & 1:
            self.bdcr = 1 << 16
            self.chip.calendar.reset_backup()
        elif self.bdcr >> 8 & 3 and (value ^ self.bdcr) >> 8 & 3:
            raise self.forbidden("RTCSEL is set once until the backup domain is reset")
        else:
            self.bdcr = value & 0x8305
        self._set_lsi()

    def _write_csr(self, value: int) -> None:
        if value >> 24 & 1:
            self.flags = 0
        if value & 1 and not self.csr & 1:
            self._lsi_ready.after(40)
        elif not value & 1 and not self._watchdog_wants_lsi:
            self.csr = 0
            self._lsi_ready.cancel()
            self._set_lsi()
        self.csr = self.csr & 2 | (value & 1 or self._watchdog_wants_lsi)


class FlashRegisters(Peripheral):
    """The flash interface (chapter 3)."""

    events_only = frozenset({0x0C})

    def __init__(self, chip: "Stm32F407", flash: Flash) -> None:
        super().__init__(chip.machine, 0x40023C00)
        self.chip = chip
        self.flash = flash
        self._done = Timer(chip.micro, self._on_done)
        self.errors: list[str] = []  # what the chip has told in SR
        self.latency = 0
        flash.on_store = self._on_store
        flash.on_access = self._on_access

    def reset(self, cause: str) -> None:
        if cause == "power":
            self._done.cancel()
        self.acr = self.sr = self.latency = 0
        self.cr = 1 << 31
        self._keys: list[int] = []
        self._is_dead = False  # a wrong key: locked until reset
        self._is_latency_known = True
        self._is_stale = False  # the caches may hold what has been erased
        self._erases = False

    @property
    def is_busy(self) -> bool:
        """An erase or a program goes on."""
        return self._done.tick is not None

    def read(self, offset: int, size: int) -> int:
        if offset == 0x00:
            self._is_latency_known = True
        values = {
            0x00: self.acr | self.latency,
            0x0C: self.sr | self.is_busy << 16,
            0x10: self.cr,
            0x14: 0x0FFFAAED,
        }
        return values[offset] if offset in values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x00:
            self._write_acr(value)
        elif offset == 0x04:
            self._write_key(value)
        elif offset == 0x0C:
            self.sr &= ~(value & 0xF3)
        elif offset == 0x10:
            self._write_cr(value)
        else:
            super().write(offset, size, value)

    def _write_acr(self, value: int) -> None:
        if (value >> 11 & 1 and value >> 9 & 1) or (value >> 12 & 1 and value >> 10 & 1):
            raise self.forbidden("a cache is reset while it is on")
        if value >> 12 & 1 and value >> 11 & 1:
            self._is_stale = False
        self.acr, self.latency = value & 0x1F00, value & 7
        self._is_latency_known = False
        self.chip.rcc.check_speed()

    def _write_key(self, value: int) -> None:
        self._keys.append(value)
        if self._keys == [0x45670123, 0xCDEF89AB][: len(self._keys)] and not self._is_dead:
            if len(self._keys) == 2:
                self.cr &= ~(1 << 31)
                self._keys = []
            return
        self._is_dead = True
        raise self.forbidden(f"wrong key {value:#x}: locked until reset, and a bus fault")

    def _write_cr(self, value: int) -> None:
        if self.is_busy:
            raise self.forbidden("CR is written while the flash is busy")
        if self.cr >> 31:
            raise self.forbidden("CR is locked")
        if value & 1 and value & 6:
            raise self.forbidden("program and erase at once")
        self.cr = value & 0x83010FFF & ~(1 << 16)
        if value >> 16 & 1:
            self._start_erase(value)

    def _check_idle(self) -> None:
        if self.cr >> 8 & 3 == 3:
            raise self.forbidden("x64 needs an external supply")
        if self.sr & 0xF2:
            raise self.forbidden(f"an operation with errors of the last one: {self.sr:#x}")
        if self._is_stale:
            raise self.forbidden("the caches were not reset after an erase")

    def _start_erase(self, value: int) -> None:
        self._check_idle()
        sector = value >> 3 & 15
        if value & 6 != 2 or sector >= len(SECTORS):
            raise self.forbidden(f"STRT with CR {value:#x}")
        size = SECTORS[sector]
        slowness = (2.0, 1.3, 1.0)[self.cr >> 8 & 3]
        milliseconds = {16 * KB: 250, 64 * KB: 550, 128 * KB: 1000}[size] * slowness
        self._erases = True
        self._begin(int(1000 * milliseconds))
        self.flash.erase(FLASH_BASE + sum(SECTORS[:sector]), size)

    def _on_store(self, address: int, size: int, value: int) -> None:
        """Take a store of the CPU to the flash (3.6.4)."""
        if self.is_busy:
            raise self.forbidden("a store while the flash is busy")
        width = 1 << (self.cr >> 8 & 3)
        if self.cr >> 31 or not self.cr & 1:
            self._fail(7, "PGSERR")
        elif size != width:
            self._fail(6, "PGPERR")
        elif address // 16 != (address + size - 1) // 16:
            self._fail(5, "PGAERR")
        else:
            self._check_idle()
            self._begin(16)
            self.flash.program(address, value.to_bytes(size, "little"))

    def _fail(self, bit: int, name: str) -> None:
        self.errors.append(f"{name} at pc {self.machine.pc:#x}")
        self.sr |= 1 << bit

    def _begin(self, microseconds: int) -> None:
        """Be busy. What runs from the flash waits, what runs from RAM may go on."""
        self._done.after(microseconds)
        if self._is_here(self.machine.pc):
            self.machine.stall_after_this(self._done)
        else:
            self.flash.close()

    def _is_here(self, address: int) -> bool:
        return self.flash.base <= address < self.flash.base + self.flash.size

    def _on_access(self) -> None:
        """Somebody reads the busy flash: the bus waits until it is done (3.5)."""
        assert self._done.time is not None
        self.machine.stall(self._done.time)

    def _on_done(self) -> None:
        self.sr |= self.cr >> 24 & 1  # EOP, only where its interrupt is enabled
        if self._erases and self.acr & 0x600:
            self._is_stale = True
        self._erases = False
        self.flash.open()


class Power(Gated):
    """The power controller (chapter 5)."""

    def __init__(self, chip: "Stm32F407") -> None:
        super().__init__(chip, 0x40007000, APB1ENR, 28)

    def values_at_reset(self) -> dict[int, int]:
        return {0x00: 0x4000, 0x04: 1 << 14}

    @property
    def is_scale_1(self) -> bool:
        """The regulator allows 168 MHz."""
        return bool(self.registers.get(0, 0x4000) >> 14 & 1)

    def check_backup(self, who: Peripheral) -> None:
        """Refuse what DBP protects (5.1.2)."""
        if not self.registers[0] >> 8 & 1:
            raise who.forbidden("the backup domain is protected")

    def put(self, offset: int, size: int, value: int) -> None:
        if offset == 0 and (value ^ self.registers[0]) >> 14 & 1 and self.chip.rcc.cr >> 24 & 1:
            raise self.forbidden("VOS while the PLL is on")
        super().put(offset, size, value & 0x43F3 if offset == 0 else value & 0x300 | 1 << 14)
        self.chip.rcc.check_speed()

    def on_sleep(self, deep: bool) -> None:
        """Enter Stop."""
        chip = self.chip
        chip.sleeps += 1
        if not deep:
            return
        if self.registers[0] >> 1 & 1:
            raise self.forbidden("Standby is not modelled")
        if chip.exti.registers[0x14]:
            raise self.forbidden("Stop with an EXTI line pending is ignored by the chip")
        if chip.uart.is_sending:
            raise self.forbidden("Stop in the middle of a byte that is sent")
        chip.stops += 1
        chip.stopped_at = self.machine.now
        chip.rcc.stop()

    def on_wake(self, deep: bool) -> None:
        """Leave Stop: it takes its time."""
        if deep:
            self.machine.stall(self.machine.now + STOP_WAKE_US * SECOND // 10**6)
            self.chip.stopped_for += self.machine.now - self.chip.stopped_at
            self.chip.rcc.wake()


class Gpio(Gated):
    """A port of pins (chapter 8)."""

    def __init__(self, chip: "Stm32F407", number: int) -> None:
        super().__init__(chip, 0x40020000 + 0x400 * number, AHB1ENR, number)
        self.number = number
        self.driven: dict[int, bool] = {}  # pins that something outside drives

    def values_at_reset(self) -> dict[int, int]:
        values = dict.fromkeys((0x00, 0x04, 0x08, 0x0C, 0x14, 0x18, 0x1C, 0x20, 0x24), 0)
        return values | ({0x00: 0xA8000000, 0x0C: 0x64000000} if self.number == 0 else {})

    def level(self, pin: int) -> bool:
        """Return what an input sees; a floating one is refused."""
        if pin in self.driven:
            return self.driven[pin]
        pull = self.registers[0x0C] >> 2 * pin & 3
        if pull not in (1, 2):
            raise self.forbidden(f"pin {pin} floats")
        return pull == 1

    def drive(self, pin: int, level: bool) -> None:
        """Set a pin from outside."""
        before = self.driven.get(pin)
        self.driven[pin] = level
        if before is not None and before != level:
            self.chip.exti.edge(self.number, pin, level)

    def function(self, pin: int) -> int | None:
        """Return the alternate function of a pin; None: it has none."""
        if self.registers[0] >> 2 * pin & 3 != 2:
            return None
        return self.registers[0x20 + pin // 8 * 4] >> pin % 8 * 4 & 15

    def get(self, offset: int, size: int) -> int:
        if offset == 0x10:
            return sum(self.driven.get(pin, False) << pin for pin in range(16))
        return super().get(offset, size)


class Syscfg(Gated):
    """Which port an EXTI line watches (9.2)."""

    def __init__(self, chip: "Stm32F407") -> None:
        super().__init__(chip, 0x40013800, APB2ENR, 14)

    def values_at_reset(self) -> dict[int, int]:
        return dict.fromkeys((0x00, 0x04, 0x08, 0x0C, 0x10, 0x14), 0)

    def port_of(self, line: int) -> int:
        """Return the number of the port that a line watches."""
        return self.registers[0x08 + line // 4 * 4] >> line % 4 * 4 & 15


class Exti(Peripheral):
    """External interrupts (chapter 12)."""

    IRQS = (6, 7, 8, 9, 10, *(23,) * 5, *(40,) * 6, 1, 41, 42, 62, 76, 2, 3)

    def __init__(self, chip: "Stm32F407") -> None:
        super().__init__(chip.machine, 0x40013C00)
        self.chip = chip

    def reset(self, cause: str) -> None:
        self.registers = dict.fromkeys((0x00, 0x04, 0x08, 0x0C, 0x10, 0x14), 0)
        self._tell()

    def edge(self, port: int, line: int, rising: bool) -> None:
        """A pin has changed, or (port -1) a line from inside of the chip."""
        if port >= 0 and self.chip.syscfg.port_of(line) != port:
            return
        if self.registers[0x08 if rising else 0x0C] >> line & 1:
            self.registers[0x14] |= 1 << line & self.registers[0x00]
            self._tell()

    def _tell(self) -> None:
        high = self.registers[0x14] & self.registers[0x00]
        for irq in set(self.IRQS):
            lines = (n for n, number in enumerate(self.IRQS) if number == irq)
            self.machine.core.line(irq, any(high >> n & 1 for n in lines))

    def read(self, offset: int, size: int) -> int:
        if offset in self.registers:
            return self.registers[offset]
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset not in self.registers or value >> len(self.IRQS):
            super().write(offset, size, value)
        if offset == 0x14:
            self.registers[0x14] &= ~value
            self.registers[0x10] &= ~value
        else:
            self.registers[offset] = value
        self._tell()


class Usart(Gated):
    """A USART, 8N1, oversampling by 16 (chapter 30)."""

    events_only = frozenset({0x00})

    def __init__(self, chip: "Stm32F407", base: int, irq: int, bit: int, pins: range) -> None:
        super().__init__(chip, base, APB1ENR, bit)
        self._irq = irq
        self._pins = pins  # of port A: what it sends, what it receives
        self.sent = bytearray()
        self.lost = 0  # bytes that came while it had no clock
        self._coming = bytearray()
        self._shift = Timer(chip.rcc.pclk1, self._on_shifted)
        self._wire = Clock(chip.machine, 115200)
        self._start = Timer(self._wire, self._on_start)
        self._end = Timer(self._wire, self._on_end)

    def values_at_reset(self) -> dict[int, int]:
        return dict.fromkeys((0x08, 0x0C, 0x10, 0x14, 0x18), 0)

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self.sr = 0xC0
        self._waiting: int | None = None
        self._received = 0
        self._was_read = False  # SR, which begins the sequence that clears ORE
        self._hears = False
        self._shift.cancel()
        self._tell()

    @property
    def is_sending(self) -> bool:
        """Bits are on the wire."""
        return self._shift.tick is not None

    def receive(self, data: bytes) -> None:
        """Send bytes to the chip, one behind the other."""
        self._coming += data
        if self._start.tick is None and self._end.tick is None:
            self._start.after(1)

    def _tell(self) -> None:
        cr1 = self.registers[0x0C]
        wanted = cr1 & 0xE0  # RXNEIE, TCIE and TXEIE are where their flags are
        wanted |= 8 if cr1 & 0x20 else 0  # ORE
        self.machine.core.line(self._irq, bool(self.sr & wanted))

    def _check(self, what: int, pin: int) -> None:
        cr1, brr = self.registers[0x0C], self.registers[0x08]
        if not cr1 >> 13 & 1 or not cr1 & what or cr1 & 0x9400:
            raise self.forbidden(f"is not enabled for this, or not 8N1: CR1 {cr1:#x}")
        if not brr or abs(self.chip.rcc.pclk1.hz / brr / 115200 - 1) > 0.02:
            raise self.forbidden(f"BRR {brr} at {self.chip.rcc.pclk1.hz} Hz is not 115200 baud")
        if self.chip.ports[0].function(pin) != 7:
            raise self.forbidden(f"pin PA{pin} is not that of the USART")

    def _send(self, byte: int) -> None:
        self._check(8, self._pins[0])
        if not self.sr & 0x80:
            raise self.forbidden("a byte is written over one that waits")
        self.sr &= ~0x40
        if self.is_sending:
            self._waiting = byte
            self.sr &= ~0x80
            return
        self.sent.append(byte)
        self._shift.after(10 * self.registers[0x08])

    def _on_shifted(self) -> None:
        if self._waiting is None:
            self.sr |= 0x40
        else:
            self.sent.append(self._waiting)
            self._waiting = None
            self.sr |= 0x80
            self._shift.after(10 * self.registers[0x08])
        self._tell()

    def _on_start(self) -> None:
        self._hears = self.chip.rcc.pclk1.hz > 0 and bool(self.registers[0x0C] & 4)
        self.chip.ports[0].drive(self._pins[1], False)
        self._end.after(10)

    def _on_end(self) -> None:
        byte = self._coming.pop(0)
        self.chip.ports[0].drive(self._pins[1], True)
        if self._hears:
            self._take(byte)
        else:
            self.lost += 1
        if self._coming:
            self._start.after(1)

    def _take(self, byte: int) -> None:
        self._check(4, self._pins[1])
        if self.sr & 0x20:
            self.sr |= 8
        else:
            self._received = byte
            self.sr |= 0x20
        self._tell()

    def get(self, offset: int, size: int) -> int:
        if offset == 0:
            self._was_read = True
            return self.sr
        if offset == 4:
            self.sr &= ~0x20
            self.sr &= ~8 if self._was_read else ~0
            self._was_read = False
            self._tell()
            return self._received
        return super().get(offset, size)

    def put(self, offset: int, size: int, value: int) -> None:
        if offset == 0:
            self.sr &= value | ~0x60  # TC and RXNE: a 0 written clears
        elif offset == 4:
            self._send(value & 0xFF)
        else:
            super().put(offset, size, value)
        self._tell()


class GeneralTimer(Gated):
    """A timer on APB1 that counts up: TIM2, TIM5 (32 bits), TIM7 (16, no channels)."""

    def __init__(
        self, chip: "Stm32F407", base: int, irq: int, bit: int, *, width: int, channels: int
    ) -> None:
        super().__init__(chip, base, APB1ENR, bit)
        self._irq = irq
        self._most = (1 << width) - 1
        self._clock = chip.rcc.timers1
        self._update = Timer(self._clock, self._on_update)
        self._compares = [Timer(self._clock, self._matched(n)) for n in range(channels)]
        self._capture = Timer(chip.rcc.lsi, self._on_lsi)

    def _matched(self, channel: int) -> Callable[[], None]:
        def matched() -> None:
            self._raise(2 << channel)
            self._plan()

        return matched

    def values_at_reset(self) -> dict[int, int]:
        values = dict.fromkeys((0x00, 0x04, 0x0C, 0x28), 0)
        if self._compares:
            values |= dict.fromkeys((0x08, 0x18, 0x1C, 0x20, 0x34, 0x38, 0x3C, 0x40, 0x50), 0)
        return values | {0x2C: self._most}

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self.sr = 0
        self._prescaler = 0  # in force; PSC is for the next update
        self._base = (0, 0)  # a tick of the clock, and the count then
        for timer in (self._update, self._capture, *self._compares):
            timer.cancel()
        self._tell()

    @property
    def count(self) -> int:
        """CNT."""
        tick, count = self._base
        if not self.registers[0x00] & 1:
            return count
        passed = (self._clock.ticks - tick) // (self._prescaler + 1)
        return (count + passed) % (self.registers[0x2C] + 1)

    def _hold(self) -> None:
        """Begin anew from the count as it is, without losing part of a tick."""
        tick, _ = self._base
        part = (self._clock.ticks - tick) % (self._prescaler + 1)
        running = self.registers[0x00] & 1
        self._base = (self._clock.ticks - (part if running else 0), self.count)

    def _plan(self) -> None:
        """Set what is to come: an update when the count begins at 0 anew, matches at CCRx."""
        for timer in (self._update, *self._compares):
            timer.cancel()
        if not self.registers[0x00] & 1:
            return
        self._hold()
        self._update.at(self._tick_of(0))
        for channel, timer in enumerate(self._compares):
            modes = self.registers[0x18 + channel // 2 * 4] >> channel % 2 * 8
            if not modes & 3 and self.registers[0x34 + 4 * channel] <= self.registers[0x2C]:
                timer.at(self._tick_of(self.registers[0x34 + 4 * channel]))

    def _tick_of(self, count: int) -> int:
        tick, now = self._base
        period = self.registers[0x2C] + 1
        return tick + ((count - now) % period or period) * (self._prescaler + 1)

    def _on_update(self) -> None:
        if not self.registers[0x00] & 2:
            self._raise(1)
        if self.registers[0x00] & 8:
            self._base = (self._clock.ticks, 0)
            self.registers[0x00] &= ~1
        if self._prescaler != self.registers[0x28]:
            self._base = (self._clock.ticks, 0)
            self._prescaler = self.registers[0x28]
        self._plan()

    def _on_lsi(self) -> None:
        """The input of channel 4 has had its edges."""
        if self.registers[0x00] & 1:
            self._raise(1 << 12) if self.sr & 1 << 4 else None
            self.registers[0x40] = self.count
            self._raise(1 << 4)
        self._capture.after(1 << (self.registers[0x1C] >> 10 & 3))

    def _raise(self, flags: int) -> None:
        self.sr |= flags
        self._tell()

    def _tell(self) -> None:
        self.machine.core.line(self._irq, bool(self.sr & self.registers[0x0C] & 0x5F))

    def get(self, offset: int, size: int) -> int:
        if offset == 0x10:
            return self.sr
        if offset == 0x24:
            return self.count
        if offset == 0x40 and self.registers.get(0x1C, 0) >> 8 & 3:
            self.sr &= ~(1 << 4)
            self._tell()
        return super().get(offset, size)

    def put(self, offset: int, size: int, value: int) -> None:
        if offset == 0x10:
            self.sr &= value
        elif offset == 0x14:
            self._generate(value)
        elif offset == 0x24:
            self._base = (self._clock.ticks, value & self._most)
        else:
            self._hold()
            super().put(offset, size, value & (self._most if offset >= 0x2C else 0xFFFF))
            self._watch_input(offset)
        self._plan()
        self._tell()

    def _generate(self, value: int) -> None:
        if value != 1:
            raise self.forbidden(f"EGR {value:#x} is not modelled")
        self._prescaler = self.registers[0x28]
        self._base = (self._clock.ticks, 0)
        if not self.registers[0x00] & 6:  # UDIS, URS
            self._raise(1)

    def _watch_input(self, offset: int) -> None:
        if offset not in (0x1C, 0x20, 0x50) or not self._compares:
            return
        self._capture.cancel()
        if self.registers[0x20] >> 12 & 1 and self.registers[0x1C] >> 8 & 3 == 1:
            if self.registers[0x50] >> 6 & 3 != 1:
                raise self.forbidden("channel 4 listens to a pin")
            self._capture.after(1 << (self.registers[0x1C] >> 10 & 3))


class Iwdg(Peripheral):
    """The independent watchdog (chapter 21): once it runs it runs, in Stop too."""

    events_only = frozenset({0x0C})

    def __init__(self, chip: "Stm32F407") -> None:
        super().__init__(chip.machine, 0x40003000)
        self.chip = chip
        self._bite = Timer(chip.rcc.lsi, lambda: chip.machine.reset("watchdog"))
        self._updated = [Timer(chip.rcc.lsi, self._taken(bit)) for bit in (0, 1)]

    def _taken(self, bit: int) -> Callable[[], None]:
        def taken() -> None:
            self._busy &= ~(1 << bit)

        return taken

    def reset(self, cause: str) -> None:
        self._prescaler, self._reload, self._busy = 0, 0xFFF, 0
        self._is_open = self.runs = False
        self._bite.cancel()
        for timer in self._updated:
            timer.cancel()

    def read(self, offset: int, size: int) -> int:
        if offset == 0x0C:
            return self._busy
        values = {0x04: self._prescaler, 0x08: self._reload}
        if offset in values and self._busy >> (offset // 4 - 1) & 1:
            raise self.forbidden("is read while it is updated")
        return values[offset] if offset in values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x00:
            self._write_key(value)
        elif offset in (0x04, 0x08):
            self._set(offset // 4 - 1, value)
        else:
            super().write(offset, size, value)

    def _write_key(self, value: int) -> None:
        self._is_open = value == 0x5555
        if value == 0xCCCC:
            self.chip.rcc.need_lsi()
            self.runs = True
        if value in (0xAAAA, 0xCCCC) and self.runs:
            self._bite.after((self._reload + 1) << self._prescaler + 2)

    def _set(self, which: int, value: int) -> None:
        if not self._is_open:
            raise self.forbidden("is written without its key")
        if self._busy >> which & 1:
            raise self.forbidden("is written while it is updated")
        if which == 0:
            self._prescaler = min(value & 7, 6)
        else:
            self._reload = value & 0xFFF
        self._busy |= 1 << which
        self._updated[which].after(5)


class Calendar(Gated):
    """The RTC (chapter 26), in the backup domain: calendar and wake-up timer."""

    events_only = frozenset({0x0C})
    PROTECTED = (0x00, 0x04, 0x08, 0x10, 0x14)

    def __init__(self, chip: "Stm32F407") -> None:
        super().__init__(chip, 0x40002800, APB1ENR, 28)
        self._clock = chip.rcc.rtc
        self._wake = Timer(self._clock, self._on_wake)
        self._allowed = Timer(self._clock, lambda: self._allow(2))
        self._stopped = Timer(self._clock, lambda: self._allow(6))
        self._shadowed = Timer(self._clock, lambda: self._allow(5))
        self.reset_backup()

    def reset_backup(self) -> None:
        """Begin anew, as after loss of all power."""
        self.registers = {0x04: 0x2101, 0x08: 0, 0x10: 0x7F00FF, 0x14: 0xFFFF}
        self._isr = 7
        self._base = (self._clock.ticks, 0)  # a tick, and what the calendar said then in ticks
        self._keys: list[int] = []
        for timer in (self._wake, self._allowed, self._stopped, self._shadowed):
            timer.cancel()

    def reset(self, cause: str) -> None:
        self._keys = []
        if cause == "power":
            self.reset_backup()

    def _allow(self, bit: int) -> None:
        self._isr |= 1 << bit

    def _ticks(self) -> int:
        tick, then = self._base
        return then if self._isr & 0x40 else then + self._clock.ticks - tick

    def _split(self) -> tuple[int, int]:
        """Return seconds and the count of the synchronous prescaler."""
        prer = self.registers[0x10]
        slow, fast = (prer >> 16 & 0x7F) + 1, (prer & 0x7FFF) + 1
        seconds, rest = divmod(self._ticks() // slow, fast)
        return seconds, fast - 1 - rest

    def _check_shadow(self) -> None:
        if not self.registers[0x08] >> 5 & 1 and not self._isr >> 5 & 1:
            raise self.forbidden("the calendar is read before RSF")

    def get(self, offset: int, size: int) -> int:
        if offset == 0x0C:
            return self._isr
        if offset in (0x00, 0x28):
            self._check_shadow()
            seconds, rest = self._split()
            return rest if offset else self._bcd(seconds)
        return super().get(offset, size)

    @staticmethod
    def _bcd(seconds: int) -> int:
        parts = seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
        return sum((n // 10 << 4 | n % 10) << s for n, s in zip(parts, (16, 8, 0), strict=True))

    def put(self, offset: int, size: int, value: int) -> None:
        self.chip.power.check_backup(self)
        if offset == 0x24:
            self._keys = [*self._keys, value & 0xFF][-2:]
            return
        if self._keys != [0xCA, 0x53] and (
            offset in self.PROTECTED or (value & 0x80) != (self._isr & 0x80)
        ):
            raise self.forbidden(f"{offset:#x} is write-protected")
        if not self._clock.hz:
            raise self.forbidden("has no RTCCLK")
        if offset == 0x0C:
            self._write_isr(value)
        elif offset == 0x08:
            self._write_cr(value)
        elif offset == 0x14:
            if not self._isr >> 2 & 1:
                raise self.forbidden("WUTR without WUTWF")
            super().put(offset, size, value & 0xFFFF)
        elif not self._isr >> 6 & 1:
            raise self.forbidden(f"{offset:#x} outside of initialization")
        elif offset == 0x00:
            self._set_time(value)
        else:
            super().put(offset, size, value)

    def _set_time(self, value: int) -> None:
        h, m, s = ((value >> n + 4 & 7) * 10 + (value >> n & 15) for n in (16, 8, 0))
        prer = self.registers[0x10]
        period = ((prer >> 16 & 0x7F) + 1) * ((prer & 0x7FFF) + 1)
        self._base = (self._clock.ticks, ((h * 60 + m) * 60 + s) * period)

    def _write_isr(self, value: int) -> None:
        self._isr &= value | ~0x7F20
        if not value & 0x20:
            self._shadowed.after(2)
        if value & 0x80 and not self._isr & 0x80:
            self._isr |= 0x80
            self._stopped.after(2)
        elif not value & 0x80 and self._isr & 0x80:
            self._base = (self._clock.ticks, self._ticks())
            self._isr &= ~0xC0
            self._stopped.cancel()
        self._tell()

    def _write_cr(self, value: int) -> None:
        before = self.registers[0x08]
        if (value ^ before) & 7 and (before >> 10 & 1 or not self._isr >> 2 & 1):
            raise self.forbidden("WUCKSEL while the wake-up timer runs")
        self.registers[0x08] = value
        if value >> 10 & 1 and not before >> 10 & 1:
            self._isr &= ~4
            self._allowed.cancel()
            self._wake.after(self._period())
        elif not value >> 10 & 1 and before >> 10 & 1:
            self._wake.cancel()
            self._allowed.after(2)
        self._tell()

    def _period(self) -> int:
        select, count = self.registers[0x08] & 7, self.registers[0x14] + 1
        if select < 4:
            return count << 4 - select
        prer = self.registers[0x10]
        count += (select & 2) << 15
        return count * ((prer >> 16 & 0x7F) + 1) * ((prer & 0x7FFF) + 1)

    def _on_wake(self) -> None:
        self._wake.after(self._period())
        if not self._isr >> 10 & 1:
            self._isr |= 1 << 10
            self._tell()

    def _tell(self) -> None:
        level = bool(self._isr >> 10 & 1 and self.registers[0x08] >> 14 & 1)
        if level != getattr(self, "_level", False):
            self.chip.exti.edge(-1, 22, level)
        self._level = level


class Debug(Peripheral):
    """DBGMCU (38.16): what an attached debugger stops, of which there is none."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, 0xE0042000)
        self.reset("power")

    def reset(self, cause: str) -> None:
        if cause == "power":
            self._registers = {0x00: 0x10076413, 0x04: 0, 0x08: 0, 0x0C: 0}

    def read(self, offset: int, size: int) -> int:
        if offset in self._registers:
            return self._registers[offset]
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset not in self._registers or not offset:
            super().write(offset, size, value)
        self._registers[offset] = value


class Stm32F407:
    """The chip on its board: 8 MHz crystal, button on PA0, USART2 on PA2 and PA3."""

    def __init__(
        self, *, lsi_hz: int = 32_000, cycles_per_instruction: int = 1, seed: int = 0
    ) -> None:
        self.core = CortexM("m4")
        self.core.vectors_at_reset = FLASH_BASE  # BOOT0 is low: the flash is at 0
        self.machine = Machine(
            self.core, hz=HSI, cycles_per_instruction=cycles_per_instruction, seed=seed
        )
        self.micro = Clock(self.machine, 1_000_000)  # of things whose time is given as such
        self.flash = self.machine.add_flash(FLASH_BASE, sum(SECTORS))
        self.machine.add_ram(0x20000000, 0x20000)
        self.sleeps = self.stops = self.stopped_at = self.stopped_for = 0
        self.registers = FlashRegisters(self, self.flash)
        self.rcc = Rcc(self, lsi_hz)
        self.power = Power(self)
        self.ports = [Gpio(self, number) for number in range(9)]
        self.syscfg = Syscfg(self)
        self.exti = Exti(self)
        self.uart = Usart(self, 0x40004400, irq=38, bit=17, pins=range(2, 4))
        self.tim2 = GeneralTimer(self, 0x40000000, irq=28, bit=0, width=32, channels=4)
        self.tim5 = GeneralTimer(self, 0x40000C00, irq=50, bit=3, width=32, channels=4)
        self.tim7 = GeneralTimer(self, 0x40001400, irq=55, bit=5, width=16, channels=0)
        self.iwdg = Iwdg(self)
        self.calendar = Calendar(self)
        for part in (
            *(self.registers, self.power, self.rcc, *self.ports, self.syscfg, self.exti),
            *(self.uart, self.tim2, self.tim5, self.tim7, self.iwdg, self.calendar),
            Debug(self.machine),
        ):
            self.machine.add(part)
        self.ports[0].driven = {0: False, 3: True}  # the button is up, the line is idle
        self.machine.on_sleep, self.machine.on_wake = self.power.on_sleep, self.power.on_wake

    def press(self) -> None:
        """Press the button and let it go."""
        self.ports[0].drive(0, True)
        self.ports[0].drive(0, False)
