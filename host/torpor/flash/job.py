# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What one tool has to do: programs with their arguments, and how to read what they say.

The programs run in a folder with the files that they are given, so that names are short and need no
quotes, in whatever language their arguments are.
"""

import queue
import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from torpor.errors import DeviceError, MissingToolError

SILENCE_S = 120.0
"""A program that says nothing for so long hangs; erasing a large flash takes a minute."""

_NOISE = re.compile(r"^(?:ERROR: |Error: |A fatal error occurred: )*")

Show = Callable[[int], None]


@dataclass(frozen=True)
class Failure:
    """What a tool says when something goes wrong, in our words.

    Attributes:
        pattern: of a line.
        message: one line.
        hint: what to do; "{advice}" is what to do about permissions.
    """

    pattern: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Job:
    """The steps of one tool.

    Attributes:
        tool: its name, for people.
        files: what lies in the folder, by name.
        commands: programs and their arguments, in order.
        failures: what may go wrong, the most telling first.
        complaint: pattern of the lines that may say so.
        wrote: pattern of a line that says how many bytes were written; group 1: how many.
        percent: pattern of a line that says how far the file is; group 1: percent.
        verified: pattern of a line that says that a file is verified; "": exit code 0 says it.
        verifications: how many such lines there must be.
        read_back: files that are there at the end, by name, and what they must be.
        advice: what to do about permissions.
    """

    tool: str
    files: Mapping[str, bytes]
    commands: tuple[tuple[str, ...], ...]
    failures: tuple[Failure, ...] = ()
    complaint: str = ""
    wrote: str = ""
    percent: str = ""
    verified: str = ""
    verifications: int = 0
    read_back: Mapping[str, bytes] = field(default_factory=dict)
    advice: str = ""

    def lines(self, folder: Path) -> list[str]:
        """Return the commands for a shell."""
        words = [f"cd {shlex.quote(str(folder))}"]
        return words + [shlex.join(command) for command in self.commands]


def lay_out(job: Job, folder: Path) -> None:
    """Write the files of a job."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in job.files.items():
        (folder / name).write_bytes(data)


def run(job: Job, folder: Path, show: Show, silence_s: float = SILENCE_S) -> None:
    """Do it.

    Args:
        job: what.
        folder: that its files lie in.
        show: called with the number of bytes that are written.
        silence_s: after which a program that says nothing is ended.

    Raises:
        MissingToolError: a program is not there.
        DeviceError: it did not work; says why, as far as the tool does.
    """
    said: list[str] = []
    progress = _Progress(job, show)
    for command in job.commands:
        for line in _lines(job, command, folder, said, silence_s):
            said.append(line)
            progress.take(line)
    count = sum(bool(job.verified and re.search(job.verified, line)) for line in said)
    if count < job.verifications:
        raise DeviceError(
            f"{job.tool} ended well and verified {count} of {job.verifications} files"
        )
    for name, data in job.read_back.items():
        _compare(name, data, folder)


class _Progress:
    """Adds up what the lines of a tool say of its progress; files are written in their order."""

    def __init__(self, job: Job, show: Show) -> None:
        self._job, self._show = job, show
        self._sizes = [*map(len, job.files.values()), 0]
        self._files = self._done = 0

    def take(self, line: str) -> None:
        """Show how many bytes are written, if a line says so."""
        if self._job.wrote and (found := re.search(self._job.wrote, line)):
            self._done += int(found[1])
            self._files = min(self._files + 1, len(self._sizes) - 1)
            self._show(self._done)
        elif self._job.percent and (found := re.search(self._job.percent, line)):
            self._show(self._done + int(self._sizes[self._files] * float(found[1]) / 100))


def _lines(
    job: Job, command: tuple[str, ...], folder: Path, said: list[str], silence_s: float
) -> Iterator[str]:
    """Run a program; yield what it says, line by line.

    Raises:
        MissingToolError, DeviceError: as `run`.
    """
    try:
        program = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except FileNotFoundError:
        raise MissingToolError(f"{command[0]} is not installed") from None
    except OSError as error:
        raise DeviceError(f"{command[0]} cannot be run: {error.strerror}") from None
    assert program.stdout is not None
    told: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(program.stdout, told), daemon=True).start()
    try:
        while (line := told.get(timeout=silence_s)) is not None:
            yield line
        code = program.wait(timeout=silence_s)
    except (queue.Empty, subprocess.TimeoutExpired):
        raise DeviceError(
            f"{job.tool} said nothing for {silence_s:g} s", "unplug the board, plug it in again"
        ) from None
    finally:
        _end(program)
    if code != 0:
        raise _failure(job, said, code)


def _end(program: "subprocess.Popen[bytes]") -> None:
    """End a program that has not ended by itself."""
    if program.poll() is None:
        program.terminate()
        try:
            program.wait(timeout=1)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def _read(stream: IO[bytes], told: "queue.Queue[str | None]") -> None:
    """Cut what a program says at ends of lines and where it goes back to the line's begin."""
    rest = ""
    while data := stream.read1(4096):  # type: ignore[attr-defined]
        *lines, rest = re.split(r"[\r\n]+", rest + data.decode(errors="replace"))
        for line in filter(None, map(str.strip, lines)):
            told.put(line)
    if rest.strip():
        told.put(rest.strip())
    told.put(None)


def _failure(job: Job, said: list[str], code: int) -> DeviceError:
    """Return the error that the lines of a tool mean."""
    lines = [line for line in said if re.search(job.complaint, line)]
    for failure in job.failures:
        for line in lines:
            if found := re.search(failure.pattern, line):
                words = {key: value or "" for key, value in found.groupdict().items()}
                hint = failure.hint.format(advice=job.advice, **words)
                return DeviceError(f"{job.tool}: {failure.message.format(**words)}", hint)
    telling = [line for line in lines if re.search("error|fail|fatal", line, re.I)]
    last = (telling or lines or said or [f"exit code {code} without a word"])[-1]
    return DeviceError(f"{job.tool}: {_NOISE.sub('', last)}")


def _compare(name: str, data: bytes, folder: Path) -> None:
    path = folder / name
    found = path.read_bytes() if path.exists() else b""
    if found != data:
        pairs = enumerate(zip(found, data, strict=False))
        at = next((at for at, (a, b) in pairs if a != b), min(len(found), len(data)))
        raise DeviceError(
            f"what was written is not what is there: {name} differs at byte {at:,}",
            "once more; then slower, or with another cable",
        )
