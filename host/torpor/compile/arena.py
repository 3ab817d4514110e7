# SPDX-License-Identifier: Apache-2.0
"""Which tensors need room in the arena, for how long, and where they are placed."""

from collections.abc import Sequence
from dataclasses import dataclass

from torpor.compile.lowering import Record
from torpor.compile.overlap import overlap_distance
from torpor.compile.planner import Layout, Region, Trail, plan_memory
from torpor.graph import Graph, Tensor

IO_ALIGN = 4
"""Inputs and outputs start at a multiple of this, so that callers may see them as words. Others
start at a multiple of their elements' size: int8 is bytes to the portable kernels."""


@dataclass(frozen=True)
class Arena:
    """The planned arena.

    Attributes:
        roots: the tensor of the graph that owns each region, in the order of the plan's tensors.
        regions: size and steps of each.
        layout: where they lie.
        overlaps: (record, input region, output region) where an output shares its input's bytes.
        keep_input_cost: bytes that keeping the inputs costs, 0 where that is not asked for.
        separate_peak: the peak if no output were allowed to trail its input.
    """

    roots: tuple[int, ...]
    regions: tuple[Region, ...]
    layout: Layout
    overlaps: tuple[tuple[int, int, int], ...]
    keep_input_cost: int
    separate_peak: int


def number_tensors(graph: Graph, records: Sequence[Record]) -> dict[int, int]:
    """Return the number in the plan of every tensor of the graph that has bytes in the arena.

    Views have the number of the tensor whose bytes they share.
    """
    used = list(graph.inputs)
    for record in records:
        used += record.touches
    used += graph.outputs
    roots = list(dict.fromkeys(graph.root(t) for t in used))
    return {t: roots.index(graph.root(t)) for t in used}


def states_of(graph: Graph, numbers: dict[int, int]) -> dict[int, Tensor]:
    """Return the variables that have bytes in the arena, by their number in the plan."""
    variables = {n: graph.tensors[graph.root(t)] for t, n in numbers.items()}
    return {n: t for n, t in sorted(variables.items()) if t.is_variable}


def _align(tensor: Tensor) -> int:
    return max(1, min(tensor.bytes // max(tensor.elements, 1), 4))


def _regions(
    graph: Graph, records: Sequence[Record], numbers: dict[int, int], keep_input: bool
) -> list[Region]:
    """Return the regions: inputs live from step 0 on, outputs to step n_ops + 1, states always."""
    end = len(records) + 1
    steps: dict[int, list[int]] = {n: [] for n in numbers.values()}
    for t in graph.inputs:
        steps[numbers[t]] += [0, end] if keep_input else [0]
    for step, record in enumerate(records, 1):
        for t in record.touches:
            steps[numbers[t]].append(step)
    for t in graph.outputs:
        steps[numbers[t]].append(end)
    for n in states_of(graph, numbers):
        steps[n] += [0, end]
    tensors = {n: graph.tensors[graph.root(t)] for t, n in numbers.items()}
    outside = {numbers[t] for t in (*graph.inputs, *graph.outputs)}
    return [
        Region(tensors[n].bytes, min(s), max(s), IO_ALIGN if n in outside else _align(tensors[n]))
        for n, s in sorted(steps.items())
    ]


def _trails(
    records: Sequence[Record],
    numbers: dict[int, int],
    regions: Sequence[Region],
) -> list[tuple[int, Trail]]:
    """Return (record, trail) for every output that may share the bytes of its dying input 0."""
    found = []
    for index, record in enumerate(records):
        if not record.writes:
            continue
        x, y = numbers[record.reads[0]], numbers[record.writes[0]]
        others = {numbers[t] for t in record.reads[1:]}
        if x == y or x in others or regions[x].last != index + 1:
            continue
        needed = overlap_distance(record)
        if needed < regions[y].size:
            found.append((index, Trail(x, y, max(0, needed))))
    return found


def _shares(layout: Layout, regions: Sequence[Region], trail: Trail) -> bool:
    x, y = layout.offsets[trail.x], layout.offsets[trail.y]
    return x < y + regions[trail.y].size and y < x + regions[trail.x].size


def plan_arena(
    graph: Graph,
    records: Sequence[Record],
    numbers: dict[int, int],
    *,
    keep_input: bool,
) -> Arena:
    """Place all tensors.

    Args:
        numbers: see number_tensors.
        keep_input: let the inputs live until the end.
    """
    regions = _regions(graph, records, numbers, keep_input)
    trails = _trails(records, numbers, regions)
    layout = plan_memory(regions, [t for _, t in trails])
    separate = plan_memory(regions).peak if trails else layout.peak
    cost = 0
    if keep_input:
        free = plan_arena(graph, records, numbers, keep_input=False)
        cost = layout.peak - free.layout.peak
    return Arena(
        roots=tuple(dict.fromkeys(graph.root(t) for t in numbers)),
        regions=tuple(regions),
        layout=layout,
        overlaps=tuple((i, t.x, t.y) for i, t in trails if _shares(layout, regions, t)),
        keep_input_cost=cost,
        separate_peak=separate,
    )
