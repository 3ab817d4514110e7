# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Two engines beside each other: what is divided by what, and how it looks in 80 columns."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from tests.bench.rows import OURS, THEIRS, both
from torpor.bench import Measurement
from torpor.cli import bench
from torpor.cli._beside import BYTES, WORK, Column, Pair, flash_bytes, groups, pairs

ORDER = ("tflm", "torpor")
LARGE = {
    "model": "tflite_micro_magic_wand",
    "insn": 1_182_593_687,
    "loaded_bytes": 148_608_194,
    "stored_bytes": 111_118_420,
    "model_bytes": 271_760,
}


def column(name: str) -> Column:
    return next(one for one in (*WORK, *BYTES) if one.name == name)


def shown(rows: Sequence[Measurement], engines: Sequence[str] = ORDER) -> list[str]:
    """Return the lines that a terminal of 80 columns shows."""
    text = io.StringIO()
    console = Console(file=text, width=80)
    for table in bench._tables(rows, engines):
        console.print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def cells(lines: Sequence[str], name: str) -> list[list[str]]:
    """Return the numbers of the rows called `name`, from each table."""
    return [line.strip()[len(name) :].split() for line in lines if line.strip().startswith(name)]


@pytest.mark.parametrize(
    ("name", "ratio"),
    [
        ("instructions", 0.5),
        ("a MAC", 10.367 / 20.735),
        ("loaded", 0.5),
        ("stored", 4.0),
        ("code", 0.2),
        ("flash", (8_028 + 287 + 7_664) / (40_140 + 1_435 + 8_000)),
        ("model", 0.958),
        ("RAM", 0.25),
        ("stack", 0.25),
        ("at start", 2.0),
    ],
)
def test_a_ratio_is_of_the_engine_that_was_named_first(name: str, ratio: float) -> None:
    (pair,) = pairs(both(), "tflm")
    assert pair.name == "torpor / tflm"
    assert pair.ratio(column(name)) == pytest.approx(ratio)


def test_the_order_of_the_engines_turns_the_ratio_over() -> None:
    (pair,) = pairs([OURS, THEIRS], "torpor")
    assert pair.name == "tflm / torpor"
    assert pair.ratio(column("instructions")) == pytest.approx(2.0)


def test_every_column_has_a_test_above() -> None:
    marks = test_a_ratio_is_of_the_engine_that_was_named_first.pytestmark  # type: ignore[attr-defined]
    tested = {name for name, _ in marks[0].args[1]}
    assert tested == {one.name for one in (*WORK, *BYTES)}


@pytest.mark.parametrize("insn", [None, 0])
def test_what_is_not_known_or_nothing_has_no_ratio(insn: int | None) -> None:
    pair = Pair(replace(THEIRS, insn=insn), OURS)
    assert pair.ratio(column("instructions")) is None
    assert Pair(OURS, replace(THEIRS, insn=None)).ratio(column("instructions")) is None


def test_an_engine_that_could_not_be_measured_leaves_no_ratio() -> None:
    assert list(pairs([OURS], "tflm")) == []
    lines = shown([OURS])
    assert cells(lines, "    torpor".strip())[0][0] == "1,593,741"
    assert not [line for line in lines if "/" in line]


def test_measurements_are_grouped_by_model_and_board_whatever_lies_between() -> None:
    rows = [*both(), *both(board="microbit"), *both(model="motion-int4")]
    found = groups([*rows[::2], *rows[1::2]])
    assert [{(row.model, row.board) for row in group} for group in found] == [
        {("motion-int8", "mps2_an386")},
        {("motion-int8", "microbit")},
        {("motion-int4", "mps2_an386")},
    ]
    assert all([row.engine for row in group] == list(ORDER) for group in found)


def test_flash_is_code_constants_and_model() -> None:
    assert flash_bytes(OURS) == 8_028 + 287 + 7_664


def test_a_person_sees_both_engines_and_what_is_gained() -> None:
    lines = shown(both())
    assert cells(lines, "tflm") == [
        ["3,187,482", "20.73", "2,518,832", "101,035", "yes"],
        ["49,575", "40,140", "8,000", "4,464", "1,744", "19,067"],
    ]
    assert cells(lines, "torpor / tflm") == [
        ["0.50", "0.50", "0.50", "4.00"],
        ["0.32", "0.20", "0.96", "0.25", "0.25", "2.00"],
    ]
    assert [line.strip() for line in lines].count("motion-int8") == 2  # once a table


def test_the_model_and_the_board_are_named_once_a_table() -> None:
    lines = shown([*both(), *both(board="microbit")])
    assert sum("motion-int8" in line for line in lines) == 2
    assert sum("mps2_an386" in line for line in lines) == 2
    assert sum("torpor / tflm" in line for line in lines) == 4


def test_large_models_with_long_names_fit_80_columns() -> None:
    lines = shown(both(**LARGE))
    assert max(map(len, lines)) <= 80
    assert cells(lines, "tflm")[0] == [
        "1,182,593,687",
        "20.73",
        "148,608,194",
        "111,118,420",
        "yes",
    ]


def test_different_bytes_are_said_at_their_engine() -> None:
    lines = shown([replace(THEIRS, byte_equal=False), OURS])
    assert cells(lines, "tflm")[0][-1] == "NO"
    assert cells(lines, "torpor")[0][-1] == "yes"


def test_one_engine_alone_is_shown_as_ever() -> None:
    lines = shown([OURS], ["torpor"])
    assert "/" not in "".join(lines)
    assert cells(lines, "mps2_an386")[1] == ["8,028", "287", "7,664", "1,116", "436", "38,134"]


def test_each_object_of_json_names_its_engine() -> None:
    rows = json.loads(json.dumps([row.to_json() for row in both()]))
    assert [row["engine"] for row in rows] == list(ORDER)
    assert {row["macs"] for row in rows} == {153_728}
