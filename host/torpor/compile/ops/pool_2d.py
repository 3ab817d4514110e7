# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D and MAX_POOL_2D. Formulas: micro/kernels/pooling_common.cc."""

from torpor.compile.layers import ACTIVATIONS, clamps, symmetric, windows
from torpor.compile.lowering import Record, Site, operator

_MAX_TAPS = {"int8": 1 << 23, "int16": 1 << 15}  # as firmware/infer/ops/pool_2d.c has it


@operator(
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
    supports="int8 or int16 input and output of the same scale and zero point",
)
def lower(site: Site) -> Record:
    """x and y [batches, h, w, channels]."""
    x = site.activation(0, *ACTIVATIONS)
    y = site.output(x.dtype)
    symmetric(site, x, y)
    kernel = int(site.option("filter_h")), int(site.option("filter_w"))
    members = windows(site, x, y, kernel)
    if kernel[0] * kernel[1] > _MAX_TAPS[x.dtype]:
        site.unsupported(f"windows of more than {_MAX_TAPS[x.dtype]} elements", x)
    site.need(x.shape[3] == y.shape[3], "input and output differ in channels", y)
    if abs(x.scale - y.scale) > 1e-6 or x.zero_point != y.zero_point:
        site.unsupported("its quantization differs from the input's", y)
    return Record(
        code=f"{site.op.name}_S{x.dtype[3:]}",
        fields={**members, **clamps(site, y), "channels": x.shape[3]},
        tensors={"x": x.index, "y": y.index},
    )
