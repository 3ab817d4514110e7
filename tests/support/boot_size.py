# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How large a bootloader may be, by core. Each board is checked where tests build it anyway."""

import json
from pathlib import Path

from torpor.board import Board

KIB = 1024
LIMITS = {
    "cortex-m0": 23 * KIB,
    "cortex-m0plus": 23 * KIB,
    "cortex-m4": 18 * KIB,
    "cortex-m33": 18 * KIB,
    "cortex-m55": 18 * KIB,
    "rv32imac": 24 * KIB,
    "rv32imc": 24 * KIB,
}


def check_boot_size(board: Board, elf: Path) -> None:
    """Hold a bootloader against the limit of its core, and the stack that it has reserved."""
    footprint = json.loads(elf.with_name("footprint.json").read_text())
    assert footprint["flash_bytes"] <= LIMITS[board.core.name]
    assert board.slots and footprint["stack_bytes"] <= board.slots.stack
