# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A scene of motion, from the recordings of a model that its training never saw."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torpor.errors import UsageError, unknown_name
from torpor.model import Model, timeseries
from torpor.model.package_data import Member, data_files
from torpor.scene.scene import Event, Samples, Scene
from torpor.scene.schedule import SHARE, Made, schedule, truths

PAUSE_S = 10.0
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1
_Recordings = list[NDArray[np.float64]]


@dataclass(frozen=True)
class Rest:
    """What the sensor shows between events.

    Attributes:
        label: class whose recordings of the training say so.
        moves: a recording of it plays there and back again, the one that moves least; otherwise
            the sensor lies still.
        noise: standard deviation of the sensor's own noise, in counts.
    """

    label: str
    moves: bool = False
    noise: float = 2.0


def motion_scene(
    model: Model,
    seconds: float,
    seed: int,
    events: Sequence[str],
    *,
    rest: Rest | None = None,
    share: float = SHARE,
    pause_s: float = PAUSE_S,
) -> Made:
    """Return a scene in which held-out recordings play between rest, in counts of the sensor.

    Args:
        model: of models/, with recordings and [wake].
        seconds: how long it lasts.
        seed: of places, order, choice of recordings and noise.
        events: labels of what happens; each is another recording of that class, as far as there
            are others.
        rest: what is between them; None: a sensor that lies as in the recordings of the first
            label.
        share: of the time that events may take together.
        pause_s: seconds of rest at least before, between and behind them.

    Raises:
        UsageError: the model says nothing of counts, or has no such label; the events do not fit.
        MissingToolError: the recordings are not here, and pip cannot get them.
    """
    rest = rest or Rest(model.labels[0])
    chance = random.Random(seed)  # noqa: S311 - the same for the same seed
    order = chance.sample(list(events), len(events))
    rate = _rate(model)
    base, background = _resting(model, rest)
    clips = [_above(base, recording) for recording in _chosen(model, order, chance)]
    lengths, samples = [len(clip) for clip in clips], round(seconds * rate)
    starts = schedule(lengths, samples, round(pause_s * rate), chance.getrandbits(32), share)
    scene = Scene(
        rate_hz=rate,
        samples=samples,
        base=tuple(int(number) for number in base),
        clips=(*clips, background) if rest.moves else tuple(clips),
        events=tuple(Event(start, number) for number, start in enumerate(starts)),
        noise=round(rest.noise * 3**0.5),
        seed=chance.getrandbits(32),
        background=len(clips) if rest.moves else None,
    )
    return Made(scene, truths(starts, lengths, order, rate))


def counts_of(model: Model) -> NDArray[np.float64]:
    """Return the sensor's counts per raw unit of a model of motion, float64 [axes].

    Raises:
        UsageError: its model.toml does not say.
    """
    wake = model.about.wake
    if wake is None or len(wake.counts) != len(model.about.input.axes):
        raise UsageError(
            f"model '{model.name}' does not say what its sensor counts",
            "'counts' in the table [wake] of its model.toml: one number for each axis",
        )
    return np.array(wake.counts, np.float64)


def _rate(model: Model) -> int:
    rate = model.about.input.rate_hz
    if rate != round(rate):
        raise UsageError(f"model '{model.name}' samples at {rate} Hz: scenes have whole numbers")
    return round(rate)


def _recordings(model: Model, member: Member, label: str) -> _Recordings:
    """Return what was recorded of a class, in counts: float64 [samples, axes] each."""
    if label not in model.labels:
        raise unknown_name(f"label of '{model.name}'", label, model.labels)
    (path,) = data_files(model.about.data.wheel, [member], model.build)
    found = timeseries.parse(path.read_bytes(), str(path))
    name = model.about.data.classes[model.labels.index(label)]
    counts = counts_of(model)
    return [v.T * counts for v, c in zip(found.values, found.classes, strict=True) if c == name]


def _chosen(model: Model, order: Sequence[str], chance: random.Random) -> _Recordings:
    """Return a held-out recording for each label of `order`."""
    found: dict[str, _Recordings] = {}
    left: dict[str, _Recordings] = {}
    chosen = []
    for label in order:
        if label not in found:
            found[label] = _recordings(model, model.about.data.test, label)
        if not left.get(label):
            left[label] = chance.sample(found[label], len(found[label]))
        chosen.append(left[label].pop())
    return chosen


def _resting(model: Model, rest: Rest) -> tuple[NDArray[np.int64], Samples]:
    """Return the base [axes], and the recording that moves least, less the base, there and back."""
    recordings = _recordings(model, model.about.data.train, rest.label)
    base = _saturated(np.concatenate(recordings).mean(axis=0)).astype(np.int64)
    calm = min(recordings, key=lambda recording: float(recording.std(axis=0).sum()))
    there = _above(base, calm)
    return base, np.concatenate([there, there[-2:0:-1]])


def _above(base: NDArray[np.int64], recording: NDArray[np.float64]) -> Samples:
    """Return a recording as what it adds to the base: together they are what was recorded."""
    return _saturated(_saturated(recording).astype(np.float64) - base)


def _saturated(numbers: NDArray[np.float64]) -> Samples:
    return np.clip(np.rint(numbers), _LOW, _HIGH).astype(np.int16)
