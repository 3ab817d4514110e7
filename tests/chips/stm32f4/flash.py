# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The flash of the STM32F4 (RM0090, chapter 3; times of DS8626, typical)."""

from typing import TYPE_CHECKING

from tests.chips.machine import Flash, Peripheral, Timer

if TYPE_CHECKING:
    from tests.chips.stm32f4.chip import Stm32F407

KB = 1024
SECTORS = (16 * KB,) * 4 + (64 * KB,) + (128 * KB,) * 7
FLASH_BASE = 0x08000000


class FlashRegisters(Peripheral):
    """The flash interface (chapter 3)."""

    events_only = frozenset({0x0C})

    def __init__(self, chip: "Stm32F407", flash: Flash) -> None:
        super().__init__(chip.machine, 0x40023C00)
        self.chip = chip
        self.flash = flash
        self._done = Timer(chip.micro, self._on_done)
        self.errors: list[str] = []  # what the chip has told in SR
        self.latency = 0
        flash.on_store = self._on_store
        flash.on_access = self._on_access

    def reset(self, cause: str) -> None:
        if cause == "power":
            self._done.cancel()
        self.acr = self.sr = self.latency = 0
        self.cr = 1 << 31
        self._keys: list[int] = []
        self._is_dead = False  # a wrong key: locked until reset
        self._is_latency_known = True
        self._is_stale = False  # the caches may hold what is not in the flash
        self._has_programmed = False
        self._erases = False

    @property
    def is_latency_known(self) -> bool:
        """The wait states have been read back since they were written (3.5.1)."""
        return self._is_latency_known

    @property
    def is_busy(self) -> bool:
        """An erase or a program goes on."""
        return self._done.tick is not None

    def read(self, offset: int, size: int) -> int:
        if offset == 0x00:
            self._is_latency_known = True
        values = {
            0x00: self.acr | self.latency,
            0x0C: self.sr | self.is_busy << 16,
            0x10: self.cr,
            0x14: 0x0FFFAAED,
        }
        return values[offset] if offset in values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x00:
            self._write_acr(value)
        elif offset == 0x04:
            self._write_key(value)
        elif offset == 0x0C:
            self.sr &= ~(value & 0xF3)
        elif offset == 0x10:
            self._write_cr(value)
        else:
            super().write(offset, size, value)

    def _write_acr(self, value: int) -> None:
        if (value >> 11 & 1 and value >> 9 & 1) or (value >> 12 & 1 and value >> 10 & 1):
            raise self.forbidden("a cache is reset while it is on")
        if value >> 12 & 1 and value >> 11 & 1:
            self._is_stale = self._has_programmed = False
        self.acr, self.latency = value & 0x1F00, value & 7
        self._is_latency_known = False
        self.chip.rcc.check_speed()

    def _write_key(self, value: int) -> None:
        self._keys.append(value)
        if self._keys == [0x45670123, 0xCDEF89AB][: len(self._keys)] and not self._is_dead:
            if len(self._keys) == 2:
                self.cr &= ~(1 << 31)
                self._keys = []
            return
        self._is_dead = True
        raise self.forbidden(f"wrong key {value:#x}: locked until reset, and a bus fault")

    def _write_cr(self, value: int) -> None:
        if self.is_busy:
            raise self.forbidden("CR is written while the flash is busy")
        if self.cr >> 31:
            raise self.forbidden("CR is locked")
        if value & 1 and value & 6:
            raise self.forbidden("program and erase at once")
        if value >> 31 and self._has_programmed and self.acr & 0x600:
            self._is_stale = True  # what is read back may be what was written, from the cache
        self.cr = value & 0x83010FFF & ~(1 << 16)
        if value >> 16 & 1:
            self._start_erase(value)

    def _check_idle(self) -> None:
        if self.cr >> 8 & 3 == 3:
            raise self.forbidden("x64 needs an external supply")
        if self.sr & 0xF2:
            raise self.forbidden(f"an operation with errors of the last one: {self.sr:#x}")
        if self._is_stale:
            raise self.forbidden("the caches were not reset after an erase, or after programming")

    def _start_erase(self, value: int) -> None:
        self._check_idle()
        sector = value >> 3 & 15
        if value & 6 != 2 or sector >= len(SECTORS):
            raise self.forbidden(f"STRT with CR {value:#x}")
        size = SECTORS[sector]
        slowness = (2.0, 1.3, 1.0)[self.cr >> 8 & 3]
        milliseconds = {16 * KB: 250, 64 * KB: 550, 128 * KB: 1000}[size] * slowness
        self._erases = True
        self._begin(int(1000 * milliseconds))
        self.flash.erase(FLASH_BASE + sum(SECTORS[:sector]), size)

    def _on_store(self, address: int, size: int, value: int) -> None:
        """Take a store of the CPU to the flash (3.6.4)."""
        if self.is_busy:
            raise self.forbidden("a store while the flash is busy")
        width = 1 << (self.cr >> 8 & 3)
        if self.cr >> 31 or not self.cr & 1:
            self._fail(7, "PGSERR")
        elif size != width:
            self._fail(6, "PGPERR")
        elif address // 16 != (address + size - 1) // 16:
            self._fail(5, "PGAERR")
        else:
            self._check_idle()
            self._has_programmed = True
            self._begin(16)
            self.flash.program(address, value.to_bytes(size, "little"))

    def _fail(self, bit: int, name: str) -> None:
        self.errors.append(f"{name} at pc {self.machine.pc:#x}")
        self.sr |= 1 << bit

    def _begin(self, microseconds: int) -> None:
        """Be busy. What runs from the flash waits, what runs from RAM may go on."""
        self._done.after(microseconds)
        if self._is_here(self.machine.pc):
            self.machine.stall_after_this(self._done)
        else:
            self.flash.close()

    def _is_here(self, address: int) -> bool:
        return self.flash.base <= address < self.flash.base + self.flash.size

    def _on_access(self) -> None:
        """Somebody reads the busy flash: the bus waits until it is done (3.5)."""
        assert self._done.time is not None
        self.machine.stall(self._done.time)

    def _on_done(self) -> None:
        self.sr |= self.cr >> 24 & 1  # EOP, only where its interrupt is enabled
        if self._erases and self.acr & 0x600:
            self._is_stale = True
        self._erases = False
        self.flash.open()
