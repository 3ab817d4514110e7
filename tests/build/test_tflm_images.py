# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Signed images with engine=tflm, in a copy of the tree, with the stand-in for TFLM."""

import re
from pathlib import Path

import pytest

from tests.build.conftest import Tree
from tests.support.tflm import stand_in
from torpor.board import board_names, load_board
from torpor.errors import UsageError
from torpor.image.capability import fits, plan_header
from torpor.image.parse import parse
from torpor.paths import variant
from torpor.plan.layout import CONST
from torpor.plan.tflm import REGISTRATIONS, with_special
from torpor.tflm.resolver import registered

pytestmark = pytest.mark.xdist_group("scons")

GOAL = ("board=native", "engine=tflm", "model=small model.tflite", "image")
RESERVED = load_board("native").models.reserve_tflm


@pytest.fixture(scope="module")
def images(tree: Tree) -> Path:
    """The folder with the images of a build for this computer."""
    tree.build(*GOAL, TFLM_DIR=str(stand_in("native")), TFLM_LIB="")
    name = f"{variant(Path('small model.tflite'))}-tflm"
    return tree.folder / "build" / "native" / name / "image"


def test_an_image_says_its_engine_and_what_its_resolver_has(images: Path) -> None:
    found = parse((images / "firmware.bin").read_bytes()).capability
    assert found is not None
    assert found.targets == {CONST["PLAN_TARGET_TFLM"]}
    own = (images.parent / "kernels.txt").read_text().split()
    kept = registered([*own, *RESERVED])
    assert set(found.kernel_names) == with_special(entry.name for entry in kept)
    resolver = (images / "gen" / "resolver.cc").read_text()
    assert f"MicroMutableOpResolver<{len(kept)}>" in resolver
    words = [int(word, 16) for word in re.findall(r"0x([0-9a-f]{8})u", resolver)]
    bits = sum(word << 32 * i for i, word in enumerate(words))
    assert found.kernels == {n for n in range(128) if bits >> n & 1}


def test_its_model_is_one_of_those_that_it_runs_and_only_there(images: Path) -> None:
    model, firmware = (parse((images / f"{n}.bin").read_bytes()) for n in ("model", "firmware"))
    header = plan_header(model.payload)
    assert header is not None and firmware.capability is not None
    assert model.is_model and fits(header, firmware.capability) == ""
    assert model.payload == (images.parent / "plan.bin").read_bytes()


def test_the_arena_that_is_kept_ready_is_the_board_s(images: Path) -> None:
    found = parse((images / "firmware.bin").read_bytes()).capability
    assert found is not None
    assert found.arena_bytes == load_board("native").models.arena


@pytest.mark.parametrize("name", board_names())
def test_boards_reserve_registrations_that_there_are(name: str) -> None:
    assert set(load_board(name).models.reserve_tflm) <= set(REGISTRATIONS)


def test_a_registration_that_is_reserved_and_does_not_exist_is_named(tree: Tree) -> None:
    file = tree.folder / "boards" / "native" / "board.toml"
    text = file.read_text()
    file.write_text(text.replace('"CONV_2D", "DEPTH', '"CONV_2D_S8", "DEPTH'))
    done = tree.scons(*GOAL, TFLM_DIR=str(stand_in("native")), TFLM_LIB="")
    file.write_text(text)
    assert (done.returncode, done.stdout) == (UsageError.exit_code, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("scons: boards/native/board.toml: 'models.reserve_tflm': ")
    assert "unknown registration 'CONV_2D_S8'" in first
    assert "did you mean 'CONV_2D" in second
