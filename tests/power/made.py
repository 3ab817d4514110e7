# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Made-up devices whose costs and ways are known, for tests of what is computed from them."""

from torpor.board import Power
from torpor.power.profile import Costs, Counts, Interval
from torpor.power.sweep import Behaviour

POWER = Power(
    chip="X1",
    volts=3.0,
    clock_hz=100_000_000,
    cycles_per_instruction=2.0,
    sleep_ua=5.0,
    stage_2_ua=10_000.0,
    battery_mah=240.0,
    sources=("made up",),
)
COSTS = Costs(
    block=5_000.0,
    wake=1_000.0,
    gate=10_000.0,
    inference=1_000_000.0,
    summary=4_000.0,
    answer=1_500.0,
    keeping=10.0,
)
BEHAVIOUR = Behaviour(
    sensor="motion",
    block_s=0.5,
    hop=1,
    windows=3,
    interval_s=60,
    wakes=1.0,
    awake=20.0,
    passed=0.9,
    answers=1.0,
    fill_s=2.0,
    summary_s=0.01,
    answer_s=0.005,
)


def interval(costs: Costs = COSTS, **counts: int) -> Interval:
    """An interval in which everything costs exactly what it costs."""
    made = Counts(**{"blocks": 120, "summaries": 1, **counts})
    return Interval(made, costs.instructions(made))


def busy_day() -> list[Interval]:
    """Intervals with different numbers of everything."""
    return [
        interval(),
        interval(wakes=1, gates=20, inferences=18, answers=1),
        interval(wakes=2, gates=31, inferences=25, answers=1),
        interval(wakes=1, gates=9, inferences=9, answers=2),
        interval(gates=4, inferences=3),
    ]
