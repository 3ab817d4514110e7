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
BEYOND = 1.25
"""Ramps of floats go so far beyond the range that is quantized."""

SPECIAL = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e30, 1e-45, -1e-45, 0.0, -0.0)
"""Floats that are not every day's."""

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
class FloatInput:
    """A float32 input; `scale`, `zero_point` and `codes` (a type) are what it is quantized to."""

    shape: tuple[int, ...]
    scale: float = 1 / 128
    zero_point: int = 0
    codes: str = "int8"

    @property
    def dtype(self) -> Any:
        """float32."""
        return np.dtype(np.float32)

    def real(self, code: float) -> float:
        """Return the number that a code, or a place between codes, stands for."""
        return self.scale * (code - self.zero_point)


@dataclass(frozen=True)
class Stimulus:
    """One set of inputs and how it was made ("lowest", "sparse", ...)."""

    kind: str
    inputs: list[_Array]


def stimuli(infos: Sequence[Info], count: int, seed: int) -> Iterator[Stimulus]:
    """Yield `count` stimuli: the five extremes, then three random kinds.

    Inputs of float32 without more being known (see FloatInput) lie about -1 .. 1.
    """
    random = np.random.default_rng(seed)
    known = [_known(info) for info in infos]
    for number in range(count):
        kind, make = _kind(number)
        with np.errstate(over="ignore"):  # beyond the largest float is infinity
            inputs = [make(info, random).reshape(info.shape) for info in known]
        yield Stimulus(kind, inputs)


_Maker = Callable[[Info, np.random.Generator], _Array]


def _known(info: Info) -> Info:
    if isinstance(info, FloatInput) or info.dtype != np.float32:
        return info
    return FloatInput(info.shape)


def _kind(number: int) -> tuple[str, _Maker]:
    if number < len(EXTREMES):
        return list(EXTREMES.items())[number]
    return list(RANDOM.items())[(number - len(EXTREMES)) % len(RANDOM)]


def _limits(info: Info) -> tuple[Any, Any]:
    """Return the smallest and the largest value that is worth asking for."""
    if info.dtype == np.bool_:
        return False, True
    if isinstance(info, FloatInput):
        codes = np.iinfo(info.codes)
        return info.real(codes.min), info.real(codes.max)
    limits = np.iinfo(info.dtype)
    return limits.min, limits.max


def _nothing(info: Info) -> Any:
    return 0.0 if isinstance(info, FloatInput) else info.zero_point


def _lowest(info: Info, _random: np.random.Generator) -> _Array:
    return np.full(info.shape, _limits(info)[0], info.dtype)


def _highest(info: Info, _random: np.random.Generator) -> _Array:
    return np.full(info.shape, _limits(info)[1], info.dtype)


def _zero(info: Info, _random: np.random.Generator) -> _Array:
    return np.full(info.shape, _nothing(info), info.dtype)


def _alternating(info: Info, _random: np.random.Generator) -> _Array:
    return np.resize(np.array(_limits(info), info.dtype), info.shape)


def _ramp(info: Info, _random: np.random.Generator) -> _Array:
    low, high = _limits(info)
    more = (BEYOND - 1) * (high - low) if isinstance(info, FloatInput) else 0
    return np.linspace(low - more, high + more, int(np.prod(info.shape))).astype(info.dtype)


def _uniform(info: Info, random: np.random.Generator) -> _Array:
    low, high = _limits(info)
    if isinstance(info, FloatInput):
        return random.uniform(BEYOND * low, BEYOND * high, info.shape).astype(info.dtype)
    return random.integers(low, high, info.shape, info.dtype, endpoint=True)


def _sparse(info: Info, random: np.random.Generator) -> _Array:
    codes = _uniform(info, random)
    return np.where(random.random(info.shape) < SPARSITY, codes, _zero(info, random))


def _corners(info: Info, random: np.random.Generator) -> _Array:
    if isinstance(info, FloatInput):
        return _float_corners(info, random)
    low, high = _limits(info)
    corners = [low, low + 1, info.zero_point, high - 1, high]
    return random.choice(np.array(corners, info.dtype), info.shape)


def _float_corners(info: FloatInput, random: np.random.Generator) -> _Array:
    """Return halfway points between codes, and some special numbers among them."""
    limits = np.iinfo(info.codes)
    ties = info.real(random.integers(limits.min, limits.max, info.shape) + 0.5)  # type: ignore[arg-type]
    special = random.choice(np.array([*SPECIAL, *_limits(info)]), info.shape)
    return np.where(random.random(info.shape) < SPARSITY, special, ties).astype(info.dtype)


EXTREMES: dict[str, _Maker] = {
    "lowest": _lowest,
    "highest": _highest,
    "zero": _zero,
    "alternating": _alternating,
    "ramp": _ramp,
}
RANDOM: dict[str, _Maker] = {"random": _uniform, "sparse": _sparse, "corners": _corners}
