# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Writes docs/ENERGY.md: how well a constant power predicts what was measured on real chips.

`python tools/energy_table.py` writes it; with --check it only says whether it is stale (exit 1).
"""

import sys
from collections.abc import Iterable, Sequence

from torpor.energy import mlperf
from torpor.energy.mlperf import MODELS, WITHIN, Prediction, Streaming, System
from torpor.paths import ROOT

PAGE = ROOT / "docs" / "ENERGY.md"
HEAD = """# Energy: the estimates against measurements of others

Written by `python tools/energy_table.py`; do not edit. [DESIGN.md](DESIGN.md) says what torpor
estimates and what it leaves out.

torpor has measured no chip. It multiplies time by a constant power. Here that is tried on the
public results of MLPerf Tiny, v0.5 to v1.3, closed division: every system that measured energy, its
median milliseconds and microjoules of an inference (`host/torpor/energy/mlperf_tiny.toml` names the
files). Each model of a system is left out once, and its energy predicted as its time x the mean
power of the system's other models.
"""
STREAMING = """
## The streaming wake word

v1.3 listens to sound for 20 minutes and infers every 32 ms. If power has two values, `active` as in
the table above (the newest row of the same board and clock) and `idle`, then
idle = (power - duty x active) / (1 - duty). "With 0" is what would be predicted if a chip that does
not compute drew nothing.

"""
LESSON = """
So **a chip that listens is not in its deepest sleep**: its clocks run for the microphone. That is
`listen_ua` in `board.toml`. Where inference is rare it decides how long a device with a microphone
lives. Racing to sleep with a faster clock does not pay on these chips: the slower clock of the same
chip takes less.
"""


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown; the first row is the head."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def right(predictions: Iterable[Prediction]) -> str:
    """Return how many are right, of how many."""
    made = list(predictions)
    return f"{sum(p.right for p in made)} of {len(made)}"


def predicted(systems: Iterable[System]) -> list[Prediction]:
    """Return the predictions for all models of all systems."""
    return [p for system in systems for p in mlperf.predictions(system)]


def counts() -> list[list[str]]:
    """Return the rows that say how many predictions are right."""
    everything = mlperf.systems()
    cpu = [s for s in everything if s.kind == "cpu"]
    other = [s for s in everything if s.kind == "accelerator"]
    claim = mlperf.headline(everything)
    return [
        ["systems", f"within {WITHIN:.0%}"],
        ["CPU, all four models, v1.0 to v1.3", f"**{right(predicted(claim))}**"],
        ["CPU, all rounds", right(predicted(cpu))],
        ["with an accelerator, all rounds", right(predicted(other))],
    ]


def system_row(system: System) -> list[str]:
    """Return the powers of a system and the worst prediction."""
    made = mlperf.predictions(system)
    powers = [f"{system.points[m].mw:.2f}" if m in system.points else "" for m in MODELS]
    worst = max(made, key=lambda p: abs(p.error), default=None)
    error = f"{worst.model} {worst.error:+.1%}" if worst else ""
    return [system.round, system.name, system.kind, *powers, error, right(made) if made else ""]


def streaming_row(run: Streaming) -> list[str]:
    """Return what a model of two states says about a run."""
    active = mlperf.active_mw(run)
    cells = [run.chip, str(run.mhz), f"{run.mw:.2f}", f"{run.duty:.1%}"]
    if active is None:
        return [*cells, "", "", "", ""]
    idle = mlperf.idle_mw(run, active)
    without = run.duty * active / run.mw - 1
    return [*cells, f"{active:.2f}", f"{idle:.2f}", f"{idle / active:.0%}", f"{without:+.0%}"]


def page() -> str:
    """Return the text of docs/ENERGY.md."""
    systems = mlperf.systems()
    powers = [["round", "system", "kind", *(f"{m}, mW" for m in MODELS), "worst", "right"]]
    runs = [["chip", "MHz", "mW", "duty", "active, mW", "idle, mW", "of active", "with 0"]]
    return (
        f"{HEAD}\n{table(counts())}\n{table(powers + [system_row(s) for s in systems])}"
        f"{STREAMING}{table(runs + [streaming_row(r) for r in mlperf.streaming()])}{LESSON}"
    )


def main() -> int:
    """Write the page, or with --check tell whether it is stale."""
    if sys.argv[1:] == ["--check"]:
        stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page()
        if stale:
            print("docs/ENERGY.md is stale: run tools/energy_table.py")
        return int(stale)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
