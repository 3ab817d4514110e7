# SPDX-License-Identifier: Apache-2.0
"""READ_VARIABLE and ASSIGN_VARIABLE as the passes of torpor.compile.variables leave them."""

from torpor.compile.lowering import Record, Site, operator


@operator(
    "READ_VARIABLE",
    supports="a variable of any type (VAR_HANDLE) that ASSIGN_VARIABLE assigns, or CALL_ONCE with "
    "constants",
)
def read(site: Site) -> Record:
    """Copies the state. Source: micro/kernels/read_variable.cc."""
    y = site.graph.tensors[site.op.outputs[0]]
    return Record(
        code="COPY",
        fields={"bytes": y.bytes},
        tensors={"x": site.op.inputs[0], "y": y.index},
        note="the state is assigned, or the model's caller reads, before its value was last used",
    )


@operator("ASSIGN_VARIABLE", supports="a computed value of any type")
def assign(site: Site) -> Record:
    """Copies into the state. Source: micro/kernels/assign_variable.cc."""
    x = site.any_input(0)
    if x.data is not None:
        site.unsupported("a constant that is assigned in every inference is not supported", x)
    state = site.option("state")
    return Record(
        code="ASSIGN",
        fields={
            "x_bytes": x.bytes,
            "start": site.op.options.get("start", 0),
            "bytes": site.graph.tensors[state].bytes,
        },
        tensors={"x": x.index},
        states={"state": state},
    )
