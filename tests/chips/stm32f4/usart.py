# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The USART of the STM32F4 (RM0090, chapter 30)."""

from typing import TYPE_CHECKING

from tests.chips.machine import Clock, Timer
from tests.chips.stm32f4.gated import APB1ENR, Gated

if TYPE_CHECKING:
    from tests.chips.stm32f4.chip import Stm32F407


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
