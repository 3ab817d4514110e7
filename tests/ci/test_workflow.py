# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The workflow for GitHub, as far as it can be checked without GitHub."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.lanes.lane import all_lanes
from torpor.paths import ROOT

FILE = ROOT / ".github" / "workflows" / "ci.yml"
PATHS = re.compile(r"(?<![\w/.-])(?:tools|tests)/[\w./*-]+")


def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in workflow()["jobs"].items():
        for step in job["steps"]:
            yield name, step


def scripts() -> list[tuple[str, str]]:
    return [(job, step["run"]) for job, step in steps() if "run" in step]


def check(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_what_githubs_schema_allows() -> None:
    done = check("--builtin-schema", "vendor.github-workflows", str(FILE))
    assert done.returncode == 0, done.stdout


def test_the_schema_finds_a_mistake(tmp_path: Any) -> None:
    wrong = tmp_path / "ci.yml"
    wrong.write_text(FILE.read_text().replace("runs-on:", "run-on:", 1))
    assert check("--builtin-schema", "vendor.github-workflows", str(wrong)).returncode != 0


@pytest.mark.parametrize(("job", "script"), scripts(), ids=lambda text: text[:30])
def test_each_script_is_one_that_bash_reads(job: str, script: str) -> None:
    plain = re.sub(r"\$\{\{.*?\}\}", "x", script)
    done = subprocess.run(["bash", "-n"], input=plain, text=True, capture_output=True, check=False)
    assert done.returncode == 0, (job, done.stderr)


def test_every_file_that_is_named_is_there() -> None:
    texts = [script for _, script in scripts()]
    texts += [str(value) for _, step in steps() for value in step.get("with", {}).values()]
    named = {path for text in texts for path in PATHS.findall(text)}
    assert "tools/test" in named and "tests/renode/*.robot" in named
    for path in named:
        assert list(ROOT.glob(path)), path


def test_each_job_that_tests_calls_what_a_desk_calls() -> None:
    calls = {
        (job, part) for job, text in scripts() for part in re.findall(r"tools/test (\w+)", text)
    }
    wanted = {("lint", "lint"), ("unit", "unit"), ("emulated", "emulated"), ("lanes", "emulated")}
    assert calls == wanted | {("renode", "emulated")}


def test_every_emulated_device_has_its_lane() -> None:
    matrix = set(workflow()["jobs"]["lanes"]["strategy"]["matrix"]["device"])
    renode = " ".join(script for job, script in scripts() if job == "renode")
    matrix |= set(re.findall(r"--device (\S+)", renode))
    assert matrix == {lane.name for lane in all_lanes()}


def test_nobody_else_is_let_in_than_is_needed() -> None:
    assert workflow()["permissions"] == {"contents": "read"}
    used = {step["uses"].partition("@") for _, step in steps() if "uses" in step}
    assert {name for name, _, _ in used} == {
        *("actions/checkout", "actions/upload-artifact", "antmicro/renode-test-action")
    }
    assert all(re.fullmatch(r"v\d+", version) for _, _, version in used)


def test_every_job_ends() -> None:
    assert all(0 < job["timeout-minutes"] <= 90 for job in workflow()["jobs"].values())


def test_what_renode_needs_is_read_from_the_list_of_needs() -> None:
    """The pipeline that the job uses, run here: the names of Debian packages, and nothing else."""
    script = next(text for job, text in scripts() if job == "renode" and "mapfile" in text)
    pipeline = re.search(r"< <\((.*)\)$", script, re.M)
    assert pipeline
    done = subprocess.run(
        ["bash", "-c", pipeline[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = [
        [cell.strip() for cell in line.split("|")]
        for line in (ROOT / "tools" / "needs.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert done.stdout.split() == sorted({package for _, package, _ in rows})
