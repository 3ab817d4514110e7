# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which files of firmware/port a board consists of."""

import sys

import pytest

from torpor.board import board_names, load_board
from torpor.paths import FIRMWARE, ROOT

sys.path.insert(0, str(ROOT / "site_scons"))
from torpor_build import steps

PORT = FIRMWARE / "port"


def chosen(name: str) -> list[str]:
    return [str(path.relative_to(PORT)) for path in steps.port_files(load_board(name))]


def test_a_file_of_the_port_takes_the_place_of_the_architecture_s() -> None:
    files = chosen("stm32f4_discovery")
    assert "stm32f4/sleep.c" in files and "cortexm/sleep.c" not in files
    assert "cortexm/cpu.c" in files


def test_chips_of_one_maker_share_a_folder() -> None:
    for name, own in (("microbit", "nrf51"), ("nrf52840dk", "nrf52")):
        files = chosen(name)
        assert {"nrf/flash.c", "nrf/watchdog.c", "nrf/cause.c", f"{own}/nvmc.c"} <= set(files)
    assert not any(file.startswith("nrf/") for file in chosen("rp2040_pico"))


def test_without_one_it_is_the_architecture_s() -> None:
    assert "cortexm/sleep.c" in chosen("mps2_an386")


@pytest.mark.parametrize("name", board_names())
def test_no_file_is_there_twice_and_each_exists(name: str) -> None:
    files = chosen(name)
    assert len(files) == len(set(files))
    assert [file for file in files if not (PORT / file).is_file()] == []


@pytest.mark.parametrize("name", board_names())
def test_every_board_has_one_of_each_hook(name: str) -> None:
    stems = [file.rpartition("/")[2] for file in chosen(name)]
    hooks = [*steps.HOOKS, *(steps.BARE_HOOKS if load_board(name).memory else ())]
    assert [stems.count(f"{hook}.c") for hook in hooks] == [1] * len(hooks)
