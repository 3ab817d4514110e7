# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A copy of the tree in a folder with a space in its name, and scons in it."""

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.small_models import small_cnn
from torpor.paths import ROOT

sys.path.insert(0, str(ROOT / "site_scons"))

PARTS = ("boards", "firmware", "host", "models", "site_scons")


@dataclass(frozen=True)
class Tree:
    """A copy of what a build needs."""

    folder: Path

    def scons(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run scons in it; `environment` replaces variables."""
        return subprocess.run(
            [sys.executable, "-m", "SCons", "-Q", *arguments],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run scons and insist on success."""
        done = self.scons(*arguments, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def footprint(self, board: str, model: str) -> dict[str, Any]:
        """Return footprint.json of a build."""
        path = self.folder / "build" / board / model / "footprint.json"
        content: dict[str, Any] = json.loads(path.read_text())
        return content


def cpu_seconds() -> float:
    """Return the processor time of all programs that were run: other work does not change it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def copy_tree(folder: Path) -> Tree:
    """Copy the tree without what is generated."""
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    shutil.copy(ROOT / "SConstruct", folder)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "third_party").symlink_to(ROOT / ".venv" / "third_party")
    (folder / "small model.tflite").write_bytes(small_cnn())
    return Tree(folder)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """One copy for all tests of a worker; "small model.tflite" is in it."""
    return copy_tree(tmp_path_factory.mktemp("a tree") / "with space")
