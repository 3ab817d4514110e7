# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The last step of a build: measure the firmware, hold it against the board's budget."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torpor.board import Board
from torpor.errors import BudgetError, TorporError
from torpor.footprint import Calls, check_budget, engine_stack, measure, picture, summary


def measure_and_check(  # noqa: PLR0917 - what a step of the build knows
    elf: Path,
    objects: list[Path],
    board: Board,
    link: int | None,
    target: Path,
    calls: tuple[dict[str, dict[str, Any]], str] | None = None,
    engine: list[str] | None = None,
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
        calls: what an application elsewhere declares, and where.
        engine: TensorFlow Lite Micro runs the model; its arena.json, if there is one.
    """
    own = Calls(*calls) if calls else None
    graphs = [obj.with_suffix(".ci").read_text(encoding="utf-8") for obj in objects]
    stack = None if engine is None else engine_stack(*map(Path, engine))
    with failing():
        map_text = elf.with_suffix(".map").read_text(encoding="utf-8")
        footprint = measure(elf, map_text, graphs, board, own, stack)
        print(f"  {summary(footprint, board)}")
        problems = check_budget(footprint, board, link)
        if problems and board.budget is not None:
            print(picture(footprint, board.budget))
            hint = f"[budget] of boards/{board.name}/board.toml"
            raise BudgetError("; ".join(problems), hint)
    target.write_text(footprint.to_json(), encoding="utf-8")


@contextmanager
def failing() -> Iterator[None]:
    """End scons with a user's error and its exit code, from within a step of the build."""
    try:
        yield
    except TorporError as error:
        print(f"scons: {error.message}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
