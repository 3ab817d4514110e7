# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Streams of bytes to a device. One protocol of three methods, a class for each kind of port."""

import contextlib
import errno
import os
import select
import socket
import termios
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import serial
from serial.tools import list_ports

from torpor.errors import DeviceError

READ_SIZE = 4096
UNIX_PREFIX = "unix:"
AWAKE_S = 5.0
"""That a device listens closely after a byte has come; app/wake does for ten."""
WAKE_S = 0.01
"""That it may take to wake: firmware/hal/cpu.h."""
_WORDS = {
    errno.EIO: "unplugged, or another program reads from it",
    errno.ENOTTY: "no serial port",
}
"""What the system says less well."""
_T = TypeVar("_T")


class Transport(Protocol):
    """A stream of bytes in both directions. Bytes may be lost, changed, doubled or added."""

    def read(self, timeout: float) -> bytes:
        """Return what has arrived, at least one byte; b"" only after `timeout` seconds of nothing.

        Raises:
            DeviceError: the other end is gone.
        """
        ...

    def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            DeviceError: the other end is gone, or takes no bytes.
        """
        ...

    def close(self) -> None:
        """Let go of the port. Safe to call twice."""
        ...


class SocketTransport:
    """A connected stream socket."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self._socket = connection
        self._name = name

    def fileno(self) -> int:
        """Return the descriptor to select on."""
        return self._socket.fileno()

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`."""
        ready, _, _ = select.select([self._socket], [], [], max(timeout, 0))
        if not ready:
            return b""
        try:
            data = self._socket.recv(READ_SIZE)
        except OSError as error:
            raise DeviceError(f"reading from {self._name} failed: {error.strerror}") from None
        if not data:
            raise DeviceError(f"{self._name} was closed by the other end")
        return data

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise DeviceError(f"writing to {self._name} failed: {error.strerror}") from None

    def close(self) -> None:
        """See `Transport.close`."""
        self._socket.close()


class SerialTransport:
    """A serial port, pseudo terminal or any other URL that pyserial opens.

    Two of them at one port would take each other's bytes: the second is refused. What follows a
    pause is preceded by an empty line, for the device may sleep so deeply that it loses the bytes
    that wake it (firmware/hal/cpu.h, cpu_sleep_deep()).
    """

    def __init__(self, url: str, baud: int = 115200, write_timeout: float = 10.0) -> None:
        self._name = url
        self._wake_at = 0.0
        try:
            self._port = serial.serial_for_url(
                url, baud, timeout=0, write_timeout=write_timeout, exclusive=True
            )
        except (serial.SerialException, ValueError, OSError) as error:
            if getattr(error, "errno", None) == errno.EAGAIN:
                raise DeviceError(
                    f"{url} is used by another command", "wait for it, or end it"
                ) from None
            raise DeviceError(f"cannot open {url}: {_why(error)}", _hint(url)) from None

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`."""

        def receive() -> bytes:
            self._port.timeout = max(timeout, 0)
            first: bytes = self._port.read(1)
            rest: bytes = self._port.read(self._port.in_waiting) if first else b""
            return first + rest

        return self._guard(receive)

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        if time.monotonic() >= self._wake_at:
            self._guard(lambda: self._port.write(b"\n"))
            time.sleep(WAKE_S)
        self._guard(lambda: self._port.write(data))
        self._wake_at = time.monotonic() + AWAKE_S

    def close(self) -> None:
        """See `Transport.close`."""
        with contextlib.suppress(serial.SerialException, OSError):
            self._port.close()

    def _guard(self, action: Callable[[], _T]) -> _T:
        try:
            return action()
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: closed under us
            raise DeviceError(f"{self._name}: {_why(error)}") from None


def _why(error: Exception) -> str:
    """Return what the system says, without what pyserial wraps around it."""
    for told in (error.__context__, error):
        number = told.args[0] if isinstance(told, OSError | termios.error) and told.args else 0
        if isinstance(number, int) and number:
            return _WORDS.get(number) or getattr(told, "strerror", "") or os.strerror(number)
    return _WORDS[errno.EIO] if "returned no data" in str(error) else str(error)


def _hint(url: str) -> str:
    """Return what to look at when a port cannot be opened, with the ports that there are."""
    if url.startswith(("socket://", "rfc2217://")):
        return "does a program listen there?"
    found = ", ".join(sorted(port.device for port in list_ports.comports()))
    hint = "is the device plugged in, and the port yours to use?"
    return f"{hint} ports here: {found}" if found else hint


def connect_unix(path: str, timeout: float = 5.0) -> SocketTransport:
    """Connect to a unix socket, waiting up to `timeout` seconds for a listener to appear.

    Raises:
        DeviceError: nobody listens there.
    """
    deadline = time.monotonic() + timeout
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except OSError as error:
            connection.close()
            if time.monotonic() > deadline:
                raise DeviceError(f"cannot connect to {path}: {error.strerror}") from None
            time.sleep(0.005)  # between two looks, not instead of one
        else:
            return SocketTransport(connection, path)


def open_transport(target: str, baud: int = 115200) -> Transport:
    """Open `unix:PATH`, or a port name or URL of pyserial (/dev/ttyACM0, socket://host:port).

    Raises:
        DeviceError: it cannot be opened.
    """
    if target.startswith(UNIX_PREFIX):
        return connect_unix(target.removeprefix(UNIX_PREFIX))
    return SerialTransport(target, baud)
