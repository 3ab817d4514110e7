# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The drift index: near the real formula, the same in C and Python, and telling of real data."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.stats.device import Drift as OnDevice
from tests.stats.device import Opened
from torpor.stats.drift import LEAST_ROWS, UNKNOWN, Drift, exact_index, find_bin, log2_of
from torpor.stats.reference import Reference, make_reference

ERROR = 2
"""Thousandths that the integers may be away from the real formula."""


def reference_of(channels: int = 2, seed: int = 0) -> Reference:
    source = np.random.default_rng(seed)
    return make_reference(source.normal(0, 40, (2000, channels)).clip(-128, 127).astype(np.int8))


def both(opened: Opened, reference: Reference, codes: np.ndarray) -> tuple[int, Drift]:
    """Return the index of some rows and the twin; C and Python agree."""
    device, twin = OnDevice(opened, reference.encode()), Drift(reference)
    device.add(codes)
    twin.add(codes)
    assert device.counts(reference.channels) == twin.counts
    assert device.index() == twin.index()
    return twin.index(), twin


def test_the_table_of_logarithms_is_at_most_two_ten_thousandths_too_small() -> None:
    numbers = sorted({*range(1, 5000), *(2**i + d for i in range(12, 32) for d in (-1, 0, 1, 999))})
    errors = [math.log2(x) - log2_of(x) / 32768 for x in numbers]
    print(f"logarithms: {min(errors):.6f} to {max(errors):.6f} too small")
    assert min(errors) > -0.00004 and max(errors) < 0.0002


@pytest.mark.parametrize("seed", range(20))
def test_the_index_is_within_two_thousandths_of_the_real_formula(opened: Opened, seed: int) -> None:
    source = np.random.default_rng(seed)
    worst = 0.0
    for _ in range(20):
        channels = int(source.integers(1, 9))
        reference = reference_of(channels, seed)
        spread, shift = source.uniform(1, 90), source.uniform(-90, 90)
        rows = int(source.integers(LEAST_ROWS, 300))
        codes = source.normal(shift, spread, (rows, channels)).clip(-128, 127).astype(np.int8)
        index, twin = both(opened, reference, codes)
        worst = max(worst, abs(index - exact_index(twin.counts, reference.shares)))
    print(f"seed {seed}: at most {worst:.2f} thousandths away")
    assert worst <= ERROR


@given(
    st.lists(st.lists(st.integers(0, 65535), min_size=8, max_size=8), min_size=1, max_size=3),
    st.integers(0, 5),
)
def test_any_counts_give_the_same_index_near_the_real_one(
    opened: Opened, counts: list[list[int]], seed: int
) -> None:
    assume(all(map(sum, counts)))
    reference = reference_of(len(counts), seed)
    device, twin = OnDevice(opened, reference.encode()), Drift(reference)
    twin.add(np.zeros((LEAST_ROWS, len(counts)), np.int8))
    device.it.rows = LEAST_ROWS
    twin.counts = counts
    for channel, bins in enumerate(counts):
        device.it.counts[channel] = bins
    assert device.index() == twin.index()
    real = exact_index(counts, reference.shares)
    assert abs(twin.index() - real) <= ERROR + real / 10_000


@pytest.mark.parametrize("lonely", range(8))
def test_the_largest_index_there_is_does_not_overflow(opened: Opened, lonely: int) -> None:
    shares = [1] * 8
    shares[7 - lonely] = 248
    edges = (-90, -60, -30, 0, 30, 60, 90)
    reference = Reference((edges,) * 8, (tuple(shares),) * 8)
    device, twin = OnDevice(opened, reference.encode()), Drift(reference)
    device.it.rows = LEAST_ROWS
    twin.add(np.zeros((LEAST_ROWS, 8), np.int8))
    twin.counts = [[0xFFFF if i == lonely else 0 for i in range(8)] for _ in range(8)]
    for channel, bins in enumerate(twin.counts):
        device.it.counts[channel] = bins
    assert device.index() == twin.index()
    assert abs(twin.index() - exact_index(twin.counts, reference.shares)) <= ERROR
    assert 10_600 < twin.index() < 10_800


def test_a_code_at_an_edge_belongs_to_the_bin_above() -> None:
    edges = (-60, -40, -20, 0, 20, 40, 60)
    assert [find_bin(edges, c) for c in (-128, -61, -60, -1, 0, 59, 60, 127)] == [
        0, 0, 1, 3, 4, 6, 7, 7
    ]  # fmt: skip


@pytest.mark.parametrize(("rows", "known"), [(0, False), (31, False), (32, True), (300, True)])
def test_few_rows_have_no_index(opened: Opened, rows: int, known: bool) -> None:
    index, _ = both(opened, reference_of(), np.zeros((rows, 2), np.int8))
    assert (index != UNKNOWN) == known


def test_rows_count_together_however_they_come(opened: Opened) -> None:
    device = OnDevice(opened, reference_of().encode())
    for row in range(32):
        assert device.index() == UNKNOWN, row
        device.add(np.zeros((1, 2), np.int8))
    assert device.index() != UNKNOWN


def test_a_new_interval_knows_the_reference_and_nothing_else(opened: Opened) -> None:
    device, twin = OnDevice(opened, reference_of().encode()), Drift(reference_of())
    codes = np.random.default_rng(1).integers(-128, 128, (64, 2), np.int8)
    for drift in (device, twin):
        drift.add(codes[::-1] // 2)
        drift.begin()
        assert drift.index() == UNKNOWN
        drift.add(codes)
    assert device.index() == twin.index() == both(opened, reference_of(), codes)[0]


def test_without_a_reference_nothing_is_known(opened: Opened) -> None:
    device, twin = OnDevice(opened, None), Drift(None)
    for drift in (device, twin):
        drift.add(np.zeros((99, 3), np.int8))
        assert drift.index() == UNKNOWN
    assert not device.opened


@pytest.mark.parametrize("channels", [1, 3, 5, 7])
def test_rows_whose_channels_do_not_fit_are_not_counted(opened: Opened, channels: int) -> None:
    index, twin = both(opened, reference_of(2), np.zeros((99, channels), np.int8))
    assert index == UNKNOWN
    assert twin.counts == [[0] * 8] * 2


def test_five_channels_share_a_histogram_of_forty(opened: Opened) -> None:
    source = np.random.default_rng(4)
    data = source.integers(-128, 128, (500, 40), np.int8)
    reference = make_reference(data)
    index, twin = both(opened, reference, data)
    assert [sum(bins) for bins in twin.counts] == [2500] * 8
    assert index < 10
    moved = data.copy()
    moved[:, 10:15] = 100
    one, _ = both(opened, reference, moved)
    assert one > 100


def test_a_full_bin_halves_its_channel_only(opened: Opened) -> None:
    reference = reference_of(2)
    device, twin = OnDevice(opened, reference.encode()), Drift(reference)
    codes = np.full((20_000, 2), -128, np.int8)
    codes[:, 1] = np.tile(np.array([-128, 127], np.int8), 10_000)
    for _ in range(4):
        device.add(codes)
        twin.add(codes)
    assert device.counts(2) == twin.counts
    assert twin.counts[0][0] == 0xFFFF // 2 + 80_000 - 0xFFFF
    assert twin.counts[1][0] == twin.counts[1][7] == 40_000
    assert device.index() == twin.index()
