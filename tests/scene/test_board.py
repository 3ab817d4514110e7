# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where a scene may lie on a board, and how the firmware is told."""

import re
import tomllib

import pytest

from torpor.board import board_names, load_board, parse_board
from torpor.errors import UsageError
from torpor.paths import BOARDS
from torpor_build import config

TEXT = (BOARDS / "mps2_an386" / "board.toml").read_text()
TWENTY_MINUTES = 20 * 60 * 16000 * 2 * 0.05  # bytes: 5 % of speech


def moved(origin: int, size: int) -> str:
    """Return the text of a board whose scene lies elsewhere."""
    scene = f"[scene]\norigin = {origin:#x}\nsize = {size:#x}\n"
    return re.sub(r"\[scene\].*?\n\n", f"{scene}\n", TEXT, flags=re.S)


@pytest.mark.parametrize("name", board_names())
def test_memory_for_a_scene_holds_twenty_minutes_of_sound(name: str) -> None:
    scene = load_board(name).scene
    assert scene is None or scene.size > 2 * TWENTY_MINUTES


@pytest.mark.parametrize("name", board_names())
def test_the_firmware_is_told_where_a_scene_may_lie(name: str) -> None:
    board = load_board(name)
    text = config.board_source(board)
    if not board.memory:
        assert "board_scene" not in text  # firmware/port/host/scene.c has it
    elif board.scene:
        assert f"*bytes = {board.scene.size:#x}u;" in text
        assert f"return (const void *){board.scene.origin:#x}u;" in text
    else:
        assert "*bytes = 0x0u;" in text
        assert "return (const void *)0;" in text


@pytest.mark.parametrize(
    ("origin", "size", "words"),
    [
        (0x20000000, 0x1000, r"'memory\.ram' .* overlap"),
        (0x203FFFFC, 8, r"'memory\.ram' .* overlap"),
        (0, 0x1000, r"'memory\.code' .* overlap"),
        (0x21110000, 0x1000, r"'slots\.firmware' .* overlap"),
        (0x21410000, 0x100004, r"'slots\.models' .* overlap"),
        (0x21800002, 0x1000, "no place for a scene"),
        (0x21800000, 0, "no place for a scene"),
        (0xFFFFF000, 0x2000, "no place for a scene"),
    ],
    ids=str,
)
def test_a_scene_lies_where_nothing_else_does(origin: int, size: int, words: str) -> None:
    with pytest.raises(UsageError, match=f"boards/x/board.toml: 'scene' .*{words}"):
        parse_board("x", moved(origin, size), "boards/x/board.toml")


def test_a_scene_may_lie_behind_the_slots_or_outside_of_the_flash() -> None:
    assert tomllib.loads(TEXT)["scene"]["origin"] == 0x21800000
    for origin in (0x21700000, 0x40000000):
        board = parse_board("x", moved(origin, 0x1000), "boards/x/board.toml")
        assert board.scene is not None
        assert board.scene.origin == origin


def test_a_board_may_go_without_a_place_for_scenes() -> None:
    text = re.sub(r"\[scene\].*?\n\n", "", TEXT, flags=re.S)
    assert parse_board("x", text, "boards/x/board.toml").scene is None
