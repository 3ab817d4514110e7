# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor monitor as a process."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

PATIENCE_S = 60.0
Process = subprocess.Popen[str]


def start(*words: object) -> Process:
    """Start a command, as a shell would."""
    return subprocess.Popen(
        [sys.executable, "-m", "torpor", "monitor", *map(str, words)],
        env=os.environ | {"COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def running(*words: object) -> Iterator[Process]:
    """Give a command that runs; it is dead afterwards."""
    process = start(*words)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(process: Process) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def lines_until(process: Process, part: str) -> list[str]:
    """Read stdout up to the first line with `part` in it."""
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if part in line:
            return lines
    raise AssertionError(f"no '{part}' in {lines}, {process.communicate()[1]}")


def objects(lines: list[str]) -> list[Any]:
    """Return what --json has printed; an unfinished last line is left out."""
    return [json.loads(line) for line in lines if line.endswith("\n")]
