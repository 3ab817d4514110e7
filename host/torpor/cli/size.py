# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Show what is how large in a firmware, and who grew.

`scons ... size` calls it with the sizes of the last commit to compare with.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from torpor.cli import whole_number
from torpor.footprint import sizes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor size`."""
    parser.add_argument(
        "firmware", metavar="FOLDER|ELF", type=Path, help="a folder in build/<board>/, or a file"
    )
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="compare with these: what --json printed"
    )
    parser.add_argument("--name", default="", help="what --against is called in the table")
    parser.add_argument(
        "--top", type=whole_number(1), default=15, metavar="N", help="symbols; default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="print an object, with every symbol")


def run(args: argparse.Namespace) -> int:
    """Print the sizes; 0."""
    elf = args.firmware / "firmware.elf" if args.firmware.is_dir() else args.firmware
    now = sizes.read(elf)
    before = sizes.load(args.against) if args.against else None
    if args.json:
        print(json.dumps(_object(now, before), indent=1, sort_keys=True))
        return 0
    console = Console()
    console.print(_sections(now, before, elf.name))
    console.print(_top(now, args.top))
    if before:
        _print_grown(console, now, before, args)
    return 0


def _object(now: sizes.Sizes, before: sizes.Sizes | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(now.to_json())
    return found if before is None else {**found, "grown": now.grown(before)}


def _table(title: str, *columns: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title=escape(title) or None, title_justify="left"
    )
    for column in columns:
        is_text = column in ("section", "symbol", "lies in")
        table.add_column(column, justify="left" if is_text else "right", overflow="fold")
    return table


def _sections(now: sizes.Sizes, before: sizes.Sizes | None, title: str) -> Table:
    table = _table(title, "section", "bytes", *(["change"] if before else []))
    for name in {**now.sections, **(before.sections if before else {})}:
        size = now.sections.get(name, 0)
        change = [f"{size - before.sections.get(name, 0):+,}"] if before else []
        table.add_row(escape(name), f"{size:,}", *change)
    return table


def _top(now: sizes.Sizes, top: int) -> Table:
    table = _table("the largest", "symbol", "lies in", "bytes")
    order = sorted(now.symbols.items(), key=lambda item: (-item[1], item[0]))
    for name, size in order[:top]:
        table.add_row(escape(name), now.places[name], f"{size:,}")
    return table


def _print_grown(
    console: Console, now: sizes.Sizes, before: sizes.Sizes, args: argparse.Namespace
) -> None:
    name, changes = args.name or args.against, list(now.grown(before).items())
    if not changes:
        console.print(f"no symbol has changed since {escape(str(name))}")
        return
    total = sum(change for _, change in changes)
    console.print(f"changed since {escape(str(name))}: {total:+,} bytes of symbols")
    table = _table("", "symbol", "lies in", "change")
    for symbol, change in _ends(changes, args.top):
        place = now.places.get(symbol) or f"{before.places[symbol]}, gone"
        table.add_row(escape(symbol), place, f"{change:+,}")
    console.print(table)


def _ends(changes: list[tuple[str, int]], top: int) -> list[tuple[str, int]]:
    """Return at most `top` changes: more of those that grew most than of those that shrank most."""
    if len(changes) <= top:
        return changes
    shrunk = top // 3
    return [*changes[: top - shrunk], *changes[len(changes) - shrunk :]]
