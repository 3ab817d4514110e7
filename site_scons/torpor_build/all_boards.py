# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""`scons all-boards`: one firmware for every board, one table; a failure hides no other."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torpor.board import board_names
from torpor.paths import BUILD, ROOT


@dataclass(frozen=True)
class Outcome:
    """What became of one board.

    Attributes:
        board: its name.
        code: what scons ended with.
        seconds: that it took.
        flash, ram: of its firmware, in bytes; 0 where there is none.
        reason: why there is none.
    """

    board: str
    code: int
    seconds: float
    flash: int = 0
    ram: int = 0
    reason: str = ""


def build(arguments: Mapping[str, str], variant: str, jobs: int) -> int:
    """Build for every board, print the table; return the worst exit code.

    Args:
        arguments: NAME -> VALUE, of the command line; but for board= they hold for all.
        variant: the folder in build/<board>/ that such a firmware lies in.
        jobs: how many compilers at once.
    """
    words = [f"{name}={value}" for name, value in arguments.items() if name != "board"]
    outcomes = []
    for name in board_names():
        print(f"  board   {name}", flush=True)
        outcomes.append(_build(name, words, variant, jobs))
    print(table(outcomes))
    return max(outcome.code for outcome in outcomes)


def _build(board: str, words: list[str], variant: str, jobs: int) -> Outcome:
    command = [sys.executable, "-m", "SCons", "-Q", f"-j{jobs}", "-f", str(ROOT / "SConstruct")]
    begin = time.perf_counter()
    done = subprocess.run(
        [*command, f"board={board}", *words, "firmware"],
        cwd=BUILD.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begin
    log = BUILD / board / "all-boards.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        return Outcome(board, done.returncode, seconds, reason=_reason(done.stderr, log))
    report = BUILD / board / variant / "footprint.json"
    sizes = json.loads(report.read_text(encoding="utf-8"))
    return Outcome(board, 0, seconds, sizes["flash_bytes"], sizes["ram_bytes"])


def _reason(talk: str, log: Path) -> str:
    lines = [line for line in talk.splitlines() if line.startswith("scons: ") and "***" not in line]
    wrong = [line for line in talk.splitlines() if "error:" in line]
    first = (lines + wrong or [f"see {log}"])[0]
    return first.removeprefix("scons: ")


def table(outcomes: list[Outcome]) -> str:
    """Return the summary, a line a board."""
    lines = [f"  {'board':<20}{'flash':>10}{'RAM':>10}{'seconds':>9}"]
    for it in outcomes:
        sizes = f"{it.flash:>10,}{it.ram:>10,}" if not it.code else f"{'failed':>14}{it.code:>6}"
        lines.append(f"  {it.board:<20}{sizes}{it.seconds:>9.1f}")
        lines += [f"      {it.reason}"] if it.reason else []
    failed = sum(1 for it in outcomes if it.code)
    lines.append(f"  {len(outcomes) - failed} of {len(outcomes)} boards were built")
    return "\n".join(lines)
