# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The Dockerfile, as far as it can be checked without a container engine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from torpor import __version__
from torpor.paths import ROOT

FILE = ROOT / "Dockerfile"
HADOLINT = str(Path(sys.executable).with_name("hadolint"))


def stages() -> dict[str, str]:
    """Return the text of each stage by name."""
    parts = re.split(r"^FROM (\S+) AS (\w+)$", FILE.read_text(), flags=re.M)
    return dict(zip(parts[2::3], parts[3::3], strict=True))


def lint(file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [HADOLINT, "--no-color", str(file)], capture_output=True, text=True, check=False
    )


def test_the_linter_finds_nothing() -> None:
    done = lint(FILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_can_find_something(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text(FILE.read_text().replace("FROM debian:12-slim AS test", "FROM debian AS test"))
    assert "DL3006" in lint(wrong).stdout
    wrong.write_text(FILE.read_text().replace("FROM python AS host", "FORM python AS host"))
    assert lint(wrong).returncode != 0


def test_there_are_the_two_stages_that_are_promised() -> None:
    assert {"host", "test"} <= set(stages())
    assert 'ENTRYPOINT ["torpor"]' in stages()["host"]
    assert 'CMD ["tools/test"]' in stages()["test"]


def test_what_is_copied_is_there() -> None:
    for words in re.findall(r"^COPY (?!--from)(.*)$", FILE.read_text(), re.M):
        for source in words.split()[:-1]:
            assert (ROOT / source).exists(), source


def test_the_host_stage_has_no_compiler_and_no_tensorflow() -> None:
    installed = re.findall(r"install -y --no-install-recommends (.*)", FILE.read_text())
    assert not any("gcc" in words or "qemu" in words for words in installed)
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"^(tensorflow|torch|jax)", lock, re.M)


def test_the_labels_say_which_versions_are_inside() -> None:
    lock = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M))
    labels = dict(re.findall(r'torpor\.([\w-]+)="([^"]+)"', stages()["host"]))
    assert labels == {name: lock[name] for name in ("tflite-micro", "esptool", "imgtool")}
    assert f"ARG VERSION={__version__}" in stages()["host"]


@pytest.mark.parametrize("name", [".venv", "build"])
def test_what_was_made_here_stays_here(name: str) -> None:
    assert name in (ROOT / ".dockerignore").read_text().splitlines()


def test_the_repository_goes_along_for_the_tests_that_look_at_it() -> None:
    assert ".git" not in (ROOT / ".dockerignore").read_text().splitlines()
