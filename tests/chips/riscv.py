# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What unicorn lacks of a RISC-V core in machine mode: traps, interrupts, WFI.

Of the RISC-V Privileged Architecture, version 1.12, chapter 3. Which interrupt is due says the
chip's controller; unicorn has `mret` and the registers.
"""

from collections.abc import Callable

import unicorn
from unicorn import riscv_const as rv

from tests.chips.engine import Engine
from tests.chips.machine import Core

MIE, MPIE, MPP = 1 << 3, 1 << 7, 3 << 11  # of mstatus
INTERRUPT = 1 << 31  # of mcause
FETCH_FAULT, ILLEGAL, BREAKPOINT, LOAD_FAULT, STORE_FAULT, ECALL = 1, 2, 3, 5, 7, 11
_FETCHES = (unicorn.UC_MEM_FETCH_UNMAPPED, unicorn.UC_MEM_FETCH_PROT)
_STORES = (unicorn.UC_MEM_WRITE_UNMAPPED, unicorn.UC_MEM_WRITE_PROT)


class RiscV(Core):
    """The core. `due` returns the number of the interrupt to take, None for none."""

    def __init__(self) -> None:
        model = rv.UC_CPU_RISCV32_SIFIVE_E31
        self.engine = Engine(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32, model)
        self.levels: set[int] = set()  # sources whose line is high
        self.due: Callable[[], int | None] = lambda: None
        self.start: Callable[[], int] = lambda: 0  # where the core goes after a reset
        self.before_slice: Callable[[], None] = lambda: None
        self._sleeps = False
        self._pc = 0

    def reset(self) -> None:
        self._sleeps = False
        self.engine.set(rv.UC_RISCV_REG_MSTATUS, MPP)
        self.engine.set(rv.UC_RISCV_REG_MCAUSE, 0)
        self._pc = self.start()

    @property
    def pc(self) -> int:
        return self._pc

    @property
    def sleeps(self) -> bool:
        """It is in WFI."""
        return self._sleeps

    def line(self, irq: int, level: bool) -> None:
        (self.levels.add if level else self.levels.discard)(irq)
        self.machine.look_again()

    def service(self) -> bool:
        self.before_slice()
        due = self.due()
        if self._sleeps:
            if due is None:
                return False
            self._sleeps = False
            self.machine.on_wake(False)
        if due is not None and self.engine.get(rv.UC_RISCV_REG_MSTATUS) & MIE:
            self._trap(INTERRUPT | due, self._pc, 0)
        return True

    def _trap(self, cause: int, pc: int, value: int) -> None:
        """Enter the handler (3.1.6.1, 3.1.7): interrupts of a vectored table have their entries."""
        get, put = self.engine.get, self.engine.set
        status = get(rv.UC_RISCV_REG_MSTATUS)
        kept = status & ~(MIE | MPIE) | MPP
        put(rv.UC_RISCV_REG_MSTATUS, kept | (MPIE if status & MIE else 0))
        put(rv.UC_RISCV_REG_MEPC, pc)
        put(rv.UC_RISCV_REG_MCAUSE, cause)
        put(rv.UC_RISCV_REG_MTVAL, value)
        vector = get(rv.UC_RISCV_REG_MTVEC)
        entry = 4 * (cause & ~INTERRUPT) if vector & 1 and cause & INTERRUPT else 0
        self._pc = (vector & ~3) + entry

    def run(self, limit: int) -> None:
        if self.due() is not None:
            self.engine.watch(rv.UC_RISCV_REG_MSTATUS, MIE, MIE)
        error = self.engine.run(self._pc, limit)
        self._pc = self.engine.get(rv.UC_RISCV_REG_PC)
        if self.machine.fault_address is not None:
            self._fault_of_bus()
        elif error != unicorn.UC_ERR_OK:
            at = self.machine.pc
            self._trap(self._exception(at), at, 0)
        elif not self.engine.slice.stopped:
            self._sleeps = True  # by WFI; the counter is behind it
            self.machine.on_sleep(False)

    def _exception(self, at: int) -> int:
        half = self._half(at)
        if half == 0x9002 or (half, self._half(at + 2)) == (0x0073, 0x0010):
            return BREAKPOINT
        return ECALL if (half, self._half(at + 2)) == (0x0073, 0) else ILLEGAL

    def _half(self, address: int) -> int:
        return int.from_bytes(self.engine.uc.mem_read(address, 2), "little")

    def _fault_of_bus(self) -> None:
        machine, address = self.machine, self.machine.fault_address
        assert address is not None
        machine.fault_address = None
        if machine.fault_kind in _FETCHES:
            self._trap(FETCH_FAULT, address, address)
        elif machine.fault_kind in _STORES:
            self._trap(STORE_FAULT, machine.pc, address)
        else:
            self._trap(LOAD_FAULT, machine.pc, address)
