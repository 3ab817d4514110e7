# SPDX-License-Identifier: Apache-2.0
"""tools/setup in a tree of its own, where every program that it calls is a stub that notes it."""

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from torpor.paths import ROOT

REAL = ("bash", "cat", "cut", "dirname", "env", "mkdir", "mktemp", "rm", "sha256sum", "cp")
PYTHON3 = """#!/bin/bash
[ "$1" = -m ] && echo "python3 $*" >>"$LOG"
case "$*" in
  *version_info*) exit "${OLD_PYTHON:-0}" ;;
  *ensurepip*) exit "${NO_VENV:-0}" ;;
  *Python.h*) exit "${NO_HEADER:-0}" ;;
  "-m venv .venv") mkdir -p .venv/bin && cp "$STUBS/pip" .venv/bin/python ;;
esac
"""
PIP = """#!/bin/bash
echo "pip $*" >>"$LOG"
echo "what pip says"
exit "${PIP_FAILS:-0}"
"""
APT = """#!/bin/bash
echo "apt-get $*" >>"$LOG"
exit "${APT_FAILS:-0}"
"""
ID = """#!/bin/bash
echo "${USER_ID:-1000}"
"""
DECIDE = (
    "pyproject.toml",
    "requirements.lock",
    "requirements-test.lock",
    "firmware/third_party.toml",
)
NEEDS = """\
# a comment | with | bars

there        | package-of-there   | is on the PATH
absent       | package-of-absent  | is nowhere
{file} | package-of-file | a file that must exist
/none/such/file  | package-of-nothing | another one
"""


@dataclass
class Tree:
    """A folder with tools/setup in it."""

    folder: Path

    def setup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        stubs = self.folder / "stubs"
        return subprocess.run(
            [str(stubs / "bash"), str(self.folder / "tools" / "setup"), *arguments],
            cwd="/",
            env={"PATH": str(stubs), "STUBS": str(stubs), "LOG": str(self.log), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def calls(self) -> list[str]:
        """Return what was called since the last look."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines

    def needs(self, text: str) -> None:
        (self.folder / "tools" / "needs.txt").write_text(text)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    folder = tmp_path / "a tree"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup", folder / "tools" / "setup")
    (folder / "firmware").mkdir()
    for name in DECIDE:
        (folder / name).write_text(f"content of {name}\n")
    stubs = folder / "stubs"
    stubs.mkdir()
    for name in REAL:
        real = shutil.which(name)
        assert real
        (stubs / name).symlink_to(real)
    for name, text in (("python3", PYTHON3), ("pip", PIP), ("apt-get", APT), ("id", ID)):
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    (stubs / "there").write_text("#!/bin/bash\n")
    (stubs / "there").chmod(0o755)
    made = Tree(folder)
    made.needs("there | package-of-there | is on the PATH\n")
    return made


INSTALL = ".venv/bin/python -m pip --disable-pip-version-check install --quiet --no-input"
WITH_LOCK = "pip -m pip --disable-pip-version-check install --quiet --no-input --require-hashes -r "
OWN = "pip -m pip --disable-pip-version-check install --quiet --no-input --no-deps"
FETCH = "pip tools/fetch_third_party.py"


def test_the_script_may_be_run() -> None:
    assert (ROOT / "tools" / "setup").stat().st_mode & stat.S_IXUSR


def test_the_environment_is_made_from_the_lock_with_hashes(tree: Tree) -> None:
    done = tree.setup()
    assert done.returncode == 0, done.stderr
    venv, lock, own, fetch = tree.calls()
    assert venv == "python3 -m venv .venv"
    assert lock == WITH_LOCK + "requirements.lock"
    assert own == OWN + " --no-build-isolation -e ."
    assert fetch == FETCH
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "setup: making .venv from requirements.lock",
        "setup: done",
    ]


def test_a_second_run_does_nothing(tree: Tree) -> None:
    tree.setup()
    tree.calls()
    done = tree.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree.calls() == []


def test_the_set_for_tests_contains_the_other(tree: Tree) -> None:
    tree.setup()
    tree.calls()
    assert tree.setup("--test").returncode == 0
    assert tree.calls()[0] == WITH_LOCK + "requirements-test.lock", "the folder is kept"
    assert tree.setup().returncode == 0
    assert tree.setup("--test").returncode == 0
    assert tree.calls() == []


@pytest.mark.parametrize("file", DECIDE)
def test_a_changed_list_of_packages_is_installed(tree: Tree, file: str) -> None:
    tree.setup()
    tree.calls()
    (tree.folder / file).write_text("something else\n")
    assert tree.setup().returncode == 0
    assert WITH_LOCK + "requirements.lock" in tree.calls()


def test_a_failed_installation_shows_its_words_and_is_tried_again(tree: Tree) -> None:
    done = tree.setup(PIP_FAILS="1")
    assert done.returncode == 3
    assert "what pip says" in done.stderr
    assert f"setup: failed: {INSTALL} --require-hashes -r requirements.lock" in done.stderr
    assert len(tree.calls()) == 2, "the second step is not taken"
    done = tree.setup()
    assert done.returncode == 0
    assert "what pip says" not in done.stderr
    assert len(tree.calls()) == 3, "the environment is there already"


def test_a_failed_update_is_not_taken_for_the_state_before(tree: Tree) -> None:
    tree.setup()
    (tree.folder / "pyproject.toml").write_text("new\n")
    assert tree.setup(PIP_FAILS="1").returncode == 3
    (tree.folder / "pyproject.toml").write_text("content of pyproject.toml\n")
    tree.calls()
    assert tree.setup().returncode == 0
    assert tree.calls(), "who knows what is in the environment now"


def test_a_user_is_told_what_to_install_and_nothing_is_done(tree: Tree) -> None:
    file = tree.folder / "a file"
    file.touch()
    tree.needs(NEEDS.format(file=file))
    done = tree.setup()
    assert done.returncode == 3
    line = "  sudo apt-get install --no-install-recommends package-of-absent package-of-nothing"
    assert done.stderr.splitlines()[1] == line
    assert tree.calls() == []
    assert not (tree.folder / ".venv").exists()


def test_root_gets_the_packages_at_once(tree: Tree) -> None:
    tree.needs(NEEDS.format(file="/none/either"))
    done = tree.setup(USER_ID="0")
    assert done.returncode == 0, done.stderr
    assert tree.calls()[:2] == [
        "apt-get update",
        "apt-get install -y --no-install-recommends "
        "package-of-absent package-of-file package-of-nothing",
    ]


def test_what_only_tests_need_comes_for_tests_only(tree: Tree) -> None:
    tree.needs("absent | package-of-absent | tests: a browser\n")
    assert tree.setup(USER_ID="0").returncode == 0
    assert not any("apt-get" in call for call in tree.calls())
    assert tree.setup("--test", USER_ID="0").returncode == 0
    assert tree.calls()[1].endswith(" package-of-absent")


def test_root_without_apt_is_told_what_to_install(tree: Tree) -> None:
    (tree.folder / "stubs" / "apt-get").unlink()
    tree.needs("absent | package-of-absent | is nowhere\n")
    done = tree.setup(USER_ID="0")
    assert done.returncode == 3
    assert "package-of-absent" in done.stderr


def test_packages_that_cannot_be_installed_stop_it(tree: Tree) -> None:
    tree.needs("absent | package-of-absent | is nowhere\n")
    done = tree.setup(USER_ID="0", APT_FAILS="100")
    assert done.returncode == 3
    assert "setup: failed: apt-get update" in done.stderr
    assert tree.calls() == ["apt-get update"]


@pytest.mark.parametrize(
    ("lack", "package"), [("NO_VENV", "python3-venv"), ("NO_HEADER", "python3-dev")]
)
def test_the_packages_that_debian_takes_out_of_python_are_named(
    tree: Tree, lack: str, package: str
) -> None:
    done = tree.setup(**{lack: "1"})
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].split()[-1] == package


@pytest.mark.parametrize("there", [True, False])
def test_an_old_or_missing_python_is_named_first(tree: Tree, there: bool) -> None:
    tree.needs("absent | package-of-absent | is nowhere\n")
    if not there:
        (tree.folder / "stubs" / "python3").unlink()
    done = tree.setup(OLD_PYTHON="1")
    assert done.returncode == 3
    assert done.stderr.startswith("setup: Python 3.11 or newer is needed")
    assert "package-of-absent" not in done.stderr


def test_the_real_list_of_needs_has_three_parts_a_line(tree: Tree) -> None:
    text = (ROOT / "tools" / "needs.txt").read_text()
    rows = [line.split("|") for line in text.splitlines() if line and not line.startswith("#")]
    assert all(len(row) == 3 and all(cell.strip() for cell in row) for row in rows)
    tree.needs(text)
    done = tree.setup()
    assert done.returncode == 3, "with only the stubs on the PATH, compilers are missing"
    told = done.stderr.splitlines()[-1].split()
    assert {"gcc", "gcc-arm-none-eabi", "qemu-system-arm", "git"} <= set(told)


def test_the_shell_finds_no_mistake_in_it() -> None:
    for name in ("setup", "lock", "test", "demo"):
        script = ROOT / "tools" / name
        if script.read_text().startswith("#!/usr/bin/env bash"):
            subprocess.run(["bash", "-n", str(script)], check=True, env=dict(os.environ))
