# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""More than a thousand random intervals of a device: every figure is the same in C and Python.

A trace has a character of its own: how sure the model is, how long it takes, how far the inputs
are from the training, what is kept and on what flash.
"""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.stats import device
from tests.stats.device import Opened
from torpor.stats.drift import Drift
from torpor.stats.reference import Reference, make_reference
from torpor.stats.sampler import Config, Sampler, Why
from torpor.stats.store import Entry, Layout, Store
from torpor.stats.summary import Figures, Summary, decode_counts

SEEDS = range(20)
TRACES = 60


@dataclass
class Trace:
    """Whatever has chance in it: the same for the same seed."""

    source: random.Random
    channels: int = field(init=False)
    reference: Reference = field(init=False)

    def __post_init__(self) -> None:
        draw = self.source
        self.channels = draw.choice([1, 2, 3, 6, 8, 12, 40])
        self.numbers = np.random.default_rng(draw.randrange(1 << 32))
        self.reference = make_reference(self._codes(200, 0, 30))
        self.steps = draw.randrange(1, 60)
        self.sure = draw.uniform(0.2, 8)
        self.classes = draw.randrange(1, 15)
        self.octave = draw.uniform(2, 22)
        self.config = Config(
            draw.choice([0, 10, 50, 500]), draw.choice([0, 60, 200]), draw.choice([0, 1, 5])
        )
        erase = draw.choice([512, 1024])
        self.layout = Layout(
            erase * draw.randrange(2, 7), erase, draw.choice([4, 8, 64]), erase * draw.randrange(2)
        )
        self.moved = (draw.uniform(-60, 60), draw.uniform(5, 80))

    def _codes(self, rows: int, shift: float, spread: float) -> NDArray[np.int8]:
        numbers = self.numbers.normal(shift, spread, (rows, self.channels))
        return numbers.clip(-128, 127).astype(np.int8)

    def window(self) -> NDArray[np.int8]:
        return self._codes(self.source.randrange(1, 12), *self.moved)

    def inference(self) -> tuple[int, int, int]:
        score = int(255 * self.source.betavariate(self.sure, 1))
        latency = int(2 ** self.source.gauss(self.octave, 2))
        return self.source.randrange(self.classes), score, min(latency, 0xFFFFFFFF)


@dataclass
class Told:
    """What a device tells at the end of an interval, and what it has kept."""

    figures: Figures
    drift: int
    chosen: list[Why]
    kept: list[Entry]
    flash: bytes


Parts = tuple[
    device.Summary | Summary, device.Drift | Drift, device.Sampler | Sampler, device.Store | Store
]


def live(trace: Trace, parts: Parts) -> tuple[Figures, int, list[Why]]:
    """Let a device, or its twin, go through a trace."""
    summary, drift, sampler, store = parts
    chosen = []
    for step in range(trace.steps):
        window = trace.window()
        best, score, latency = trace.inference()
        drift.add(window)
        if trace.source.random() < 0.05:
            summary.error()
            continue
        summary.inference(best, score, latency)
        why = sampler.choose(trace.config, score)
        chosen.append(why)
        if why:
            store.put(Entry(window.tobytes(), time=step, plan=77, why=why, best=best, score=score))
    return summary.figures(), drift.index(), chosen


def on_device(opened: Opened, seed: str) -> Told:
    trace = Trace(random.Random(seed))
    reference = trace.reference.encode()
    store = device.Store(opened, trace.layout)
    parts = device.Summary(opened), device.Drift(opened, reference), device.Sampler(opened, 5)
    told = live(trace, (*parts, store))
    assert store.violation() == ""
    return Told(*told, store.entries(), store.flash())


def in_python(seed: str) -> Told:
    trace = Trace(random.Random(seed))
    layout = trace.layout
    flash = bytearray(b"\xff" * (layout.offset + layout.size + layout.erase_size))
    store = Store(flash, layout)
    told = live(trace, (Summary(), Drift(trace.reference), Sampler(5), store))
    return Told(*told, store.entries(), bytes(flash))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_traces_have_equal_figures_drift_choices_and_stored_bytes(
    opened: Opened, seed: int
) -> None:
    for number in range(TRACES):
        name = f"{seed}-{number}"
        assert on_device(opened, name) == in_python(name), f"trace {name}"


def test_the_traces_differ_in_all_that_is_compared() -> None:
    told = [in_python(f"0-{number}") for number in range(TRACES)]
    assert len({t.figures for t in told}) > TRACES * 0.9
    assert len({t.drift for t in told}) > TRACES * 0.5
    assert sum(bool(t.kept) for t in told) > TRACES * 0.4
    assert sum(t.kept != [] and t.kept[0].number > 0 for t in told) > 3  # rings that went round
    assert {why for t in told for why in t.chosen} == set(Why)
    assert {c for t in told for c in decode_counts(t.figures.sparse)} >= set(range(12))
