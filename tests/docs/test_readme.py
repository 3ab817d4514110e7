# SPDX-License-Identifier: Apache-2.0
"""Every command that the README shows runs, and its links lead somewhere.

Blocks marked `sh` are run line by line in the repository; lines that the test run itself consists
of (cloning, setting up, testing) are the only ones left out.
"""

import functools
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.S | re.M)
NOT_RUN_HERE = ("git clone", "cd torpor", "tools/test", "tools/setup")


def commands() -> list[str]:
    lines = [line.strip() for block in BLOCK.findall(README) for line in block.splitlines()]
    lines = [re.sub(r"\s+#.*", "", line) for line in lines if line and not line.startswith("#")]
    return [line for line in dict.fromkeys(lines) if not line.startswith(NOT_RUN_HERE)]


def test_the_readme_shows_the_two_commands() -> None:
    assert "tools/demo" in README
    assert "tools/test" in README
    assert commands()


@functools.cache
def shell(command: str) -> str:
    """Run a command, once in a session, on a terminal of 80 columns; return what it prints."""
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    shown = subprocess.run(
        command,
        shell=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PATH": path, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert shown.returncode == 0, shown.stdout[-2000:] + shown.stderr[-2000:]
    return shown.stdout


@pytest.fixture(scope="module")
def demonstrated() -> None:
    """What the first command of the README, and of its updates, has made for the others."""
    shell("torpor demo --board native --windows 1")
    shell(next(command for command in commands() if command.endswith(" image")))


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.xdist_group("build")
@pytest.mark.parametrize("command", commands())
@pytest.mark.usefixtures("demonstrated")
def test_command_of_the_readme_succeeds(command: str) -> None:
    shell(command)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", *Path(ROOT, "docs").glob("*.md")])
def test_relative_links_lead_somewhere(name: str | Path) -> None:
    page = ROOT / name
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [t for t in targets if not (page.parent / t).exists()] == []


def test_every_top_folder_has_a_line_in_the_readme() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    folders = sorted({line.split("/")[0] for line in tracked if "/" in line})
    assert [f for f in folders if f"`{f}/`" not in README] == []
