# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Looks at running processes, for tests that nothing is left behind."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

TORPOR = str(Path(sys.executable).with_name("torpor"))  # the command, as a user starts it


def alive(pid: int) -> bool:
    """True while the process runs; a zombie has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def children(pid: int) -> list[int]:
    """Return the processes that `pid` has started and that still run."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in task.read_text().split()]
    return [child for child in found if alive(child)]


def eventually(condition: Callable[[], object], seconds: float = 20) -> bool:
    """Wait until `condition` holds; False if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
