# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The serial port of a device whose power comes and goes: what is plugged into it stays."""

import select
import time
from collections.abc import Callable
from typing import Any, Protocol

from torpor.emulate.child import ChildTransport
from torpor.errors import DeviceError


class Guard(Protocol):
    """Something that has to be looked after while somebody waits for the device."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to do."""
        ...

    def attend(self) -> None:
        """Do it."""
        ...


class Port:
    """A transport that outlives the process behind it. For one thread.

    Attributes:
        guard: what is looked after in `read`, or None.
        nudge: called when a `read` has waited in vain, or None.
    """

    def __init__(self) -> None:
        self.guard: Guard | None = None
        self.nudge: Callable[[], None] | None = None
        self._device: ChildTransport | None = None
        self._kept = b""
        self._closed = False

    def plug(self, device: ChildTransport) -> None:
        """Connect to a process that has just begun."""
        self._device = device

    def unplug(self) -> None:
        """Disconnect from a process that has ended; what it has said is kept."""
        self.guard = self.nudge = None
        if self._device is None:
            return
        try:
            while data := self._device.read(0):
                self._kept += data
        except DeviceError:
            pass  # the end of the connection
        self._device.close()
        self._device = None

    def fileno(self) -> int:
        """Return the descriptor to select on; another one after the power was cut.

        Raises:
            DeviceError: the device has no power.
        """
        if self._device is None:
            raise DeviceError("the serial port is closed" if self._closed else "no power")
        return self._device.fileno()

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`."""
        deadline = time.monotonic() + max(timeout, 0)
        while not self._kept:
            wait = max(0, deadline - time.monotonic())
            guards: list[Any] = [] if self.guard is None else [self.guard]
            ready, _, _ = select.select([self, *guards], [], [], wait)
            if not ready:
                if self.nudge:
                    self.nudge()
                return b""
            if self.guard and self.guard in ready:
                self.guard.attend()  # which may cut the power: look again who is there
            elif self._device:
                return self._device.read(0)
        kept, self._kept = self._kept, b""
        return kept

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        self.fileno()
        if self._device:
            self._device.write(data)

    def close(self) -> None:
        """See `Transport.close`."""
        self._closed = True
        if self._device is not None:
            self._device.close()
        self._device = None
