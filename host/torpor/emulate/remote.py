# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The orders that Renode gets: commands of its monitor, over its server for Robot Framework.

The server speaks XML-RPC (Robot Framework, "Remote library interface") and says of every command
whether it failed, which the monitor's own terminal does not.
"""

import contextlib
import http.client
import re
import xmlrpc.client
from pathlib import Path
from typing import Any

from torpor.errors import DeviceError

TIMEOUT = 120.0
"""For one command: models are compiled, on a busy computer."""
KEYWORD = "ExecuteCommand"
NAMES = re.compile(r"^\w+(Exception)?: ")


class _Transport(xmlrpc.client.Transport):
    """One that does not wait for ever."""

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = TIMEOUT
        return connection


class Remote:
    """A connection to a Renode. For one thread.

    Args:
        port: that its server for Robot Framework listens on, on this computer.
    """

    def __init__(self, port: int) -> None:
        self._transport = _Transport()
        self._proxy = xmlrpc.client.ServerProxy(
            f"http://127.0.0.1:{port}/", transport=self._transport
        )

    def order(self, command: str) -> str:
        """Give a command to the monitor, wait until it is done, and return what it prints.

        Raises:
            DeviceError: Renode refuses it, or is gone.
        """
        try:
            answer: Any = self._proxy.run_keyword(KEYWORD, [command])
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise DeviceError(f"Renode does not take orders: {error}") from None
        if answer.get("status") != "PASS":
            raise DeviceError(f"Renode refused '{command}'", reason(answer.get("error", "")))
        return str(answer.get("return", "")).strip()

    def number(self, command: str) -> int:
        """Give a command that prints a number, and return that.

        Raises:
            DeviceError: Renode refuses it, or prints something else.
        """
        printed = self.order(command)
        try:
            return int(printed, 0)
        except ValueError:
            raise DeviceError(f"Renode's '{command}' is no number: {printed}") from None

    def close(self) -> None:
        """Let go of it; Renode goes on. Safe to call twice."""
        with contextlib.suppress(OSError):
            self._transport.close()


def reason(error: str) -> str:
    """Return the innermost words of an error that Renode reports, in one line."""
    lines = [NAMES.sub("", line.strip()) for line in error.splitlines() if line.strip()]
    return " | ".join(line for line in lines if line)


def quoted(path: Path) -> str:
    """Return a path as the monitor's commands for files want it."""
    return "@" + str(path).replace(" ", "\\ ")
