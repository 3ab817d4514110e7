# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE. Source: micro/kernels/transpose_common.cc."""

from torpor.compile.lowering import Record, Site, operator
from torpor.compile.movement import dense_strides, strided_copy

_DTYPES = ("int8", "int16", "float32")


@operator(
    "TRANSPOSE", supports=f"{', '.join(_DTYPES)}, up to 5 dimensions, a constant int32 permutation"
)
def lower(site: Site) -> Record:
    """Walks the input in another order of its dimensions."""
    x = site.activation(0, *_DTYPES)
    order = [int(p) for p in site.constant(1, "int32").values().reshape(-1)]
    site.need(sorted(order) == list(range(len(x.shape))), "no permutation of the dimensions", x)
    if len(order) > 5:
        site.unsupported("TensorFlow Lite Micro refuses more than 5 dimensions", x)
    strides = dense_strides(x.shape)
    return strided_copy(site, x, 0, [x.shape[p] for p in order], [strides[p] for p in order])
