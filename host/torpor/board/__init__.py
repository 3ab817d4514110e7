# SPDX-License-Identifier: Apache-2.0
"""Boards: every fact of a board from `boards/<name>/board.toml`, checked.

The build, the emulator and the compiler read boards through this module only. It imports nothing
beyond the standard library, because the build loads it on every run.
"""

from torpor.board.facts import (
    BOOT_FILES,
    CLOCKS,
    CORES,
    FAMILIES,
    KERNEL_SETS,
    PROBE_TOOLS,
    SHARED_PORTS,
    Alarm,
    Board,
    Budget,
    Core,
    Emulator,
    Flash,
    Memory,
    Models,
    Pin,
    Power,
    Probe,
    Scene,
    Slots,
    Timer,
    Uart,
    Watchdog,
)
from torpor.board.layout import (
    HEADER_BYTES,
    RECORDS_BYTES,
    Region,
    as_bootloader,
    as_image,
    code_region,
    regions,
)
from torpor.board.load import board_names, load_board, parse_board, read_table

__all__ = [
    "BOOT_FILES",
    "CLOCKS",
    "CORES",
    "FAMILIES",
    "HEADER_BYTES",
    "KERNEL_SETS",
    "PROBE_TOOLS",
    "RECORDS_BYTES",
    "SHARED_PORTS",
    "Alarm",
    "Board",
    "Budget",
    "Core",
    "Emulator",
    "Flash",
    "Memory",
    "Models",
    "Pin",
    "Power",
    "Probe",
    "Region",
    "Scene",
    "Slots",
    "Timer",
    "Uart",
    "Watchdog",
    "as_bootloader",
    "as_image",
    "board_names",
    "code_region",
    "load_board",
    "parse_board",
    "read_table",
    "regions",
]
