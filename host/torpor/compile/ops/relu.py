# SPDX-License-Identifier: Apache-2.0
"""RELU, RELU6. Formulas: micro/kernels/activations_common.cc, activations.h, micro_utils.h."""

from typing import Any

from torpor.compile.fixed_point import code_range, float_ratio, round_half_away
from torpor.compile.layers import checked_rescale, symmetric
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.two_slopes import DTYPES, ONE, SUPPORTS, two_slopes
from torpor.graph.model import Tensor

_CLAMP_ONLY = {"multiplier": 0, "shift": 0}


@operator("RELU", "RELU6", supports=SUPPORTS)
def lower(site: Site) -> Record:
    """RELU rescales; RELU6 only clamps the input's codes."""
    x = site.activation(0, *DTYPES)
    y = site.output(x.dtype)
    if x.dtype == "int16":
        return _lower_int16(site, x, y)
    site.need(x.elements == y.elements, "input and output differ in size", y)
    members = _relu_members(site, x, y)
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


def _lower_int16(site: Site, x: Tensor, y: Tensor) -> Record:
    bounds = relu_bounds(site, x, y)
    if site.op.name == "RELU6":  # clamps codes: the zero points do not matter
        return two_slopes(site, x, y, ONE, ONE, x_zero_point=0, y_zero_point=0, **bounds)
    rescale = checked_rescale(site, x.scale / y.scale)
    return two_slopes(site, x, y, rescale, rescale, **bounds)


def relu_bounds(site: Site, x: Tensor, y: Tensor) -> dict[str, int]:
    """Return the clamp of RELU (of the output's codes) or RELU6 (of the input's)."""
    lowest, highest = code_range(x.dtype)
    if site.op.name == "RELU6":
        six = x.zero_point + round_half_away(float_ratio(6.0, x.scale))
        return {"act_min": x.zero_point, "act_max": min(highest, six)}
    symmetric(site, x, y)
    return {"act_min": max(lowest, y.zero_point), "act_max": highest}


def _relu_members(site: Site, x: Tensor, y: Tensor) -> dict[str, Any]:
    """Return bounds and rescale; RELU's from the ratio of scales in double.

    The TFLM sources of August 2026 round the ratio to float; the PyPI interpreter, our golden
    one, does not: test_the_ratio_of_relu_scales_is_double_as_in_tflm.
    """
    bounds = relu_bounds(site, x, y)
    same = (x.scale, x.zero_point) == (y.scale, y.zero_point)
    if same or site.op.name == "RELU6":
        return {**bounds, "rescale": _CLAMP_ONLY}  # a factor of exactly 1 changes no code
    rescale = checked_rescale(site, x.scale / y.scale)
    if rescale.multiplier == 0:
        site.unsupported("the output scale is too large for the input's", y)
    return {**bounds, "rescale": rescale._asdict()}


@operator("RELU_N1_TO_1", supports="nothing: only fused into the layer before")
def refuse(site: Site) -> Record:
    """TensorFlow Lite Micro has no RELU_N1_TO_1 of its own, so there is nothing to equal."""
    site.unsupported("TensorFlow Lite Micro has no such operator; fuse it into the layer before")
