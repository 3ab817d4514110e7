# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The last step of a build: measure the firmware, hold it against the board's budget."""

import sys
from pathlib import Path
from typing import NoReturn

from torpor.board import Board
from torpor.errors import BudgetError
from torpor.footprint import check_budget, measure, picture, summary


def measure_and_check(
    elf: Path, objects: list[Path], board: Board, link: int | None, target: Path
) -> None:
    """Write footprint.json and print a summary.

    If the firmware is over the budget, print who uses what and end scons with the exit code of
    BudgetError. (SCons turns an exception of an action into exit code 2, SystemExit not.)

    Args:
        elf: the linked firmware; its map file lies beside it.
        objects: what it was linked from; their call graphs lie beside them.
        board: with the budget.
        link: where the image begins, None for the start of the code memory.
        target: the file to write.
    """
    graphs = [obj.with_suffix(".ci").read_text() for obj in objects]
    try:
        footprint = measure(elf, elf.with_suffix(".map").read_text(), graphs, board)
    except BudgetError as error:
        _fail(error.message, error.hint)
    print(f"  {summary(footprint, board)}")
    problems = check_budget(footprint, board, link)
    if problems and board.budget is not None:
        print(picture(footprint, board.budget))
        _fail("; ".join(problems), f"[budget] of boards/{board.name}/board.toml")
    target.write_text(footprint.to_json(), encoding="utf-8")


def _fail(message: str, hint: str) -> NoReturn:
    print(f"scons: {message}\nhint: {hint}", file=sys.stderr)
    sys.exit(BudgetError.exit_code)
