# SPDX-License-Identifier: Apache-2.0
"""Plans built by hand from the structs of plan.h, one small specimen for each operator.

The compiler is not involved, so that executor, checker and kernels are tested on their own.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from torpor.plan.layout import CONST, OPCODES, ffi, fields, record_type, sizeof

ALIGN = CONST["PLAN_ALIGN"]
NO_STRING = CONST["PLAN_NO_STRING"]
NO_DATA = CONST["PLAN_NO_DATA"]
CODES = {name: code for code, name in OPCODES.items()}
OVERLAP = CONST["PLAN_OP_OVERLAP"]
PER_TENSOR = CONST["PLAN_OP_PER_TENSOR"]
ACC_32 = CONST["PLAN_OP_ACC_32"]
CONST_A = CONST["PLAN_OP_CONST_A"]
CONST_B = CONST["PLAN_OP_CONST_B"]
HALF = {"multiplier": 1 << 30, "shift": 0}
"""The rescale factor 1/2."""


def pack(kind: str, values: dict[str, Any]) -> bytes:
    """Bytes of a struct of plan.h; nested structs are dicts, arrays are lists."""
    return bytes(ffi.buffer(ffi.new(f"{kind} *", values)))


def record(name: str, flags: int = 0, **values: Any) -> bytes:
    """Bytes of the record of operator `name` ("CONV_2D_S8")."""
    kind = record_type(CODES[name])
    op = {"code": CODES[name], "flags": flags, "words": sizeof(kind) // 4}
    return pack(kind, {"op": op, **values})


def channel_block(bias: Sequence[int], multiplier: Sequence[int], shift: Sequence[int]) -> bytes:
    """A channel block as plan.h describes it."""
    block = struct.pack(f"<{len(bias)}i", *bias) + struct.pack(f"<{len(multiplier)}i", *multiplier)
    shifts = struct.pack(f"<{len(shift)}b", *shift)
    return block + shifts + bytes(-len(shifts) % 4)


def channel_block_64(bias: Sequence[int], multiplier: Sequence[int], shift: Sequence[int]) -> bytes:
    """The channel block of 64-bit accumulators as plan.h describes it."""
    block = struct.pack(f"<{len(bias)}q", *bias) + struct.pack(f"<{len(multiplier)}h", *multiplier)
    block += struct.pack(f"<{len(shift)}b", *shift)
    return block + bytes(-len(block) % 4)


@dataclass
class PlanBuilder:
    """The parts of a plan; `build` puts them together, `header` overrides header fields."""

    tensors: list[tuple[int, int, int, int]] = field(default_factory=list)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    ops: list[bytes] = field(default_factory=list)
    strings: bytes = b"model\0x\0y\0cat\0dog\0"
    extra: bytes = b""
    data: bytes = b""
    header: dict[str, Any] = field(default_factory=dict)

    def tensor(self, offset: int, size: int, first: int, last: int) -> int:
        """Add a tensor, return its number."""
        self.tensors.append((offset, size, first, last))
        return len(self.tensors) - 1

    def put(self, data: bytes) -> int:
        """Add bytes to the data section, 4-byte aligned; return their offset."""
        self.data += bytes(-len(self.data) % 4)
        offset = len(self.data)
        self.data += data
        return offset

    def io(self, tensor: int, name: int = NO_STRING, **values: Any) -> dict[str, Any]:
        """The description of an int8 tensor of one dimension."""
        return {
            "tensor": tensor,
            "type": CONST["PLAN_TYPE_INT8"],
            "rank": 1,
            "dims": [self.tensors[tensor][1], 1, 1, 1, 1],
            "scale": 0.5,
            "zero_point": 0,
            "name": name,
            **values,
        }

    def build(self) -> bytes:
        """Return the plan."""
        sections = {
            "tensors": b"".join(struct.pack("<IIHH", *t) for t in self.tensors),
            "io": b"".join(pack("plan_io_t", io) for io in self.inputs + self.outputs),
            "states": b"".join(pack("plan_state_t", s) for s in self.states),
            "ops": b"".join(self.ops),
            "strings": self.strings,
            "extra": self.extra,
            "data": self.data,
        }
        body, offsets = b"", {}
        for name, content in sections.items():
            start = sizeof("plan_header_t") + len(body)
            gap = -start % (ALIGN if name == "data" else 4)
            offsets[name] = start + gap
            body += bytes(gap) + content
        body += bytes(-(sizeof("plan_header_t") + len(body)) % ALIGN)
        return pack("plan_header_t", self._header(offsets, sections, len(body))) + body

    def _header(
        self, offsets: dict[str, int], sections: dict[str, bytes], body: int
    ) -> dict[str, Any]:
        bits = 0
        for op in self.ops:
            bits |= 1 << op[0]
        return {
            "magic": CONST["PLAN_MAGIC"],
            "version": CONST["PLAN_VERSION"],
            "target": CONST["PLAN_TARGET_PORTABLE"],
            "length": sizeof("plan_header_t") + body,
            "kernels": [bits >> 32 * i & 0xFFFFFFFF for i in range(4)],
            "arena_bytes": max((t[0] + t[1] for t in self.tensors), default=0),
            "arena_align": 16,
            "n_tensors": len(self.tensors),
            "n_ops": len(self.ops),
            "n_inputs": len(self.inputs),
            "n_outputs": len(self.outputs),
            "n_states": len(self.states),
            "n_labels": 2,
            "ops_bytes": len(sections["ops"]),
            "strings_bytes": len(sections["strings"]),
            "extra_bytes": len(sections["extra"]),
            "data_bytes": len(sections["data"]),
            "name": 0,
            "labels": 10,
            **offsets,
            **self.header,
        }


def one_op(
    name: str,
    sizes: Sequence[int],
    arguments: Callable[[PlanBuilder], dict[str, Any]],
    flags: int = 0,
    offsets: Sequence[int] | None = None,
) -> PlanBuilder:
    """A plan of one operator. `sizes` are the bytes of its inputs and, last, of its output."""
    plan = PlanBuilder()
    names = ["x"]
    if record_type(CODES[name]) == "plan_binary_t":
        names = [n for n, flag in (("a", CONST_A), ("b", CONST_B)) if not flags & flag]
    places = offsets or [sum(sizes[:i]) for i in range(len(sizes))]
    for offset, size in zip(places[:-1], sizes[:-1], strict=True):
        plan.inputs.append(plan.io(plan.tensor(offset, size, 0, 1), name=6))
    y = plan.tensor(places[-1], sizes[-1], 1, 2)
    plan.outputs.append(plan.io(y, name=8))
    tensors = {n: i for i, n in enumerate(names)} | {"y": y}
    plan.ops.append(record(name, flags, **tensors, **arguments(plan)))
    return plan


RANGE = {"act_min": -128, "act_max": 127}
RANGE_16 = {"act_min": -(1 << 15), "act_max": (1 << 15) - 1}
POINTS = {"x_zero_point": -3, "y_zero_point": 5}


def _weights(plan: PlanBuilder, s4: bool, rows: int, n: int, channels: int) -> dict[str, int]:
    codes = np.random.default_rng(1)
    size = rows * (-(-n // 2) if s4 else n)
    weights = plan.put(codes.integers(0, 256, size, np.uint8).tobytes())
    block = channel_block(
        list(range(channels)), [(1 << 30) + c for c in range(channels)], [-4] * channels
    )
    return {"weights": weights, "channels": plan.put(block)}


CONV = {
    "batches": 2,
    "groups": 2,
    "in_h": 5,
    "in_w": 4,
    "in_c": 6,
    "out_h": 3,
    "out_w": 4,
    "out_c": 4,
    "kernel_h": 3,
    "kernel_w": 3,
    "stride_h": 2,
    "stride_w": 1,
    "dilation_h": 1,
    "dilation_w": 2,
    "pad_top": 1,
    "pad_left": 2,
    **POINTS,
    **RANGE,
}
POOL = {
    "batches": 1,
    "channels": 3,
    "in_h": 5,
    "in_w": 4,
    "out_h": 3,
    "out_w": 2,
    "kernel_h": 3,
    "kernel_w": 2,
    "stride_h": 2,
    "stride_w": 2,
    "pad_top": 1,
    "pad_left": 0,
    **RANGE,
}


def conv_2d(s4: bool) -> PlanBuilder:
    """Grouped, strided, dilated."""
    name = "CONV_2D_S4" if s4 else "CONV_2D_S8"
    return one_op(name, [240, 96], lambda p: CONV | _weights(p, s4, 4, 27, 4))


def depthwise_conv_2d(s4: bool) -> PlanBuilder:
    """Two outputs a channel, strided, dilated."""
    values = {k: v for k, v in CONV.items() if k != "groups"} | {"multiplier": 2, "out_c": 12}
    name = "DEPTHWISE_CONV_2D_S4" if s4 else "DEPTHWISE_CONV_2D_S8"
    return one_op(name, [240, 288], lambda p: values | _weights(p, s4, 9, 12, 12))


def _weights_16(plan: PlanBuilder, size: int, channels: int, *, narrow: bool) -> dict[str, int]:
    codes = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    weights = plan.put(codes.tobytes())
    biases, shifts = [(c << 33 * (not narrow)) - 7 for c in range(channels)], [-6] * channels
    if narrow:
        block = channel_block(biases, [(1 << 30) + c for c in range(channels)], shifts)
    else:
        block = channel_block_64(biases, [(1 << 14) + c for c in range(channels)], shifts)
    return {"weights": weights, "channels": plan.put(block), **RANGE_16}


def conv_2d_16(*, narrow: bool) -> PlanBuilder:
    """As conv_2d, of int16 activations."""
    values = {k: v for k, v in CONV.items() if k not in POINTS}
    return one_op(
        "CONV_2D_S16",
        [480, 192],
        lambda p: values | _weights_16(p, 4 * 27, 4, narrow=narrow),
        ACC_32 * narrow,
    )


def depthwise_conv_2d_16() -> PlanBuilder:
    """As depthwise_conv_2d, of int16 activations."""
    values = {k: v for k, v in CONV.items() if k not in {"groups", *POINTS}}
    values |= {"multiplier": 2, "out_c": 12}
    return one_op(
        "DEPTHWISE_CONV_2D_S16",
        [480, 576],
        lambda p: values | _weights_16(p, 9 * 12, 12, narrow=False),
    )


def fully_connected_16(*, narrow: bool) -> PlanBuilder:
    """As fully_connected, of int16 activations."""
    values = {"batches": 2, "in_n": 7, "out_n": 3}
    return one_op(
        "FULLY_CONNECTED_S16",
        [28, 12],
        lambda p: values | _weights_16(p, 21, 3, narrow=narrow),
        ACC_32 * narrow,
    )


def fully_connected(s4: bool) -> PlanBuilder:
    """Two rows of seven to three."""
    values = {"batches": 2, "in_n": 7, "out_n": 3, "w_zero_point": 1, **POINTS, **RANGE}
    name = "FULLY_CONNECTED_S4" if s4 else "FULLY_CONNECTED_S8"
    return one_op(name, [14, 6], lambda p: values | _weights(p, s4, 3, 7, 3))


def fully_connected_per_tensor() -> PlanBuilder:
    """As fully_connected, with one multiplier for all outputs."""
    values = {"batches": 2, "in_n": 7, "out_n": 3, "w_zero_point": 1, **POINTS, **RANGE}

    def arguments(plan: PlanBuilder) -> dict[str, Any]:
        weights = plan.put(bytes(range(21)))
        return values | {
            "weights": weights,
            "channels": plan.put(channel_block([1, 2, 3], [1 << 30], [-3])),
        }

    return one_op("FULLY_CONNECTED_S8", [14, 6], arguments, PER_TENSOR)


def pool(name: str) -> PlanBuilder:
    """A pool that touches the border."""
    return one_op(name, [60, 18], lambda _: POOL)


BINARY: dict[str, Any] = {
    "left_shift": 20,
    "dims": [1, 1, 3, 4],
    "a_strides": [12, 12, 4, 1],
    "b_strides": [0, 0, 0, 1],
    "a_zero_point": 1,
    "b_zero_point": -2,
    "y_zero_point": 3,
    "a_rescale": HALF,
    "b_rescale": HALF,
    "y_rescale": {"multiplier": 1 << 30, "shift": -18},
    **RANGE,
}


TYPE = {name: CONST[f"PLAN_TYPE_{name}"] for name in ("INT8", "INT16", "INT32", "UINT8")}


def add() -> PlanBuilder:
    """A row added to each row."""
    return one_op("ADD_S8", [12, 4, 12], lambda _: BINARY)


def constant_operand(name: str, flag: int) -> PlanBuilder:
    """An operator of two operands, one of which lies in the data section."""
    width = 2 if name.endswith("S16") else 1
    size, other = (12, 4) if flag == CONST_A else (4, 12)

    def arguments(plan: PlanBuilder) -> dict[str, Any]:
        plan.put(bytes(4))
        return BINARY | {
            "constant": plan.put(bytes(range(200, 200 + size * width))),
            **SHIFT[width],
        }

    return one_op(name, [other * width, 12 * width], arguments, flag)


SHIFT = {1: {"left_shift": 20}, 2: {"left_shift": 15}}


def binary_s16(name: str) -> PlanBuilder:
    """A row and each row, of int16."""
    wide = {"a_zero_point": -30000, "act_min": -32768, "act_max": 32767}
    return one_op(f"{name}_S16", [24, 8, 24], lambda _: BINARY | SHIFT[2] | wide)


TRANSPOSE_CONV = {
    "batches": 2,
    "in_h": 3,
    "in_w": 2,
    "in_c": 5,
    "out_h": 5,
    "out_w": 6,
    "out_c": 3,
    "kernel_h": 3,
    "kernel_w": 2,
    "stride_h": 2,
    "stride_w": 3,
    "pad_top": 1,
    "pad_left": 0,
    **POINTS,
    **RANGE,
}


def transpose_conv() -> PlanBuilder:
    """Rows overlap, columns leave gaps."""
    return one_op(
        "TRANSPOSE_CONV_S8",
        [60, 180],
        lambda p: TRANSPOSE_CONV | _weights(p, False, 3, 30, 3),
    )


def transpose_conv_16() -> PlanBuilder:
    """As transpose_conv, of int16 activations."""
    values = {k: v for k, v in TRANSPOSE_CONV.items() if k not in POINTS}
    return one_op(
        "TRANSPOSE_CONV_S16",
        [120, 360],
        lambda p: values | _weights_16(p, 90, 3, narrow=False),
    )


def concatenation() -> PlanBuilder:
    """Two rows, each of a tensor, a constant and a tensor."""
    plan = PlanBuilder()
    a, b, y = plan.tensor(0, 6, 0, 1), plan.tensor(6, 8, 0, 1), plan.tensor(14, 18, 1, 2)
    plan.inputs += [plan.io(a), plan.io(b)]
    plan.outputs.append(plan.io(y))
    plan.put(bytes(4))
    values: dict[str, Any] = {"n": 3, "constants": 2, "outer": 2, "inner": [3, 2, 4]}
    constant = plan.put(bytes([1, 2, 3, 4]))
    plan.ops.append(record("CONCATENATION", x=[a, b], y=y, constant=constant, **values))
    return plan


def resize() -> PlanBuilder:
    """Two rows and three columns of pixels of two bytes become three and two."""
    values = {"batches": 2, "pixel": 2, "in_h": 2, "in_w": 3, "out_h": 3, "out_w": 2}
    table = struct.pack("<5H", 0, 1, 1, 2, 0)
    return one_op(
        "RESIZE_NEAREST_NEIGHBOR", [24, 24], lambda p: values | {"constant": p.put(table)}
    )


def chain() -> PlanBuilder:
    """A fully connected layer, RELU in place, a trailing pool, COPY in place, SOFTMAX in place."""
    plan = PlanBuilder()
    weights = plan.put(bytes(range(48)))
    channels = plan.put(channel_block([0] * 8, [1 << 30] * 8, [-6] * 8))
    places = [(24, 6, 0, 1), (2, 8, 1, 2), (2, 8, 2, 3), (0, 4, 3, 4), (0, 4, 4, 5), (0, 4, 5, 6)]
    x, a, b, c, d, y = (plan.tensor(*place) for place in places)
    plan.inputs.append(plan.io(x))
    plan.outputs.append(plan.io(y, scale=1 / 256, zero_point=-128))
    layer = {"batches": 1, "in_n": 6, "out_n": 8, "w_zero_point": 0, **POINTS, **RANGE}
    window = {
        "batches": 1,
        "channels": 2,
        "in_h": 2,
        "in_w": 2,
        "out_h": 2,
        "out_w": 1,
        "kernel_h": 1,
        "kernel_w": 2,
        "stride_h": 1,
        "stride_w": 1,
        "pad_top": 0,
        "pad_left": 0,
        **RANGE,
    }
    relu = {"count": 8, **POINTS, "act_min": 0, "act_max": 90, "rescale": HALF}
    softmax = {"rows": 1, "depth": 4, "rescale": {"multiplier": 1 << 30, "shift": 22}}
    plan.ops = [
        record("FULLY_CONNECTED_S8", x=x, y=a, weights=weights, channels=channels, **layer),
        record("RELU_S8", OVERLAP, x=a, y=b, **relu),
        record("MAX_POOL_2D_S8", OVERLAP, x=b, y=c, **window),
        record("COPY", OVERLAP, x=c, y=d, bytes=4),
        record("SOFTMAX_S8", OVERLAP, x=d, y=y, diff_min=-200, **softmax),
    ]
    return plan


def state(initial: bytes | int) -> PlanBuilder:
    """The input added to a state that begins with these bytes, or with this byte in each place."""
    plan = PlanBuilder()
    x, s, y = plan.tensor(0, 4, 0, 1), plan.tensor(4, 4, 0, 2), plan.tensor(8, 4, 1, 2)
    plan.inputs.append(plan.io(x))
    plan.outputs.append(plan.io(y))
    if isinstance(initial, bytes):
        plan.states.append({"tensor": s, "data": plan.put(initial)})
    else:
        plan.states.append({"tensor": s, "fill": initial, "data": NO_DATA})
    dense: dict[str, Any] = {
        "dims": [1, 1, 1, 4],
        "a_strides": [0, 0, 0, 1],
        "b_strides": [0, 0, 0, 1],
    }
    plan.ops.append(record("MAXIMUM_S8", a=x, b=s, y=y, **(BINARY | dense)))
    return plan


def assign() -> PlanBuilder:
    """Eight of eleven input bytes become a state, which is the output."""
    plan = PlanBuilder()
    x, s = plan.tensor(0, 11, 0, 1), plan.tensor(11, 8, 0, 2)
    plan.inputs.append(plan.io(x))
    plan.outputs.append(plan.io(s))
    plan.states.append({"tensor": s, "fill": 5, "data": NO_DATA})
    plan.ops.append(record("ASSIGN", x=x, state=s, x_bytes=11, start=3, bytes=8))
    return plan


def svdf(size: int) -> PlanBuilder:
    """Two batches of two units of two filters, whose memories have elements of `size` bytes."""
    plan = PlanBuilder()
    x, s = plan.tensor(0, 6, 0, 1), plan.tensor(8, 2 * 4 * 3 * size, 0, 2)
    y = plan.tensor(8 + 2 * 4 * 3 * size, 4, 1, 2)
    plan.inputs.append(plan.io(x))
    plan.outputs.append(plan.io(y))
    plan.states.append({"tensor": s, "fill": 0, "data": NO_DATA})
    shape = {"batches": 2, "in_n": 3, "units": 2, "rank": 2, "memory": 3, "state_size": size}
    points: dict[str, Any] = {**POINTS, "state_zero_point": -7, "state_rescale": HALF}
    places = {
        "weights": plan.put(bytes(range(100, 112))),
        "constant": plan.put(bytes(range(120, 120 + 12 * size))),
        "channels": plan.put(channel_block([7, -9], [1 << 30, 1 << 30], [-4, -9])),
    }
    plan.ops.append(record("SVDF_S8", x=x, y=y, state=s, **shape, **points, **places))
    return plan


LSTM = {
    "batches": 2,
    "steps": 3,
    "in_n": 3,
    "out_n": 2,
    "cell_min": -30000,
    "cell_max": 32767,
    "tanh_multiplier": 3,
    "tanh_shift": 1,
    "forget_rescale": {"multiplier": 1 << 30, "shift": -14},
    "input_rescale": {"multiplier": 1 << 30, "shift": -14},
    "output_rescale": {"multiplier": 1 << 30, "shift": -20},
}


def lstm(wide: bool, time_major: int = 0) -> PlanBuilder:
    """Two batches of three steps, two units; states behind input and output."""
    size = 2 if wide else 1
    plan = PlanBuilder()
    x, y = plan.tensor(0, 18 * size, 0, 1), plan.tensor(18 * size, 12 * size, 1, 2)
    hidden, cell = plan.tensor(30 * size, 4 * size, 0, 2), plan.tensor(34 * size, 8, 0, 2)
    plan.inputs.append(plan.io(x))
    plan.outputs.append(plan.io(y))
    plan.states = [{"tensor": hidden, "data": NO_DATA}, {"tensor": cell, "data": NO_DATA}]
    rng = np.random.default_rng(3)
    gate = {"multiplier": 1 << 14 if wide else 1 << 30, "shift": -4 if wide else 2}
    points = {} if wide else POINTS
    data = {
        "weights": plan.put(rng.integers(0, 256, 2 * 4 * 5, np.uint8).tobytes()),
        "channels": plan.put(rng.integers(-500, 500, 8, np.int64 if wide else np.int32).tobytes()),
        "constant": plan.put(rng.integers(0, 65536, 256).astype(np.uint16).tobytes()),
    }
    values: dict[str, Any] = {**LSTM, **points, **data, "time_major": time_major}
    values |= {"x_rescale": [gate] * 4, "y_rescale": [gate] * 4}
    name = "LSTM_S16" if wide else "LSTM_S8"
    plan.ops.append(record(name, x=x, y=y, hidden=hidden, cell=cell, **values))
    return plan


def with_table(name: str, count: int, values: dict[str, Any]) -> PlanBuilder:
    """An operator of nine int16, with a table of `count` random 16-bit numbers."""
    table = np.random.default_rng(4).integers(0, 65536, count).astype(np.uint16).tobytes()
    return one_op(name, [18, 18], lambda p: values | {"constant": p.put(table)})


MEAN = {"outer": 2, "reduced": 5, "inner": 3, **POINTS}
PAD = {"dims": [1, 2, 1, 2, 3], "before": [0, 1, 0, 1, 2], "after": [1, 0, 0, 2, 1], "value": -7}
SOFTMAX = {"rows": 2, "depth": 5, "diff_min": -248}
STRIDED_COPY = {
    "count": 30,
    "start": 3,
    "dims": [1, 2, 2, 1, 3],
    "strides": [0, 15, -3, 0, 2],
}
LEAKY_RELU = {
    "count": 6,
    "x_zero_point": 300,
    "y_zero_point": -5,
    "act_min": -32000,
    "act_max": 32000,
    "above": HALF,
    "below": {"multiplier": 1 << 30, "shift": -3},
    "sign_before": 1,
    "sign_after": -1,
}
QUANTIZE = {"count": 5, "scale": 0.1, "y_zero_point": -3, "y_type": TYPE["INT8"]}
DEQUANTIZE = {"count": 8, "scale": 0.1, "x_zero_point": -3, "x_type": TYPE["INT8"]}
REQUANTIZE = {
    "count": 4,
    "x_type": TYPE["INT16"],
    "y_type": TYPE["INT32"],
    "x_zero_point": 7,
    "y_zero_point": -100_000,
    "rescale": {"multiplier": 1 << 30, "shift": 9},
}
RELU = {"count": 9, **POINTS, **RANGE, "rescale": {"multiplier": 1 << 30, "shift": 1}}

SPECIMENS: dict[str, Callable[[], PlanBuilder]] = {
    "conv s8": lambda: conv_2d(False),
    "conv s4": lambda: conv_2d(True),
    "depthwise s8": lambda: depthwise_conv_2d(False),
    "depthwise s4": lambda: depthwise_conv_2d(True),
    "fully connected s8": lambda: fully_connected(False),
    "fully connected s4": lambda: fully_connected(True),
    "fully connected per tensor": fully_connected_per_tensor,
    "conv s16": lambda: conv_2d_16(narrow=False),
    "conv s16 narrow": lambda: conv_2d_16(narrow=True),
    "depthwise s16": depthwise_conv_2d_16,
    "fully connected s16": lambda: fully_connected_16(narrow=False),
    "fully connected s16 narrow": lambda: fully_connected_16(narrow=True),
    "average pool s16": lambda: one_op("AVERAGE_POOL_2D_S16", [120, 36], lambda _: POOL | RANGE_16),
    "max pool s16": lambda: one_op("MAX_POOL_2D_S16", [120, 36], lambda _: POOL | RANGE_16),
    "mean s16": lambda: one_op(
        "MEAN_S16",
        [60, 12],
        lambda _: {
            **{"outer": 2, "reduced": 5, "inner": 3},
            "rescale": {"multiplier": 858993459, "shift": -2},
        },
    ),
    "average pool": lambda: pool("AVERAGE_POOL_2D_S8"),
    "max pool": lambda: pool("MAX_POOL_2D_S8"),
    "mean": lambda: one_op(
        "MEAN_S8", [30, 6], lambda _: MEAN | {"rescale": {"multiplier": 858993459, "shift": -2}}
    ),
    "add": add,
    "sub": lambda: one_op("SUB_S8", [12, 4, 12], lambda _: BINARY),
    "mul": lambda: one_op("MUL_S8", [12, 4, 12], lambda _: BINARY),
    "maximum": lambda: one_op("MAXIMUM_S8", [12, 4, 12], lambda _: BINARY),
    "minimum": lambda: one_op("MINIMUM_S8", [12, 4, 12], lambda _: BINARY),
    "constant a": lambda: constant_operand("SUB_S8", CONST_A),
    "constant b": lambda: constant_operand("ADD_S8", CONST_B),
    "add s16": lambda: binary_s16("ADD"),
    "sub s16": lambda: binary_s16("SUB"),
    "mul s16": lambda: binary_s16("MUL"),
    "maximum s16": lambda: binary_s16("MAXIMUM"),
    "minimum s16": lambda: binary_s16("MINIMUM"),
    "constant b s16": lambda: constant_operand("ADD_S16", CONST_B),
    "leaky relu": lambda: one_op("LEAKY_RELU_S16", [12, 12], lambda _: LEAKY_RELU),
    "quantize": lambda: one_op("QUANTIZE_F32", [20, 5], lambda _: QUANTIZE),
    "dequantize": lambda: one_op("DEQUANTIZE", [8, 32], lambda _: DEQUANTIZE),
    "requantize": lambda: one_op("REQUANTIZE", [8, 16], lambda _: REQUANTIZE),
    "pad": lambda: one_op("PAD_S8", [12, 2 * 3 * 1 * 5 * 6], lambda _: PAD),
    "softmax": lambda: one_op(
        "SOFTMAX_S8",
        [10, 10],
        lambda _: SOFTMAX | {"rescale": {"multiplier": 1 << 30, "shift": 20}},
    ),
    "softmax to int16": lambda: one_op(
        "SOFTMAX_S8_S16",
        [10, 20],
        lambda _: SOFTMAX | {"rescale": {"multiplier": 1 << 30, "shift": 20}},
    ),
    "softmax s16": lambda: with_table(
        "SOFTMAX_S16", 2 * 513, {"rows": 3, "depth": 3, "rescale": HALF}
    ),
    "logistic s16": lambda: with_table(
        "LOGISTIC_S16", 256, {"count": 9, "multiplier": 24576, "shift": 14}
    ),
    "tanh s16": lambda: with_table("TANH_S16", 256, {"count": 9, "multiplier": 6, "shift": 0}),
    "lstm s8": lambda: lstm(wide=False),
    "lstm s16": lambda: lstm(wide=True),
    "lstm time major": lambda: lstm(wide=False, time_major=1),
    "relu": lambda: one_op("RELU_S8", [9, 9], lambda _: RELU),
    "lut": lambda: one_op(
        "LUT_S8", [9, 9], lambda p: {"count": 9, "constant": p.put(bytes(range(255, -1, -1)))}
    ),
    "strided copy": lambda: one_op("STRIDED_COPY_S8", [30, 12], lambda _: STRIDED_COPY),
    "prelu": lambda: one_op("PRELU_S8", [12, 4, 12], lambda _: BINARY),
    "transpose conv": transpose_conv,
    "transpose conv s16": transpose_conv_16,
    "concatenation": concatenation,
    "resize nearest neighbor": resize,
    "copy": lambda: one_op("COPY", [8, 8], lambda _: {"bytes": 8}),
    "chain": chain,
    "assign": assign,
    "svdf s8": lambda: svdf(1),
    "svdf wide": lambda: svdf(2),
    "state from data": lambda: state(bytes([1, 2, 255, 4])),
    "state filled": lambda: state(7),
}
"""A sound plan for each operator, by name."""


@dataclass(frozen=True)
class Field:
    """A number somewhere in a plan."""

    label: str
    offset: int
    size: int

    def get(self, plan: bytes) -> int:
        """Its value, unsigned."""
        return int.from_bytes(plan[self.offset : self.offset + self.size], "little")

    def set(self, plan: bytes, value: int) -> bytes:
        """The plan with another value there, cut to the field's size."""
        data = (value % (1 << 8 * self.size)).to_bytes(self.size, "little")
        return plan[: self.offset] + data + plan[self.offset + self.size :]


def _leaves(kind: Any, offset: int, label: str) -> Iterator[Field]:
    if kind.kind == "struct":
        for name, member in kind.fields:
            yield from _leaves(member.type, offset + member.offset, f"{label}.{name}")
    elif kind.kind == "array":
        size = ffi.sizeof(kind.item)
        for i in range(kind.length):
            yield from _leaves(kind.item, offset + i * size, f"{label}[{i}]")
    else:
        yield Field(label, offset, ffi.sizeof(kind))


def fields_of(plan: bytes) -> list[Field]:
    """Every number in the header, the tables and the records of a sound plan."""
    header = ffi.from_buffer("plan_header_t *", plan)
    found = list(_leaves(ffi.typeof("plan_header_t"), 0, "header"))
    for i in range(header.n_tensors):
        at = header.tensors + i * sizeof("plan_tensor_t")
        found += _leaves(ffi.typeof("plan_tensor_t"), at, f"tensor {i}")
    for i in range(header.n_inputs + header.n_outputs):
        at = header.io + i * sizeof("plan_io_t")
        found += _leaves(ffi.typeof("plan_io_t"), at, f"io {i}")
    for i in range(header.n_states):
        at = header.states + i * sizeof("plan_state_t")
        found += _leaves(ffi.typeof("plan_state_t"), at, f"state {i}")
    at = header.ops
    for i in range(header.n_ops):
        kind = record_type(plan[at])
        found += _leaves(ffi.typeof(kind), at, f"op {i}")
        at += sizeof(kind)
    return found


def field_named(plan: bytes, label: str) -> Field:
    """The field of that label, such as "op 0.rescale.shift"."""
    return next(f for f in fields_of(plan) if f.label == label)


def changed(plan: bytes, label: str, value: int) -> bytes:
    """The plan with one number changed."""
    return field_named(plan, label).set(plan, value)


assert fields("plan_header_t"), "plan.h is read"
