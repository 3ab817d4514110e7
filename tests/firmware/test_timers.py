# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""core/timers.h against a model in Python, on a clock and an alarm of the tests' own."""

import functools
from dataclasses import dataclass, field
from typing import Any

import cffi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shared import build_shared
from torpor.engine.library import declarations
from torpor.paths import FIRMWARE

HEADER = FIRMWARE / "core" / "timers.h"
TIMERS = int(HEADER.read_text().partition("#define TIMERS ")[2].split()[0])
WRAP = 2**32
LONGEST = 2**30

ids = st.integers(0, TIMERS - 1)
times = st.integers(0, 2**40)
steps = st.one_of(st.integers(0, 100), st.integers(0, 2**31 - 1), st.just(2**31 - 1))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return (ffi, library) of core/timers.c."""
    made = build_shared(tmp_path_factory.mktemp("timers"), [HEADER.with_suffix(".c")], ())
    ffi = cffi.FFI()
    ffi.cdef(declarations(HEADER.read_text()).replace("[TIMERS]", f"[{TIMERS}]"))
    return ffi, ffi.dlopen(str(made))


@dataclass
class Timers:
    """The C, with plain values."""

    library: Any
    raw: Any = None

    def __post_init__(self) -> None:
        self.raw = self.library[0].new("timers_t *")

    def __getattr__(self, name: str) -> Any:
        return functools.partial(getattr(self.library[1], f"timers_{name}"), self.raw)

    def take_one(self, now: int) -> int | None:
        taken = self.library[0].new("uint32_t *", 99)
        return taken[0] if self.take(now, taken) else None

    def take_all(self, now: int) -> list[int]:
        return [one for one in iter(lambda: self.take_one(now), None) if one is not None]


# ---- time


@given(first=steps, later=st.lists(steps, max_size=20))
def test_time_goes_on_over_every_wrap_of_the_clock(
    library: Any, first: int, later: list[int]
) -> None:
    timers, real = Timers(library), 0
    for step in (first, *later):
        real += step
        assert timers.now(real % WRAP) == real


def test_time_stands_still_where_the_clock_does(library: Any) -> None:
    timers = Timers(library)
    for ticks in (0, 0, 5, 5, WRAP - 1, WRAP - 1):
        assert timers.now(ticks) == ticks
    assert timers.now(0) == WRAP
    assert timers.now(0) == WRAP


# ---- due


def test_nothing_is_due_that_was_not_set(library: Any) -> None:
    timers = Timers(library)
    assert timers.take_all(2**63) == []
    assert timers.next(5) == 5 + LONGEST


def test_a_timer_is_due_when_its_time_has_come_and_once(library: Any) -> None:
    timers = Timers(library)
    timers.set(2, 1000)
    assert timers.take_one(999) is None
    assert timers.take_one(1000) == 2
    assert timers.take_one(1000) is None


def test_of_equal_times_the_lowest_number_is_first_whatever_was_set_first(library: Any) -> None:
    timers = Timers(library)
    for number in (3, 0, 2):
        timers.set(number, 7)
    timers.set(1, 6)
    assert timers.take_all(7) == [1, 0, 2, 3]


def test_a_timer_that_is_set_again_has_its_new_time_only(library: Any) -> None:
    timers = Timers(library)
    timers.set(0, 10)
    timers.set(0, 20)
    assert timers.take_one(19) is None
    timers.set(0, 5)
    assert timers.take_all(20) == [0]


def test_a_timer_that_is_cancelled_is_forgotten(library: Any) -> None:
    timers = Timers(library)
    timers.set(0, 10)
    timers.set(1, 11)
    timers.cancel(0)
    timers.cancel(3)
    assert timers.next(0) == 11
    assert timers.take_all(100) == [1]


# ---- when to look again


@pytest.mark.parametrize("now", [0, 5, 2**31, WRAP - 1, WRAP, 3 * WRAP + 17, 2**62])
def test_the_next_look_is_at_the_earliest_timer_but_within_2_to_the_30(
    library: Any, now: int
) -> None:
    timers = Timers(library)
    assert timers.next(now) == (now + LONGEST) % WRAP
    for ahead, expected in ((2**40, LONGEST), (LONGEST + 1, LONGEST), (LONGEST, LONGEST)):
        timers.set(1, now + ahead)
        assert timers.next(now) == (now + expected) % WRAP
    timers.set(3, now + 9)
    assert timers.next(now) == (now + 9) % WRAP


@given(now=st.integers(0, 2**62), late=st.integers(0, 2**62))
def test_a_time_that_is_long_past_is_now_and_not_to_come(library: Any, now: int, late: int) -> None:
    timers = Timers(library)
    timers.set(0, max(now - late, 0))
    assert timers.next(now) == now % WRAP
    assert timers.take_one(now) == 0


# ---- all of it


@dataclass
class Model:
    """What is to be expected."""

    due: dict[int, int] = field(default_factory=dict)

    def take_all(self, now: int) -> list[int]:
        ready = sorted((time, number) for number, time in self.due.items() if time <= now)
        self.due = {n: time for n, time in self.due.items() if time > now}
        return [number for _, number in ready]

    def next(self, now: int) -> int:
        return max(now, min([now + LONGEST, *self.due.values()])) % WRAP


actions = st.one_of(
    st.tuples(st.just("set"), ids, times),
    st.tuples(st.just("cancel"), ids, st.just(0)),
    st.tuples(st.just("pass"), steps, st.just(0)),
)


@given(script=st.lists(actions, max_size=60))
def test_timers_are_a_list_of_times(library: Any, script: list[tuple[str, int, int]]) -> None:
    timers, model, now = Timers(library), Model(), 0
    for what, number, ahead in script:
        if what == "set":
            timers.set(number, now + ahead)
            model.due[number] = now + ahead
        elif what == "cancel":
            timers.cancel(number)
            model.due.pop(number, None)
        else:
            now += number
            assert timers.now(now % WRAP) == now
            assert timers.take_all(now) == model.take_all(now)
        assert timers.next(now) == model.next(now)


@given(
    periods=st.lists(st.integers(1, 2**33), min_size=1, max_size=TIMERS),
    start=st.integers(0, 2**40),
    late=st.integers(0, 1000),
)
def test_a_loop_that_sleeps_until_the_next_look_misses_nothing(
    library: Any, periods: list[int], start: int, late: int
) -> None:
    timers, now = Timers(library), 0
    while now < start:  # a device that has run for a while
        now = min(start, now + 2**31)
        timers.now(now % WRAP)
    for number, period in enumerate(periods):
        timers.set(number, now + period)
    due = [now + period for period in periods]
    for _ in range(40):
        alarm = timers.next(now)
        now += (alarm - now) % WRAP + late  # the alarm rings a little late
        assert timers.now(now % WRAP) == now
        for number in timers.take_all(now):
            assert 0 <= now - due[number] <= late, "never early, and as late as the alarm"
            due[number] = now + periods[number]
            timers.set(number, due[number])
    assert min(due) > now
