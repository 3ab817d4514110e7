# SPDX-License-Identifier: Apache-2.0
"""The memory planner: never two owners of a byte, and never a byte too many on small problems."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torpor.compile.planner import Region, Trail, plan_memory

REGIONS = st.builds(
    lambda size, first, length, align: Region(size, first, first + length, align),
    st.integers(1, 40),
    st.integers(0, 6),
    st.integers(0, 3),
    st.sampled_from([1, 1, 1, 4]),
)


@st.composite
def problems(draw: st.DrawFn, most: int) -> tuple[list[Region], list[Trail]]:
    """Return regions, and trails between inputs that die at the step that writes an output."""
    regions = draw(st.lists(REGIONS, min_size=1, max_size=most))
    pairs = [
        (x, y)
        for x, a in enumerate(regions)
        for y, b in enumerate(regions)
        if x != y and a.last == b.first and a.first < b.first
    ]
    chosen: dict[int, Trail] = {}
    for x, y in pairs:
        if draw(st.booleans()) and all(t.x != x for t in chosen.values()):
            chosen[y] = Trail(x, y, draw(st.integers(0, regions[y].size)))
    return regions, list(chosen.values())


def clash(regions: list[Region], trails: list[Trail], offsets: tuple[int, ...]) -> str:
    """Return the first rule that `offsets` break, or ""."""
    allowed = {(t.x, t.y): t.distance for t in trails}
    for i, a in enumerate(regions):
        if offsets[i] < 0 or offsets[i] % a.align:
            return f"{i} is misplaced"
        for j, b in enumerate(regions):
            together = i != j and a.first <= b.last and b.first <= a.last
            apart = offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]
            distance = allowed.get((i, j), allowed.get((j, i)))
            x, y = (i, j) if (i, j) in allowed else (j, i)
            trailing = distance is not None and offsets[x] - offsets[y] >= distance
            if together and not apart and not trailing:
                return f"{i} and {j} share bytes"
    return ""


def smallest_peak(regions: list[Region], trails: list[Trail]) -> int:
    """Return the smallest possible peak, by trying every order."""
    gaps = {(t.y, t.x): min(t.distance, regions[t.y].size) for t in trails}
    best = sum(r.size + r.align for r in regions)
    for order in permutations(range(len(regions))):
        offsets: dict[int, int] = {}
        for i in order:
            low = 0
            for j, offset in offsets.items():
                a, b = regions[i], regions[j]
                if a.first <= b.last and b.first <= a.last:
                    low = max(low, offset + gaps.get((j, i), b.size))
            offsets[i] = -(-low // regions[i].align) * regions[i].align
        best = min(best, max(offsets[i] + regions[i].size for i in offsets))
    return best


@settings(max_examples=200, deadline=None)
@given(problems(most=12))
def test_no_two_live_regions_share_a_byte_unless_one_trails_the_other(
    problem: tuple[list[Region], list[Trail]],
) -> None:
    regions, trails = problem
    layout = plan_memory(regions, trails, node_limit=300)
    assert clash(regions, trails, layout.offsets) == ""
    assert layout.peak == max(o + r.size for o, r in zip(layout.offsets, regions, strict=True))
    assert layout.bound <= layout.peak


@settings(max_examples=150, deadline=None)
@given(problems(most=6))
def test_small_problems_are_solved_as_well_as_by_trying_everything(
    problem: tuple[list[Region], list[Trail]],
) -> None:
    layout = plan_memory(*problem)
    assert layout.optimal
    assert layout.peak == smallest_peak(*problem)


@settings(max_examples=60, deadline=None)
@given(problems(most=6))
def test_a_search_that_was_cut_short_gives_a_true_lower_bound(
    problem: tuple[list[Region], list[Trail]],
) -> None:
    layout = plan_memory(*problem, node_limit=0)
    assert layout.bound <= smallest_peak(*problem) <= layout.peak
    assert layout.optimal == (layout.bound == layout.peak)


def test_a_chain_needs_its_largest_neighbours() -> None:
    sizes = (10, 30, 20, 5, 40, 1)
    regions = [Region(s, i, i + 1) for i, s in enumerate(sizes)]
    layout = plan_memory(regions)
    assert (layout.peak, layout.optimal) == (50, True)


def test_an_output_in_place_costs_nothing() -> None:
    regions = [Region(100, 0, 1), Region(100, 1, 2)]
    assert plan_memory(regions, [Trail(0, 1, 0)]).peak == 100


def test_an_output_that_trails_costs_its_distance() -> None:
    regions = [Region(100, 0, 1), Region(100, 1, 2)]
    layout = plan_memory(regions, [Trail(0, 1, 12)])
    assert layout.peak == 112
    assert layout.offsets == (12, 0)


def test_a_growing_output_ends_where_its_input_ends() -> None:
    regions = [Region(100, 0, 1), Region(200, 1, 2)]
    assert plan_memory(regions, [Trail(0, 1, 100)]).peak == 200


@pytest.mark.parametrize("count", [1, 20])
def test_the_layout_is_the_same_every_time(count: int) -> None:
    regions = [Region(1 + i * 37 % 50, i % 9, i % 9 + i % 4) for i in range(count)]
    assert plan_memory(regions) == plan_memory(regions)
