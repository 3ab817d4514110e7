# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device behind a pseudo terminal, for any program that opens a serial port."""

import os
import select
import threading
import tty
from types import TracebackType

from tests.firmware.slots import SlotsDevice

READ = 4096


class Terminal:
    """Serves a device in a thread until the block ends; the thread alone touches the device.

    Attributes:
        path: of the terminal, for clients.
        received: bytes that came from the client.
        sent: bytes that went to it.
        requests: how often something came in that was answered.
    """

    def __init__(self, device: SlotsDevice) -> None:
        self.device = device
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self.clear()

    def clear(self) -> None:
        """Count from 0 on."""
        self.received = self.sent = self.requests = 0

    def __enter__(self) -> "Terminal":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        os.close(self._stop)
        self._thread.join()
        for descriptor in (self._wake, self._master, self._slave):
            os.close(descriptor)

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._wake], [], [])
            if self._wake in ready:
                return
            data = os.read(self._master, READ)
            self.received += len(data)
            answer = self.device.receive(data)
            if self.device.c.shim_resets:
                self.device.restart()
                answer += self.device.said
            self._send(answer)

    def _send(self, data: bytes) -> None:
        self.requests += bool(data)
        self.sent += len(data)
        while data:
            data = data[os.write(self._master, data) :]
