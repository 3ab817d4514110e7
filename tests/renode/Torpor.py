# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Keywords for the suites in Renode: torpor's own commands, run beside the emulation.

Imported by the Python that runs Robot Framework, which need not have torpor's packages: nothing but
the standard library is used here, and the commands run in the repository's .venv.
"""

import json
import os
import random
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".venv" / "bin"
PATIENCE_S = 300  # of the wall: a command that takes longer hangs


class Torpor:
    """One for each suite."""

    ROBOT_LIBRARY_SCOPE = "SUITE"

    def __init__(self) -> None:
        self._kit: dict[str, Any] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="torpor-suite-")
        self._running: subprocess.Popen[bytes] | None = None

    # ---- what there is

    def prepare_board(self, board: str) -> None:
        """Build what the suite needs: some minutes the first time."""
        if not (PROGRAMS / "python").exists():
            raise AssertionError("there is no .venv: run tools/setup first")
        printed = self._run([str(PROGRAMS / "python"), "-m", "tests.renode.prepare", board])
        self._kit = json.loads(Path(printed.stdout.strip()).read_text())

    def commands_that_make_the_machine(self) -> list[str]:
        """Return them in order."""
        return list(self._kit["making"])

    def fact(self, name: str) -> Any:
        """Return something of the board: "board", "label", ..."""
        return self._kit[name]

    def file(self, name: str) -> str:
        """Return the path of something that was prepared: "device", "new", ..."""
        return str(self._kit["files"][name])

    def noise(self, seed: str) -> str:
        """Return the path of what RAM holds when the power comes."""
        path = Path(self._folder.name) / "noise"
        path.write_bytes(random.Random(int(seed)).randbytes(self._kit["noise"]))
        return str(path)

    def unused_file(self, name: str) -> str:
        """Return a path for something that a test keeps."""
        return str(Path(self._folder.name) / name)

    def free_port(self) -> int:
        """Return a port that nobody listens on."""
        with socket.socket() as found:
            found.bind(("", 0))
            return int(found.getsockname()[1])

    def drawn(self, seed: str, first: str, last: str) -> int:
        """Return a number from `first` to `last` that the seed chooses."""
        return random.Random(int(seed)).randint(int(first), int(last))

    # ---- commands

    def torpor(self, *words: str, expect: str = "0") -> str:
        """Run a command of torpor's to its end, and return what it prints."""
        done = self._run([str(PROGRAMS / "torpor"), *map(str, words)], int(expect))
        return done.stdout.strip()

    def torpor_json(self, *words: str) -> Any:
        """Run a command with --json, and return what it says."""
        return json.loads(self.torpor(*words, "--json"))

    def firmware_of(self, slots: dict[str, Any]) -> str:
        """Return the firmware that runs and is confirmed, of what `slots` says: "A 1.0.0"."""
        mine = [slot for slot in slots["slots"] if slot["component"] == "firmware"]
        found = [slot for slot in mine if {"running", "confirmed"} <= set(slot["state"])]
        if len(found) != 1:
            raise AssertionError(f"not one firmware runs and is confirmed: {mine}")
        return f"{found[0]['slot']} {found[0]['version']}"

    def labels_of(self, text: str) -> list[str]:
        """Return what a device has recognised, of what `replay --json` prints."""
        return [line["label"] for line in self.lines_of_json(text) if line.get("label")]

    def lines_of_json(self, text: str) -> list[Any]:
        """Return the objects of a text that has one on each line."""
        return [json.loads(line) for line in text.splitlines()]

    def windows(self, port: int, bits: str, first: str, count: str) -> dict[str, int]:
        """Send held-out windows to the device: see windows.py."""
        words = [f"socket://127.0.0.1:{port}", bits, first, count]
        program = [str(PROGRAMS / "python"), "-m", "tests.renode.windows", *map(str, words)]
        answer: dict[str, int] = json.loads(self._run(program).stdout)
        return answer

    def start_torpor(self, *words: str) -> None:
        """Start a command that goes on beside the test."""
        self._running = subprocess.Popen(
            [str(PROGRAMS / "torpor"), *map(str, words)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop_torpor(self) -> None:
        """End it, as a lost cable does; nothing happens if none runs."""
        if self._running and self._running.poll() is None:
            os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait()
        self._running = None

    def _run(self, words: list[str], expect: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        if done.returncode != expect:
            command = " ".join([Path(words[0]).name, *words[1:]])
            raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done
