# SPDX-License-Identifier: Apache-2.0
"""The golden output of every model: TensorFlow Lite Micro's own interpreter, from PyPI.

Its arena is never asked of the user. A starved interpreter can crash instead of reporting an
error (seen: a segmentation fault after "Failed to allocate tail memory"), so the first arena has
room for all tensors of the model side by side; should that not do, it is doubled while the
messages on stderr say that memory is what was missing.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tflite_micro import runtime

from torpor.errors import ModelError
from torpor.golden.capture import captured_output

__all__ = ["Golden", "TensorInfo", "captured_output"]

MIN_ARENA = 1 << 20
MAX_ARENA = 1 << 29
SHORTAGE = ("Failed to resize buffer", "Failed to allocate tail memory", "Arena size is too small")
BROKEN = (struct.error, IndexError, ValueError, TypeError, AttributeError, UnicodeDecodeError)
_Array = NDArray[Any]


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: real = scale * (code - zero_point); scale 0 where not quantized."""

    name: str
    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    scale: float
    zero_point: int


class Golden:
    """A model in TensorFlow Lite Micro's interpreter.

    Args:
        tflite: a .tflite file, quantized or float.
        keep_tensors: keep every tensor, so that `tensor()` can read it (needs more arena).

    Raises:
        ModelError: not a model, or one that the interpreter refuses; with its messages.
    """

    def __init__(self, tflite: bytes, *, keep_tensors: bool = False) -> None:
        tree = _tree(tflite)
        config = runtime.InterpreterConfig
        self._tflite = tflite
        self._mode = config.kPreserveAllTensors if keep_tensors else config.kAllocationRecording
        self._run, self.arena_bytes = _open(tflite, self._mode, _first_arena(tree, len(tflite)))
        graph = tree.subgraphs[0]
        self.inputs = tuple(
            _info(graph.tensors[t], self._run.get_input_details(i))
            for i, t in enumerate(graph.inputs)
        )
        self.outputs = tuple(
            _info(graph.tensors[t], self._run.get_output_details(i))
            for i, t in enumerate(graph.outputs)
        )

    def invoke(self, inputs: Sequence[_Array]) -> list[_Array]:
        """Run once on `inputs` (shape and dtype of `.inputs`); return copies of the outputs.

        Raises:
            ModelError: wrong number, shape or dtype, or the interpreter failed.
        """
        if len(inputs) != len(self.inputs):
            raise ModelError(f"{len(inputs)} inputs given, the model has {len(self.inputs)}")
        with captured_output() as printed:
            try:
                for index, value in enumerate(inputs):
                    self._run.set_input(np.ascontiguousarray(value), index)
                self._run.invoke()
                outputs = [self._run.get_output(i).copy() for i in range(len(self.outputs))]
            except (RuntimeError, ValueError, IndexError) as error:
                failure: Exception | None = error
            else:
                return outputs
        raise ModelError(_story("the interpreter failed", failure, printed.summary()))

    def tensor(self, index: int) -> _Array:
        """Return a copy of tensor `index` of the file after `invoke`; needs `keep_tensors`."""
        values: _Array = self._run.GetTensor(index, 0)["tensor_data"]
        return values.copy()

    def reset(self) -> None:
        """Forget the state of a model with variables, by opening it again.

        The interpreter's own reset() forgets more: also what CALL_ONCE assigns at the beginning.
        """
        self._run, self.arena_bytes = _open(self._tflite, self._mode, self.arena_bytes)


def _tree(tflite: bytes) -> Any:
    if len(tflite) < 8 or tflite[4:8] != b"TFL3":
        raise ModelError("not a .tflite file: identifier TFL3 missing")
    try:
        tree = runtime.convert_bytearray_to_object(tflite)
    except BROKEN as error:
        raise ModelError(f"the .tflite file is broken: {error}") from None
    if not tree.subgraphs or tree.subgraphs[0].tensors is None:
        raise ModelError("the .tflite file is broken: it has no graph")
    return tree


def _first_arena(tree: Any, file_bytes: int) -> int:
    """Return room for every tensor side by side at 8 bytes an element, and for bookkeeping."""
    shapes = [t.shape for g in tree.subgraphs for t in g.tensors or [] if t.shape is not None]
    elements = sum(math.prod(max(0, int(d)) for d in shape) for shape in shapes)
    needed = MIN_ARENA + 16 * file_bytes + 8 * elements
    if needed > MAX_ARENA:
        raise ModelError(f"the model's tensors are too large ({elements} elements)")
    return needed


def _open(tflite: bytes, mode: Any, arena: int) -> tuple[Any, int]:
    while True:
        with captured_output() as printed:
            try:
                return runtime.Interpreter.from_bytes(
                    tflite, arena_size=arena, intrepreter_config=mode
                ), arena
            except (RuntimeError, *BROKEN) as error:
                failure = error
        short = any(words in printed.text for words in SHORTAGE)
        if not short or arena >= MAX_ARENA:
            what = "TensorFlow Lite Micro refuses the model"
            raise ModelError(_story(what, failure, printed.summary()))
        arena *= 2


def _story(what: str, error: Exception | None, printed: str) -> str:
    return f"{what}: {error}" + (f" ({printed})" if printed else "")


def _info(tensor: Any, details: dict[str, Any]) -> TensorInfo:
    quantization = details["quantization_parameters"]
    scales, zero_points = quantization["scales"], quantization["zero_points"]
    return TensorInfo(
        name=(tensor.name or b"").decode("utf-8", "replace"),
        shape=tuple(int(d) for d in details["shape"]),
        dtype=np.dtype(details["dtype"]),
        scale=float(scales[0]) if len(scales) else 0.0,
        zero_point=int(zero_points[0]) if len(zero_points) else 0,
    )
