# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The command line of scons: what it takes, and how it refuses the rest."""

import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.conftest import Tree
from torpor.board import board_names, load_board
from torpor.errors import UsageError
from torpor.image.keys import DEVELOPMENT, new_key
from torpor.paths import model_names, variant
from torpor_build.help import help_text
from torpor_build.options import read_options


def test_without_arguments_everything_has_a_default() -> None:
    options = read_options({})
    assert (options.board.name, options.variant) == ("mps2_an386", "motion-int8")
    assert (options.keep_input, options.release, options.link) == (False, False, None)


def test_every_option_is_taken(tmp_path: Path) -> None:
    options = read_options(
        {"board": "microbit", "bits": "4", "keep_input": "yes", "release": "1", "link": "0x4000"}
    )
    assert (options.board.name, options.bits, options.variant) == ("microbit", 4, "motion-int4")
    assert (options.keep_input, options.release, options.link) == (True, True, 0x4000)


def test_a_quantized_file_is_a_model_with_a_folder_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.touch()
    options = read_options({"model": str(file)})
    assert (options.model, options.bits, options.variant) == (file, 0, "net-file")


@pytest.mark.parametrize("stem", ["motion-int8", "obj", "gen", "motion", "motion-int8-file"])
def test_no_file_builds_into_the_folder_of_a_model_or_of_the_board(stem: str) -> None:
    taken = {"obj", "gen", *(variant(name, bits) for name in model_names() for bits in (8, 4))}
    assert variant(Path(f"{stem}.tflite")) == f"{stem}-file"
    assert f"{stem}-file" not in taken


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=80))
def test_the_folder_of_any_file_has_a_short_plain_name(stem: str) -> None:
    name = variant(Path(f"/none/{stem}.tflite"))
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{,53}-file|-[0-9a-f]{8}-file", name)


def test_files_of_different_odd_names_have_different_folders() -> None:
    stems = ["a b", "a_b", "a  b", "a'b", "ab", "-ab", "--ab", ".ab", "é", "è", "x" * 50, "x" * 51]
    assert len({variant(Path(f"{stem}.tflite")) for stem in stems}) == len(stems)


def test_a_link_to_a_file_builds_where_the_file_does(tmp_path: Path) -> None:
    (tmp_path / "real.tflite").touch()
    (tmp_path / "link.tflite").symlink_to("real.tflite")
    options = read_options({"model": str(tmp_path / "link.tflite")})
    assert options.variant == variant(tmp_path / "link.tflite") == "real-file"


def test_run_takes_a_model_of_models() -> None:
    assert read_options({"bits": "4"}, ["run"]).variant == "motion-int4"


def test_scons_refuses_what_run_cannot_do_before_it_builds(tree: Tree) -> None:
    done = tree.scons("board=native", "link=0x8000", "run")
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("scons: ") and "not at link=0x8000" in first
    assert second == "hint: leave link= or 'run' out"


def test_run_needs_an_emulator() -> None:
    real = [name for name in board_names() if load_board(name).emulator is None]
    for name in real:
        with pytest.raises(UsageError, match=f"board '{name}' has no emulator") as error:
            read_options({"board": name}, ["run"])
        assert "flash monitor" in error.value.hint
    assert read_options({"board": "microbit"}, ["run"]).needs_build


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"bord": "x"}, "unknown option 'bord'", "did you mean 'board'"),
        ({"board": "microbitt"}, "unknown board 'microbitt'", "did you mean 'microbit'"),
        ({"model": "motoin"}, "unknown model 'motoin'", "did you mean 'motion'"),
        ({"model": "none.tflite"}, "no such file", ""),
        ({"bits": "5"}, "unknown value of bits '5'", "known: 4, 8"),
        ({"bits": "7", "model": __file__ + ".tflite"}, "unknown value of bits '7'", "known: 4, 8"),
        ({"release": "maybe"}, "unknown value of release 'maybe'", "known: 0, 1"),
        ({"keep_input": "2"}, "unknown value of keep_input '2'", "known: 0, 1"),
        ({"link": "start"}, "link=start is no address", "0x"),
        ({"version": "1.2"}, "'1.2' is no version", "1.2.3+4"),
        ({"version": "256.0.0"}, "256 is too large", "at most 255.255.65535"),
        ({"counter": "-1"}, "counter=-1 is no security counter", "0 to 4294967295"),
        ({"counter": "4294967296"}, "counter=4294967296 is no security counter", ""),
        ({"counter": ""}, "counter= is no security counter", ""),
        ({"key": "none.pem"}, "key=none.pem: there is no such file", "torpor keys new"),
        ({"port": "/dev/ttyACM0"}, "port= is for update, flash", "scons ... update port="),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(
    arguments: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as error:
        read_options(arguments)
    assert message in error.value.message
    assert hint in error.value.hint


# ---- images


def test_images_are_those_of_a_development_build_unless_told_otherwise() -> None:
    options = read_options({}, ["image"])
    assert options.with_images and options.key == DEVELOPMENT
    assert (options.version, options.counter, options.port) == ("0.1.0", 0, "")
    assert not read_options({}).with_images


def test_every_option_of_images_is_taken(tmp_path: Path) -> None:
    key = new_key(tmp_path / "key.pem")
    options = read_options(
        {"version": "1.2.3+4", "counter": "7", "key": str(key.path), "release": "1"}, ["boot"]
    )
    assert (options.version, options.counter, options.key) == ("1.2.3+4", 7, key.path)
    assert options.with_images


@pytest.mark.parametrize("target", ["boot", "image"])
def test_a_release_is_not_signed_with_the_key_that_everybody_has(
    target: str, tmp_path: Path
) -> None:
    copied = tmp_path / "ours.pem"
    shutil.copy(DEVELOPMENT, copied)
    for arguments in ({}, {"key": str(copied)}):
        with pytest.raises(UsageError, match="release=1 with the development key") as error:
            read_options({"release": "1", **arguments}, [target])
        assert "torpor keys new" in error.value.hint
    assert read_options({"release": "1"}).release, "a firmware without bootloader has no key"


def test_a_board_without_slots_has_no_images() -> None:
    with pytest.raises(UsageError, match="board 'nrf51_large' has no slots"):
        read_options({"board": "nrf51_large"}, ["image"])


def test_images_lie_where_their_slots_are() -> None:
    with pytest.raises(UsageError, match="not at link=0x8000"):
        read_options({"link": "0x8000"}, ["image"])


def test_an_update_needs_a_port_and_a_port_an_update() -> None:
    with pytest.raises(UsageError, match="'update' needs port="):
        read_options({}, ["update"])
    assert read_options({"port": "/dev/ttyACM0"}, ["update"]).port == "/dev/ttyACM0"


def test_a_file_takes_no_bits(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").touch()
    with pytest.raises(UsageError, match=r"bits=4 with a file: net\.tflite") as error:
        read_options({"model": str(tmp_path / "net.tflite"), "bits": "4"})
    assert error.value.hint == "leave bits= out"


def test_the_help_has_every_option_board_and_model() -> None:
    text = help_text()
    options = ("board", "model", "bits", "keep_input", "release", "link")
    for name in (*options, "version", "counter", "key", "port"):
        assert f"    {name}=" in text
    for target in ("run", "boot", "image", "update"):
        assert f"\n    {target} " in text
    for name in [*board_names(), *model_names()]:
        assert name in text


def test_scons_refuses_an_unknown_option_with_exit_code_2(tree: Tree) -> None:
    done = tree.scons("bord=x")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "scons: unknown option 'bord'"
    assert "did you mean 'board'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_scons_prints_its_help(tree: Tree) -> None:
    done = tree.scons("-h")
    assert done.returncode == 0
    assert help_text() in done.stdout


@pytest.mark.parametrize(
    ("board", "package"),
    [
        ("microbit", "gcc-arm-none-eabi picolibc-arm-none-eabi"),
        ("riscv_virt", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"),
        ("native", "gcc"),
    ],
)
def test_a_missing_compiler_names_its_package(
    tree: Tree, tmp_path: Path, board: str, package: str
) -> None:
    done = tree.scons(f"board={board}", "model=small model.tflite", PATH=str(tmp_path))
    assert done.returncode == 3
    assert "is not installed" in done.stderr
    assert f"apt install {package}" in done.stderr


def test_a_compiler_without_picolibc_names_its_package(tree: Tree, tmp_path: Path) -> None:
    compiler = tmp_path / "arm-none-eabi-gcc"
    compiler.write_text("#!/bin/sh\necho picolibc.specs\n")  # as GCC does where it has no such file
    compiler.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = tree.scons("board=microbit", "model=small model.tflite", PATH=path)
    assert done.returncode == 3
    assert "picolibc for arm-none-eabi is not installed" in done.stderr
    assert "picolibc-arm-none-eabi" in done.stderr
