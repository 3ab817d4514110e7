# SPDX-License-Identifier: Apache-2.0
"""The pipeline: read, run the passes, lower, number the tensors, plan memory, emit, report."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torpor.compile import ops
from torpor.compile.arena import Arena, number_tensors, plan_arena, states_of
from torpor.compile.lowering import CODE_RANGES, Record, lower_op
from torpor.compile.passes import run_passes
from torpor.compile.report import OpBytes, Report, make_report
from torpor.errors import ModelError, UnsupportedError, UsageError, unknown_name
from torpor.graph import Graph, Tensor, read_tflite
from torpor.plan.layout import CONST, TYPES
from torpor.plan.writer import Data, Strings, assemble, kernel_words, pack_record, pack_struct

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
    _refuse_float(graph)
    graph, reasons = run_passes(graph)
    _check_length(graph)
    _check_ends(graph, labels)
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
    strings = _strings(name, labels, graph)
    sections = {
        "tensors": _tensor_table(arena),
        "io": _io_table(graph, numbers, strings.io_names),
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


def _refuse_float(graph: Graph) -> None:
    """Refuse a model in which nothing is quantized."""
    computed = [t for op in graph.ops for t in op.outputs]
    if computed and {graph.tensors[t].dtype for t in (*graph.inputs, *computed)} == {"float32"}:
        raise UnsupportedError(
            "this is a float model: all that it computes is float32",
            "make it int8 or int4 with torpor quantize",
        )


def _check_length(graph: Graph) -> None:
    """Check that the plan can count the operators and tensors (each operator writes one)."""
    if not graph.ops:
        raise UnsupportedError("the model computes nothing: no operator is left in it")
    most = min(CONST["PLAN_MAX_OPS"], CONST["PLAN_MAX_TENSORS"] - len(graph.inputs))
    if len(graph.ops) > most:
        raise UnsupportedError(f"the model has {len(graph.ops)} operators; {most} are supported")
    if max(len(graph.inputs), len(graph.outputs)) > 255:
        raise UnsupportedError("the model has more than 255 inputs or outputs")


def _check_ends(graph: Graph, labels: Sequence[str]) -> None:
    """Check what the graph's inputs and outputs are, and that `labels` fit the first output."""
    for position, t in enumerate(graph.inputs):
        _check_end(graph.tensors[t], f"input {position}")
    for position, t in enumerate(graph.outputs):
        _check_end(graph.tensors[t], f"output {position}")
        where = f"output {position} {graph.tensors[t].describe()}"
        if graph.tensors[t].data is not None:
            raise UnsupportedError(f"{where} is a constant")
        if graph.root(t) not in graph.inputs and graph.producer(graph.root(t)) is None:
            raise UnsupportedError(f"{where} is not computed")
    last = graph.tensors[graph.outputs[0]]
    if labels and len(labels) != last.elements:
        raise UsageError(f"{len(labels)} labels for an output of {last.elements} elements")


def _check_end(tensor: Tensor, what: str) -> None:
    where = f"{what}, tensor {tensor.index} {tensor.describe()}"
    if tensor.dtype not in TYPES:
        raise UnsupportedError(
            f"{where}: inputs and outputs are one of {', '.join(TYPES)}",
            "quantize the model with torpor quantize",
        )
    codes = CODE_RANGES.get(tensor.dtype)
    if not tensor.elements or (codes and max(len(tensor.scales), len(tensor.zero_points)) > 1):
        raise ModelError(f"{where}: needs elements, and at most one scale and one zero point")
    if codes and tensor.zero_point not in codes:
        raise ModelError(f"{where}: zero point outside {tensor.dtype}")
    if len(tensor.shape) > CONST["PLAN_MAX_DIMS"]:
        raise UnsupportedError(f"{where}: more than {CONST['PLAN_MAX_DIMS']} dimensions")


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


@dataclass(frozen=True)
class _Named:
    """The string section, the header's members about it, and where the io names lie."""

    data: bytes
    header: dict[str, int]
    io_names: list[int]


def _strings(name: str, labels: Sequence[str], graph: Graph) -> _Named:
    strings = Strings()
    name_at = strings.add(name)
    labels_at = [strings.add(label) for label in labels]
    io_names = [strings.add(graph.tensors[t].name) for t in (*graph.inputs, *graph.outputs)]
    header = {
        "n_inputs": len(graph.inputs),
        "n_outputs": len(graph.outputs),
        "n_labels": len(labels),
        "name": name_at,
        "labels": labels_at[0] if labels else CONST["PLAN_NO_STRING"],
    }
    return _Named(strings.data, header, io_names)


def _io_table(graph: Graph, numbers: dict[int, int], names: Sequence[int]) -> bytes:
    found = []
    for t, name in zip((*graph.inputs, *graph.outputs), names, strict=True):
        tensor = graph.tensors[t]
        codes = tensor.dtype not in ("float32", "bool")
        members = {
            "tensor": numbers[t],
            "type": TYPES[tensor.dtype],
            "rank": len(tensor.shape),
            "dims": [*tensor.shape, *[1] * (CONST["PLAN_MAX_DIMS"] - len(tensor.shape))],
            "scale": tensor.scale if codes else 0.0,
            "zero_point": tensor.zero_point if codes else 0,
            "name": name,
        }
        found.append(pack_struct("plan_io_t", members))
    return b"".join(found)
