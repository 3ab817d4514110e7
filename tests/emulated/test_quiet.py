# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a block in which nothing happens costs a sleeping device, counted on emulated cores."""

import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tests.emulated.conftest import require
from tests.emulated.processes import eventually
from torpor import emulate
from torpor.board import Board, load_board
from torpor.emulate import counting
from torpor.emulate.qemu import quoted
from torpor.paths import FIRMWARE

SOURCE = Path(__file__).with_name("quiet.c")
PATIENCE_S = 30
STACK = 0x2000
FORMATS = ("160 x 1", "320 x 1", "64 x 3", "53 x 6")
MOST = {
    "mps2_an386": {"160 x 1": 1500, "gate_motion": 8300, "gate_sound": 280},
    "microbit": {"160 x 1": 2700, "gate_motion": 18600, "gate_sound": 400},
    "riscv_virt": {"160 x 1": 2000, "gate_motion": 10000, "gate_sound": 310},
}
"""Instructions."""
ENTRIES = ("quiet_block", "gate_motion", "gate_sound")


def script(board: Board) -> str:
    """Return the linker script."""
    code, ram = board.memory["code"].origin, board.memory["ram"].origin
    return f"""SECTIONS {{
    .first {code:#x} : {{ KEEP(*(.first)) }}
    .text {code + 0x100:#x} : {{ *(.text* .rodata* .srodata*) }}
    .last : {{ *(.last) }}
    .bss {ram:#x} : {{ *(.data* .sdata* .bss* .sbss* COMMON) }}
    /DISCARD/ : {{ *(.ARM.* .eh_frame) }}
}}
ENTRY(start)
"""


def build(board: Board, folder: Path) -> Path:
    """Build quiet.c for a board, with firmware/duty compiled as the firmware's is."""
    elf, places = folder / "quiet.elf", folder / "quiet.ld"
    places.write_text(script(board))
    subprocess.run(
        [
            *(f"{board.core.toolchain}-gcc", *board.core.flags, "--specs=picolibc.specs"),
            *("-nostartfiles", "-Os", "-Wall", "-Wextra", "-Werror", f"-I{FIRMWARE}"),
            *("-ffunction-sections", f"-DSTACK={board.memory['ram'].origin + STACK:#x}"),
            *("-T", str(places), "-Wl,--build-id=none,--nmagic,--no-warn-rwx-segments"),
            *map(str, (SOURCE, *sorted((FIRMWARE / "duty").glob("*.c")))),
            *("-o", str(elf)),
        ],
        check=True,
    )
    return elf


def regions(elf: Path) -> str:
    """Return what the plugin needs to know: everything counts but start()."""
    with elf.open("rb") as file:
        image = ELFFile(file)
        odd = 1 if image.header["e_machine"] == "EM_ARM" else 0
        table = image.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = {symbol.name: symbol["st_value"] & ~odd for symbol in table.iter_symbols()}
        lines = [f"enter {name} {symbols[name]:x}" for name in ENTRIES]
        for name, kind in ((".text", "count"), (".last", "leave")):
            section = image.get_section_by_name(name)
            assert section
            first, size = section["sh_addr"], section["sh_size"]
            lines.append(f"{kind} {first:x} {first + size:x}")
    return "\n".join(lines) + "\n"


def instructions(board: Board, folder: Path) -> dict[str, int]:
    """Return the instructions of each piece of work."""
    elf = build(board, folder)
    places, out = folder / "map", folder / "out"
    places.write_text(regions(elf))
    out.touch()
    plugin = f"{counting.plugin()},map={quoted(places)},out={quoted(out)}"
    names = (*FORMATS, *ENTRIES[1:])
    with emulate.start(board, elf, ["-plugin", plugin]):
        done = eventually(lambda: out.read_text().count("\n") >= 2 * len(names), PATIENCE_S)
        assert done, out.read_text()
        calls = list(counting.parse(out.read_text()))
    return {name: call.total.instructions for name, call in zip(names, calls, strict=True)}


@pytest.mark.emulated
@pytest.mark.parametrize("name", MOST)
def test_a_quiet_block_and_a_score_of_stage_1_are_cheap(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    require(board)
    assert board.emulator
    if reason := counting.unavailable(board.emulator.program):
        pytest.skip(reason)
    found = instructions(board, tmp_path)
    assert all(found[work] <= most for work, most in MOST[name].items()), found
    assert found["320 x 1"] < 2 * found["160 x 1"], "most of it is the samples"
    assert found["160 x 1"] > 160, "every sample was looked at"
