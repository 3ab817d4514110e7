# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What docs/FLASHING.md says of boards and tools is what there is."""

import re
from pathlib import Path

import pytest

from torpor.board import Probe, board_names, load_board
from torpor.board.facts import PROBE_TOOLS
from torpor.cli import flash
from torpor.flash.choose import PROGRAMS, SMP
from torpor.paths import ROOT

TEXT = (ROOT / "docs" / "FLASHING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in board_names() if load_board(name).probe])
def test_every_board_with_a_cable_has_a_section(name: str) -> None:
    assert f"### {name}\n" in TEXT


def test_every_tool_has_a_row_with_how_to_get_it() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .*\| (.*) \|$", TEXT, re.M))
    assert set(rows) == {*PROBE_TOOLS, SMP}
    for tool, (_, get) in PROGRAMS.items():
        assert f"`{get}`" in rows[tool]


def test_every_option_that_it_names_is_there() -> None:
    words = " ".join(re.findall(r"`(--[a-z-]+)", TEXT))
    code = Path(flash.__file__).read_text(encoding="utf-8")
    assert words
    for option in set(words.split()):
        assert f'"{option}"' in code, option


@pytest.mark.parametrize("name", [name for name in board_names() if load_board(name).probe])
def test_a_board_has_what_its_tools_need(name: str) -> None:
    probe = load_board(name).probe
    assert probe is not None and probe.tools
    needs = {
        "openocd": probe.openocd and probe.usb,
        "pyocd": probe.pyocd and probe.usb,
        "esptool": probe.esptool and probe.usb,
        "uf2": probe.uf2_family is not None and probe.volume,
        "drive": probe.volume,
    }
    assert [tool for tool in probe.tools if not needs[tool]] == []
    assert all(re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", one.lower()) for one in probe.usb)


def test_files_and_commands_of_openocd_are_told_apart() -> None:
    assert Probe(("openocd",), openocd=("a.cfg", "transport select swd")).openocd_words == (
        *("-f", "a.cfg"),
        *("-c", "transport select swd"),
    )
