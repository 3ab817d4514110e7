# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Fetch, label and export the inputs that a device has kept.

A device keeps a few inputs at random and those that its model was not sure of (see [wake.samples]
of model.toml). `fetch` adds what is new to a folder: a table, samples.csv, and a file of bytes for
each. Labels go into the table, by hand or with `label`. `export` makes .npz files of what the model
was fed: numbers, codes, labels, scores; one for each plan, found by its CRC in build/ or given.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from torpor.cli._device import add_port_arguments
from torpor.errors import UsageError
from torpor.link import DeviceClient, open_transport
from torpor.monitor.dataset import Input, export, find_inputs
from torpor.monitor.sample_folder import (
    Sample,
    merge,
    read_folder,
    read_labels,
    relabel,
    write_folder,
)
from torpor.monitor.samples import KINDS, WHY, fetch_samples
from torpor.stats.store import Entry

NUMBERS = ("number", "time, s", "score")
NAMES = ("best", "label")
SHOWN = (*NUMBERS, "why", "best", "kind", "plan", "label")
"""Columns of the table; --json has all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of `torpor samples`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("list", help="show what a device, or a folder, holds")
    add_port_arguments(show, required=False)
    show.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="of fetched samples")
    _add_plan(show)
    show.add_argument("--json", action="store_true", help="print a list of objects")
    fetch = actions.add_parser("fetch", help="add what a device holds to a folder")
    add_port_arguments(fetch)
    fetch.add_argument("-o", dest="out", required=True, type=Path, metavar="DIR")
    label = actions.add_parser("label", help="say what samples are")
    label.add_argument("folder", type=Path, metavar="DIR", help="of fetched samples")
    label.add_argument(
        "--label", action="append", default=[], type=_pair, metavar="N=NAME", help="of sample N"
    )
    label.add_argument("--csv", type=Path, metavar="FILE", help="with columns number and label")
    _add_plan(label)
    out = actions.add_parser("export", help="make data sets of a folder")
    out.add_argument("folder", type=Path, metavar="DIR", help="of fetched samples")
    out.add_argument("-o", dest="out", required=True, type=Path, metavar="DIR")
    _add_plan(out)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plan",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="plan.bin of a model; those in build/ are found without",
    )


def _pair(text: str) -> tuple[int, str]:
    number, equals, name = text.partition("=")
    if not equals or not (number.isascii() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"'{text}' is not like 12=walking")
    return int(number), name


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; 0."""
    actions = {"list": _list, "fetch": _fetch, "label": _label, "export": _export}
    return actions[args.action](args)


def _from_device(args: argparse.Namespace) -> Iterator[Entry]:
    client = DeviceClient(open_transport(args.port, args.baud))
    try:
        yield from fetch_samples(client)
    finally:
        client.close()


def _from_folder(folder: Path) -> list[Sample]:
    samples = read_folder(folder)
    if not samples:
        raise UsageError(f"{folder} holds no samples", "torpor samples fetch --port PORT -o DIR")
    return samples


def _inputs(args: argparse.Namespace, samples: Iterable[Sample]) -> dict[int, Input]:
    return find_inputs({sample.entry.plan for sample in samples}, args.plan)


def _list(args: argparse.Namespace) -> int:
    if bool(args.port) == bool(args.folder):
        raise UsageError("name a device or a folder", "torpor samples list --port PORT")
    if args.port:
        samples = [Sample(entry) for entry in _from_device(args)]
    else:
        samples = _from_folder(args.folder)
    inputs = _inputs(args, samples)
    rows = [_row(sample, inputs) for sample in samples]
    if args.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        Console().print(_table(rows))
    else:
        print("the device has kept nothing yet", file=sys.stderr)
    return 0


def _row(sample: Sample, inputs: dict[int, Input]) -> dict[str, Any]:
    entry = sample.entry
    names = inputs[entry.plan].labels if entry.plan in inputs else ()
    return {
        "number": entry.number,
        "time": entry.time,
        "why": WHY.get(entry.why, str(entry.why)),
        "best": names[entry.best] if entry.best < len(names) else f"class {entry.best}",
        "score": round(entry.score / 255, 3),
        "kind": KINDS.get(entry.kind, str(entry.kind)),
        "bytes": len(entry.data),
        "plan": f"{entry.plan:08x}",
        "label": sample.label,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in SHOWN:
        side: Any = "right" if heading in NUMBERS else "left"
        table.add_column(heading, justify=side, overflow="fold", no_wrap=heading not in NAMES)
    for row in rows:
        shown = {**row, "time, s": f"{row['time']:,}", "score": f"{100 * row['score']:.0f}%"}
        table.add_row(*(escape(str(shown[heading])) for heading in SHOWN))
    return table


def _fetch(args: argparse.Namespace) -> int:
    samples, new = merge(read_folder(args.out), _from_device(args))
    write_folder(args.out, samples)
    print(f"{new} new, {len(samples)} in {args.out}")
    return 0


def _label(args: argparse.Namespace) -> int:
    samples = _from_folder(args.folder)
    labels = (read_labels(args.csv) if args.csv else {}) | dict(args.label)
    if not labels:
        raise UsageError("no labels given", "--label N=NAME, or --csv FILE")
    valid = _valid(_inputs(args, samples))
    write_folder(args.folder, relabel(samples, labels, valid))
    print(f"{len(labels)} labelled in {args.folder}")
    return 0


def _export(args: argparse.Namespace) -> int:
    samples = _from_folder(args.folder)
    inputs = _inputs(args, samples)
    relabel(samples, {s.entry.number: s.label for s in samples}, _valid(inputs))
    for name, count in export(samples, inputs, args.out).items():
        print(f"{args.out / name}: {count}")
    for plan in sorted({s.entry.plan for s in samples} - set(inputs)):
        left = sum(s.entry.plan == plan for s in samples)
        print(f"{left} left out: plan {plan:08x} is unknown, --plan FILE", file=sys.stderr)
    return 0


def _valid(inputs: dict[int, Input]) -> dict[int, tuple[str, ...]]:
    return {plan: about.labels for plan, about in inputs.items()}
