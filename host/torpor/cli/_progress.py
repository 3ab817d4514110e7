# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How far a long run is, on stderr: a bar on a terminal, a line now and then in a log."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

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
