# SPDX-License-Identifier: Apache-2.0
"""The graph: tensors and operators as frozen values. Passes return new graphs."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

BITS = {
    "float32": 32, "float16": 16, "int32": 32, "uint8": 8, "int64": 64, "bool": 8, "int16": 16,
    "complex64": 64, "int8": 8, "float64": 64, "complex128": 128, "uint64": 64, "uint32": 32,
    "uint16": 16, "int4": 4, "bfloat16": 16, "int2": 2, "uint4": 4, "float8_e4m3fn": 8,
    "float8_e5m2": 8,
}  # fmt: skip
"""Bits of one element by dtype; types without a fixed size (string, ...) are not in it."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the model file.

    Attributes:
        index: its number in the file.
        dtype: "int8", "int4", "int32", "float32", ...
        scales: one scale, one a channel, or () where not quantized; exact float32 values.
        zero_points: as scales.
        data: the bytes of a constant as stored in the file, None for an activation.
        is_variable: keeps its value from one inference to the next.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    quantized_dimension: int = 0
    data: bytes | None = field(default=None, repr=False)
    is_variable: bool = False

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size in bytes; narrower types are packed densely."""
        return (self.elements * BITS.get(self.dtype, 8) + 7) // 8

    @property
    def scale(self) -> float:
        """The only scale, 0.0 where there is none or one a channel."""
        return self.scales[0] if len(self.scales) == 1 else 0.0

    @property
    def zero_point(self) -> int:
        """The only zero point, 0 where there is none."""
        return self.zero_points[0] if len(self.zero_points) == 1 else 0

    def values(self) -> npt.NDArray[Any]:
        """Return a constant's elements in its shape; int4 codes are widened to int8."""
        assert self.data is not None
        if self.dtype == "int4":
            flat = unpack_int4(self.data, self.elements)
        else:
            flat = np.frombuffer(self.data, np.dtype(self.dtype).newbyteorder("<"))
        return flat.reshape(self.shape)

    def describe(self) -> str:
        """Return "'name' (int8 [1, 2])" for messages."""
        return f"'{self.name}' ({self.dtype} {list(self.shape)})"


def unpack_int4(data: bytes, count: int) -> npt.NDArray[np.int8]:
    """Return `count` codes as int8 from two codes a byte, low nibble first."""
    packed = np.frombuffer(data, np.uint8)
    codes = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[:count].astype(np.int8)
    return np.where(codes > 7, codes - 16, codes).astype(np.int8)


@dataclass(frozen=True)
class Op:
    """An operator. Inputs that are left out are -1; `options` has every option by its name."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A model. Operators are in an order in which they can run.

    Attributes:
        views: tensor -> the tensor whose bytes it shares (made by passes, empty after reading).
        initial: variable -> its bytes before the first inference; others start blank.
        subgraphs: the model file's other subgraphs, which operators may refer to from 1 on.
    """

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    views: dict[int, int] = field(default_factory=dict)
    initial: dict[int, bytes] = field(default_factory=dict)
    subgraphs: "tuple[Graph, ...]" = ()

    def root(self, tensor: int) -> int:
        """Return the tensor that owns the bytes of `tensor`."""
        while tensor in self.views:
            tensor = self.views[tensor]
        return tensor

    def consumers(self, tensor: int) -> list[Op]:
        """Return the operators that read `tensor`, in order."""
        return [op for op in self.ops if tensor in op.inputs]

    def producer(self, tensor: int) -> Op | None:
        """Return the operator that writes `tensor`, None for inputs and constants."""
        return next((op for op in self.ops if tensor in op.outputs), None)

    def with_ops(self, ops: list[Op], views: dict[int, int] | None = None) -> "Graph":
        """Return this graph with other operators, and `views` added."""
        return replace(self, ops=tuple(ops), views={**self.views, **(views or {})})
