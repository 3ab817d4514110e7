# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Estimate battery life against latency, for many duty cycles.

Runs the firmware of a sleeping device (app=wake) through a scene in the emulator and counts the
instructions of every part of its work. From them it computes, for each hop (blocks from one window
to the next) and each rate of events, what the chip of the board's table [power] would draw, how
long a battery would last and how long an answer would take. Some of the computed points are run as
well, and the difference is shown. No chip is measured: everything but the instructions is an
estimate. docs/DESIGN.md says what is left out.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from torpor.board import Board, load_board
from torpor.cli import whole_number
from torpor.cli._engine import add_engine_argument, need, shown
from torpor.cli._progress import progress
from torpor.emulate import firmware
from torpor.model import find_model
from torpor.power import scenes
from torpor.power.measure import memory_of
from torpor.power.study import Check, Device, Grid, Study, power_of, study
from torpor.power.sweep import Point

LONGEST_DAYS = 3650
"""Batteries run down by themselves: more is not shown."""


def _several(kind: Callable[[str], float], words: str) -> Callable[[str], tuple[float, ...]]:
    """Return a type of argument: some numbers above 0, with commas."""

    def parse(text: str) -> tuple[float, ...]:
        try:
            numbers = tuple(kind(part) for part in text.split(","))
        except ValueError:
            numbers = ()
        if not numbers or not all(0 < number < float("inf") for number in numbers):
            raise argparse.ArgumentTypeError(f"'{text}' is not {words} above 0, as 1,2,4")
        return tuple(sorted(set(numbers)))

    return parse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor power`."""
    parser.add_argument("model", help="of models/, with [wake] in its model.toml")
    parser.add_argument("--board", default="mps2_an386", help="default: %(default)s")
    parser.add_argument("--bits", type=int, choices=(8, 4), default=8, help="default: %(default)s")
    add_engine_argument(parser)
    parser.add_argument(
        "--elf",
        type=Path,
        help="the firmware to measure; nothing is built, and always-on is left out",
    )
    parser.add_argument(
        "--hops", type=_several(int, "whole numbers"), default=(), metavar="N,...",
        help="blocks from window to window (default: 1 to 8; the model's own if it keeps states)",
    )  # fmt: skip
    parser.add_argument(
        "--events", type=_several(float, "numbers"), default=(1.0, 6.0, 30.0, 60.0),
        metavar="N,...", help="that happen in an hour (default: 1,6,30,60)",
    )  # fmt: skip
    parser.add_argument(
        "--checks", type=whole_number(0), default=3, metavar="N",
        help="computed points that are run as well (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=whole_number(0), default=1, help="of the scenes (default: 1)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.html", help="write a chart, too")
    parser.add_argument("--json", action="store_true", help="print an object")


def _device(args: argparse.Namespace, board: Board) -> Device:
    model = find_model(args.model)
    power_of(board)  # before anything is built
    memory_of(board)
    scenes.wake_of(model)
    if args.elf:
        return Device(board, model, firmware.existing(args.elf))
    need(args.engine, board)
    elf, always = (
        firmware.build(board.name, model.name, args.bits, app=app).elf
        for app in firmware.wake_apps(args.engine)
    )
    return Device(board, model, elf, always)


def run(args: argparse.Namespace) -> int:
    """Measure, compute, print; 0."""
    device = _device(args, load_board(args.board))
    grid = Grid(tuple(int(hop) for hop in args.hops), args.events, args.checks, args.seed)
    with progress(2 + grid.checks, "runs", "power") as show:
        found = study(device, grid, show)
    title = f"{device.model.name}, int{args.bits}, on {device.board.name}{shown(args.engine)}"
    if args.plot:
        from torpor.power import plot  # noqa: PLC0415 - only then

        plot.write(found, title, args.plot)
    if args.json:
        print(json.dumps(_object(device, args.bits, found), indent=2))
    else:
        _print(found, title)
    return 0


# ---- for scripts


def _object(device: Device, bits: int, found: Study) -> dict[str, Any]:
    return {
        "model": device.model.name,
        "bits": bits,
        "board": device.board.name,
        "power": dataclasses.asdict(found.power),
        "instructions": dataclasses.asdict(found.costs),
        "instructions_always_on": dataclasses.asdict(found.always) if found.always else None,
        "behaviour": dataclasses.asdict(found.behaviour),
        "points": [_point(p) for p in found.points],
        "checks": [_check(c) for c in found.checks],
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "hop": point.hop,
        "hop_s": point.hop_s,
        "events_per_hour": point.events,
        "always_on": point.always,
        "instructions_per_second": point.instructions,
        "busy_estimated": point.busy,
        "latency_s_estimated": point.latency_s,
        "answered": point.answered,
        "pareto": point.pareto,
        **(dataclasses.asdict(point.estimate) if point.estimate else {}),
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "hop": check.computed.hop,
        "events_per_hour": check.computed.events,
        "instructions_per_second_computed": check.computed.instructions,
        "instructions_per_second_measured": check.instructions,
        "error": check.error,
        "found": check.found,
        "events": check.events,
        "latency_s_measured": check.latency_s,
        "latency_s_estimated": check.computed.latency_s,
    }


# ---- for people


def _print(found: Study, title: str) -> None:
    console = Console()
    power = found.power
    console.print(_points_table(found.points, title))
    console.print(
        f"Estimated for the {power.chip} at {power.clock_hz / 1e6:g} MHz, {power.volts:g} V, "
        f"and {power.battery_mah:g} mAh; no chip was measured.\n"
        "[bold]*[/bold] no other hop lasts as long and answers as fast.  "
        "[bold]missed[/bold]: the event is over before it is recognised.  More than ten years: "
        "no battery keeps its charge so long.",
        highlight=False,
    )
    if found.checks:
        console.print(_checks_table(found.checks))


def _points_table(points: tuple[Point, ...], title: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("events/h", "window every", "busy", "uA", "days", "answer after", ""):
        table.add_column(column, justify="right", no_wrap=True)
    before: Point | None = None
    for point in points:
        if before and (before.events, before.always) != (point.events, point.always):
            table.add_section()
        table.add_row(*_cells(point))
        before = point
    return table


def _cells(point: Point) -> list[str]:
    rate = "always on" if point.always else f"{point.events:g}"
    cells = [rate, f"{point.hop_s:g} s", f"{point.busy:.3%}"]
    if point.estimate is None:
        return [*cells, "", "", "", "too slow"]
    made = point.estimate
    return [
        *cells,
        f"{made.average_ua_estimated:,.1f}",
        _days(made.days_estimated),
        f"{point.latency_s:.1f} s" if point.answered else "missed",
        "*" if point.pareto else "",
    ]


def _days(days: float) -> str:
    return f"> {LONGEST_DAYS:,}" if days > LONGEST_DAYS else f"{days:,.0f}"


def _checks_table(checks: tuple[Check, ...]) -> Table:
    table = Table(title="run as well", box=box.SIMPLE_HEAD, pad_edge=False)
    columns = ("events/h", "window every", "instructions/s", "computed", "answered", "after")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for check in checks:
        point = check.computed
        after = "-" if check.latency_s is None else f"{check.latency_s:.1f} s"
        table.add_row(
            f"{point.events:g}",
            f"{point.hop_s:g} s",
            f"{check.instructions:,.0f}",
            f"{point.instructions:,.0f} ({check.error:+.1%})",
            f"{check.found} of {check.events}",
            after,
        )
    return table
