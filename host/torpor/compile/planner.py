# SPDX-License-Identifier: Apache-2.0
"""The memory planner: places regions in the arena so that its size is as small as can be.

A region owns its bytes from step `first` to step `last`. Two regions alive at one step must not
share bytes, except where an operator's output may trail its input: then it is enough that the
output starts `distance` bytes below the input.

In terms of offsets, each pair (i, j) alive together needs o_j >= o_i + gap(i, j) or
o_i >= o_j + gap(j, i), where gap(i, j) is the size of i, or `distance` for output i under input j.
A branch and bound decides which one, in order of rising offsets, so that each placement is the
lowest possible. It starts from the best of some greedy layouts, improved by moving regions about
in their order, and everything stops as soon as the lower bound, the largest sum of live bytes of
any step, is met.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

NODE_LIMIT = 20_000
"""How many partial layouts are looked at before a layout is taken as good enough."""

TRIES = 600
"""How many changed orders are tried to improve the greedy layout."""

FULL_EFFORT = 64
"""Up to so many regions; beyond, both limits shrink with the square of their number."""


@dataclass(frozen=True)
class Region:
    """What is to be placed: bytes, first and last step, alignment of its offset."""

    size: int
    first: int
    last: int
    align: int = 1


@dataclass(frozen=True)
class Trail:
    """Output region `y` may start `distance` (0 .. its size) bytes below input region `x`."""

    x: int
    y: int
    distance: int


@dataclass(frozen=True)
class Layout:
    """Where the regions lie.

    Attributes:
        offsets: one a region, in order.
        peak: bytes of the arena.
        bound: no layout can be smaller than this.
        nodes: layouts looked at in the search.
        optimal: the peak is proven minimal (it equals the bound, or the search was finished).
    """

    offsets: tuple[int, ...]
    peak: int
    bound: int
    nodes: int
    optimal: bool


class _Problem:
    """Regions with the gaps between those that are alive together."""

    def __init__(self, regions: Sequence[Region], trails: Sequence[Trail]) -> None:
        self.regions = regions
        self.trails = {(t.y, t.x): min(t.distance, regions[t.y].size) for t in trails}
        count = range(len(regions))
        steps = sorted({r.first for r in regions})
        self.live = [
            frozenset(i for i in count if regions[i].first <= s <= regions[i].last) for s in steps
        ]
        self.near = [[j for j in count if j != i and self._together(i, j)] for i in count]

    def _together(self, i: int, j: int) -> bool:
        a, b = self.regions[i], self.regions[j]
        return a.first <= b.last and b.first <= a.last

    def gap(self, i: int, j: int) -> int:
        """Return how far above the start of i the start of j must be, if it is above."""
        return self.trails.get((i, j), self.regions[i].size)

    def aligned(self, i: int, offset: int) -> int:
        """Return the lowest allowed offset of i that is at least `offset`."""
        return -(-offset // self.regions[i].align) * self.regions[i].align

    def fits(self, i: int, offset: int, placed: dict[int, int]) -> bool:
        """Tell whether i at `offset` clashes with nothing in `placed`."""
        return all(
            offset >= placed[j] + self.gap(j, i) or placed[j] >= offset + self.gap(i, j)
            for j in self.near[i]
            if j in placed
        )

    def peak(self, placed: dict[int, int]) -> int:
        """Return the end of the highest region."""
        return max((o + self.regions[i].size for i, o in placed.items()), default=0)

    def bound(self) -> int:
        """Return the largest number of bytes that any step needs."""
        return max((self.needed(live) for live in self.live), default=0)

    def needed(self, live: frozenset[int]) -> int:
        """Return the bytes that regions need which are all alive at one step."""
        total = sum(self.regions[i].size for i in live)
        shared = [
            self.regions[x].size
            + self.regions[y].size
            - max(self.regions[x].size + d, self.regions[y].size)
            for (y, x), d in self.trails.items()
            if x in live and y in live
        ]
        return total - sum(shared)


def plan_memory(
    regions: Sequence[Region], trails: Sequence[Trail] = (), node_limit: int = NODE_LIMIT
) -> Layout:
    """Place `regions`; see the module's text.

    Returns:
        The smallest layout found; `optimal` says whether it is proven to be the smallest.
    """
    problem = _Problem(regions, trails)
    bound = problem.bound()
    effort = min(1.0, (FULL_EFFORT / max(1, len(regions))) ** 2)
    node_limit = int(node_limit * effort)
    start = min(_orders(problem), key=lambda o: _peak(problem, o))
    best = _improve(problem, bound, start, int(TRIES * effort))
    search = _Search(problem, bound, best, node_limit)
    if search.peak > bound:
        search.run()
    return Layout(
        offsets=tuple(search.best[i] for i in range(len(regions))),
        peak=search.peak,
        bound=bound if search.nodes > node_limit or search.peak == bound else search.peak,
        nodes=search.nodes,
        optimal=search.peak == bound or search.nodes <= node_limit,
    )


def _orders(problem: _Problem) -> list[list[int]]:
    regions = problem.regions
    keys = (
        lambda i: (-regions[i].size, regions[i].first, i),
        lambda i: (-regions[i].size * (regions[i].last - regions[i].first + 1), i),
        lambda i: (regions[i].first, -regions[i].size, i),
        lambda i: (-regions[i].first, -regions[i].size, i),
        lambda i: (regions[i].last, -regions[i].size, i),
    )
    return [sorted(range(len(regions)), key=key) for key in keys]


def _greedy(problem: _Problem, order: Sequence[int]) -> dict[int, int]:
    """Place in `order`, each region at the lowest offset that fits."""
    placed: dict[int, int] = {}
    for i in order:
        others = [j for j in problem.near[i] if j in placed]
        tries = {0}
        tries |= {problem.aligned(i, placed[j] + problem.gap(j, i)) for j in others}
        below = {placed[j] - problem.gap(i, j) for j in others}
        tries |= {o - o % problem.regions[i].align for o in below if o >= 0}
        placed[i] = min(o for o in tries if problem.fits(i, o, placed))
    return placed


def _peak(problem: _Problem, order: Sequence[int]) -> int:
    return problem.peak(_greedy(problem, order))


def _improve(problem: _Problem, bound: int, order: list[int], tries: int) -> dict[int, int]:
    """Return the greedy layout of `order`, or of a better order found by moving one at a time."""
    chance = random.Random(0)  # noqa: S311 - the same layout every time
    best = _peak(problem, order)
    for _ in range(tries):
        if best == bound:
            break
        changed = order.copy()
        changed.insert(chance.randrange(len(order)), changed.pop(chance.randrange(len(order))))
        peak = _peak(problem, changed)
        if peak <= best:
            order, best = changed, peak
    return _greedy(problem, order)


class _Search:
    """Depth-first branch and bound over the order of rising offsets."""

    def __init__(
        self, problem: _Problem, bound: int, start: dict[int, int], node_limit: int
    ) -> None:
        self.problem = problem
        self.bound = bound
        self.best = start
        self.peak = problem.peak(start)
        self.nodes = 0
        self._limit = node_limit

    def run(self) -> None:
        """Search until the bound is met, everything was tried, or the node limit is passed."""
        lowest = dict.fromkeys(range(len(self.problem.regions)), 0)
        stack = [(dict[int, int](), lowest, 0)]
        while stack and self.peak > self.bound and self.nodes <= self._limit:
            placed, lowest, last = stack.pop()
            self.nodes += 1
            if not lowest:
                self._keep(placed)
            elif self._promising(placed, lowest):
                stack += self._children(placed, lowest, last)

    def _keep(self, placed: dict[int, int]) -> None:
        peak = self.problem.peak(placed)
        if peak < self.peak:
            self.best, self.peak = placed, peak

    def _promising(self, placed: dict[int, int], lowest: dict[int, int]) -> bool:
        """Tell whether the open regions can still end below the best peak."""
        if self.problem.peak(placed) >= self.peak:
            return False
        for live in self.problem.live:
            open_ = live & lowest.keys()
            if open_:
                floor = min(lowest[i] for i in open_)
                if floor + self.problem.needed(open_) >= self.peak:
                    return False
        return True

    def _children(
        self, placed: dict[int, int], lowest: dict[int, int], last: int
    ) -> list[tuple[dict[int, int], dict[int, int], int]]:
        found = []
        regions = self.problem.regions
        ordered = sorted(lowest, key=lambda i: (-lowest[i], regions[i].size, -i))
        for i in ordered:
            offset = self.problem.aligned(i, lowest[i])
            if offset < last or offset + regions[i].size >= self.peak:
                continue
            rest = {
                j: max(o, offset + self.problem.gap(i, j)) if j in self.problem.near[i] else o
                for j, o in lowest.items()
                if j != i
            }
            found.append(({**placed, i: offset}, rest, offset))
        return found
