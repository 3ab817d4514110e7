# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Whole builds, in a copy of the tree whose path has spaces."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.build.conftest import PARTS, Tree, copy_tree, cpu_seconds
from tests.support.tflite_builder import GraphBuilder
from torpor.paths import variant
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan
from torpor_build.place import ours
from torpor_build.steps import COMPILE, QUANTIZE, tool_sources

pytestmark = pytest.mark.xdist_group("scons")

MODEL = "model=small model.tflite"
NAME = variant(Path("small model.tflite"))
NO_OP_SECONDS = 1.5


def test_a_build_leaves_everything_in_its_folder(tree: Tree) -> None:
    out = tree.folder / "build" / "microbit" / NAME
    (out / "footprint.json").unlink(missing_ok=True)
    done = tree.build("board=microbit", MODEL)
    names = ("plan.bin", "plan.c", "kernels.txt", "report.json", "footprint.json", "firmware.elf")
    assert [name for name in names if not (out / name).is_file()] == []
    assert " of 98304 " in done.stdout
    assert (out / "firmware.elf").read_bytes()[:4] == b"\x7fELF"


def test_a_build_makes_nothing_outside_of_its_folder_but_the_compile_commands(tree: Tree) -> None:
    before = {path.name for path in copied(tree)}
    tree.build("board=microbit", MODEL)
    after = {path.name for path in tree.folder.iterdir()}
    after.discard(".pytest_cache")  # of `scons test`, which another test has called
    assert after == before | {"build", "compile_commands.json"}
    assert (tree.folder / "build" / ".sconsign.dblite").is_file()


def copied(tree: Tree) -> list[Path]:
    """What tests have put into the tree."""
    parts = (*PARTS, "SConstruct", ".venv")
    return [tree.folder / part for part in parts] + [*tree.folder.glob("*.tflite")]


def test_the_footprint_adds_up(tree: Tree) -> None:
    tree.build("board=microbit", MODEL)
    print_ = tree.footprint("microbit", NAME)
    plan = (tree.folder / "build" / "microbit" / NAME / "plan.bin").read_bytes()
    assert print_["model_bytes"] == len(plan)
    assert print_["arena_bytes"] == Plan.parse(plan).header["arena_bytes"]
    assert print_["code_bytes"] == print_["flash_bytes"] - print_["model_bytes"]
    assert abs(sum(print_["flash_parts"].values()) - print_["flash_bytes"]) <= 32  # alignment
    assert abs(sum(print_["ram_parts"].values()) - print_["ram_bytes"]) <= 32
    kernels = (tree.folder / "build" / "microbit" / NAME / "kernels.txt").read_text().split()
    assert sorted(print_["kernels"]) == sorted(kernels)
    assert print_["stack_path"][:2] == ["cortexm_reset", "main"]
    deepest = {"session_start", "session_handle"} & set(print_["stack_path"])
    assert deepest, "the deepest stack is that of the plan's check or of an answer"


def test_building_again_does_nothing_and_is_quick(tree: Tree) -> None:
    tree.build("board=microbit", MODEL)
    before = cpu_seconds()
    done = tree.build("board=microbit", MODEL)
    assert cpu_seconds() - before < NO_OP_SECONDS
    assert "  cc " not in done.stdout
    assert "  link " not in done.stdout


def test_an_option_of_the_compiler_is_enough_to_compile_the_model_again(tree: Tree) -> None:
    flags = [plan_flags(tree, words) for words in ([], ["keep_input=1"], [])]
    assert [flag & CONST["PLAN_FLAG_KEEP_INPUT"] for flag in flags] == [0, 1, 0]


def plan_flags(tree: Tree, words: list[str]) -> int:
    plan = f"build/microbit/{NAME}/plan.bin"
    tree.build("board=microbit", MODEL, *words, plan)
    header = Plan.parse((tree.folder / plan).read_bytes()).header
    return int(header["flags"])


def test_compile_commands_name_every_file_of_ours(tree: Tree) -> None:
    tree.build("board=microbit", MODEL)
    commands = json.loads((tree.folder / "compile_commands.json").read_text())
    files = {Path(entry["file"]).as_posix() for entry in commands}
    assert "firmware/app/serve/main.c" in files
    assert "firmware/port/nrf51/uart.c" in files
    ours = [e["command"] for e in commands if e["file"].startswith("firmware/")]
    assert [c for c in ours if "-Werror" not in c or "-Wconversion" not in c] == []


def test_a_warning_in_our_code_fails_the_build(tree: Tree) -> None:
    source = tree.folder / "firmware" / "core" / "text.c"
    text = source.read_text()
    source.write_text(text + "\nstatic int unused(void)\n{\n    return 1;\n}\n")
    done = tree.scons("board=microbit", MODEL)
    source.write_text(text)
    assert done.returncode == 2
    assert "unused" in done.stderr


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Another copy of the tree, in a folder whose name is no ASCII."""
    return copy_tree(tmp_path_factory.mktemp("anderswo") / "mein Gerät ✓")


@pytest.mark.parametrize("board", ["mps2_an386", "native"])
def test_builds_in_any_folder_and_with_any_number_of_jobs_give_the_same_bytes(
    tree: Tree, elsewhere: Tree, board: str
) -> None:
    images = []
    for place, jobs in ((tree, "-j1"), (elsewhere, "-j2")):
        place.build(f"board={board}", MODEL, jobs)
        images.append((place.folder / "build" / board / NAME / "firmware.elf").read_bytes())
    assert images[0] == images[1]


def test_a_folder_of_any_name_has_images_too(elsewhere: Tree) -> None:
    elsewhere.build("board=mps2_an386", MODEL, "image", LC_ALL="C")
    out = elsewhere.folder / "build" / "mps2_an386" / NAME / "image"
    assert {path.name for path in out.glob("*.bin")} == {
        *("firmware-a.bin", "firmware-b.bin", "model.bin")
    }


def test_the_image_can_be_linked_to_another_address(tree: Tree) -> None:
    tree.build("board=microbit", MODEL, "link=0x10000")
    elf = (tree.folder / "build" / "microbit" / NAME / "firmware.elf").read_bytes()
    assert int.from_bytes(elf[24:28], "little") >= 0x10000  # e_entry


def test_an_address_outside_the_flash_is_refused(tree: Tree) -> None:
    done = tree.scons("board=microbit", MODEL, "link=0x80000")
    assert done.returncode == 2
    assert "no place for an image" in done.stderr


def test_a_release_has_no_debug_information(tree: Tree) -> None:
    sizes = []
    for release in (0, 1):
        tree.build("board=microbit", MODEL, f"release={release}")
        elf = (tree.folder / "build" / "microbit" / NAME / "firmware.elf").read_bytes()
        assert (b".debug_info" in elf) == (release == 0)
        sizes.append(tree.footprint("microbit", NAME)["flash_bytes"])
    assert sizes[0] == sizes[1]


def test_a_file_may_have_any_name(tree: Tree) -> None:
    model = tree.folder / "-it's \"a;$(touch here)${TARGET} é.tflite"
    shutil.copy(tree.folder / "small model.tflite", model)
    tree.build("board=native", f"model={model.name}")
    elf = tree.folder / "build" / "native" / variant(model) / "firmware.elf"
    assert elf.is_file()
    assert Plan.parse((elf.parent / "plan.bin").read_bytes()).name == model.stem
    assert not (tree.folder / "here").exists()
    assert "is up to date" in tree.build("board=native", f"model={model.name}").stdout
    model.unlink()


def test_two_models_of_one_name_and_one_second_are_told_apart(tree: Tree) -> None:
    model = tree.folder / "changing.tflite"
    out = tree.folder / "build" / "native" / variant(model)
    plans = []
    for width in (4, 8, 4):
        graph = GraphBuilder()
        x = graph.input((1, width), scale=0.05)
        model.write_bytes(graph.build([graph.softmax(x)]))
        os.utime(model, (1_700_000_000, 1_700_000_000))
        tree.build("board=native", f"model={model.name}")
        plans.append((out / "plan.bin").read_bytes())
        assert plans[-1] in (out / "firmware.elf").read_bytes()
    assert plans[0] != plans[1] and plans[0] == plans[2]
    model.unlink()


@pytest.mark.parametrize(("command", "parts"), [("compile", COMPILE), ("quantize", QUANTIZE)])
def test_a_step_depends_on_every_file_that_its_command_imports(
    command: str, parts: tuple[str, ...]
) -> None:
    program = (
        "import sys, torpor.__main__, torpor.cli.main, torpor.cli." + command + "\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('torpor')), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    imported = {ours(line) for line in done.stdout.splitlines()}
    assert len(imported) > 10
    assert imported - set(tool_sources(*parts)) == set()


@pytest.mark.parametrize("file", ["compile/code_sizes.toml", "compile/passes.py", "cli/compile.py"])
def test_a_change_of_what_the_compiler_is_made_of_compiles_again(tree: Tree, file: str) -> None:
    tree.build("board=microbit", MODEL)
    path = tree.folder / "host" / "torpor" / file
    text = path.read_text()
    path.write_text(text.replace("ADD_S8 = ", "ADD_S8 = 9") + "\n")
    report = tree.folder / "build" / "microbit" / NAME / "report.json"
    before = report.read_text()
    done = tree.build("board=microbit", MODEL)
    after = report.read_text()
    path.write_text(text)
    assert f"  compile build/microbit/{NAME}/plan.bin" in done.stdout
    assert (before != after) == file.endswith(".toml")


def test_a_build_of_a_model_needs_no_data(tree: Tree) -> None:
    shutil.rmtree(tree.folder / "build" / "models", ignore_errors=True)
    tree.build("board=native", "bits=4")
    log = (tree.folder / "build" / "models" / "motion-int4.tflite.log").read_text()
    assert "motion: float " in log
    assert "accuracy" not in log
    assert not (tree.folder / "build" / "data").exists()


def big_model(folder: Path) -> str:
    """Write a model whose weights alone are over the microbit's budget of flash."""
    g = GraphBuilder()
    x = g.input((1, 300), scale=0.1)
    w = g.constant(np.ones((400, 300), np.int8), "int8", scale=0.05)
    (folder / "big.tflite").write_bytes(g.build([g.fully_connected(x, w, scale=0.2)]))
    return "model=big.tflite"


def test_over_the_budget_the_build_fails_and_shows_who_uses_what(tree: Tree) -> None:
    done = tree.scons("board=microbit", big_model(tree.folder))
    assert done.returncode == 6
    assert "over the budget of 98304" in done.stderr
    assert "boards/microbit/board.toml" in done.stderr
    assert "  plan " in done.stdout
    assert "####" in done.stdout
    again = tree.scons("board=microbit", "model=big.tflite")
    assert again.returncode == 6, "the failure must not be forgotten"


def test_a_model_that_is_none_fails_the_build_with_its_reason(tree: Tree) -> None:
    (tree.folder / "broken.tflite").write_bytes(b"no model at all")
    done = tree.scons("board=microbit", "model=broken.tflite")
    assert done.returncode == 2
    assert "torpor: " in done.stderr
    assert "Traceback" not in done.stderr


def test_cleaning_removes_every_file_that_was_built(tree: Tree) -> None:
    shutil.rmtree(tree.folder / "build" / "native", ignore_errors=True)
    tree.build("board=native", MODEL)
    made = {path.suffix for path in (tree.folder / "build" / "native").rglob("*")}
    assert {".elf", ".o", ".ci", ".su", ".map", ".log", ".bin", ".json", ".h"} <= made
    tree.build("board=native", MODEL, "-c")
    left = [p for p in (tree.folder / "build" / "native").rglob("*") if p.is_file()]
    assert left == []
