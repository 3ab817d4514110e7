# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The STM32F407, as far as firmware/port/stm32f4 uses it, with the rules of its manuals.

Written from RM0090 and the data sheet DS8626, not from the port: two readings of one manual. Supply
is 3.0 V. Not there: DMA, the window watchdog, Standby, option bytes.
"""

from tests.chips.cortexm import CortexM
from tests.chips.machine import Clock, Machine, Peripheral
from tests.chips.stm32f4.calendar import Calendar
from tests.chips.stm32f4.clocks import HSI, Power, Rcc
from tests.chips.stm32f4.flash import FLASH_BASE, SECTORS, FlashRegisters
from tests.chips.stm32f4.pins import Exti, Gpio, Syscfg
from tests.chips.stm32f4.timers import GeneralTimer, Iwdg
from tests.chips.stm32f4.usart import Usart


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
