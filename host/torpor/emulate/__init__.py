# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Runs a firmware on this computer: in QEMU, or as a process where the board is `native`."""

from torpor.emulate.cut import Cut, Moment
from torpor.emulate.debugger import Code, Store, functions
from torpor.emulate.emulator import Emulator, start
from torpor.emulate.firmware import Firmware
from torpor.emulate.flash import FlashFile
from torpor.emulate.terminal import Terminal

__all__ = [
    "Code",
    "Cut",
    "Emulator",
    "Firmware",
    "FlashFile",
    "Moment",
    "Store",
    "Terminal",
    "functions",
    "start",
]
