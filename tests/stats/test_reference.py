# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The reference of the training data: how it is made, its bytes, and what is no reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stats.device import Drift, Opened
from torpor.errors import ModelError
from torpor.stats.reference import BYTES, CHANNELS, Reference, groups, make_reference

SEEDS = range(8)


def some(channels: int, seed: int = 0) -> Reference:
    """Return a reference of random data."""
    source = np.random.default_rng(seed)
    return make_reference(source.integers(-128, 128, (300, channels), np.int8))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("channels", [1, 3, 6, 8])
def test_a_reference_is_read_back_and_the_device_takes_it(
    opened: Opened, channels: int, seed: int
) -> None:
    reference = some(channels, seed)
    assert len(reference.encode()) == BYTES == 124
    assert Reference.decode(reference.encode()) == reference
    assert Drift(opened, reference.encode()).opened


@pytest.mark.parametrize(
    ("channels", "histograms"), [(1, 1), (6, 6), (8, 8), (9, 3), (10, 5), (13, 1), (40, 8), (49, 7)]
)
def test_more_channels_than_histograms_share_them_equally(channels: int, histograms: int) -> None:
    assert groups(channels) == some(channels).channels == histograms
    assert channels % histograms == 0


def test_bins_of_even_data_are_octiles(opened: Opened) -> None:
    reference = make_reference(np.arange(-128, 128, dtype=np.int8).reshape(-1, 1))
    assert reference.edges == ((-96, -64, -32, 0, 32, 64, 96),)
    assert set(reference.shares[0]) == {31, 32}


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=60))
def test_edges_are_distinct_and_shares_are_at_least_one_and_255_together(codes: list[int]) -> None:
    reference = make_reference(np.array(codes, np.int8).reshape(-1, 1))
    edges, shares = reference.edges[0], reference.shares[0]
    assert list(edges) == sorted(set(edges))
    assert min(edges) >= -128 and max(edges) <= 127
    assert min(shares) >= 1 and sum(shares) == 255
    counts = np.bincount(np.searchsorted(edges, codes, side="right"), minlength=8)
    expected = 1 + 247 * counts / len(codes)
    assert np.abs(np.array(shares) - expected).max() < 1


@pytest.mark.parametrize("code", [-128, -3, 127])
def test_a_channel_that_never_changes_has_a_reference_too(opened: Opened, code: int) -> None:
    data = np.full((50, 1), code, np.int8)
    reference = make_reference(data)
    assert max(reference.shares[0]) == 248
    drift = Drift(opened, reference.encode())
    drift.add(data)
    assert drift.index() == 0
    drift.add(data + np.int8(8 if code < 0 else -8))
    assert drift.index() > 1000


@pytest.mark.parametrize("shape", [(0, 3), (5, 0)])
def test_no_data_makes_no_reference(shape: tuple[int, int]) -> None:
    with pytest.raises(ModelError, match="needs training data"):
        make_reference(np.zeros(shape, np.int8))


def wrong(name: str) -> bytes:
    """Return a reference with one thing wrong."""
    data = bytearray(some(2).encode())
    if name == "version":
        data[0] = 2
    elif name == "no channels":
        data[1] = 0
    elif name == "too many channels":
        data[1] = CHANNELS + 1
    elif name == "a share of nothing":
        data[60] += data[61]
        data[61] = 0
    elif name == "first share of nothing":
        data[61] += data[60]
        data[60] = 0
    elif name == "shares that are not all":
        data[67] += 1
    elif name == "wrong in the last channel":
        data[75] -= 1
    elif name == "edges that fall":
        data[4], data[5] = data[5], data[4]
    elif name == "last edges that fall":
        data[16], data[17] = data[17], data[16]
    return bytes(data[: BYTES - (name == "short")])


@pytest.mark.parametrize(
    "name",
    ["version", "no channels", "too many channels", "a share of nothing", "first share of nothing",
     "shares that are not all", "wrong in the last channel", "edges that fall",
     "last edges that fall", "short"],
)  # fmt: skip
def test_what_is_malformed_is_refused_by_both(opened: Opened, name: str) -> None:
    drift = Drift(opened, wrong(name))
    drift.add(np.zeros((100, 2), np.int8))
    assert not drift.opened
    assert drift.index() == 65535
    with pytest.raises(ModelError, match="reference"):
        Reference.decode(wrong(name))


@given(st.binary(min_size=BYTES, max_size=BYTES + 8))
def test_any_bytes_are_judged_alike(opened: Opened, data: bytes) -> None:
    try:
        Reference.decode(data)
    except ModelError:
        assert not Drift(opened, data).opened
    else:
        assert Drift(opened, data).opened


@given(st.integers(0, BYTES - 1), st.integers(0, 255))
def test_any_changed_byte_is_judged_alike(opened: Opened, at: int, value: int) -> None:
    data = bytearray(some(5).encode())
    data[at] = value
    try:
        Reference.decode(bytes(data))
    except ModelError:
        assert not Drift(opened, bytes(data)).opened
    else:
        assert Drift(opened, bytes(data)).opened
