# SPDX-License-Identifier: Apache-2.0
"""Inputs that find differences: extremes, sparse ones, corners, random codes. Pure.

The same model, count and seed give the same inputs; a shorter list is a prefix of a longer one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SPARSITY = 0.05
_Array = NDArray[Any]


class Info(Protocol):
    """What must be known of an input."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> Any: ...  # noqa: D102
    @property
    def zero_point(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Stimulus:
    """One set of inputs and how it was made ("lowest", "sparse", ...)."""

    kind: str
    inputs: list[_Array]


def stimuli(infos: Sequence[Info], count: int, seed: int) -> Iterator[Stimulus]:
    """Yield `count` stimuli for integer inputs: the five extremes, then three random kinds."""
    random = np.random.default_rng(seed)
    for number in range(count):
        kind, make = _kind(number)
        yield Stimulus(kind, [make(info, random).reshape(info.shape) for info in infos])


_Maker = Callable[[Info, np.random.Generator], _Array]


def _kind(number: int) -> tuple[str, _Maker]:
    if number < len(EXTREMES):
        return list(EXTREMES.items())[number]
    return list(RANDOM.items())[(number - len(EXTREMES)) % len(RANDOM)]


def _lowest(info: Info, _random: np.random.Generator) -> _Array:
    return np.full(info.shape, np.iinfo(info.dtype).min, info.dtype)


def _highest(info: Info, _random: np.random.Generator) -> _Array:
    return np.full(info.shape, np.iinfo(info.dtype).max, info.dtype)


def _zero(info: Info, _random: np.random.Generator) -> _Array:
    return np.full(info.shape, info.zero_point, info.dtype)


def _alternating(info: Info, _random: np.random.Generator) -> _Array:
    limits = np.iinfo(info.dtype)
    return np.resize(np.array([limits.min, limits.max], info.dtype), info.shape)


def _ramp(info: Info, _random: np.random.Generator) -> _Array:
    limits = np.iinfo(info.dtype)
    size = int(np.prod(info.shape))
    return np.linspace(limits.min, limits.max, size).astype(info.dtype)


def _uniform(info: Info, random: np.random.Generator) -> _Array:
    limits = np.iinfo(info.dtype)
    return random.integers(limits.min, limits.max, info.shape, info.dtype, endpoint=True)


def _sparse(info: Info, random: np.random.Generator) -> _Array:
    codes = _uniform(info, random)
    return np.where(random.random(info.shape) < SPARSITY, codes, _zero(info, random))


def _corners(info: Info, random: np.random.Generator) -> _Array:
    limits = np.iinfo(info.dtype)
    corners = [limits.min, limits.min + 1, info.zero_point, limits.max - 1, limits.max]
    return random.choice(np.array(corners, info.dtype), info.shape)


EXTREMES: dict[str, _Maker] = {
    "lowest": _lowest,
    "highest": _highest,
    "zero": _zero,
    "alternating": _alternating,
    "ramp": _ramp,
}
RANDOM: dict[str, _Maker] = {"random": _uniform, "sparse": _sparse, "corners": _corners}
