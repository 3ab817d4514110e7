# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Pins of the STM32F4 and what watches them (RM0090, chapters 8, 9 and 12)."""

from typing import TYPE_CHECKING

from tests.chips.machine import Peripheral
from tests.chips.stm32f4.gated import AHB1ENR, APB2ENR, Gated

if TYPE_CHECKING:
    from tests.chips.stm32f4.chip import Stm32F407


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
