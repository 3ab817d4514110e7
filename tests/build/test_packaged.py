# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Builds of a model that comes quantized (models/alexa), and of the sound front end."""

import shutil
from pathlib import Path

import pytest

from tests.build.conftest import Tree
from torpor.errors import UsageError
from torpor.model import load_model
from torpor.plan.reader import Plan
from torpor_build.options import DEMO, read_options

MODEL = "alexa"


def unpacked(tree: Tree) -> Path:
    """Put the model where it is unpacked to, so that nothing is fetched; return the original."""
    original = load_model(MODEL).quantized_file()
    place = tree.folder / "build" / "data" / original.parent.name
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(original, place)
    return original


def test_a_model_that_comes_quantized_has_bits_of_its_own() -> None:
    options = read_options({"model": MODEL})
    assert (options.bits, options.packaged, options.variant) == (8, True, "alexa-int8")
    assert read_options({"model": MODEL, "bits": "8"}) == options
    assert not read_options({}).packaged


def test_other_bits_are_refused_for_it() -> None:
    with pytest.raises(UsageError, match="bits=4: alexa comes quantized, to 8 bits") as caught:
        read_options({"model": MODEL, "bits": "4"})
    assert caught.value.hint == "leave bits= out"


def test_run_streams_recordings_of_models_that_have_some_only() -> None:
    assert read_options({}, ["run"]).run_kind == DEMO
    assert read_options({"model": MODEL}, ["run"]).run_kind == ""
    assert read_options({"app": "wake"}, ["run"]).run_kind == ""


def test_it_is_built_as_it_is(tree: Tree) -> None:
    original = unpacked(tree)
    tree.build("board=native", f"model={MODEL}")
    build = tree.folder / "build"
    assert (build / "models" / "alexa-int8.tflite").read_bytes() == original.read_bytes()
    plan = Plan.parse((build / "native" / "alexa-int8" / "plan.bin").read_bytes())
    assert plan.labels == load_model(MODEL).labels
    again = tree.build("board=native", f"model={MODEL}")
    assert "is up to date" in again.stdout and "unpack" not in again.stdout


def test_a_package_that_cannot_be_had_is_one_clear_error(tree: Tree) -> None:
    for folder in ("data", "packages"):
        shutil.rmtree(tree.folder / "build" / folder, ignore_errors=True)
    done = tree.scons("board=native", f"model={MODEL}", PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert done.returncode == 3, done.stdout + done.stderr
    first, second = done.stderr.splitlines()
    assert first.startswith("scons: cannot get pymicro_wakeword-2.5.0-")
    assert second.startswith("hint: connect to a package index once, or put the file into ")


@pytest.mark.parametrize("board", ["mps2_an386", "riscv_virt", "nrf51_large"])
def test_sound_is_built_for_every_kind_of_core(tree: Tree, board: str) -> None:
    unpacked(tree)
    tree.build(f"board={board}", f"model={MODEL}", "app=wake")
    folder = tree.folder / "build" / board
    parts = tree.footprint(board, "alexa-int8-wake")["flash_parts"]
    assert 3000 < parts["microfrontend"] < 6500
    assert parts["drivers"] > 4500, "the tables"
    assert (folder / "gen" / "features.c").read_text().startswith("/* Made by the front end")
    again = tree.build(f"board={board}", f"model={MODEL}", "app=wake")
    assert "cc " not in again.stdout and "write" not in again.stdout


def test_the_tables_are_the_same_for_every_board(tree: Tree) -> None:
    unpacked(tree)
    made = set()
    for board in ("mps2_an386", "native"):
        tree.build(f"board={board}", f"build/{board}/gen/features.c", f"model={MODEL}", "app=wake")
        made.add((tree.folder / "build" / board / "gen" / "features.c").read_bytes())
    assert len(made) == 1


def test_the_stack_of_the_transform_counts_each_of_its_stages(tree: Tree) -> None:
    unpacked(tree)
    tree.build("board=mps2_an386", f"model={MODEL}", "app=wake")
    footprint = tree.footprint("mps2_an386", "alexa-int8-wake")
    assert "kf_work" in footprint["stack_path"]
    usage = tree.folder / "build/mps2_an386/obj/microfrontend/kiss_fft.su"
    (frame,) = [
        int(line.split()[1]) for line in usage.read_text().splitlines() if "kf_work" in line
    ]
    assert footprint["stack_bytes"] > 4 * frame + 300
