# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The file behind a flash: NOR rules, its place in the machine's memory, one owner at a time."""

import contextlib
import dataclasses
import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.board import Board, board_names, load_board
from torpor.emulate import FlashFile
from torpor.errors import UsageError

BLOCK = 256
SIZE = 16 * BLOCK
LASTING = [name for name in board_names() if (facts := load_board(name).emulator) and facts.flash]


def board_with(origin: int = 0, memory_size: int = 0) -> Board:
    """Return a board whose flash is small, and perhaps a part of a larger memory."""
    real = load_board("mps2_an386")
    assert real.flash and real.emulator
    flash = dataclasses.replace(real.flash, origin=origin, size=SIZE, erase_size=BLOCK)
    emulator = dataclasses.replace(real.emulator, memory_origin=0, memory_size=memory_size)
    return dataclasses.replace(real, flash=flash, emulator=emulator)


@pytest.fixture
def flash(tmp_path: Path) -> FlashFile:
    return FlashFile(board_with(), tmp_path / "flash")


def test_boards_with_slots_have_a_flash_that_lasts() -> None:
    boards = [load_board(name) for name in board_names()]
    assert [board.name for board in boards if board.slots and board.emulator] == LASTING


@pytest.mark.parametrize("name", LASTING)
def test_a_new_flash_of_a_board_is_erased_and_takes_no_more_disk_than_itself(
    name: str, tmp_path: Path
) -> None:
    board = load_board(name)
    flash = FlashFile(board, tmp_path / "flash")
    assert board.flash and flash.size == board.flash.size
    assert flash.read() == bytes([0xFF]) * flash.size
    assert flash.path.stat().st_blocks * 512 <= flash.size + 65536
    flash.program(flash.size - 4, b"last")
    assert FlashFile(board, flash.path).read(flash.size - 4) == b"last"


def test_a_flash_that_is_part_of_a_memory_lies_at_its_place(tmp_path: Path) -> None:
    flash = FlashFile(board_with(origin=3 * SIZE, memory_size=8 * SIZE), tmp_path / "flash")
    flash.program(5, b"here")
    flash.erase(SIZE - BLOCK, BLOCK)
    memory = flash.path.read_bytes()
    assert len(memory) == 8 * SIZE
    assert memory[3 * SIZE + 5 : 3 * SIZE + 9] == b"here"
    assert memory.count(0xFF) == SIZE - 4, "what is no flash is zero"


@given(
    st.lists(st.tuples(st.integers(0, SIZE - 1), st.binary(min_size=1, max_size=600)), max_size=9)
)
def test_programming_clears_bits_and_does_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, bytes]]
) -> None:
    flash = FlashFile(board_with(), tmp_path_factory.mktemp("flash") / "flash")
    expected = bytearray(b"\xff" * SIZE)
    for offset, wanted in writes:
        data = wanted[: SIZE - offset]
        old = expected[offset : offset + len(data)]
        if any(new & ~before & 0xFF for new, before in zip(data, old, strict=True)):
            with pytest.raises(UsageError, match=f"is not erased at {offset:#x}"):
                flash.program(offset, data)
        else:
            flash.program(offset, data)
            expected[offset : offset + len(data)] = data
        assert flash.read() == expected


@pytest.mark.parametrize(
    ("offset", "length", "blocks"),
    [(0, 1, {0}), (BLOCK, BLOCK, {1}), (BLOCK - 1, 2, {0, 1}), (SIZE - 1, 1, {15}), (0, 0, set())],
)
def test_erasing_takes_whole_blocks(
    flash: FlashFile, offset: int, length: int, blocks: set[int]
) -> None:
    flash.program(0, bytes(SIZE))
    flash.erase(offset, length)
    found = flash.read()
    for block in range(SIZE // BLOCK):
        value = 0xFF if block in blocks else 0
        assert found[block * BLOCK : (block + 1) * BLOCK] == bytes([value]) * BLOCK, block


@given(st.integers(0, SIZE - 64), st.binary(min_size=64, max_size=64), st.integers(0, 2**32))
def test_a_torn_operation_has_come_halfway_in_every_bit_that_it_changes(
    tmp_path_factory: pytest.TempPathFactory, offset: int, data: bytes, seed: int
) -> None:
    flash = FlashFile(board_with(), tmp_path_factory.mktemp("flash") / "flash")
    before = flash.read(offset, 64)
    flash.program(offset, data)
    flash.tear(offset, before, seed)
    torn = flash.read(offset, 64)
    assert all(now & ~new & 0xFF == now ^ new for now, new in zip(torn, data, strict=True))
    assert flash.read(0, offset) + flash.read(offset + 64) == b"\xff" * (SIZE - 64)
    if data.count(0) > 8:
        assert torn not in (before, data), "some of it is done, some is not"


def test_the_same_seed_tears_the_same_way(tmp_path: Path) -> None:
    found = set()
    for number, seed in enumerate((1, 1, 2)):
        flash = FlashFile(board_with(), tmp_path / str(number))
        flash.program(0, bytes(32))
        flash.tear(0, b"\xff" * 32, seed)
        found.add(flash.read())
    assert len(found) == 2


def test_all_of_it_is_put_back(flash: FlashFile) -> None:
    flash.program(7, b"old")
    content = flash.read()
    flash.erase(0, SIZE)
    flash.program(90, b"new")
    flash.restore(content)
    assert flash.read() == content


# ---- mistakes


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (SIZE, 1), (SIZE - 1, 2), (0, SIZE + 1)])
def test_what_is_outside_is_refused(flash: FlashFile, offset: int, length: int) -> None:
    for action in (
        lambda: flash.read(offset, length),
        lambda: flash.program(offset, bytes(length)),
        lambda: flash.tear(offset, bytes(length), 0),
    ):
        with pytest.raises(UsageError, match="not in the flash"):
            action()
    assert flash.path.stat().st_size == SIZE


def test_a_board_whose_flash_does_not_last_is_refused(tmp_path: Path) -> None:
    large = load_board("nrf51_large")
    assert large.flash
    for board in (large, dataclasses.replace(load_board("mps2_an386"), flash=None)):
        with pytest.raises(UsageError, match=f"'{board.name}' has no flash that lasts"):
            FlashFile(board, tmp_path / "flash")
    assert not (tmp_path / "flash").exists()


@pytest.mark.parametrize("length", [0, SIZE - 1, SIZE + 1])
def test_a_file_of_another_size_is_left_alone(tmp_path: Path, length: int) -> None:
    path = tmp_path / "flash"
    path.write_bytes(bytes(length))
    with pytest.raises(UsageError, match="is no flash of mps2_an386") as caught:
        FlashFile(board_with(), path)
    assert f"{SIZE} bytes" in caught.value.hint
    assert path.read_bytes() == bytes(length)


def test_a_folder_is_no_flash(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no flash of"):
        FlashFile(board_with(), tmp_path)


def test_a_flash_in_use_is_looked_at_but_not_changed(flash: FlashFile, tmp_path: Path) -> None:
    other = FlashFile(board_with(), flash.path)
    with flash.claimed():
        actions: list[Callable[[], object]] = [
            lambda: other.program(0, b"x"),
            lambda: flash.erase(0, 1),
            lambda: other.tear(0, b"\0", 0),
            lambda: other.restore(bytes(SIZE)),
            lambda: contextlib.ExitStack().enter_context(other.claimed()),
        ]
        for action in actions:
            with pytest.raises(UsageError, match="is in use"):
                action()
        assert other.read() == b"\xff" * SIZE
    other.program(0, b"x")


def test_only_whoever_asks_the_kernel_too_is_kept_off(flash: FlashFile) -> None:
    with flash.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="is in use"):
            flash.program(0, b"x")
