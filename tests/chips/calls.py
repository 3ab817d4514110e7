# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Functions of a port, called one by one on a chip's model (Cortex-M): the code that ships."""

import struct
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from unicorn import arm_const as arm

from tests.chips.cortexm import CortexM
from tests.chips.machine import Machine, Peripheral
from tests.port.test_conformance import compile_program
from torpor.board import Board

ARGUMENTS = [arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3]


class _Returned(Peripheral):
    """Hears calls_returned() of calls.c."""

    size = 0x400
    value: int | None = None

    def write(self, offset: int, size: int, value: int) -> None:
        self.value = value
        self.machine.look_again()


def build(board: Board, folder: Path, changed: Path | None = None) -> Path:
    """Build calls.c with the board's port; a file of the port is replaced by `changed`."""
    return compile_program(board, folder, Path(__file__).with_name("calls.c"), changed=changed)


class Calls:
    """A chip that runs calls.c."""

    def __init__(self, machine: Machine, elf: Path) -> None:
        self._machine = machine
        assert isinstance(machine.core, CortexM)
        self._core = machine.core
        self._returned = _Returned(machine, 0x5FFFF000)
        machine.add(self._returned)
        machine.load(elf)
        with elf.open("rb") as file:
            table: Any = ELFFile(file).get_section_by_name(".symtab")
            self.symbols = {s.name: int(s["st_value"]) for s in table.iter_symbols()}

    def start(self, seconds: float = 1) -> None:
        """Let power come, and main() run."""
        self._machine.power_on()
        self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """Run until the function has returned; return what it returns."""
        self._returned.value = None
        ended = self._machine.run(seconds, until=lambda: self._returned.value is not None)
        assert ended == "until", f"{ended}, at {self._machine.pc:#x}"
        assert self._returned.value is not None
        return self._returned.value

    def begin(self, name: str, *arguments: int) -> None:
        """Call a function, without running it."""
        for register, value in zip(ARGUMENTS, arguments, strict=False):
            self._core.engine.set(register, value)
        self._core.engine.set(arm.UC_ARM_REG_LR, self.symbols["calls_returned"] | 1)
        self._core.jump(self.symbols[name] | 1)

    def __call__(self, name: str, *arguments: int, seconds: float = 10) -> int:
        """Call a function; it has so long to return."""
        self.begin(name, *arguments)
        return self.wait(seconds)

    def word(self, name: str) -> int:
        """Return a variable of 32 bits."""
        return int(struct.unpack("<I", self.content(name, 4))[0])

    def content(self, name: str, length: int) -> bytes:
        """Return what a variable holds."""
        return bytes(self._machine.uc.mem_read(self.symbols[name], length))

    def put(self, data: bytes) -> int:
        """Put data where functions find them; return the address."""
        self._machine.uc.mem_write(self.symbols["scratch"], data)
        return self.symbols["scratch"]
