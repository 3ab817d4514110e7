# SPDX-License-Identifier: Apache-2.0
"""The command line: one module a command, discovered.

A command module has a docstring (its first line is the help text), `add_arguments(parser)` and
`run(args) -> int`. stdout carries data, stderr carries talk. What several commands share is
here, or in a module whose name begins with an underscore.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from torpor.errors import ModelError


def whole_number(low: int) -> Callable[[str], int]:
    """Return an argparse type: a decimal number of at least `low`."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or int(text) < low:
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number from {low} on")
        return int(text)

    return convert


def read_model(path: Path) -> bytes:
    """Return the content of a model file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None
