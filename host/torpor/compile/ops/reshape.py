# SPDX-License-Identifier: Apache-2.0
"""RESHAPE, SQUEEZE and EXPAND_DIMS where no pass could drop them: a copy."""

from torpor.compile.lowering import Record, Site, operator

RESHAPED = ("int8", "uint8", "int16", "int32", "float32", "bool")
EXPANDED = ("int8", "int16", "float32")
"""What TensorFlow Lite Micro knows of EXPAND_DIMS."""


@operator("RESHAPE", "SQUEEZE", supports=f"{', '.join(RESHAPED)} input and output of equal size")
def lower(site: Site) -> Record:
    """Copies the bytes. Source: micro/kernels/reshape.cc."""
    return _copy(site, RESHAPED)


@operator("EXPAND_DIMS", supports=f"{', '.join(EXPANDED)} input and output of equal size")
def lower_expand_dims(site: Site) -> Record:
    """Copies the bytes. Source: micro/kernels/expand_dims.cc."""
    return _copy(site, EXPANDED)


def _copy(site: Site, dtypes: tuple[str, ...]) -> Record:
    x = site.activation(0, *dtypes)
    y = site.output(x.dtype)
    site.need(x.elements == y.elements, "input and output differ in size", y)
    return Record(
        code="COPY",
        fields={"bytes": x.bytes},
        tensors={"x": x.index, "y": y.index},
        note="an input of the model is also an output: its bytes are copied",
    )
