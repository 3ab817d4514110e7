# SPDX-License-Identifier: Apache-2.0
"""Cuts recordings into windows, scales them, and turns numbers into codes. Pure."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from torpor.errors import ModelError
from torpor.model.timeseries import Recordings


class Quantization(Protocol):
    """Anything that says how numbers and codes relate: number = scale * (code - zero_point)."""

    @property
    def dtype(self) -> Any: ...  # noqa: D102
    @property
    def scale(self) -> float: ...  # noqa: D102
    @property
    def zero_point(self) -> int: ...  # noqa: D102


def deal(classes: Sequence[int]) -> list[int]:
    """Return an order that deals items out class by class, so any first few show all classes."""
    rank: dict[int, int] = {}
    keys = []
    for index, label in enumerate(classes):
        rank[label] = rank.get(label, -1) + 1
        keys.append((rank[label], label, index))
    return [index for *_, index in sorted(keys)]


def cut(
    recordings: Recordings, classes: Sequence[str], length: int, step: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return windows [n, length, 1, dimensions] in raw units and class numbers [n].

    Windows start every `step` samples and come in the order of `deal`.

    Raises:
        ModelError: a class that is not in `classes`, or recordings shorter than a window.
    """
    unknown = set(recordings.classes) - set(classes)
    if unknown:
        raise ModelError(f"class {sorted(unknown)[0]!r} in the data has no label")
    samples = recordings.values.shape[2]
    if samples < length:
        raise ModelError(f"recordings of {samples} samples are shorter than a window of {length}")
    numbers = [classes.index(c) for c in recordings.classes]
    starts = range(0, samples - length + 1, step)
    truth = np.repeat(np.array(numbers, np.int64), len(starts))
    views = [values[:, s : s + length].T for values in recordings.values for s in starts]
    order = deal(truth.tolist())
    return np.stack(views)[order][:, :, np.newaxis, :], truth[order]


def normalise(
    raw: NDArray[np.float32], scale: Sequence[float], limit: float
) -> NDArray[np.float32]:
    """Return clip(raw / scale, -limit, limit); the last axis of `raw` matches `scale`."""
    scaled = raw / np.asarray(scale, np.float32)
    return np.clip(scaled, -limit, limit).astype(np.float32)


def to_codes(x: NDArray[np.float32], of: Quantization) -> NDArray[Any]:
    """Return the codes nearest to `x` (halves to even), saturated; floats stay as they are."""
    dtype = np.dtype(of.dtype)
    if dtype.kind == "f":
        return x
    info = np.iinfo(dtype)
    codes = np.rint(x / np.float32(of.scale)) + of.zero_point
    saturated: NDArray[Any] = np.clip(codes, info.min, info.max).astype(dtype)
    return saturated


def from_codes(codes: NDArray[Any], of: Quantization) -> NDArray[np.float32]:
    """Return the numbers that `codes` stand for."""
    if np.dtype(of.dtype).kind == "f":
        return codes.astype(np.float32)
    numbers: NDArray[np.float32] = codes.astype(np.float32) - of.zero_point
    numbers *= of.scale
    return numbers
