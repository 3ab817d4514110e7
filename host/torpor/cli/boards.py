# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""List the boards that firmware can be built for."""

import argparse
import json

from rich import box
from rich.console import Console
from rich.table import Table

from torpor.board import Board, board_names, load_board


def _emulator(board: Board) -> str | None:
    if board.emulator is None:
        return None
    named = {"qemu": f"QEMU {board.emulator.machine}", "renode": "Renode"}
    return named.get(board.emulator.kind, "this computer")


def describe(board: Board) -> dict[str, str | int | None]:
    """Return what the table says about a board; sizes in bytes, None where it has none."""
    sizes = {name: memory.size for name, memory in board.memory.items()}
    return {
        "name": board.name,
        "core": board.core.name,
        "flash_bytes": sizes.get("code"),
        "ram_bytes": sizes.get("ram"),
        "emulator": _emulator(board),
        "tier": board.tier,
        "title": board.title,
    }


def _size(size: str | int | None) -> str:
    return "-" if size is None else f"{int(size) // 1024}"


def _table(rows: list[dict[str, str | int | None]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption="flash and RAM in KiB")
    for column in ("board", "core"):
        table.add_column(column, no_wrap=True)
    for column in ("flash", "RAM"):  # in KiB: ten boards and their emulators fit 80 columns
        table.add_column(column, no_wrap=True, justify="right")
    table.add_column("emulator", no_wrap=True)
    table.add_column("tier", no_wrap=True)
    for row in rows:
        sizes = _size(row["flash_bytes"]), _size(row["ram_bytes"])
        emulator = str(row["emulator"] or "-")
        table.add_row(str(row["name"]), str(row["core"]), *sizes, emulator, str(row["tier"]))
    return table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor boards`."""
    parser.add_argument("--json", action="store_true", help="print a list of objects")


def run(args: argparse.Namespace) -> int:
    """Print the boards."""
    rows = [describe(load_board(name)) for name in board_names()]
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        Console().print(_table(rows))
    return 0
