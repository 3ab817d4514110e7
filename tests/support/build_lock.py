# SPDX-License-Identifier: Apache-2.0
"""Reads what a build has left while no other build, of a test beside it, replaces that."""

import contextlib
import fcntl
from collections.abc import Iterator

from torpor.paths import BUILD


@contextlib.contextmanager
def nothing_is_built() -> Iterator[None]:
    """Hold the lock that a build takes (site_scons/torpor_build/lock.py)."""
    with (BUILD / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
