# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Show what a device has tried, confirmed and gone back from, and why.

The device keeps its last events in flash; they are numbered from 0 on for its whole life. Where a
run ended in a fault or a hang, the table says where. The names of functions come from the build of
the very image that ran, if it is still in build/, or from --elf.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from torpor.cli import whole_number
from torpor.cli._device import add_port_arguments, open_device
from torpor.update.builds import Builds
from torpor.update.journal import ATTEMPTS, Event
from torpor.update.state import short_name
from torpor.update.symbols import Symbols

COLORS = {"confirmed": "green", "reverted": "red", "refused": "red"}
SPECIAL = {
    ("armed", "empty"): "by itself: nothing was confirmed",
}
"""What is not said well by the sentence of the reason."""
Name = Callable[[Event, int], str | None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor history`."""
    add_port_arguments(parser)
    parser.add_argument(
        "--elf", type=Path, metavar="FILE", help="firmware to take the names of functions from"
    )
    parser.add_argument(
        "--last", type=whole_number(1), metavar="N", help="show the last N events only"
    )
    parser.add_argument("--json", action="store_true", help="print a list of objects")


def run(args: argparse.Namespace) -> int:
    """Ask the device, print its events; 0."""
    given = Symbols.read(args.elf) if args.elf else None
    with open_device(args) as device:
        board = device.state().board
        events = device.events()[-(args.last or 0) :]
    name = _names(board, given)
    if args.json:
        print(json.dumps([describe(event, name) for event in events], indent=2))
    elif events:
        Console().print(_table(events, name))
    else:
        print("nothing has happened yet", file=sys.stderr)
    return 0


def _names(board: str, given: Symbols | None) -> Name:
    """Return a function that names an address in the firmware that an event is about."""
    builds = Builds(board)

    def name(event: Event, address: int) -> str | None:
        symbols = given or builds.symbols(event.id)
        return symbols.name(address) if symbols else None

    return name


def describe(event: Event, name: Name) -> dict[str, Any]:
    """Return what --json prints of an event; `name` names addresses."""
    places = {"pc": event.pc, "lr": event.lr}
    return {
        "number": event.number,
        "event": event.kind,
        "slot": None if event.slot is None else short_name(event.slot),
        "version": str(event.version) if event.has_version else None,
        "id": event.id.hex(),
        "attempt": event.attempt or None,
        "reason": event.reason.name if event.reason.number else None,
        "why": event.reason.sentence if event.reason.number else None,
        **places,
        **{f"{key}_name": at and name(event, at) for key, at in places.items()},
        "counter": event.counter,
        "length": event.length,
    }


def _table(events: list[Event], name: Name) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("slot", no_wrap=True)
    table.add_column("version", no_wrap=True)
    table.add_column("why", overflow="fold")
    for event in events:
        slot = "-" if event.slot is None else short_name(event.slot)
        version = str(event.version) if event.has_version else "-"
        why = escape("\n".join(_why(event, name)))
        table.add_row(str(event.number), _what(event), slot, version, why)
    return table


def _what(event: Event) -> str:
    words = f"attempt {event.attempt} of {ATTEMPTS}" if event.kind == "attempt" else event.kind
    color = COLORS.get(event.kind)
    return f"[{color}]{escape(words)}[/]" if color else escape(words)


def _why(event: Event, name: Name) -> list[str]:
    """Return the lines that explain an event."""
    lines = [event.reason.sentence] if event.reason.number else []
    special = SPECIAL.get((event.kind, event.reason.name))
    if special:
        lines = [special]
    elif event.kind == "armed" and lines:
        lines = [f"by itself; what was confirmed: {lines[0]}"]
    if event.kind == "upload":
        lines.append(f"a file of {event.length:,} bytes")
    if event.counter:
        lines.append(f"security counter {event.counter}")
    places = [
        f"{word} {address:#010x} {name(event, address) or ''}".rstrip()
        for word, address in (("at", event.pc), ("from", event.lr))
        if address is not None
    ]
    return [*lines, ", ".join(places)] if places else lines
