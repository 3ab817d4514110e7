# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a residency costs on a board, if its board.toml says what its states draw."""

import functools
import math
from collections.abc import Mapping

from torpor import energy
from torpor.board import Board, load_board
from torpor.errors import TorporError
from torpor.monitor.document import Energy

NANOSECONDS = 1e9


def estimate(board: str, residency: Mapping[str, float], sensor: str = "motion") -> Energy | None:
    """Estimate charge a day and days of battery from shares of the time, replay included.

    Where a board exists in the emulator only, its time is that of the emulator's instructions:
    the shares are turned into those of the chip whose currents board.toml has. A microphone keeps
    a chip from its deepest sleep. None: the board is
    unknown here or has no table of currents, or the chip could not do the work.
    """
    facts = _board(board)
    if facts is None or facts.power is None:
        return None
    try:
        made = energy.estimate(_of_the_chip(facts, residency), facts.power, sensor or "motion")
    except TorporError:
        return None
    if not math.isfinite(made.days_estimated):
        return None
    return {
        "mah_per_day_estimated": made.mah_per_day_estimated,
        "days_estimated": made.days_estimated,
    }


def _of_the_chip(board: Board, residency: Mapping[str, float]) -> Mapping[str, float]:
    shift = board.emulator.icount_shift if board.emulator else None
    if board.tier != "emulated" or shift is None or board.power is None:
        return residency
    return energy.scaled(residency, NANOSECONDS / 2**shift, board.power)


@functools.cache
def _board(name: str) -> Board | None:
    try:
        return load_board(name)
    except TorporError:
        return None
