# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""An application for tests: it drives the machine as firmware does, block by block."""

from dataclasses import dataclass, field
from typing import Any

from tests.duty.conftest import Library

SLEEP, BEGIN, GATE, END = 0, 1, 2, 4
NOTHING, INFER, FORBIDDEN = range(3)
OK, PLAN, INPUT, DEADLINE, POLICY, ENGINE = range(6)
MODEL, CACHE, FALLBACK = range(3)
LEVEL, TIMER, PIN, COMMAND = range(4)
UNDECIDED, REJECTED, DECIDED = range(3)
COUNTS = ("wakes", "rejected", "limited", "gates", "inferences", "answers", "fallbacks")


@dataclass(frozen=True)
class Config:
    """duty_config_t, with what most tests want; gate scores below 10 are rejected, from 20 sure."""

    on: int = 100
    off: int = 50
    debounce: int = 1
    hold: int = 1
    low: int = 10
    high: int = 20
    kind: int = 0
    windows: int = 1
    cutoff: int = 100
    ignored: int = 0
    refractory_ms: int = 0
    expiry_ms: int = 1000
    slow_percent: int = 30
    block_ms_q16: int = 10 << 16
    hop: int = 2
    tail: int = 0
    longest: int = 0
    timer_ms: int = 0
    timer_windows: int = 1
    deadline_ms: int = 0
    fallback: int = 7
    latch: bool = False

    def fill(self, target: Any) -> None:
        """Write it to the C."""
        target.trigger = {name: getattr(self, name) for name in ("on", "off", "debounce", "hold")}
        target.gate = {"low": self.low, "high": self.high}
        smooth = ("kind", "windows", "cutoff", "ignored", "refractory_ms", "expiry_ms")
        target.smooth = {name: getattr(self, name) for name in smooth}
        limits = {"hot": [450, 550, 650], "hot_hysteresis": 30, "low": [300, 150, 50]}
        target.policy = {**limits, "low_hysteresis": 30, "slow_percent": self.slow_percent}
        for name in ("block_ms_q16", "hop", "tail", "longest", "timer_ms", "timer_windows"):
            setattr(target, name, getattr(self, name))
        target.deadline_ms, target.fallback = self.deadline_ms, self.fallback
        target.latch = self.latch


@dataclass(frozen=True)
class Answer:
    """answer_t."""

    source: int
    failure: int
    best: int
    score: int
    time: int


@dataclass(frozen=True)
class Given:
    """What a block brings, and what happens should a window end with it.

    Attributes:
        unscored: what keeps stage 1 from scoring the window; 0: nothing.
        failure: what keeps stage 2 from running; 0: nothing.
    """

    level: int = 0
    score: int = 0
    scores: bytes = b"\0\0"
    took_ms: int = 0
    unscored: int = OK
    failure: int = OK


@dataclass
class Step:
    """What a block has led to; outcome after DUTY_END only."""

    actions: int
    verdict: int | None = None
    answer: Answer | None = None
    outcome: int | None = None
    source: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    time: int = 0


class Device:
    """The C, with its state."""

    def __init__(self, duty: Library, config: Config) -> None:
        self._ffi, self._c = duty.ffi, duty.c
        self.config = duty.ffi.new("duty_config_t *")
        config.fill(self.config)
        self.state = duty.ffi.new("duty_t *")

    @property
    def time(self) -> int:
        """Ms."""
        found: int = self._c.duty_time(self.state, self.config)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """duty_counts_t."""
        return {name: getattr(self.state.counts, name) for name in COUNTS}

    def block(self, given: Given) -> Step:
        """A block comes; do what the machine says."""
        step = Step(self._c.duty_block(self.state, self.config, given.level))
        if step.actions & BEGIN:
            step.source = self._c.duty_source(self.state)
        if step.actions & GATE:
            self._window(step, given)
        if step.actions & END:
            step.outcome = self._c.duty_outcome(self.state)
        step.counts, step.time = self.counts, self.time
        return step

    def _window(self, step: Step, given: Given) -> None:
        if given.unscored:
            step.answer = self.failed(given.unscored)
            return
        step.verdict = self._c.duty_gate(self.state, self.config, given.score)
        if step.verdict == FORBIDDEN:
            step.answer = self.failed(POLICY)
        elif step.verdict == INFER and given.failure:
            step.answer = self.failed(given.failure)
        elif step.verdict == INFER:
            step.answer = self._scores(given)

    def _scores(self, given: Given) -> Answer | None:
        out, classes = self._ffi.new("answer_t *"), len(given.scores)
        arguments = (given.scores, classes, given.took_ms, out)
        return self._answer(self._c.duty_scores(self.state, self.config, *arguments), out)

    def failed(self, failure: int) -> Answer | None:
        """Stage 2 fails."""
        out = self._ffi.new("answer_t *")
        return self._answer(self._c.duty_failed(self.state, self.config, failure, out), out)

    def _answer(self, reported: bool, out: Any) -> Answer | None:
        if not reported:
            return None
        decision = out.decision
        return Answer(out.source, out.failure, decision.best, decision.score, decision.time)

    def command(self, source: int, windows: int) -> None:
        """Something asks for windows."""
        self._c.duty_command(self.state, source, windows)

    def lost(self, blocks: int) -> None:
        """Blocks are lost."""
        self._c.duty_lost(self.state, blocks)

    def new_model(self) -> None:
        """Another model comes."""
        self._c.duty_new_model(self.state)

    def environment(self, temperature: int = -(2**15), battery: int = 2**16 - 1) -> bool:
        """Tell temperature and battery; return whether the level has changed."""
        measured = {"temperature": temperature, "battery": battery}
        changed: bool = self._c.duty_environment(self.state, self.config, measured)
        return changed

    @property
    def level(self) -> int:
        """policy_level_t."""
        found: int = self.state.level
        return found
