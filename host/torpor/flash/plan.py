# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which bytes go to which addresses of a board's flash, and whether they may."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from torpor.board import Board
from torpor.errors import ImageError, UsageError

ERASED = 0xFF


@dataclass(frozen=True)
class Piece:
    """Bytes that are written.

    Attributes:
        what: for people: "bootloader".
        address: of the first byte, as the CPU sees it.
        data: the bytes.
        source: the file that they are from.
    """

    what: str
    address: int
    data: bytes
    source: Path

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.data)

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + len(self.data)


@dataclass(frozen=True)
class Erasure:
    """A part of the flash that is erased and not written.

    Attributes:
        what: for people: "journal".
        address: of the first byte.
        size: in bytes.
    """

    what: str
    address: int
    size: int

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + self.size

    @property
    def data(self) -> bytes:
        """What it reads as afterwards."""
        return bytes([ERASED]) * self.size


Place = Piece | Erasure


@dataclass(frozen=True)
class Plan:
    """All that happens to a board's flash.

    Attributes:
        board: whose flash.
        pieces: what is written, by address.
        erasures: what is erased besides.
        erase_all: all of the flash is erased first.
    """

    board: Board
    pieces: tuple[Piece, ...]
    erasures: tuple[Erasure, ...] = ()
    erase_all: bool = False

    @property
    def size(self) -> int:
        """Bytes that are written."""
        return sum(piece.size for piece in self.pieces)

    @property
    def places(self) -> tuple[Place, ...]:
        """All that is written or erased."""
        return (*self.pieces, *self.erasures)

    @property
    def origin(self) -> int:
        """Address of the first byte of the flash chip, from which tools may count."""
        return flash_of(self.board)[0]

    @property
    def whole(self) -> Erasure:
        """All of the flash chip."""
        begin, end = flash_of(self.board)
        return Erasure("all of the flash", begin, end - begin)


def flash_of(board: Board) -> tuple[int, int]:
    """Return where the flash that tools write begins and ends.

    Raises:
        UsageError: the board has none.
    """
    if board.flash is not None:
        return board.flash.origin, board.flash.origin + board.flash.size
    code = board.memory.get("code")
    if code is None or code.kind != "rom":
        raise UsageError(f"{board.name} has no flash that could be written", "torpor boards")
    return code.origin, code.origin + code.size


def make_plan(
    board: Board,
    pieces: list[Piece],
    erasures: list[Erasure] | None = None,
    *,
    erase_all: bool = False,
) -> Plan:
    """Return the plan of what is to be written.

    Raises:
        UsageError: there is nothing to write.
        ImageError: something lies outside the flash, or two things lie over each other.
    """
    if not pieces:
        raise UsageError("there is nothing to write")
    begin, end = flash_of(board)
    places: list[Place] = [*pieces, *(erasures or [])]
    for place in places:
        if place.address < begin or place.end > end or place.address == place.end:
            raise ImageError(
                f"{place.what} would lie at {place.address:#x} to {place.end:#x}; the flash of "
                f"{board.name} is {begin:#x} to {end:#x}",
                "was it built for this board?",
            )
    for one, other in combinations(places, 2):
        if one.address < other.end and other.address < one.end:
            raise ImageError(
                f"{one.what} and {other.what} overlap at {max(one.address, other.address):#x}"
            )
    by_address = tuple(sorted(pieces, key=lambda piece: piece.address))
    return Plan(board, by_address, tuple(erasures or ()), erase_all)


def joined(plan: Plan, block: int) -> list[tuple[int, bytes]]:
    """Return what the flash holds afterwards, as runs of whole blocks.

    What no piece fills in a block that is written is erased; so is what the plan erases.

    Args:
        plan: of all pieces and erasures.
        block: bytes of a block.
    """
    blocks: dict[int, bytearray] = {}
    for address, data in ((place.address, place.data) for place in plan.places):
        at = 0
        while at < len(data):
            start = (address + at) // block * block
            offset = address + at - start
            part = data[at : at + block - offset]
            content = blocks.setdefault(start, bytearray([ERASED]) * block)
            content[offset : offset + len(part)] = part
            at += len(part)
    return _runs(blocks)


def _runs(blocks: dict[int, bytearray]) -> list[tuple[int, bytes]]:
    runs: list[tuple[int, bytes]] = []
    for start in sorted(blocks):
        if runs and runs[-1][0] + len(runs[-1][1]) == start:
            address, data = runs.pop()
            runs.append((address, data + bytes(blocks[start])))
        else:
            runs.append((start, bytes(blocks[start])))
    return runs
