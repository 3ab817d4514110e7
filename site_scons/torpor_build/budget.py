# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The last step of a build: measure the firmware, hold it against the board's budget."""

from pathlib import Path

from SCons.Errors import BuildError

from torpor.board import Board
from torpor.errors import BudgetError
from torpor.footprint import check_budget, measure, picture, summary


def measure_and_check(
    elf: Path, objects: list[Path], board: Board, link: int | None, target: Path
) -> None:
    """Write footprint.json and print a summary.

    Args:
        elf: the linked firmware; its map file lies beside it.
        objects: what it was linked from; their call graphs lie beside them.
        board: with the budget.
        link: where the image begins, None for the start of the code memory.
        target: the file to write.

    Raises:
        BuildError: over the budget, after printing who uses what; ends scons with the exit code
            of BudgetError.
    """
    graphs = [obj.with_suffix(".ci").read_text() for obj in objects]
    try:
        footprint = measure(elf, elf.with_suffix(".map").read_text(), graphs, board)
    except BudgetError as error:
        raise _failure(target, f"{error.message} ({error.hint})") from None
    print(f"  {summary(footprint, board)}")
    problems = check_budget(footprint, board, link)
    if problems and board.budget is not None:
        print(picture(footprint, board.budget))
        raise _failure(target, "; ".join(problems))
    target.write_text(footprint.to_json(), encoding="utf-8")


def _failure(target: Path, message: str) -> BuildError:
    code = BudgetError.exit_code
    return BuildError(node=str(target), errstr=message, status=code, exitstatus=code)
