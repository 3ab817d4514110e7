# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The flash of the Pico, a W25Q16JV, and the SSI that it is read through (RP2040, 4.10, 2.6.3).

The CPU can read it only while the SSI sends what the flash expects: either a serial read (03h), or
addresses alone, when a read with the mode bits A0h has told the flash so.
"""

from tests.chips.machine import Flash, Machine, Peripheral

PAGE, SECTOR = 256, 4096
QUAD_HZ, SERIAL_HZ = 133_000_000, 50_000_000
TXRX_8 = 7 << 16
READ_32_SERIAL = 31 << 16 | 3 << 8
READ_32_QUAD = READ_32_SERIAL | 2 << 21
SERIAL_READ = 0x03 << 24 | 2 << 8 | 6 << 2
QUAD_COMMAND = 4 << 11 | 2 << 8 | 8 << 2 | 1
QUAD_CONTINUOUS = 0xA0 << 24 | 4 << 11 | 8 << 2 | 2


class Ssi(Peripheral):
    """The SSI with the flash behind it."""

    size = 0x1000
    SETTINGS = (0x00, 0x04, 0x14, 0xF0, 0xF4)

    def __init__(self, machine: Machine, flash: Flash, *, is_quad: bool) -> None:
        super().__init__(machine, 0x18000000)
        self._flash = flash
        self._is_quad = is_quad
        self.clock_hz = 0
        self.is_continuous = False  # the flash expects addresses
        self.is_stale = False  # the cache holds what is not there any more
        self.mode = ""
        self.reset("power")

    def reset(self, cause: str) -> None:
        """The flash has no reset line: it goes on as it was, unless power was away."""
        if cause == "power":
            self.is_continuous = False
        self._values = dict.fromkeys(self.SETTINGS, 0)
        self._is_on = self._is_connected = self._is_selected = False
        self._pushed: list[int] = []
        self._got: list[int] = []

    # What the ROM's functions do

    def connect(self) -> None:
        """Give the flash its pins."""
        self._is_connected = True

    def exit_xip(self) -> None:
        """Let the flash take commands, whatever it expects."""
        if not self._is_connected:
            raise self.forbidden("flash_exit_xip comes after connect_internal_flash")
        self.is_continuous, self._is_on, self.mode = False, True, "commands"
        self._values |= {0x00: TXRX_8, 0x14: 6}
        self._flash.close()

    def flush(self) -> None:
        """Forget what the cache holds, and give the select line back to the SSI."""
        self.is_stale = self._is_selected = False

    def insist_on_commands(self) -> None:
        """Refuse what is done before flash_exit_xip; the select line is then held by software."""
        if self.mode != "commands":
            raise self.forbidden("the flash takes no commands now")
        self._is_selected = True

    # Registers

    def read(self, offset: int, size: int) -> int:
        if offset == 0x28:
            self._transfer()
            return 1 << 2
        if offset == 0x60:
            if not self._got:
                raise self.forbidden("nothing was received")
            return self._got.pop(0)
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x08:
            self._switch(bool(value))
        elif offset == 0x60 and self._is_on:
            self._pushed.append(value)
        elif offset in self.SETTINGS and not self._is_on:
            self._values[offset] = value
        elif offset in self.SETTINGS:
            raise self.forbidden(f"{offset:#x} is written while it is on")
        else:
            super().write(offset, size, value)

    def _switch(self, on: bool) -> None:
        if self._pushed:
            raise self.forbidden("it is switched while it sends")
        self._is_on, self._got = on, []
        self.mode = ""
        self._flash.close()
        if on:
            self._look()

    @property
    def _hz(self) -> float:
        divisor = self._values[0x14]
        if divisor < 2 or divisor % 2:
            raise self.forbidden(f"BAUDR {divisor}")
        return self.clock_hz / divisor

    def _look(self) -> None:
        """Find out whether the CPU can read the flash now."""
        how = self._values[0x00], self._values[0xF4]
        fits = {
            (READ_32_SERIAL, SERIAL_READ): (not self.is_continuous, SERIAL_HZ),
            (READ_32_QUAD, QUAD_CONTINUOUS): (self.is_continuous, QUAD_HZ),
        }
        is_right, most = fits.get(how, (False, 0))
        if not is_right:
            return
        if self._hz > most or self._is_selected or self.is_stale or self._values[0x04]:
            raise self.forbidden(
                f"the flash cannot be read so: {self._hz} Hz, held {self._is_selected}, "
                f"stale {self.is_stale}"
            )
        self.mode = "quad" if self.is_continuous else "serial"
        self._flash.open()

    def _transfer(self) -> None:
        """Do what was pushed: the select line is low until there is no more."""
        pushed, self._pushed = self._pushed, []
        if not pushed:
            return
        if not self._is_connected or self._is_selected:
            raise self.forbidden("the flash is not connected, or selected by software")
        if self._values[0x00] == TXRX_8 and pushed[0] == 0x35 and len(pushed) == 2:
            if self.is_continuous:
                raise self.forbidden("the flash takes no commands now")
            self._got = [0xFF, 2 if self._is_quad else 0]
        elif (self._values[0x00], self._values[0xF4]) == (READ_32_QUAD, QUAD_COMMAND):
            command, address = pushed
            if command != 0xEB or not self._is_quad or self.is_continuous:
                raise self.forbidden(f"quad command {command:#x}")
            self.is_continuous = address >> 4 & 3 == 2
        else:
            raise self.forbidden(f"sends {pushed} with {self._values}")
