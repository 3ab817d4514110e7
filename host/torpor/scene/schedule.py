# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""When things happen in a scene, and what a device ought to find there."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from torpor.errors import UsageError
from torpor.scene.scene import Scene

SHARE = 0.05
"""Of the time that events may take: a device that sleeps is for what is rare."""


@dataclass(frozen=True)
class Truth:
    """Something that really happens.

    Attributes:
        start_s: seconds from the start of the scene.
        end_s: when it is over.
        label: what it is; "" for what no class stands for.
    """

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True)
class Made:
    """A scene, and what happens in it, in order of time."""

    scene: Scene
    truth: tuple[Truth, ...]


def schedule(
    lengths: Sequence[int], samples: int, pause: int, seed: int, share: float = SHARE
) -> list[int]:
    """Return when events start, one after the other, at random places.

    Args:
        lengths: of the events, in samples.
        samples: of the scene.
        pause: samples at least before, between and behind them.
        seed: of the places.
        share: of the time that they may take together.

    Raises:
        UsageError: they take more, or do not fit with their pauses.
    """
    busy = sum(lengths)
    if busy > share * samples:
        raise UsageError(
            f"events take {busy / samples:.1%} of the scene, more than {share:.0%}",
            f"fewer events, or a scene that is {busy / share / samples:.3g} times as long",
        )
    free = samples - busy - pause * (len(lengths) + 1)
    if free < 0:
        raise UsageError(f"{len(lengths)} events with their pauses do not fit into the scene")
    chance = random.Random(seed)  # noqa: S311 - the same for the same seed
    gaps = sorted(chance.randint(0, free) for _ in lengths)
    starts, behind = [], pause
    for gap, length in zip(gaps, lengths, strict=True):
        starts.append(behind + gap)
        behind += length + pause
    return starts


def truths(
    starts: Sequence[int], lengths: Sequence[int], labels: Sequence[str], rate_hz: int
) -> tuple[Truth, ...]:
    """Return what happens, from samples to seconds."""
    return tuple(
        Truth(start / rate_hz, (start + length) / rate_hz, label)
        for start, length, label in zip(starts, lengths, labels, strict=True)
    )
