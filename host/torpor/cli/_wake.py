# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""`torpor demo wake`: the sleeping device beside one that infers all the time."""

import argparse
import json
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from torpor.board import load_board
from torpor.cli._engine import need, shown
from torpor.cli._progress import progress
from torpor.paths import TORPOR
from torpor.power.gated import (
    NOISY,
    QUIET,
    Case,
    Outcome,
    compare,
    motion_case,
    sound_case,
)

SECONDS = 1200
SEED = 1
KINDS = ("all", "motion", "quiet", "noisy")


def cases(kind: str, seconds: float) -> list[Case]:
    """Return the scenes that are asked for; the first one is what the demo is about."""
    rooms = {"all": (*QUIET, *NOISY), "quiet": QUIET, "noisy": NOISY, "motion": ()}[kind]
    made = [sound_case(seconds, SEED, room) for room in rooms]
    return [*made, motion_case(seconds, SEED)] if kind in ("all", "motion") else made


def table(outcomes: Sequence[Outcome], board: str, engine: str = TORPOR) -> Table:
    """Return one line a scene."""
    title = f"asleep, and always on beside it, on {board}{shown(engine)}"
    found = Table(box=box.HORIZONTALS, title=title)
    found.add_column("scene")
    for name in ("events", "found", "always", "wakes", "work/s", "ratio", "mAh/d"):
        found.add_column(name, justify="right", no_wrap=True)
    for one in outcomes:
        found.add_row(
            scene_name(one.case),
            *map(str, (one.events, one.gated.hits, one.always.hits, one.gated.wakes)),
            f"{one.gated.instructions / 1e6:.2f} M",
            f"{one.ratio:.1%}",
            f"{one.gated.mah_per_day:.3g}",
        )
    found.caption = (
        "found: events answered; always: by the device that never sleeps. work: instructions, "
        "front end included; ratio: of those of the other. mAh/d: estimated"
    )
    found.caption_justify = "left"
    return found


def scene_name(case: Case) -> str:
    """Return what a line is about."""
    if case.room is None:
        return case.model.name
    noise = "quiet" if case.is_quiet else "loud"
    return f"{case.model.name} {noise} {case.room.snr_db:g} dB"


def run(args: argparse.Namespace) -> int:
    """Build, emulate, compare, print; 1 if something is not as it must be."""
    board = load_board(args.board)
    need(args.engine, board)
    chosen = cases(args.scene, args.seconds)
    with progress(2 * len(chosen), "runs") as show:
        outcomes = compare(board, chosen, show, engine=args.engine)
    good = all(outcome.good for outcome in outcomes)
    if args.json:
        found = [outcome.to_json() for outcome in outcomes]
        print(json.dumps({**found[0], "good": good, "board": board.name, "scenes": found}))
    else:
        Console().print(table(outcomes, board.name, args.engine))
    return 0 if good else 1
