# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Counts in bins, as firmware/stats/histogram.c keeps them."""

from collections.abc import Sequence

FULL = 0xFFFF
"""Largest count of a bin: 16 bits on the device."""


def add(bins: list[int], bin_: int) -> None:
    """Add one to a bin; when it is full, all bins are halved before."""
    if bins[bin_] == FULL:
        bins[:] = [count // 2 for count in bins]
    bins[bin_] += 1


def quantile(bins: Sequence[int], percent: int) -> int:
    """Return the first bin at whose end `percent` of all counts have been seen."""
    rank = (sum(bins) * percent + 99) // 100
    seen = 0
    for index, count in enumerate(bins):
        seen += count
        if seen >= rank:
            return index
    raise AssertionError("the last bin ends at all counts")
