# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which inputs are worth keeping: firmware/stats/sampler.c once more."""

from dataclasses import dataclass
from enum import IntEnum

_SEED = 0x6C078965
_WORD = 0xFFFFFFFF


class Why(IntEnum):
    """Why an input is kept: sample_why_t."""

    NO = 0
    RANDOM = 1
    LOW = 2


@dataclass(frozen=True)
class Config:
    """What is kept.

    Attributes:
        permille: of all inputs, at random.
        low: a score of 255 below this is worth keeping.
        every: at least so many inferences between two that are kept.
    """

    permille: int = 0
    low: int = 0
    every: int = 0


class Sampler:
    """Chooses; the same for the same seed.

    Args:
        seed: 32 bits; 0 means another one.
    """

    def __init__(self, seed: int) -> None:
        self._random = seed or _SEED
        self._since = _WORD

    def choose(self, config: Config, score: int) -> Why:
        """Return whether to keep the input of an inference with this best score of 255."""
        random = self._permille() < config.permille
        if self._since < config.every:
            self._since += 1
            return Why.NO
        if score >= config.low and not random:
            return Why.NO
        self._since = 0
        return Why.LOW if score < config.low else Why.RANDOM

    def _permille(self) -> int:
        """Return 0 .. 999. xorshift32: Marsaglia, Xorshift RNGs, 2003."""
        x = self._random
        x ^= x << 13 & _WORD
        x ^= x >> 17
        x ^= x << 5 & _WORD
        self._random = x
        return (x >> 12) * 1000 >> 20
