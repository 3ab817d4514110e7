# SPDX-License-Identifier: Apache-2.0
"""What of the .tflite schema we read: slot numbers, types and defaults, by operator.

Facts from tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

import importlib
from typing import NamedTuple

DTYPES = (
    "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64",
    "int8", "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4",
    "bfloat16", "int2", "uint4", "float8_e4m3fn", "float8_e5m2",
)  # fmt: skip
PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
CUSTOM = 32


class Option(NamedTuple):
    """An option: slot in its table, kind, default, value names.

    The kind is a struct format, "vi" for a vector of int32, or "s" for a string as C sees it: its
    bytes up to a NUL, b"" where absent.
    """

    slot: int
    kind: str
    default: int | float | bool = 0
    names: tuple[str, ...] = ()


class Kind(NamedTuple):
    """An operator: name, type of its options in the union (0: none), and the options."""

    name: str
    options_type: int = 0
    options: dict[str, Option] = {}  # noqa: RUF012 - never changed


_PADDING = Option(0, "b", 0, PADDINGS)
_STRIDES = {"stride_w": Option(1, "i"), "stride_h": Option(2, "i")}
_POOL = {
    "padding": _PADDING,
    **_STRIDES,
    "filter_w": Option(3, "i"),
    "filter_h": Option(4, "i"),
    "activation": Option(5, "b", 0, ACTIVATIONS),
}
_CONV = {
    "padding": _PADDING,
    **_STRIDES,
    "activation": Option(3, "b", 0, ACTIVATIONS),
    "dilation_w": Option(4, "i", 1),
    "dilation_h": Option(5, "i", 1),
    "bias_type": Option(6, "b", 0, DTYPES),
}
_DEPTHWISE = {
    "padding": _PADDING,
    **_STRIDES,
    "depth_multiplier": Option(3, "i"),
    "activation": Option(4, "b", 0, ACTIVATIONS),
    "dilation_w": Option(5, "i", 1),
    "dilation_h": Option(6, "i", 1),
}
_FULLY_CONNECTED = {
    "activation": Option(0, "b", 0, ACTIVATIONS),
    "weights_format": Option(1, "b"),
    "keep_num_dims": Option(2, "?", False),
    "bias_type": Option(4, "b", 0, DTYPES),
}
_CONCATENATION = {"axis": Option(0, "i"), "activation": Option(1, "b", 0, ACTIVATIONS)}
_TRANSPOSE_CONV = {
    "padding": _PADDING,
    **_STRIDES,
    "activation": Option(3, "b", 0, ACTIVATIONS),
}
_RESIZE_NEAREST_NEIGHBOR = {
    "align_corners": Option(0, "?", False),
    "half_pixel_centers": Option(1, "?", False),
}
_STRIDED_SLICE = {
    "begin_mask": Option(0, "i"),
    "end_mask": Option(1, "i"),
    "ellipsis_mask": Option(2, "i"),
    "new_axis_mask": Option(3, "i"),
    "shrink_axis_mask": Option(4, "i"),
    "offset": Option(5, "?", False),
}
_LSTM = {
    "activation": Option(0, "b", 0, ACTIVATIONS),
    "cell_clip": Option(1, "f", 0.0),
    "proj_clip": Option(2, "f", 0.0),
    "time_major": Option(3, "?", False),
}

KINDS: dict[int, Kind] = {
    0: Kind("ADD", 11, {"activation": Option(0, "b", 0, ACTIVATIONS)}),
    1: Kind("AVERAGE_POOL_2D", 5, _POOL),
    2: Kind("CONCATENATION", 10, _CONCATENATION),
    3: Kind("CONV_2D", 1, _CONV),
    4: Kind("DEPTHWISE_CONV_2D", 2, _DEPTHWISE),
    6: Kind("DEQUANTIZE"),
    9: Kind("FULLY_CONNECTED", 8, _FULLY_CONNECTED),
    14: Kind("LOGISTIC"),
    17: Kind("MAX_POOL_2D", 5, _POOL),
    18: Kind("MUL", 21, {"activation": Option(0, "b", 0, ACTIVATIONS)}),
    19: Kind("RELU"),
    20: Kind("RELU_N1_TO_1"),
    21: Kind("RELU6"),
    22: Kind("RESHAPE", 17, {"new_shape": Option(0, "vi")}),
    25: Kind("SOFTMAX", 9, {"beta": Option(0, "f", 0.0)}),
    27: Kind("SVDF", 6, {"rank": Option(0, "i"), "activation": Option(1, "b", 0, ACTIVATIONS)}),
    28: Kind("TANH"),
    34: Kind("PAD"),
    39: Kind("TRANSPOSE"),
    40: Kind("MEAN", 27, {"keep_dims": Option(0, "?", False)}),
    41: Kind("SUB", 28, {"activation": Option(0, "b", 0, ACTIVATIONS)}),
    43: Kind("SQUEEZE", 30, {"squeeze_dims": Option(0, "vi")}),
    44: Kind("UNIDIRECTIONAL_SEQUENCE_LSTM", 71, _LSTM),
    45: Kind("STRIDED_SLICE", 32, _STRIDED_SLICE),
    49: Kind("SPLIT", 35, {"num_splits": Option(0, "i")}),
    54: Kind("PRELU"),
    55: Kind("MAXIMUM"),
    57: Kind("MINIMUM"),
    60: Kind("PADV2"),
    65: Kind("SLICE"),
    67: Kind("TRANSPOSE_CONV", 49, _TRANSPOSE_CONV),
    70: Kind("EXPAND_DIMS"),
    77: Kind("SHAPE"),
    83: Kind("PACK"),
    97: Kind("RESIZE_NEAREST_NEIGHBOR", 74, _RESIZE_NEAREST_NEIGHBOR),
    98: Kind("LEAKY_RELU", 75, {"alpha": Option(0, "f", 0.0)}),
    101: Kind("ABS"),
    102: Kind("SPLIT_V", 79, {"num_splits": Option(0, "i")}),
    114: Kind("QUANTIZE"),
    117: Kind("HARD_SWISH"),
    129: Kind("CALL_ONCE", 103, {"init_subgraph_index": Option(0, "i")}),
    142: Kind("VAR_HANDLE", 111, {"container": Option(0, "s"), "shared_name": Option(1, "s")}),
    143: Kind("READ_VARIABLE"),
    144: Kind("ASSIGN_VARIABLE"),
}
"""The operators whose options we read, by builtin code."""


def operator_name(code: int) -> str:
    """Return the name of builtin operator `code`, "operator 999" if nobody knows it."""
    if code in KINDS:
        return KINDS[code].name
    try:
        schema = importlib.import_module(
            "tflite_micro.tensorflow.lite.micro.python.schema_py_generated"
        )
        names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    except ImportError:
        names = {}
    return str(names.get(code, f"operator {code}"))
