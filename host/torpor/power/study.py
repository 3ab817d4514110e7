# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""All of it: measure a device once, compute its battery life anywhere, check some of that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from torpor.board import Board, Power
from torpor.errors import DeviceError, UsageError
from torpor.model import Model
from torpor.model.wake import Wake
from torpor.power import scenes
from torpor.power.measure import Run, run
from torpor.power.profile import Costs, fit, spent
from torpor.power.sweep import Behaviour, Point, sweep
from torpor.scene.schedule import Made

EVENTS_MEASURED = 24
EVENTS_ALWAYS = 4
RATE_MEASURED = 60.0
"""Events an hour: busy enough for all costs to be seen."""

RATE_CHECKED = 6.0
"""Events an hour at least, where there is a choice."""

BITS_A_BYTE = 10  # with start and stop bit
Show = Callable[[int], None]


@dataclass(frozen=True)
class Device:
    """A firmware on a board.

    Attributes:
        board: emulated.
        model: with [wake].
        elf: its firmware of app=wake.
        always: firmware that looks at every window, or None.
    """

    board: Board
    model: Model
    elf: Path
    always: Path | None = None

    def run(self, made: Made, hop: int | None = None) -> Run:
        """See torpor.power.measure.run."""
        return run(self.board, self.elf, made, hop)


@dataclass(frozen=True)
class Grid:
    """What to look at.

    Attributes:
        hops: blocks from window to window; empty: `hops_of`.
        events: an hour.
        checks: how many computed points are run as well.
        seed: of the scenes.
    """

    hops: tuple[int, ...]
    events: tuple[float, ...]
    checks: int
    seed: int


@dataclass(frozen=True)
class Check:
    """A point of the sweep that was run, too.

    Attributes:
        computed: the point.
        instructions: a second, measured.
        found: events that the device answered rightly.
        events: that there were.
        latency_s: from the beginning of an event to the end of the answer's window, measured;
            None if nothing was found.
    """

    computed: Point
    instructions: float
    found: int
    events: int
    latency_s: float | None

    @property
    def error(self) -> float:
        """By how much the computed instructions are too many, relative."""
        return self.computed.instructions / self.instructions - 1


@dataclass(frozen=True)
class Study:
    """What is known of a device.

    Attributes:
        power: of the chip that is estimated.
        costs: measured.
        always: costs of always looking at every window, measured; None: not known.
        behaviour: measured.
        points: computed.
        checks: measured and computed.
    """

    power: Power
    costs: Costs
    always: Costs | None
    behaviour: Behaviour
    points: tuple[Point, ...]
    checks: tuple[Check, ...]


def power_of(board: Board) -> Power:
    """Return a board's table [power].

    Raises:
        UsageError: it has none.
    """
    if board.power is None:
        raise UsageError(
            f"board '{board.name}' does not say what its chip draws: there is no estimate",
            "the table [power] in its board.toml, as mps2_an386 has it",
        )
    return board.power


def study(device: Device, grid: Grid, show: Show = lambda _: None) -> Study:
    """Measure, compute, and check.

    Args:
        device: whose board has [power] and an emulator with memory for scenes.
        grid: what to look at.
        show: called with the number of steps that are done, of 2 + grid.checks.

    Raises:
        UsageError: board or model cannot do that.
        DeviceError: the device fails, or does not notice anything.
    """
    power, wake = power_of(device.board), scenes.wake_of(device.model)
    made = scenes.scene(device.model, RATE_MEASURED, EVENTS_MEASURED, grid.seed)
    own = device.run(made)
    show(1)
    finest = own if wake.latch or wake.hop == 1 else device.run(made, 1)
    costs, behaviour = fit(own.intervals), behaviour_of(device, own, finest)
    show(2)
    always = always_costs(device, grid.seed)
    hops = grid.hops or hops_of(wake)
    points = sweep(costs, behaviour, power, hops, grid.events, always=always)
    checks = []
    for number, picked in enumerate(check_points(points, grid.checks)):
        show(2 + number)
        checks.append(check(device, picked, grid.seed + 1 + number))
    show(2 + grid.checks)
    return Study(power, costs, always, behaviour, tuple(points), tuple(checks))


def always_costs(device: Device, seed: int) -> Costs | None:
    """Measure what it costs to look at every window; None without a firmware that does."""
    if device.always is None:
        return None
    made = scenes.scene(device.model, RATE_MEASURED, EVENTS_ALWAYS, seed)
    return fit(run(device.board, device.always, made).intervals)


def hops_of(wake: Wake) -> tuple[int, ...]:
    """Return hops to try: a model that keeps states from window to window has its own only."""
    return (wake.hop,) if wake.latch else (1, 2, 3, 4, 6, 8)


def behaviour_of(device: Device, own: Run, finest: Run) -> Behaviour:
    """Return how a device takes an event.

    Args:
        device: that was measured.
        own: a run with the model's own hop.
        finest: one of the same scene with a window at each block, if the model can have that.
    """
    wake = scenes.wake_of(device.model)
    block_s, events = wake.block / own.rate_hz, len(own.truth)
    gates, inferences = _total(own, "gates"), _total(own, "inferences")
    if not gates or not events:
        raise DeviceError("the device has not woken in the scene", "see [wake] in model.toml")
    took = latencies(device.model, own)
    if not took:
        raise DeviceError("the device has recognised nothing in the scene")
    hop_s = wake.hop * block_s
    uart = device.board.uart
    byte_s = BITS_A_BYTE / uart.baud if uart else 0.0
    return Behaviour(
        sensor=wake.sensor,
        block_s=block_s,
        hop=wake.hop,
        windows=wake.decision.windows,
        interval_s=wake.interval_s,
        wakes=_total(own, "wakes") / events,
        awake=_total(finest, "gates") * (wake.hop if finest is own else 1) / events,
        passed=inferences / gates,
        answers=len(own.answers) / events,
        fill_s=mean(took) - (wake.decision.windows - 0.5) * hop_s,
        summary_s=own.summary_bytes * byte_s,
        answer_s=own.answer_bytes * byte_s,
    )


def _total(it: Run, what: str) -> int:
    return sum(getattr(interval.counts, what) for interval in it.intervals)


def latencies(model: Model, it: Run) -> list[float]:
    """Return the seconds from the beginning of each event to the first right answer to it.

    What is not found has none.
    """
    found = []
    for number, event in enumerate(it.truth):
        later = it.truth[number + 1].start_s if number + 1 < len(it.truth) else float("inf")
        times = [
            answer.time_s - event.start_s
            for answer in it.answers
            if event.start_s <= answer.time_s < later
            and answer.by_model
            and model.labels[answer.label] == event.label
        ]
        found += times[:1]
    return found


def check_points(points: Sequence[Point], count: int) -> list[Point]:
    """Return points from all over the sweep, where events are not so rare that they take long."""
    possible = [p for p in points if p.estimate is not None and not p.always]
    possible = [p for p in possible if p.events >= RATE_CHECKED] or possible
    if not possible or not count:
        return []
    step = max(1, (len(possible) - 1) // max(1, count - 1))
    return possible[::-step][:count]


def check(device: Device, computed: Point, seed: int) -> Check:
    """Run a computed point; arguments and errors as those of `study`."""
    wake = scenes.wake_of(device.model)
    hop = None if computed.hop == wake.hop else computed.hop
    count = events_for(computed.events, wake)
    measured = device.run(scenes.scene(device.model, computed.events, count, seed), hop)
    seconds = _total(measured, "summaries") * wake.interval_s
    took = latencies(device.model, measured)
    return Check(
        computed, spent(measured.intervals) / seconds, len(took), len(measured.truth), _mean(took)
    )


def _mean(numbers: Sequence[float]) -> float | None:
    return mean(numbers) if numbers else None


def events_for(events: float, wake: Wake) -> int:
    """Return how many events make a scene of ten intervals: at least as many as were measured."""
    return max(EVENTS_MEASURED, round(10 * wake.interval_s * events / scenes.SECONDS_AN_HOUR))
