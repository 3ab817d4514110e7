# SPDX-License-Identifier: Apache-2.0
"""Random choices that are remembered, so that they can be replayed and made smaller.

Every choice is a number from 0 on, and 0 is its simplest value. A list of such numbers is a whole
model: replaying a list that is changed gives a model that differs a little, and where the list
ends everything is as simple as it can be. That is all that shrinking needs to know.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TypeVar

import numpy as np

T = TypeVar("T")
_MANTISSAS = 1 << 10


class Draw:
    """Draws from `random`, or replays `choices`.

    Args:
        random: where choices come from.
        choices: replayed instead; after the last one every choice is 0.
    """

    def __init__(
        self, random: Random | None = None, *, choices: Sequence[int] | None = None
    ) -> None:
        self._random = random or Random(0)
        self._replayed = choices
        self.choices: list[int] = []
        self.starts: list[int] = []

    @classmethod
    def seeded(cls, seed: int, number: int) -> "Draw":
        """Return the draw of graph `number` of a run with `seed`."""
        return cls(Random(f"{seed}.{number}"))

    def begin(self) -> None:
        """Note that choices begin here that can be left out together, up to the next such place."""
        self.starts.append(len(self.choices))

    def below(self, limit: int) -> int:
        """Return a number from 0 to limit - 1."""
        return self._take(limit, lambda: self._random.randrange(limit))

    def _take(self, limit: int, sample: Callable[[], int]) -> int:
        if self._replayed is None:
            value = sample()
        else:
            at = len(self.choices)
            value = min(self._replayed[at], limit - 1) if at < len(self._replayed) else 0
        self.choices.append(value)
        return value

    def integer(self, low: int, high: int) -> int:
        """Return a number from low to high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, probability: float) -> bool:
        """Return True with that probability; False is the simpler value."""
        return bool(self._take(2, lambda: int(self._random.random() < probability)))

    def pick(self, values: Sequence[T]) -> T:
        """Return one of `values`; the first one is the simplest."""
        return values[self.below(len(values))]

    def permutation(self, count: int) -> list[int]:
        """Return 0 .. count - 1 in some order."""
        rest = list(range(count))
        return [rest.pop(self.below(len(rest))) for _ in range(count)]

    def power(self, low: int, high: int) -> float:
        """Return a float32 number from 2^low on, below 2^high, evenly spread over the powers."""
        exponent = self.integer(low, high - 1)
        return float(np.float32(2.0**exponent * (1 + self.below(_MANTISSAS) / _MANTISSAS)))

    def rng(self) -> np.random.Generator:
        """Return a generator for many values at once; they count as one choice."""
        return np.random.default_rng(self.below(1 << 16))


def shrink(
    choices: Sequence[int],
    fails: Callable[[list[int]], bool],
    tries: int = 400,
    starts: Sequence[int] = (),
) -> list[int]:
    """Return choices that still fail, with fewer and smaller numbers.

    Args:
        fails: says of a list whether what it makes fails in the same way.
        tries: how often `fails` is called at most.
        starts: where choices begin that can be left out together.
    """
    best = list(choices)
    end = len(best)
    for start in sorted(starts, reverse=True):
        tries -= 1
        if fails(best[:start] + best[end:]):
            best = best[:start] + best[end:]
        end = start
    left = max(tries, 0)
    improved = True
    while improved:
        improved = False
        at = 0
        while at < len(best):
            for candidate in _smaller(best, at):
                if left == 0:
                    return best
                left -= 1
                if fails(candidate):
                    best, improved = candidate, True
                    break
            else:
                at += 1
    return best


def _smaller(choices: list[int], at: int) -> Iterator[list[int]]:
    """Yield lists that are simpler at `at`: shorter ones first, then smaller numbers."""
    for length in (32, 8, 2, 1):
        if at + length <= len(choices):
            yield choices[:at] + choices[at + length :]
    value = choices[at]
    for smaller in dict.fromkeys((0, value // 2, value - 1)):
        if 0 <= smaller < value:
            yield [*choices[:at], smaller, *choices[at + 1 :]]
