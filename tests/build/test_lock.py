# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Two builds in one tree wait for each other."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
sys.path.insert(0, sys.argv[1])
from torpor_build.lock import only_one_build
only_one_build(sys.argv[2])
print("mine", flush=True)
sys.stdin.read()
"""


def builder(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLD, str(ROOT / "site_scons"), str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


def test_a_second_build_waits_says_so_and_goes_on_when_the_first_ends(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    first = builder(folder)
    assert first.stdout is not None and first.stdout.readline() == "mine\n"
    second = builder(folder)
    assert second.stderr is not None and second.stdout is not None
    assert second.stderr.readline() == "  waiting for another build in this folder\n"
    first.kill()
    assert second.stdout.readline() == "mine\n"
    second.communicate("")
    first.communicate()
    assert second.returncode == 0


def test_builds_in_two_folders_do_not_wait(tmp_path: Path) -> None:
    builders = [builder(tmp_path / "a"), builder(tmp_path / "b")]
    talk = [b.communicate("") for b in builders]
    assert talk == [("mine\n", ""), ("mine\n", "")]
