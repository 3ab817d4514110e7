# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Errors say what to do, and each kind has an exit code of its own."""

import pytest

from torpor import errors
from torpor.errors import TorporError, unknown_name

BOARDS = ["microbit", "mps2_an386", "native"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("microbitt", "microbit"),
        ("mps", "mps2_an386"),
        ("mps2-an386", "mps2_an386"),
        ("n", "native"),
    ],
)
def test_an_unknown_name_suggests_the_nearest_one(name: str, near: str) -> None:
    error = unknown_name("board", name, BOARDS)
    assert error.message == f"unknown board '{name}'"
    assert error.hint == f"did you mean '{near}'? known: microbit, mps2_an386, native"


@pytest.mark.parametrize("name", ["", "zzz", "386"])
def test_a_name_that_is_near_to_none_lists_all(name: str) -> None:
    assert unknown_name("board", name, BOARDS).hint == "known: microbit, mps2_an386, native"


def test_where_nothing_is_known_the_hint_says_so() -> None:
    assert unknown_name("model", "x", []).hint == "known: none"


def test_no_two_kinds_of_error_share_an_exit_code() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, TorporError)]
    codes = {kind.exit_code for kind in kinds}
    assert len(codes) == len(kinds) == 8
    assert codes == set(range(1, 9))


def test_every_error_is_in_the_drawing_with_its_exit_code() -> None:
    drawing = errors.__doc__ or ""
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, TorporError):
            line = next(line for line in drawing.splitlines() if f" {kind.__name__} " in line)
            assert f"exit {kind.exit_code}" in line
