# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How far a long run is, on stderr: a bar on a terminal, a line now and then in a log."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

LINE_SECONDS = 5.0  # between two lines of a log
Show = Callable[[int], None]


@contextlib.contextmanager
def progress(
    total: int, units: str, name: str = "", clock: Callable[[], float] = time.monotonic
) -> Iterator[Show]:
    """Give a function to call with the number of units that are done.

    Args:
        total: how many there are.
        units: what they are, in the plural ("windows").
        name: what the run is about, or "".
        clock: seconds.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(total, units, name, clock)
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(escape(f"{name} {units}".strip()), total=total)
        yield lambda done: bar.update(task, completed=done)


def _lines(total: int, units: str, name: str, clock: Callable[[], float]) -> Show:
    """Write a line every few seconds, and one at the end."""
    last = clock()

    def show(done: int) -> None:
        nonlocal last
        if clock() - last < LINE_SECONDS and done < total:
            return
        last = clock()
        print(f"{name}: {done} of {total} {units}".removeprefix(": "), file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def transfer(total: int, name: str, clock: Callable[[], float] = time.monotonic) -> Iterator[Show]:
    """Give a function to call with the number of bytes that are there.

    Shows bytes a second and the remaining time. What is there at the first call counts for neither:
    it was there before.

    Args:
        total: how many there are.
        name: what they are.
        clock: seconds.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _transfer_lines(total, name, clock)
        return
    columns = (
        *(TextColumn("{task.description}"), BarColumn(bar_width=20), DownloadColumn()),
        *(TransferSpeedColumn(), TimeRemainingColumn(compact=True)),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _transfer_bar(bar, total, name)


def _transfer_bar(bar: Progress, total: int, name: str) -> Show:
    task: TaskID | None = None

    def show(done: int) -> None:
        nonlocal task
        if task is None:
            task = bar.add_task(escape(name), total=total, completed=done)
        bar.update(task, completed=done)

    return show


def _transfer_lines(total: int, name: str, clock: Callable[[], float]) -> Show:
    """Write a line every few seconds, and one at the end."""
    first: tuple[float, int] | None = None
    last = clock()

    def show(done: int) -> None:
        nonlocal first, last
        now = clock()
        first = first or (now, done)
        if now - last < LINE_SECONDS and done < total:
            return
        last = now
        rate = (done - first[1]) / max(now - first[0], 1e-3)
        words = [f"{name}: {done:,} of {total:,} bytes", f"{rate:,.0f} bytes/s"]
        if 0 < done < total and rate:
            words.append(f"{(total - done) / rate:.0f} s left")
        print(", ".join(words), file=sys.stderr, flush=True)

    return show
