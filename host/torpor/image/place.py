# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where images lie in a board's flash, and which of them fits where."""

from torpor.board import Board
from torpor.board.layout import Region, regions
from torpor.errors import UsageError
from torpor.image.layout import TRAILER_BYTES
from torpor.image.parse import Image, refusal

FIRMWARE_SLOTS = 2
SLOT_NAMES = ("A", "B", "model 0", "model 1", "model 2")
"""What people call the slots, by their number."""


def link_address(board: Board, slot: int) -> int | None:
    """Return the address that a firmware image in `slot` begins at, its header first.

    None where the same image runs from either slot (`links = 1`): its header says nothing.
    """
    return _regions(board)[slot].address if board.links > 1 else None


def room(board: Board, slot: int) -> int:
    """Return how many bytes an image in `slot` may have: its end stays erased."""
    return _regions(board)[slot].size - TRAILER_BYTES


def slots_for(image: Image, board: Board) -> list[int]:
    """Return the numbers of the slots of a board that an image can lie in, never none.

    Raises:
        ImageError: it can lie in none; says why, as the device would.
    """
    if image.board != board.name and not (image.is_model and image.board is None):
        raise refusal("board", f"for {image.board or 'no board'}, not {board.name}")
    last = len(SLOT_NAMES)
    slots = range(FIRMWARE_SLOTS, last) if image.is_model else range(FIRMWARE_SLOTS)
    if len(image.data) > room(board, slots[0]):
        raise refusal("size", f"{len(image.data):,} bytes of {room(board, slots[0]):,}")
    if image.is_model:
        return list(slots)
    found = [slot for slot in slots if link_address(board, slot) == image.address]
    if not found:
        where = "no address" if image.address is None else f"{image.address:#x}"
        raise refusal("link", f"{where} is no slot of {board.name}")
    return found


def _regions(board: Board) -> list[Region]:
    if board.slots is None:
        raise UsageError(f"{board.name} has no slots for images", "torpor boards")
    return regions(board)[1:]
