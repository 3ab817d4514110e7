# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Battery life against latency, for any rate of inference and of events: computed. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torpor.board import Power
from torpor.energy import ACTIVE, Estimate, TooSlowError, estimate
from torpor.power.profile import Costs, Counts

SECONDS_AN_HOUR = 3600


@dataclass(frozen=True)
class Behaviour:
    """How the device takes an event of the scene that was measured.

    Attributes:
        sensor: "motion" or "sound".
        block_s: seconds of a block.
        hop: blocks from one window to the next while awake, as it was measured.
        windows: that a decision is smoothed over.
        interval_s: from one summary to the next.
        wakes: of an event.
        awake: blocks that it is awake for an event.
        passed: share of windows that stage 1 lets pass.
        answers: of an event.
        fill_s: seconds of an event until its windows are recognised; see `latency_s`.
        summary_s: seconds that a summary takes on the wire, for which the CPU waits.
        answer_s: an answer.
    """

    sensor: str
    block_s: float
    hop: int
    windows: int
    interval_s: float
    wakes: float
    awake: float
    passed: float
    answers: float
    fill_s: float
    summary_s: float = 0.0
    answer_s: float = 0.0


@dataclass(frozen=True)
class Point:
    """One duty cycle.

    Attributes:
        hop: blocks from one window to the next.
        hop_s: seconds of that.
        events: an hour.
        always: no trigger and no stage 1: the model looks at every window.
        instructions: a second, of the CPU.
        busy: share of the time that the chip works, estimated.
        estimate: battery life; None if the chip cannot keep up.
        latency_s: from the beginning of an event to the answer, estimated.
        answered: that comes before the device sleeps again; otherwise the event is missed.
        pareto: nothing of the same rate of events lasts as long and answers as fast.
    """

    hop: int
    hop_s: float
    events: float
    always: bool
    instructions: float
    busy: float
    estimate: Estimate | None
    latency_s: float
    answered: bool
    pareto: bool = False


def expected(behaviour: Behaviour, hop: int, events: float, *, always: bool = False) -> Counts:
    """Return what happens in an hour, on average.

    Args:
        behaviour: as measured.
        hop: blocks from window to window.
        events: an hour.
        always: no trigger.
    """
    blocks = SECONDS_AN_HOUR / behaviour.block_s
    if always:
        gates, inferences, wakes = blocks / hop, blocks / hop, 0.0
    else:
        wakes = events * behaviour.wakes
        gates = min(events * windows_of_event(behaviour, hop), blocks / hop)
        inferences = gates * behaviour.passed
    return Counts(
        blocks=blocks,
        wakes=wakes,
        gates=gates,
        inferences=inferences,
        answers=events * behaviour.answers,
        summaries=SECONDS_AN_HOUR / behaviour.interval_s,
    )


def windows_of_event(behaviour: Behaviour, hop: int) -> float:
    """Return the windows that an event gets, on average.

        awake / hop + wakes x (hop - 1) / (2 x hop)

    A wake of n blocks has n / hop windows, rounded up, for the first comes with the wake. Over all
    lengths of wakes that is (hop - 1) / (2 x hop) more than n / hop.
    """
    return behaviour.awake / hop + behaviour.wakes * (hop - 1) / (2 * hop)


def latency_s(behaviour: Behaviour, hop: int, inference_s: float) -> float:
    """Return the seconds from the beginning of an event to its answer, estimated.

        fill + half a hop + (windows - 1) x hop + inference

    An event begins anywhere between two windows, so that on average half a hop passes until one
    that could recognise it; then each of those that are smoothed over takes a hop.

    Args:
        behaviour: as measured; `fill_s` is what remains of the measured time.
        hop: blocks from window to window.
        inference_s: of one inference on the chip.
    """
    hops = 0.5 + behaviour.windows - 1
    return behaviour.fill_s + hops * hop * behaviour.block_s + inference_s


def point(
    costs: Costs,
    behaviour: Behaviour,
    power: Power,
    hop: int,
    events: float,
    *,
    always: bool = False,
) -> Point:
    """Compute one duty cycle; arguments as those of `expected`."""
    counts = expected(behaviour, hop, events, always=always)
    spent = costs.instructions(counts)
    second = power.cycles_per_instruction / power.clock_hz
    shares = {state: n / SECONDS_AN_HOUR * second for state, n in spent.items()}
    waits = behaviour.summary_s * counts.summaries + behaviour.answer_s * counts.answers
    shares["serial"] += waits / SECONDS_AN_HOUR
    inference_s = costs.inference * second
    latency = latency_s(behaviour, hop, inference_s)
    return Point(
        hop=hop,
        hop_s=hop * behaviour.block_s,
        events=events,
        always=always,
        instructions=sum(spent.values()) / SECONDS_AN_HOUR,
        busy=sum(shares.values()),
        estimate=_estimate(shares, power, behaviour.sensor),
        latency_s=latency,
        answered=latency - inference_s <= behaviour.awake * behaviour.block_s,
    )


def _estimate(shares: dict[str, float], power: Power, sensor: str) -> Estimate | None:
    """Return the estimate, None for more work than there is time."""
    assert set(shares) <= set(ACTIVE)
    busy = sum(shares.values())
    return estimate({"sleep": 1 - busy, **shares}, power, sensor) if busy <= 1 else None


def sweep(
    costs: Costs,
    behaviour: Behaviour,
    power: Power,
    hops: Sequence[int],
    events: Sequence[float],
    *,
    always: Costs | None = None,
) -> list[Point]:
    """Compute all pairs of hops and rates of events; marks Pareto points.

    Args:
        costs: of the device.
        behaviour: of the device.
        power: of its chip.
        hops: blocks from window to window.
        events: an hour.
        always: costs of a device that looks at every window, which is computed as well.

    Raises:
        TooSlowError: the chip keeps up with none of them.
    """
    points = [point(costs, behaviour, power, hop, rate) for rate in events for hop in hops]
    if always:
        points += [point(always, behaviour, power, hop, 0, always=True) for hop in hops]
    if all(p.estimate is None for p in points):
        raise TooSlowError(
            f"the {power.chip} at {power.clock_hz / 1e6:g} MHz keeps up with none of these",
            "longer --hops, or a smaller model",
        )
    return marked(points)


def marked(points: Sequence[Point]) -> list[Point]:
    """Mark the points that no other of the same rate of events beats in life and latency.

    What misses events, or needs more time than there is, is none.
    """
    return [replace(p, pareto=_is_pareto(p, points)) for p in points]


def _is_pareto(it: Point, points: Sequence[Point]) -> bool:
    is_possible = it.estimate is not None and it.answered
    return is_possible and not any(_beats(other, it) for other in points)


def _beats(a: Point, b: Point) -> bool:
    if a.estimate is None or b.estimate is None or not a.answered:
        return False
    if (a.events, a.always) != (b.events, b.always):
        return False
    life, other = a.estimate.days_estimated, b.estimate.days_estimated
    as_good = life >= other and a.latency_s <= b.latency_s
    return as_good and (life > other or a.latency_s < b.latency_s)
