# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Show what is in the slots of a device.

Firmware has two slots, A and B; models have three. An image is confirmed (it runs after every
restart), on trial (it runs until it confirms itself, or the device goes back to the confirmed one),
rejected (it was tried and the device went back), ready (sent, not armed) or broken. The arena is
what a firmware offers to models, or a model needs.
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
from torpor.image.capability import engine_name
from torpor.image.describe import can_run, needs
from torpor.monitor.plain import printable
from torpor.update.state import (
    COMPONENTS,
    SLOTS,
    Content,
    SlotImage,
    Status,
    component_of,
    short_name,
)

HASH_DIGITS = 8  # as many as tell builds apart; --json has all
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
        "key": status.key_hash.hex() or None,
        "counters": {
            name: state.counter for name, state in zip(COMPONENTS, status.components, strict=True)
        },
        "slots": [_describe_slot(status, slot) for slot in range(len(status.slots))],
    }


def _describe_slot(status: Status, slot: int) -> dict[str, Any]:
    place, image = status.slots[slot], status.images.get(slot)
    content = image.content if image else None
    return {
        "slot": short_name(slot),
        "component": COMPONENTS[component_of(slot)],
        "version": image.version if image else None,
        "hash": image.hash.hex() if image else None,
        "state": status.words(slot),
        "offset": place.offset,
        "size": place.size,
        "link": place.link,
        "name": (content.name if content else "") or None,
        "bytes": content.size if content else None,
        "counter": content.counter if content else None,
        "can_run": can_run(content.capability) if content else None,
        "needs": needs(content.plan) if content else None,
    }


def _table(status: Status) -> Table:
    table = Table(
        title=escape(status.board), caption=_sizes(status), box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("slot", no_wrap=True)
    table.add_column("image", overflow="fold")
    table.add_column("state", overflow="fold")
    table.add_column("engine", no_wrap=True)
    table.add_column("arena", justify="right", no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("hash", no_wrap=True)
    for slot in range(len(status.slots)):
        image = status.images.get(slot)
        words = ", ".join(_colored(word) for word in status.words(slot))
        engine, arena, size = _content(image.content if image else None)
        name = image.hash.hex()[:HASH_DIGITS] if image else "-"
        table.add_row(short_name(slot), _title(image), words, engine, arena, size, name)
    return table


def _sizes(status: Status) -> str:
    firmware, model = (f"{status.slots[slots[0]].size:,}" for slots in SLOTS)
    return f"slots of {firmware} bytes for firmware, {model} for models"


def _title(image: SlotImage | None) -> str:
    """Return how people call an image: a firmware by its version, a model by its name too."""
    name = image.content.name if image and image.content else ""
    return escape(printable(" ".join(filter(None, (name, image.version if image else "-")))))


def _content(content: Content | None) -> tuple[str, str, str]:
    """Return engine, arena and bytes: what a firmware offers to models, what a model needs."""
    if content is None:
        return "-", "-", "-"
    size = f"{content.size:,}"
    if content.plan is not None:
        return engine_name(content.plan["target"]), f"{content.plan['arena_bytes']:,}", size
    if content.capability is not None:
        return content.capability.engine, f"{content.capability.arena_bytes:,}", size
    return "-", "-", size


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
