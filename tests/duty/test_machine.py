# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Anything that can happen to a device, in any order: the C does what the model says, step by step.

And what nobody may break, seen from outside: every wake begins and ends once, counts add up, no
class is decided within its refractory time, a quiet level lets it sleep.
"""

import random
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.duty.conftest import Library
from tests.duty.device import (
    BEGIN,
    COMMAND,
    DECIDED,
    END,
    GATE,
    MODEL,
    PIN,
    REJECTED,
    Answer,
    Config,
    Device,
    Given,
    Step,
)
from tests.duty.model import UNKNOWN_CHARGE, UNKNOWN_HEAT, Model

SEEDS = 1000
BLOCKS = 150
CONFIGS = st.builds(
    Config,
    debounce=st.integers(0, 3),
    hold=st.integers(0, 3),
    windows=st.integers(1, 4),
    cutoff=st.sampled_from([0, 100, 255]),
    ignored=st.integers(0, 3),
    refractory_ms=st.sampled_from([0, 25, 100]),
    expiry_ms=st.sampled_from([0, 30, 200]),
    slow_percent=st.sampled_from([20, 30, 40]),
    block_ms_q16=st.sampled_from([10 << 16, 123456, 1280 << 16]),
    hop=st.integers(1, 5),
    tail=st.integers(0, 4),
    longest=st.sampled_from([0, 1, 2, 7, 20]),
    timer_ms=st.sampled_from([0, 1, 95, 5000]),
    timer_windows=st.integers(0, 3),
    deadline_ms=st.sampled_from([0, 10]),
    latch=st.booleans(),
)
LEVELS = st.sampled_from([0, 49, 50, 99, 100, 2**32 - 1])
GIVEN = st.builds(
    Given,
    level=LEVELS,
    score=st.sampled_from([0, 9, 10, 19, 20, 2**32 - 1]),
    scores=st.lists(st.sampled_from([0, 99, 100, 255]), min_size=1, max_size=12).map(bytes),
    took_ms=st.sampled_from([0, 10, 11]),
    unscored=st.sampled_from([0, 0, 0, 2]),
    failure=st.sampled_from([0, 0, 0, 1, 2]),
)


class Outside:
    """What is seen from outside, and has to hold whatever the model says."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.awake = False
        self.begun = self.ended = self.rejected = self.gates = self.answers = 0
        self.decided: dict[int, int] = {}
        self.others_in_wake = 0
        self.blocks = 0

    def look(self, step: Step, *, unscored: bool) -> None:
        """Check a step."""
        assert bool(step.actions & BEGIN) <= (not self.awake)
        assert bool(step.actions & (GATE | END)) <= (self.awake or bool(step.actions & BEGIN))
        assert bool(step.actions & BEGIN) <= bool(step.actions & GATE)
        if step.actions & BEGIN:
            self.begun += 1
            self.others_in_wake = self.blocks = 0
        self.awake = (self.awake or bool(step.actions & BEGIN)) and not step.actions & END
        self.blocks += 1
        assert not self.config.longest or self.blocks <= self.config.longest or not self.awake
        self.ended += bool(step.actions & END)
        self.gates += bool(step.actions & GATE) and not unscored
        self.rejected += step.outcome == REJECTED
        if step.answer:
            self._answer(step.answer)
        self._counts(step)

    def _answer(self, answer: Answer) -> None:
        self.answers += 1
        if answer.source != MODEL:
            self.others_in_wake += 1
            assert self.others_in_wake == 1
            return
        before = self.decided.get(answer.best)
        assert before is None or answer.time - before >= self.config.refractory_ms
        assert not self.config.ignored >> answer.best & 1
        assert answer.score >= self.config.cutoff
        self.decided[answer.best] = answer.time

    def _counts(self, step: Step) -> None:
        counts = step.counts
        assert counts["wakes"] == self.begun == self.ended + self.awake
        assert counts["gates"] == self.gates
        assert counts["answers"] == self.answers
        at_once = step.outcome == REJECTED and bool(step.actions & GATE)
        assert counts["rejected"] == self.rejected - at_once, "counted with the next block"
        assert counts["fallbacks"] <= counts["answers"]
        assert counts["inferences"] <= counts["gates"]
        assert counts["limited"] <= self.ended


class Both:
    """The C and the model, side by side."""

    def __init__(self, duty: Library, config: Config) -> None:
        self.device, self.model = Device(duty, config), Model(config)
        self.outside = Outside(config)

    def block(self, given: Given) -> Step:
        """A block comes to both."""
        found = self.device.block(given)
        assert found == self.model.block(given)
        self.outside.look(found, unscored=bool(given.unscored))
        return found

    def command(self, source: int, windows: int) -> None:
        """Something asks both."""
        self.device.command(source, windows)
        self.model.command(source, windows)

    def environment(self, temperature: int, battery: int) -> None:
        """Both are told."""
        changed = self.model.environment(temperature, battery)
        assert self.device.environment(temperature, battery) == changed
        assert self.device.level == self.model.level

    def lost(self, blocks: int) -> None:
        """Both lose blocks."""
        self.device.lost(blocks)
        self.model.lost(blocks)
        assert self.device.time == self.model.time

    def new_model(self) -> None:
        """Both get another model."""
        self.device.new_model()
        self.model.new_model()
        self.outside.decided = {}


class Machine(RuleBasedStateMachine):
    """Blocks, commands, failures, heat and charge, in any order."""

    duty: Library
    both: Both

    @initialize(config=CONFIGS)
    def start(self, config: Config) -> None:
        self.both = Both(self.duty, config)

    @rule(given=GIVEN)
    def block(self, given: Given) -> None:
        self.both.block(given)

    @rule(given=GIVEN, count=st.integers(2, 30))
    def many_equal_blocks(self, given: Given, count: int) -> None:
        for _ in range(count):
            self.both.block(given)

    @rule(source=st.sampled_from([PIN, COMMAND]), windows=st.integers(0, 4))
    def command(self, source: int, windows: int) -> None:
        self.both.command(source, windows)

    @rule(
        temperature=st.sampled_from([UNKNOWN_HEAT, 0, 421, 450, 540, 560, 640, 650]),
        battery=st.sampled_from([UNKNOWN_CHARGE, 1000, 320, 300, 150, 60, 0]),
    )
    def environment(self, temperature: int, battery: int) -> None:
        self.both.environment(temperature, battery)

    @rule(blocks=st.integers(1, 1000))
    def lost(self, blocks: int) -> None:
        self.both.lost(blocks)

    @rule()
    def new_model(self) -> None:
        self.both.new_model()

    @invariant()
    def the_level_of_the_policy_is_the_worse_of_two(self) -> None:
        state = self.both.device.state if hasattr(self, "both") else None
        assert state is None or state.level == max(state.heat, state.charge)

    def teardown(self) -> None:
        if hasattr(self, "both"):
            falls_asleep(self.both)


def falls_asleep(both: Both) -> None:
    """Quiet blocks let it sleep, in a time that can be named: of windows asked for, and a tail."""
    config = both.device.config
    asked = 2 * max(both.device.state.asked_windows, both.device.state.windows_left)
    hop = 2 * config.hop + 1
    needed = config.trigger.hold + config.tail + asked * hop + 3
    config.timer_ms = 0
    both.model.config = replace(both.model.config, timer_ms=0)
    for _ in range(needed):
        both.block(Given())
    assert not both.outside.awake
    assert both.outside.begun == both.outside.ended
    assert both.block(Given()).actions == 0


def test_whatever_happens_the_machine_does_what_the_model_says(duty: Library) -> None:
    Machine.duty = duty
    size = settings(max_examples=150, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(Machine, settings=size)


def draw_given(draw: random.Random, level: int) -> Given:
    """Make what comes with a block whose window is mostly worth a look."""
    return Given(
        level=level,
        score=draw.choice([0, 9, 10, 19, 20, 1000]),
        scores=bytes(draw.choice([0, 50, 99, 100, 180, 255]) for _ in range(draw.randint(1, 4))),
        took_ms=draw.choice([0, 0, 10, 11]),
        unscored=draw.choice([0] * 20 + [2]),
        failure=draw.choice([0] * 10 + [1, 2]),
    )


def draw_config(draw: random.Random) -> Config:
    """Make a configuration that decides often."""
    return Config(
        debounce=draw.randint(0, 2),
        hold=draw.randint(0, 4),
        windows=draw.randint(1, 3),
        refractory_ms=draw.choice([0, 100, 500]),
        expiry_ms=draw.choice([0, 100, 1000]),
        hop=draw.randint(1, 6),
        tail=draw.randint(0, 6),
        longest=draw.choice([0, 0, 5, 30]),
        timer_ms=draw.choice([0, 95, 400]),
        timer_windows=draw.randint(1, 3),
        deadline_ms=draw.choice([0, 10]),
        latch=draw.random() < 0.5,
    )


@pytest.mark.parametrize("first", range(0, SEEDS, 100))
def test_random_days_of_a_device(duty: Library, first: int) -> None:
    """Levels that stay for a while, as the world's do."""
    wakes = decided = others = 0
    for seed in range(first, first + 100):
        draw = random.Random(seed)
        both = Both(duty, draw_config(draw))
        level = 0
        for _ in range(BLOCKS):
            level = draw.choice([0, 0, 60, 150]) if draw.random() < 0.15 else level
            if draw.random() < 0.03:
                both.command(draw.choice([PIN, COMMAND]), draw.randint(0, 3))
            if draw.random() < 0.03:
                both.environment(draw.choice([200, 460, 560, 660]), draw.choice([1000, 100, 20]))
            decided += both.block(draw_given(draw, level)).outcome == DECIDED
        falls_asleep(both)
        wakes += both.outside.begun
        others += both.device.counts["fallbacks"]
    assert wakes > 500, "days without wakes show nothing"
    assert decided > 100
    assert others > 100
