# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Programs whose first bytes a chip's ROM checks: who gets a checksum, and where it may be."""

import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from tests.build.conftest import Tree
from torpor.board import as_bootloader, as_image, load_board, parse_board
from torpor.errors import BudgetError, UsageError
from torpor.paths import BOARDS
from torpor_build import second_stage

NAME = "rp2040_pico"
BOARD = load_board(NAME)
CODE = BOARD.memory["code"]
TEXT = (BOARDS / NAME / "board.toml").read_text()
SIZE = 256


def program(folder: Path, stage: bytes, origin: int = CODE.origin) -> Path:
    """Link bytes to an address."""
    source, elf = folder / "p.s", folder / "p.elf"
    source.write_text(f".text\n.global _start\n_start: .byte {','.join(map(str, stage))}\n")
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-nostdlib", "-Wl,--nmagic"]
    subprocess.run([*command, f"-Wl,-Ttext={origin:#x}", str(source), "-o", str(elf)], check=True)
    return elf


def content(elf: Path) -> bytes:
    """Return the first bytes of what is loaded."""
    with elf.open("rb") as file:
        return bytes(next(ELFFile(file).iter_segments("PT_LOAD")).data())


def test_the_last_four_bytes_become_the_checksum_of_the_others(tmp_path: Path) -> None:
    body = bytes(range(SIZE - 4))
    elf = program(tmp_path, body + bytes(4) + b"behind")
    second_stage.finish(elf, CODE)
    assert content(elf) == body + second_stage.checksum(body).to_bytes(4, "little") + b"behind"


def test_a_second_stage_that_is_too_long_fails_the_build(tmp_path: Path) -> None:
    elf = program(tmp_path, bytes(SIZE - 1) + b"\1")
    with pytest.raises(BudgetError, match="the second stage is too long"):
        second_stage.finish(elf, CODE)


@pytest.mark.parametrize(("origin", "size"), [(CODE.origin + 0x200, SIZE), (CODE.origin, SIZE - 8)])
def test_what_is_no_second_stage_is_left_alone(tmp_path: Path, origin: int, size: int) -> None:
    elf = program(tmp_path, bytes(size), origin)
    second_stage.finish(elf, CODE)
    assert content(elf) == bytes(size)


def test_the_check_value_of_the_catalogue() -> None:
    """These are the parameters of CRC-32/MPEG-2."""
    assert second_stage.checksum(b"123456789") == 0x0376E6E7


@given(st.binary(max_size=64), st.integers(0, 511))
def test_any_bit_changes_the_checksum(data: bytes, bit: int) -> None:
    changed = bytearray(data or b"\0")
    before = second_stage.checksum(bytes(changed))
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    assert second_stage.checksum(bytes(changed)) != before


def test_the_bootloader_has_one_and_an_image_in_a_slot_has_not() -> None:
    assert as_bootloader(BOARD).memory["code"].second_stage == SIZE
    assert [as_image(BOARD, slot).memory["code"].second_stage for slot in (0, 1)] == [None, None]


@pytest.mark.parametrize("size", [0, 4, 255, 0x400000])
def test_a_size_that_cannot_be_is_named(size: int) -> None:
    text = TEXT.replace("second_stage = 256", f"second_stage = {size}")
    assert text != TEXT
    with pytest.raises(UsageError, match=rf"'memory\.code\.second_stage' is {size}"):
        parse_board(NAME, text, "boards/x/board.toml")


def test_a_firmware_comes_out_of_the_build_with_it(tree: Tree) -> None:
    """Bootloaders are started by the ROM of tests/chips/test_rp2040_shipped.py."""
    build = (f"board={NAME}", "model=motion", "firmware")
    assert " sum " in tree.build(*build).stdout
    stage = content(tree.folder / "build" / NAME / "motion-int8" / "firmware.elf")[:SIZE]
    assert second_stage.checksum(stage[:-4]) == int.from_bytes(stage[-4:], "little") != 0
    assert " sum " not in tree.build(*build).stdout, "it is not done twice"
