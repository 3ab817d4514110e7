# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How far the inputs are from those of the training: firmware/stats/drift.c once more.

The population stability index of a channel is the sum over its bins of (p - q) * ln(p / q), p the
share in the field, q that in the training. No share is 0: both are (1 + 247 f) / 255, f being what
was counted.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from torpor.stats import histogram
from torpor.stats.reference import BINS, SHARES, Reference

UNKNOWN = 0xFFFF
LEAST_ROWS = 32
"""With fewer there is no index."""

_FREE = SHARES - BINS
_POINT = 15
_STEPS_LOG2 = 5
LOGARITHMS = [round(math.log2(1 + i / 32) * (1 << _POINT)) for i in range((1 << _STEPS_LOG2) + 1)]
"""Entry i: log2(1 + i / 32) with 15 bits behind the point."""


def log2_of(x: int) -> int:
    """Return log2(x) of 1 <= x < 2^32 with 15 bits behind the point, at most 0.0002 too small."""
    whole = x.bit_length() - 1
    left = x << (31 - whole)
    entry = left >> (31 - _STEPS_LOG2) & ((1 << _STEPS_LOG2) - 1)
    between = left >> (31 - _STEPS_LOG2 - 16) & 0xFFFF
    step = LOGARITHMS[entry + 1] - LOGARITHMS[entry]
    return (whole << _POINT) + LOGARITHMS[entry] + (step * between >> 16)


class Drift:
    """Histograms of the inputs, and their distance from a reference.

    Args:
        reference: of the training, or None: then all is UNKNOWN.
    """

    def __init__(self, reference: Reference | None) -> None:
        self._reference = reference
        self.begin()

    def begin(self) -> None:
        """Begin anew."""
        channels = self._reference.channels if self._reference else 0
        self.counts = [[0] * BINS for _ in range(channels)]
        self._rows = 0

    def add(self, codes: NDArray[np.int8]) -> None:
        """Count rows of input codes, int8 [rows, channels].

        Their channels must be a multiple of the reference's, or nothing is counted.
        """
        rows, channels = codes.shape
        if self._reference is None or channels == 0 or channels % self._reference.channels:
            return
        group = channels // self._reference.channels
        for row in codes.tolist():
            for channel, code in enumerate(row):
                edges = self._reference.edges[channel // group]
                histogram.add(self.counts[channel // group], find_bin(edges, code))
        self._rows = min(self._rows + rows, LEAST_ROWS)

    def index(self) -> int:
        """Return the index in thousandths, or UNKNOWN with less than LEAST_ROWS rows."""
        if self._reference is None or self._rows < LEAST_ROWS:
            return UNKNOWN
        channels = self._reference.channels
        shares = self._reference.shares
        total = sum(map(channel_index, self.counts, shares))
        mean = (total + channels) // (2 * channels)
        return (mean * 5545 + (1 << (_POINT + 1))) >> (_POINT + 2)


def find_bin(edges: Sequence[int], code: int) -> int:
    """Return the bin of a code: the first whose edge is above it, or the last."""
    return next((i for i, edge in enumerate(edges) if code < edge), len(edges))


def channel_index(counts: Sequence[int], shares: Sequence[int]) -> int:
    """Return the index of a channel, to base 2, with 15 bits behind the point."""
    total = sum(counts)
    return sum(_bin_index(c, total, s) for c, s in zip(counts, shares, strict=True))


def _bin_index(count: int, total: int, share: int) -> int:
    f = ((count << _POINT) + total // 2) // total
    p = ((1 << _POINT) + _FREE * f + SHARES // 2) // SHARES
    q = ((share << _POINT) + SHARES // 2) // SHARES
    ratio = log2_of(total + _FREE * count) - log2_of(total) - log2_of(share)
    return max((p - q) * ratio, 0) >> _POINT


def exact_index(counts: Sequence[Sequence[int]], shares: Sequence[Sequence[int]]) -> float:
    """Return the index in thousandths that the integers approximate: with real logarithms.

    Args:
        counts: per channel and bin.
        shares: of the reference, per channel and bin, of 255.
    """
    f = np.asarray(counts, np.float64)
    p = (1 + _FREE * f / f.sum(axis=1, keepdims=True)) / SHARES
    q = np.asarray(shares, np.float64) / SHARES
    return float(1000 * ((p - q) * np.log(p / q)).sum(axis=1).mean())
