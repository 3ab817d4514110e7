# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Measures a linked firmware: sections and symbols of the ELF, the map file, the call graphs."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from elftools.elf.elffile import ELFFile

from torpor.board import Board
from torpor.errors import BudgetError
from torpor.footprint.callgraph import CallGraph, StackAnalysis, base_name, worst_case
from torpor.footprint.calls import Calls
from torpor.footprint.engine import EngineStack
from torpor.footprint.mapfile import Piece, pieces
from torpor.footprint.ramcode import check_ram_code
from torpor.paths import FIRMWARE

CALLS_TOML = FIRMWARE / "calls.toml"
_FLASH = (".text", ".rodata", ".data")
_RAM = (".data", ".bss", ".handoff")
_GENERATED = {
    "board.o": "port",
    "layout.o": "update",
    "key.o": "update",
    "features.o": "drivers",
}
_COMPILERS = ("libc", "libc_nonshared", "libgcc", "libgcc_eh", "libm", "libmvec")
"""The archives that every compiler brings; any other is the user's TensorFlow Lite Micro."""
_SHF_WRITE, _SHF_ALLOC = 1, 2


@dataclass(frozen=True)
class Footprint:
    """What a firmware uses, in bytes.

    Attributes:
        flash_bytes: code, constants, plan and the initial values of data.
        ram_bytes: static data, the arena included, the stack not.
        stack_bytes: the most that the stack can need; None where it is not analysed.
        model_bytes: the plan.
        arena_bytes: the model's working memory, part of ram_bytes.
        code_bytes: flash without the plan.
        stack_path: the functions of the deepest stack.
        flash_parts: part of the firmware -> bytes of flash; `ram_parts` likewise.
        kernels: operator name -> bytes of its kernel.
        engine_stack_bytes: part of stack_bytes that TensorFlow Lite Micro takes; None with our own
            engine. `engine_stack_basis` says how that is known: "measured" or "assumed".
    """

    flash_bytes: int
    ram_bytes: int
    stack_bytes: int | None
    model_bytes: int
    arena_bytes: int
    code_bytes: int
    stack_path: tuple[str, ...]
    flash_parts: dict[str, int]
    ram_parts: dict[str, int]
    kernels: dict[str, int]
    engine_stack_bytes: int | None = None
    engine_stack_basis: str = ""

    def to_json(self) -> str:
        """Return the content of footprint.json."""
        return json.dumps(asdict(self), indent=1) + "\n"


def measure(  # noqa: PLR0917 - what is known of a program
    elf: Path,
    map_text: str,
    graphs: Iterable[str],
    board: Board,
    calls: Calls | None = None,
    engine: EngineStack | None = None,
) -> Footprint:
    """Measure a firmware.

    Args:
        elf: the linked file.
        map_text: content of the linker's map file.
        graphs: contents of the .ci files of its objects.
        board: what it was built for; without memories the stack is not analysed.
        calls: of an application elsewhere; None: it is one of firmware/app.
        engine: what TensorFlow Lite Micro takes; None: our own engine runs the model.

    Raises:
        BudgetError: the stack has no bound that could be found, or a function that runs from RAM
            calls one in the flash.
    """
    graph = _graph(graphs)
    with elf.open("rb") as file:
        image = ELFFile(file)
        flash, ram = _sizes(image)
        symbols = _symbols(image)
        places = _places(image)
    placed = list(pieces(map_text))
    stack = _stack(graph, set(symbols), board, calls, engine) if board.memory else None
    if board.memory:
        check_ram_code(graph, places, board.memory["ram"])
    model = symbols.get("torpor_plan", 0)
    return Footprint(
        flash_bytes=flash,
        ram_bytes=ram,
        stack_bytes=stack.bytes if stack else None,
        model_bytes=model,
        arena_bytes=symbols.get("model_arena", 0),
        code_bytes=flash - model,
        stack_path=stack.functions if stack else (),
        flash_parts=_parts(p for p in placed if p.output in _FLASH),
        ram_parts=_parts(p for p in placed if p.output in _RAM),
        kernels=_kernels(placed),
        engine_stack_bytes=engine.bytes if engine and stack else None,
        engine_stack_basis=engine.basis if engine and stack else "",
    )


def check_budget(footprint: Footprint, board: Board, link: int | None = None) -> list[str]:
    """Return one sentence for each budget or memory of the board that the firmware is over.

    Args:
        footprint: of the firmware.
        board: with budget and memories, or with neither.
        link: where the image begins in the code memory; None is its start.
    """
    if board.budget is None:
        return []
    code, ram, stack = board.memory["code"], board.memory["ram"], footprint.stack_bytes or 0
    room = code.origin + code.size - (code.origin if link is None else link)
    rows = (
        ("flash", footprint.flash_bytes, "budget", board.budget.flash),
        ("RAM", footprint.ram_bytes, "budget", board.budget.ram),
        ("stack", stack, "budget", board.budget.stack),
        ("flash", footprint.flash_bytes, "code memory", room),
        ("RAM with stack", footprint.ram_bytes + board.budget.stack, "memory", ram.size),
    )
    return [
        f"{name}: {used} bytes, {used - limit} over the {what} of {limit}"
        for name, used, what, limit in rows
        if used > limit
    ]


def _sizes(image: Any) -> tuple[int, int]:
    """Flash is what the file fills of the loaded segments; RAM is every section that can be
    written, and .data where code that runs from RAM is all that it has."""
    flash = sum(s["p_filesz"] for s in image.iter_segments() if s["p_type"] == "PT_LOAD")
    wanted = _SHF_WRITE | _SHF_ALLOC
    ram = sum(
        section["sh_size"]
        for section in image.iter_sections()
        if section["sh_flags"] & wanted == wanted or section.name in _RAM
    )
    return flash, ram


def symbol_sizes(elf: Path) -> dict[str, int]:
    """Return the sizes of all symbols of an ELF file by name.

    Raises:
        BudgetError: it has no symbols.
    """
    with elf.open("rb") as file:
        return _symbols(ELFFile(file))


def _symbols(image: Any) -> dict[str, int]:
    table = image.get_section_by_name(".symtab")
    if table is None:
        raise BudgetError("the ELF file has no symbols: it cannot be measured")
    return {symbol.name: symbol["st_size"] for symbol in table.iter_symbols()}


def _places(image: Any) -> dict[str, set[int]]:
    """Return the addresses of all functions by base name; bit 0 of some says Thumb."""
    places: dict[str, set[int]] = {}
    for symbol in image.get_section_by_name(".symtab").iter_symbols():
        if symbol["st_info"]["type"] == "STT_FUNC":
            places.setdefault(base_name(symbol.name), set()).add(symbol["st_value"])
    return places


def _graph(texts: Iterable[str]) -> CallGraph:
    graph = CallGraph()
    for text in texts:
        graph.add(text)
    return graph


def _stack(
    graph: CallGraph,
    linked: set[str],
    board: Board,
    calls: Calls | None,
    engine: EngineStack | None,
) -> Any:
    declared, core = tomllib.loads(CALLS_TOML.read_text(encoding="utf-8")), board.core
    own = calls.tables if calls else {}
    tables = ({**declared[t], **own.get(t, {})} for t in ("targets", "library", "recursion"))
    where = calls.where if calls else "firmware/calls.toml"
    measured = engine_entries(declared, engine)
    analysis = StackAnalysis(graph, linked, *tables, where=where, measured=measured)
    return worst_case(analysis, declared["start"][core.architecture], declared["frame"][core.name])


def engine_entries(declared: Mapping[str, Any], engine: EngineStack | None) -> dict[str, int]:
    """Return the functions through which TensorFlow Lite Micro is reached, with their stack."""
    return dict.fromkeys(declared["measured"]["tflm"], engine.bytes) if engine else {}


def _parts(placed: Iterable[Piece]) -> dict[str, int]:
    """Sum sizes by part of the firmware, the biggest first."""
    sums: dict[str, int] = {}
    for piece in placed:
        part = part_of(piece.object)
        sums[part] = sums.get(part, 0) + piece.size
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def part_of(obj: str) -> str:
    """Return which part of the firmware an object file belongs to: "app", "infer", "libc" ..."""
    archive, is_member, _ = obj.rpartition(".a(")
    if is_member and PurePath(archive).name not in _COMPILERS:
        return "tflm"
    if is_member or not obj.startswith("build"):
        return "libc"
    path = PurePath(obj)
    if "/obj/infer/tflm/" in obj:
        return "tflm"
    if path.name in ("plan.o", "model.o") and path.parent.name == "obj":
        return {"plan.o": "plan", "model.o": "arena"}[path.name]
    if "gen" in path.parts:
        return _GENERATED.get(path.name, "wire")
    folder = path.parts[path.parts.index("obj") + 1]
    return "kernels" if path.parent.name == "kernels" else folder


def _kernels(placed: Iterable[Piece]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for piece in placed:
        path = PurePath(piece.object)
        if path.parent.name == "kernels" and piece.output in _FLASH:
            name = path.stem.upper()
            sums[name] = sums.get(name, 0) + piece.size
    return dict(sorted(sums.items()))
