# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Functions that run from RAM, while the flash cannot be read: they call nothing in the flash."""

from collections.abc import Mapping, Set

from torpor.board import Memory
from torpor.errors import BudgetError
from torpor.footprint.callgraph import INDIRECT, CallGraph, base_name


def check_ram_code(graph: CallGraph, places: Mapping[str, Set[int]], ram: Memory) -> None:
    """Insist that what runs from RAM calls only what is in RAM, too.

    The compiler may call memcpy() for a loop, or share a part of two functions: nobody sees that in
    the source.

    Args:
        graph: of the program's object files.
        places: base name of a linked function -> its addresses; static ones may share a name.
        ram: where functions are copied to at start.

    Raises:
        BudgetError: one does not.
    """
    starts = [ram.origin, *([] if ram.functions is None else [ram.functions])]

    def is_in_ram(title: str) -> bool:
        addresses = places.get(base_name(title), ())
        return any(start <= a < start + ram.size for a in addresses for start in starts)

    for caller in filter(is_in_ram, graph.frames):
        for callee in sorted(graph.calls.get(caller, ())):
            if not is_in_ram(callee):
                what = "a pointer" if callee == INDIRECT else base_name(callee)
                raise BudgetError(
                    f"{base_name(caller)} runs from RAM, and calls {what}",
                    "while the flash is busy nothing can be read from it: RAM_FUNCTION",
                )
