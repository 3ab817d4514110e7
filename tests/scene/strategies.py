# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Scenes by chance."""

import numpy as np
from hypothesis import strategies as st

from torpor.scene import Event, Scene
from torpor.scene.layout import GAIN_ONE

EDGES = st.sampled_from([-32768, -1, 0, 1, 32767])


@st.composite
def scenes(draw: st.DrawFn, most: int = 300) -> Scene:
    """Return a scene of at most `most` samples, with all that a scene can have."""
    axes = draw(st.integers(1, 8))
    samples = draw(st.integers(1, most))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    high = draw(st.sampled_from([1, 100, 32768]))
    lengths = draw(st.lists(st.integers(1, samples), max_size=4))
    clips = tuple(random.integers(-high, high, (n, axes), np.int16) for n in lengths)
    events = [
        Event(draw(st.integers(0, samples - len(clips[clip]))), clip, gain)
        for clip, gain in draw(
            st.lists(
                st.tuples(st.integers(0, len(clips) - 1), st.integers(0, GAIN_ONE)), max_size=6
            )
            if clips
            else st.just([])
        )
    ]
    return Scene(
        rate_hz=draw(st.sampled_from([1, 3, 10, 16000])),
        samples=samples,
        base=tuple(draw(st.lists(EDGES | st.integers(-999, 999), min_size=axes, max_size=axes))),
        clips=clips,
        events=tuple(sorted(events, key=lambda event: event.start)),
        noise=draw(st.sampled_from([0, 1, 100, 65535])),
        seed=draw(st.integers(0, 2**32 - 1)),
        background=draw(st.none() | st.integers(0, len(clips) - 1)) if clips else None,
    )
