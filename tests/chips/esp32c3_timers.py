# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What counts in an ESP32-C3: system timer, watchdogs, and the RTC that knows of resets (TRM)."""

from tests.chips.machine import Clock, Machine, Peripheral, Timer

CAUSES = {"power": 0x01, "software": 0x03, "group watchdog": 0x07, "rtc watchdog": 0x10}
CAUSES |= {"super watchdog": 0x12, "brown-out": 0x0F}
KEY, SWD_KEY = 0x50D83AA1, 0x8F1D312A
OFF, INTERRUPT, RESET_CPU, RESET_CORE = range(4)  # what a stage does


class SysTimer(Peripheral):
    """Unit 0 and comparator 0, one-shot."""

    def __init__(self, machine: Machine, base: int, irq: int) -> None:
        super().__init__(machine, base)
        self._irq = irq
        self._clock = Clock(machine, 16_000_000)
        self._timer = Timer(self._clock, self._on_alarm)
        self._origin = 0

    def reset(self, cause: str) -> None:
        self._origin = self._clock.ticks
        self._conf, self._latched, self._target = 0x46000000, 0, [0, 0]
        self._armed: int | None = None
        self._raw = self._enabled = 0
        self._timer.cancel()
        self._look()

    @property
    def _count(self) -> int:
        return self._clock.ticks - self._origin

    def start_at(self, count: int) -> None:
        """Let it have counted already; before anything runs."""
        self._origin = self._clock.ticks - count

    def _on_alarm(self) -> None:
        self._raw = 1
        self._armed = None
        self._look()

    def _look(self) -> None:
        self.machine.core.line(self._irq, bool(self._raw & self._enabled))

    def _set(self) -> None:
        self._timer.cancel()
        if self._conf & 1 << 24 and self._armed is not None:
            self._timer.at(self._origin + max(self._armed, self._count))

    def read(self, offset: int, size: int) -> int:
        values = {0: self._conf, 4: 1 << 29, 0x64: self._enabled, 0x68: self._raw}
        values |= {0x40: self._latched >> 32, 0x44: self._latched & 0xFFFFFFFF}
        return values[offset] if offset in values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0:
            if not value & 1 << 30:
                raise self.forbidden("the clock is stopped")
            self._conf = value
            self._set()
        elif offset == 4 and value == 1 << 30:
            self._latched = self._count & ((1 << 52) - 1)
        elif offset in (0x1C, 0x20):
            self._target[(offset - 0x1C) // 4] = value
        elif offset == 0x34 and value == 0:  # one-shot, of unit 0
            self._armed = None
        elif offset == 0x50:
            self._armed = self._target[0] << 32 | self._target[1]
            self._set()
        elif offset == 0x64:
            self._enabled = value
        elif offset == 0x6C:
            self._raw &= ~value
        else:
            super().write(offset, size, value)
        self._look()


class TimerGroup(Peripheral):
    """The watchdog of group 0: stages, a key, and settings that hold after an update."""

    def __init__(self, machine: Machine, base: int, irq: int) -> None:
        super().__init__(machine, base)
        self._irq = irq
        self._clock = Clock(machine, 40_000_000)
        self._timer = Timer(self._clock, self._on_stage)

    def reset(self, cause: str) -> None:
        self._is_open = False
        self._conf = self._held = 0x0004C000
        self._divider, self._stages = 1, [26_000_000, 0x07FFFFFF]
        self._stage = self._raw = self._enabled = 0
        self._restart()
        self._look()

    @property
    def is_armed(self) -> bool:
        """It counts: for a program, or since reset for the ROM."""
        return bool(self._held & (1 << 31 | 1 << 14))

    def _action(self) -> int:
        if not self._held & 1 << 31:
            return RESET_CORE  # in the mode for flash boot
        return self._held >> (29 - 2 * self._stage) & 3

    def _restart(self) -> None:
        self._stage = 0
        self._wait()

    def _wait(self) -> None:
        self._timer.cancel()
        if self.is_armed and self._stage < 2:
            self._timer.after(self._stages[self._stage] * self._divider)

    def _on_stage(self) -> None:
        action = self._action()
        if action == RESET_CORE:
            self.machine.reset("group watchdog")
            return
        if action == RESET_CPU:
            raise self.forbidden("a reset of the CPU alone")
        if action == INTERRUPT:
            self._raw |= 2
            self._look()
        self._stage += 1
        self._wait()

    def _look(self) -> None:
        self.machine.core.line(self._irq, bool(self._raw & self._enabled))

    def read(self, offset: int, size: int) -> int:
        return self._conf if offset == 0x48 else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x64:
            self._is_open = value == KEY
        elif offset == 0x70:
            self._enabled = value
        elif offset == 0x7C:
            self._raw &= ~value
        elif not self._is_open:
            raise self.forbidden("is locked")
        else:
            self._write_open(offset, size, value)
        self._look()

    def _write_open(self, offset: int, size: int, value: int) -> None:
        if offset == 0x48:
            self._conf = value & ~(1 << 22)
            if value & 1 << 22:
                was, self._held = self.is_armed, self._conf
                if self.is_armed != was:
                    self._restart()
        elif offset == 0x4C:
            self._divider = value >> 16
        elif offset in (0x50, 0x54):
            self._stages[(offset - 0x50) // 4] = value
        elif offset == 0x60:
            self._restart()
        else:
            super().write(offset, size, value)


class Rtc(Peripheral):
    """The RTC: its watchdog, the super watchdog, brown-out, and why the last reset was."""

    def __init__(self, machine: Machine, base: int) -> None:
        super().__init__(machine, base)
        self._slow = Clock(machine, 136_000)
        self._watchdog = Timer(self._slow, lambda: machine.reset("rtc watchdog"))
        self._super = Timer(self._slow, lambda: machine.reset("super watchdog"))
        self.cause = 0

    def reset(self, cause: str) -> None:
        self.cause = CAUSES[cause]
        self._keys = {0xA8: 0, 0xB0: 0}
        self.values = {0: 0x1C00A000, 0x90: 0x00013214, 0xAC: 0x04B00000, 0xD8: 0x43FF0010}
        self._watchdog.after(200_000)
        self._super.after(272_000)

    @property
    def resets_on_brown_out(self) -> bool:
        """A low supply ends what runs."""
        return bool(self.values[0xD8] & 1 << 26 and self.values[0xD8] & 1 << 30)

    def read(self, offset: int, size: int) -> int:
        if offset == 0x38:
            return 0x3000 | self.cause
        return self.values[offset] if offset in self.values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset in self._keys:
            self._keys[offset] = value
            return
        if offset not in self.values:
            super().write(offset, size, value)
        if (offset == 0x90 and self._keys[0xA8] != KEY) or (
            offset == 0xAC and self._keys[0xB0] != SWD_KEY
        ):
            raise self.forbidden("is locked")
        self.values[offset] = value
        if offset == 0 and value & 1 << 31:
            self.machine.reset("software")
        if not self.values[0x90] & (1 << 31 | 1 << 12):
            self._watchdog.cancel()
        if self.values[0xAC] & 1 << 31:
            self._super.cancel()
