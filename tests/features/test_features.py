# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sound features of the firmware are those of pymicro_features, bit for bit."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.models import speech
from torpor.errors import UsageError
from torpor.features import CHANNELS, RATE_HZ, SLICE, UNIT, Features

Audio = NDArray[np.int16]
SECONDS = 6
COUNT = SECONDS * RATE_HZ


def noise(level: float, seed: int) -> Audio:
    """Return white noise, clipped."""
    samples = np.random.default_rng(seed).standard_normal(COUNT) * level
    return samples.clip(-32768, 32767).astype(np.int16)


def square(period: int) -> Audio:
    """Return a square wave at full scale."""
    return np.where(np.arange(COUNT) // (period // 2) % 2, 32767, -32768).astype(np.int16)


def sweep() -> Audio:
    """Return a sine from 50 Hz to 8 kHz at full scale."""
    time = np.arange(COUNT) / RATE_HZ
    phase = 2 * np.pi * (50 * time + (7950 / (2 * SECONDS)) * time**2)
    return np.round(32767 * np.sin(phase)).astype(np.int16)


def bursts() -> Audio:
    """Return silence with clicks, and noise that begins and ends at once."""
    samples = np.zeros(COUNT, np.int16)
    samples[::7919] = 32767
    samples[1::7919] = -32768
    samples[2 * RATE_HZ : 3 * RATE_HZ] = noise(5000, 5)[:RATE_HZ]
    return samples


SOUNDS: dict[str, Callable[[Path], Audio]] = {
    "silence": lambda _: np.zeros(COUNT, np.int16),
    "offset": lambda _: np.full(COUNT, -32768, np.int16),
    "noise of 1": lambda _: noise(1, 1),
    "noise of 10": lambda _: noise(10, 2),
    "noise of 100": lambda _: noise(100, 3),
    "noise of 1000": lambda _: noise(1000, 4),
    "noise of 10000": lambda _: noise(10_000, 5),
    "noise that clips": lambda _: noise(60_000, 6),
    "square of 8 kHz": lambda _: square(2),
    "square of 400 Hz": lambda _: square(40),
    "square of 53 Hz": lambda _: square(300),
    "sweep": lambda _: sweep(),
    "bursts": lambda _: bursts(),
    "speech": lambda folder: speech.spoken("alexa, what time is it now?", "en-us", 165, folder),
    "voice": lambda folder: speech.spoken("please open the window", "en-gb+f3", 140, folder),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_every_bit_is_that_of_pymicro_features(name: str, tmp_path: Path) -> None:
    samples = SOUNDS[name](tmp_path)
    assert len(samples) > 2.5 * RATE_HZ
    found = Features("undefined").process(samples)
    assert found.shape == (len(samples) // SLICE - 2, CHANNELS)
    np.testing.assert_array_equal(found * UNIT, speech.features(samples))


def test_more_than_a_minute_is_compared(tmp_path: Path) -> None:
    assert sum(len(make(tmp_path)) for make in SOUNDS.values()) > 60 * RATE_HZ


def test_the_sounds_reach_the_extremes_of_the_features() -> None:
    assert Features().process(np.zeros(RATE_HZ, np.int16)).max() == 0
    assert Features().process(square(40)).max() > 660


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=30))
def test_it_does_not_matter_how_a_stream_is_cut(lengths: list[int]) -> None:
    samples = noise(2000, 3)[: sum(lengths)]
    features, pieces, at = Features(), [np.zeros((0, CHANNELS), np.uint16)], 0
    for length in lengths:
        pieces.append(features.process(samples[at : at + length]))
        at += length
    np.testing.assert_array_equal(np.concatenate(pieces), Features().process(samples))


def test_a_reset_forgets_everything() -> None:
    features = Features()
    first = features.process(noise(3000, 1))
    assert not np.array_equal(features.process(noise(3000, 1)), first)
    features.reset()
    features.process(np.zeros(SLICE // 2, np.int16))  # half a slice waits
    features.reset()
    np.testing.assert_array_equal(features.process(noise(3000, 1)), first)


def test_going_on_after_a_pause_keeps_the_noise_and_nothing_else() -> None:
    steady = noise(300, 2)
    features = Features("undefined")
    cold = features.process(steady)
    features.process(noise(20_000, 4)[: 2 * SLICE + 10])  # what a window has begun with
    features.resume()
    warm = features.process(steady)
    assert len(warm) == len(cold), "two slices make no row again"
    assert cold[:5].mean() > 5 * warm[:5].mean(), "known noise is taken away from the first row on"
    np.testing.assert_allclose(warm[-100:].mean(), cold[-100:].mean(), rtol=0.05)


def test_two_streams_do_not_disturb_each_other() -> None:
    samples = noise(4000, 6)
    alone = Features().process(samples)
    one, other, rows = Features(), Features(), []
    for at in range(0, len(samples), 1600):
        rows.append(one.process(samples[at : at + 1600]))
        other.process(noise(10_000, 7)[:1600])
    np.testing.assert_array_equal(np.concatenate(rows), alone)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32], ids=str)
def test_what_is_no_sound_is_refused(dtype: type) -> None:
    with pytest.raises(UsageError, match=r"samples are int16 \[n\], not "):
        Features().process(np.zeros(SLICE, dtype))
    with pytest.raises(UsageError, match=re.escape("not int16 [2, 160]")):
        Features().process(np.zeros((2, SLICE), np.int16))
