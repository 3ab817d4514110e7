# SPDX-License-Identifier: Apache-2.0
"""What convolutions and fully connected layers have in common. Registers no operator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from torpor.compile.fixed_point import Rescale, activation_range, quantize_multiplier, window
from torpor.compile.lowering import Site
from torpor.compile.weights import MULTIPLIER_MAX_SHIFT, channel_block
from torpor.graph.model import Tensor
from torpor.plan.layout import CONST

_MAX_SPAN = 1 << 18
"""How far a window may reach, as firmware/infer/ops/window.c has it."""


def bias_of(site: Site, channels: int) -> npt.NDArray[np.int32]:
    """Return the bias of input 2, int32 [channels], zeros where the layer has none."""
    if not site.has_input(2):
        return np.zeros(channels, np.int32)
    bias = site.constant(2, "int32")
    site.need(bias.elements == channels, f"the bias has not {channels} elements", bias)
    return bias.values().reshape(-1).astype(np.int32)


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
        if max(y.shape[axis] * stride, taps * dilation) > _MAX_SPAN:
            site.unsupported(f"the window moves over more than {_MAX_SPAN} elements", x)
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


def clamps(site: Site, y: Tensor) -> dict[str, int]:
    """Return act_min and act_max: of the fused activation, or what a pass has made of it."""
    low, high = activation_range(site.fused_activation(), y)
    low, high = site.op.options.get("clamp", (low, high))
    site.need(low <= high, "the activation lets no value through", y)
    return {"act_min": low, "act_max": high}
