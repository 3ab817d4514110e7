# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A copy of the repository that boards are added to."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build.conftest import copy_tree
from torpor.paths import ROOT


@dataclass(frozen=True)
class Copy:
    """A copy of the repository."""

    folder: Path

    def run(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Run commands with the programs of this environment and the sources of the copy."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-euc", commands],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "PYTHONPATH": "host", "SCONSFLAGS": "-Q -j2"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """One for all tests of a worker, with what new-board needs."""
    folder = copy_tree(tmp_path_factory.mktemp("kit") / "torpor").folder
    for name in ("docs/PORTING.md", "tools/new-board", "tools/new_board.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    (folder / "tools" / "new-board").chmod(0o755)
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return Copy(folder)
