# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which inputs are kept: as many as the configuration says, the same ones in C and Python."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stats.device import Opened
from tests.stats.device import Sampler as OnDevice
from torpor.stats.sampler import Config, Sampler, Why

CONFIGS = st.builds(Config, st.integers(0, 1000), st.integers(0, 255), st.integers(0, 65535))


def choices(opened: Opened, seed: int, config: Config, scores: list[int]) -> list[Why]:
    """Return what is chosen, which C and Python agree about."""
    device, twin = OnDevice(opened, seed), Sampler(seed)
    made = [device.choose(config, score) for score in scores]
    assert made == [twin.choose(config, score) for score in scores]
    return made


@given(st.integers(0, 0xFFFFFFFF), CONFIGS, st.lists(st.integers(0, 255), max_size=40))
def test_any_configuration_chooses_the_same_ones(
    opened: Opened, seed: int, config: Config, scores: list[int]
) -> None:
    choices(opened, seed, config, scores)


@pytest.mark.parametrize("permille", [10, 20, 50])
@pytest.mark.parametrize("seed", [0, 1, 0xDEADBEEF])
def test_the_share_of_random_ones_is_that_of_the_configuration(
    opened: Opened, permille: int, seed: int
) -> None:
    made = choices(opened, seed, Config(permille=permille), [200] * 20_000)
    assert set(made) == {Why.NO, Why.RANDOM}
    assert abs(made.count(Why.RANDOM) / 20 - permille) < 0.15 * permille


def test_without_a_configuration_nothing_is_kept(opened: Opened) -> None:
    assert set(choices(opened, 1, Config(), [0] * 1000)) == {Why.NO}


def test_every_input_is_kept_at_a_thousand_permille(opened: Opened) -> None:
    assert set(choices(opened, 1, Config(permille=1000), [255] * 1000)) == {Why.RANDOM}


def test_a_score_below_the_threshold_is_kept_and_one_at_it_is_not(opened: Opened) -> None:
    assert choices(opened, 1, Config(low=100), [99, 100, 101, 0]) == [2, 0, 0, 2]


def test_a_low_score_is_the_reason_where_chance_would_keep_it_too(opened: Opened) -> None:
    assert choices(opened, 1, Config(permille=1000, low=100), [99, 100]) == [2, 1]


@pytest.mark.parametrize("every", [0, 1, 2, 10])
def test_between_two_that_are_kept_there_are_so_many_others(opened: Opened, every: int) -> None:
    made = choices(opened, 1, Config(low=100, every=every), [0] * 100)
    kept = [i for i, why in enumerate(made) if why]
    assert kept == list(range(0, 100, every + 1))


@pytest.mark.parametrize("seed", range(3))
def test_the_limit_holds_for_random_ones_too(opened: Opened, seed: int) -> None:
    scores = [random.Random(seed + i).randrange(256) for i in range(3000)]
    made = choices(opened, seed, Config(permille=50, low=10, every=7), scores)
    kept = [i for i, why in enumerate(made) if why]
    assert {made[i] for i in kept} == {Why.RANDOM, Why.LOW}
    assert min(b - a for a, b in pairwise(kept)) >= 8


def test_what_chance_keeps_does_not_depend_on_the_scores(opened: Opened) -> None:
    low = [i % 50 == 0 for i in range(3000)]
    plain = choices(opened, 9, Config(permille=50), [200] * 3000)
    mixed = choices(opened, 9, Config(permille=50, low=100), [0 if x else 200 for x in low])
    assert [w for w, x in zip(mixed, low, strict=True) if not x] == [
        w for w, x in zip(plain, low, strict=True) if not x
    ]
