# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the commands that build firmware share: --engine, which chooses what runs the model."""

import argparse
import os
from typing import TYPE_CHECKING

from torpor.board import Board
from torpor.errors import unknown_name
from torpor.paths import ENGINES, TFLM, TORPOR

if TYPE_CHECKING:
    from torpor.tflm.tree import Tflm


def add_engine_argument(parser: argparse._ActionsContainer) -> None:
    """Declare --engine: one."""
    parser.add_argument(
        "--engine",
        type=known_engine,
        default=TORPOR,
        metavar="ENGINE",
        help=f"what runs the model: {' or '.join(ENGINES)}; default: %(default)s",
    )


def add_engines_argument(parser: argparse._ActionsContainer) -> None:
    """Declare --engine: one, or several with commas between."""
    parser.add_argument(
        "--engine",
        type=known_engines,
        default=(TORPOR,),
        metavar="ENGINE,...",
        help=f"what runs the model: {' or '.join(ENGINES)}, or several; default: {TORPOR}",
    )


def known_engine(word: str) -> str:
    """Return the engine that is called `word`.

    Raises:
        UsageError: there is no such engine.
    """
    if word not in ENGINES:
        raise unknown_name("engine", word, ENGINES)
    return word


def known_engines(words: str) -> tuple[str, ...]:
    """Return the engines that are named with commas between, in that order, each once.

    Raises:
        UsageError: there is no such engine.
    """
    return tuple(dict.fromkeys(known_engine(word.strip()) for word in words.split(",")))


def need(engine: str, board: Board) -> None:
    """Return if firmware of a board can have an engine here.

    Raises:
        TorporError: TensorFlow Lite Micro is not there, or none that fits the board.
    """
    if engine == TFLM:
        found_tflm(board)


def found_tflm(board: Board) -> "Tflm":
    """Return the TensorFlow Lite Micro that the build links into firmware of a board.

    Raises:
        UsageError: there is none, none that fits the board, or more than one.
        TorporError: it cannot be read.
    """
    from torpor.tflm.tree import find  # noqa: PLC0415 - not needed by most

    return find(os.environ.get("TFLM_DIR"), os.environ.get("TFLM_LIB"), board.core)


def shown(engine: str) -> str:
    """Return what a title says after the board; our own engine is not named."""
    return "" if engine == TORPOR else f" with {engine}"
