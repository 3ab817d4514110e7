# SPDX-License-Identifier: Apache-2.0
"""Old measurements against new ones: what counts as worse, and what is only named."""

import json
from pathlib import Path
from typing import Any

import pytest

from torpor.bench.against import SIZES, compare, read
from torpor.errors import UsageError


def row(model: str = "m", board: str = "b", **changes: Any) -> dict[str, Any]:
    sizes = dict.fromkeys(SIZES, 1000)
    return {
        "model": model,
        "board": board,
        "engine": "torpor",
        **sizes,
        "byte_equal": True,
        **changes,
    }


def test_equal_measurements_are_not_worse() -> None:
    found = compare([row()], [row()], 0)
    assert (found.worse, found.missing) == ((), ())


@pytest.mark.parametrize("name", SIZES)
def test_every_size_that_grows_is_named_with_both_numbers(name: str) -> None:
    found = compare([row()], [{**row(), name: 1030}], 2)
    assert found.worse == (f"m on b: {name} 1,000 -> 1,030, 3.00 % more",)


@pytest.mark.parametrize(("now", "worse"), [(1020, 0), (1021, 1), (900, 0)])
def test_the_threshold_is_the_growth_that_is_still_allowed(now: int, worse: int) -> None:
    assert len(compare([row()], [row(insn=now)], 2).worse) == worse


def test_something_that_was_nothing_is_worse_whatever_the_threshold() -> None:
    (line,) = compare([row(rodata_bytes=0)], [row(rodata_bytes=4)], 1000).worse
    assert line == "m on b: rodata_bytes 0 -> 4, from nothing"


def test_bytes_that_are_no_longer_equal_are_worse() -> None:
    assert compare([row()], [row(byte_equal=False)], 5).worse == (
        "m on b: bytes are no longer equal",
    )
    assert compare([row(byte_equal=False)], [row(byte_equal=False)], 5).worse == ()


def test_pairs_of_one_side_only_are_named_and_no_failure() -> None:
    found = compare([row("a"), row("c")], [row("a"), row("d", engine="other")], 1)
    assert found.worse == ()
    assert found.missing == (
        "d on b with other: not in the old measurements",
        "c on b: not measured now",
    )


def test_the_same_model_on_another_board_is_another_pair() -> None:
    found = compare([row(board="a", insn=10)], [row(board="b", insn=1000)], 1)
    assert found.worse == ()
    assert len(found.missing) == 2


def test_a_number_that_is_not_known_any_more_is_named() -> None:
    found = compare([row()], [row(insn=None)], 1)
    assert (found.worse, found.missing) == ((), ("m on b: insn is not measured any more",))
    assert compare([row(insn=None)], [row()], 1).missing == ()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps([row(stack_bytes=None)]))
    assert read(path) == [row(stack_bytes=None)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '[{"model": "m"}]',
        json.dumps([{**row(), "insn": "many"}]),
        json.dumps([{k: v for k, v in row().items() if k != "ram_bytes"}]),
    ],
)
def test_another_file_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is no output of torpor bench --json"):
        read(path)
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path / "none.json")
