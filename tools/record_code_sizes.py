#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Measures how much flash each kernel costs on each core, for the compiler's report.

    .venv/bin/python tools/record_code_sizes.py [--check]

Links the firmware of one board of each core without kernels, then with each kernel alone, and
writes host/torpor/compile/code_sizes.toml: `base` is the firmware without kernels; every other
number is the code that is there as soon as one of the kernels named beside it is, because the
linker takes a function once, whoever calls it. So the sum is right for any set of kernels.
--check writes nothing and fails if the file is not up to date.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "site_scons")]

from torpor.board import Board, board_names, load_board  # noqa: E402
from torpor.footprint.mapfile import loaded_objects, pieces  # noqa: E402
from torpor.paths import variant  # noqa: E402
from torpor_build import config, linker  # noqa: E402

TABLE = ROOT / "host" / "torpor" / "compile" / "code_sizes.toml"
HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
# Written by tools/record_code_sizes.py; bytes of flash. `base` is the firmware without kernels and
# plan. Beside the names of kernels: the code that any one of them brings along, once for all.
"""
TOLERANCE = 0.05
IN_FLASH = (".text", ".data")
WORD = 4
STUB_PLAN = (
    '#include "app/model.h"\n'
    "const uint8_t torpor_plan[16] = {0};\nconst uint32_t torpor_plan_length = 16;\n"
)

Piece = tuple[str, str]  # object file and section in it


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
        scons = [sys.executable, "-m", "SCons", "-s", f"board={board.name}"]
        subprocess.run(scons, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        self._board = board
        self._folder = folder
        self._objects = [str(ROOT / path) for path in firmware_objects(board)]
        (folder / "plan.c").write_text(STUB_PLAN)
        (folder / "script.ld").write_text(linker.script(board))
        self._gcc("-c", "plan.c", "-o", "plan.o")

    def code(self, kernels: Sequence[str]) -> dict[Piece, int]:
        """Return piece -> bytes of flash, of the firmware with `kernels` and without a plan."""
        (self._folder / "model.c").write_text(config.model_source(16, 16, kernels))
        self._gcc("-c", "model.c", "-o", "model.o")
        self._gcc(
            *("-nostartfiles", "-Wl,--gc-sections", "-T", "script.ld", "-Wl,-Map=x.map"),
            *("plan.o", "model.o", *self._objects, "-o", "x.elf"),
        )
        return flash_pieces((self._folder / "x.map").read_text())

    def _gcc(self, *arguments: str) -> None:
        command = [
            *(
                f"{self._board.core.toolchain}-gcc",
                "--specs=picolibc.specs",
                *self._board.core.flags,
            ),
            *("-std=c11", "-Os", "-ffunction-sections", "-fdata-sections"),
            *(f"-I{ROOT / 'firmware'}", *arguments),
        ]
        subprocess.run(command, cwd=self._folder, check=True)


def firmware_objects(board: Board) -> list[str]:
    """Return the objects that every firmware of a board consists of, whatever its model."""
    out = f"build/{board.name}"
    text = (ROOT / out / variant("motion") / "firmware.map").read_text()
    return [path for path in loaded_objects(text) if path.startswith(f"{out}/obj/")]


def flash_pieces(text: str) -> dict[Piece, int]:
    """Return piece -> bytes, rounded up to words, of all in a map file that fills flash."""
    sizes: Counter[Piece] = Counter()
    for piece in pieces(text):
        if piece.output in IN_FLASH and piece.name != ".rodata.torpor_plan":
            sizes[piece.object, piece.name] += -(-piece.size // WORD) * WORD
    return dict(sizes)


def measure(board: Board) -> dict[str, int]:
    """Return "base" and names of kernels (with spaces between) -> bytes, on the core of `board`."""
    with tempfile.TemporaryDirectory() as folder:
        link = Linker(board, Path(folder))
        base = link.code([])
        alone = {name: link.code([name]) for name in kernel_names()}
    return {"base": sum(base.values()), **groups(base, alone)}


def groups(base: dict[Piece, int], alone: dict[str, dict[Piece, int]]) -> dict[str, int]:
    """Return names of kernels -> bytes of the pieces that come with exactly those.

    Args:
        base: piece -> bytes of the firmware without kernels.
        alone: kernel -> the pieces and bytes of the firmware with only that kernel.
    """
    users: dict[Piece, list[str]] = {}
    for kernel, code in sorted(alone.items()):
        for piece in code.keys() - base.keys():
            users.setdefault(piece, []).append(kernel)
    sizes: Counter[str] = Counter()
    for piece, names in users.items():
        sizes[" ".join(names)] += alone[names[0]][piece]
    return dict(sorted(sizes.items()))


def render(tables: dict[str, dict[str, int]]) -> str:
    """Return the text of code_sizes.toml."""
    parts = [HEAD]
    for core, sizes in sorted(tables.items()):
        parts.append(f"\n[{core}]\n")
        parts += [f"{_key(name)} = {size}\n" for name, size in sizes.items()]
    return "".join(parts)


def _key(name: str) -> str:
    return f'"{name}"' if " " in name else name


def differences(
    recorded: dict[str, dict[str, int]], measured: dict[str, dict[str, int]]
) -> list[str]:
    """Return a sentence for each number that is off by more than the tolerance and 32 bytes.

    A group that is not there counts as 0 bytes.
    """
    found = []
    for core, sizes in measured.items():
        for name in {**sizes, **recorded.get(core, {})}:
            size, old = sizes.get(name, 0), recorded.get(core, {}).get(name, 0)
            if abs(old - size) > max(32, TOLERANCE * size):
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
