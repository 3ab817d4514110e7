# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Help reads well where people read it: in a terminal of 80 columns."""

import os
import subprocess
import sys

import pytest

from torpor.cli.main import command_names


def help_of(*words: str, columns: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "torpor", *words, "--help"],
        env=os.environ | {"COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("command", ["", *command_names()])
def test_help_fits_the_terminal(command: str, columns: int) -> None:
    lines = help_of(*[command] if command else [], columns=columns)
    assert max(map(len, lines)) <= columns


def test_the_overview_has_a_line_for_every_command_and_the_exit_codes() -> None:
    lines = help_of(columns=80)
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line.strip()]
    assert set(command_names()) <= set(listed)
    assert any("device does not answer" in line for line in lines)


@pytest.mark.parametrize("command", command_names())
def test_every_option_of_a_command_is_explained(command: str) -> None:
    lines = help_of(command, columns=200)
    options = [line for line in lines if line.startswith("  -")]
    assert options
    assert [line for line in options if len(line.split("  ")) < 3] == []
