# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Cut the power at every moment of every update, on simulated flash.

Runs the update code of the firmware, unmodified, through first installation, updates, trials that
fail, switches of models, full journals and interrupted uploads. In each it cuts the power at every
erase and every programming, in three ways: half of it done, random bits of it done, all of it done
but nobody told. The device starts again from nothing, and what it does by itself then is cut
everywhere, too. A judge who knows all images byte by byte looks at the flash and at what starts: a
valid image that was asked for, a model that it can run, the confirmed one never lost, nothing below
the security counter, a history that says what happened, and the update still comes to its end.

--engine tflm: the same with firmware and models for TensorFlow Lite Micro. What accepts its plans
is the firmware's code, what runs an inference a stand-in: no TensorFlow Lite Micro is needed.

A state that fails is printed with the command that goes through it alone and says what happens.
Exits 1 if there is one.
"""

import argparse
import json
import os
import shlex
import time
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from torpor.board import load_board
from torpor.cli import whole_number
from torpor.cli._engine import add_engine_argument
from torpor.cli._progress import progress
from torpor.errors import UsageError
from torpor.paths import TORPOR
from torpor.powercut.proof import SHAPES, Counts, Cut, Failure
from torpor.powercut.run import Campaign, Result, Settings, replay

SHOWN = 8
"""How many failing states are printed."""


def _cut(text: str) -> Cut:
    number, _, shape = text.partition(":")
    if not number.isdigit() or int(number) < 1 or shape not in SHAPES:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no cut: the number of an operation and {', '.join(SHAPES)}, as 12:random"
        )
    return Cut(int(number), shape)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor powercut`."""
    number = whole_number(1)
    parser.add_argument(
        "--board", default="mps2_an386", help="whose flash is simulated (default: %(default)s)"
    )
    add_engine_argument(parser)
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="NAME",
        help="may be repeated; default: all",
    )
    parser.add_argument(
        "--size", type=number, default=65536, metavar="BYTES",
        help="of a firmware image (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--model-size", type=number, default=8192, metavar="BYTES",
        help="of a model image (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--write-size", type=number, metavar="BYTES", help="another write unit than the board's"
    )
    parser.add_argument(
        "--erase-size", type=number, metavar="BYTES", help="another erase block than the board's"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of what is random (default: %(default)s)"
    )
    parser.add_argument(
        "--every", type=number, default=1, metavar="N",
        help="cut at every Nth operation only: a quick look",
    )  # fmt: skip
    parser.add_argument(
        "--cut", action="append", type=_cut, default=[], metavar="N:SHAPE",
        help=f"one state alone: power fails in operation N, SHAPE is {', '.join(SHAPES)}; "
        "given again: the next cut, counted from when power came back",
    )  # fmt: skip
    parser.add_argument(
        "--processes", type=number, default=os.cpu_count() or 1, metavar="N",
        help="default: as many as there are cores",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one object")


def run(args: argparse.Namespace) -> int:
    """Go through the states, print; 1 if one fails."""
    settings = Settings(
        load_board(args.board),
        args.size,
        args.model_size,
        args.write_size,
        args.erase_size,
        args.seed,
        args.every,
        tuple(dict.fromkeys(args.scenario)),
        args.engine,
    )
    return _one(settings, args) if args.cut else _all(settings, args)


def _all(settings: Settings, args: argparse.Namespace) -> int:
    begin = time.monotonic()
    campaign = Campaign(settings)
    with progress(campaign.total, "operations cut", "powercut") as show:
        campaign.run(args.processes, show)
    results, seconds = campaign.results, time.monotonic() - begin
    if args.json:
        print(json.dumps(_facts(results, settings, args, seconds), indent=2))
    else:
        _print(results, args, seconds)
    return int(any(result.counts.failing for result in results))


def _one(settings: Settings, args: argparse.Namespace) -> int:
    if len(settings.names) != 1:
        raise UsageError("a state is one of one scenario", "--scenario NAME --cut N:SHAPE")
    lines, failure = replay(settings, args.cut)
    if args.json:
        facts = {
            "lines": lines,
            "failure": failure and {"kind": failure.kind, "what": failure.what},
        }
        print(json.dumps(facts, indent=2))
    else:
        print("\n".join(lines))
    return int(failure is not None)


# ---- what is printed


def _sum(results: Sequence[Result]) -> Counts:
    total = Counts()
    for result in results:
        total.add(result.counts)
    return total


def _command(args: argparse.Namespace, scenario: str, failure: Failure) -> str:
    """Return the command that goes through a failing state alone."""
    words = ["torpor", "powercut", "--board", args.board, "--scenario", scenario]
    words += ["--engine", args.engine] if args.engine != TORPOR else []
    words += ["--size", str(args.size), "--model-size", str(args.model_size)]
    words += ["--write-size", str(args.write_size)] if args.write_size else []
    words += ["--erase-size", str(args.erase_size)] if args.erase_size else []
    words += ["--seed", str(args.seed)]
    words += [word for cut in failure.cuts for word in ("--cut", str(cut))]
    return shlex.join(words)


def _numbers(counts: Counts) -> dict[str, int]:
    head = {"states": counts.states, "torn": counts.torn, "double": counts.double}
    return {**head, **counts.failed}


def _facts(
    results: Sequence[Result], settings: Settings, args: argparse.Namespace, seconds: float
) -> dict[str, Any]:
    place = settings.geometry()
    return {
        "board": args.board,
        "engine": args.engine,
        "size": args.size,
        "model_size": args.model_size,
        "write_size": place.write,
        "erase_size": place.erase,
        "seed": args.seed,
        "every": args.every,
        **_numbers(_sum(results)),
        "seconds": round(seconds, 1),
        "scenarios": {
            result.name: {
                "operations": result.operations,
                **_numbers(result.counts),
                "seconds": round(result.seconds, 2),
            }
            for result in results
        },
        "failures": [
            {
                "scenario": result.name,
                "kind": failure.kind,
                "what": failure.what,
                "command": _command(args, result.name, failure),
            }
            for result in results
            for failure in result.counts.failures
        ],
    }


def _print(results: Sequence[Result], args: argparse.Namespace, seconds: float) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_footer=True)
    total = _sum(results)
    table.add_column("scenario", "all", overflow="fold")
    columns = {
        "ops": f"{sum(result.operations for result in results):,}",
        "states": f"{total.states:,}",
        "torn": f"{total.torn:,}",
        "double": f"{total.double:,}",
        "failing": f"{total.failing:,}",
    }
    for name, footer in columns.items():
        table.add_column(name, footer, justify="right", no_wrap=True)
    for result in results:
        counts = result.counts
        numbers = result.operations, counts.states, counts.torn, counts.double, counts.failing
        table.add_row(result.name, *(f"{n:,}" for n in numbers))
    Console().print(table)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in total.failed.items() if count)
    print(f"failing: {kinds}" if kinds else f"no state fails; {seconds:.1f} s")
    failures = [(result.name, failure) for result in results for failure in result.counts.failures]
    for name, failure in failures[:SHOWN]:
        print(f"{name}: {failure.kind}: {failure.what}\n  {_command(args, name, failure)}")
