# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""When things happen in a scene."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.errors import UsageError
from torpor.scene.schedule import SHARE, Truth, schedule, truths

SEEDS = st.integers(0, 2**32 - 1)


@given(st.lists(st.integers(1, 50), max_size=12), st.integers(0, 40), st.integers(0, 500), SEEDS)
def test_events_keep_their_pauses_and_stay_in_the_scene(
    lengths: list[int], pause: int, spare: int, seed: int
) -> None:
    samples = sum(lengths) + pause * (len(lengths) + 1) + spare + 1
    starts = schedule(lengths, samples, pause, seed, share=1)
    ends = [0, *(start + length for start, length in zip(starts, lengths, strict=True))]
    for end, start in zip(ends, [*starts, samples], strict=True):
        assert start - end >= pause


def test_places_differ_from_seed_to_seed_and_not_from_run_to_run() -> None:
    made = [tuple(schedule([100] * 5, 100_000, 50, seed)) for seed in (1, 1, 2, 3)]
    assert made[0] == made[1]
    assert len(set(made)) == 3


def test_places_are_spread_over_the_scene() -> None:
    starts = [start for seed in range(50) for start in schedule([10] * 4, 10_000, 10, seed)]
    quarters = [sum(at // 2500 == quarter for at in starts) for quarter in range(4)]
    assert min(quarters) > 25  # of 200


def test_events_that_are_not_rare_are_refused_with_the_length_that_would_do() -> None:
    assert schedule([500], 10_000, 0, 1)
    with pytest.raises(UsageError, match=r"events take 5\.1% of the scene, more than 5%") as error:
        schedule([510], 10_000, 0, 1)
    assert "1.02 times as long" in error.value.hint
    with pytest.raises(UsageError, match="more than 5%") as error:
        schedule([500] * 4, 10_000, 0, 1)
    assert "4 times as long" in error.value.hint
    assert SHARE == 0.05


def test_pauses_that_do_not_fit_are_refused() -> None:
    assert schedule([1, 1], 92, 30, 1, share=1) == [30, 61]
    with pytest.raises(UsageError, match="2 events with their pauses do not fit"):
        schedule([1, 1], 91, 30, 1, share=1)


def test_what_happens_is_told_in_seconds() -> None:
    assert truths([5, 30], [10, 5], ["a", ""], 10) == (Truth(0.5, 1.5, "a"), Truth(3.0, 3.5, ""))
