#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Measures how much flash each kernel costs on each core, for the compiler's report.

    .venv/bin/python tools/record_code_sizes.py [--check]

Links the firmware of one board of each core with different tables of kernels and writes
host/torpor/compile/code_sizes.toml. A kernel's number is what a firmware with all int8 kernels
shrinks by without it; `engine` is the rest of that firmware: start-up, driver, wire, application,
executor and what kernels share. --check writes nothing and fails if the file is not up to date.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "site_scons")]

from torpor.board import Board, board_names, load_board  # noqa: E402
from torpor_build import config, linker  # noqa: E402

TABLE = ROOT / "host" / "torpor" / "compile" / "code_sizes.toml"
HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
# Written by tools/record_code_sizes.py; bytes of flash. `engine` is the firmware without kernels
# and plan.
"""
TOLERANCE = 0.05
STUB_PLAN = (
    '#include "app/model.h"\n'
    "const uint8_t torpor_plan[16] = {0};\nconst uint32_t torpor_plan_length = 16;\n"
)


def kernel_names() -> list[str]:
    """Return the operator names of all portable kernels: "CONV_2D_S8", ..."""
    return sorted(path.stem.upper() for path in (ROOT / "firmware/infer/kernels").glob("*.c"))


def cores() -> dict[str, Board]:
    """Return core name -> a board that has it; cores of this computer are left out."""
    boards = [load_board(name) for name in board_names()]
    return {board.core.name: board for board in reversed(boards) if board.memory}


class Linker:
    """Links the firmware of one board with any table of kernels.

    Args:
        board: its objects are built first, if they are not up to date.
        folder: for temporary files.
    """

    def __init__(self, board: Board, folder: Path) -> None:
        objects = ROOT / "build" / board.name / "obj"
        objects.mkdir(parents=True, exist_ok=True)
        scons = [sys.executable, "-m", "SCons", "-s", f"board={board.name}", f"{objects}"]
        subprocess.run(scons, cwd=ROOT, check=True)
        self._board = board
        self._folder = folder
        self._objects = [str(path) for path in sorted(objects.rglob("*.o"))]
        (folder / "plan.c").write_text(STUB_PLAN)
        (folder / "script.ld").write_text(linker.script(board))

    def flash(self, kernels: Sequence[str]) -> int:
        """Return the bytes of flash of the firmware with `kernels` and without a plan."""
        elf = self._folder / "x.elf"
        (self._folder / "model.c").write_text(config.model_source(16, 16, kernels))
        command = [
            *("arm-none-eabi-gcc", "--specs=picolibc.specs", "-nostartfiles", "-std=c11"),
            *(*self._board.core.flags, "-Os", "-Wl,--gc-sections", f"-I{ROOT / 'firmware'}"),
            *("-T", str(self._folder / "script.ld"), "-o", str(elf)),
            *(str(self._folder / "plan.c"), str(self._folder / "model.c"), *self._objects),
        ]
        subprocess.run(command, check=True)
        with elf.open("rb") as file:
            segments = ELFFile(file).iter_segments()
            return sum(s["p_filesz"] for s in segments if s["p_type"] == "PT_LOAD") - 16


def measure(board: Board) -> dict[str, int]:
    """Return "engine" and operator names -> bytes, for the core of `board`."""
    with tempfile.TemporaryDirectory() as folder:
        link = Linker(board, Path(folder))
        names = kernel_names()
        base = [name for name in names if not name.endswith("_S4")]
        total = link.flash(base)
        sizes = {name: total - link.flash([n for n in base if n != name]) for name in base}
        engine = total - sum(sizes.values())
        for name in set(names) - set(base):  # in place of the int8 kernel, whose checks it shares
            without = [n for n in base if n != name.replace("_S4", "_S8")]
            sizes[name] = link.flash([*without, name]) - link.flash(without)
    return {"engine": engine, **dict(sorted(sizes.items()))}


def render(tables: dict[str, dict[str, int]]) -> str:
    """Return the text of code_sizes.toml."""
    parts = [HEAD]
    for core, sizes in sorted(tables.items()):
        parts.append(f"\n[{core}]\n")
        parts += [f"{name} = {size}\n" for name, size in sizes.items()]
    return "".join(parts)


def differences(
    recorded: dict[str, dict[str, int]], measured: dict[str, dict[str, int]]
) -> list[str]:
    """Return a sentence for each number that is off by more than the tolerance and 32 bytes."""
    found = []
    for core, sizes in measured.items():
        for name, size in sizes.items():
            old = recorded.get(core, {}).get(name)
            if old is None or abs(old - size) > max(32, TOLERANCE * size):
                found.append(f"{core} {name}: recorded {old}, measured {size}")
    return found


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail if the file is not up to date")
    arguments = parser.parse_args()
    measured = {core: measure(board) for core, board in cores().items()}
    if not arguments.check:
        TABLE.write_text(render(measured), encoding="utf-8")
        return 0
    from torpor.compile.code_sizes import load  # noqa: PLC0415 - the table must exist

    problems = differences(load(TABLE), measured)
    print("\n".join(problems) or "code_sizes.toml is up to date")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
