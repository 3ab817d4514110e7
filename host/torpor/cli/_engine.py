# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the commands that build firmware share: --engine, which chooses what runs the model."""

import argparse
import os
from collections.abc import Sequence

from torpor.errors import UsageError, unknown_name
from torpor.paths import ENGINES, TFLM, TORPOR


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


def need(engines: Sequence[str]) -> None:
    """Return if firmware with these engines can be built here.

    Raises:
        UsageError: it is not known where TensorFlow Lite Micro lies.
    """
    if TFLM in engines and not os.environ.get("TFLM_DIR"):
        raise UsageError(
            "TFLM_DIR is not set: it names the tree of TensorFlow Lite Micro, with its library",
            "in it tensorflow/lite/micro/cortex_m_generic/README.md says how that is built",
        )


def shown(engine: str) -> str:
    """Return what a title says after the board; our own engine is not named."""
    return "" if engine == TORPOR else f" with {engine}"
