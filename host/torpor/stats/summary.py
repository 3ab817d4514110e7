# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What an interval was like, in a few numbers: firmware/stats/summary.c once more."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from torpor.stats import histogram
from torpor.stats.headers import constants

CONST = constants("summary.h")
CLASSES = CONST["SUMMARY_CLASSES"]
SCORE_BINS = CONST["SUMMARY_SCORE_BINS"]
LATENCY_BINS = CONST["SUMMARY_LATENCY_BINS"]
SPARSE_BYTES = CONST["SUMMARY_SPARSE_BYTES"]
MOST = CONST["SUMMARY_MOST"]
NO_END = 0xFFFFFFFF
"""A latency quantile that lies in the last bin, from 2^21 microseconds on."""

_SCORE_ONE = 255
_SCORE_WIDTH = 256 // SCORE_BINS
_LATENCY_OCTAVE = 6
_FULL = 0xFFFF


@dataclass(frozen=True)
class Figures:
    """The figures of an interval; all 0 where there was nothing.

    Attributes:
        inferences: how many.
        sparse: counts per class, see `encode_counts`.
        score_mean: permille.
        score_low: 10 % quantile, permille: the lower end of its bin.
        latency_50: microseconds: the upper end of the quantile's bin, or NO_END.
        latency_95: the same.
        errors: inferences that failed.
    """

    inferences: int
    sparse: bytes
    score_mean: int
    score_low: int
    latency_50: int
    latency_95: int
    errors: int


def latency_bin(us: int) -> int:
    """Return the bin of a latency: 0 below 64 microseconds, then two an octave."""
    scaled = us >> _LATENCY_OCTAVE
    if scaled == 0:
        return 0
    octave = scaled.bit_length() - 1
    half = us >> (octave + _LATENCY_OCTAVE - 1) & 1
    return min(1 + 2 * octave + half, LATENCY_BINS - 1)


def latency_end(bin_: int) -> int:
    """Return the upper end of a bin in microseconds; the last one has none: NO_END."""
    if bin_ == LATENCY_BINS - 1:
        return NO_END
    octave = 1 << (_LATENCY_OCTAVE + bin_ // 2)
    return octave + octave // 2 * (bin_ % 2)


def _leb128(number: int) -> bytes:
    digits = []
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def encode_counts(counts: list[int]) -> bytes:
    """Return counts per class that are not 0, the largest first, in at most SPARSE_BYTES.

    Each is the class in one byte and the count in LEB128. What does not fit is left out, smallest
    first; of equal ones the higher class.
    """
    order = sorted(range(len(counts)), key=lambda index: -counts[index])
    sparse = b""
    for index in order:
        pair = bytes([index]) + _leb128(counts[index])
        if counts[index] == 0 or len(sparse) + len(pair) > SPARSE_BYTES:
            break
        sparse += pair
    return sparse


def decode_counts(sparse: bytes) -> dict[int, int]:
    """Return the counts by class that `encode_counts` has put into bytes.

    Raises:
        ValueError: they end in the middle of a pair, or a class is there twice.
    """
    counts: dict[int, int] = {}
    rest = iter(sparse)
    for index in rest:
        if index in counts:
            raise ValueError(f"class {index} is counted twice")
        counts[index] = _read_leb128(rest)
    return counts


def _read_leb128(rest: Iterator[int]) -> int:
    number, shift = 0, 0
    for digit in rest:
        number |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return number
    raise ValueError("the counts end in the middle of one")


@dataclass
class Summary:
    """An interval so far."""

    classes: list[int] = field(default_factory=lambda: [0] * CLASSES)
    scores: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)
    latencies: list[int] = field(default_factory=lambda: [0] * LATENCY_BINS)
    score_sum: int = 0
    inferences: int = 0
    errors: int = 0

    def inference(self, best: int, score: int, latency_us: int) -> None:
        """Count an inference: best class, its score of 255, latency in microseconds."""
        if self.inferences == MOST:
            return
        self.inferences += 1
        self.score_sum += score
        if best < CLASSES:
            self.classes[best] = min(self.classes[best] + 1, _FULL)
        histogram.add(self.scores, score // _SCORE_WIDTH)
        histogram.add(self.latencies, latency_bin(latency_us))

    def error(self) -> None:
        """Count an inference that failed."""
        self.errors = min(self.errors + 1, _FULL)

    def figures(self) -> Figures:
        """Return the figures so far."""
        if self.inferences == 0:
            return Figures(0, b"", 0, 0, 0, 0, self.errors)
        low = histogram.quantile(self.scores, 10) * _SCORE_WIDTH
        return Figures(
            inferences=self.inferences,
            sparse=encode_counts(self.classes),
            score_mean=self._mean(),
            score_low=(low * 1000 + _SCORE_ONE // 2) // _SCORE_ONE,
            latency_50=latency_end(histogram.quantile(self.latencies, 50)),
            latency_95=latency_end(histogram.quantile(self.latencies, 95)),
            errors=self.errors,
        )

    def _mean(self) -> int:
        whole, rest = divmod(self.score_sum, self.inferences)
        scaled = whole * 1000 + rest * 1000 // self.inferences
        return (scaled + _SCORE_ONE // 2) // _SCORE_ONE
