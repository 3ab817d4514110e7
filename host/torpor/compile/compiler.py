# SPDX-License-Identifier: Apache-2.0
"""The pipeline: read, run the passes, lower, number the tensors, plan memory, emit, report."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torpor.compile import ops
from torpor.compile.arena import Arena, number_tensors, plan_arena, states_of
from torpor.compile.ends import check_ends, io_table, named_strings, refuse_float
from torpor.compile.lowering import Record, lower_op
from torpor.compile.passes import run_passes
from torpor.compile.report import OpBytes, Report, make_report
from torpor.errors import UnsupportedError, unknown_name
from torpor.graph import Graph, Tensor, read_tflite
from torpor.plan.layout import CONST
from torpor.plan.writer import Data, assemble, kernel_words, pack_record, pack_struct

TARGETS = {"portable": CONST["PLAN_TARGET_PORTABLE"]}
"""Weight packings that this compiler can write, by name."""

ARENA_ALIGN = 16
_MAX_ARENA = (1 << 31) - 1


@dataclass(frozen=True)
class Compiled:
    """A compiled model.

    Attributes:
        plan: its bytes.
        report: why it is as it is.
        kernels: the operator names it needs, sorted.
        records: the plan's operators, with the tensors of the file that they read and write.
        numbers: tensor of the file -> tensor of the plan, for all that have bytes in the arena.
    """

    plan: bytes
    report: Report
    kernels: tuple[str, ...]
    records: tuple[Record, ...]
    numbers: dict[int, int]


@dataclass(frozen=True)
class _Stored:
    """The data section; for each record and state its members that say where; what records cost."""

    data: bytes
    members: list[dict[str, int]]
    costs: list[OpBytes]
    states: list[dict[str, int]]


def compile_model(
    tflite: bytes,
    *,
    name: str = "model",
    labels: Sequence[str] = (),
    keep_input: bool = False,
    target: str = "portable",
    extra: bytes = b"",
) -> Compiled:
    """Compile a quantized .tflite file into a plan. The same arguments give the same bytes.

    Args:
        tflite: the file's bytes.
        name: name of the model inside the plan.
        labels: names of the classes, one an element of the first output, or none.
        keep_input: forbid operators to overwrite the model's inputs.
        target: whose kernels the weights are packed for.
        extra: what travels with the model and inference does not look at.

    Raises:
        ModelError: the file is broken.
        UnsupportedError: the model uses something that torpor does not support.
        UsageError: unknown target, or labels that do not fit the output.
    """
    if target not in TARGETS:
        raise unknown_name("target", target, TARGETS)
    ops.load_all()
    graph = read_tflite(tflite)
    refuse_float(graph)
    graph, reasons = run_passes(graph)
    _check_length(graph)
    check_ends(graph, labels)
    records = [lower_op(graph, op) for op in graph.ops]
    numbers = number_tensors(graph, records)
    states = states_of(graph, numbers)
    stored = _store(records, [initial_bytes(graph, t) for t in states.values()])
    arena = plan_arena(graph, records, numbers, keep_input=keep_input)
    if arena.layout.peak > _MAX_ARENA:
        raise UnsupportedError(f"the model needs {arena.layout.peak} bytes of arena")
    packed = _pack(graph, records, numbers, stored, [i for i, _, _ in arena.overlaps])
    header = {
        "target": TARGETS[target],
        "flags": CONST["PLAN_FLAG_KEEP_INPUT"] if keep_input else 0,
        "kernels": kernel_words([r.code for r in records]),
        "arena_bytes": arena.layout.peak,
        "arena_align": ARENA_ALIGN,
        "n_tensors": len(arena.regions),
        "n_ops": len(packed),
        "n_states": len(states),
    }
    strings = named_strings(name, labels, graph)
    ends = (*graph.inputs, *graph.outputs)
    sections = {
        "tensors": _tensor_table(arena),
        "io": io_table(graph, [numbers[t] for t in ends], strings.io_names),
        "states": _state_table(list(states), stored.states),
        "ops": b"".join(packed),
        "strings": strings.data,
        "extra": extra,
        "data": stored.data,
    }
    plan = assemble(header | strings.header, sections)
    report = make_report(
        graph,
        records,
        arena,
        plan,
        name=name,
        target=target,
        model_bytes=len(tflite),
        costs=stored.costs,
        passes=reasons,
    )
    return Compiled(plan, report, tuple(sorted({r.code for r in records})), tuple(records), numbers)


def initial_bytes(graph: Graph, variable: Tensor) -> bytes:
    """Return what a variable holds before the first inference.

    Where the model does not say it: zero points in int8, zeros in other types, as
    micro/micro_graph.cc resets variables.
    """
    fill = variable.zero_point % 256 if variable.dtype == "int8" else 0
    return graph.initial.get(variable.index, bytes([fill]) * variable.bytes)


def _check_length(graph: Graph) -> None:
    """Check that the plan can count the operators and tensors (each operator writes one)."""
    if not graph.ops:
        raise UnsupportedError("the model computes nothing: no operator is left in it")
    most = min(CONST["PLAN_MAX_OPS"], CONST["PLAN_MAX_TENSORS"] - len(graph.inputs))
    if len(graph.ops) > most:
        raise UnsupportedError(f"the model has {len(graph.ops)} operators; {most} are supported")


def _store(records: Sequence[Record], initial: Sequence[bytes]) -> _Stored:
    """Collect the data of all records; equal pieces are stored once."""
    data = Data()
    members, costs = [], []
    for record in records:
        places = {member: data.add(piece) for member, piece in record.data.items()}
        members.append({member: offset for member, (offset, _) in places.items()})
        costs.append(
            OpBytes(
                **{f"{member}_bytes": len(piece) for member, piece in record.data.items()},
                shared_bytes=sum(
                    len(record.data[m]) for m, (_, is_new) in places.items() if not is_new
                ),
            )
        )
    states = [_initial_members(data, content) for content in initial]
    return _Stored(bytes(data.data), members, costs, states)


def _initial_members(data: Data, content: bytes) -> dict[str, int]:
    """Return what a state record says of its first content: one byte repeated, or where it lies."""
    if content == content[:1] * len(content):
        return {"fill": content[0], "data": CONST["PLAN_NO_DATA"]}
    return {"data": data.add(content)[0]}


def _pack(
    graph: Graph,
    records: Sequence[Record],
    numbers: dict[int, int],
    stored: _Stored,
    overlaps: Collection[int],
) -> list[bytes]:
    """Return the bytes of all records."""
    packed = []
    for index, record in enumerate(records):
        named = {**record.tensors, **record.states}
        tensors = {
            member: numbers[t] if isinstance(t, int) else [numbers[i] for i in t]
            for member, t in named.items()
        }
        flags = record.flags | (CONST["PLAN_OP_OVERLAP"] if index in overlaps else 0)
        members = {**record.fields, **tensors, **stored.members[index]}
        try:
            packed.append(pack_record(record.code, flags, members))
        except OverflowError as error:
            raise UnsupportedError(
                f"operator {graph.ops[index].index} ({graph.ops[index].name}): a dimension or "
                "stride is too large for a plan",
                "dimensions up to 65535 are supported",
            ) from error
    return packed


def _tensor_table(arena: Arena) -> bytes:
    return b"".join(
        pack_struct(
            "plan_tensor_t",
            {"offset": offset, "bytes": region.size, "first": region.first, "last": region.last},
        )
        for offset, region in zip(arena.layout.offsets, arena.regions, strict=True)
    )


def _state_table(numbers: Sequence[int], members: Sequence[dict[str, int]]) -> bytes:
    return b"".join(
        pack_struct("plan_state_t", {"tensor": n, **m})
        for n, m in zip(numbers, members, strict=True)
    )
