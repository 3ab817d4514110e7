# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What inference alone takes of a firmware: the engine with its kernels, the plan, the arena.

Everything else, the application that calls it and what that would need anyway, does not count. A
member of a library counts if the object that made the linker take it does; objects of the
application come first on the linker's command line.
"""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from torpor.footprint.callgraph import CallGraph, StackAnalysis
from torpor.footprint.engine import EngineStack
from torpor.footprint.mapfile import Piece, library_members, loaded_objects, pieces
from torpor.footprint.measure import CALLS_TOML, engine_entries, symbol_sizes
from torpor.paths import ROOT

ENTRIES = ("infer_check", "infer_init", "infer_invoke")
"""The functions by which an application reaches the engine."""

PLAN = "plan.o"
TABLES = "model.o"
"""The object with the arena and the table of kernels, made by the build."""

_KINDS = {
    ".text": ("code",),
    ".rodata": ("rodata",),
    ".srodata": ("rodata",),
    ".data.rel.ro": ("rodata",),
    ".data": ("rodata", "ram"),
    ".sdata": ("rodata", "ram"),
    ".bss": ("ram",),
    ".sbss": ("ram",),
}
"""Beginning of a section's name, the longer first -> what it counts as."""


@dataclass(frozen=True)
class InferenceBytes:
    """Bytes that inference takes of a firmware.

    Attributes:
        code: machine code of the engine, its kernels, and the library functions they need.
        rodata: constants of these, and initial values of their data; without the plan.
        model: the plan.
        ram: the arena and the data of the engine; without stack and the caller's infer_t.
        stack: the most that infer_check(), infer_init() or infer_invoke() can need; None where
            it is not analysed (a process of this computer).
    """

    code: int
    rodata: int
    model: int
    ram: int
    stack: int | None


def measure_inference(elf: Path, *, stack: bool) -> InferenceBytes:
    """Measure a firmware from its ELF, its map file beside it and the .ci files of its objects.

    Args:
        elf: the linked file.
        stack: analyse the stack.

    Raises:
        BudgetError: no symbols, or the stack has no bound that could be found.
    """
    text = elf.with_suffix(".map").read_text()
    symbols = symbol_sizes(elf)
    own = list(engine_pieces(text))
    return InferenceBytes(
        code=_sum(own, "code"),
        rodata=_sum(own, "rodata"),
        model=symbols.get("torpor_plan", 0),
        ram=_sum(own, "ram"),
        stack=_stack(text, symbols, _engine(elf)) if stack else None,
    )


def engine_pieces(text: str) -> Iterable[Piece]:
    """Yield the pieces of a map file that belong to inference; of the plan none."""
    asked_by = library_members(text)
    return (piece for piece in pieces(text) if _is_engine(piece.object, asked_by))


def is_infer(obj: str) -> bool:
    """Say whether an object file was made from firmware/infer."""
    return "/obj/infer/" in obj


def _is_engine(obj: str, asked_by: dict[str, str]) -> bool:
    seen: set[str] = set()
    while obj in asked_by and obj not in seen:
        seen.add(obj)
        obj = asked_by[obj]
    return is_infer(obj) or PurePath(obj).name == TABLES


def _sum(placed: Iterable[Piece], kind: str) -> int:
    return sum(piece.size for piece in placed if kind in _kinds(piece.name))


def _kinds(section: str) -> tuple[str, ...]:
    """Return what a section counts as: ".text.main" as ".text" does."""
    found = (kinds for name, kinds in _KINDS.items() if f"{section}.".startswith(f"{name}."))
    return next(found, ())


def _engine(elf: Path) -> EngineStack | None:
    """Return what the build knows of TensorFlow Lite Micro's stack; None with our own engine."""
    report = elf.parent / "footprint.json"
    content = json.loads(report.read_text()) if report.is_file() else {}
    known = content.get("engine_stack_bytes")
    return None if known is None else EngineStack(known, content["engine_stack_basis"])


def _stack(text: str, symbols: Iterable[str], engine: EngineStack | None) -> int:
    declared = tomllib.loads(CALLS_TOML.read_text())
    graph = CallGraph()
    for obj in loaded_objects(text):
        graph.add((ROOT / obj).with_suffix(".ci").read_text())
    tables = (declared["targets"], declared["library"])
    analysis = StackAnalysis(graph, symbols, *tables, measured=engine_entries(declared, engine))
    return max(analysis.deepest(entry).bytes for entry in ENTRIES)
