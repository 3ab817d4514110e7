# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What firmware/duty/duty.h says, written down again: slow, with all of the past at hand."""

import math
from dataclasses import dataclass, field
from fractions import Fraction

from tests.duty.device import (
    BEGIN,
    CACHE,
    COUNTS,
    DEADLINE,
    DECIDED,
    END,
    FALLBACK,
    FORBIDDEN,
    GATE,
    INFER,
    LEVEL,
    MODEL,
    NOTHING,
    POLICY,
    REJECTED,
    TIMER,
    UNDECIDED,
    Answer,
    Config,
    Given,
    Step,
)

HOT, LOW, MARGIN = (450, 550, 650), (300, 150, 50), 30
HALF = Fraction(1, 2)
UNKNOWN_HEAT, UNKNOWN_CHARGE = -(2**15), 2**16 - 1


@dataclass
class Wake:
    """All of one."""

    source: int
    windows_asked: int
    begun: int
    """Number of its first block."""
    opened: bool = False
    closed_at: int | None = None
    looked: int = 0
    rows: list[bytes] = field(default_factory=list)
    """Scores of its windows, since the model came; empty where there are none."""
    verdicts: list[int] = field(default_factory=list)
    next_window: int = 0
    fell_back: bool = False
    decided: bool = False
    failed: bool = False

    @property
    def rejected(self) -> bool:
        """Whether stage 1 has rejected every window."""
        return not self.failed and not any(self.verdicts)


class Model:
    """The whole device; the same methods as those of Device."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.number = 0
        self.lost_blocks = 0
        self.levels: list[int] = []
        self.active = False
        self.changed = 0
        self.wake: Wake | None = None
        self.ended: Wake | None = None
        self.settled = True
        self.asked: list[tuple[int, int]] = []
        self.timer = 0
        self.heat = self.charge = 0
        self.decisions: list[Answer] = []
        self.counts = dict.fromkeys(COUNTS, 0)

    @property
    def time(self) -> int:
        return math.floor((self.number + self.lost_blocks) * self.config.block_ms_q16 / 65536)

    @property
    def level(self) -> int:
        return max(self.heat, self.charge)

    def command(self, source: int, windows: int) -> None:
        if windows:
            self.asked.append((source, windows))

    def lost(self, blocks: int) -> None:
        self.lost_blocks += blocks

    def new_model(self) -> None:
        self.decisions = []
        if self.wake:
            self.wake.rows = []

    def environment(self, temperature: int = UNKNOWN_HEAT, battery: int = UNKNOWN_CHARGE) -> bool:
        before = self.level
        hot = range(3) if temperature != UNKNOWN_HEAT else ()
        low = range(3) if battery != UNKNOWN_CHARGE else ()
        heat, charge = self.heat, self.charge
        self.heat = sum(temperature > HOT[i] - (MARGIN if heat > i else 1) for i in hot)
        self.charge = sum(battery < LOW[i] + (MARGIN if charge > i else 1) for i in low)
        return self.level != before

    def block(self, given: Given) -> Step:
        self.number += 1
        self._settle()
        turned = self._trigger(given.level)
        self._timer()
        step = Step(0)
        if self.wake is None and (self.asked or turned == "opened"):
            self._begin(step)
        if self.wake is not None:
            self._awake(self.wake, turned, step, given)
        step.counts, step.time = dict(self.counts), self.time
        return step

    def _settle(self) -> None:
        if self.ended and not self.settled:
            self.counts["rejected"] += self.ended.rejected
        self.settled = True

    def _trigger(self, level: int) -> str:
        self.levels.append(level)
        needed = max(1, self.config.hold if self.active else self.config.debounce)
        recent = self.levels[max(self.changed, self.number - needed) :]
        low, high = (v < self.config.off for v in recent), (v >= self.config.on for v in recent)
        if len(recent) < needed or not all(low if self.active else high):
            return ""
        self.active, self.changed = not self.active, self.number
        return "opened" if self.active else "closed"

    def _timer(self) -> None:
        every, now = self.config.timer_ms, self.time
        if every and now - self.timer >= every:
            on_schedule = self.timer + every
            self.timer = on_schedule if now - on_schedule < every else now
            self.command(TIMER, self.config.timer_windows)

    def _begin(self, step: Step) -> None:
        source = self.asked[0][0] if self.asked else LEVEL
        windows = max((windows for _, windows in self.asked), default=0)
        self.asked = []
        self.wake = Wake(source, windows, self.number, next_window=self.number)
        self.counts["wakes"] += 1
        step.actions, step.source = BEGIN, source

    def _awake(self, wake: Wake, turned: str, step: Step, given: Given) -> None:
        if turned == "opened":
            wake.opened, wake.closed_at = True, None
        if turned == "closed" and wake.opened:
            wake.opened, wake.closed_at = False, self.number
        due = self.number == wake.next_window
        if due:
            step.actions |= GATE
            wake.looked += 1
            wake.next_window += self._hop()
        if self._over(wake):
            step.actions |= END
            self.wake, self.ended, self.settled = None, wake, False
        if due:
            self._window(wake, step, given)
        if step.actions & END:
            step.outcome = REJECTED if wake.rejected else UNDECIDED
            step.outcome = DECIDED if wake.decided else step.outcome
            if not due:
                self._settle()

    def _hop(self) -> int:
        hop = self.config.hop
        if self.level == 0:
            return hop
        return max(hop + 1, math.floor(Fraction(100 * hop, 100 - self.config.slow_percent) + HALF))

    def _over(self, wake: Wake) -> bool:
        tail_over = self.number - (wake.closed_at or 0) >= self.config.tail
        in_tail = wake.closed_at is not None and not tail_over
        wanted = wake.opened or in_tail or wake.looked < wake.windows_asked
        age = self.number - wake.begun + 1
        cut = wanted and 0 < self.config.longest <= age
        self.counts["limited"] += cut
        return cut or not wanted

    def _window(self, wake: Wake, step: Step, given: Given) -> None:
        if given.unscored:
            step.answer = self._fail(wake, given.unscored)
            return
        self.counts["gates"] += 1
        verdict = (given.score >= self.config.low) + (given.score >= self.config.high)
        wake.verdicts.append(verdict)
        if self.config.latch:
            verdict = max(wake.verdicts)
        forbidden = self.level == 3 or (self.level == 2 and verdict == 1)
        if verdict == 0:
            step.verdict = NOTHING
            wake.rows.append(b"")
        elif forbidden:
            step.verdict, step.answer = FORBIDDEN, self._fail(wake, POLICY)
        else:
            step.verdict, step.answer = INFER, self._infer(wake, given)

    def _infer(self, wake: Wake, given: Given) -> Answer | None:
        if given.failure:
            return self._fail(wake, given.failure)
        self.counts["inferences"] += 1
        if 0 < self.config.deadline_ms < given.took_ms:
            return self._fail(wake, DEADLINE)
        wake.rows.append(given.scores)
        return self._decide(wake)

    def _decide(self, wake: Wake) -> Answer | None:
        """Only the mean is here: tests of the smoothing have the majority."""
        recent = wake.rows[-self.config.windows :]
        sums = [sum(row[i] for row in recent if i < len(row)) for i in range(12)]
        sums = [0 if self.config.ignored >> i & 1 else s for i, s in enumerate(sums)]
        best = sums.index(max(sums))
        if max(sums) < max(1, self.config.cutoff * self.config.windows):
            return None
        before = [d.time for d in self.decisions if d.best == best]
        if before and self.time - before[-1] < self.config.refractory_ms:
            return None
        answer = Answer(MODEL, 0, best, max(sums) // self.config.windows, self.time)
        self.decisions.append(answer)
        wake.decided = True
        self.counts["answers"] += 1
        return answer

    def _fail(self, wake: Wake, failure: int) -> Answer | None:
        wake.rows.append(b"")
        wake.failed = True
        if wake.fell_back:
            return None
        wake.fell_back = True
        self.counts["answers"] += 1
        self.counts["fallbacks"] += 1
        last = self.decisions[-1] if self.decisions else None
        if last and self.time - last.time < self.config.expiry_ms:
            return Answer(CACHE, failure, last.best, last.score, last.time)
        return Answer(FALLBACK, failure, self.config.fallback, 0, self.time)
