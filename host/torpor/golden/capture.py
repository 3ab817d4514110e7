# SPDX-License-Identifier: Apache-2.0
"""Keeps what libraries print away from the user, from C++ (file descriptors 1 and 2) or Python."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import BinaryIO


class Captured:
    """What was printed; complete when the `with` block has ended."""

    def __init__(self) -> None:
        self.text = ""

    def summary(self, limit: int = 300) -> str:
        """Return the printed lines as one line of at most about `limit` characters."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        joined = "; ".join(dict.fromkeys(lines))
        return joined if len(joined) <= limit else f"{joined[:limit]}..."


@contextlib.contextmanager
def captured_output() -> Iterator[Captured]:
    """Collect all that this process prints in the block, by Python or C. Not for threads."""
    captured = Captured()
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as sink, contextlib.ExitStack() as restore:
        for fd in (1, 2):
            restore.callback(_restore, fd, os.dup(fd))
            os.dup2(sink.fileno(), fd)
        text = restore.enter_context(os.fdopen(os.dup(sink.fileno()), "w", encoding="utf-8"))
        restore.enter_context(contextlib.redirect_stdout(text))
        restore.enter_context(contextlib.redirect_stderr(text))
        try:
            yield captured
        finally:
            text.flush()
            captured.text = _content(sink)


def _restore(fd: int, saved: int) -> None:
    os.dup2(saved, fd)
    os.close(saved)


def _content(sink: BinaryIO) -> str:
    sink.seek(0)
    return sink.read().decode("utf-8", "replace")
