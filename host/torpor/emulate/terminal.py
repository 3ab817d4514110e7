# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A pseudo terminal in front of an emulated serial port, for programs that want a port's path."""

import contextlib
import os
import select
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torpor.emulate.port import Port
from torpor.errors import UsageError

READ_SIZE = 4096
KEEP = 65536  # bytes kept for a reader that is not there yet; a real port would keep none


class Terminal:
    """Carries bytes between a transport and a new pseudo terminal.

    Args:
        transport: the emulated port.
        link: where to put a symbolic link to the terminal, or None.

    Attributes:
        path: of the terminal, to open with any serial program.
        listener: called with all bytes that come from the device, if there is one.

    Raises:
        UsageError: `link` exists and is no symbolic link.
    """

    def __init__(self, transport: Port, link: Path | None = None) -> None:
        self._transport = transport
        self._link = link
        self._to_reader = bytearray()
        self.listener: Callable[[bytes], None] | None = None
        self._master, self._slave = os.openpty()  # the slave stays open: readers come and go
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        if link is not None:
            try:
                _make_link(link, self.path)
            except UsageError:
                self._close_ends()
                raise

    def pump(self, timeout: float) -> None:
        """Carry what is there in both directions; wait up to `timeout` seconds for something.

        Raises:
            DeviceError: the device is gone.
        """
        writers = [self._master] if self._to_reader else []
        readers: list[Any] = [self._transport, self._master]
        ready, writable, _ = select.select(readers, writers, [], timeout)
        if self._transport in ready:
            data = self._transport.read(0)
            if self.listener:
                self.listener(data)
            self._to_reader += data
            del self._to_reader[:-KEEP]
        if self._master in ready:
            self._transport.write(os.read(self._master, READ_SIZE))
        if writable:
            with contextlib.suppress(BlockingIOError):
                del self._to_reader[: os.write(self._master, self._to_reader)]

    def close(self) -> None:
        """Close the terminal and remove the link, if it still points there."""
        if self._link and _points_to(self._link, self.path):
            self._link.unlink()
        self._close_ends()

    def _close_ends(self) -> None:
        for end in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(end)


def _points_to(link: Path, target: str) -> bool:
    return link.is_symlink() and str(link.readlink()) == target


def _make_link(link: Path, target: str) -> None:
    if link.is_symlink():
        link.unlink()  # left by someone who was killed
    try:
        link.symlink_to(target)
    except FileExistsError:
        raise UsageError(f"{link} exists and is no link", "choose another --link") from None
    except OSError as error:
        raise UsageError(f"cannot make the link {link}: {error.strerror}") from None
