# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Clocks and resets of the STM32F4 (RM0090, chapter 7) and its power controller (chapter 5)."""

from typing import TYPE_CHECKING

from tests.chips.machine import SECOND, Clock, Peripheral, Timer
from tests.chips.stm32f4.gated import AHB1ENR, APB1ENR, APB2ENR, Gated

if TYPE_CHECKING:
    from tests.chips.stm32f4.chip import Stm32F407

HSI, HSE = 16_000_000, 8_000_000
STOP_WAKE_US = 110  # DS8626, wake-up from Stop: regulator in low power, flash powered down


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
        if hclk > self.machine.clock.hz > 0 and not self.chip.registers.is_latency_known:
            raise self.forbidden("a faster clock before ACR was read back")
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

    def is_enabled(self, who: Peripheral, register: int, bit: int) -> bool:
        """Say whether it has a clock. The first two cycles of it are refused (ES0182)."""
        since = self._enabled_at.get((register, bit))
        if since is not None and self.machine.instructions - since < 2:
            raise who.forbidden("is used at once after it was given a clock")
        return bool(self.enables[register] >> bit & 1)

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
