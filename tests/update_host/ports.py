# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Ports to a device in Python that programs open: a unix socket or a pseudo terminal."""

import contextlib
import os
import select
import socket
import threading
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from torpor.link.faults import Damage


class End(Protocol):
    """A device's end of a port: waits for bytes and sends some."""

    def fileno(self) -> int: ...
    def receive(self) -> bytes: ...
    def send(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class SocketEnd:
    """A unix socket; whoever connects last has the device."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._connection: socket.socket | None = None

    def fileno(self) -> int:
        return (self._connection or self._listener).fileno()

    def receive(self) -> bytes:
        if self._connection is None:
            self._connection = self._listener.accept()[0]
            return b""
        with contextlib.suppress(ConnectionError):
            if data := self._connection.recv(4096):
                return data
        self._connection.close()
        self._connection = None
        return b""

    def send(self, data: bytes) -> None:
        if self._connection is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionError):
                self._connection.sendall(data)

    def close(self) -> None:
        self._path.unlink()
        self._listener.close()
        if self._connection is not None:
            self._connection.close()


class TerminalEnd:
    """A pseudo terminal with a link to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        path.symlink_to(os.ttyname(self._slave))

    def fileno(self) -> int:
        return self._master

    def receive(self) -> bytes:
        return os.read(self._master, 4096)

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._master, data) :]

    def close(self) -> None:
        self._path.unlink()
        os.close(self._slave)
        os.close(self._master)


class Port:
    """Serves a device in a thread until it is closed.

    Args:
        path: of the socket, or of the link to the terminal.
        feed: the device: takes bytes, gives bytes.
        make: SocketEnd or TerminalEnd.

    Attributes:
        name: what a program opens.
        to_device, to_host: damage that bytes suffer on their way.
        unplugged: how often it was unplugged.
    """

    def __init__(
        self,
        path: Path,
        feed: Callable[[bytes], bytes],
        make: Callable[[Path], Any] = SocketEnd,
    ) -> None:
        self.name = f"unix:{path}" if make is SocketEnd else str(path)
        self.to_device, self.to_host = Damage(()), Damage(())
        self.unplugged = 0
        self._path, self._make, self._feed = path, make, feed
        self._end: End = make(path)
        self._pull = False
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Pull the cable out and put it in again, before the next answer. From the device."""
        self._pull = True

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._end.fileno(), self._wake], [], [])
            if self._wake in ready:
                return
            data = self.to_device.apply(self._end.receive())
            answer = self.to_host.apply(self._feed(data)) if data else b""
            if self._pull:
                self._pull = False
                self.unplugged += 1
                self._end.close()
                self._end = self._make(self._path)
            elif answer:
                self._end.send(answer)

    def close(self) -> None:
        """End the thread, remove what was opened."""
        os.write(self._waker, b"x")
        self._thread.join()
        self._end.close()
        os.close(self._wake)
        os.close(self._waker)
