# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX. Formulas: micro/kernels/softmax_common.cc, kernels/internal/quantization_util.cc."""

import math

from torpor.compile.fixed_point import quantize_multiplier
from torpor.compile.lowering import Record, Site, operator

_INTEGER_BITS = 5
_MAX_DEPTH = 4095  # as firmware/infer/ops/softmax.c has it


@operator("SOFTMAX", supports="int8 input, int8 output of scale 1/256 and zero point -128")
def lower(site: Site) -> Record:
    """Softmax over the last dimension. Sources: PreprocessSoftmaxScaling, CalculateInputRadius."""
    x, y = site.activation(0), site.output()
    if y.scale != 1 / 256 or y.zero_point != -128:
        site.unsupported("the output must have scale 1/256 and zero point -128", y)
    site.need(bool(x.shape) and x.shape == y.shape, "input and output differ in shape", y)
    if x.shape[-1] > _MAX_DEPTH:
        site.unsupported(f"more than {_MAX_DEPTH} classes", x)
    beta = float(site.option("beta"))
    real = min(beta * x.scale * (1 << (31 - _INTEGER_BITS)), (1 << 31) - 1.0)
    if not real > 1:
        site.unsupported(f"beta {beta:g} times the input's scale is too small", x)
    rescale = quantize_multiplier(real)
    radius = ((1 << _INTEGER_BITS) - 1) * (1 << (31 - _INTEGER_BITS)) / (1 << rescale.shift)
    return Record(
        code="SOFTMAX_S8",
        fields={
            "rows": x.elements // x.shape[-1],
            "depth": x.shape[-1],
            "rescale": rescale._asdict(),
            "diff_min": -math.floor(radius),
        },
        tensors={"x": x.index, "y": y.index},
    )
