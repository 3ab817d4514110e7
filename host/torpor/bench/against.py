# SPDX-License-Identifier: Apache-2.0
"""Holds measurements against older ones, so that nothing grows unnoticed. Pure but for `read`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torpor.errors import UsageError

KEY = ("model", "board", "engine")
SIZES = (
    "insn",
    "init_insn",
    "code_bytes",
    "rodata_bytes",
    "model_bytes",
    "ram_bytes",
    "stack_bytes",
)
"""What must not grow. The other fields say what was measured, or follow from these."""

HINT = "make it with torpor bench ... --json > FILE"
Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """What became worse, and what could not be compared; each a sentence.

    Attributes:
        worse: a number that grew beyond the threshold, or bytes that are no longer equal.
        missing: a pair or a number that only one of the two has.
    """

    worse: tuple[str, ...]
    missing: tuple[str, ...]


def read(path: Path) -> list[Row]:
    """Return what `torpor bench --json` once printed.

    Raises:
        UsageError: it cannot be read, or is something else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", HINT) from None
    except ValueError as error:
        raise _other_file(path, str(error)) from None
    if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        raise _other_file(path, "no list of measurements")
    return rows


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(name), str) for name in KEY)
        and all(isinstance(row.get(name, ""), int | None) for name in SIZES)
    )


def _other_file(path: Path, what: str) -> UsageError:
    return UsageError(f"{path} is no output of torpor bench --json: {what}", HINT)


def compare(old: Sequence[Row], new: Sequence[Row], threshold: float) -> Comparison:
    """Compare measurements of the same model, board and engine.

    Args:
        old: what was.
        new: what is.
        threshold: percent that a number may grow.
    """
    before = {_key(row): row for row in old}
    after = {_key(row): row for row in new}
    worse, missing = [], []
    for key, row in after.items():
        if key not in before:
            missing.append(f"{_words(key)}: not in the old measurements")
            continue
        worse += _worse(before[key], row, threshold)
        missing += _lost(before[key], row)
    missing += [f"{_words(key)}: not measured now" for key in before if key not in after]
    return Comparison(tuple(worse), tuple(missing))


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in KEY)


def _words(key: Sequence[str]) -> str:
    model, board, engine = key
    return f"{model} on {board}" + ("" if engine == "torpor" else f" with {engine}")


def _worse(old: Row, new: Row, threshold: float) -> list[str]:
    where, found = _words(_key(new)), []
    if old.get("byte_equal") and not new.get("byte_equal"):
        found.append(f"{where}: bytes are no longer equal")
    for name in SIZES:
        a, b = old[name], new[name]
        if a is not None and b is not None and b > a * (1 + threshold / 100):
            more = f"{100 * (b - a) / a:.2f} % more" if a else "from nothing"
            found.append(f"{where}: {name} {a:,} -> {b:,}, {more}")
    return found


def _lost(old: Row, new: Row) -> list[str]:
    lost = [name for name in SIZES if old[name] is not None and new[name] is None]
    return [f"{_words(_key(new))}: {name} is not measured any more" for name in lost]
