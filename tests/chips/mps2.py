# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The MPS2 with FPGA image AN386, to hold cortexm.py against QEMU, which has this board too.

Of the Arm Cortex-M System Design Kit (Arm DDI 0479): UART 4.3, timer 4.1, watchdog 4.5. Its flash
is PSRAM: the rules are the driver's.
"""

from tests.chips.cortexm import NMI, CortexM
from tests.chips.machine import Machine, Peripheral, Timer
from torpor.board import Board

BYTE_CYCLES = 10 * 217  # a start bit, eight bits, a stop bit


class Uart(Peripheral):
    """A CMSDK UART with one byte of buffer each way."""

    size = 0x1000
    events_only = frozenset({4})

    def __init__(self, machine: Machine, base: int, irq: int) -> None:
        super().__init__(machine, base)
        self._irq = irq
        self.sent = bytearray()
        self._coming = bytearray()
        self._leaves = Timer(machine.clock, self._on_sent)
        self._arrives = Timer(machine.clock, self._on_arrival)

    def reset(self, cause: str) -> None:
        self._control = self._interrupts = self._divider = 0
        self._received: int | None = None
        self._is_full = False
        self._leaves.cancel()

    def receive(self, data: bytes) -> None:
        """Send bytes to the device, as fast as the wire carries them."""
        self._coming += data
        if not self._arrives.time:
            self._arrives.after(BYTE_CYCLES)

    def _on_sent(self) -> None:
        self._is_full = False

    def _on_arrival(self) -> None:
        byte = self._coming.pop(0)
        assert self._received is None, "a byte has been lost"
        self._received = byte
        if self._control & 8:
            self._interrupts |= 2
            self.machine.core.line(self._irq, True)
        if self._coming:
            self._arrives.after(BYTE_CYCLES)

    def read(self, offset: int, size: int) -> int:
        if offset == 0:
            byte, self._received = self._received, None
            return byte or 0
        if offset == 4:
            return self._is_full | (self._received is not None) << 1
        values = {8: self._control, 0xC: self._interrupts, 0x10: self._divider}
        return values[offset] if offset in values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0:
            if not self._control & 1 or self._divider < 16 or self._is_full:
                raise self.forbidden("cannot send")
            self.sent.append(value & 0xFF)
            self._is_full = True
            self._leaves.after(10 * self._divider)
        elif offset == 8:
            self._control = value
        elif offset == 0xC:
            self._interrupts &= ~value
            self.machine.core.line(self._irq, bool(self._interrupts))
        elif offset == 0x10:
            self._divider = value
        else:
            super().write(offset, size, value)


class CmsdkTimer(Peripheral):
    """A CMSDK timer: counts down, interrupts at 0, loads RELOAD."""

    size = 0x1000

    def __init__(self, machine: Machine, base: int, irq: int) -> None:
        super().__init__(machine, base)
        self._irq = irq
        self._timer = Timer(machine.clock, self._on_zero)

    def reset(self, cause: str) -> None:
        self._control = self._reload = self._value = 0
        self._timer.cancel()
        self.machine.core.line(self._irq, False)

    def _on_zero(self) -> None:
        if self._control & 8:
            self.machine.core.line(self._irq, True)
        if self._reload:
            self._timer.after(self._reload + 1)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0:
            self._control = value
            if value & 1 and self._value:
                self._timer.after(self._value)
            elif not value & 1:
                self._timer.cancel()
        elif offset == 4:
            self._value = value
        elif offset == 8:
            self._reload = self._value = value
        elif offset == 0xC:
            self.machine.core.line(self._irq, False)
        else:
            super().write(offset, size, value)


class Watchdog(Peripheral):
    """A CMSDK watchdog: the first time-out is an NMI, the second a reset."""

    size = 0x1000

    def __init__(self, machine: Machine, core: CortexM, base: int) -> None:
        super().__init__(machine, base)
        self._core = core
        self._timer = Timer(machine.clock, self._on_zero)

    def reset(self, cause: str) -> None:
        self._load, self._control = 0xFFFFFFFF, 0
        self._is_open = True
        self._has_warned = False
        self._timer.cancel()

    def _on_zero(self) -> None:
        if self._has_warned and self._control & 2:
            self.machine.reset("watchdog")
            return
        self._has_warned = True
        self._core.pend(NMI)
        self._timer.after(self._load)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0xC00:
            self._is_open = value == 0x1ACCE551
            return
        if not self._is_open:
            raise self.forbidden("is locked")
        if offset == 0:
            self._load = value
        elif offset == 8:
            self._control = value
        elif offset == 0xC:
            self._has_warned = False
        else:
            super().write(offset, size, value)
        self._timer.cancel()
        if self._control & 1:
            self._timer.after(self._load)


class Mps2:
    """The board, as far as firmware/port/mps2 uses it."""

    def __init__(self, board: Board, *, cycles_per_instruction: int = 1) -> None:
        core = CortexM("m4")
        self.machine = Machine(core, hz=25_000_000, cycles_per_instruction=cycles_per_instruction)
        self.machine.add_flash(0, board.memory["code"].size)
        self.machine.add_ram(board.memory["ram"].origin, board.memory["ram"].size)
        self.machine.add_ram(0x21000000, 0x1000000)
        self.uart = Uart(self.machine, 0x40004000, irq=0)
        for part in (
            self.uart,
            CmsdkTimer(self.machine, 0x40000000, irq=8),
            Watchdog(self.machine, core, 0x40008000),
        ):
            self.machine.add(part)
