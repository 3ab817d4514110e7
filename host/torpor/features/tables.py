# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Lets the front end compute its tables on this computer, for the firmware of any board."""

import subprocess
import tempfile
from pathlib import Path

from torpor.engine.library import compiler
from torpor.paths import FIRMWARE
from torpor.third_party import Library, library

PROGRAM = Path(__file__).with_name("tables.c")
EXACT = "-ffp-contract=off"
"""A fused multiply-add rounds once where the front end rounds twice: other tables."""


def tables_source() -> str:
    """Return the text of features.c: all that firmware/drivers/sound/tables.h declares.

    Raises:
        MissingToolError: no C compiler, or the front end was not fetched.
    """
    front_end = library("microfrontend_tables")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "tables"
        _run([compiler(), *_arguments(front_end), "-lm", "-o", str(program)])
        return _run([str(program)])


def _arguments(front_end: Library) -> list[str]:
    sources = [str(PROGRAM), *map(str, front_end.sources)]
    return ["-std=c11", "-O1", EXACT, f"-I{FIRMWARE}", *front_end.own_flags, *sources, "-x", "none"]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the tables of the sound features cannot be made:\n{done.stderr}")
    return done.stdout
