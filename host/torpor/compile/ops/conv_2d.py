# SPDX-License-Identifier: Apache-2.0
"""CONV_2D. Formulas: micro/kernels/conv_common.cc, kernels/kernel_util.cc."""

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
    "CONV_2D",
    supports=LAYER_SUPPORTS,
)
def lower(site: Site) -> Record:
    """Weights [out_c, kernel_h, kernel_w, in_c / groups], quantized along axis 0."""
    x, weights, y = layer_dtypes(site)
    site.need(len(weights.shape) == 4 and weights.elements > 0, "must have 4 dimensions", weights)
    out_c, kernel_h, kernel_w, depth = weights.shape
    members = windows(site, x, y, (kernel_h, kernel_w))
    site.need(y.shape[3] == out_c, "output channels differ from the weights'", y)
    in_c = x.shape[3]
    site.need(in_c % depth == 0, "input channels are no multiple of the weights' depth", weights)
    groups = in_c // depth
    site.need(out_c % groups == 0, "output channels are no multiple of the groups", weights)
    channels, flags = channels_of(site, x, out_c, conv_rescales(site, x, weights, y, 0))
    kind, packed = pack_layer(x, weights, weights.values().reshape(out_c, -1))
    return Record(
        code=f"CONV_2D_{kind}",
        fields={
            **members,
            **clamps(site, y),
            "groups": groups,
            "in_c": in_c,
            "out_c": out_c,
            "x_zero_point": x.zero_point,
            "y_zero_point": y.zero_point,
        },
        tensors={"x": x.index, "y": y.index},
        data={"weights": packed, "channels": channels},
        flags=flags,
    )
