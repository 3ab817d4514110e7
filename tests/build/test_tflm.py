# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Whole builds with engine=tflm, in a copy of the tree, with the stand-in for TFLM.

What needs a real one is at the end.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from tests.build.conftest import Tree, cpu_seconds
from tests.support.small_models import small_cnn
from tests.support.tflm import stand_in, tflm_dir
from torpor.board import load_board
from torpor.emulate import start
from torpor.errors import BudgetError, MissingToolError, UsageError
from torpor.footprint.engine import ASSUMED_BYTES
from torpor.link.client import DeviceClient
from torpor.paths import BUILD, ROOT, variant
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan
from torpor.tflm import tree as tflm_tree

pytestmark = pytest.mark.xdist_group("scons")

MODEL = "model=small model.tflite"
NAME = f"{variant(Path('small model.tflite'))}-tflm"
NO_OP_SECONDS = 1.5
NATIVE = ("board=native", "engine=tflm", MODEL)


@pytest.fixture(scope="module")
def library() -> Path:
    return stand_in("native", "mps2_an386")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "engine test.tflite"
    file.write_bytes(small_cnn())
    return file


@pytest.fixture(scope="module")
def board(library: Path, model: Path) -> Path:
    """The folder of a build for a board, in the tree where other tests build for it too."""
    done = scons(model, library)
    assert done.returncode == 0, done.stdout + done.stderr
    return BUILD / "mps2_an386" / variant(model, kind="tflm")


def scons(
    model: Path, library: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Build for a board, in the tree where other tests build for it too."""
    goal = ["board=mps2_an386", "engine=tflm", f"model={model}", *words]
    return subprocess.run(
        [sys.executable, "-m", "SCons", "-Q", "-f", str(ROOT / "SConstruct"), *goal],
        cwd=BUILD.parent,
        env={**os.environ, "TFLM_DIR": str(library), "TFLM_LIB": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def native(tree: Tree, library: Path) -> Path:
    """The folder of a build for this computer."""
    tree.build(*NATIVE, TFLM_DIR=str(library), TFLM_LIB="")
    return tree.folder / "build" / "native" / NAME


def content(file: Path) -> Any:
    return json.loads(file.read_text())


def symbols(elf: Path) -> set[str]:
    with elf.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name for symbol in table.iter_symbols()}


# ---- what is built


def test_the_arena_of_the_plan_is_the_one_that_was_measured(board: Path) -> None:
    measured = content(board / "arena.json")
    assert measured["board"] == "mps2_an386"
    assert measured["tensor_arena"] > 0 and measured["tensor_arena"] % 16 == 0
    assert 0 < measured["stack"] < 4096
    header = Plan.parse((board / "plan.bin").read_bytes()).header
    assert header["target"] == CONST["PLAN_TARGET_TFLM"]
    assert header["arena_bytes"] == CONST["PLAN_TFLM_BYTES"] + measured["tensor_arena"]
    assert content(board / "first" / "report.json")["tensor_arena"]["bytes"] == measured["host"]


def test_the_footprint_adds_up(board: Path) -> None:
    found = content(board / "footprint.json")
    plan = (board / "plan.bin").read_bytes()
    assert found["model_bytes"] == len(plan)
    assert found["arena_bytes"] == Plan.parse(plan).header["arena_bytes"]
    assert abs(sum(found["flash_parts"].values()) - found["flash_bytes"]) <= 64  # alignment
    assert found["flash_parts"]["tflm"] > 1000
    assert found["engine_stack_basis"] == "measured"
    assert found["stack_bytes"] > found["engine_stack_bytes"]
    assert found["engine_stack_bytes"] >= content(board / "arena.json")["stack"] * 5 // 4


def test_the_firmware_has_one_engine_no_heap_and_nothing_to_measure_with(board: Path) -> None:
    found = symbols(board / "firmware.elf")
    assert {"infer_invoke", "tflm_registrations"} <= found
    assert not {"infer_kernels", "tflm_measure", "malloc", "_sbrk", "exit"} & found


def test_no_path_of_this_computer_gets_into_a_firmware(native: Path, library: Path) -> None:
    for file in (native / "firmware.elf", *(native / "obj" / "infer" / "tflm").glob("*.o")):
        assert os.fsencode(library) not in file.read_bytes()


def inferred(board: str, elf: Path) -> tuple[Any, bytes]:
    """Start a firmware, run its model on 0, 1, 2 ...; return what it is, and the output."""
    with start(board, elf) as emulator:
        client = DeviceClient(emulator.transport)
        hello = client.hello()
        data = bytes(i % 100 for i in range(hello.input_bytes))
        return hello, client.infer(0, [data]).outputs[0]


def test_the_firmware_infers_in_the_emulator(board: Path) -> None:
    hello, output = inferred("mps2_an386", board / "firmware.elf")
    assert (hello.engine, hello.plan_status) == ("tflm", 0)
    assert output == bytes(i % 100 + 1 for i in range(len(output)))  # that is what it computes


def test_the_process_infers_as_the_board_does(native: Path) -> None:
    hello, output = inferred("native", native / "firmware.elf")
    assert (hello.engine, hello.plan_status) == ("tflm", 0)
    assert output == bytes(i % 100 + 1 for i in range(len(output)))
    assert content(native / "arena.json")["board"] == "native"
    assert content(native / "footprint.json")["stack_bytes"] is None


def test_compile_commands_name_the_compiler_of_c_plus_plus(tree: Tree, native: Path) -> None:
    rows = content(tree.folder / "compile_commands.json")
    commands = {Path(row["file"]).name: row["command"] for row in rows}
    assert commands["engine.cc"].startswith("g++ ") and "-isystem" in commands["engine.cc"]
    assert commands["resolver.cc"].startswith("g++ ")


# ---- what is built again


def test_building_again_does_nothing_and_is_quick(tree: Tree, native: Path, library: Path) -> None:
    before = cpu_seconds()
    done = tree.build(*NATIVE, TFLM_DIR=str(library), TFLM_LIB="")
    assert cpu_seconds() - before < NO_OP_SECONDS
    assert not re.findall(r"^  (?!Building)\S+ .*$", done.stdout, re.M)


def test_another_archive_is_linked_everywhere_and_ours_is_compiled_for_it(
    tree: Tree, native: Path, library: Path, tmp_path: Path
) -> None:
    other = other_archive(tmp_path, "native", library, "int another_member;")
    done = tree.build(*NATIVE, "-n", TFLM_DIR=str(library), TFLM_LIB=str(other))
    steps = re.findall(r"^  (\S+) +(\S.*)$", done.stdout, re.M)
    assert ("c++", "firmware/infer/tflm/engine.cc") in steps
    assert ("link", f"build/native/{NAME}/firmware.elf") in steps
    assert ("link", f"build/native/{NAME}/measure/firmware.elf") in steps  # and run, if it differs
    compiled = {what for step, what in steps if step == "cc"}
    assert compiled <= {f"build/native/{NAME}/{name}" for name in ("plan.c", "gen/model.c")}


def other_archive(folder: Path, board: str, library: Path, source: str) -> Path:
    """Copy an archive of the stand-in, and add a member."""
    facts = load_board(board).core
    prefix = "" if board == "native" else f"{facts.toolchain}-"
    found = tflm_tree.find(library, None, facts).archive.path
    copy = folder / "my own archive.a"
    shutil.copyfile(found, copy)
    (folder / "more.cc").write_text(source)
    command = [f"{prefix}g++", *facts.flags, "-c", "more.cc"]
    subprocess.run(command, cwd=folder, check=True)
    subprocess.run([f"{prefix}ar", "rD", copy.name, "more.o"], cwd=folder, check=True)
    return copy


# ---- an arena that is given


@pytest.fixture
def another(tmp_path: Path, model: Path) -> Path:
    """A model that builds into a folder of its own: nothing has to be as it was afterwards."""
    return Path(shutil.copyfile(model, tmp_path / "given.tflite"))


def test_an_arena_that_is_given_is_not_measured_and_the_stack_is_assumed(
    library: Path, another: Path
) -> None:
    done = scons(another, library, "arena=20000")
    assert done.returncode == 0, done.stderr
    assert re.search(rf"\(TFLM {ASSUMED_BYTES} assumed\)$", done.stdout, re.M)
    folder = BUILD / "mps2_an386" / variant(another, kind="tflm")
    assert not (folder / "measure").exists()
    header = Plan.parse((folder / "plan.bin").read_bytes()).header
    assert header["arena_bytes"] == CONST["PLAN_TFLM_BYTES"] + 20000
    assert content(folder / "footprint.json")["engine_stack_basis"] == "assumed"


def test_an_arena_that_does_not_fit_the_board_is_over_the_budget(
    library: Path, another: Path
) -> None:
    done = scons(another, library, "arena=600000")
    assert done.returncode == BudgetError.exit_code
    assert "RAM: " in done.stderr and "over the budget" in done.stderr


# ---- where nothing can be measured


@pytest.fixture
def path_without_qemu(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "programs"
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(":")):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            if not program.name.startswith("qemu-system"):
                (folder / program.name).unlink(missing_ok=True)
                (folder / program.name).symlink_to(program)
    yield str(folder)


def test_without_an_emulator_the_arena_of_this_computer_is_taken_and_told(
    library: Path, another: Path, path_without_qemu: str
) -> None:
    done = scons(another, library, "-n", PATH=path_without_qemu)
    note = "(arena as on this computer, 64 bits: qemu-system-arm is not installed)"
    assert note in done.stdout
    assert "measure/firmware.elf" not in done.stdout


def test_without_an_emulator_kernels_of_cmsis_nn_ask_for_an_arena(
    library: Path, model: Path, path_without_qemu: str, tmp_path: Path
) -> None:
    source = "namespace tflite { int Register_CONV_2D_INT8() { return 0; } }"
    archive = other_archive(tmp_path, "mps2_an386", library, source)
    done = scons(model, library, TFLM_LIB=str(archive), PATH=path_without_qemu)
    assert done.returncode == UsageError.exit_code
    reason = "cmsis_nn kernels cannot be measured: qemu-system-arm is not installed"
    assert f"{reason}\nhint: say how large it is: scons ... arena=BYTES" in done.stderr


# ---- what is missing


def test_without_a_tree_one_line_says_what_is_missing_and_nothing_is_built(tree: Tree) -> None:
    done = tree.scons(*NATIVE, TFLM_DIR="", TFLM_LIB="")
    assert (done.returncode, done.stdout) == (2, "")
    message, hint = done.stderr.splitlines()
    assert message.startswith("scons: engine=tflm needs TFLM_DIR=")
    assert "cortex_m_generic/README.md" in hint


def test_an_archive_for_another_processor_is_refused(library: Path, model: Path) -> None:
    wrong = tflm_tree.find(library, None, load_board("native").core).archive.path
    done = scons(model, library, TFLM_LIB=str(wrong))
    assert (done.returncode, done.stdout) == (2, "")
    assert "x86" in done.stderr.lower() and "cortex-m4" in done.stderr


def test_a_compiler_without_headers_names_its_packages(
    library: Path, model: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "arm-none-eabi-g++"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    done = scons(model, library, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == MissingToolError.exit_code
    assert "the C++ headers of arm-none-eabi-g++ are not installed" in done.stderr
    assert "libstdc++-arm-none-eabi-dev" in done.stderr


# ---- with a real TensorFlow Lite Micro


def test_motion_on_a_real_one_gives_the_bytes_of_its_interpreter() -> None:
    """For each archive in TFLM_DIR that fits the board, its kernels and ours alike."""
    root, core = tflm_dir(), load_board("mps2_an386").core
    fitting = [path for path in tflm_tree.archives(root) if is_for(root, path, core)]
    if not fitting:
        pytest.skip("needs an archive for mps2_an386 in TFLM_DIR")
    model = ROOT / "build" / "models" / "motion-int8.tflite"
    for archive in fitting:
        words = ["verify", str(model), "--engine", "tflm", "--board", "mps2_an386", "--inputs", "3"]
        done = subprocess.run(
            [sys.executable, "-m", "torpor", *words],
            cwd=ROOT,
            env={**os.environ, "TFLM_LIB": str(archive)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{archive}: {done.stdout}{done.stderr}"


def is_for(root: Path, archive: Path, core: Any) -> bool:
    try:
        tflm_tree.find(root, archive, core)
    except UsageError:
        return False
    return True
