# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The figures of an interval: what they mean, and the same ones in C and Python."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stats.device import Opened
from tests.stats.device import Summary as OnDevice
from torpor.stats import histogram
from torpor.stats.summary import (
    CLASSES,
    LATENCY_BINS,
    MOST,
    NO_END,
    SPARSE_BYTES,
    Figures,
    Summary,
    decode_counts,
    encode_counts,
    latency_bin,
    latency_end,
)

BOTH = [(0, 255, 63), (3, 0, 64), (11, 128, 2_097_152), (12, 127, 0), (200, 7, NO_END)]


def of(opened: Opened, inferences: list[tuple[int, int, int]]) -> Figures:
    """Return the figures of some inferences, which C and Python agree about."""
    device, twin = OnDevice(opened), Summary()
    for inference in inferences:
        device.inference(*inference)
        twin.inference(*inference)
    assert device.figures() == twin.figures()
    return twin.figures()


def test_where_there_was_nothing_all_figures_are_zero(opened: Opened) -> None:
    assert of(opened, []) == Figures(0, b"", 0, 0, 0, 0, 0)


def test_errors_are_counted_where_nothing_was_inferred(opened: Opened) -> None:
    device, twin = OnDevice(opened), Summary()
    for _ in range(3):
        device.error()
        twin.error()
    assert device.figures() == twin.figures() == Figures(0, b"", 0, 0, 0, 0, 3)


def test_errors_stay_at_their_largest_value(opened: Opened) -> None:
    device, twin = OnDevice(opened), Summary(errors=0xFFFE)
    device.it.errors = 0xFFFE
    for _ in range(3):
        device.error()
        twin.error()
    assert device.figures().errors == twin.figures().errors == 0xFFFF


def test_one_inference_is_its_own_mean_and_quantile(opened: Opened) -> None:
    figures = of(opened, [(2, 204, 100_000)])
    assert figures == Figures(1, bytes([2, 1]), 800, 784, 131_072, 131_072, 0)


def test_figures_of_inferences_at_the_ends_of_bins_are_equal(opened: Opened) -> None:
    assert of(opened, BOTH).latency_95 == NO_END


@pytest.mark.parametrize("scores", [[255] * 9, [0] * 9, [254, 255], [0, 1, 2], [127] * 5 + [0]])
def test_the_mean_of_scores_is_rounded_to_the_nearest_permille(
    opened: Opened, scores: list[int]
) -> None:
    found = of(opened, [(0, score, 1) for score in scores]).score_mean
    assert abs(found - 1000 * float(np.mean(scores)) / 255) <= 0.51  # two roundings down, one up


def test_the_low_score_is_the_lower_end_of_the_bin_of_the_tenth_percentile(opened: Opened) -> None:
    scores = list(range(0, 250, 5))  # 50 of them: the fifth is 20, in the bin from 16 on
    assert of(opened, [(0, score, 1) for score in scores]).score_low == round(16 * 1000 / 255)


@pytest.mark.parametrize("seed", range(5))
def test_latencies_are_at_most_half_above_the_true_quantile(opened: Opened, seed: int) -> None:
    latencies = [int(2 ** random.Random(seed + i).uniform(6, 20)) for i in range(400)]
    figures = of(opened, [(0, 0, latency) for latency in latencies])
    for percent, found in ((50, figures.latency_50), (95, figures.latency_95)):
        true = sorted(latencies)[400 * percent // 100 - 1]
        assert true < found <= 1.5 * true


def test_bins_of_latencies_are_two_an_octave_and_meet() -> None:
    assert [latency_end(i) for i in range(7)] == [64, 96, 128, 192, 256, 384, 512]
    for bin_ in range(LATENCY_BINS - 1):
        assert latency_bin(latency_end(bin_) - 1) == bin_
        assert latency_bin(latency_end(bin_)) == bin_ + 1
    assert latency_end(LATENCY_BINS - 2) == 1 << 21
    assert latency_end(LATENCY_BINS - 1) == NO_END


def test_classes_beyond_those_that_are_counted_have_no_count(opened: Opened) -> None:
    figures = of(opened, [(CLASSES - 1, 9, 9), (CLASSES, 9, 9), (255, 9, 9)])
    assert figures.inferences == 3
    assert decode_counts(figures.sparse) == {CLASSES - 1: 1}


def test_counts_come_largest_first_and_the_smallest_are_left_out() -> None:
    counts = [300, 1, 0, 65535, 128, 127, 2, 2, 0, 5000, 9, 3]
    sparse = encode_counts(counts)
    assert len(sparse) == 19  # another pair of two bytes does not fit
    assert decode_counts(sparse) == {3: 65535, 9: 5000, 0: 300, 4: 128, 5: 127, 10: 9, 11: 3}
    assert list(decode_counts(sparse)) == [3, 9, 0, 4, 5, 10, 11]


@given(st.lists(st.integers(0, 0xFFFF), min_size=CLASSES, max_size=CLASSES))
def test_any_counts_are_coded_alike_and_read_back(opened: Opened, counts: list[int]) -> None:
    device = OnDevice(opened)
    device.it.classes = counts
    device.it.inferences = device.it.scores[0] = device.it.latencies[0] = 1
    sparse = device.figures().sparse
    assert sparse == encode_counts(counts)
    assert len(sparse) <= SPARSE_BYTES
    kept = decode_counts(sparse)
    assert all(counts[index] == count for index, count in kept.items())
    left = [count for index, count in enumerate(counts) if index not in kept]
    assert max(left, default=0) <= min(kept.values(), default=0)


@pytest.mark.parametrize("sparse", [b"\1", b"\1\x80", b"\1\5\2", b"\1\5\1\5"], ids=bytes.hex)
def test_counts_that_are_cut_or_doubled_are_refused(sparse: bytes) -> None:
    with pytest.raises(ValueError, match=r"middle of one|twice"):
        decode_counts(sparse)


def test_a_full_histogram_is_halved_and_keeps_its_quantiles(opened: Opened) -> None:
    device, twin = OnDevice(opened), Summary(inferences=1, scores=[10, *[0] * 30, 0xFFFF])
    device.it.inferences, device.it.scores[0], device.it.scores[31] = 1, 10, 0xFFFF
    before = twin.figures().score_low
    device.inference(0, 255, 1)
    twin.inference(0, 255, 1)
    assert list(device.it.scores) == twin.scores
    assert (twin.scores[0], twin.scores[31]) == (5, 0x8000)
    assert device.figures() == twin.figures()
    assert twin.figures().score_low == before


def test_what_lies_beside_a_histogram_is_not_halved_with_it(opened: Opened) -> None:
    device = OnDevice(opened)
    device.it.scores[31] = device.it.latencies[31] = 0xFFFF
    device.it.classes[11], device.it.latencies[0], device.it.score_sum = 500, 400, 300
    device.inference(0, 255, 3_000_000)
    assert (device.it.classes[11], device.it.latencies[0], device.it.score_sum) == (500, 200, 555)
    device.it.scores[31] = 0xFFFF
    device.inference(0, 255, 0)
    assert (device.it.classes[11], device.it.latencies[0], device.it.score_sum) == (500, 201, 810)


def test_a_count_of_a_class_stays_at_its_largest_value(opened: Opened) -> None:
    device = OnDevice(opened)
    device.it.classes[4] = 0xFFFF
    device.inference(4, 0, 0)
    assert device.it.classes[4] == 0xFFFF


def test_an_interval_that_is_full_counts_no_more(opened: Opened) -> None:
    device, twin = OnDevice(opened), Summary(inferences=MOST - 1, score_sum=255 * (MOST - 1))
    device.it.inferences, device.it.score_sum = MOST - 1, 255 * (MOST - 1)
    for _ in range(3):
        device.inference(0, 255, 70)
        twin.inference(0, 255, 70)
    assert device.figures() == twin.figures()
    assert (twin.inferences, twin.figures().score_mean) == (MOST, 1000)


def test_the_mean_of_the_largest_interval_does_not_overflow(opened: Opened) -> None:
    device = OnDevice(opened)
    twin = Summary(inferences=MOST, score_sum=MOST * 255 - 1, scores=[0] * 31 + [1])
    twin.latencies[0] = device.it.latencies[0] = device.it.scores[31] = 1
    device.it.inferences, device.it.score_sum = MOST, MOST * 255 - 1
    assert device.figures() == twin.figures()
    assert twin.figures().score_mean == 1000


def test_a_new_interval_begins_with_nothing(opened: Opened) -> None:
    device = OnDevice(opened)
    for inference in BOTH:
        device.inference(*inference)
    device.error()
    device.begin()
    assert device.figures() == Figures(0, b"", 0, 0, 0, 0, 0)


@given(st.lists(st.integers(0, 300), min_size=1), st.integers(1, 100))
def test_a_quantile_is_the_first_bin_that_reaches_it(counts: list[int], percent: int) -> None:
    bin_ = histogram.quantile(counts, percent)
    total = sum(counts)
    assert sum(counts[: bin_ + 1]) >= total * percent / 100
    assert bin_ == 0 or sum(counts[:bin_]) < total * percent / 100
