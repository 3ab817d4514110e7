# SPDX-License-Identifier: Apache-2.0
"""List the models of this repository."""

import argparse
import json
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from torpor.model import Model, load_model, model_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor models`."""
    parser.add_argument("--json", action="store_true", help="print a list of objects")


def run(args: argparse.Namespace) -> int:
    """Print every model with its labels, window, size and accuracy floor."""
    rows = [_row(load_model(name)) for name in model_names()]
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        _print_table(rows)
    return 0


def _row(model: Model) -> dict[str, Any]:
    about = model.about
    return {
        "name": model.name,
        "title": about.title,
        "labels": list(about.labels),
        "window": list(about.input.shape),
        "rate_hz": about.input.rate_hz,
        "float_bytes": len(model.float_tflite),
        "accuracy_floor": about.accuracy_floor,
        "data": about.data.title,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("model", "labels", "window", "float bytes", "floor", "what it does"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        window = f"{'x'.join(map(str, row['window']))} at {row['rate_hz']:g} Hz"
        floor = f"{100 * row['accuracy_floor']:g} %"
        size = str(row["float_bytes"])
        table.add_row(row["name"], ", ".join(row["labels"]), window, size, floor, row["title"])
    Console().print(table)
