# SPDX-License-Identifier: Apache-2.0
"""The report of a compilation: why each choice was made, and where each byte goes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torpor.compile.arena import Arena
from torpor.compile.code_sizes import estimates
from torpor.compile.lowering import Record
from torpor.graph import Graph
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan

_WIDTH = 64
_NAME_WIDTH = 48


@dataclass(frozen=True)
class OpBytes:
    """What one operator takes of the data section; `shared_bytes` of it were there already."""

    weights_bytes: int = 0
    channels_bytes: int = 0
    constant_bytes: int = 0
    shared_bytes: int = 0


@dataclass(frozen=True)
class OpReport:
    """One operator: its number in the model file and in the plan, kernel, bytes, reasons."""

    index: int
    step: int
    operator: str
    kernel: str
    output: str
    shape: tuple[int, ...]
    record_bytes: int
    data: OpBytes
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class RegionReport:
    """One region of the arena; alive from step `first` to step `last`."""

    tensor: str
    offset: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class ArenaReport:
    """The arena: its bytes, what it cannot be below, and what would have been otherwise."""

    bytes: int
    lower_bound: int
    optimal: bool
    searched: int
    without_overlap: int
    keep_input_cost: int
    regions: tuple[RegionReport, ...]


@dataclass(frozen=True)
class Report:
    """Everything that is known about a plan before linking. All sizes in bytes."""

    name: str
    target: str
    model_bytes: int
    plan_bytes: int
    sections: dict[str, int]
    arena: ArenaReport
    ops: tuple[OpReport, ...]
    passes: tuple[str, ...]
    kernels: tuple[str, ...]
    code_bytes: dict[str, int | None] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the report as a JSON object."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """Return the report as plain text, with a picture of the arena."""
        parts = [
            self._head(),
            "Passes:",
            *(f"  {line}" for line in self.passes or ("nothing to do",)),
            "",
            "Operators (bytes in the plan):",
            *self._op_lines(),
            "",
            *self._arena_lines(),
            "",
            "Code of the whole firmware without the plan, estimated:",
            *self._code_lines(),
        ]
        return "\n".join(parts) + "\n"

    def _head(self) -> str:
        sections = ", ".join(f"{k} {v}" for k, v in self.sections.items())
        return (
            f"{self.name}: plan {self.plan_bytes} bytes (.tflite {self.model_bytes}), "
            f"arena {self.arena.bytes} bytes, target {self.target}\n"
            f"  {sections}\n"
        )

    def _op_lines(self) -> list[str]:
        lines = []
        for op in self.ops:
            constants = op.data.weights_bytes + op.data.constant_bytes
            size = f"{op.record_bytes} + {constants} + {op.data.channels_bytes}"
            shape = "x".join(map(str, op.shape))
            lines.append(f"  {op.step:>3}  {op.kernel:<22} {size:>20}  -> {shape}")
            lines += [f"         {reason}" for reason in op.reasons]
        return lines

    def _arena_lines(self) -> list[str]:
        arena = self.arena
        gap = "proven minimal" if arena.optimal else f"lower bound {arena.lower_bound}"
        lines = [
            f"Arena: {arena.bytes} bytes, {gap} ({arena.searched} layouts searched); "
            f"{arena.without_overlap} if no output overlapped its input",
        ]
        if arena.keep_input_cost:
            lines.append(f"  keeping the input costs {arena.keep_input_cost} bytes")
        for i, r in enumerate(arena.regions):
            place = f"{r.offset:>7} +{r.bytes:<7} steps {r.first}..{r.last}"
            lines.append(f"  {_letter(i)} {place}  {_short(r.tensor)}")
        lines.append(f"  step |0{arena.bytes:>{_WIDTH - 1}}|")
        return lines + [f"  {s:>4} |{self._picture(s)}|" for s in range(len(self.ops) + 2)]

    def _picture(self, step: int) -> str:
        """Return one line: which region has which part of the arena; + where two meet."""
        cells = [" "] * _WIDTH
        scale = max(1, self.arena.bytes)
        for i, r in enumerate(self.arena.regions):
            if r.first <= step <= r.last:
                start = r.offset * _WIDTH // scale
                for c in range(start, max(start + 1, (r.offset + r.bytes) * _WIDTH // scale)):
                    if c < _WIDTH:
                        cells[c] = _letter(i) if cells[c] == " " else "+"
        return "".join(cells)

    def _code_lines(self) -> list[str]:
        if not self.code_bytes:
            return ["  not recorded for any core"]
        return [
            f"  {core:<14} {'not recorded for this core' if size is None else size}"
            for core, size in self.code_bytes.items()
        ]


def _short(name: str) -> str:
    """Return a name that fits a line: converters join the names of all they have fused."""
    return name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 3] + "..."


def _letter(index: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return letters[index % len(letters)]


def _result(record: Record) -> int:
    """Return the tensor that the record makes: its output, or else the state that it writes."""
    return (*record.writes, *record.states.values())[0]


def make_report(
    graph: Graph,
    records: Sequence[Record],
    arena: Arena,
    plan: bytes,
    *,
    name: str,
    target: str,
    model_bytes: int,
    costs: Sequence[OpBytes],
    passes: Sequence[str],
) -> Report:
    """Gather the report of a finished plan."""
    kernels = tuple(sorted({r.code for r in records}))
    return Report(
        name=name,
        target=target,
        model_bytes=model_bytes,
        plan_bytes=len(plan),
        sections=section_bytes(plan),
        arena=_arena_report(graph, arena),
        ops=tuple(
            OpReport(
                index=graph.ops[i].index,
                step=i + 1,
                operator=graph.ops[i].name,
                kernel=record.code,
                output=graph.tensors[_result(record)].name,
                shape=graph.tensors[_result(record)].shape,
                record_bytes=len(parsed.raw),
                data=costs[i],
                reasons=tuple(_reasons(i, record, parsed.fields, arena)),
            )
            for i, (record, parsed) in enumerate(zip(records, Plan.parse(plan).ops, strict=True))
        ),
        passes=tuple(passes),
        kernels=kernels,
        code_bytes=estimates(kernels),
    )


def section_bytes(plan: bytes) -> dict[str, int]:
    """Return the bytes of each section; together with `gaps` they are the whole plan."""
    header = Plan.parse(plan).header
    starts = [header[s] for s in ("tensors", "io", "ops", "strings", "data")]
    sizes = {
        "header": starts[0],
        "tensors": starts[1] - starts[0],
        "io": starts[2] - starts[1],
        "records": header["ops_bytes"],
        "strings": header["strings_bytes"],
        "extra": header["extra_bytes"],
        "data": header["data_bytes"],
    }
    return {**sizes, "gaps": len(plan) - sum(sizes.values())}


def _arena_report(graph: Graph, arena: Arena) -> ArenaReport:
    return ArenaReport(
        bytes=arena.layout.peak,
        lower_bound=arena.layout.bound,
        optimal=arena.layout.optimal,
        searched=arena.layout.nodes,
        without_overlap=arena.separate_peak,
        keep_input_cost=arena.keep_input_cost,
        regions=tuple(
            RegionReport(graph.tensors[t].name, o, r.size, r.first, r.last)
            for t, o, r in zip(arena.roots, arena.layout.offsets, arena.regions, strict=True)
        ),
    )


def _reasons(index: int, record: Record, members: dict[str, Any], arena: Arena) -> list[str]:
    found = [record.note] if record.note else []
    if record.flags & CONST["PLAN_OP_PER_TENSOR"]:
        found.append("one multiplier and shift for all channels: they are equal")
    if record.code.endswith("_S4"):
        found.append("int4 weights stay packed, each row from a whole byte on")
    for i, x, y in arena.overlaps:
        if i == index:
            distance = arena.layout.offsets[x] - arena.layout.offsets[y]
            found.append(f"output overlaps its input, starting {distance} bytes below it")
    if members.get("pad_top", 0) or members.get("pad_left", 0):
        found.append(f"padding top {members['pad_top']}, left {members['pad_left']}")
    return found
