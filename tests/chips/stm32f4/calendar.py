# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The RTC of the STM32F4 (RM0090, chapter 26)."""

from typing import TYPE_CHECKING

from tests.chips.machine import Timer
from tests.chips.stm32f4.gated import APB1ENR, Gated

if TYPE_CHECKING:
    from tests.chips.stm32f4.chip import Stm32F407


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
