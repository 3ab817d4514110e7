# SPDX-License-Identifier: Apache-2.0
"""CONV_2D. Formulas: micro/kernels/conv_common.cc, kernels/kernel_util.cc."""

from torpor.compile.layers import bias_of, block, clamps, conv_rescales, windows
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.weights import pack


@operator(
    "CONV_2D",
    supports="int8 input and output, int8 or int4 weights (per channel or per tensor), int32 bias",
)
def lower(site: Site) -> Record:
    """Weights [out_c, kernel_h, kernel_w, in_c / groups], quantized along axis 0."""
    x, weights, y = site.activation(0), site.constant(1, "int8", "int4"), site.output()
    site.need(len(weights.shape) == 4 and weights.elements > 0, "must have 4 dimensions", weights)
    out_c, kernel_h, kernel_w, depth = weights.shape
    members = windows(site, x, y, (kernel_h, kernel_w))
    site.need(y.shape[3] == out_c, "output channels differ from the weights'", y)
    in_c = x.shape[3]
    site.need(in_c % depth == 0, "input channels are no multiple of the weights' depth", weights)
    groups = in_c // depth
    site.need(out_c % groups == 0, "output channels are no multiple of the groups", weights)
    channels, flags = block(bias_of(site, out_c), conv_rescales(site, x, weights, y, 0))
    kind, packed = pack(weights.dtype, weights.values().reshape(out_c, -1))
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
