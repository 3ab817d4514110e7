# SPDX-License-Identifier: Apache-2.0
"""Puts a .tflite into a plan for TensorFlow Lite Micro (PLAN_TARGET_TFLM of plan.h), unchanged."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from torpor.compile.ends import check_ends, io_table, named_strings
from torpor.compile.report import section_bytes
from torpor.errors import UnsupportedError
from torpor.graph import Graph, read_tflite
from torpor.paths import TFLM
from torpor.plan.layout import CONST
from torpor.plan.writer import assemble, pack_struct
from torpor.tflm.arena import Arena, HostArena, measure_host
from torpor.tflm.check import refuse_unsound
from torpor.tflm.needs import Need, needs_of
from torpor.tflm.resolver import words_of

ALIGN = CONST["PLAN_ALIGN"]
STATEFUL = ("CALL_ONCE", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "VAR_HANDLE")
"""Operators that keep something from one inference to the next."""

_MAX_ARENA = (1 << 30) - 1


@dataclass(frozen=True)
class Report:
    """What is known of a plan for TensorFlow Lite Micro before linking. All sizes in bytes.

    Attributes:
        arena_bytes: the whole arena: of the engine, kept inputs, tensor arena.
        engine_bytes: what the engine itself has before them, PLAN_TFLM_BYTES.
        kept_input_bytes: where an inference must leave the inputs alone.
        arena: the tensor arena, and where its size comes from.
        host: the tensor arena that this computer needs.
        state: whether the model keeps something from one inference to the next.
        needs: the registrations.
    """

    name: str
    model_bytes: int
    plan_bytes: int
    sections: dict[str, int]
    arena_bytes: int
    engine_bytes: int
    kept_input_bytes: int
    arena: Arena
    host: HostArena
    state: bool
    needs: tuple[Need, ...]

    @property
    def kernels(self) -> tuple[str, ...]:
        """Names of the registrations, by their numbers."""
        return tuple(need.name for need in self.needs)

    def to_json(self) -> str:
        """Return the report as a JSON object, its members named as in the report of our engine."""
        content = {
            "name": self.name,
            "engine": TFLM,
            "model_bytes": self.model_bytes,
            "plan_bytes": self.plan_bytes,
            "sections": self.sections,
            "arena": {
                "bytes": self.arena_bytes,
                "engine": self.engine_bytes,
                "kept_inputs": self.kept_input_bytes,
            },
            "tensor_arena": {
                **asdict(self.arena),
                "host": self.host.bytes,
                "host_lower_bound": self.host.lower_bound,
                "host_probes": self.host.probes,
            },
            "state": self.state,
            "ops": [],
            "registrations": [asdict(need) for need in self.needs],
            "kernels": self.kernels,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """Return the report as plain text."""
        sections = ", ".join(f"{k} {v}" for k, v in self.sections.items())
        lines = [
            f"{self.name}: plan {self.plan_bytes} bytes (.tflite {self.model_bytes}), "
            f"arena {self.arena_bytes} bytes, engine {TFLM}",
            f"  {sections}",
            "",
            "Registrations:",
            *self._need_lines(),
            "",
            f"Arena: {self.arena_bytes} bytes",
            f"  {self.engine_bytes:>8}  the engine's own",
            *([f"  {self.kept_input_bytes:>8}  kept inputs"] if self.kept_input_bytes else []),
            f"  {self.arena.bytes:>8}  tensor arena, {self._origin()}",
            *self._host_lines(),
        ]
        return "\n".join(lines) + "\n"

    def _need_lines(self) -> list[str]:
        width = max(len(need.name) for need in self.needs)
        lines = []
        for need in self.needs:
            why = f": {need.reason}" if need.reason else ""
            types = ", ".join(need.types)
            lines.append(f"  {need.name:<{width}}  {need.operators:>3} x {types}{why}")
        return lines

    def _origin(self) -> str:
        if self.arena.source == "board":
            stack = f"; stack {self.arena.stack}" if self.arena.stack else ""
            return f"measured on the emulated {self.arena.board}{stack}"
        if self.arena.source == "given":
            return "given by the user"
        return "measured on this computer (64 bits, reference kernels)"

    def _host_lines(self) -> list[str]:
        if self.arena.source == "host":
            return []
        return [f"  {'':>8}  ({self.host.bytes} on this computer: 64 bits, reference kernels)"]


@dataclass(frozen=True)
class Contained:
    """A model in a plan: its bytes, the report, and the registrations it needs, by number."""

    plan: bytes
    report: Report
    kernels: tuple[str, ...]


def contain_model(
    tflite: bytes,
    *,
    name: str = "model",
    labels: Sequence[str] = (),
    keep_input: bool = False,
    arena: Arena | None = None,
    extra: bytes = b"",
) -> Contained:
    """Put a quantized .tflite file into a plan. The same arguments give the same bytes.

    Args:
        tflite: the file's bytes.
        name: name of the model inside the plan.
        labels: names of the classes, one an element of the first output, or none.
        keep_input: an inference leaves the model's inputs alone.
        arena: the tensor arena; as measured on this computer where there is none.
        extra: what travels with the model and inference does not look at.

    Raises:
        ModelError: the file is broken, or one that firmware refuses.
        UnsupportedError: TensorFlow Lite Micro cannot run the model.
        UsageError: labels that do not fit the output.
    """
    graph = read_tflite(tflite)
    needs = needs_of(graph)
    check_ends(graph, labels)
    host = measure_host(tflite)
    arena = arena or Arena(host.bytes, "host")
    kept = sum(_padded(graph.tensors[t].bytes) for t in graph.inputs) if keep_input else 0
    whole = CONST["PLAN_TFLM_BYTES"] + kept + arena.bytes
    if whole > _MAX_ARENA:
        raise UnsupportedError(f"the model needs {whole} bytes of arena")
    strings = named_strings(name, labels, graph)
    ends = (*graph.inputs, *graph.outputs)
    header = {
        "target": CONST["PLAN_TARGET_TFLM"],
        "flags": _flags(graph, keep_input),
        "kernels": words_of(need.name for need in needs),
        "arena_bytes": whole,
        "arena_align": ALIGN,
        "n_tensors": len(ends),
    }
    sections = {
        "tensors": _tensor_table(graph),
        "io": io_table(graph, range(len(ends)), strings.io_names),
        "states": b"",
        "ops": b"",
        "strings": strings.data,
        "extra": extra,
        "data": tflite,
    }
    plan = assemble(header | strings.header, sections)
    refuse_unsound(plan)
    report = Report(
        name=name,
        model_bytes=len(tflite),
        plan_bytes=len(plan),
        sections=section_bytes(plan),
        arena_bytes=whole,
        engine_bytes=CONST["PLAN_TFLM_BYTES"],
        kept_input_bytes=kept,
        arena=arena,
        host=host,
        state=keeps_state(graph),
        needs=needs,
    )
    return Contained(plan, report, report.kernels)


def keeps_state(graph: Graph) -> bool:
    """Tell whether a model keeps something from one inference to the next."""
    parts = (graph, *graph.subgraphs)
    named = any(op.name in STATEFUL for part in parts for op in part.ops)
    return named or any(tensor.is_variable for part in parts for tensor in part.tensors)


def _flags(graph: Graph, keep_input: bool) -> int:
    keep = CONST["PLAN_FLAG_KEEP_INPUT"] if keep_input else 0
    return keep | (CONST["PLAN_FLAG_STATE"] if keeps_state(graph) else 0)


def _tensor_table(graph: Graph) -> bytes:
    """Return a tensor for each input and output: its bytes, as no one but TFLM knows its place."""
    tensors = [graph.tensors[t] for t in (*graph.inputs, *graph.outputs)]
    return b"".join(pack_struct("plan_tensor_t", {"bytes": t.bytes, "last": 1}) for t in tensors)


def _padded(size: int) -> int:
    return -(-size // ALIGN) * ALIGN
