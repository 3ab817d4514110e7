# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""One build at a time in one tree: SCons does not share its folder."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path


def only_one_build(folder: str) -> Callable[[], None]:
    """Wait until no other build works in `folder`.

    Returns:
        What ends the lock before this process does.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    lock = os.open(Path(folder, ".lock"), os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("  waiting for another build in this folder", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)

    def release() -> None:
        with contextlib.suppress(OSError):  # released before
            os.close(lock)

    return release
