# SPDX-License-Identifier: Apache-2.0
"""Runs a function for many numbers in forked processes; one that crashes costs only its number."""

import faulthandler
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

Report = Callable[[str], None]
"""What a job calls to say what it is about to do."""

Job = Callable[[int, Report], Any]
_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Died:
    """The process ended, or was ended, while it did `phase`.

    Attributes:
        phase: what the job said last, "" if nothing.
        how: "signal 11", "exit 3" or "no end after 60 s".
    """

    phase: str
    how: str


class _Worker:
    """A process that does numbers one after another, and what it said last."""

    def __init__(self, job: Job, numbers: Sequence[int]) -> None:
        self.numbers = list(numbers)
        self._job = job
        self._start()

    def _start(self) -> None:
        self.phase, self.since = "", time.monotonic()
        self.pipe, theirs = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(
            target=_serve, args=(theirs, self._job, self.numbers), daemon=True
        )
        self._process.start()
        theirs.close()

    def take(self) -> tuple[int, Any] | None:
        """Return a number that is done and its result, None where there is only a phase."""
        try:
            kind, value = self.pipe.recv()
        except EOFError:
            self._process.join()
            return self._next(Died(self.phase, _cause(self._process.exitcode)), restart=True)
        self.since = time.monotonic()
        if kind == "phase":
            self.phase = value
            return None
        return self._next(value)

    def give_up(self, timeout: float) -> tuple[int, Any]:
        """End the process because of the number it does."""
        self.stop()
        return self._next(Died(self.phase, f"no end after {timeout:g} s"), restart=True)

    def _next(self, result: Any, *, restart: bool = False) -> tuple[int, Any]:
        number = self.numbers.pop(0)
        self.phase = ""
        if restart:
            self.pipe.close()
        if restart and self.numbers:
            self._start()
        return number, result

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def _serve(pipe: "Connection[Any, Any]", job: Job, numbers: Sequence[int]) -> None:
    faulthandler.disable()  # a crash is reported by who started us
    for number in numbers:
        pipe.send(("done", job(number, lambda phase: pipe.send(("phase", phase)))))


def _cause(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit {code}"


def isolated(
    job: Job, numbers: Sequence[int], *, processes: int = 1, timeout: float = 60
) -> Iterator[tuple[int, Any]]:
    """Yield (number, result of the job or Died) for each number, in the order of completion.

    Args:
        job: called in a forked process with a number and with a function to report phases to.
        processes: how many at the same time.
        timeout: seconds after which a job without a word is given up.
    """
    shares = [numbers[k::processes] for k in range(processes)]
    workers = [_Worker(job, share) for share in shares if share]
    try:
        while busy := [w for w in workers if w.numbers]:
            yield from _round(busy, timeout)
    finally:
        for worker in workers:
            worker.stop()


def _round(busy: Sequence[_Worker], timeout: float) -> Iterator[tuple[int, Any]]:
    ready = wait([w.pipe for w in busy], timeout=1)
    for worker in busy:
        if worker.pipe in ready:
            found = worker.take()
            if found is not None:
                yield found
        elif time.monotonic() - worker.since > timeout:
            yield worker.give_up(timeout)
