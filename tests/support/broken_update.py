# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The update code broken on purpose, one mistake at a time; the repository stays as it is."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from torpor.paths import FIRMWARE, ROOT
from torpor.powercut.library import proof_library

LIST = ROOT / "tests" / "powercut" / "broken.toml"

_PRAGMAS = "".join(
    f'#pragma GCC diagnostic ignored "-Wunused-{what}"\n' for what in ("function", "parameter")
)
"""What a mistake leaves over is no error of the compiler's."""


@dataclass(frozen=True)
class Broken:
    """A mistake.

    Attributes:
        name: what is wrong, in a few words.
        scenario: that notices it.
        kind: of the failures that it leads to (torpor.powercut.proof.FAILURES).
        file: in firmware/update, or with its folder in firmware.
        changes: texts that stand there once, and what they become.
    """

    name: str
    scenario: str
    kind: str
    file: str
    changes: tuple[tuple[str, str], ...]


def mistakes(path: Path = LIST) -> list[Broken]:
    """Return the list."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["broken"]
    return [Broken(**{**e, "changes": tuple(map(tuple, e["changes"]))}) for e in entries]


def build(mistake: Broken, folder: Path) -> Path:
    """Compile the proof with a mistake; return the library's path.

    Args:
        mistake: what is changed.
        folder: for the changed file.
    """
    original = FIRMWARE / ("" if "/" in mistake.file else "update") / mistake.file
    text = original.read_text(encoding="utf-8")
    for old, new in mistake.changes:
        assert text.count(old) == 1, f"{mistake.file} has changed: {old!r}"
        text = text.replace(old, new)
    changed = folder / original.name
    changed.write_text(_PRAGMAS + text, encoding="utf-8")
    return proof_library(replaced={original: changed})
