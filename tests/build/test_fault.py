# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A fault resets the board, and the next start tells where it happened."""

import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from torpor import emulate
from torpor.board import board_names, load_board
from torpor.emulate import firmware
from torpor.wire import framing, records

BOARDS = [name for name in board_names() if load_board(name).memory]
# Architecture -> an instruction that is never defined, and the number of the exception it makes.
UNDEFINED = {
    "cortexm": (b"\xff\xde", 3),  # UDF (Arm DDI 0419, A6.7.72): HardFault
    "riscv": (b"\x00\x00", 2),  # all bits 0 ("C" extension, 16.8): illegal instruction
}


def break_function(elf: Path, name: str, undefined: bytes) -> int:
    """Put an undefined instruction at the start of a function; return its address."""
    with elf.open("r+b") as file:
        image: Any = ELFFile(file)
        symbol = image.get_section_by_name(".symtab").get_symbol_by_name(name)[0]
        address = int(symbol["st_value"]) & ~1
        text = image.get_section_by_name(".text")
        file.seek(text["sh_offset"] + address - text["sh_addr"])
        file.write(undefined)
    return address


@pytest.mark.emulated
@pytest.mark.parametrize("board", BOARDS)
def test_a_fault_is_reported_after_the_reset(board: str, tmp_path: Path) -> None:
    facts = load_board(board).emulator
    if facts is None or shutil.which(facts.program) is None:
        pytest.skip(f"no emulator of {board} is installed")
    elf = Path(shutil.copy(firmware.build(board, "motion").elf, tmp_path))
    undefined, exception = UNDEFINED[load_board(board).core.architecture]
    address = break_function(elf, "infer_invoke", undefined)
    decoder = framing.Decoder()
    with emulate.start(board, elf) as device:
        run = records.Run(seq=1, window=1, crc=zlib.crc32(bytes(384)))
        device.transport.write(framing.encode_frame(records.encode(run)))
        lines: list[str] = []
        while not any(line.startswith("restarted") for line in lines):
            data = device.transport.read(20)
            assert data, f"nothing more after {lines}"
            lines += [str(e) for e in decoder.feed(data) if isinstance(e, framing.Text)]
    assert lines[:2] == [f"torpor on {board}"] * 2
    assert lines[2].startswith(f"restarted after exception {exception} at {address:08x}, called")
