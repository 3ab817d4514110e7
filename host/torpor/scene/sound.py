# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A scene of sound: clips, of speech for example, in noise."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torpor.errors import UsageError
from torpor.scene.layout import GAIN_ONE
from torpor.scene.scene import NOISE_MAX, Event, Scene
from torpor.scene.schedule import SHARE, Made, schedule, truths
from torpor.scene.speech import RATE_HZ

PAUSE_S = 3.0
FRAME_S = 0.02
QUIET = 0.1
"""Of the loudest frame: what is below is a pause in the speech, and does not count."""


@dataclass(frozen=True, eq=False)
class Sound:
    """Something to be heard once.

    Attributes:
        samples: int16 [n].
        label: what a device ought to say of it; "" for what it ought not to react to.
        snr_db: how much louder it is than the noise, as powers of ten; None: as it is recorded.
    """

    samples: NDArray[np.int16]
    label: str
    snr_db: float | None = None


def sound_scene(
    sounds: Sequence[Sound],
    seconds: float,
    seed: int,
    *,
    noise: float,
    rate_hz: int = RATE_HZ,
    share: float = SHARE,
    pause_s: float = PAUSE_S,
) -> Made:
    """Return a scene in which all sounds are heard once, in an order by chance, in white noise.

    Args:
        sounds: what is heard.
        seconds: how long it lasts.
        seed: of places, order and noise.
        noise: its standard deviation, in counts.
        rate_hz: of all samples.
        share: of the time that sounds may take together.
        pause_s: seconds at least before, between and behind them.

    Raises:
        UsageError: they do not fit, or one would have to be louder than it is recorded.
    """
    level = round(noise * 3**0.5)
    if not 0 <= level <= NOISE_MAX:
        raise UsageError(f"a noise of {noise:g} counts is none", f"0 to {NOISE_MAX / 3**0.5:.0f}")
    chance = random.Random(seed)  # noqa: S311 - the same for the same seed
    order = chance.sample(list(sounds), len(sounds))
    clips: dict[int, int] = {}  # the same samples lie in the scene once
    for sound in order:
        clips.setdefault(id(sound.samples), len(clips))
    kept = {clips[id(sound.samples)]: sound.samples.reshape(-1, 1) for sound in order}
    lengths, samples = [len(sound.samples) for sound in order], round(seconds * rate_hz)
    starts = schedule(lengths, samples, round(pause_s * rate_hz), chance.getrandbits(32), share)
    events = (
        Event(start, clips[id(sound.samples)], gain(sound, noise, rate_hz))
        for start, sound in zip(starts, order, strict=True)
    )
    scene = Scene(
        rate_hz=rate_hz,
        samples=samples,
        base=(0,),
        clips=tuple(kept[number] for number in range(len(kept))),
        events=tuple(events),
        noise=level,
        seed=chance.getrandbits(32),
    )
    return Made(scene, truths(starts, lengths, [sound.label for sound in order], rate_hz))


def gain(sound: Sound, noise: float, rate_hz: int) -> int:
    """Return the gain of an event, of 65536, with which a sound has its signal-to-noise ratio.

    snr = 20 log10(gain * loudness / noise)

    Raises:
        UsageError: it would be above 1, or there is no noise.
    """
    if sound.snr_db is None:
        return GAIN_ONE
    if not noise:
        raise UsageError("there is no noise that a sound could be louder than", "leave snr_db out")
    found = noise * 10 ** (sound.snr_db / 20) / loudness(sound.samples, rate_hz)
    if found > 1:
        raise UsageError(
            f"a sound is too quiet to be {sound.snr_db:g} dB above a noise of {noise:g} counts",
            f"lower the noise to {int(noise / found)}",
        )
    return round(found * GAIN_ONE)


def loudness(samples: NDArray[np.int16], rate_hz: int) -> float:
    """Return the root of the mean square of samples [n], without the pauses in them.

    Raises:
        UsageError: there is nothing to be heard.
    """
    length = min(max(round(FRAME_S * rate_hz), 1), len(samples))
    whole = samples[: len(samples) // max(length, 1) * length].astype(np.float64)
    power = (whole.reshape(-1, max(length, 1)) ** 2).mean(axis=1)
    if not len(power) or not power.max():
        raise UsageError("a sound is silent")
    return float(np.sqrt(power[power >= power.max() * QUIET**2].mean()))
