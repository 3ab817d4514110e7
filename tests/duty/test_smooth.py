# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/duty/smooth.c against NumPy on whole traces, and at its boundaries in time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.duty.conftest import Library

MEAN, MAJORITY = 0, 1
WINDOWS, CLASSES = 16, 12
TRACES = 1000
"""For each kind; a seed is a trace."""


@dataclass(frozen=True)
class Decision:
    """decision_t."""

    best: int
    score: int
    time: int


class Smooth:
    """The C, with its state."""

    def __init__(self, duty: Library, **config: Any) -> None:
        self._ffi, self._c = duty.ffi, duty.c
        usual = {"kind": MEAN, "windows": 3, "cutoff": 128, "expiry_ms": 1000}
        self.config = duty.ffi.new("smooth_config_t *", {**usual, **config})
        self._state = duty.ffi.new("smooth_t *")

    def update(self, now: int, scores: Any) -> Decision | None:
        """Take the scores of a window."""
        out, given = self._ffi.new("decision_t *"), bytes(scores)
        decided = self._c.smooth_update(self._state, self.config, now, given, len(given), out)
        return Decision(out.best, out.score, out.time) if decided else None

    def last(self, now: int) -> Decision | None:
        """Return the last decision, if it is fresh."""
        out = self._ffi.new("decision_t *")
        fresh = self._c.smooth_last(self._state, self.config, now, out)
        return Decision(out.best, out.score, out.time) if fresh else None

    def skip(self) -> None:
        """Pass a window without scores."""
        self._c.smooth_skip(self._state, self.config)

    def begin(self) -> None:
        """Begin a wake."""
        self._c.smooth_begin(self._state)


@dataclass(frozen=True)
class Trace:
    """Scores of windows, and the configuration.

    Attributes:
        scores: uint8 [steps, classes].
        times: int64 [steps], ms.
    """

    scores: NDArray[np.uint8]
    times: NDArray[np.int64]
    windows: int
    cutoff: int
    ignored: tuple[int, ...]
    refractory: int

    @property
    def config(self) -> dict[str, int]:
        """For smooth_config_t."""
        bits = sum(1 << index for index in self.ignored)
        names = {"windows": self.windows, "cutoff": self.cutoff}
        return {**names, "ignored": bits, "refractory_ms": self.refractory}


def draw_trace(seed: int) -> Trace:
    """Make a trace: events of some length that rise out of noise, at times in full scale."""
    random = np.random.default_rng(seed)
    steps, classes = int(random.integers(1, 80)), int(random.integers(1, CLASSES + 1))
    scores = random.integers(0, random.choice([1, 60, 256]), (steps, classes))
    for _ in range(int(random.integers(0, 6))):
        start, label = random.integers(0, steps), random.integers(0, classes)
        scores[start : start + random.integers(1, 20), label] += random.integers(50, 256)
    return Trace(
        np.minimum(scores, 255).astype(np.uint8),
        np.cumsum(random.integers(1, 200, steps)),
        windows=int(random.integers(1, WINDOWS + 1)),
        cutoff=int(random.choice([0, 1, 64, 128, 200, 255])),
        ignored=tuple(np.flatnonzero(random.random(classes) < 0.2).tolist()),
        refractory=int(random.choice([0, 100, 1000])),
    )


def views(trace: Trace) -> NDArray[np.int64]:
    """Return the last windows at each step, [steps, windows, classes]; 0 before the first."""
    padded = np.zeros((trace.windows - 1 + len(trace.scores), trace.scores.shape[1]), np.int64)
    padded[trace.windows - 1 :] = trace.scores
    shaped = np.lib.stride_tricks.sliding_window_view(padded, trace.windows, axis=0)
    return shaped.transpose(0, 2, 1)


def by_mean(trace: Trace) -> list[int | None]:
    """Return the winner at each step, without refractory time."""
    means = views(trace).mean(axis=1)
    means[:, list(trace.ignored)] = 0
    best = means.argmax(axis=1)
    reached = (means.max(axis=1) >= trace.cutoff) & (means.max(axis=1) > 0)
    return [int(b) if r else None for b, r in zip(best, reached, strict=True)]


def by_majority(trace: Trace) -> list[int | None]:
    """Return the winner at each step, without refractory time."""
    found: list[int | None] = []
    for view in views(trace):
        high = view.max(axis=1)
        votes = view.argmax(axis=1)[(high >= trace.cutoff) & (high > 0)]
        counts = np.bincount(votes, minlength=view.shape[1])
        counts[list(trace.ignored)] = 0
        found.append(int(counts.argmax()) if 2 * counts.max() > trace.windows else None)
    return found


def decisions(trace: Trace, winners: list[int | None]) -> list[Decision | None]:
    """Return what is decided at each step: a class that was not for the refractory time."""
    decided: dict[int, int] = {}
    found: list[Decision | None] = []
    for view, time, winner in zip(views(trace), trace.times.tolist(), winners, strict=True):
        since = None if winner is None else time - decided.get(winner, -(2**60))
        if winner is None or since is None or since < trace.refractory:
            found.append(None)
            continue
        decided[winner] = time
        found.append(Decision(winner, int(view[:, winner].sum() // trace.windows), time))
    return found


@pytest.mark.parametrize(("kind", "winners"), [(MEAN, by_mean), (MAJORITY, by_majority)])
@pytest.mark.parametrize("first", range(0, TRACES, 100))
def test_decisions_are_those_of_numpy(duty: Library, kind: int, winners: Any, first: int) -> None:
    decided = 0
    for seed in range(first, first + 100):
        trace = draw_trace(seed)
        smooth = Smooth(duty, kind=kind, **trace.config)
        steps = zip(trace.times.tolist(), trace.scores, strict=True)
        found = [smooth.update(time, scores) for time, scores in steps]
        assert found == decisions(trace, winners(trace)), f"seed {seed}"
        decided += len([d for d in found if d])
    assert decided > 200, "traces that decide nothing show nothing"


@pytest.mark.parametrize("kind", [MEAN, MAJORITY])
@pytest.mark.parametrize("windows", [1, 2, 3, 15, 16])
def test_it_takes_so_many_windows_from_nothing(duty: Library, kind: int, windows: int) -> None:
    smooth = Smooth(duty, kind=kind, windows=windows, cutoff=255)
    found = [smooth.update(time, [0, 255]) for time in range(windows)]
    needed = windows if kind == MEAN else windows // 2 + 1
    score = 255 * needed // windows
    assert found[: needed - 1] == [None] * (needed - 1)
    assert found[needed - 1] == Decision(1, score, needed - 1)


def test_a_mean_decides_when_it_reaches_the_cutoff(duty: Library) -> None:
    smooth = Smooth(duty, windows=2, cutoff=100)
    assert smooth.update(1, [100]) is None
    assert smooth.update(2, [99]) is None
    assert smooth.update(3, [101]) == Decision(0, 100, 3)


def test_half_of_the_windows_are_no_majority(duty: Library) -> None:
    smooth = Smooth(duty, kind=MAJORITY, windows=4, cutoff=10)
    assert [smooth.update(t, [0, 10]) for t in range(2)] == [None, None]
    assert smooth.update(2, [0, 9]) is None
    assert smooth.update(3, [0, 200]) == Decision(1, (10 + 10 + 9 + 200) // 4, 3)


def test_windows_of_the_background_are_votes_against(duty: Library) -> None:
    smooth = Smooth(duty, kind=MAJORITY, windows=3, cutoff=10, ignored=1)
    assert [smooth.update(t, [200, 100]) for t in range(5)] == [None] * 5
    assert smooth.update(5, [0, 100]) is None
    assert smooth.update(6, [0, 100]) == Decision(1, 100, 6)


def test_of_equal_scores_the_first_class_is_the_best(duty: Library) -> None:
    for kind in (MEAN, MAJORITY):
        smooth = Smooth(duty, kind=kind, windows=1, cutoff=50)
        assert smooth.update(1, [0, 70, 70]) == Decision(1, 70, 1)


@pytest.mark.parametrize("kind", [MEAN, MAJORITY])
def test_scores_of_0_decide_nothing_even_without_a_cutoff(duty: Library, kind: int) -> None:
    smooth = Smooth(duty, kind=kind, windows=1, cutoff=0)
    assert smooth.update(1, [0, 0]) is None
    assert smooth.update(2, [0, 1]) == Decision(1, 1, 2)


def test_a_class_is_decided_again_at_the_end_of_its_refractory_time(duty: Library) -> None:
    smooth = Smooth(duty, windows=1, refractory_ms=500)
    assert smooth.update(1000, [200]) == Decision(0, 200, 1000)
    assert smooth.update(1499, [200]) is None
    assert smooth.update(1500, [200]) == Decision(0, 200, 1500)


def test_no_weaker_class_is_decided_in_place_of_a_refractory_one(duty: Library) -> None:
    smooth = Smooth(duty, windows=1, cutoff=50, refractory_ms=500)
    assert smooth.update(0, [200, 100]) == Decision(0, 200, 0)
    assert smooth.update(1, [200, 100]) is None
    assert smooth.update(2, [100, 200]) == Decision(1, 200, 2)


def test_the_refractory_time_of_a_class_outlives_decisions_of_others(duty: Library) -> None:
    smooth = Smooth(duty, windows=1, refractory_ms=500)
    assert smooth.update(0, [200, 0])
    assert smooth.update(100, [0, 200])
    assert smooth.update(499, [200, 0]) is None
    assert smooth.update(500, [200, 0])


def test_refractory_time_and_last_decision_outlive_a_wake(duty: Library) -> None:
    smooth = Smooth(duty, windows=1, refractory_ms=500)
    decided = smooth.update(1000, [200])
    smooth.begin()
    assert smooth.last(1001) == decided
    assert smooth.update(1499, [200]) is None
    assert smooth.update(1500, [200])


def test_a_wake_begins_without_the_windows_of_the_one_before(duty: Library) -> None:
    smooth = Smooth(duty, windows=3, cutoff=100)
    assert [smooth.update(t, [140]) for t in range(2)] == [None, None]
    smooth.begin()
    assert smooth.update(2, [140]) is None
    assert [smooth.update(t, [100]) for t in range(3, 5)] == [None, Decision(0, 113, 4)]


def test_a_window_without_scores_counts_as_0(duty: Library) -> None:
    smooth = Smooth(duty, windows=2, cutoff=100)
    assert smooth.update(0, [150]) is None
    smooth.skip()
    assert smooth.update(2, [150]) is None
    assert smooth.update(3, [150]) == Decision(0, 150, 3)


def test_a_decision_expires(duty: Library) -> None:
    smooth = Smooth(duty, windows=1, expiry_ms=1000)
    assert smooth.last(0) is None
    decided = smooth.update(5000, [200])
    assert smooth.last(5000) == smooth.last(5999) == decided
    assert smooth.last(6000) is None
    assert smooth.last(2**40) is None


def test_a_decision_without_expiry_is_never_repeated(duty: Library) -> None:
    smooth = Smooth(duty, windows=1, expiry_ms=0)
    assert smooth.update(5000, [200])
    assert smooth.last(5000) is None


def test_times_beyond_32_bits_are_times(duty: Library) -> None:
    smooth = Smooth(duty, windows=1, refractory_ms=2**32 - 1, expiry_ms=2**32 - 1)
    start = 2**40
    assert smooth.update(start, [200]) == Decision(0, 200, start)
    assert smooth.update(start + 2**32 - 2, [200]) is None
    assert smooth.last(start + 2**32 - 2) == Decision(0, 200, start)
    assert smooth.last(start + 2**32 - 1) is None
    assert smooth.update(start + 2**32 - 1, [200])


@pytest.mark.parametrize("kind", [MEAN, MAJORITY])
def test_classes_beyond_the_largest_number_are_left_out(duty: Library, kind: int) -> None:
    smooth = Smooth(duty, kind=kind, windows=1, cutoff=50)
    assert smooth.update(0, [60] + [0] * 11 + [255] * 100) == Decision(0, 60, 0)


def test_a_window_with_fewer_classes_leaves_nothing_of_an_older_one(duty: Library) -> None:
    smooth = Smooth(duty, windows=1, cutoff=50)
    assert smooth.update(0, [0, 0, 90]) == Decision(2, 90, 0)
    assert smooth.update(1, [0]) is None
