# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""tests/port/conformance.c on a chip's model: what it says, line by line."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.chips.machine import Machine
from tests.port.test_conformance import build
from torpor.board import Board
from torpor.wire import framing

SECONDS = 100_000  # of the chip's time: its clock wraps several times, once in 4295 s at 1 MHz


class Uart(Protocol):
    """What a chip's console has."""

    sent: bytearray


class Chip(Protocol):
    """What a chip's model has."""

    machine: Machine

    @property
    def uart(self) -> Uart: ...


def lines_of(sent: bytes) -> list[str]:
    """Return the lines of text that a device has sent."""
    return [str(event) for event in framing.Decoder().feed(sent)]


def run(chip: Chip, board: Board, folder: Path, *, careless: bool = False) -> list[str]:
    """Build the program for the board, run it on the chip from power-on, return its lines."""
    elf = build(board, folder, careless=careless, exact=True)
    chip.machine.load(elf)
    chip.machine.power_on()
    return until_line(chip, "done")


def until_line(chip: Chip, last: str, seconds: float = SECONDS) -> list[str]:
    """Run until the device has said `last`; return all its lines."""
    said = is_said(chip.uart, last)
    ended = chip.machine.run(seconds, until=said)
    lines = lines_of(bytes(chip.uart.sent))
    print(*lines, f"{ended} after {chip.machine.seconds} s of the chip", sep="\n")
    assert ended == "until", lines
    return lines


def is_said(uart: Uart, last: str) -> Callable[[], bool]:
    """Return a function that says whether the device has said a line."""
    wanted = last.encode()

    def said() -> bool:
        return wanted in uart.sent and last in lines_of(bytes(uart.sent))

    return said


def check(lines: list[str], contracts: int = 53) -> None:
    """Insist that all contracts are kept."""
    assert lines[0] == "first"
    assert [line for line in lines if line.startswith("BAD")] == []
    assert len([line for line in lines if line.startswith("good")]) == contracts
