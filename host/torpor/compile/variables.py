# SPDX-License-Identifier: Apache-2.0
"""Passes that turn variables into states: tensors that keep their bytes between inferences.

A model file names a variable by a handle (VAR_HANDLE) that READ_VARIABLE and ASSIGN_VARIABLE take,
and may fill it in a subgraph that CALL_ONCE runs in the first inference. Sources:
micro_resource_variable.cc, micro/kernels/{call_once,var_handle,read_variable,assign_variable}.cc.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torpor.compile.lowering import Site
from torpor.graph.model import Graph, Op, Tensor

Reasons = list[str]


@dataclass(frozen=True)
class _Access:
    """A READ_VARIABLE or ASSIGN_VARIABLE, the name of its variable, and the tensor that moves."""

    site: Site
    name: bytes
    value: Tensor

    @property
    def assigns(self) -> bool:
        """It is an ASSIGN_VARIABLE."""
        return self.site.op.name == "ASSIGN_VARIABLE"

    def resolved(self, state: int) -> Op:
        """Return the operator with the state instead of the handle."""
        op = self.site.op
        if self.assigns:
            return replace(op, inputs=(self.value.index,), options={"state": state})
        return replace(op, inputs=(state,))


def resolve_variables(graph: Graph) -> tuple[Graph, Reasons]:
    """Make each variable a tensor of the graph, a state, and evaluate CALL_ONCE.

    READ_VARIABLE then has the state as its input; ASSIGN_VARIABLE has the value as its input and
    the state as its option "state". What CALL_ONCE assigns is in `Graph.initial`.

    Raises:
        UnsupportedError: CALL_ONCE does more than assigning constants, or comes too late; or a
            variable is never assigned.
        ModelError: the uses of a variable contradict each other.
    """
    parts = (graph, *graph.subgraphs)
    _check_containers(parts)
    accesses = [list(_accesses(part)) for part in parts]
    states = _states(len(graph.tensors), accesses)
    content = {name: _fill(state) for name, state in states.items()}
    for op in (o for o in graph.ops if o.name == "CALL_ONCE"):
        content |= _called_once(Site(graph, op), accesses)
    resolved = {a.site.op.index: a.resolved(states[a.name].index) for a in accesses[0]}
    kept = [o for o in graph.ops if o.name not in ("CALL_ONCE", "VAR_HANDLE")]
    changed = replace(
        graph,
        tensors=(*graph.tensors, *states.values()),
        initial={**graph.initial, **{states[n].index: c for n, c in content.items()}},
        subgraphs=(),
    )
    reasons = [f"variable {state.describe()} becomes a state" for state in states.values()]
    return changed.with_ops([resolved.get(o.index, o) for o in kept]), reasons


def _check_containers(parts: tuple[Graph, ...]) -> None:
    """Refuse variables that only their container tells apart, as TFLM's interpreter does."""
    containers: dict[bytes, bytes] = {}
    for part in parts:
        for op in (o for o in part.ops if o.name == "VAR_HANDLE"):
            name, container = op.options["shared_name"], op.options["container"]
            if containers.setdefault(name, container) != container:
                Site(part, op).unsupported("two variables of the same name in two containers")


def _accesses(part: Graph) -> Iterator[_Access]:
    handles = {
        t: op.options["shared_name"]
        for op in part.ops
        if op.name == "VAR_HANDLE"
        for t in op.outputs
    }
    for op in part.ops:
        if op.name not in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
            continue
        site = Site(part, op)
        moved = op.outputs if op.name == "READ_VARIABLE" else op.inputs[1:]
        site.need(len(op.inputs) + len(op.outputs) == 2 and len(moved) == 1, "odd operands")
        site.need(moved[0] >= 0, "no value to assign")
        if op.inputs[0] not in handles:
            site.unsupported("its handle does not come from a VAR_HANDLE of the same subgraph")
        yield _Access(site, handles[op.inputs[0]], part.tensors[moved[0]])


def _states(first: int, accesses: list[list[_Access]]) -> dict[bytes, Tensor]:
    """Return the state of each variable, numbered from `first` on.

    Size, type and zero point are those of the first value assigned, main subgraph first.
    """
    states: dict[bytes, Tensor] = {}
    every = [access for part in accesses for access in part]
    for access in (a for a in every if a.assigns and a.name not in states):
        name = access.name.decode(errors="replace")
        index = first + len(states)
        states[access.name] = replace(
            access.value, index=index, name=name, data=None, is_variable=True
        )
    for access in every:
        if access.name not in states:
            access.site.unsupported("reads a variable that is never assigned", access.value)
        state = states[access.name]
        fits = (access.value.dtype, access.value.bytes) == (state.dtype, state.bytes)
        access.site.need(fits, f"the variable is {state.describe()}", access.value)
    return states


def _fill(state: Tensor) -> bytes:
    """Return what a variable holds that nothing has assigned: its zero point, byte by byte."""
    point = state.zero_points[0] if state.scales and state.zero_points else 0
    return bytes([point & 0xFF]) * state.bytes


def _called_once(site: Site, accesses: list[list[_Access]]) -> dict[bytes, bytes]:
    """Return what the subgraph assigns that the CALL_ONCE at `site` runs."""
    number = int(site.option("init_subgraph_index"))
    others = site.graph.subgraphs
    site.need(not site.op.inputs and not site.op.outputs, "has inputs or outputs")
    site.need(0 <= number <= len(others), f"there is no subgraph {number}")
    part = (site.graph, *others)[number]
    constants = [a for a in accesses[number] if a.assigns and a.value.data is not None]
    if len(constants) + sum(op.name == "VAR_HANDLE" for op in part.ops) != len(part.ops):
        site.unsupported(f"subgraph {number} does more than assigning constants to variables")
    found = {a.name: a.value.data or b"" for a in constants}
    early = site.graph.ops[: site.graph.ops.index(site.op)]
    for access in accesses[0]:
        if access.site.op in early and access.name in found:
            access.site.unsupported("uses a variable before CALL_ONCE has assigned it")
    return found


def share_states(graph: Graph) -> tuple[Graph, Reasons]:
    """Let what READ_VARIABLE reads share the bytes of its state, where nothing shows.

    Exact because no assignment comes between the reading and the last use of what was read; where
    one does, or where the model's caller reads it, the operator stays as a copy.
    """
    kept: list[Op] = []
    views: dict[int, int] = {}
    reasons = []
    for op in graph.ops:
        if op.name != "READ_VARIABLE":
            kept.append(op)
        elif _changes_in_use(graph, op):
            kept.append(op)
            reasons.append(f"operator {op.index} ({op.name}) kept: the state changes in use")
        else:
            views[op.outputs[0]] = op.inputs[0]
            reasons.append(f"operator {op.index} ({op.name}) dropped: the state's own bytes")
    return graph.with_ops(kept, views), reasons


def _changes_in_use(graph: Graph, read: Op) -> bool:
    """Tell whether the state is assigned between `read` and the last use of its output."""
    (state,), (y,) = read.inputs, read.outputs
    if any(graph.root(t) == y for t in graph.outputs):
        return True
    start = graph.ops.index(read)
    uses = [i for i, op in enumerate(graph.ops) if any(graph.root(t) == y for t in op.inputs)]
    between = graph.ops[start : max(uses, default=start) + 1]
    return any(op.options.get("state") == state for op in between)
