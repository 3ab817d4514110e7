# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where bootloader, journal and slots lie in a board's memory, and whether they can lie there."""

import dataclasses
from dataclasses import dataclass
from itertools import combinations

from torpor.board.facts import Board, Budget, Flash, Memory, Slots
from torpor.errors import UsageError

HEADER_BYTES = 0x200
"""Of a firmware image; what is linked begins behind it. So aligned is any vector table."""

RECORDS_BYTES = 1024
"""Kept free in a slot for what follows the payload: signature, records, trailer."""

_FIRMWARE_SLOTS, _MODEL_SLOTS = 2, 3  # as in firmware/update/layout.h
_LARGEST_UNIT = 32
_SMALLEST = 0x800
_RECEIVE_MIN = 512  # four lines of SMP
_SCENE_ALIGN = 4
_SAMPLES_BLOCKS = 2
_CHECKSUM_BYTES = 4  # at the end of a second stage
_ADDRESS_END = 1 << 32


@dataclass(frozen=True)
class Region:
    """A part of the address space.

    Attributes:
        key: the key of board.toml that says so, for messages.
        address: of its first byte, as the CPU sees it.
        size: in bytes.
    """

    key: str
    address: int
    size: int

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + self.size


def regions(board: Board) -> list[Region]:
    """Return journal, firmware slots and model slots of a board with slots, in this order."""
    assert board.flash is not None and board.slots is not None
    origin, slots = board.flash.origin, board.slots
    return [
        Region("slots.journal", origin + slots.journal, slots.journal_size),
        *(Region("slots.firmware", origin + at, slots.firmware_size) for at in slots.firmware),
        *(Region("slots.models", origin + at, slots.model_size) for at in slots.models),
    ]


def flash_address(board: Board, address: int) -> int:
    """Return where data loads see what lies at an address of the code memory: mostly there."""
    code = board.memory.get("code")
    if code is None or code.constants is None or not 0 <= address - code.origin < code.size:
        return address
    return address - code.origin + code.constants


def code_region(board: Board, slot: int) -> Region:
    """Return what the code of the image in firmware slot `slot` may fill.

    Behind its header, and before the records that follow it. Where an MMU shows the slot that runs
    in a window, that is where.
    """
    place = regions(board)[1 + slot]
    assert board.slots is not None
    start = place.address if board.slots.window is None else board.slots.window
    return Region(place.key, start + HEADER_BYTES, place.size - HEADER_BYTES - RECORDS_BYTES)


def as_bootloader(board: Board) -> Board:
    """Return the board as its bootloader finds it: its code memory and budget are its own part.

    A bootloader that the chip's ROM loads into RAM, `memory.boot`, has the RAM below it.
    """
    assert board.slots is not None
    if "boot" in board.memory:
        return _in_ram(board, board.memory["boot"])
    origin = board.memory["code"].origin if board.memory else 0
    return _narrowed(board, Region("slots.boot", origin, board.slots.boot))


def _in_ram(board: Board, boot: Memory) -> Board:
    ram = board.memory["ram"]
    start = boot.origin if boot.constants is None else boot.constants
    memory = {
        **board.memory,
        "code": boot,
        "ram": dataclasses.replace(ram, size=start - ram.origin),
    }
    return _narrowed(
        dataclasses.replace(board, memory=memory), Region("memory.boot", boot.origin, boot.size)
    )


def as_image(board: Board, slot: int) -> Board:
    """Return the board as the code of an image in firmware slot `slot` finds it."""
    return _narrowed(board, code_region(board, slot))


def _narrowed(board: Board, code: Region) -> Board:
    if not board.memory:
        return board
    assert board.slots is not None
    stack, ram, whole = board.slots.stack, board.memory["ram"], board.memory["code"]
    seen = whole.constants and whole.constants + code.address - whole.origin
    stage = whole.second_stage if code.address == whole.origin else None
    place = Memory("rom", code.address, code.size, constants=seen, second_stage=stage)
    memory = {**board.memory, "code": place}
    budget = Budget(flash=code.size, ram=ram.size - stack, stack=stack)
    return dataclasses.replace(board, memory=memory, budget=budget)


def check_layout(file: str, board: Board) -> None:
    """Raise UsageError, naming `file` and key, where flash, slots or bootloader cannot be so."""
    if board.links not in (1, 2):
        raise UsageError(f"{file}: 'board.links' is {board.links}", "1 or 2")
    if "code" in board.memory:
        _check_second_stage(file, board.memory["code"])
    if board.flash:
        _check_flash(file, board.flash)
    _check_scene(file, board)
    if board.samples:
        _check_samples(file, board)
    if board.slots:
        _check_slots(file, board, board.slots)


def _check_slots(file: str, board: Board, slots: Slots) -> None:
    if not board.flash:
        raise UsageError(f"{file}: missing key 'flash'", "[slots] are parts of it")
    if slots.window is not None and board.links != 1:
        raise UsageError(f"{file}: 'slots.window' with 'board.links' = {board.links}", "1")
    _check_counts(file, slots)
    places = regions(board)
    _check_journal_block(file, board.journal_block, board.flash)
    for place in places:
        _check_region(file, place, board.flash, _block_of(place, board))
    if slots.journal_size < 2 * board.journal_block:
        raise UsageError(
            f"{file}: 'slots.journal_size' is {slots.journal_size:#x}",
            f"two blocks at least: {2 * board.journal_block:#x}",
        )
    if "boot" in board.memory:  # loaded by the ROM from the start of the flash
        places.append(Region("slots.boot", board.flash.origin, slots.boot))
    elif code := board.memory.get("code"):
        places.append(_boot_region(file, slots, code))
    if board.samples:
        places.append(_samples_region(board))
    for one, other in combinations(places, 2):
        if one.address < other.end and other.address < one.end:
            raise UsageError(f"{file}: {_name(one)} and {_name(other)} overlap")


def _check_scene(file: str, board: Board) -> None:
    """It may lie in the flash, where nothing else lies."""
    if board.scene is None:
        return
    place = Region("scene", board.scene.origin, board.scene.size)
    if place.address % _SCENE_ALIGN or place.size < 1 or place.end > _ADDRESS_END:
        raise UsageError(f"{file}: {_name(place)} is no place for a scene", "it starts at a word")
    others = [Region(f"memory.{k}", m.origin, m.size) for k, m in board.memory.items()]
    if board.flash and board.slots:
        others += regions(board)
    if board.flash and board.samples:
        others.append(_samples_region(board))
    for other in others:
        if place.address < other.end and other.address < place.end:
            raise UsageError(f"{file}: {_name(place)} and {_name(other)} overlap")


def _samples_region(board: Board) -> Region:
    assert board.flash is not None and board.samples is not None
    return Region("samples", board.flash.origin + board.samples.offset, board.samples.size)


def _check_samples(file: str, board: Board) -> None:
    """A ring of whole blocks of the flash: one is erased while the others hold entries."""
    if not board.flash or not board.slots:
        missing = "slots" if board.flash else "flash"
        raise UsageError(f"{file}: missing key '{missing}'", "[samples] lie behind [slots]")
    place = _samples_region(board)
    _check_region(file, place, board.flash, board.flash.erase_size)
    if place.size < _SAMPLES_BLOCKS * board.flash.erase_size:
        raise UsageError(
            f"{file}: {_name(place)} is too small",
            f"two blocks at least: {_SAMPLES_BLOCKS * board.flash.erase_size:#x}",
        )


def _check_second_stage(file: str, code: Memory) -> None:
    size = code.second_stage
    if size is not None and (size % _CHECKSUM_BYTES or not _CHECKSUM_BYTES < size <= code.size):
        raise UsageError(
            f"{file}: 'memory.code.second_stage' is {size}",
            f"whole words, more than {_CHECKSUM_BYTES} bytes",
        )


def _check_flash(file: str, flash: Flash) -> None:
    for key, value, limit in (
        ("write_size", flash.write_size, _LARGEST_UNIT),
        ("erase_size", flash.erase_size, flash.size),
    ):
        if value < 1 or value & (value - 1) or value > limit:
            raise UsageError(
                f"{file}: 'flash.{key}' is {value}", f"a power of two, at most {limit}"
            )
    if flash.erase_size % flash.write_size:
        raise UsageError(f"{file}: 'flash.erase_size' is not a multiple of 'flash.write_size'")
    if flash.erase_ms < 1:
        raise UsageError(f"{file}: 'flash.erase_ms' is {flash.erase_ms}", "at least 1")
    if flash.origin + flash.size > _ADDRESS_END:
        raise UsageError(f"{file}: 'flash' goes beyond the address {_ADDRESS_END:#x}")


def _check_counts(file: str, slots: Slots) -> None:
    for key, offsets, count in (
        ("firmware", slots.firmware, _FIRMWARE_SLOTS),
        ("models", slots.models, _MODEL_SLOTS),
    ):
        if len(offsets) != count:
            raise UsageError(f"{file}: 'slots.{key}' has {len(offsets)} offsets", f"{count}")
    if slots.receive < _RECEIVE_MIN or slots.receive & (slots.receive - 1):
        raise UsageError(
            f"{file}: 'slots.receive' is {slots.receive}", f"a power of two, from {_RECEIVE_MIN} on"
        )


def _check_journal_block(file: str, block: int, flash: Flash) -> None:
    if block < flash.write_size or block & (block - 1) or block > flash.erase_size:
        raise UsageError(
            f"{file}: 'slots.journal_block' is {block}",
            f"a power of two, at most 'flash.erase_size': {flash.erase_size:#x}",
        )


def _block_of(place: Region, board: Board) -> int:
    assert board.flash is not None
    return board.journal_block if place.key == "slots.journal" else board.flash.erase_size


def _check_region(file: str, place: Region, flash: Flash, block: int) -> None:
    """Whole blocks of the flash, slots of a sensible size, code where a vector table may lie."""
    end = flash.origin + flash.size
    if (place.address - flash.origin) % block or place.size % block:
        raise UsageError(f"{file}: {_name(place)} is not made of blocks", f"of {block:#x} bytes")
    if place.key == "slots.firmware" and place.address % HEADER_BYTES:
        raise UsageError(
            f"{file}: {_name(place)} is no place for code", f"a multiple of {HEADER_BYTES:#x}"
        )
    if place.size < _SMALLEST:
        raise UsageError(f"{file}: {_name(place)} is too small", f"at least {_SMALLEST:#x} bytes")
    if place.end > end:
        raise UsageError(
            f"{file}: {_name(place)} is not in the flash", f"{flash.origin:#x} to {end:#x}"
        )


def _boot_region(file: str, slots: Slots, code: Memory) -> Region:
    if not 0 < slots.boot <= code.size:
        raise UsageError(
            f"{file}: 'slots.boot' is {slots.boot:#x}", f"more than 0, at most {code.size:#x}"
        )
    return Region("slots.boot", code.origin, slots.boot)


def _name(place: Region) -> str:
    return f"'{place.key}' ({place.address:#x} to {place.end:#x})"
