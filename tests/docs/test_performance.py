# SPDX-License-Identifier: Apache-2.0
"""docs/PERFORMANCE.md: how it is made. It names the commit that it was measured at."""

import dataclasses
import re

import pytest

from tools.performance import PAGE, Gap, collect, page, tool_versions
from torpor.bench import Measurement, OpCost, Subject
from torpor.board import Board, load_board
from torpor.errors import BudgetError, UnsupportedError

BOARD = load_board("mps2_an386")


def op(kernel: str, macs: int, insn: int) -> OpCost:
    return OpCost(1, kernel, "y", (1, 4), macs, insn, 8, 4)


ROW = Measurement(
    model="net",
    board=BOARD.name,
    engine="torpor",
    insn=1234567,
    insn_per_mac=2.5,
    macs=493827,
    code_bytes=7000,
    rodata_bytes=200,
    model_bytes=30000,
    ram_bytes=1100,
    stack_bytes=None,
    init_insn=40000,
    byte_equal=True,
    inputs=5,
    loaded_bytes=900,
    stored_bytes=300,
    ops=(op("CONV", 40, 600), op("SOFT", 0, 2), op("CONV", 60, 398)),
    difference="",
)


def fake(subject: Subject, board: Board, inputs: int) -> Measurement:
    if subject.name == "huge":
        raise BudgetError("it does not fit")
    if subject.name == "odd":
        raise UnsupportedError("an operator is missing")
    return dataclasses.replace(ROW, model=subject.name, board=board.name, inputs=inputs)


def subject(name: str) -> Subject:
    return Subject(name, name)


def test_every_pair_is_measured_or_a_gap(capsys: pytest.CaptureFixture[str]) -> None:
    rows, gaps = collect(map(subject, ["net", "huge", "odd"]), [BOARD], fake)
    assert [(row.model, row.board) for row in rows] == [("net", BOARD.name)]
    assert gaps == [
        Gap("huge", BOARD.name, "it does not fit"),
        Gap("odd", BOARD.name, "an operator is missing"),
    ]
    assert capsys.readouterr().err.splitlines()[0] == "net on mps2_an386"


def test_the_page_has_each_number_and_a_dash_for_what_is_not_known() -> None:
    text = page([ROW], [], [BOARD], {"torpor": "1.2.3"})
    assert "| torpor | 1.2.3 |" in text
    assert "| net | 493,827 | 1,234,567 | 2.50 | 900 | 300 | yes |" in text
    assert "| net | 7,000 | 200 | 30,000 | 1,100 | - | 40,000 |" in text
    assert "Not measured" not in text
    assert "**no**" in page([dataclasses.replace(ROW, byte_equal=False)], [], [BOARD], {})


def test_operators_of_a_kind_are_summed_and_the_biggest_comes_first() -> None:
    text = page([ROW], [], [BOARD], {})
    assert "| CONV | 2 | 100 | 998 | 99.8% | 9.98 | 16 | 8 |" in text
    assert "SOFT" not in text  # below the share that is named


def test_a_gap_is_told_once_for_all_its_boards() -> None:
    two = [BOARD, load_board("microbit")]
    gaps = [Gap("odd", board.name, "why") for board in two] + [Gap("big", "microbit", "too big")]
    text = page([ROW], gaps, two, {})
    assert "- odd on every board: why\n- big on microbit: too big\n" in text


def test_versions_are_of_every_compiler_and_emulator() -> None:
    found = tool_versions([BOARD])
    assert list(found) == ["torpor", "arm-none-eabi-gcc", "qemu-system-arm"]
    assert all(re.search(r"\d+\.\d+", version) for version in found.values())


def test_the_page_says_that_cycles_are_not_known_and_no_milliseconds() -> None:
    text = PAGE.read_text()
    assert "how many cycles a chip needs is not known" in text
    assert not re.search(r"\d ?ms\b", text)
    assert f"## `{BOARD.name}`" in text
