# SPDX-License-Identifier: Apache-2.0
"""Runs a float model on samples and notes the smallest and largest value of every tensor.

Plain extremes, not the moving average that litert-quantizer's own calibration keeps: they do not
depend on the order of the samples, and nothing seen in training saturates.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor.errors import ModelError
from torpor.golden import Golden
from torpor.graph import read_tflite

Ranges = dict[str, tuple[float, float]]
_Array = NDArray[Any]


def measure_ranges(float_tflite: bytes, samples: Iterable[_Array | Sequence[_Array]]) -> Ranges:
    """Return {tensor name: (smallest, largest)} of all activations over `samples`.

    Each sample is one input or a sequence of inputs, float32, with or without the batch of 1.

    Raises:
        ModelError: a broken model, samples that do not fit it, or none.
    """
    graph = read_tflite(float_tflite)
    if "float32" not in {graph.tensors[t].dtype for t in graph.inputs}:
        raise ModelError(
            "the model is not float: its input is " + graph.tensors[graph.inputs[0]].dtype,
            "quantize takes the float .tflite that training wrote",
        )
    golden = Golden(float_tflite, keep_tensors=True)
    watched = [t for t in graph.tensors if t.data is None and t.dtype == "float32"]
    low, high = np.full(len(watched), np.inf), np.full(len(watched), -np.inf)
    for sample in samples:
        golden.invoke(_shaped(sample, golden))
        values = [golden.tensor(t.index) for t in watched]
        low = np.minimum(low, [v.min() for v in values])
        high = np.maximum(high, [v.max() for v in values])
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ModelError("calibration needs at least one sample, and finite numbers throughout")
    return {t.name: (float(a), float(b)) for t, a, b in zip(watched, low, high, strict=True)}


def _shaped(sample: _Array | Sequence[_Array], golden: Golden) -> list[_Array]:
    inputs = [sample] if isinstance(sample, np.ndarray) else list(sample)
    if len(inputs) != len(golden.inputs):
        raise ModelError(f"a sample has {len(inputs)} inputs, the model {len(golden.inputs)}")
    return [_fitting(x, info.shape) for x, info in zip(inputs, golden.inputs, strict=True)]


def _fitting(x: _Array, shape: tuple[int, ...]) -> _Array:
    if x.dtype.kind not in "fiu":
        raise ModelError(f"calibration holds {x.dtype}, not numbers")
    if x.shape not in (shape, shape[1:]):
        raise ModelError(
            f"a calibration sample has the shape {list(x.shape)}, the model takes {list(shape)}",
            "the first axis of the calibration array counts samples",
        )
    with np.errstate(over="ignore"):  # too large for a float32 is not finite, and refused as that
        return x.reshape(shape).astype(np.float32)


def samples_of(arrays: Mapping[str, _Array], names: Sequence[str]) -> list[list[_Array]]:
    """Return one sample per row of `arrays`, inputs in the order of `names`.

    Raises:
        ModelError: an input is missing or the arrays differ in length.
    """
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ModelError(
            f"calibration has no array '{missing[0]}'",
            f"it has: {', '.join(sorted(arrays)) or 'none'}",
        )
    picked = [arrays[name] for name in names]
    if any(a.ndim == 0 or len(a) != len(picked[0]) for a in picked):
        raise ModelError("the calibration arrays do not have equally many samples")
    return [list(row) for row in zip(*picked, strict=True)]
