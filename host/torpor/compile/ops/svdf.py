# SPDX-License-Identifier: Apache-2.0
"""SVDF. Source: micro/kernels/svdf_common.cc."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from torpor.compile.layers import block, checked_rescale
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.weights import pack_s8
from torpor.graph.model import Tensor

_ELEMENT_BYTES = {"int8": 1, "int16": 2}


class _Operands(NamedTuple):
    """x [batches, in_n], features [filters, in_n], time [filters, memory], y [batches, units]."""

    x: Tensor
    features: Tensor
    time: Tensor
    state: Tensor
    y: Tensor


@operator(
    "SVDF",
    supports="int8 input and output, int8 feature weights, time weights and state both int8 or "
    "both int16, int32 bias, all quantized per tensor",
)
def lower(site: Site) -> Record:
    """The fused activation and the weights' zero points do not count: TFLM looks at neither."""
    operands = x, features, time, state, y = _operands(site)
    rank = _checked_rank(site, operands)
    (batches, in_n), (filters, memory) = x.shape, time.shape
    rescale = checked_rescale(site, state.scale * time.scale / y.scale)
    channels, flags = block(_bias(site, filters // rank, operands), [rescale])
    return Record(
        code="SVDF_S8",
        fields={
            "batches": batches,
            "in_n": in_n,
            "units": filters // rank,
            "rank": rank,
            "memory": memory,
            "x_zero_point": x.zero_point,
            "y_zero_point": y.zero_point,
            "state_zero_point": state.zero_point,
            "state_size": _ELEMENT_BYTES[state.dtype],
            "state_rescale": checked_rescale(
                site, x.scale * features.scale / state.scale
            )._asdict(),
        },
        tensors={"x": x.index, "y": y.index},
        states={"state": state.index},
        data={
            "weights": pack_s8(features.values()),
            "constant": time.values().tobytes(),
            "channels": channels,
        },
        flags=flags,
    )


def _operands(site: Site) -> _Operands:
    """Return the operands, each with two dimensions and one scale.

    Products and ratios of scales are taken in double, as by the PyPI interpreter and unlike the
    TFLM sources of August 2026: test_the_products_of_svdf_scales_are_double_as_in_tflm.
    """
    site.need(len(site.op.inputs) == 5, "must have 5 inputs")
    time = site.constant(2, "int8", "int16")
    found = _Operands(
        site.activation(0), site.constant(1, "int8"), time, site.state(4, time.dtype), site.output()
    )
    for tensor in found:
        site.need(len(tensor.shape) == 2 and tensor.elements > 0, "must have 2 dimensions", tensor)
        if len(tensor.scales) > 1:
            site.unsupported("must be quantized per tensor", tensor)
        site.need(tensor.scale > 0, "needs a scale above 0", tensor)
    return found


def _checked_rank(site: Site, operands: _Operands) -> int:
    """Return the rank, all shapes checked."""
    x, features, time, state, y = operands
    (batches, in_n), (filters, memory) = x.shape, time.shape
    rank = int(site.option("rank"))
    site.need(rank > 0 and filters % rank == 0, f"{filters} filters are not of rank {rank}", time)
    site.need(features.shape == (filters, in_n), f"should be [{filters}, {in_n}]", features)
    kept = (batches, filters * memory)
    site.need(state.shape == kept, f"should be {list(kept)}", state)
    site.need(y.shape == (batches, filters // rank), f"should have {filters // rank} units", y)
    return rank


def _bias(site: Site, units: int, operands: _Operands) -> npt.NDArray[np.int32]:
    """Return the bias, int32 [units]; TFLM refuses a scale other than that of the products."""
    bias = site.constant(3, "int32")
    fits = bias.elements == units and bias.shape[0] == units
    site.need(fits, f"the bias has not {units} elements", bias)
    expected = float(np.float32(operands.state.scale) * np.float32(operands.time.scale))
    scale = bias.scales[0] if bias.scales else 0.0
    site.need(abs(scale - expected) < 1e-5, f"its scale should be {expected:g}", bias)
    return bias.values().reshape(-1).astype(np.int32)
