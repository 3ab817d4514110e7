# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Bootloaders and signed images, built in a copy of the tree."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import Tree, cpu_seconds
from torpor.board import code_region, load_board, regions
from torpor.emulate.image import Image as Elf
from torpor.errors import UsageError
from torpor.image.keys import new_key, read_key
from torpor.image.parse import Image, parse, verify
from torpor.paths import variant
from torpor.plan.reader import Plan
from torpor_build.image import SIGN
from torpor_build.place import ours
from torpor_build.steps import tool_sources

pytestmark = pytest.mark.xdist_group("scons")

MODEL = "model=small model.tflite"
NAME = variant(Path("small model.tflite"))
BOARD = "board=mps2_an386"
NO_OP_SECONDS = 1.5
EXIT_BUDGET = 6


def folder(tree: Tree, board: str = "mps2_an386") -> Path:
    return tree.folder / "build" / board / NAME / "image"


def built(tree: Tree, name: str, board: str = "mps2_an386") -> Image:
    """Return an image that was built, proven to be sound."""
    return parse((folder(tree, board) / name).read_bytes())


def test_a_version_is_a_pair_of_images_and_a_model(tree: Tree) -> None:
    tree.build(BOARD, MODEL, "image", "version=1.2.3+4", "counter=5")
    board = load_board("mps2_an386")
    for slot, name in enumerate(("firmware-a", "firmware-b")):
        image = built(tree, f"{name}.bin")
        assert (str(image.version), image.counter, image.board) == ("1.2.3+4", 5, "mps2_an386")
        assert image.address == regions(board)[1 + slot].address
        assert image.header_bytes == 0x200
        elf = Elf.read(folder(tree) / f"{name}.elf")
        assert min(at for at, _ in elf.segments) == code_region(board, slot).address
    model = built(tree, "model.bin")
    assert (str(model.version), model.counter, model.is_model) == ("1.2.3+4", 5, True)
    plan = (folder(tree).parent / "plan.bin").read_bytes()
    assert model.payload == plan
    assert plan in built(tree, "firmware-a.bin").payload


def test_an_image_says_what_it_can_run_which_is_more_than_its_own_model(tree: Tree) -> None:
    tree.build(BOARD, MODEL, "image")
    found = built(tree, "firmware-a.bin").capability
    assert found is not None
    own = (folder(tree).parent / "kernels.txt").read_text().split()
    board = load_board("mps2_an386")
    assert set(found.kernel_names) == {*own, *board.models.reserve}
    header = Plan.parse((folder(tree).parent / "plan.bin").read_bytes()).header
    assert found.arena_bytes == max(header["arena_bytes"], board.models.arena)
    symbols = Elf.read(folder(tree) / "firmware-a.elf").symbols
    assert symbols["model_arena"][1] == found.arena_bytes
    for name in board.models.reserve:
        assert f"infer_{name.lower()}" in symbols


def test_where_one_link_serves_both_slots_there_is_one_image(tree: Tree) -> None:
    tree.build("board=native", MODEL, "image")
    names = {path.name for path in folder(tree, "native").glob("*.bin")}
    assert names == {"firmware.bin", "model.bin"}
    payload = built(tree, "firmware.bin", "native").payload
    assert payload == (folder(tree, "native") / "firmware.elf").read_bytes()


def test_images_are_signed_with_the_key_that_was_given_and_devices_know_it(tree: Tree) -> None:
    key = new_key(tree.folder / "our key.pem")
    tree.build(BOARD, MODEL, "image", "release=1", "key=our key.pem")
    for name in ("firmware-a.bin", "firmware-b.bin", "model.bin"):
        verify(built(tree, name), read_key(key.path))
    for elf in (folder(tree) / "firmware-a.elf", tree.folder / "build/mps2_an386/boot/boot.elf"):
        known = Elf.read(elf).content("update_key")
        assert known[:64] == key.public + key.hash
        assert known[64] == 0, "it is not the development key"
    tree.build(BOARD, MODEL, "image")
    known = Elf.read(tree.folder / "build/mps2_an386/boot/boot.elf").content("update_key")
    assert known[64] == 1, "another key makes everything anew"
    key.path.unlink()


def test_another_version_signs_again_and_compiles_nothing(tree: Tree) -> None:
    tree.build(BOARD, MODEL, "image", "version=1.0.0")
    done = tree.build(BOARD, MODEL, "image", "version=1.0.1")
    assert done.stdout.count("  sign ") == 3
    assert "  cc " not in done.stdout and "  link " not in done.stdout
    assert str(built(tree, "firmware-b.bin").version) == "1.0.1"


def test_building_images_again_does_nothing_and_is_quick(tree: Tree) -> None:
    tree.build(BOARD, MODEL, "image")
    before = cpu_seconds()
    done = tree.build(BOARD, MODEL, "image")
    assert cpu_seconds() - before < NO_OP_SECONDS
    assert "is up to date" in done.stdout


def test_a_build_without_images_leaves_them_alone_and_needs_no_cryptography(tree: Tree) -> None:
    shutil.rmtree(tree.folder / "build" / "native", ignore_errors=True)
    tree.build("board=native", MODEL)
    made = {path.name for path in (tree.folder / "build" / "native").rglob("*")}
    assert "image" not in made and "boot" not in made and "key.c" not in made
    elf = Elf.read(tree.folder / "build" / "native" / NAME / "firmware.elf")
    assert not {"crypto_eddsa_check_equation", "update_choose"} & set(elf.symbols)


def test_the_bootloader_can_be_built_alone(tree: Tree) -> None:
    shutil.rmtree(tree.folder / "build" / "microbit", ignore_errors=True)
    done = tree.build("board=microbit", MODEL, "boot")
    assert "  sign " not in done.stdout and "  compile " not in done.stdout
    footprint = json.loads((tree.folder / "build/microbit/boot/footprint.json").read_text())
    assert footprint["flash_bytes"] <= 23 * 1024
    assert footprint["stack_path"][:2] == ["cortexm_reset", "main"]
    assert "crypto_eddsa_check_equation" in footprint["stack_path"]
    assert {"boot", "update", "monocypher", "bearssl", "port"} <= set(footprint["flash_parts"])


def test_a_bootloader_that_does_not_fit_fails_the_build(tree: Tree) -> None:
    file = tree.folder / "boards" / "microbit" / "board.toml"
    text = file.read_text()
    file.write_text(text.replace("boot = 0x6000", "boot = 0x5000"))
    done = tree.scons("board=microbit", MODEL, "boot")
    file.write_text(text)
    assert done.returncode == EXIT_BUDGET
    assert "over the budget of 20480" in done.stderr


def test_a_kernel_that_is_reserved_and_does_not_exist_is_named(tree: Tree) -> None:
    file = tree.folder / "boards" / "mps2_an386" / "board.toml"
    text = file.read_text()
    file.write_text(text.replace('"ADD_S8"', '"ADD_S9"'))
    done = tree.scons(BOARD, MODEL, "image")
    file.write_text(text)
    assert (done.returncode, done.stdout) == (UsageError.exit_code, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("scons: boards/mps2_an386/board.toml: 'models.reserve': ")
    assert "unknown kernel 'ADD_S9'" in first
    assert "did you mean 'ADD_S8'" in second


def test_cleaning_removes_images_and_bootloader(tree: Tree) -> None:
    shutil.rmtree(tree.folder / "build" / "native", ignore_errors=True)
    tree.build("board=native", MODEL, "image")
    tree.build("board=native", MODEL, "image", "-c")
    tree.build("board=native", MODEL, "-c")
    left = [p for p in (tree.folder / "build" / "native").rglob("*") if p.is_file()]
    assert left == []


def test_update_calls_the_command_with_the_folder_of_the_images(tree: Tree) -> None:
    done = tree.scons(BOARD, MODEL, "update", "port=/none")
    assert done.returncode != 0
    assert f"  update  torpor update build/mps2_an386/{NAME}/image" in done.stdout
    assert "/none" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_step_depends_on_every_file_that_signing_imports() -> None:
    program = (
        "import sys, torpor.__main__, torpor.cli.main, torpor.cli.image, torpor.image.keys\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('torpor')), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    imported = {ours(line) for line in done.stdout.splitlines()}
    assert imported - set(tool_sources(*SIGN)) == set()


def test_the_key_of_the_build_may_have_any_name(tree: Tree) -> None:
    key: Any = new_key(tree.folder / "it's $HOME a;key.pem")
    tree.build(BOARD, MODEL, "boot", f"key={key.path.name}")
    known = Elf.read(tree.folder / "build/mps2_an386/boot/boot.elf").content("update_key")
    assert known[:32] == key.public
    key.path.unlink()
