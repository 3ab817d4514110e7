# SPDX-License-Identifier: Apache-2.0
"""What convolutions and fully connected layers have in common. Registers no operator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from torpor.compile.fixed_point import (
    Rescale,
    activation_range,
    float_ratio,
    halved_rescale,
    quantize_multiplier,
    window,
)
from torpor.compile.lowering import Site
from torpor.compile.weights import (
    MULTIPLIER_MAX_SHIFT,
    MULTIPLIER_MAX_SHIFT_64,
    channel_block,
    channel_block_64,
    pack,
)
from torpor.graph.model import Tensor
from torpor.plan.layout import CONST

ACTIVATIONS = ("int8", "int16")
"""Types of the activations of layers, pools and means."""

LAYER_SUPPORTS = (
    "int8 input and output, int8 or int4 weights (per channel or per tensor), int32 bias; "
    "int16 input and output, int8 weights, int64 or int32 bias"
)

MAX_SPAN = 1 << 18
"""How far a window may reach, as firmware/infer/ops/window.c has it."""


def bias_of(site: Site, channels: int, *dtypes: str, position: int = 2) -> npt.NDArray[np.int64]:
    """Return the bias [channels] of input `position`, zeros where the layer has none.

    Args:
        dtypes: of the constant, one of these; int32 if none is given.
    """
    if not site.has_input(position):
        return np.zeros(channels, np.int64)
    bias = site.constant(position, *(dtypes or ("int32",)))
    site.need(bias.elements == channels, f"the bias has not {channels} elements", bias)
    return bias.values().reshape(-1).astype(np.int64)


def checked_rescale(site: Site, real: float) -> Rescale:
    """Return the rescale of `real`, refusing what the kernels cannot shift by."""
    rescale = quantize_multiplier(real)
    if rescale.shift > MULTIPLIER_MAX_SHIFT:
        site.unsupported(f"the scales ask for a factor of {real:g}, more than 2^30")
    return rescale


def conv_rescales(
    site: Site, x: Tensor, weights: Tensor, y: Tensor, axis: int
) -> tuple[Rescale, ...]:
    """Return one rescale, or one per channel along `axis` of the weights.

    Source: PopulateConvolutionQuantizationParams in kernels/kernel_util.cc: the product of the
    scales is taken in double, per tensor too.
    """
    channels = weights.shape[axis]
    per_channel = len(weights.scales) > 1
    site.need(len(weights.scales) in (1, channels), "needs one scale, or one a channel", weights)
    if per_channel:
        site.need(
            weights.quantized_dimension == axis, f"must be quantized along axis {axis}", weights
        )
    if any(weights.zero_points):
        site.unsupported("weights with a zero point other than 0 are not supported", weights)
    return tuple(checked_rescale(site, x.scale * s / y.scale) for s in weights.scales)


def layer_dtypes(site: Site) -> tuple[Tensor, Tensor, Tensor]:
    """Return (x, weights, y) of a layer with its weights at input 1: int8, or int16 by int8."""
    x = site.activation(0, *ACTIVATIONS)
    weights = site.constant(1, "int8") if x.dtype == "int16" else site.constant(1, "int8", "int4")
    y = site.output(x.dtype)
    symmetric(site, x, y)
    return x, weights, y


def symmetric(site: Site, *tensors: Tensor) -> None:
    """Refuse int16 activations with a zero point: kernels of the reference leave it out."""
    for tensor in tensors:
        if tensor.dtype == "int16" and tensor.zero_point:
            site.unsupported("int16 activations need the zero point 0", tensor)


def pack_layer(x: Tensor, weights: Tensor, rows: npt.NDArray[Any]) -> tuple[str, bytes]:
    """Return (ending of the plan's operator, packed weights) of codes [rows, n]."""
    kind, packed = pack(weights.dtype, rows)
    return ("S16" if x.dtype == "int16" else kind), packed


def channels_of(
    site: Site,
    x: Tensor,
    channels: int,
    rescales: Sequence[Rescale],
    *,
    position: int = 2,
    wide: tuple[str, ...] = ("int64",),
) -> tuple[bytes, int]:
    """Return (channel block, flags) of a layer with its bias at input `position`.

    With int16 activations the type of the bias is that of the accumulator; `bias_type`, which not
    every operator has, is in its place where there is none (conv.cc, fully_connected.cc).

    Args:
        wide: types of the bias that go with accumulators of 64 bits.
    """
    if x.dtype == "int8":
        return block(bias_of(site, channels, position=position), rescales)
    narrow = site.op.options.get("bias_type")
    if site.has_input(position) and narrow is not None:
        narrow = site.any_input(position).dtype
    if narrow != "int32":
        return block_64(site, bias_of(site, channels, *wide, position=position), rescales)
    data, flags = block(bias_of(site, channels, position=position), rescales)
    return data, flags | CONST["PLAN_OP_ACC_32"]


def block_64(site: Site, bias: npt.NDArray[Any], rescales: Sequence[Rescale]) -> tuple[bytes, int]:
    """Return (channel block of 64-bit accumulators, flags)."""
    halved = [halved_rescale(r) for r in rescales]
    if max(r.shift for r in halved) > MULTIPLIER_MAX_SHIFT_64:
        site.unsupported("the scales ask for a factor of more than 2^14")
    if len(set(halved)) == 1:
        return channel_block_64(bias, halved[:1]), CONST["PLAN_OP_PER_TENSOR"]
    return channel_block_64(bias, halved), 0


def block(bias: npt.NDArray[Any], rescales: Sequence[Rescale]) -> tuple[bytes, int]:
    """Return (channel block, flags): per tensor where all channels have the same rescale."""
    if len(set(rescales)) == 1:
        return channel_block(bias, rescales[:1]), CONST["PLAN_OP_PER_TENSOR"]
    return channel_block(bias, rescales), 0


def windows(site: Site, x: Tensor, y: Tensor, kernel: tuple[int, int]) -> dict[str, int]:
    """Return the members that describe a sliding window over x [n, h, w, c], y's shape checked."""
    site.need(len(x.shape) == 4, "must have 4 dimensions", x)
    site.need(len(y.shape) == 4, "must have 4 dimensions", y)
    site.need(min(kernel) > 0, "a window without elements")
    members: dict[str, int] = {"batches": x.shape[0]}
    for axis, letter, taps in ((1, "h", kernel[0]), (2, "w", kernel[1])):
        stride = int(site.option(f"stride_{letter}"))
        dilation = int(site.op.options.get(f"dilation_{letter}", 1))
        site.need(stride > 0 and dilation > 0, "stride and dilation must be at least 1")
        if max(y.shape[axis] * stride, taps * dilation) > MAX_SPAN:
            site.unsupported(f"the window moves over more than {MAX_SPAN} elements", x)
        before, after = site.op.options.get(f"extra_padding_{letter}", (0, 0))
        padded = x.shape[axis] + before + after
        out = window(site.option("padding"), padded, taps, stride, dilation)
        if out.size != y.shape[axis]:
            site.broken(f"dimension {axis} should be {out.size}", y)
        members |= {f"in_{letter}": x.shape[axis], f"out_{letter}": out.size}
        members |= {f"kernel_{letter}": taps, f"stride_{letter}": stride}
        if f"dilation_{letter}" in site.op.options:
            members[f"dilation_{letter}"] = dilation
        members["pad_top" if letter == "h" else "pad_left"] = out.before + before
    site.need(y.shape[0] == x.shape[0], "input and output differ in batches", y)
    return members


_BOUNDS = {"RELU6": 6.0, "RELU_N1_TO_1": 1.0}


def clamps(site: Site, y: Tensor) -> dict[str, int]:
    """Return act_min and act_max: of the fused activation, or what a pass has made of it."""
    activation = site.fused_activation()
    if float_ratio(_BOUNDS.get(activation, 0.0), y.scale) >= 1 << 31:
        site.unsupported(f"TensorFlow Lite Micro refuses so small a scale with {activation}", y)
    low, high = activation_range(activation, y)
    low, high = site.op.options.get("clamp", (low, high))
    site.need(low <= high, "the activation lets no value through", y)
    return {"act_min": low, "act_max": high}
