# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor slots, history and update as a user sees them: processes, their output and exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.update_host.ports import Port
from tests.update_host.toy import Toy

Done = subprocess.CompletedProcess[str]


def torpor(*words: object, columns: int = 80) -> Done:
    return subprocess.run(
        [sys.executable, "-m", "torpor", *map(str, words)],
        env=os.environ | {"COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_quiet_failure(done: Done, code: int, *words: str) -> None:
    """One line and perhaps a hint, no table, no trace."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if line.startswith(("torpor: ", "hint: "))]
    assert 1 <= len(said) <= 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture
def pair(it: Toy, tmp_path: Path) -> Path:
    """A folder as the build makes it, with firmware 1.1.0."""
    folder = tmp_path / "image"
    folder.mkdir()
    for slot, name in enumerate("ab"):
        image = it.firmware(slot, "1.1.0", b"new code" * 2000)
        (folder / f"firmware-{name}.bin").write_bytes(image)
    return folder


def test_an_update_ends_with_the_confirmation(it: Toy, port: Port, pair: Path) -> None:
    done = torpor("update", pair, "--port", port.name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1.1.0 in slot B runs and is confirmed\n"
    assert it.kinds()[3:] == ["upload", "armed", "attempt", "confirmed"]
    print(done.stderr)


def test_a_bad_image_ends_with_the_reason(it: Toy, port: Port, pair: Path) -> None:
    it.outcomes["1.1.0"] = "fault"
    done = torpor("update", pair, "--port", port.name)
    assert done.returncode == 1, done.stderr
    print(done.stdout, done.stderr)
    done = torpor("history", "--port", port.name)
    print(done.stdout, done.stderr)
    done = torpor("slots", "--port", port.name)
    print(done.stdout, done.stderr)
