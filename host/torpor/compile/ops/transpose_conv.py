# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV. Formulas: micro/kernels/transpose_conv.cc, kernels/padding.h."""

from torpor.compile.layers import (
    ACTIVATIONS,
    MAX_SPAN,
    channels_of,
    clamps,
    conv_rescales,
    pack_layer,
    symmetric,
)
from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Tensor


@operator(
    "TRANSPOSE_CONV",
    supports="int8 input and output, int8 weights (per channel or per tensor), int32 bias; "
    "int16 input and output, int8 weights, int64 or int16 bias",
)
def lower(site: Site) -> Record:
    """Weights [out_c, kernel_h, kernel_w, in_c], quantized along axis 0.

    Input 0, the output's shape, is not looked at: the output tensor has its own, as in TFLM.
    """
    x, weights = site.activation(2, *ACTIVATIONS), site.constant(1, "int8")
    y = site.output(x.dtype)
    symmetric(site, x, y)
    members = geometry(site, x, weights, y)
    out_c = weights.shape[0]
    rescales = conv_rescales(site, x, weights, y, 0)
    channels, flags = channels_of(site, x, out_c, rescales, position=3, wide=("int64", "int16"))
    kind, packed = pack_layer(x, weights, weights.values().reshape(out_c, -1))
    return Record(
        code=f"TRANSPOSE_CONV_{kind}",
        fields={
            **members,
            **clamps(site, y),
            "x_zero_point": x.zero_point,
            "y_zero_point": y.zero_point,
        },
        tensors={"x": x.index, "y": y.index},
        data={"weights": packed, "channels": channels},
        flags=flags,
    )


def geometry(site: Site, x: Tensor, weights: Tensor, y: Tensor) -> dict[str, int]:
    """Return the record's members about shapes; any size of y is sound, as in TFLM."""
    for tensor in (x, weights, y):
        site.need(len(tensor.shape) == 4 and tensor.elements > 0, "must have 4 dimensions", tensor)
    out_c, kernel_h, kernel_w, in_c = weights.shape
    site.need(x.shape[3] == in_c, "input channels differ from the weights'", x)
    site.need(y.shape[3] == out_c, "output channels differ from the weights'", y)
    site.need(y.shape[0] == x.shape[0], "input and output differ in batches", y)
    members = {"batches": x.shape[0], "in_c": in_c, "out_c": out_c}
    for axis, letter, kernel in ((1, "h", kernel_h), (2, "w", kernel_w)):
        stride = int(site.option(f"stride_{letter}"))
        site.need(stride > 0, "the stride must be at least 1")
        if max(x.shape[axis] * stride, kernel) > MAX_SPAN:
            site.unsupported(f"the window moves over more than {MAX_SPAN} elements", x)
        members |= {f"in_{letter}": x.shape[axis], f"out_{letter}": y.shape[axis]}
        members |= {f"kernel_{letter}": kernel, f"stride_{letter}": stride}
        pad = padding_before(site.option("padding"), y.shape[axis], kernel, stride)
        members["pad_top" if letter == "h" else "pad_left"] = pad
    return members


def padding_before(padding: str, out: int, kernel: int, stride: int) -> int:
    """Return how many taps lie before the output's first element.

    Source: ComputePaddingHeightWidth, called with the output's size as if it were the input's;
    the division truncates.
    """
    windows = -(-out // stride) if padding == "SAME" else int((out + stride - kernel) / stride)
    return max(0, (windows - 1) * stride + kernel - out) // 2
