# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED. Formulas: micro/kernels/fully_connected_common.cc, kernels/kernel_util.cc."""

from torpor.compile.fixed_point import Rescale
from torpor.compile.layers import channels_of, checked_rescale, clamps, layer_dtypes, pack_layer
from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Tensor


@operator(
    "FULLY_CONNECTED",
    supports="int8 input and output, int32 bias, int8 weights (per channel or per tensor) or "
    "int4 weights per tensor; int16 input and output, int8 weights, int64 or int32 bias",
)
def lower(site: Site) -> Record:
    """Weights [out_n, in_n]; all dimensions of y but the last are batches."""
    x, weights, y = layer_dtypes(site)
    if site.option("weights_format") != 0:
        site.unsupported("shuffled weights are not supported", weights)
    site.need(len(weights.shape) == 2 and weights.elements > 0, "must have 2 dimensions", weights)
    out_n, in_n = weights.shape
    site.need(bool(y.shape) and y.shape[-1] == out_n, "its last dimension is not the layer's", y)
    batches = y.elements // out_n
    site.need(x.elements == batches * in_n, f"has not {batches} x {in_n} elements", x)
    channels, flags = channels_of(site, x, out_n, _rescales(site, x, weights, y))
    kind, packed = pack_layer(x, weights, weights.values())
    return Record(
        code=f"FULLY_CONNECTED_{kind}",
        fields={
            **clamps(site, y),
            "batches": batches,
            "in_n": in_n,
            "out_n": out_n,
            "x_zero_point": x.zero_point,
            "y_zero_point": y.zero_point,
            "w_zero_point": weights.zero_point,
        },
        tensors={"x": x.index, "y": y.index},
        data={"weights": packed, "channels": channels},
        flags=flags,
    )


def _rescales(site: Site, x: Tensor, weights: Tensor, y: Tensor) -> tuple[Rescale, ...]:
    """Return the rescale of each output, or one for all, from products of scales in double.

    The TFLM sources of August 2026 round the per-tensor product to float; the PyPI interpreter,
    our golden one, does not: test_the_product_of_dense_scales_is_double_as_in_tflm.
    """
    site.need(len(weights.scales) in (1, weights.shape[0]), "needs one scale, or one an output")
    if len(weights.scales) == 1:
        site.need(-128 <= weights.zero_point <= 127, "zero point outside int8", weights)
        if x.dtype == "int16" and weights.zero_point:
            site.unsupported("weights with a zero point beside int16 activations", weights)
    elif weights.dtype == "int4":
        site.unsupported(
            "int4 weights per channel, which TensorFlow Lite Micro refuses too: quantize this "
            "layer per tensor, or make it a 1x1 CONV_2D",
            weights,
        )
    elif any(weights.zero_points):
        site.unsupported("per-channel weights with a zero point other than 0", weights)
    else:
        site.need(weights.quantized_dimension == 0, "must be quantized along axis 0", weights)
    return tuple(checked_rescale(site, x.scale * s / y.scale) for s in weights.scales)
