# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Shows a footprint as text: one line, or bars of who uses what."""

from torpor.board import Board, Budget
from torpor.footprint.measure import Footprint

_WIDTH = 40


def summary(footprint: Footprint, board: Board) -> str:
    """Return one line: what is used of which budget."""
    budget = board.budget
    parts = [
        _share("flash", footprint.flash_bytes, budget.flash if budget else None),
        f"(plan {footprint.model_bytes})",
        _share("RAM", footprint.ram_bytes, budget.ram if budget else None),
        f"(arena {footprint.arena_bytes})",
    ]
    if footprint.stack_bytes is not None:
        parts.append(_share("stack", footprint.stack_bytes, budget.stack if budget else None))
    if footprint.engine_stack_bytes is not None:
        parts.append(f"(TFLM {footprint.engine_stack_bytes} {footprint.engine_stack_basis})")
    return "  ".join(parts)


def _share(name: str, used: int, budget: int | None) -> str:
    return f"{name} {used}" if budget is None else f"{name} {used} of {budget}"


def picture(footprint: Footprint, budget: Budget) -> str:
    """Return bars for flash, RAM and stack, each part with its bytes."""
    lines = [
        *_bars("flash", footprint.flash_bytes, budget.flash, footprint.flash_parts),
        *_bars("RAM", footprint.ram_bytes, budget.ram, footprint.ram_parts),
    ]
    if footprint.stack_bytes is not None:
        lines += _bars("stack", footprint.stack_bytes, budget.stack, {})
        lines.append("  deepest: " + " > ".join(footprint.stack_path))
    return "\n".join(lines)


def _bars(name: str, used: int, budget: int, parts: dict[str, int]) -> list[str]:
    verdict = f"{used - budget} too many" if used > budget else f"{budget - used} free"
    scale = max(used, budget, 1)
    lines = [f"{name}: {used} of {budget} bytes, {verdict}"]
    for part, size in parts.items():
        bar = "#" * round(size * _WIDTH / scale)
        lines.append(f"  {part:<10} {size:>8}  {bar}")
    return lines
