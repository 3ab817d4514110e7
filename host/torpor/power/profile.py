# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a device does in one interval, and what each part of it costs: from counts to constants.

The work of the device has few parts: a block of samples, a window that stage 1 looks at, an
inference, a summary, an answer. Each takes nearly the same number of instructions every time. So
one run tells the cost of all, and they tell the cost of any other duty cycle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torpor.errors import DeviceError


@dataclass(frozen=True)
class Counts:
    """What happened in a stretch of the device's time, or on average in one.

    Attributes:
        blocks: of the sensor.
        wakes: times that it woke.
        gates: windows that stage 1 looked at.
        inferences: of the model.
        answers: that it reported.
        summaries: that it sent.
        rejected: wakes in which stage 1 rejected every window.
    """

    blocks: float = 0
    wakes: float = 0
    gates: float = 0
    inferences: float = 0
    answers: float = 0
    summaries: float = 0
    rejected: float = 0


@dataclass(frozen=True)
class Interval:
    """A stretch of the device's time, measured.

    Attributes:
        counts: what happened.
        instructions: executed in each state of torpor.energy.ACTIVE.
    """

    counts: Counts
    instructions: dict[str, float]


@dataclass(frozen=True)
class Costs:
    """Instructions of one of each; in brackets is the state that they are counted in.

    Attributes:
        block: of the sensor: taking it in, and the trigger (capture).
        wake: what a wake and its windows take besides (capture).
        gate: stage 1 on a window (stage_1).
        inference: stage 2 on a window (stage_2).
        summary: sending it (serial).
        answer: sending it (serial).
        keeping: of an inference: what is kept of inputs (flash).
    """

    block: float
    wake: float
    gate: float
    inference: float
    summary: float
    answer: float
    keeping: float = 0.0

    def instructions(self, counts: Counts) -> dict[str, float]:
        """Return what `counts` of everything take, by state."""
        return {
            "capture": self.block * counts.blocks + self.wake * counts.wakes,
            "stage_1": self.gate * counts.gates,
            "stage_2": self.inference * counts.inferences,
            "serial": self.summary * counts.summaries + self.answer * counts.answers,
            "flash": self.keeping * counts.inferences,
        }


def fit(intervals: Sequence[Interval]) -> Costs:
    """Find the costs from measured intervals.

    Args:
        intervals: some quiet, some not.

    Raises:
        DeviceError: nothing happened of something.
    """
    block, wake = _two(intervals, "capture", "blocks", "wakes")
    summary, answer = sending(intervals)
    return Costs(
        block=block,
        wake=wake,
        gate=_one(intervals, "stage_1", "gates"),
        inference=_one(intervals, "stage_2", "inferences"),
        summary=summary,
        answer=answer,
        keeping=_one(intervals, "flash", "inferences"),
    )


def sending(intervals: Sequence[Interval]) -> tuple[float, float]:
    """Return instructions of sending a summary and an answer.

    They are the same each time, but when this computer reads late: then the emulated device waits
    for its UART.
    """
    return _two(intervals, "serial", "summaries", "answers")


def spent(intervals: Sequence[Interval]) -> float:
    """Return all instructions, but those of waiting for this computer (see `sending`)."""
    summary, answer = sending(intervals)
    told = sum(summary * i.counts.summaries + answer * i.counts.answers for i in intervals)
    others = sum(n for i in intervals for state, n in i.instructions.items() if state != "serial")
    return told + others


def _one(intervals: Sequence[Interval], state: str, what: str) -> float:
    total = sum(getattr(i.counts, what) for i in intervals)
    if not total:
        raise DeviceError(f"the device had no {what} in the scene", "a longer scene, other events")
    return sum(i.instructions.get(state, 0.0) for i in intervals) / float(total)


def _two(intervals: Sequence[Interval], state: str, often: str, rare: str) -> tuple[float, float]:
    """Return the costs of two things that are counted in one state.

    Those with the least sum of absolute errors: so a few intervals that are far off count for
    nothing. Two of the intervals have no error then, so all pairs of them are tried. Neither cost
    is below 0; if that does not work out, the second is 0.
    """
    mean = _one(intervals, state, often)
    counts = np.array([[getattr(i.counts, w) for w in (often, rare)] for i in intervals], float)
    found = np.array([i.instructions.get(state, 0.0) for i in intervals])
    first, second = np.triu_indices(len(counts), 1)
    pairs, rights = counts[[first, second]].swapaxes(0, 1), found[[first, second]].T
    independent = np.abs(np.linalg.det(pairs)) > 0.5  # of whole numbers
    costs = np.linalg.solve(pairs[independent], rights[independent][:, :, None])[:, :, 0]
    costs = costs[(costs >= 0).all(axis=1)]
    if not len(costs):
        return mean, 0.0
    errors = np.abs(costs @ counts.T - found).sum(axis=1)
    best = costs[int(errors.argmin())]
    return float(best[0]), float(best[1])
