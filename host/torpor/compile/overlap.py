# SPDX-License-Identifier: Apache-2.0
"""How close behind its input an output may be written.

The same formula as infer_overlap_distance() of firmware/infer/overlap.h, where it is derived; a
test holds the two equal. It is here too because compiling needs no C compiler.
"""

from collections.abc import Callable, Mapping

from torpor.compile.lowering import Record
from torpor.graph.model import BITS
from torpor.plan.layout import TYPES

NEVER = 0x7FFFFFFF
"""The distance of an operator whose output must not share bytes with its input."""


def overlap_distance(record: Record) -> int:
    """Return how many bytes below input 0 the output must start at least, or NEVER.

    A negative distance lets the output start above the input's first byte.
    """
    formula = _FORMULAS.get(record.code) or _FORMULAS[record.code.rpartition("_")[0]]
    distance = formula(record)
    size = 2 if record.code.endswith("_S16") else 1
    return NEVER if distance == NEVER else min(distance * size, NEVER)


def _in_place(_: Record) -> int:
    return 0


def _never(_: Record) -> int:
    return NEVER


def _window(record: Record) -> int:
    w = record.fields
    in_c, out_c = (int(w[c] if c in w else w["channels"]) for c in ("in_c", "out_c"))
    most = max(_row_distance(w, in_c, out_c, row) for row in range(w["out_h"]))
    growth = w["out_h"] * w["out_w"] * out_c - w["in_h"] * w["in_w"] * in_c
    return int(min(most + max(0, growth) * (w["batches"] - 1), NEVER))


def _row_distance(w: Mapping[str, int], in_c: int, out_c: int, row: int) -> int:
    """Return the distance that output row `row` needs: bytes written minus lowest byte needed."""
    last = w["out_w"] - 1
    kink = min(w["pad_left"] // w["stride_w"], last)
    top = max(row * w["stride_h"] - w["pad_top"], 0)
    limit = w["in_h"] * w["in_w"] * in_c
    if row + 1 < w["out_h"]:
        limit = min(limit, max((row + 1) * w["stride_h"] - w["pad_top"], 0) * w["in_w"] * in_c)
    return max(
        (row * w["out_w"] + column + 1) * out_c
        - min((top * w["in_w"] + max(column * w["stride_w"] - w["pad_left"], 0)) * in_c, limit)
        for column in (kink, min(kink + 1, last), last)
    )


def _fully_connected(record: Record) -> int:
    w = record.fields
    return _rows(w["batches"], w["in_n"], w["out_n"])


def _rows(rows: int, in_n: int, out_n: int) -> int:
    """Return the distance of rows of in_n elements, each of which gives one of out_n."""
    return out_n + max(0, out_n - in_n) * (rows - 1)


def _lstm(record: Record) -> int:
    w = record.fields
    return _rows(w["batches"] * w["steps"], w["in_n"], w["out_n"])


def _binary(record: Record) -> int:
    dims = record.fields["dims"]
    a_in_order = _contiguous(dims, record.fields["a_strides"])
    b_in_order = _contiguous(dims, record.fields["b_strides"])
    if "a" not in record.tensors:
        return 0 if b_in_order else NEVER
    same = record.tensors["a"] == record.tensors.get("b")
    return 0 if a_in_order and (b_in_order or not same) else NEVER


def _contiguous(dims: list[int], strides: list[int]) -> bool:
    expected = 1
    for dim, stride in zip(reversed(dims), reversed(strides), strict=True):
        if dim != 1 and stride != expected:
            return False
        expected *= dim
    return True


def _strided_copy(record: Record) -> int:
    step = 1
    for dim, stride in zip(
        reversed(record.fields["dims"]), reversed(record.fields["strides"]), strict=True
    ):
        if dim != 1 and stride < step:
            return NEVER
        step *= dim
    return 0


_FLOAT32 = TYPES["float32"]
_BYTES = {number: BITS[name] // 8 for name, number in TYPES.items()}


def _converted(count: int, x_type: int, y_type: int) -> int:
    x_size, y_size = _BYTES[x_type], _BYTES[y_type]
    if x_type != y_type and 1 not in (x_size, y_size):
        return NEVER
    return min(max(0, (count - 1) * (y_size - x_size)), NEVER)


def _quantize(record: Record) -> int:
    return _converted(record.fields["count"], _FLOAT32, record.fields["y_type"])


def _dequantize(record: Record) -> int:
    return _converted(record.fields["count"], record.fields["x_type"], _FLOAT32)


def _requantize(record: Record) -> int:
    w = record.fields
    return _converted(w["count"], w["x_type"], w["y_type"])


def _concatenation(record: Record) -> int:
    w, x = record.fields, record.tensors["x"]
    assert isinstance(x, tuple)
    if w["constants"] & 1 or x.count(x[0]) > 1:
        return NEVER
    return int((w["outer"] - 1) * (sum(w["inner"]) - w["inner"][0]))


def _transpose_conv(record: Record) -> int:
    w = record.fields
    x_row, y_row = w["in_w"] * w["in_c"], w["out_w"] * w["out_c"]
    needed = []
    for row in range(w["out_h"]):
        above = row + w["pad_top"] - (w["kernel_h"] - 1)
        lowest = min(max(0, -(-above // w["stride_h"])), w["in_h"])
        needed.append((row + 1) * y_row - lowest * x_row)
    growth = w["out_h"] * y_row - w["in_h"] * x_row
    return int(min(max(needed) + max(0, growth) * (w["batches"] - 1), NEVER))


_FORMULAS: dict[str, Callable[[Record], int]] = {
    "ADD": _binary,
    "ASSIGN": _never,
    "AVERAGE_POOL_2D": _window,
    "CONV_2D": _window,
    "CONCATENATION": _concatenation,
    "COPY": _in_place,
    "DEQUANTIZE": _dequantize,
    "DEPTHWISE_CONV_2D": _window,
    "FULLY_CONNECTED": _fully_connected,
    "LEAKY_RELU": _in_place,
    "LOGISTIC": _in_place,
    "LSTM": _lstm,
    "LUT": _in_place,
    "MAXIMUM": _binary,
    "MAX_POOL_2D": _window,
    "MEAN": _in_place,
    "MINIMUM": _binary,
    "MUL": _binary,
    "PAD": _never,
    "PRELU": _binary,
    "QUANTIZE": _quantize,
    "RELU": _in_place,
    "REQUANTIZE": _requantize,
    "RESIZE_NEAREST_NEIGHBOR": _never,
    "SOFTMAX": _in_place,
    "SOFTMAX_S8_S16": _never,
    "STRIDED_COPY": _strided_copy,
    "SUB": _binary,
    "SVDF": _never,
    "TANH": _in_place,
    "TRANSPOSE_CONV": _transpose_conv,
}
