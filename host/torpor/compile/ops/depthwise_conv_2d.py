# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D. Formulas: micro/kernels/depthwise_conv_common.cc, kernels/kernel_util.cc."""

from torpor.compile.layers import (
    LAYER_SUPPORTS,
    channels_of,
    clamps,
    conv_rescales,
    layer_dtypes,
    pack_layer,
    windows,
)
from torpor.compile.lowering import Record, Site, operator


@operator(
    "DEPTHWISE_CONV_2D",
    supports=LAYER_SUPPORTS.replace("int64 or int32 bias", "int64 bias"),
)
def lower(site: Site) -> Record:
    """Weights [1, kernel_h, kernel_w, out_c], quantized along axis 3; one s4 row is one tap."""
    x, weights, y = layer_dtypes(site)
    site.need(len(weights.shape) == 4 and weights.elements > 0, "must have 4 dimensions", weights)
    first, kernel_h, kernel_w, out_c = weights.shape
    site.need(first == 1, "the first dimension must be 1", weights)
    members = windows(site, x, y, (kernel_h, kernel_w))
    multiplier = int(site.option("depth_multiplier"))
    site.need(
        y.shape[3] == out_c == x.shape[3] * multiplier,
        f"{x.shape[3]} input channels times {multiplier} are not {out_c} output channels",
        weights,
    )
    channels, flags = channels_of(site, x, out_c, conv_rescales(site, x, weights, y, 3))
    kind, packed = pack_layer(x, weights, weights.values().reshape(-1, out_c))
    return Record(
        code=f"DEPTHWISE_CONV_2D_{kind}",
        fields={
            **members,
            **clamps(site, y),
            "multiplier": multiplier,
            "in_c": x.shape[3],
            "out_c": out_c,
            "x_zero_point": x.zero_point,
            "y_zero_point": y.zero_point,
        },
        tensors={"x": x.index, "y": y.index},
        data={"weights": packed, "channels": channels},
        flags=flags,
    )
