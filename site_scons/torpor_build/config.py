# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Makes the C files that hold facts of the board and of the plan."""

from collections.abc import Iterable
from dataclasses import asdict

from torpor.board import Board


def board_header(board: Board) -> str:
    """Return the text of board_config.h: facts of the board that its port needs, as macros."""
    facts: dict[str, int] = {}
    for table in ("timer", "uart"):
        values = asdict(getattr(board, table)) if getattr(board, table) else {}
        for key, value in values.items():
            if isinstance(value, int):
                facts[f"BOARD_{table}_{key}".upper()] = value
    lines = "".join(f"#define {name} {value:#x}u\n" for name, value in facts.items())
    return (
        f"/* Made from boards/{board.name}/board.toml. Do not edit. */\n"
        f"#ifndef BOARD_CONFIG_H\n#define BOARD_CONFIG_H\n\n{lines}\n#endif\n"
    )


def board_source(board: Board) -> str:
    """Return the text of board.c: the definition that hal/board.h declares."""
    return (
        f"/* Made from boards/{board.name}/board.toml. Do not edit. */\n"
        '#include "hal/board.h"\n\n'
        f'const board_t board = {{.name = "{board.name}", .timer_hz = {board.timer.hz}u}};\n'
    )


def model_source(arena_bytes: int, arena_align: int, kernels: Iterable[str]) -> str:
    """Return the text of model.c: the arena, and the table of `kernels` ("CONV_2D_S8", ...)."""
    rows = "".join(f"    [PLAN_OP_{name}] = &infer_{name.lower()},\n" for name in kernels)
    return (
        "/* Made from plan.bin and kernels.txt. Do not edit. */\n"
        '#include "app/model.h"\n'
        '#include "infer/kernel.h"\n\n'
        f"_Alignas({arena_align}) uint8_t model_arena[{max(arena_bytes, 1)}];\n"
        f"const uint32_t model_arena_bytes = {arena_bytes};\n\n"
        f"const infer_kernel_t *const infer_kernels[PLAN_OP_COUNT] = {{\n{rows}}};\n"
    )
