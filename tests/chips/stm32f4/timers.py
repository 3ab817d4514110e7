# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Timers of the STM32F4 (RM0090, chapters 18 and 20) and its watchdog (21)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.chips.machine import Peripheral, Timer
from tests.chips.stm32f4.gated import APB1ENR, Gated

if TYPE_CHECKING:
    from tests.chips.stm32f4.chip import Stm32F407


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
