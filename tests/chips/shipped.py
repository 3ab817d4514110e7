# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The firmware that ships on a chip's model, with somebody at the other end of its wire."""

from types import SimpleNamespace
from typing import Any, cast

from tests.chips.conformance import Chip
from tests.chips.machine import Flash
from tests.emulated.smp import Smp
from tests.emulated.updatable import Kit
from torpor.errors import DeviceError

GATHER_S = 0.002  # that the chip goes on for when it has sent a byte: more will come


class Wire:
    """The chip's UART as a transport. Timeouts are of the chip's time."""

    def __init__(self, chip: Chip) -> None:
        self._chip: Any = chip
        self._taken = len(self._chip.uart.sent)

    def read(self, timeout: float) -> bytes:
        """See torpor.link.Transport."""
        sent = self._chip.uart.sent
        self._run(timeout)
        if len(sent) > self._taken:
            self._run(GATHER_S)
        data = bytes(sent[self._taken :])
        self._taken += len(data)
        return data

    def _run(self, seconds: float) -> None:
        machine, sent = self._chip.machine, self._chip.uart.sent
        before = len(sent)
        if machine.is_powered:
            machine.run(seconds, until=lambda: len(sent) > before)

    def write(self, data: bytes) -> None:
        """See torpor.link.Transport."""
        if not self._chip.machine.is_powered:
            raise DeviceError("the power is off")
        self._chip.uart.receive(data)

    def close(self) -> None:
        """See torpor.link.Transport."""


def install(chip: Chip, flash: Flash, kit: Kit) -> None:
    """Do what the factory does: bootloader, and the old firmware in slot A."""
    chip.machine.load(kit.boot)
    flash.put(flash.base + kit.offset(0), kit.old.data)


def smp(chip: Chip) -> Smp:
    """Return a client of the chip; it is interrupted where power is cut."""
    wire = SimpleNamespace(transport=Wire(chip))
    machine = chip.machine
    off = lambda: not machine.is_powered  # noqa: E731 - for the type of a field
    return Smp(cast(Any, wire), interrupted=off, now=lambda: machine.seconds)
