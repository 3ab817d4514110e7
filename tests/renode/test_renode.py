# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The suites, where `renode-test` is on PATH.

What they leave is in build/renode/<board>/results: log.html, robot_output.xml, and junit.xml.
"""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from robot.api import ExecutionResult

from torpor.paths import BUILD, ROOT

PROGRAM = "renode-test"
SUITES = sorted(Path(__file__).parent.glob("*.robot"))
TESTS = 8
TIMEOUT_S = 1800  # of one suite, on a computer that does other things too

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


def junit(folder: Path) -> Path:
    """Make a JUnit file of what a run has left."""
    path = folder / "junit.xml"
    words = ["--xunit", str(path), "--log", "NONE", "--report", "NONE"]
    subprocess.run(
        [sys.executable, "-m", "robot.rebot", *words, str(folder / "robot_output.xml")],
        capture_output=True,
        check=False,  # it counts the tests that failed
    )
    return path


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize(
    "suite", [pytest.param(s, marks=pytest.mark.xdist_group(s.stem), id=s.stem) for s in SUITES]
)
def test_every_test_of_a_suite_passes_in_renode(suite: Path) -> None:
    program = shutil.which(PROGRAM)
    if program is None:
        pytest.skip(f"{PROGRAM} is not installed (docs/RENODE.md says how to get Renode)")
    folder = BUILD / "renode" / suite.stem / "results"
    shutil.rmtree(folder, ignore_errors=True)
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if ".venv" not in p)
    done = subprocess.run(
        [program, "-r", str(folder), str(suite)],
        cwd=ROOT,
        env={**os.environ, "PATH": path},  # Renode brings its own Python packages
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    output = folder / "robot_output.xml"
    assert output.is_file(), done.stdout[-3000:] + done.stderr[-1000:]
    tests = list(ExecutionResult(str(output)).suite.all_tests)
    assert [f"{t.name}: {t.message}" for t in tests if t.status != "PASS"] == []
    assert len(tests) == TESTS
    assert done.returncode == 0, done.stdout[-3000:]
    counted = ET.parse(junit(folder)).getroot()
    assert (counted.get("tests"), counted.get("failures")) == (str(TESTS), "0")
