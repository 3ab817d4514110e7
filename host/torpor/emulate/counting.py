# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Exact costs of inference in QEMU: instructions, bytes loaded and stored, operator by operator.

A plugin (counter.c), compiled with this computer's C compiler, is loaded into QEMU and told which
code is what from the linker's map file. It counts what runs between the entry of infer_check(),
infer_init() or infer_invoke() and the return to their caller, in the engine and the libraries; it
leaves interrupts out. So the same inputs give the same counts, to the instruction.
"""

import functools
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from torpor.emulate.qemu import quoted
from torpor.engine.library import build_library
from torpor.errors import DeviceError
from torpor.footprint.inference import ENTRIES, is_infer
from torpor.footprint.mapfile import Piece, pieces

SOURCE = Path(__file__).with_name("counter.c")
# They call the engine; interrupt handlers never run their code.
CALLERS = ("/obj/app/session.o", "/app/alone/updates.o", "/app/slots/updates.o", "/mgmt/models.o")
WALK = "/obj/infer/infer.o"
PROBE_TIMEOUT_S = 20


@dataclass(frozen=True)
class Cost:
    """What a piece of work took; loaded and stored are in bytes."""

    instructions: int = 0
    loaded: int = 0
    stored: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.instructions + other.instructions,
            self.loaded + other.loaded,
            self.stored + other.stored,
        )


@dataclass(frozen=True)
class Call:
    """One call of an entry of the engine.

    Attributes:
        entry: of ENTRIES.
        ops: for infer_invoke() the cost of each operator; together they are the whole call: what
            the walk from record to record takes belongs to the operator that it comes from, its
            beginning to the first one.
        total: of the whole call.
    """

    entry: str
    ops: tuple[Cost, ...]
    total: Cost


class Counter:
    """The plugin for one firmware and one run. A context manager: leaving it removes its files.

    Args:
        elf: the firmware; its map file lies beside it.

    Raises:
        MissingToolError: no C compiler.
    """

    def __init__(self, elf: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="torpor-count-")
        folder = Path(self._folder.name)
        self._map, self._out = folder / "map", folder / "out"
        self._map.write_text(region_lines(elf))
        self._out.touch()

    @property
    def arguments(self) -> list[str]:
        """What QEMU's command line needs."""
        return ["-plugin", f"{plugin()},map={quoted(self._map)},out={quoted(self._out)}"]

    def calls(self) -> list[Call]:
        """Return the calls of the engine that have ended until now, in order."""
        return list(parse(self._out.read_text()))

    def __enter__(self) -> "Counter":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._folder.cleanup()


def plugin() -> Path:
    """Return the plugin, compiled if need be.

    Raises:
        MissingToolError: no C compiler.
    """
    return build_library("counter", [SOURCE], ("-fvisibility=hidden",))


@functools.cache
def unavailable(program: str) -> str:
    """Return "" if an emulator takes the plugin, else why not.

    Args:
        program: for example "qemu-system-arm".

    Raises:
        MissingToolError: no C compiler.
    """
    with tempfile.TemporaryDirectory(prefix="torpor-count-") as folder:
        (Path(folder) / "map").touch()
        words = f"{plugin()},map={quoted(Path(folder) / 'map')},out={quoted(Path(folder) / 'out')}"
        command = [program, "-M", "none", "-display", "none", "-S", "-monitor", "stdio"]
        try:
            done = subprocess.run(
                [*command, "-plugin", words],
                input="quit\n",
                capture_output=True,
                text=True,
                timeout=PROBE_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{program} does not take plugins: {error}"
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return f"{program} does not take plugins: {lines[-1]}" if done.returncode else ""


def region_lines(elf: Path) -> str:
    """Return the map that counter.c reads."""
    lines = [f"enter {name} {address:x}\n" for name, address in _entries(elf)]
    for piece in pieces(elf.with_suffix(".map").read_text()):
        kind = _kind(piece)
        if kind:
            lines.append(f"{kind} {piece.address:x} {piece.address + piece.size:x}\n")
    return "".join(lines)


def _kind(piece: Piece) -> str:
    if not f"{piece.name}.".startswith(".text."):
        return ""
    if piece.object.endswith(CALLERS):
        return "leave"
    if piece.object.endswith(WALK):
        return "walk"
    if "/obj/infer/kernels/" in piece.object:
        return "kernel"
    return "count" if is_infer(piece.object) or ".a(" in piece.object else ""


def _entries(elf: Path) -> Iterator[tuple[str, int]]:
    """Yield name and address of the engine's entries. Bit 0 of a Thumb function is no address."""
    with elf.open("rb") as file:
        image = ELFFile(file)
        odd = 1 if image.header["e_machine"] == "EM_ARM" else 0
        table: Any = image.get_section_by_name(".symtab")
        for symbol in table.iter_symbols() if table else ():
            if symbol.name in ENTRIES:
                yield symbol.name, symbol["st_value"] & ~odd


def parse(text: str) -> Iterator[Call]:
    """Yield the calls that counter.c wrote."""
    lines = iter(text.splitlines())
    for line in lines:
        name, count = line.split()
        costs = [Cost(*map(int, next(lines).split())) for _ in range(int(count) + 1)]
        total = functools.reduce(Cost.__add__, costs)
        if len(costs) > 1:
            costs[:2] = [costs[0] + costs[1]]
        yield Call(name, tuple(costs) if int(count) else (), total)


def last(calls: list[Call], entry: str) -> Call:
    """Return the last call of an entry.

    Raises:
        DeviceError: there is none.
    """
    for call in reversed(calls):
        if call.entry == entry:
            return call
    raise DeviceError(f"the plugin saw no call of {entry}()", "is the firmware built by torpor?")
