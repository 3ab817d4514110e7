# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE and DEQUANTIZE. Formulas: micro/kernels/quantize_common.cc, dequantize_common.cc,
internal/reference/quantize.h, requantize.h, dequantize.h.
"""

from torpor.compile.fixed_point import Rescale
from torpor.compile.kernel_math import clamp_code, requantize
from torpor.compile.layers import checked_rescale
from torpor.compile.lowering import Record, Site, operator
from torpor.compile.lut import lut
from torpor.graph.model import Tensor
from torpor.plan.layout import TYPES

_TO = {
    "float32": ("int8", "int16"),
    "int8": ("int8", "uint8", "int16", "int32"),
    "uint8": ("int8",),
    "int16": ("int8", "int16", "int32"),
    "int32": ("int8", "int16"),
}
"""What TensorFlow Lite Micro quantizes to what."""

_INTEGERS = ("int8", "uint8", "int16", "int32")
_SUPPORTS = ", ".join(f"{x} to {' or '.join(to)}" for x, to in _TO.items())


@operator("QUANTIZE", supports=_SUPPORTS)
def lower_quantize(site: Site) -> Record:
    """From float32, or from one scale, zero point and type to another."""
    x, y = site.activation(0, *_TO), site.output(*_INTEGERS)
    site.need(x.elements == y.elements, "input and output differ in size", y)
    if y.dtype not in _TO[x.dtype]:
        site.unsupported(f"TensorFlow Lite Micro does not quantize {x.dtype} to {y.dtype}", y)
    if x.dtype == "float32":
        return _from_float(x, y)
    site.need(x.scale > 0 and y.scale > 0, "QUANTIZE needs one scale above 0 on both sides", y)
    rescale = checked_rescale(site, x.scale / y.scale)
    if x.dtype.endswith("int8") and y.dtype.endswith("int8"):
        return lut(site, lambda code: _requantized(code, rescale, x, y), x.dtype, y.dtype)
    return Record(
        code="REQUANTIZE",
        fields={
            "count": x.elements,
            "x_type": TYPES[x.dtype],
            "y_type": TYPES[y.dtype],
            "x_zero_point": x.zero_point,
            "y_zero_point": y.zero_point,
            "rescale": rescale._asdict(),
        },
        tensors={"x": x.index, "y": y.index},
    )


def _from_float(x: Tensor, y: Tensor) -> Record:
    return Record(
        code="QUANTIZE_F32",
        fields={
            "count": x.elements,
            "scale": y.scale,
            "y_zero_point": y.zero_point,
            "y_type": TYPES[y.dtype],
        },
        tensors={"x": x.index, "y": y.index},
    )


def _requantized(code: int, rescale: Rescale, x: Tensor, y: Tensor) -> int:
    return clamp_code(requantize(code - x.zero_point, rescale) + y.zero_point, y.dtype)


@operator("DEQUANTIZE", supports="int8, uint8 or int16 to float32")
def lower_dequantize(site: Site) -> Record:
    """Scale times the difference to the zero point, rounded once."""
    x, y = site.activation(0, "int8", "uint8", "int16"), site.output("float32")
    site.need(x.elements == y.elements, "input and output differ in size", y)
    return Record(
        code="DEQUANTIZE",
        fields={
            "count": x.elements,
            "scale": x.scale,
            "x_zero_point": x.zero_point,
            "x_type": TYPES[x.dtype],
        },
        tensors={"x": x.index, "y": y.index},
    )
