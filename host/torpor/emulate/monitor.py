# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The few orders that QEMU gets: QEMU Machine Protocol (QEMU documentation, "QMP")."""

import contextlib
import json
import socket
from pathlib import Path
from typing import Any

from torpor.errors import DeviceError

TIMEOUT = 10.0


class Monitor:
    """A connection to a QEMU that stays open, since only one is served at a time.

    Args:
        path: QEMU's socket, which exists already.

    Raises:
        DeviceError: QEMU does not take orders.
    """

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise _unheard(error) from None
        self._stream = self._socket.makefile("rwb")
        try:
            self._read("greet")
            self.order("qmp_capabilities")
        except DeviceError:
            self.close()
            raise

    def order(self, word: str, event: str = "") -> None:
        """Give an order and wait until QEMU has taken it.

        Args:
            word: the command.
            event: what QEMU reports when it is carried out; "" if that is not waited for.

        Raises:
            DeviceError: QEMU refuses, or is gone.
        """
        try:
            self._stream.write(json.dumps({"execute": word}).encode() + b"\n")
            self._stream.flush()
        except OSError as error:
            raise _unheard(error) from None
        taken, happened = False, not event
        while not (taken and happened):
            answer = self._read(word)
            if "error" in answer:
                raise DeviceError(f"QEMU refused '{word}': {answer['error'].get('desc', '')}")
            taken = taken or "return" in answer
            happened = happened or answer.get("event") == event

    def nudge(self) -> None:
        """Let QEMU look whether there is something to do.

        One that skips idle time may sleep for ever after a debugger has stopped a sleeping core to
        set a place (about one time in a hundred with QEMU 7.2 on a busy computer).

        Raises:
            DeviceError: QEMU is gone.
        """
        self.order("query-status")

    def _read(self, word: str) -> dict[str, Any]:
        try:
            line = self._stream.readline()
        except OSError as error:
            raise _unheard(error) from None
        if not line:
            raise DeviceError(f"QEMU ended instead of answering '{word}'")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let go of it; QEMU goes on. Safe to call twice."""
        with contextlib.suppress(OSError):  # what could not be sent is lost
            self._stream.close()
        self._socket.close()


def _unheard(error: OSError) -> DeviceError:
    return DeviceError(f"QEMU does not take orders: {error}")
