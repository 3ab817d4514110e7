# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The command line of scons: what it takes, and how it refuses the rest."""

import os
from pathlib import Path

import pytest

from tests.build.conftest import Tree
from torpor.board import board_names
from torpor.errors import UsageError
from torpor_build.options import help_text, model_names, read_options


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


def test_a_quantized_file_is_a_model_whose_name_is_its_stem(tmp_path: Path) -> None:
    file = tmp_path / "my net.tflite"
    file.touch()
    options = read_options({"model": str(file), "bits": "4"})
    assert (options.model, options.bits, options.variant) == (file, 0, "my net")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"bord": "x"}, "unknown option 'bord'", "did you mean 'board'"),
        ({"board": "microbitt"}, "unknown board 'microbitt'", "did you mean 'microbit'"),
        ({"model": "motoin"}, "unknown model 'motoin'", "did you mean 'motion'"),
        ({"model": "none.tflite"}, "no such file", ""),
        ({"bits": "5"}, "unknown value of bits '5'", "known: 4, 8"),
        ({"release": "maybe"}, "unknown value of release 'maybe'", "known: 0, 1"),
        ({"keep_input": "2"}, "unknown value of keep_input '2'", "known: 0, 1"),
        ({"link": "start"}, "link=start is no address", "0x"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(
    arguments: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as error:
        read_options(arguments)
    assert message in error.value.message
    assert hint in error.value.hint


def test_the_help_has_every_option_board_and_model() -> None:
    text = help_text()
    for name in ("board", "model", "bits", "keep_input", "release", "link"):
        assert f"    {name}=" in text
    for name in [*board_names(), *model_names()]:
        assert name in text
    assert " run " in text


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
    [("microbit", "gcc-arm-none-eabi picolibc-arm-none-eabi"), ("native", "gcc")],
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
