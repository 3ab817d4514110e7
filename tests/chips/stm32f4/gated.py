# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Peripherals of the STM32F4 that RCC gives a clock, or not."""

from typing import TYPE_CHECKING

from tests.chips.machine import Peripheral

if TYPE_CHECKING:
    from tests.chips.stm32f4.chip import Stm32F407

AHB1ENR, APB1ENR, APB2ENR = 0x30, 0x40, 0x44
"""Registers of RCC that enable the clock of a peripheral (7.3.10, 7.3.13, 7.3.14)."""


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
        if not self.chip.rcc.is_enabled(self, self._enable, self._bit):
            return 0  # 7.3.10 and the following: "always 0", without a clock
        return self.get(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if not self.chip.rcc.is_enabled(self, self._enable, self._bit):
            raise self.forbidden(f"{offset:#x} is written without a clock")
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
