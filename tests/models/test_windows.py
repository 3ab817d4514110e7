# SPDX-License-Identifier: Apache-2.0
"""Cutting, scaling, codes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.errors import ModelError
from torpor.model.score import accuracy, confusion, outputs_of
from torpor.model.timeseries import Recordings
from torpor.model.windows import cut, deal, from_codes, normalise, to_codes


@dataclass(frozen=True)
class Code:
    """Quantization of a test."""

    scale: float
    zero_point: int
    dtype: Any = np.int8
    shape: tuple[int, ...] = (1, 2)


def recordings(count: int, samples: int = 10) -> Recordings:
    """Return recordings whose every value tells recording, dimension and sample."""
    r, d, s = np.meshgrid(range(count), range(2), range(samples), indexing="ij")
    values = (1000 * r + 100 * d + s).astype(np.float32)
    return Recordings(values, tuple("ab"[i % 2] for i in range(count)))


@given(st.lists(st.integers(0, 3), max_size=40))
def test_dealing_keeps_everything_and_repeats_no_class_early(classes: list[int]) -> None:
    order = deal(classes)
    assert sorted(order) == list(range(len(classes)))
    dealt = [classes[i] for i in order]
    first = dealt[: len(set(classes))]
    assert sorted(first) == sorted(set(classes))
    for label in set(classes):
        assert [i for i in order if classes[i] == label] == [
            i for i, c in enumerate(classes) if c == label
        ]


def test_windows_start_every_step_and_hold_whole_samples() -> None:
    x, y = cut(recordings(2), ["a", "b"], length=4, step=3)
    assert x.shape == (6, 4, 1, 2)
    assert y.tolist() == [0, 1, 0, 1, 0, 1]
    assert x[0, :, 0, 0].tolist() == [0, 1, 2, 3]
    assert x[0, :, 0, 1].tolist() == [100, 101, 102, 103]
    assert x[2, :, 0, 0].tolist() == [3, 4, 5, 6]
    assert x[5, :, 0, 1].tolist() == [1106, 1107, 1108, 1109]


@given(st.integers(1, 6), st.integers(1, 10), st.integers(1, 12))
def test_every_window_is_labelled_as_its_recording(count: int, length: int, step: int) -> None:
    x, y = cut(recordings(count), ["a", "b"], length, step)
    assert len(x) == len(y) == count * ((10 - length) // step + 1)
    assert ((x[:, 0, 0, 0] // 1000) % 2 == y).all()


def test_a_class_without_label_is_named() -> None:
    with pytest.raises(ModelError, match="'b'"):
        cut(recordings(2), ["a"], 4, 3)


def test_recordings_shorter_than_a_window_are_refused() -> None:
    with pytest.raises(ModelError, match="shorter"):
        cut(recordings(2), ["a", "b"], 11, 1)


def test_scaling_is_per_axis_and_clipped() -> None:
    raw = np.array([[[10.0, 10.0]], [[-40.0, 1.0]]], np.float32)
    x = normalise(raw, [10.0, 5.0], 3.0)
    assert x.dtype == np.float32
    assert x.tolist() == [[[1.0, 2.0]], [[-3.0, np.float32(0.2)]]]


def test_codes_are_the_nearest_and_saturate() -> None:
    x = np.array([0.0, 0.24, 0.26, -0.26, 100, -100], np.float32)
    assert to_codes(x, Code(0.5, 3)).tolist() == [3, 3, 4, 2, 127, -128]
    assert to_codes(x, Code(0.5, 3, np.uint8)).tolist() == [3, 3, 4, 2, 203, 0]


def test_float_inputs_stay_as_they_are() -> None:
    x = np.array([0.1, -7], np.float32)
    assert to_codes(x, Code(0.0, 0, np.float32)).tolist() == x.tolist()
    assert from_codes(x, Code(0.0, 0, np.float32)).tolist() == x.tolist()


@given(st.integers(-128, 127), st.integers(-128, 127), st.floats(2**-10, 1024, width=32))
def test_codes_survive_the_way_through_numbers(code: int, zero_point: int, scale: float) -> None:
    of = Code(scale, zero_point)
    codes = np.array([code], np.int8)
    assert to_codes(from_codes(codes, of), of).tolist() == [code]


class Doubler:
    """A runner that shows what it was given."""

    inputs = (Code(1.0, 0),)

    def invoke(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        assert inputs[0].shape == (1, 2)
        return [inputs[0] * 2]


def test_outputs_of_feeds_codes_in_the_runners_shape() -> None:
    x = np.array([[1, 2], [3, 4]], np.float32)
    assert outputs_of(Doubler(), x).tolist() == [[2, 4], [6, 8]]


def test_confusion_counts_truth_by_row_and_the_first_of_equals_wins() -> None:
    codes = np.array([[5, 1], [1, 5], [4, 4]], np.int8)
    matrix = confusion(np.array([0, 0, 1]), codes, 2)
    assert matrix.tolist() == [[1, 1], [1, 0]]
    assert accuracy(matrix) == pytest.approx(1 / 3)
