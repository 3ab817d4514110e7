# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The flash of a proof is that of the board, as small as its images allow."""

import pytest

from torpor.board import board_names, load_board
from torpor.errors import UsageError
from torpor.image.layout import TRAILER_BYTES
from torpor.powercut.geometry import geometry

BOARDS = [name for name in board_names() if load_board(name).slots]


@pytest.mark.parametrize("name", BOARDS)
def test_slots_take_their_images_in_whole_blocks_without_overlap(name: str) -> None:
    board = load_board(name)
    place = geometry(board, 65536, 8192)
    assert board.flash is not None
    assert (place.erase, place.write) == (board.flash.erase_size, board.flash.write_size)
    assert place.journal_block == board.journal_block
    assert place.journal >= 2 * place.journal_block
    assert place.firmware >= 65536 + TRAILER_BYTES > place.firmware - place.erase
    assert place.model >= 8192 + TRAILER_BYTES > place.model - place.erase
    ends = [offset + size for offset, size in zip(place.offsets, place.sizes, strict=True)]
    assert place.offsets[0] - place.erase < place.journal <= place.offsets[0]
    assert list(place.offsets[1:]) == ends[:-1]
    assert ends[-1] == place.total
    assert all(number % place.erase == 0 for number in (*place.offsets, *place.sizes))


def test_links_are_those_of_the_board() -> None:
    place = geometry(load_board("microbit"), 4096, 1024)
    assert place.links == (0x6800, 0x1C800)
    assert geometry(load_board("native"), 4096, 1024).links == (0, 0)


def test_unit_and_block_can_be_others() -> None:
    place = geometry(load_board("microbit"), 4096, 1024, write=16, erase=2048)
    assert (place.write, place.erase, place.journal) == (16, 2048, 4096)
    assert place.firmware == 6144


@pytest.mark.parametrize(
    ("board", "sizes", "options", "message"),
    [
        ("nrf51_large", (4096, 1024), {}, "no slots"),
        ("microbit", (0x16000, 1024), {}, "slot A"),
        ("microbit", (4096, 0x4800), {}, "slot model 2"),
        ("microbit", (4096, 1024), {"write": 3}, "write unit of 3"),
        ("microbit", (4096, 1024), {"write": 64}, "write unit of 64"),
        ("microbit", (4096, 1024), {"erase": 256}, "erase block of 256"),
        ("microbit", (4096, 1024), {"erase": 1000}, "erase block of 1000"),
    ],
)
def test_what_cannot_be_is_refused(
    board: str, sizes: tuple[int, int], options: dict[str, int], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        geometry(load_board(board), *sizes, **options)
