# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Chips whose buses see memory at different addresses, and whose ROM loads the bootloader."""

import dataclasses
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from tests.build.conftest import Tree
from torpor.board import Memory, as_bootloader, as_image, load_board, parse_board
from torpor.board.layout import flash_address
from torpor.errors import UsageError
from torpor.paths import BOARDS
from torpor_build import linker

NAME = "esp32c3_devkit"
BOARD = load_board(NAME)
TEXT = (BOARDS / NAME / "board.toml").read_text()
PROGRAM = """
const char constant[] = "a constant of many bytes";
int data[] = {1, 2, 3};
__attribute__((section(".ramfunc"))) int in_ram(int n) { return data[n] + constant[n]; }
__attribute__((section(".vectors"))) int riscv_entry(void) { return in_ram(1) + constant[2]; }
__attribute__((section(".handoff"))) int kept;
int cleared;
"""


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, int]]:
    """Return segments (seen at, lies at, bytes) and symbols of a small program in the window."""
    folder = tmp_path_factory.mktemp("buses")
    (folder / "p.c").write_text(PROGRAM)
    (folder / "p.ld").write_text(linker.script(as_image(BOARD, 1)))
    command = ["riscv64-unknown-elf-gcc", *BOARD.core.flags, "-Os", "-ffreestanding", "-nostdlib"]
    command += ["-fno-builtin", "-Wl,--nmagic", "-Wl,--no-warn-rwx-segments", "-T", "p.ld"]
    subprocess.run([*command, "p.c", "-o", "p.elf"], cwd=folder, check=True)
    return _read(folder / "p.elf")


def _read(path: Path) -> tuple[Any, dict[str, int]]:
    with path.open("rb") as file:
        elf: Any = ELFFile(file)
        parts = [s for s in elf.iter_segments("PT_LOAD") if s["p_filesz"]]
        segments = sorted((s["p_paddr"], s["p_vaddr"], s.data()) for s in parts)
        symbols = elf.get_section_by_name(".symtab").iter_symbols()
        return segments, {s.name: s["st_value"] for s in symbols}


def test_constants_are_behind_the_code_and_seen_where_loads_see_them(
    linked: tuple[Any, dict[str, int]],
) -> None:
    segments, symbols = linked
    assert segments[0][:2] == (0x42400200, 0x42400200)
    seen = symbols["constant"]
    (lies,) = [at + seen - v for at, v, data in segments if v <= seen < v + len(data)]
    assert lies - seen == 0x42000000 - 0x3C000000
    assert 0 <= lies - (segments[0][0] + len(segments[0][2])) < 16


def test_what_is_copied_to_ram_is_data_and_functions_in_one_piece(
    linked: tuple[Any, dict[str, int]],
) -> None:
    segments, symbols = linked
    end, size = 0, symbols["__data_end"] - symbols["__data_start"]
    copied = b""
    for lies, _, data in segments:
        if lies >= symbols["__data_load"]:
            assert not end or lies == end, "no gap"
            end = lies + len(data)
            copied += data
    assert len(copied) == size
    assert copied[:12] == b"".join(n.to_bytes(4, "little") for n in (1, 2, 3))
    assert symbols["in_ram"] - 0x40380000 == symbols["__data_start"] + 12 - 0x3FC80000
    assert symbols["__data_end"] <= symbols["__bss_start"]


def test_the_bootloader_has_the_ram_below_itself() -> None:
    boot = as_bootloader(BOARD)
    code, ram = boot.memory["code"], boot.memory["ram"]
    assert (code.origin, code.constants) == (0x403C0000, 0x3FCC0000)
    assert ram.origin + ram.size == 0x3FCC0000
    assert boot.budget and boot.slots
    assert boot.budget.ram + boot.slots.stack == ram.size


def test_the_flash_is_seen_at_another_address_than_code_lies_at() -> None:
    assert flash_address(BOARD, 0x42000000) == 0x3C000000
    assert flash_address(BOARD, 0x42012345) == 0x3C012345
    for address in (0x3C000000, 0x41FFFFFF, 0x42400000, 0x403C0000):
        assert flash_address(BOARD, address) == address
    assert flash_address(load_board("microbit"), 0x100) == 0x100
    assert flash_address(load_board("native"), 0x100) == 0x100


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("links = 1 ", "links = 2 ", "'slots.window' with 'board.links' = 2"),
        ("boot = 0x10000 ", "boot = 0x11000 ", "'slots.journal' .* and 'slots.boot' .* overlap"),
        (
            "constants = 0x3C000000",
            "constants = -1",
            "'memory.code.constants' must not be negative",
        ),
        ("functions =", "function =", "unknown key 'memory.ram.function'"),
    ],
)
def test_what_cannot_be_is_refused(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(UsageError) as error:
        parse_board("x", TEXT.replace(old, new, 1), "boards/x/board.toml")
    assert re.search(message, error.value.message)


def test_a_board_with_one_view_of_its_memory_has_no_word_of_another() -> None:
    board = load_board("riscv_virt")
    script = linker.script(board)
    assert not re.search("CONSTANTS|FUNCTIONS|ASSERT", script)
    one = dataclasses.replace(BOARD, memory=board.memory | {"boot": Memory("ram", 0, 0)})
    assert (
        script.partition("MEMORY")[2].partition("__stack_top")[0]
        == (linker.script(one).partition("MEMORY")[2].partition("__stack_top")[0])
    )


def test_the_build_makes_what_the_rom_loads_and_nothing_of_it_elsewhere(tree: Tree) -> None:
    tree.scons("board=esp32c3_devkit", "boot")
    boot = tree.folder / "build" / NAME / "boot"
    assert (boot / "boot.bin").read_bytes()[:1] == b"\xe9"
    before = (boot / "boot.bin").stat().st_mtime_ns
    tree.scons("board=esp32c3_devkit", "boot")
    assert (boot / "boot.bin").stat().st_mtime_ns == before, "nothing was to do"
    tree.scons("board=microbit", "boot")
    assert not (tree.folder / "build/microbit/boot/boot.bin").exists()
