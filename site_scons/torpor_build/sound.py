# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The tables of the sound features in the build: made on this computer, the same for all boards."""

from pathlib import Path
from typing import Any

from SCons.Script import Action

from torpor.paths import FIRMWARE, ROOT
from torpor.third_party import library

HEADERS = ("microfrontend",)
FOLDER = "drivers/sound"


def tables(env: Any, target: str) -> Any:
    """Declare the C file that firmware/drivers/sound/tables.h promises."""
    ours = [*sorted((ROOT / "host" / "torpor" / "features").glob("tables.*"))]
    ours += sorted((FIRMWARE / FOLDER).glob("*.h"))
    theirs = [env.fs.File(str(path)) for path in library("microfrontend_tables").sources]
    sources = [*(env.fs.File(str(path)) for path in ours), *theirs]
    return env.Command(target, sources, Action(_write, "  write   $TARGET"))[0]


def _write(target: list[Any], source: list[Any], env: Any) -> None:
    from torpor.features.tables import tables_source  # noqa: PLC0415 - not where nothing is to do

    Path(str(target[0])).write_text(tables_source(), encoding="utf-8")
