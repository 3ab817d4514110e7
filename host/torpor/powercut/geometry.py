# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The flash of a board, cut down to what a proof needs: slots that its images just fit into."""

from dataclasses import dataclass

from torpor.board import Board
from torpor.errors import UsageError
from torpor.image.layout import TRAILER_BYTES
from torpor.image.place import FIRMWARE_SLOTS, SLOT_NAMES, link_address, room

_UNITS = (1, 2, 4, 8, 16, 32)
_SMALLEST_BLOCK = 512


@dataclass(frozen=True)
class Geometry:
    """Where things lie: the journal first, then the slots, one after the other.

    Slots are independent of each other, so that nothing but their size in blocks matters; blocks
    that no image reaches would only be looked at and found erased.

    Attributes:
        board: its name, which images carry.
        erase: bytes of a block.
        journal_block: bytes of a block of the journal.
        write: bytes of a unit.
        erase_step: blocks that are erased in a second.
        journal: bytes of the journal.
        firmware: bytes of a firmware slot.
        model: bytes of a model slot.
        links: address of slot A and B.
    """

    board: str
    erase: int
    journal_block: int
    write: int
    erase_step: int
    journal: int
    firmware: int
    model: int
    links: tuple[int, int]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of each slot."""
        models = len(SLOT_NAMES) - FIRMWARE_SLOTS
        return (self.firmware,) * FIRMWARE_SLOTS + (self.model,) * models

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each slot begins."""
        first = _blocks(self.journal, self.erase)
        return tuple(first + sum(self.sizes[:slot]) for slot in range(len(self.sizes)))

    @property
    def total(self) -> int:
        """Bytes of the flash."""
        return self.offsets[-1] + self.sizes[-1]


def geometry(
    board: Board, firmware: int, model: int, *, write: int | None = None, erase: int | None = None
) -> Geometry:
    """Return the flash of `board` for images of that many bytes.

    Args:
        board: has slots.
        firmware: bytes of a firmware image.
        model: bytes of a model image.
        write: another write unit than the board's.
        erase: another erase block than the board's; the journal keeps its number of blocks.

    Raises:
        UsageError: the board has no slots, or they are too small, or a size cannot be.
    """
    if board.flash is None or board.slots is None:
        raise UsageError(f"{board.name} has no slots for images", "torpor boards")
    for bytes_, slot in ((firmware, 0), (model, len(SLOT_NAMES) - 1)):
        if bytes_ > room(board, slot):
            raise UsageError(
                f"{bytes_:,} bytes do not fit into slot {SLOT_NAMES[slot]} of {board.name}",
                f"at most {room(board, slot):,}",
            )
    block, unit = erase or board.flash.erase_size, write or board.flash.write_size
    if unit not in _UNITS:
        raise UsageError(f"a write unit of {unit} bytes", f"one of {', '.join(map(str, _UNITS))}")
    if block < _SMALLEST_BLOCK or block & (block - 1):
        raise UsageError(f"an erase block of {block} bytes", "a power of two from 512 on")
    journal_block = erase or board.journal_block
    return Geometry(
        board=board.name,
        erase=block,
        journal_block=journal_block,
        write=unit,
        erase_step=max(1, 1000 // board.flash.erase_ms),
        journal=board.slots.journal_size // board.journal_block * journal_block,
        firmware=_blocks(firmware + TRAILER_BYTES, block),
        model=_blocks(model + TRAILER_BYTES, block),
        links=(link_address(board, 0) or 0, link_address(board, 1) or 0),
    )


def _blocks(size: int, block: int) -> int:
    return -(-size // block) * block
