# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Targets that are programs on the terminal: they run when SCons is done, in the order given.

So `flash monitor` flashes first, Ctrl-C reaches who it is for, and a program that builds something
itself, or runs for hours, neither waits for this build's lock nor changes what SCons has noted.
"""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SCons.Script import COMMAND_LINE_TARGETS, Action, GetBuildFailures

from torpor.errors import TorporError
from torpor.paths import ROOT

Program = Callable[[], int]


@dataclass(frozen=True)
class _Step:
    name: str
    words: str
    program: Program
    needs_lock: bool


class Terminal:
    """What runs when all is built.

    Args:
        env: of the build.
        release: ends the lock of the build.
    """

    def __init__(self, env: Any, release: Callable[[], None]) -> None:
        self._env = env
        self._release = release
        self._due: list[_Step] = []

    def program(self, name: str, words: str, program: Program, needs: Sequence[Any] = ()) -> None:
        """Declare the target `name`.

        Args:
            name: on the command line.
            words: what is said when it begins.
            program: returns its exit code; the lock of the build is gone.
            needs: nodes that must be built before.
        """
        self._declare(_Step(name, words, program, needs_lock=False), needs)

    def command(
        self, name: str, command: Sequence[str], needs: Sequence[Any] = (), *, locked: bool = False
    ) -> None:
        """Declare the target `name`: a command of torpor's, which it begins with.

        Args:
            name: on the command line.
            command: its words.
            needs: nodes that must be built before.
            locked: what was built must stay as it is meanwhile.
        """
        program = _Command([sys.executable, "-m", "torpor", *command])
        self._declare(_Step(name, "torpor " + " ".join(command), program, needs_lock=locked), needs)

    def _declare(self, step: _Step, needs: Sequence[Any]) -> None:
        def enqueue(target: list[Any], source: list[Any], env: Any) -> None:
            if not self._due:
                atexit.register(self._run)
            self._due.append(step)

        action = Action(enqueue, None)
        self._env.AlwaysBuild(self._env.Alias(step.name, list(needs), action))

    def _run(self) -> None:
        """Run all that is due, up to the first that fails; its exit code is that of scons."""
        if GetBuildFailures():
            return
        for step in sorted(self._due, key=lambda step: COMMAND_LINE_TARGETS.index(step.name)):
            if not step.needs_lock:
                self._release()
            print(f"  {step.name:<8}{step.words}", flush=True)
            if code := _code(step.program):
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)  # scons has its own already


def call(command: Sequence[str], cwd: Path | None = None) -> int:
    """Run a program; return its exit code. Ctrl-C is for it alone: GDB stops the device then."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # a program of its own has the default
    try:
        return subprocess.run(command, env=environment(), cwd=cwd, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def environment() -> dict[str, str]:
    """Return the environment of programs: the user's, with torpor from this very tree."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "host")}


class _Command:
    """A program of its own process."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __call__(self) -> int:
        return call(self._command)


def _code(program: Program) -> int:
    try:
        return program()
    except KeyboardInterrupt:
        return 130
    except TorporError as error:
        print(f"scons: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return error.exit_code
