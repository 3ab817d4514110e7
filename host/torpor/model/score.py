# SPDX-License-Identifier: Apache-2.0
"""What a classifier says about windows, and how often it is right. Pure."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from torpor.model.windows import Quantization, to_codes


class Described(Quantization, Protocol):
    """An input or output of a runner."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102


class Runner(Protocol):
    """Anything that runs a model: the golden interpreter, our C on the host."""

    @property
    def inputs(self) -> Sequence[Any]: ...  # noqa: D102
    def invoke(self, inputs: list[NDArray[Any]], /) -> list[NDArray[Any]]: ...  # noqa: D102


def outputs_of(runner: Runner, x: NDArray[np.float32]) -> NDArray[Any]:
    """Return output 0 of every window of `x`, as codes [n, classes]."""
    info: Described = runner.inputs[0]
    windows = [to_codes(window.reshape(info.shape), info) for window in x]
    return np.stack([runner.invoke([window])[0].reshape(-1) for window in windows])


def confusion(truth: NDArray[np.int64], codes: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Return how often class `row` was taken for class `column`; of equal codes the first wins."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (truth, codes.argmax(axis=1)), 1)
    return matrix


def accuracy(matrix: NDArray[np.int64]) -> float:
    """Return the share of windows on the diagonal of a confusion matrix, 0..1."""
    return float(np.trace(matrix) / matrix.sum())
