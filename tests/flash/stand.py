# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""`torpor` on a computer that is a folder: `python -m tests.flash.stand FOLDER flash ...`.

The folder has `boards/`, `build/` and `computer/`, below which /sys, /proc and /dev are looked for.
"""

import sys
from pathlib import Path
from types import ModuleType

from torpor.board import load
from torpor.cli import flash
from torpor.cli.main import main
from torpor.flash import sources
from torpor.flash.computer import Computer
from torpor.flash.drive import Patience


def places(root: Path) -> list[tuple[ModuleType, str, object]]:
    """Return what has to be another in which module, so that the folder is all there is."""
    return [
        (load, "BOARDS", root / "boards"),
        (sources, "BUILD", root / "build"),
        (flash, "BUILD", root / "build"),
        (flash, "COMPUTER", Computer(root / "computer")),
        (flash, "PATIENCE", Patience(gone_s=10, back_s=2)),
    ]


if __name__ == "__main__":
    for module, name, value in places(Path(sys.argv[1])):
        setattr(module, name, value)
    sys.argv = ["torpor", *sys.argv[2:]]
    sys.exit(main())
