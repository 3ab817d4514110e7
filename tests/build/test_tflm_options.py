# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""engine=tflm on the command line of scons."""

import re
from pathlib import Path

import pytest

from torpor.board import board_names, load_board
from torpor.errors import UsageError
from torpor.paths import ROOT
from torpor_build.help import help_text
from torpor_build.options import read_options


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TFLM_DIR", "TFLM_LIB"):
        monkeypatch.delenv(name, raising=False)


def test_our_own_engine_is_the_default() -> None:
    options = read_options({})
    assert (options.engine, options.variant) == ("torpor", "motion-int8")
    assert options.environment == {}


def test_another_engine_builds_into_a_folder_of_its_own() -> None:
    assert read_options({"engine": "tflm"}).variant == "motion-int8-tflm"
    wake = {"engine": "tflm", "app": "wake", "always": "1", "bits": "4"}
    assert read_options(wake).variant == "motion-int4-wake-always-tflm"


def test_what_is_called_finds_the_tree_wherever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = read_options({"engine": "tflm", "TFLM_DIR": "my tree"})
    assert options.environment == {"TFLM_DIR": str(tmp_path / "my tree")}


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFLM_DIR", "/theirs")
    monkeypatch.setenv("TFLM_LIB", "/theirs/x.a")
    options = read_options({"engine": "tflm", "TFLM_DIR": "/mine"})
    assert (options.tflm_dir, options.tflm_lib) == ("/mine", "/theirs/x.a")


def test_the_environment_is_no_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFLM_DIR", "/theirs")
    assert read_options({}).engine == "torpor"


@pytest.mark.parametrize("option", ["TFLM_DIR", "TFLM_LIB", "arena"])
def test_options_of_one_engine_are_refused_with_the_other(option: str) -> None:
    with pytest.raises(UsageError) as error:
        read_options({option: "1"})
    assert error.value.message == f"{option}= is for engine=tflm"


def test_an_unknown_engine_names_the_nearest() -> None:
    with pytest.raises(UsageError) as error:
        read_options({"engine": "tfml"})
    assert "tflm" in error.value.hint


def test_an_arena_is_a_number_of_bytes() -> None:
    assert read_options({"engine": "tflm", "arena": "20480"}).arena == 20480
    assert read_options({"engine": "tflm"}).arena is None


@pytest.mark.parametrize(
    "value", ["0", "-1", "20k", "0x100", "³", "268435457", pytest.param("1" * 5000, id="long")]
)
def test_what_is_no_number_of_bytes_is_no_arena(value: str) -> None:
    with pytest.raises(UsageError, match="is no size of an arena"):
        read_options({"engine": "tflm", "arena": value})


def test_boards_whose_compiler_has_no_c_plus_plus_are_refused() -> None:
    refused = []
    for name in board_names():
        try:
            read_options({"engine": "tflm", "board": name})
        except UsageError as error:
            assert "no C++" in error.message
            refused.append(name)
    risc_v = [n for n in board_names() if load_board(n).core.architecture == "riscv"]
    assert refused == risc_v and risc_v


def test_all_boards_are_built_though_some_are_refused() -> None:
    assert read_options({"engine": "tflm"}, ["all-boards"]).engine == "tflm"


def test_the_help_explains_the_options_of_the_engine() -> None:
    text = re.sub(r"\s+", " ", help_text())
    for words in ("engine=torpor | tflm", "TFLM_DIR=FOLDER", "TFLM_LIB=FILE.a", "arena=BYTES"):
        assert words in text
    assert str(ROOT) not in text
