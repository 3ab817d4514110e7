# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a build left, or what a file is, as pieces of a plan; what is not for the board is refused.

build/<board>/boot/boot.elf               the bootloader
build/<board>/<model>/image/firmware*.bin  firmware in a slot, signed
build/<board>/<model>/image/model.bin      a spare model
build/<board>/<model>/firmware.elf         firmware that runs without a bootloader
"""

from dataclasses import dataclass, field
from pathlib import Path

from torpor.board import Board
from torpor.board.layout import flash_address, regions
from torpor.errors import ImageError, UsageError
from torpor.flash import espressif
from torpor.flash.plan import ERASED, Erasure, Piece, Plan, flash_of, make_plan
from torpor.flash.program import Program, Segment, read_program
from torpor.image.capability import fits, plan_header
from torpor.image.keys import Key, development_key
from torpor.image.layout import MAGIC
from torpor.image.parse import Image, read_image, verify
from torpor.image.place import SLOT_NAMES, slots_for
from torpor.paths import BUILD

PARTS = ("all", "boot", "firmware", "model")
BOOT = Path("boot") / "boot.elf"
PLAIN = "firmware.elf"
MODEL = "model.bin"
_ELF_MAGIC = b"\x7fELF"
_IMAGE_MAGIC = MAGIC.to_bytes(4, "little")
_KEY_BYTES = 32
_JOIN_BYTES = 4096  # segments of an ELF that lie closer are one piece


@dataclass
class Found:
    """What was found in files.

    Attributes:
        pieces: what is to be written.
        images: signed images among them, by file.
        keys: the public keys that bootloaders among them know, by file.
        notes: what the user should know.
    """

    pieces: list[Piece] = field(default_factory=list)
    images: dict[Path, Image] = field(default_factory=dict)
    keys: dict[Path, Key] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def plan_for(
    board: Board, given: list[Path], part: str, *, erase_all: bool = False
) -> tuple[Plan, list[str]]:
    """Return what is to be written to a board, and what the user should know of it.

    Args:
        board: the board.
        given: files, or one folder of a build; empty for the newest build for the board.
        part: of PARTS: which parts of a build.
        erase_all: erase all of the flash first.

    Raises:
        UsageError: there is no such build or file, or a part is missing.
        ImageError: a file is damaged, or not for this board.
    """
    notes: list[str] = []
    files = _files(board, given, part, notes)
    found = Found(notes=notes)
    for path in files:
        _take(board, path, found)
    _check_together(found)
    erasures = _erasures(board, found)
    return make_plan(board, found.pieces, erasures, erase_all=erase_all), found.notes


# ---- which files


def _files(board: Board, given: list[Path], part: str, notes: list[str]) -> list[Path]:
    folders = [path for path in given if path.is_dir()]
    if folders and len(given) > 1:
        raise UsageError(f"{folders[0]} is a folder: give one folder, or files")
    if given and not folders:
        if part != "all":
            raise UsageError(f"--what {part} is for a build, not for files", "leave --what out")
        return given
    place = folders[0] if folders else None
    if part == "boot":
        return [_boot(board, place)]
    return _parts(board, place or _newest(board, notes), part, notes)


def _newest(board: Board, notes: list[str]) -> Path:
    """Return the folder of the firmware that was built last."""
    made = [*(BUILD / board.name).glob("*/image/firmware*.bin")]
    made += (BUILD / board.name).glob(f"*/{PLAIN}")
    if not made:
        raise UsageError(f"nothing is built for {board.name}", f"scons board={board.name} image")
    newest = max(made, key=lambda path: path.stat().st_mtime_ns)
    folder = newest.parent.parent if newest.parent.name == "image" else newest.parent
    notes.append(f"{folder.name} is the firmware for {board.name} that was built last")
    return folder


def _parts(board: Board, folder: Path, part: str, notes: list[str]) -> list[Path]:
    images = _image_folder(folder)
    if images is None:
        if part == "model" or not (folder / PLAIN).exists():
            what = f"{folder} has no images" if part == "model" else f"{folder} is no build"
            raise UsageError(what, f"build them: scons board={board.name} image")
        return [folder / PLAIN]
    _say_if_older(images, notes)
    model = images / MODEL
    if part == "model":
        return [model]
    names = "firmware-a.bin" if board.links > 1 else "firmware.bin"
    firmware = images / names
    if part == "firmware":
        return [firmware]
    return [_boot(board, folder), firmware, *([model] if model.exists() else [])]


def _image_folder(folder: Path) -> Path | None:
    for place in (folder, folder / "image"):
        if any(place.glob("firmware*.bin")):
            return place
    return None


def _say_if_older(images: Path, notes: list[str]) -> None:
    """Tell of a firmware without a bootloader that is newer than the images beside it."""
    plain = images.parent / PLAIN
    newest = max(path.stat().st_mtime for path in images.glob("firmware*.bin"))
    if images.name == "image" and plain.exists() and plain.stat().st_mtime > newest:
        notes.append(f"{plain} is newer than the images, which are taken: are they up to date?")


def _boot(board: Board, folder: Path | None) -> Path:
    """Return the bootloader that belongs to a build, wherever the build is."""
    places = [BUILD / board.name / BOOT]
    if folder is not None:
        inside = [folder / BOOT.name, folder / BOOT, folder.parent / BOOT]
        places = [*inside, folder.parent.parent / BOOT, *places]
    for path in places:
        if path.exists():
            return path
    raise UsageError(
        f"the bootloader for {board.name} is not built", f"scons board={board.name} image"
    )


# ---- what is in them


def _take(board: Board, path: Path, found: Found) -> None:
    try:
        with path.open("rb") as file:
            begin = file.read(4)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if begin == _IMAGE_MAGIC:
        _take_image(board, path, found)
    elif begin == _ELF_MAGIC:
        _take_elf(board, path, found)
    elif begin[:1] == espressif.MAGIC and board.probe and board.probe.esptool:
        _take_chip_image(board, path, path.read_bytes(), "bootloader", found)
    else:
        raise ImageError(
            f"{path} is neither an ELF file nor an image of torpor's",
            "other files name no board that could be checked",
        )


def _take_image(board: Board, path: Path, found: Found) -> None:
    image = read_image(path)
    try:
        slot = slots_for(image, board)[0]
    except ImageError as error:
        raise ImageError(f"{path}: {error.message}", error.hint) from None
    if SLOT_NAMES[slot] == "B":
        raise UsageError(
            f"{path} is linked for slot B; a new start tries slot A first", "give firmware-a.bin"
        )
    if image.key_hash == development_key().hash:
        verify(image, development_key())
        note = "signed with the development key, which everybody has: not for devices in the field"
        if note not in found.notes:
            found.notes.append(note)
    name = SLOT_NAMES[slot] if image.is_model else f"slot {SLOT_NAMES[slot]}"
    what = f"{image.kind} {image.version} in {name}"
    found.images[path] = image
    found.pieces.append(Piece(what, regions(board)[1 + slot].address, image.data, path))


def _take_elf(board: Board, path: Path, found: Found) -> None:
    program = read_program(path)
    if not program.board:
        raise ImageError(
            f"{path} does not say what board it is for", "is it a firmware, not stripped?"
        )
    if program.board != board.name:
        raise ImageError(
            f"{path} is for {program.board}, not for {board.name}", f"--board {program.board}?"
        )
    what = _what(program)
    if what == "bootloader":
        public = program.content(program.symbols["update_key"], _KEY_BYTES)
        found.keys[path] = Key(path, public, is_private=False)
    if board.probe and board.probe.esptool and "boot" in board.memory and what == "bootloader":
        _take_chip_image(board, *espressif.image_of(path), what, found)
        return
    for address, data in _joined(board, program):
        found.pieces.append(Piece(what, address, data, path))


def _what(program: Program) -> str:
    """Say what a program is: what can be updated has a key, and a bootloader tells of no firmware.

    Raises:
        UsageError: it is the code of an image: without its header no bootloader starts it.
    """
    if "update_key" not in program.symbols:
        return "firmware"
    if "tell_nothing_to_run" in program.symbols:
        return "bootloader"
    raise UsageError(
        f"{program.path} is the code of an image, without header and signature",
        f"give the image: {program.path.with_suffix('.bin').name}",
    )


def _joined(board: Board, program: Program) -> list[tuple[int, bytes]]:
    """Return where in the flash bytes lie, those near each other as one; between them is nothing.

    Raises:
        ImageError: some lie elsewhere.
    """
    runs: list[tuple[int, bytes]] = []
    for part in program.segments:
        address = _in_flash(board, program.path, part)
        gap = address - (runs[-1][0] + len(runs[-1][1])) if runs else -1
        if 0 <= gap <= _JOIN_BYTES:
            start, before = runs.pop()
            runs.append((start, before + bytes([ERASED]) * gap + part.data))
        else:
            runs.append((address, part.data))
    return runs


def _in_flash(board: Board, path: Path, part: Segment) -> int:
    """Return where a segment lies in the flash, which code may see at other addresses than data."""
    begin, end = flash_of(board)
    address = flash_address(board, part.lies)
    if begin <= address and address + len(part.data) <= end:
        return address
    raise ImageError(
        f"{path} has bytes at {part.lies:#x}; the flash of {board.name} is {begin:#x} to {end:#x}",
        "is it linked for this board?",
    )


def _take_chip_image(board: Board, path: Path, data: bytes, what: str, found: Found) -> None:
    """Take what the chip's ROM loads: it lies at the start of the flash."""
    assert board.probe is not None
    espressif.check(path, data, board.probe.esptool)
    found.pieces.append(Piece(what, flash_of(board)[0], data, path))


# ---- whether they go together


def _check_together(found: Found) -> None:
    """Refuse what the bootloader or the firmware would refuse later."""
    for boot, key in found.keys.items():
        for path, image in found.images.items():
            if image.key_hash != key.hash:
                raise ImageError(
                    f"{path} is signed with another key than {boot} knows",
                    "build both with the same key=",
                )
            verify(image, key)
    firmware = [image for image in found.images.values() if not image.is_model]
    for path, image in found.images.items():
        header = plan_header(image.payload) if image.is_model else None
        if image.is_model and header is None:
            raise ImageError(f"{path} holds no plan", "make it: torpor image build")
        for one in firmware:
            problem = fits(header, one.capability) if header and one.capability else ""
            if problem:
                raise ImageError(f"{path} does not fit the firmware: {problem}")


def _erasures(board: Board, found: Found) -> list[Erasure]:
    """A new firmware begins a new life: an old journal would speak of what is not there."""
    if all(image.is_model for image in found.images.values()):
        if found.images:
            found.notes.append("the firmware has its model built in; this one is a spare until")
            found.notes[-1] += " torpor update lets it run"
        return []
    journal = regions(board)[0]
    return [Erasure("journal", journal.address, journal.size)]
