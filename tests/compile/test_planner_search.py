# SPDX-License-Identifier: Apache-2.0
"""Each part of the planner on its own: the search without its good start, the start without it."""

from unittest import mock

from hypothesis import given, settings

from tests.compile.test_planner import clash, problems, smallest_peak
from torpor.compile import planner
from torpor.compile.planner import Layout, Region, Trail, plan_memory

PINNED = settings(max_examples=80, deadline=None, derandomize=True)
Problem = tuple[list[Region], list[Trail]]

# Stacked these are 70 bytes; the second and third, alive together, need 50.
BAD_START = [Region(10, 0, 1), Region(20, 1, 2), Region(30, 2, 3), Region(10, 3, 4)]


def from_a_bad_start(regions: list[Region], trails: list[Trail], limit: int) -> Layout:
    """Plan from the layout in which no two regions share bytes, not improved before the search."""
    stacked, top = {}, 0
    for i, region in enumerate(regions):
        stacked[i] = -(-top // region.align) * region.align
        top = stacked[i] + region.size
    with mock.patch.object(planner, "_improve", lambda *_: stacked):
        return plan_memory(regions, trails, node_limit=limit)


@PINNED
@given(problems(most=6))
def test_the_search_alone_finds_the_smallest_layout(problem: Problem) -> None:
    layout = from_a_bad_start(*problem, limit=20_000)
    assert layout.optimal
    assert layout.peak == smallest_peak(*problem)
    assert clash(*problem, layout.offsets) == ""


@PINNED
@given(problems(most=8))
def test_a_search_that_is_cut_short_keeps_the_best_that_it_has_seen(problem: Problem) -> None:
    regions = problem[0]
    layout = from_a_bad_start(*problem, limit=3)
    assert layout.nodes <= 4
    assert layout.peak <= sum(r.size + r.align - 1 for r in regions)
    assert clash(*problem, layout.offsets) == ""


@PINNED
@given(problems(most=6))
def test_the_greedy_start_is_legal_in_any_order(problem: Problem) -> None:
    made = planner._Problem(*problem)
    for order in planner._orders(made):
        placed = planner._greedy(made, order)
        offsets = tuple(placed[i] for i in range(len(order)))
        assert clash(*problem, offsets) == ""
        assert made.peak(placed) >= made.bound()


def test_a_gap_below_a_placed_region_is_used() -> None:
    regions = [Region(10, 0, 5), Region(30, 1, 2), Region(20, 2, 3)]
    made = planner._Problem(regions, [])
    assert planner._greedy(made, [0, 1, 2]) == {0: 0, 1: 10, 2: 40}
    trail = planner._Problem([Region(10, 0, 1), Region(10, 1, 2)], [Trail(0, 1, 4)])
    assert planner._greedy(trail, [0, 1]) == {0: 0, 1: 10}
    assert planner._greedy(trail, [1, 0]) == {1: 0, 0: 4}


def test_the_search_improves_on_a_start_that_wastes() -> None:
    layout = from_a_bad_start(BAD_START, [], limit=20_000)
    assert (layout.peak, layout.bound, layout.optimal) == (50, 50, True)
    assert layout.nodes > 1


def test_without_a_search_a_bad_start_is_not_called_optimal() -> None:
    layout = from_a_bad_start(BAD_START, [], limit=0)
    assert not layout.optimal
    assert layout.bound == 50
    assert layout.peak == 70
