# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Engines beside each other: the same model on the same board, and what the first one costs of 1.

Pure: it knows measurements and nothing of where they come from.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from torpor.bench import Measurement

Number = float | None


@dataclass(frozen=True)
class Column:
    """What a table shows of a measurement.

    Attributes:
        name: its heading.
        value: the number, None where it is not known.
        digits: behind the point.
    """

    name: str
    value: Callable[[Measurement], Number]
    digits: int = 0


def flash_bytes(row: Measurement) -> int:
    """Return all that inference takes of the flash."""
    return row.code_bytes + row.rodata_bytes + row.model_bytes


WORK = (
    Column("instructions", lambda row: row.insn),
    Column("a MAC", lambda row: row.insn_per_mac, 2),
    Column("loaded", lambda row: row.loaded_bytes),
    Column("stored", lambda row: row.stored_bytes),
)
BYTES = (
    Column("flash", flash_bytes),
    Column("code", lambda row: row.code_bytes),
    Column("model", lambda row: row.model_bytes),
    Column("RAM", lambda row: row.ram_bytes),
    Column("stack", lambda row: row.stack_bytes),
    Column("at start", lambda row: row.init_insn),
)


@dataclass(frozen=True)
class Pair:
    """An engine, and the one that it is compared with: that which was named first."""

    base: Measurement
    other: Measurement

    @property
    def name(self) -> str:
        """What is divided by what: "torpor / tflm"."""
        return f"{self.other.engine} / {self.base.engine}"

    def ratio(self, column: Column) -> Number:
        """Return a number of the other engine as a part of the base's; None: not known."""
        top, bottom = column.value(self.other), column.value(self.base)
        return None if top is None or not bottom else top / bottom


def groups(rows: Iterable[Measurement]) -> list[list[Measurement]]:
    """Return the measurements of each model and board, in order."""
    found: dict[tuple[str, str], list[Measurement]] = {}
    for row in rows:
        found.setdefault((row.model, row.board), []).append(row)
    return list(found.values())


def pairs(group: Sequence[Measurement], first: str) -> Iterator[Pair]:
    """Yield each other engine of a group beside the one that was named first, if it is there."""
    base = next((row for row in group if row.engine == first), None)
    if base:
        yield from (Pair(base, row) for row in group if row is not base)
