# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Power fails at every erase and every write unit of the store, in three ways.

Before the step that is cut the store holds the entries `before`, without the cut `after`. With it,
what is in both has to be there, and nothing that is in none.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.stats.device import Opened
from tests.stats.device import Store as OnDevice
from torpor.stats.sampler import Why
from torpor.stats.store import Entry, Layout

SHAPES = {"half": 0, "random": 1, "complete": 2}
LAYOUTS = {
    "2x512/4": Layout(2 * 512, 512, 4),
    "3x512/8": Layout(3 * 512, 512, 8, 512),
    "4x512/64": Layout(4 * 512, 512, 64),
    "3x1024/256": Layout(3 * 1024, 1024, 256),
}
Step = Callable[[OnDevice], object]


def put(number: int, size: int, why: int = Why.RANDOM) -> Step:
    data = random.Random(number).randbytes(size)
    return lambda store: store.put(Entry(data, time=number, plan=number, why=why))


def steps(layout: Layout) -> list[Step]:
    """Return what happens one after the other: the ring goes round, with sizes that vary."""
    draw = random.Random(layout.size)
    made = [
        put(i, draw.choice([0, 1, 30, 100, 180]), draw.choice([Why.RANDOM, Why.LOW]))
        for i in range(4 * layout.blocks)
    ]
    return [*made, OnDevice.clear, put(98, 100), put(99, 20)]


@dataclass(frozen=True)
class Case:
    """A step that can be cut."""

    step: Step
    flash: bytes
    before: list[Entry]
    after: list[Entry]
    operations: int


def cases(store: OnDevice, layout: Layout) -> Iterator[Case]:
    """Yield every step that happens, with the flash as it is before it."""
    for step in steps(layout):
        store.restart()
        flash, before = store.flash(), store.entries()
        step(store)
        operations, after, done = store.sim.operations, store.entries(), store.flash()
        yield Case(step, flash, before, after, operations)
        store.set_flash(done)


def cut(store: OnDevice, case: Case, operation: int, shape: int) -> None:
    """Run a step whose operation is cut, and restart."""
    store.set_flash(case.flash)
    store.sim.shape, store.sim.cut_at, store.sim.seed = shape, operation, operation
    case.step(store)
    assert store.sim.dead
    store.restart()


def judge(store: OnDevice, case: Case) -> None:
    """Check what is there after a cut."""
    found = store.entries()
    assert [e for e in case.before if e in case.after and e not in found] == []
    assert [e for e in found if e not in case.before and e not in case.after] == []


def go_on(store: OnDevice, rounds: int) -> None:
    """Check that the store works as if nothing had been."""
    for i in range(rounds):
        there = store.entries()
        kept = store.put(Entry(bytes([i]) * 90, time=i))
        assert kept is not None
        assert all(kept.number > e.number for e in there)
        assert store.entries()[-1] == kept
        if i % 2:
            store.restart()
            assert store.entries()[-1] == kept
    assert store.violation() == ""


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_cut_anywhere_loses_nothing_that_was_kept_and_makes_nothing_up(
    opened: Opened, layout: str, shape: str
) -> None:
    store, cuts = OnDevice(opened, LAYOUTS[layout]), 0
    for case in cases(store, LAYOUTS[layout]):
        for operation in range(1, case.operations + 1):
            cut(store, case, operation, SHAPES[shape])
            judge(store, case)
            if operation == case.operations and shape == "complete":
                assert store.entries() == case.after
            go_on(store, 2)
            cuts += 1
    print(f"{cuts} cuts")
    assert cuts > 20


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", ["2x512/4", "4x512/64"])
def test_after_a_cut_the_ring_goes_round_again(opened: Opened, layout: str, shape: str) -> None:
    geometry = LAYOUTS[layout]
    store = OnDevice(opened, geometry)
    draw = random.Random(shape)
    for case in cases(store, geometry):
        for operation in sorted(
            draw.sample(range(1, case.operations + 1), min(case.operations, 3))
        ):
            cut(store, case, operation, SHAPES[shape])
            go_on(store, 5 * geometry.blocks)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_second_cut_in_the_step_after_it_does_no_more_harm(opened: Opened, shape: str) -> None:
    layout = LAYOUTS["3x512/8"]
    store = OnDevice(opened, layout)
    again = put(500, 100, Why.LOW)
    for case in list(cases(store, layout))[4:-3:3]:
        for operation in range(1, case.operations + 1):
            cut(store, case, operation, SHAPES[shape])
            flash, before = store.flash(), store.entries()
            again(store)
            second = Case(again, flash, before, store.entries(), store.sim.operations)
            for other in range(1, second.operations + 1):
                cut(store, second, other, SHAPES[shape])
                judge(store, second)
                go_on(store, 1)


def test_a_cut_before_the_head_of_the_first_block_leaves_an_empty_store(opened: Opened) -> None:
    store = OnDevice(opened, LAYOUTS["2x512/4"])
    for operation in (1, 2, 5):
        store.set_flash(b"\xff" * len(store.flash()))
        store.sim.shape, store.sim.cut_at = 0, operation
        assert store.put(Entry(b"x")) is None
        store.restart()
        assert store.entries() == []
        go_on(store, 3)
