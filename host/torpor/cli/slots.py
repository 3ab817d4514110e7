# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Show what is in the slots of a device.

Firmware has two slots, A and B; models have three. An image is confirmed (it runs after every
restart), on trial (it runs until it confirms itself, or the device goes back to the confirmed one),
rejected (it was tried and the device went back), ready (sent, not armed) or broken.
"""

import argparse
import json
import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from torpor.cli._device import add_port_arguments, open_device
from torpor.update.state import COMPONENTS, Status, component_of, short_name

COLORS = {"running": "green", "broken": "red", "rejected": "red", "on trial": "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor slots`."""
    add_port_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print an object")


def run(args: argparse.Namespace) -> int:
    """Ask the device, print what it says; 0."""
    with open_device(args) as device:
        status = device.status()
    if args.json:
        print(json.dumps(describe(status), indent=2))
        return 0
    Console().print(_table(status))
    for note in _notes(status):
        print(note, file=sys.stderr)
    return 0


def describe(status: Status) -> dict[str, Any]:
    """Return what --json prints."""
    return {
        "board": status.board,
        "development_key": status.development,
        "counters": {
            name: state.counter for name, state in zip(COMPONENTS, status.components, strict=True)
        },
        "slots": [_describe_slot(status, slot) for slot in range(len(status.slots))],
    }


def _describe_slot(status: Status, slot: int) -> dict[str, Any]:
    place, image = status.slots[slot], status.images.get(slot)
    return {
        "slot": short_name(slot),
        "component": COMPONENTS[component_of(slot)],
        "version": image.version if image else None,
        "hash": image.hash.hex() if image else None,
        "state": status.words(slot),
        "offset": place.offset,
        "size": place.size,
        "link": place.link,
    }


def _table(status: Status) -> Table:
    table = Table(title=escape(status.board), box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("slot", no_wrap=True)
    table.add_column("version", no_wrap=True)
    table.add_column("state", overflow="fold")
    table.add_column("hash", no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    for slot, place in enumerate(status.slots):
        image = status.images.get(slot)
        version, name = (image.version, image.id.hex()) if image else ("-", "-")
        words = ", ".join(_colored(word) for word in status.words(slot))
        table.add_row(short_name(slot), escape(version), words, name, f"{place.size:,}")
    return table


def _colored(word: str) -> str:
    color = COLORS.get(word.partition(",")[0])
    return f"[{color}]{escape(word)}[/]" if color else escape(word)


def _notes(status: Status) -> list[str]:
    """Return what the table has no column for."""
    notes = [
        f"{name}: no image with a security counter below {state.counter} may run"
        for name, state in zip(COMPONENTS, status.components, strict=True)
        if state.counter
    ]
    if status.model.running is None:
        notes.append("model: the one that the firmware has built in runs")
    if status.development:
        notes.append("the device takes images of the development key, which is public")
    return notes
