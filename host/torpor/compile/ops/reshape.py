# SPDX-License-Identifier: Apache-2.0
"""RESHAPE, SQUEEZE and EXPAND_DIMS where no pass could drop them: a copy."""

from torpor.compile.lowering import Record, Site, operator


@operator("RESHAPE", "SQUEEZE", "EXPAND_DIMS", supports="int8 input and output of equal size")
def lower(site: Site) -> Record:
    """Copies the bytes. Source: micro/kernels/reshape.cc."""
    x, y = site.activation(0), site.output()
    site.need(x.elements == y.elements, "input and output differ in size", y)
    return Record(
        code="COPY",
        fields={"bytes": x.bytes},
        tensors={"x": x.index, "y": y.index},
        note="an input of the model is also an output: its bytes are copied",
    )
