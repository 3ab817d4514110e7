# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where the build reads and writes: what is "#" to SCons is the user's folder, not always ours."""

from pathlib import Path

from torpor.paths import ROOT


def ours(path: Path | str) -> str:
    """Return a file or folder of this repository as SCons takes it: it lies elsewhere than "#"."""
    return str(ROOT / path).replace("$", "$$")
