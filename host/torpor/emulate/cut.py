# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Power that fails at an exact place of the firmware that ships.

The core is stopped through the debug port where it comes to a place, its coming is counted, and it
goes on, until the wanted one. All that happens while somebody reads from the device's serial port,
or waits for the cut: in between the core stands still at a place.
"""

import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torpor.emulate.debugger import Debugger, Place
from torpor.emulate.port import Port


@dataclass(frozen=True)
class Moment:
    """When the core comes for the `count`-th time to one of `places`.

    What is there has not happened yet: an instruction, a store.
    """

    places: tuple[Place, ...]
    count: int = 1


class Cut:
    """Waits for moments, one after the other, and then acts. Made by `Emulator`.

    Args:
        port: the device's serial port, whose readers let us look after the core.
        moments: each is counted from the one before.
        act: called at the last one, with the core standing still.

    Attributes:
        hits: how often the core came to a place of the moment that is waited for now.
        struck: the last moment has come.
    """

    def __init__(self, port: Port, moments: Sequence[Moment], act: Callable[[], None]) -> None:
        assert moments
        self.hits = 0
        self.struck = False
        self._port = port
        self._act = act
        self._waiting = list(moments)

    def begin(self, debugger: Debugger) -> None:
        """Wait from now on.

        Args:
            debugger: the way into the core.
        """
        assert self._port.guard is None, "one cut at a time"
        self._debugger = debugger
        with debugger.paused():
            debugger.set_places(self._waiting[0].places)
        self._port.guard = self

    def fileno(self) -> int:
        """Return the descriptor of the debug port."""
        return self._debugger.fileno()

    def attend(self) -> None:
        """Look whether the core has come to a place.

        Raises:
            DeviceError: the device is gone.
        """
        if not self._debugger.has_stopped():
            return
        self.hits += 1
        moment = self._waiting[0]
        self._debugger.clear_places(moment.places)
        if self.hits == moment.count:
            self.hits = 0
            del self._waiting[0]
        if self._waiting:
            self._go_on(moment, self._waiting[0])
        else:
            self.struck = True
            self._port.guard = None
            self._act()

    def _go_on(self, here: Moment, then: Moment) -> None:
        if set(here.places) & set(then.places):
            self._debugger.step()  # or the core would stop where it stands
        self._debugger.set_places(then.places)
        self._debugger.resume()

    def wait(self, timeout: float) -> bool:
        """Wait until the power was cut; False if it was not within `timeout` seconds.

        Raises:
            DeviceError: the device is gone.
        """
        deadline = time.monotonic() + timeout
        while not self.struck and (left := deadline - time.monotonic()) > 0:
            if select.select([self], [], [], left)[0]:
                self.attend()
        return self.struck

    def cancel(self) -> None:
        """Let the core run on as if nothing had been asked. Does nothing if it has struck."""
        if self._port.guard is self:
            self._port.guard = None
            with self._debugger.paused():
                self._debugger.clear_places(self._waiting[0].places)
