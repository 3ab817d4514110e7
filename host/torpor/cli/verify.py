# SPDX-License-Identifier: Apache-2.0
"""Compare our C with TensorFlow Lite Micro, byte for byte.

Compiles quantized models and runs random, extreme and sparse inputs through PyPI's tflite_micro
and through torpor's C: on this machine, or with --board in the firmware that an emulator runs.
With --engine tflm the firmware's own TensorFlow Lite Micro is compared with PyPI's.

Exits 1 if any output byte differs, else 5 if a model is not supported or does not fit the board,
else 0.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from torpor.board import board_names, load_board
from torpor.cli import whole_number
from torpor.cli._engine import add_engine_argument, need, shown
from torpor.cli._progress import progress
from torpor.errors import UnsupportedError, UsageError, unknown_name
from torpor.paths import TORPOR
from torpor.verify import HOST, Verdict, verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor verify`."""
    parser.add_argument("models", metavar="MODEL.tflite", nargs="+", type=Path)
    parser.add_argument("--board", default=HOST, help="an emulated board (default: this machine)")
    parser.add_argument(
        "--link",
        metavar="PORT",
        help="a device with the model's firmware, at this serial port; nothing is emulated",
    )
    add_engine_argument(parser)
    parser.add_argument(
        "--inputs",
        type=whole_number(1),
        default=20,
        metavar="N",
        help="inputs a model (default: 20)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=1, help="of the random inputs (default: 1)"
    )
    parser.add_argument("--json", action="store_true", help="print a list of objects")


def run(args: argparse.Namespace) -> int:
    """Verify each model; print the verdicts; return the exit code."""
    if args.board not in (HOST, *board_names()):
        raise unknown_name("board", args.board, [HOST, *board_names()])
    if args.board != HOST:
        need(args.engine, load_board(args.board))
    elif args.engine != TORPOR:
        raise UsageError(
            f"engine {args.engine} runs in firmware alone",
            "name a board: --board native, --board mps2_an386",
        )
    if args.link:
        _check_link(args)
    verdicts = [_verify(path, args) for path in args.models]
    if args.json:
        print(json.dumps([asdict(verdict) for verdict in verdicts], indent=2))
    else:
        _print_table(verdicts, args.engine)
    return exit_code(verdicts)


def _check_link(args: argparse.Namespace) -> None:
    if args.board == HOST:
        raise UsageError("--link is the port of a board", "name it: --board B")
    if len(args.models) > 1:
        raise UsageError("a device has one model", "verify the others one by one")


def _verify(path: Path, args: argparse.Namespace) -> Verdict:
    with progress(args.inputs, "inputs", path.name) as show:
        return verify(
            path,
            board=args.board,
            inputs=args.inputs,
            seed=args.seed,
            link=args.link,
            engine=args.engine,
            on_progress=show,
        )


def exit_code(verdicts: list[Verdict]) -> int:
    """Return 1 for a difference, else 5 for an unsupported model, else 0."""
    if any(verdict.mismatches for verdict in verdicts):
        return 1
    return 0 if all(verdict.supported for verdict in verdicts) else UnsupportedError.exit_code


def _print_table(verdicts: list[Verdict], engine: str) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("on", no_wrap=True)
    table.add_column("inputs", justify="right")
    table.add_column("verdict", overflow="fold")
    on = shown(engine)
    for verdict in verdicts:
        row = (Path(verdict.model).name, f"{verdict.board}{on}", str(verdict.inputs))
        table.add_row(*map(escape, row), _words(verdict))
    Console().print(table)


def _words(verdict: Verdict) -> str:
    reason = escape(verdict.reason)
    if not verdict.supported:
        return f"[yellow]not supported[/]: {reason}"
    if verdict.mismatches:
        return f"[red]{verdict.mismatches} inputs differ[/]: {reason}"
    return "[green]every byte equal[/]"
