# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Makes the C files that hold facts of the board and of the plan."""

from collections.abc import Iterable
from dataclasses import asdict

from torpor.board import Board, Flash, Region, regions

_NMI, _SYSTICK, _INTERRUPTS = 2, 15, 16  # numbers of exceptions: Arm DDI 0403, B1.5.2


def board_header(board: Board) -> str:
    """Return the text of board_config.h: facts of the board that its port needs, as macros."""
    facts: dict[str, int] = {}
    for table in ("flash", "timer", "uart", "watchdog", "alarm", "pin"):
        values = asdict(getattr(board, table)) if getattr(board, table) else {}
        for key, value in values.items():
            if isinstance(value, int):
                facts[f"BOARD_{table}_{key}".upper()] = value
    if board.slots and board.slots.window is not None:
        facts["BOARD_SLOTS_WINDOW"] = board.slots.window
    if board.slots:
        facts["BOARD_SLOTS_RECEIVE"] = board.slots.receive
    if board.core.architecture == "cortexm":
        facts |= _vectors(board)
    lines = "".join(f"#define {name} {value:#x}u\n" for name, value in facts.items())
    if board.core.architecture == "cortexm":
        entries = (f" entry({irq}, {isr})" for isr, irq in _drivers(board).items())
        lines += f"#define BOARD_DRIVERS(entry){''.join(entries)}\n"
    return (
        f"/* Made from boards/{board.name}/board.toml. Do not edit. */\n"
        f"#ifndef BOARD_CONFIG_H\n#define BOARD_CONFIG_H\n\n{lines}\n#endif\n"
    )


def _vectors(board: Board) -> dict[str, int]:
    """Length of a vector table that reaches to the last exception which is ever enabled."""
    assert board.uart is not None
    watchdog = board.watchdog.exception if board.watchdog else _NMI
    interrupts = (board.uart.irq, *_drivers(board).values())
    last = max(_SYSTICK, _INTERRUPTS + max(interrupts), watchdog)
    return {"BOARD_WATCHDOG_EXCEPTION": watchdog, "BOARD_VECTORS": last + 1}


def _drivers(board: Board) -> dict[str, int]:
    """Interrupts of drivers that not every program has, by handler."""
    drivers = {"cortexm_alarm_isr": board.alarm, "cortexm_pin_isr": board.pin}
    return {isr: facts.irq for isr, facts in drivers.items() if facts}


def board_source(board: Board) -> str:
    """Return the text of board.c: what hal/board.h declares; board_scene() of memory that is there.

    A process of this computer has no memory at a known address: its port defines board_scene().
    """
    return (
        f"/* Made from boards/{board.name}/board.toml. Do not edit. */\n"
        '#include "hal/board.h"\n\n'
        f'const board_t board = {{.name = "{board.name}", .timer_hz = {board.timer.hz}u, '
        f".trial_ms = {board.watchdog.trial_ms if board.watchdog else 0}u}};\n"
        f"{_scene_source(board) if board.memory else ''}"
    )


def _scene_source(board: Board) -> str:
    origin, size = (board.scene.origin, board.scene.size) if board.scene else (0, 0)
    place = f"(const void *){origin:#x}u" if size else "(const void *)0"
    return (
        "\nconst void *board_scene(uint32_t *bytes)\n{\n"
        f"    *bytes = {size:#x}u;\n    return {place};\n}}\n"
    )


def layout_source(board: Board) -> str:
    """Return the text of layout.c: what update/layout.h declares of a board with slots."""
    assert board.flash is not None and board.slots is not None
    journal, *places = regions(board)
    slots = "".join(f"        {_region(place, board.flash)},\n" for place in places)
    links = [place.address if board.links == 2 and board.memory else 0 for place in places[:2]]
    return (
        f"/* Made from boards/{board.name}/board.toml. Do not edit. */\n"
        '#include "update/layout.h"\n\n'
        "const update_layout_t update_layout = {\n"
        f'    .board = "{board.name}",\n'
        f"    .erase_size = {board.flash.erase_size:#x}u,\n"
        f"    .write_size = {board.flash.write_size}u,\n"
        f"    .erase_step = {max(1000 // board.flash.erase_ms, 1)}u,\n"
        f"    .journal_block = {board.journal_block:#x}u,\n"
        f"    .journal = {_region(journal, board.flash)},\n"
        f"    .slots = {{\n{slots}    }},\n"
        f"    .link = {{{links[0]:#x}u, {links[1]:#x}u}},\n"
        "};\n"
    )


def _region(place: Region, flash: Flash) -> str:
    return f"{{{place.address - flash.origin:#x}u, {place.size:#x}u}}"


def key_source(public: bytes, digest: bytes, *, development: bool) -> str:
    """Return the text of key.c: the key that update/layout.h declares.

    Args:
        public: 32 bytes, Ed25519.
        digest: 32 bytes, SHA-256 of its SubjectPublicKeyInfo.
        development: its private half is public.
    """
    return (
        "/* Made from the key file. Do not edit. */\n"
        '#include "update/layout.h"\n\n'
        "const update_key_t update_key = {\n"
        f"    .public_key = {{{_bytes(public)}}},\n"
        f"    .hash = {{{_bytes(digest)}}},\n"
        f"    .development = {str(development).lower()},\n"
        "};\n"
    )


def _bytes(data: bytes) -> str:
    return ", ".join(f"{byte:#04x}" for byte in data)


def model_source(arena_bytes: int, arena_align: int, kernels: Iterable[str]) -> str:
    """Return the text of model.c: the arena, and the table of `kernels` ("CONV_2D_S8", ...)."""
    rows = "".join(f"    [PLAN_OP_{name}] = &infer_{name.lower()},\n" for name in kernels)
    return (
        "/* Made from plan.bin and kernels.txt. Do not edit. */\n"
        '#include "app/model.h"\n'
        '#include "infer/kernel.h"\n\n'
        f"{_arena(arena_bytes, arena_align)}\n"
        f"const infer_kernel_t *const infer_kernels[PLAN_OP_COUNT] = {{\n{rows}}};\n"
    )


def arena_source(arena_bytes: int, arena_align: int) -> str:
    """Return the text of model.c where a resolver has the kernels: the arena alone."""
    return (
        "/* Made from plan.bin. Do not edit. */\n"
        '#include "app/model.h"\n\n'
        f"{_arena(arena_bytes, arena_align)}"
    )


def _arena(size: int, align: int) -> str:
    return (
        f"_Alignas({align}) uint8_t model_arena[{max(size, 1)}];\n"
        f"const uint32_t model_arena_bytes = {size};\n"
    )
