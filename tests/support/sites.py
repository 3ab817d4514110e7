# SPDX-License-Identifier: Apache-2.0
"""A graph of one operator made by hand, to lower it alone: no file, no engine, no passes.

site = OneOp("RELU6")
site.reads((1, 4), scale=0.25)
record = site.lower((1, 4), scale=0.25)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tests.support.tflite_builder import pack_int4
from torpor.compile.lowering import Record, lower_op
from torpor.compile.ops import load_all
from torpor.graph import Tensor
from torpor.graph.model import Graph, Op

CONV = {
    "padding": "VALID",
    "stride_w": 1,
    "stride_h": 1,
    "activation": "NONE",
    "dilation_w": 1,
    "dilation_h": 1,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "ADD": {"activation": "NONE"},
    "AVERAGE_POOL_2D": {**CONV, "filter_w": 2, "filter_h": 2},
    "CONV_2D": {**CONV, "bias_type": "float32"},
    "DEPTHWISE_CONV_2D": {**CONV, "depth_multiplier": 1},
    "FULLY_CONNECTED": {
        **{"activation": "NONE", "weights_format": 0, "keep_num_dims": False},
        "bias_type": "float32",
    },
    "MAX_POOL_2D": {**CONV, "filter_w": 2, "filter_h": 2},
    "MEAN": {"keep_dims": False},
    "RESHAPE": {"new_shape": ()},
    "SOFTMAX": {"beta": 1.0},
}
for pool in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
    OPTIONS[pool] = {k: v for k, v in OPTIONS[pool].items() if not k.startswith("dilation")}


class OneOp:
    """Collects the inputs of one operator; every method returns the object itself."""

    def __init__(self, name: str, **options: Any) -> None:
        load_all()
        self.name = name
        self.options = {**OPTIONS.get(name, {}), **options}
        self.tensors: list[Tensor] = []

    def reads(self, shape: Sequence[int], scale: float = 0.5, **changes: Any) -> "OneOp":
        """Add an int8 activation."""
        return self._add(Tensor(0, "x", tuple(shape), "int8", (scale,), (0,)), changes)

    def constant(self, values: ArrayLike, dtype: str = "int8", **changes: Any) -> "OneOp":
        """Add a constant; int8 and int4 ones have the scale 0.25 unless told otherwise."""
        array = np.asarray(values)
        data = pack_int4(array) if dtype == "int4" else array.astype(np.dtype(dtype)).tobytes()
        scales, points = ((0.25,), (0,)) if dtype in ("int8", "int4") else ((), ())
        return self._add(Tensor(0, "c", array.shape, dtype, scales, points, 0, data), changes)

    def _add(self, tensor: Tensor, changes: dict[str, Any]) -> "OneOp":
        self.tensors.append(replace(tensor, index=len(self.tensors), **changes))
        return self

    def lower(self, shape: Sequence[int], scale: float = 0.5, **changes: Any) -> Record:
        """Return the record of the operator with an int8 output like that, the last tensor."""
        last = len(self.tensors)
        y = Tensor(last, "y", tuple(shape), "int8", (scale,), (0,))
        tensors = (*self.tensors, replace(y, **changes))
        op = Op(7, self.name, tuple(range(last)), (last,), self.options)
        record = lower_op(Graph(tensors, (op,), (0,), (last,)), op)
        assert all(type(n) is int for value in record.fields.values() for n in _numbers(value))
        return record


def _numbers(value: Any) -> list[Any]:
    """Return the numbers of a member: cffi takes no float for an integer."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]
