# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Worst-case stack from GCC's call graphs (-fcallgraph-info=su).

GCC writes one graph per object file: a node for each function with its frame in bytes, an edge for
each call that is left after inlining. What it cannot see is declared in firmware/calls.toml: the
targets of calls through pointers, and the stack of library functions.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from torpor.errors import BudgetError

INDIRECT = "__indirect_call"
_NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?(?:(\d+) bytes \(([^)]+)\))?"')
_EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


@dataclass
class CallGraph:
    """Functions by name: bytes of their frames, and what they call.

    A static function is called "file:name" by GCC, and here too.
    """

    frames: dict[str, int] = field(default_factory=dict)
    calls: dict[str, set[str]] = field(default_factory=dict)
    unbounded: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Add one .ci file."""
        for title, size, kind in _NODE.findall(text):
            if size:
                self.frames[title] = int(size)
                if kind.startswith("dynamic") and "bounded" not in kind:
                    self.unbounded.add(title)
        for source, target in _EDGE.findall(text):
            self.calls.setdefault(source, set()).add(target)


@dataclass(frozen=True)
class Path:
    """The deepest chain of calls from a function, with the sum of the frames in bytes."""

    bytes: int
    functions: tuple[str, ...]


def base_name(title: str) -> str:
    """Return the function's name without file and without GCC's suffixes: "x.c:f.part.0" is f."""
    return title.rpartition(":")[2].partition(".")[0]


class StackAnalysis:
    """Finds the deepest path from a function.

    Args:
        graph: all object files of the firmware.
        linked: names of the functions in the ELF file; others are no targets of pointers.
        targets: name of a function that calls through a pointer -> patterns of names it may call.
        library: name of a library function -> its stack in bytes.
        recursion: name of a function that calls itself -> how many of it are active at most.
        where: the file that the three are declared in, for messages.
        measured: name of a function -> its stack in bytes with all that it calls: nobody looks
            into it.
    """

    def __init__(
        self,
        graph: CallGraph,
        linked: Iterable[str],
        targets: Mapping[str, list[str]],
        library: Mapping[str, int],
        recursion: Mapping[str, int] | None = None,
        *,
        where: str = "firmware/calls.toml",
        measured: Mapping[str, int] | None = None,
    ) -> None:
        self._graph = graph
        self._recursion = recursion or {}
        self._linked = {base_name(name) for name in linked}
        self._targets = targets
        self._library = library
        self._where = where
        self._known = {name: Path(size, (name,)) for name, size in (measured or {}).items()}

    def is_linked(self, name: str) -> bool:
        """Say whether a function is in the program: its code is known, and the ELF file has it."""
        return name in self._graph.frames and name in self._linked

    def deepest(self, function: str, above: tuple[str, ...] = ()) -> Path:
        """Return the deepest path from `function`.

        Args:
            function: its title in the graph.
            above: the functions that led here.

        Raises:
            BudgetError: recursion, a frame of unknown size, or a call that is not declared.
        """
        if function in self._known:
            return self._known[function]
        if function in above:
            cycle = " -> ".join(map(base_name, (*above[above.index(function) :], function)))
            hint = f"if there is one: {base_name(function)} = depth in {self._table('recursion')}"
            raise BudgetError(f"stack: recursion has no bound: {cycle}", hint)
        below = [self.deepest(c, (*above, function)) for c in sorted(self._callees(function))]
        deepest = max(below, key=lambda path: path.bytes, default=Path(0, ()))
        total = self._frame(function) + deepest.bytes
        self._known[function] = Path(total, (base_name(function), *deepest.functions))
        return self._known[function]

    def _frame(self, function: str) -> int:
        if function in self._graph.unbounded:
            hint = "an array of it has a variable length, or it calls alloca()"
            raise BudgetError(f"stack: the frame of {base_name(function)} has no bound", hint)
        if function in self._graph.frames:
            return self._graph.frames[function] * self._recursion.get(base_name(function), 1)
        if function in self._library:
            return self._library[function]
        raise BudgetError(
            f"stack: nothing is known of {function}",
            f"add its bytes of stack to {self._table('library')}",
        )

    def _callees(self, function: str) -> set[str]:
        found: set[str] = set()
        for callee in self._graph.calls.get(function, ()):
            found |= self._pointed_at(function) if callee == INDIRECT else {callee}
        return found - ({function} if base_name(function) in self._recursion else set())

    def _table(self, name: str) -> str:
        """Name a table of the file that a user can write to."""
        prefix = "" if self._where.endswith("calls.toml") else "calls."
        return f"[{prefix}{name}] of {self._where}"

    def _pointed_at(self, function: str) -> set[str]:
        patterns = self._targets.get(base_name(function))
        if patterns is None:
            raise BudgetError(
                f"stack: {base_name(function)} calls through a pointer",
                f'add {base_name(function)} = ["what_it_calls", ...] to {self._table("targets")}',
            )
        return {title for title in self._graph.frames if self._matches(title, patterns)}

    def _matches(self, title: str, patterns: list[str]) -> bool:
        name = base_name(title)
        return name in self._linked and any(fnmatchcase(name, p) for p in patterns)


def worst_case(analysis: StackAnalysis, start: Mapping[str, Any], frame: int) -> Path:
    """Return the deepest stack: the main path, and above it one interrupt with its frame."""
    main = analysis.deepest(start["main"])
    linked = [name for name in start.get("drivers", ()) if analysis.is_linked(name)]
    handlers = [analysis.deepest(handler) for handler in (*start["handlers"], *linked)]
    worst = max(handlers, key=lambda path: path.bytes)
    functions = (*main.functions, "<interrupt>", *worst.functions)
    return Path(main.bytes + frame + worst.bytes, functions)
