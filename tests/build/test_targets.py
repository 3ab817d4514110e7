# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The targets that are programs: run, size, test, flash, monitor, gdb, all-boards."""

import json
import os
import shutil
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.conftest import Tree, copy_tree
from torpor.errors import BudgetError, DeviceError, MissingToolError, UsageError
from torpor.footprint import sizes
from torpor.paths import variant
from torpor_build.all_boards import Outcome, table
from torpor_build.help import help_text
from torpor_build.options import read_options

pytestmark = pytest.mark.xdist_group("scons")

MODEL = "model=small model.tflite"
NAME = variant(Path("small model.tflite"))
NATIVE = ("board=native", MODEL)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Path]:
    """A folder for programs that come first on PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    yield folder


def fake(folder: Path, name: str, code: str) -> None:
    """Write a program of Python."""
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{textwrap.dedent(code)}")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def path_with(folder: Path) -> str:
    """Return a PATH that begins with a folder."""
    return f"{folder}:{os.environ['PATH']}"


# ---- which option belongs to which target


@pytest.mark.parametrize(
    ("arguments", "targets", "message"),
    [
        ({"port": "/dev/x"}, [], "port= is for update, flash, monitor, test"),
        ({"serial": "12"}, ["monitor"], "serial= is for flash, gdb"),
        ({"since": "HEAD~2"}, ["image"], "since= is for size"),
        ({}, ["update"], "'update' needs port="),
        ({}, ["all-boards", "size"], "'all-boards' goes alone"),
    ],
)
def test_an_option_without_its_target_is_refused(
    arguments: dict[str, str], targets: list[str], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        read_options(arguments, targets)
    assert message in error.value.message
    assert error.value.hint.startswith("scons ")


def test_to_flash_a_board_with_slots_is_to_build_its_images() -> None:
    assert read_options({"board": "microbit"}, ["flash"]).with_images
    assert not read_options({"board": "nrf51_large"}, ["flash"]).with_images


@pytest.mark.parametrize("target", ["test", "monitor", "all-boards"])
def test_what_builds_for_itself_builds_nothing_here(target: str) -> None:
    assert not read_options({}, [target]).needs_build
    assert read_options({}, [target, "image"] if target != "all-boards" else []).needs_build


def test_the_help_fits_a_terminal_and_has_a_line_for_every_target() -> None:
    text = help_text()
    assert max(map(len, text.splitlines())) < 80
    assert len(text.splitlines()) < 110
    for target in ("run", "size", "test", "image", "flash", "monitor", "gdb", "all-boards"):
        assert f"\n    {target} " in text


# ---- one after the other, when all is built


def test_programs_run_in_the_order_given_after_the_build(tree: Tree, programs: Path) -> None:
    fake(programs, "gdb", "print('gdb was here', flush=True)")
    lines = tree.build(*NATIVE, "gdb", "size", PATH=path_with(programs)).stdout.splitlines()
    assert lines.index("gdb was here") < lines.index(f"  size    build/native/{NAME}")
    lines = tree.build(*NATIVE, "size", "gdb", PATH=path_with(programs)).stdout.splitlines()
    assert lines.index("gdb was here") > lines.index(f"  size    build/native/{NAME}")


def test_after_one_that_fails_no_other_runs_and_its_exit_code_is_that_of_scons(
    tree: Tree, programs: Path
) -> None:
    fake(programs, "gdb", "raise SystemExit(9)")
    done = tree.scons(*NATIVE, "gdb", "size", PATH=path_with(programs))
    assert done.returncode == 9
    assert "  size " not in done.stdout


def test_a_build_that_fails_runs_no_program(tree: Tree, programs: Path) -> None:
    fake(programs, "gdb", "print('gdb was here')")
    (tree.folder / "broken.tflite").write_bytes(b"no model at all")
    done = tree.scons("board=native", "model=broken.tflite", "gdb", PATH=path_with(programs))
    assert done.returncode == 2
    assert "gdb was here" not in done.stdout


def test_a_program_that_runs_for_long_keeps_no_other_build_waiting(
    tree: Tree, programs: Path
) -> None:
    code = f"""
        import subprocess, sys
        command = [sys.executable, "-m", "SCons", "-Q", *{NATIVE!r}]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        print("inner", done.returncode, "waiting" in done.stderr, "up to date" in done.stdout)
    """
    fake(programs, "gdb", code)
    tree.build(*NATIVE)
    assert "inner 0 False True" in tree.build(*NATIVE, "gdb", PATH=path_with(programs)).stdout


def test_what_a_program_builds_meanwhile_is_not_forgotten(tree: Tree, programs: Path) -> None:
    """SCons writes its notes before: they must not be those of a build that was overtaken."""
    outer = ("board=microbit", MODEL)
    inner = (*outer, "link=0x10000")
    code = f"""
        import subprocess, sys
        subprocess.run([sys.executable, "-m", "SCons", "-Q", *{inner!r}], check=True)
    """
    fake(programs, "arm-none-eabi-gdb", code)
    tree.build(*outer, "gdb", PATH=path_with(programs))
    assert "  link " not in tree.build(*inner).stdout
    assert "  link " in tree.build(*outer).stdout


def test_an_interrupt_is_for_the_program_alone(tree: Tree, programs: Path) -> None:
    """As Ctrl-C sends it: to all that belong to the terminal."""
    code = """
        import os, signal
        caught = []
        signal.signal(signal.SIGINT, lambda *_: caught.append(1))
        os.killpg(0, signal.SIGINT)
        print("caught", len(caught), flush=True)
        raise SystemExit(4)
    """
    fake(programs, "gdb", code)
    with subprocess.Popen(
        [sys.executable, "-m", "SCons", "-Q", *NATIVE, "gdb"],
        cwd=tree.folder,
        env={**os.environ, "PATH": path_with(programs)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as scons:
        said, _ = scons.communicate()
    assert "caught 1" in said
    assert scons.returncode == 4


# ---- the programs


def test_run_compares_a_file_with_the_reference(tree: Tree) -> None:
    done = tree.build(*NATIVE, "run")
    assert "  run     torpor verify " in done.stdout
    assert "5 of 5" in done.stdout or "equal" in done.stdout


def test_test_calls_the_tests_of_the_lane_that_the_board_is(tree: Tree) -> None:
    folder = tree.folder / "tests" / "lanes"
    folder.mkdir(parents=True)
    (folder / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--device')\n"
    )
    (folder / "test_it.py").write_text(
        "def test_it(request):\n    assert request.config.option.device == 'qemu:microbit'\n"
    )
    good = tree.scons("board=microbit", "test")
    bad = tree.scons("board=microbit", "test", "port=/dev/ttyACM7")
    shutil.rmtree(tree.folder / "tests")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "1 passed" in good.stdout
    assert bad.returncode == 1
    assert "assert 'serial:/dev/ttyACM7' == 'qemu:microbit'" in bad.stdout


def test_monitor_of_a_board_without_usb_asks_for_the_port(tree: Tree) -> None:
    done = tree.scons("board=native", "monitor")
    assert done.returncode == UsageError.exit_code
    assert "nothing is known of the USB of board 'native'" in done.stderr
    assert "hint: scons ... port=" in done.stderr


def test_flash_without_a_board_fails_before_the_monitor_begins(tree: Tree) -> None:
    done = tree.scons("board=microbit", MODEL, "link=0x0", "flash", "monitor", "port=/none")
    assert done.returncode in (
        UsageError.exit_code,
        MissingToolError.exit_code,
        DeviceError.exit_code,
    )
    assert f"  flash   torpor flash build/microbit/{NAME} --board microbit" in done.stdout
    assert "  monitor " not in done.stdout and "Traceback" not in done.stderr


# ---- all boards


def test_one_board_that_fails_hides_no_other(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "few boards")
    for folder in (tree.folder / "boards").iterdir():
        if folder.name not in ("native", "nrf51_large"):
            shutil.rmtree(folder)
    text = (tree.folder / "boards" / "nrf51_large" / "board.toml").read_text()
    small = tree.folder / "boards" / "a_small_one" / "board.toml"
    small.parent.mkdir()
    small.write_text(text.replace("flash = 0x100000 ", "flash = 0x1000 "))
    shutil.rmtree(tree.folder / "boards" / "nrf51_large")
    done = tree.scons(MODEL, "all-boards", "-j2")
    rows = [line.split() for line in done.stdout.splitlines()]
    built = [row for row in rows if row[:1] == ["native"]]
    assert done.returncode == BudgetError.exit_code, done.stdout + done.stderr
    assert ["a_small_one", "failed", "6"] in [row[:3] for row in rows]
    assert "over the budget of 4096" in done.stdout
    assert "  1 of 2 boards were built" in done.stdout
    report = json.loads((tree.folder / "build" / "native" / NAME / "footprint.json").read_text())
    assert [row[1] for row in built] == [f"{report['flash_bytes']:,}"]


def test_the_table_of_all_boards_names_the_reason_of_each_failure() -> None:
    text = table([Outcome("a", 0, 1.25, 4096, 512), Outcome("b", 3, 0.5, reason="gcc is missing")])
    assert text.splitlines()[1].split() == ["a", "4,096", "512", "1.2"]
    assert text.splitlines()[2].split() == ["b", "failed", "3", "0.5"]
    assert text.splitlines()[3].strip() == "gcc is missing"
    assert text.endswith("  1 of 2 boards were built")


# ---- size


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, as nobody in particular."""
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A copy of the tree with a history of one commit."""
    tree = copy_tree(tmp_path_factory.mktemp("a history") / "of it")
    (tree.folder / ".gitignore").write_text(
        "/build/\n/.venv\n__pycache__/\ncompile_commands.json\n"
    )
    git(tree.folder, "init", "-q")
    git(tree.folder, "add", ".")
    git(tree.folder, "commit", "-q", "-m", "first")
    return tree


def grow(tree: Tree) -> None:
    """Let a function of the firmware grow by some instructions, and add a variable."""
    file = tree.folder / "firmware" / "app" / "serve" / "main.c"
    text = file.read_text()
    more = "volatile uint32_t grown[64];\n\nint main(void)\n{\n    grown[3] = 1;\n"
    file.write_text(text.replace("int main(void)\n{\n", more))


def test_size_shows_who_grew_since_the_last_commit_whether_it_was_measured_or_not(
    repository: Tree,
) -> None:
    grow(repository)
    shutil.rmtree(repository.folder / "build" / "native" / NAME / "sizes", ignore_errors=True)
    done = repository.build(*NATIVE, "size")
    head = git(repository.folder, "rev-parse", "--short=12", "HEAD")
    assert f"commit {head} was not measured yet: building it" in done.stderr
    assert f"changed since {head}: +" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["grown", "RAM", "+256"] in rows
    out = repository.folder / "build" / "native" / NAME
    assert (out / "sizes" / f"{head}.json").is_file()
    assert sizes.load(out / "sizes.json").symbols["grown"] == 256
    assert not any((repository.folder / "build" / "size").iterdir())
    again = repository.build(*NATIVE, "size")
    assert "was not measured" not in again.stderr
    assert f"changed since {head}: +" in again.stdout


def test_size_outside_of_git_compares_with_nothing(tree: Tree) -> None:
    done = tree.build(*NATIVE, "size")
    assert "no git here: nothing to compare with" in done.stderr
    assert "torpor_plan" in done.stdout and "changed since" not in done.stdout


def test_size_since_a_commit_that_is_none_is_refused(repository: Tree) -> None:
    done = repository.scons(*NATIVE, "size", "since=nonsense")
    assert done.returncode == UsageError.exit_code
    assert "since=nonsense: git knows no such commit" in done.stderr
