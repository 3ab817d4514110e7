# SPDX-License-Identifier: Apache-2.0
"""Choices can be replayed, cut short and made smaller."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.draw import Draw, shrink


def numbers(draw: Draw) -> list[object]:
    return [
        draw.integer(3, 9),
        draw.pick("abc"),
        draw.chance(0.5),
        draw.power(-3, 4),
        draw.permutation(5),
        draw.rng().integers(1000),
    ]


@given(st.integers(0, 1000))
def test_choices_replayed_give_the_same_values(seed: int) -> None:
    draw = Draw(Random(seed))
    values = numbers(draw)
    again = Draw(choices=draw.choices)
    assert numbers(again) == values
    assert again.choices == draw.choices


def test_where_choices_end_everything_is_simple() -> None:
    values = numbers(Draw(choices=[]))
    assert values[:5] == [3, "a", False, 2.0**-3, [0, 1, 2, 3, 4]]


def test_choices_that_are_too_large_are_cut() -> None:
    assert Draw(choices=[99]).integer(0, 4) == 4


@given(st.integers(0, 1000))
def test_values_lie_within_their_bounds(seed: int) -> None:
    draw = Draw(Random(seed))
    assert -2 <= draw.integer(-2, 5) <= 5
    assert 2.0**-4 <= draw.power(-4, -1) < 2.0**-1
    assert sorted(draw.permutation(6)) == list(range(6))


@pytest.mark.parametrize(("probability", "expected"), [(0.0, False), (1.0, True)])
def test_a_chance_is_as_likely_as_it_says(probability: float, expected: bool) -> None:
    assert {Draw(Random(n)).chance(probability) for n in range(20)} == {expected}


@given(st.lists(st.integers(0, 100), max_size=60))
def test_shrinking_finds_the_smallest_list_that_fails(before: list[int]) -> None:
    best = shrink([*before, 57], lambda choices: any(c >= 40 for c in choices), 10_000)
    assert best == [40]


def test_shrinking_keeps_order_and_what_belongs_together() -> None:
    def fails(choices: list[int]) -> bool:
        return any(a > b for a, b in pairwise(choices))

    best = shrink([3, 8, 1, 9, 4, 4, 2, 7], fails)
    assert len(best) == 2
    assert fails(best)


def test_shrinking_stops_after_its_tries() -> None:
    calls = []

    def fails(choices: list[int]) -> bool:
        calls.append(choices)
        return False

    assert shrink([5] * 100, fails, tries=7) == [5] * 100
    assert len(calls) == 7


def test_what_cannot_be_smaller_is_returned_as_it_is() -> None:
    assert shrink([4, 2], lambda choices: choices == [4, 2]) == [4, 2]


def test_what_begins_together_is_left_out_together() -> None:
    tried = []

    def fails(choices: list[int]) -> bool:
        tried.append(choices)
        return sum(choices) >= 9

    assert shrink([1, 2, 9, 3, 4], fails, tries=2, starts=[1, 3]) == [1, 2, 9]
    assert tried == [[1, 2, 9], [1]]


def test_a_draw_knows_where_parts_begin() -> None:
    draw = Draw(Random(1))
    draw.below(3)
    draw.begin()
    draw.chance(0.5)
    draw.below(2)
    draw.begin()
    assert draw.starts == [1, 3]
