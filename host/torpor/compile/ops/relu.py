# SPDX-License-Identifier: Apache-2.0
"""RELU, RELU6. Formulas: micro/kernels/activations_common.cc, activations.h, micro_utils.h."""

from typing import Any

from torpor.compile.fixed_point import INT8_MAX, INT8_MIN, float_ratio, round_half_away
from torpor.compile.layers import checked_rescale
from torpor.compile.lowering import Record, Site, operator
from torpor.graph.model import Tensor

_CLAMP_ONLY = {"multiplier": 0, "shift": 0}


@operator("RELU", "RELU6", supports="int8 input and output")
def lower(site: Site) -> Record:
    """RELU rescales; RELU6 only clamps the input's codes."""
    x, y = site.activation(0), site.output()
    site.need(x.elements == y.elements, "input and output differ in size", y)
    members = relu6_members(x) if site.op.name == "RELU6" else _relu_members(site, x, y)
    return Record(
        code="RELU_S8",
        fields={
            **members,
            "count": x.elements,
            "x_zero_point": x.zero_point,
            "y_zero_point": y.zero_point,
        },
        tensors={"x": x.index, "y": y.index},
    )


def _relu_members(site: Site, x: Tensor, y: Tensor) -> dict[str, Any]:
    """Return bounds and rescale of RELU, from the ratio of scales in double.

    The TFLM sources of August 2026 round the ratio to float; the PyPI interpreter, our golden
    one, does not: test_the_ratio_of_relu_scales_is_double_as_in_tflm.
    """
    bounds = {"act_min": max(INT8_MIN, y.zero_point), "act_max": INT8_MAX}
    if (x.scale, x.zero_point) == (y.scale, y.zero_point):
        return {**bounds, "rescale": _CLAMP_ONLY}  # a factor of exactly 1 changes no code
    rescale = checked_rescale(site, x.scale / y.scale)
    if rescale.multiplier == 0:
        site.unsupported("the output scale is too large for the input's", y)
    return {**bounds, "rescale": rescale._asdict()}


def relu6_members(x: Tensor) -> dict[str, Any]:
    """Return the clamp of RELU6, which looks at the input's quantization only."""
    six = min(INT8_MAX, x.zero_point + round_half_away(float_ratio(6.0, x.scale)))
    return {"act_min": x.zero_point, "act_max": six, "rescale": _CLAMP_ONLY}


@operator("RELU_N1_TO_1", supports="nothing: only fused into the layer before")
def refuse(site: Site) -> Record:
    """TensorFlow Lite Micro has no RELU_N1_TO_1 of its own, so there is nothing to equal."""
    site.unsupported("TensorFlow Lite Micro has no such operator; fuse it into the layer before")
