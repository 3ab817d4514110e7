# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A child process that never outlives us, and whose last words are kept."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torpor.errors import DeviceError, MissingToolError
from torpor.link.transport import SocketTransport

TAIL_LINES = 8
TAIL_BYTES = 4096
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _die_with_parent() -> Callable[[], None] | None:
    """Return what a child runs before exec so that the kernel kills it when we die (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded here: after the fork nothing may be imported
    parent = os.getpid()

    def run() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # we died before the line above
            os._exit(1)

    return run


class Child:
    """A running program.

    Args:
        command: program and arguments.
        folder: its working directory.
        hint: how to get the program, for whoever has not got it.
        environment: variables that it gets besides ours.

    Raises:
        MissingToolError: the program is not installed.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        hint: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.program = Path(command[0]).name
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        try:
            self._process = self._spawn(command, folder, environment or {})
        except FileNotFoundError:
            raise MissingToolError(f"{self.program} is not installed", hint) from None
        except OSError as error:
            raise DeviceError(f"{command[0]} cannot be run: {error.strerror}") from None

    def _spawn(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,  # Ctrl-C goes to us alone, and we end it in order
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - it makes two system calls
            )
        except OSError:
            self._output.close()
            raise

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def check(self, wait: float = 0) -> None:
        """Raise DeviceError with its last lines of output if it ends within `wait` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(wait)
            raise self.death()

    def death(self, wait: float = 2.0) -> DeviceError:
        """Return the error for a connection that broke: ended by itself, or still there."""
        try:
            status = self._process.wait(wait)
        except subprocess.TimeoutExpired:
            return DeviceError(f"{self.program} runs but closed its serial port", self._tail())
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return DeviceError(f"{self.program} ended with {how}", self._tail())

    def _tail(self) -> str:
        output = self._output.fileno()
        start = max(0, os.fstat(output).st_size - TAIL_BYTES)
        last = os.pread(output, TAIL_BYTES, start)  # leaves the place where the child writes alone
        lines = last.decode(errors="replace").splitlines()
        own = [line for line in lines if line.startswith(("qemu", self.program))]
        shown = (own or lines)[-TAIL_LINES:]  # its own words before a dump of registers
        return "its last lines: " + " | ".join(shown) if shown else "it printed nothing"

    def kill(self) -> None:
        """End it without a chance to do anything more."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it, politely at first. Safe to call twice."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self.kill()
        self._output.close()

    def _signal(self, number: signal.Signals) -> None:
        """Tell it and its own children: a program may be a script that starts the real one."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class ChildTransport:
    """The serial port of a child: its errors tell how the child ended."""

    def __init__(self, inner: SocketTransport, child: Child) -> None:
        self._inner = inner
        self._child = child

    def fileno(self) -> int:
        """Return the descriptor to select on."""
        return self._inner.fileno()

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`."""
        try:
            return self._inner.read(timeout)
        except DeviceError:
            raise self._child.death() from None

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        try:
            self._inner.write(data)
        except DeviceError:
            raise self._child.death() from None

    def close(self) -> None:
        """See `Transport.close`."""
        self._inner.close()
