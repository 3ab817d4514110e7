# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/duty/trigger.c: the level of a block in exact fractions, and when it opens."""

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.duty.conftest import Library

LARGEST = 320
"""SENSOR_BLOCK_MAX of firmware/drivers/sensor.h."""
SAMPLES = st.integers(-(2**15), 2**15 - 1)
QUIET, OPENED, ACTIVE, CLOSED = range(4)


def level(duty: Library, samples: Sequence[int], axes: int) -> int:
    """Return trigger_level() of samples, one axis after the other in each."""
    found: int = duty.c.trigger_level(
        duty.ffi.new("int16_t[]", list(samples)), len(samples) // axes, axes
    )
    return found


def exact_level(samples: Sequence[int], axes: int) -> int:
    """Return what the header says, in fractions."""
    count = len(samples) // axes
    total = Fraction(0)
    for axis in range(axes):
        values = samples[axis::axes]
        mean = Fraction(sum(values), count)
        total += sum(abs(value - mean) for value in values)
    return total // count


@st.composite
def blocks(draw: st.DrawFn) -> tuple[list[int], int]:
    """Draw (samples, axes)."""
    axes = draw(st.integers(1, 7))
    count = draw(st.integers(1, LARGEST // axes))
    values = draw(
        st.sampled_from((SAMPLES, st.integers(-3, 3), st.sampled_from([-(2**15), 2**15 - 1])))
    )
    return draw(st.lists(values, min_size=count * axes, max_size=count * axes)), axes


@given(blocks())
def test_the_level_is_the_exact_mean_of_the_deviations_rounded_down(
    duty: Library, block: tuple[list[int], int]
) -> None:
    assert level(duty, *block) == exact_level(*block)


@pytest.mark.parametrize("axes", [1, 2, 3, 6])
def test_the_largest_block_at_full_scale_does_not_overflow(duty: Library, axes: int) -> None:
    count = LARGEST // axes
    samples = [value for i in range(count) for value in [(-(2**15), 2**15 - 1)[i % 2]] * axes]
    assert level(duty, samples, axes) == exact_level(samples, axes) >= 32700 * axes
    assert level(duty, [-(2**15)] * count * axes, axes) == 0
    assert level(duty, [2**15 - 1] * count * axes, axes) == 0


@given(SAMPLES, st.integers(1, LARGEST))
def test_a_sensor_at_rest_has_level_0_whatever_its_offset(
    duty: Library, offset: int, count: int
) -> None:
    assert level(duty, [offset] * count, 1) == 0


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=LARGEST), st.integers(-31000, 31000))
def test_an_offset_changes_no_level(duty: Library, samples: list[int], offset: int) -> None:
    moved = [sample + offset for sample in samples]
    assert level(duty, moved, 1) == level(duty, samples, 1)


@pytest.mark.parametrize("count", range(1, 10))
def test_every_sample_of_a_block_counts(duty: Library, count: int) -> None:
    for place in range(count):
        samples = [0] * count
        samples[place] = 30000
        assert level(duty, samples, 1) == exact_level(samples, 1)
        assert (level(duty, samples, 1) > 0) == (count > 1)


@pytest.mark.parametrize("shift", [0, -7, 31000])
def test_the_smallest_deviation_counts(duty: Library, shift: int) -> None:
    """-2 is a third above the mean of these; without it the level would be below 1."""
    samples = [-4 + shift, -2 + shift, -1 + shift]
    assert level(duty, samples, 1) == exact_level(samples, 1) == 1


def test_no_samples_have_level_0(duty: Library) -> None:
    assert duty.c.trigger_level(duty.ffi.NULL, 0, 3) == 0


class Trigger:
    """The C, with its state."""

    def __init__(self, duty: Library, **config: int) -> None:
        self._c = duty.c
        self._config = duty.ffi.new("trigger_config_t *", config)
        self._state = duty.ffi.new("trigger_t *")

    def events(self, levels: Sequence[int]) -> list[int]:
        """Return what each level leads to."""
        return [self._c.trigger_update(self._state, self._config, value) for value in levels]


def expected_events(
    levels: Sequence[int], on: int, off: int, debounce: int, hold: int
) -> list[int]:
    """Return the events, from the levels since the last change."""
    found: list[int] = []
    active, start = False, 0
    for end in range(1, len(levels) + 1):
        needed = max(1, hold if active else debounce)
        recent = levels[max(start, end - needed) : end]
        turned = all(v < off for v in recent) if active else all(v >= on for v in recent)
        if turned and len(recent) == needed:
            active, start = not active, end
            found.append(OPENED if active else CLOSED)
        else:
            found.append(ACTIVE if active else QUIET)
    return found


@given(
    st.lists(st.integers(0, 9), max_size=200),
    st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_it_opens_and_closes_after_so_many_blocks_one_after_the_other(
    duty: Library, levels: list[int], limits: list[int], blocks: tuple[int, int]
) -> None:
    config = {"on": limits[1], "off": limits[0], "debounce": blocks[0], "hold": blocks[1]}
    assert Trigger(duty, **config).events(levels) == expected_events(levels, **config)


def test_a_level_between_the_thresholds_changes_nothing(duty: Library) -> None:
    trigger = Trigger(duty, on=100, off=50, debounce=1, hold=1)
    assert trigger.events([99, 50, 99]) == [QUIET] * 3
    assert trigger.events([100, 50, 99, 50]) == [OPENED, ACTIVE, ACTIVE, ACTIVE]
    assert trigger.events([49, 50, 99]) == [CLOSED, QUIET, QUIET]


def test_what_interrupts_a_debounce_starts_it_anew(duty: Library) -> None:
    trigger = Trigger(duty, on=10, off=5, debounce=3, hold=2)
    assert trigger.events([10, 10, 9, 10, 10]) == [QUIET] * 5
    assert trigger.events([10, 4, 5, 4, 4]) == [OPENED, ACTIVE, ACTIVE, ACTIVE, CLOSED]


def test_the_longest_debounce_and_the_highest_level(duty: Library) -> None:
    trigger = Trigger(duty, on=2**32 - 1, off=1, debounce=2**16 - 1, hold=2**16 - 1)
    events = trigger.events([2**32 - 1] * (2**16 - 1) + [0] * (2**16 - 1))
    assert events.index(OPENED) == 2**16 - 2
    assert events.index(CLOSED) == 2**17 - 3
