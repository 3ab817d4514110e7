# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/duty/floor.c: what is under the levels, and thresholds above it."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.duty.conftest import Library

FLOOR_LEVEL_MAX = 0xFFFFFF
QUIET, OPENED, ACTIVE, CLOSED = range(4)
LEVELS = st.lists(st.integers(0, 3000), min_size=1, max_size=300)


def floors(duty: Library, levels: Sequence[int], sixteenths: int = 16) -> list[int]:
    """Return the floor, times a factor, after each level."""
    floor = duty.ffi.new("floor_t *")
    found = []
    for level in levels:
        duty.c.floor_update(floor, level)
        found.append(int(duty.c.floor_times(floor, sixteenths)))
    return found


def model(levels: Sequence[int]) -> list[int]:
    """Return the same, by the words of floor.h."""
    found: list[int] = []
    floor = None
    for level in (256 * min(level, FLOOR_LEVEL_MAX) for level in levels):
        if floor is None:
            floor = level
        elif level < floor:
            floor -= (floor - level) // 32
        else:
            floor = min(level, floor + floor // 256 + 16)
        found.append(floor // 256)
    return found


@given(LEVELS)
def test_it_is_what_the_header_says(duty: Library, levels: list[int]) -> None:
    assert floors(duty, levels) == model(levels)


@given(LEVELS)
def test_it_stays_between_what_was_heard(duty: Library, levels: list[int]) -> None:
    for number, floor in enumerate(floors(duty, levels), 1):
        assert min(levels[:number]) <= floor <= max(levels[:number])


@pytest.mark.parametrize("level", [0, 1, FLOOR_LEVEL_MAX, 2**32 - 1])
def test_levels_at_their_limits(duty: Library, level: int) -> None:
    assert floors(duty, [level] * 3) == [min(level, FLOOR_LEVEL_MAX)] * 3


def test_it_doubles_in_about_180_blocks_and_falls_much_faster(duty: Library) -> None:
    rising = floors(duty, [1000] + [100_000] * 400)
    doubled = next(n for n, floor in enumerate(rising) if floor >= 2000)
    assert 170 <= doubled <= 185
    falling = floors(duty, [2000] + [1000] * 100)
    assert next(n for n, floor in enumerate(falling) if floor <= 1100) < 80


@given(st.integers(0, 100_000), st.integers(0, 255))
def test_a_factor_is_in_sixteenths(duty: Library, level: int, sixteenths: int) -> None:
    assert floors(duty, [level], sixteenths) == [level * sixteenths // 16]


# ---- a trigger above it


def events(duty: Library, levels: Sequence[int], above: int, still: int) -> list[int]:
    """Return what a trigger makes of levels, with thresholds of 100 and 50 otherwise."""
    config = duty.ffi.new(
        "trigger_config_t *",
        {"on": 100, "off": 50, "debounce": 2, "hold": 3, "above": above, "still": still},
    )
    state = duty.ffi.new("trigger_t *")
    return [int(duty.c.trigger_update(state, config, level)) for level in levels]


def noise(seed: int, level: float, count: int) -> list[int]:
    """Return levels of blocks of white noise: they differ by 6 %, as those of 160 samples do."""
    rng = np.random.default_rng(seed)
    return [int(x) for x in np.maximum(0, level * (1 + 0.06 * rng.standard_normal(count)))]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("level", [20, 200, 2000])
def test_steady_noise_however_loud_does_not_open_it(duty: Library, seed: int, level: int) -> None:
    assert set(events(duty, noise(seed, level, 20_000), 24, 20)) == {QUIET}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_twice_as_loud_as_the_noise_opens_it_and_it_closes_again(
    duty: Library, seed: int
) -> None:
    levels = noise(seed, 200, 500) + noise(~seed & 0xFFFF, 450, 60) + noise(seed + 99, 200, 100)
    found = events(duty, levels, 24, 20)
    assert found.count(OPENED) == found.count(CLOSED) == 1
    assert 500 <= found.index(OPENED) <= 503
    assert 560 <= found.index(CLOSED) <= 570


def test_noise_that_becomes_louder_opens_it_until_it_is_the_floor(duty: Library) -> None:
    found = events(duty, noise(1, 40, 500) + noise(2, 250, 2000), 24, 20)
    assert found.count(OPENED) == found.count(CLOSED) == 1
    assert found.index(CLOSED) - found.index(OPENED) < 600  # 6 s of blocks of 10 ms


@given(st.lists(st.integers(0, 300), max_size=200))
def test_without_a_factor_it_is_fixed(duty: Library, levels: list[int]) -> None:
    loud = [5000] * 50 + levels
    fixed = events(duty, loud, 0, 0)
    expected = duty.ffi.new("trigger_config_t *", {"on": 100, "off": 50, "debounce": 2, "hold": 3})
    state = duty.ffi.new("trigger_t *")
    assert fixed == [int(duty.c.trigger_update(state, expected, level)) for level in loud]
    assert fixed[1] == OPENED
