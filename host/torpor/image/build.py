# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Makes signed images. The bytes are imgtool's: what is written here is what goes into them.

imgtool is run as a program, because its command line is what its authors document and keep; its
modules are not. It takes a tenth of a second. Its trailer (--pad, --confirm) is not used:
with --max-sectors 0 its size is the 48 bytes that stay erased at the end of a slot.
"""

import importlib.util
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from torpor.board import Board
from torpor.board.layout import HEADER_BYTES, code_region
from torpor.emulate.image import Image as Elf
from torpor.errors import BudgetError, ImageError, MissingToolError, UsageError
from torpor.image import layout
from torpor.image.capability import Capability
from torpor.image.keys import Key
from torpor.image.parse import Image, parse, verify
from torpor.image.place import SLOT_NAMES, link_address, room
from torpor.image.version import Version
from torpor.plan.reader import Plan

_ANY_SIZE = 0x7FFFFFFF  # imgtool wants the size of a slot; ours are compared in words of ours
_MAX_COUNTER = 0xFFFFFFFF


@dataclass(frozen=True)
class Contents:
    """What an image is made of, before version and signature.

    Attributes:
        payload: a firmware's code, or a plan.
        is_model: a model, not a firmware.
        header_bytes: where the payload begins.
        address: that the image has to lie at, or None.
        records: type and value of protected records beyond the security counter.
        room: how large the image may become, None: as large as it is.
    """

    payload: bytes
    is_model: bool
    header_bytes: int
    address: int | None = None
    records: tuple[tuple[int, bytes], ...] = ()
    room: int | None = None


def firmware(elf: Path, board: Board, slot: int, capability: Capability | None) -> Contents:
    """Return what a firmware image is made of.

    Args:
        elf: linked for the slot, its first byte behind the header. For a board without memories
            (this computer) the file itself is the payload.
        board: that it is for.
        slot: 0 for A, 1 for B; the same for both where `board.links` is 1.
        capability: what it can run, None to say nothing about it.

    Raises:
        UsageError: it is no ELF file, or the board has no slots.
        ImageError: it is linked for another place.
        BudgetError: it is larger than its slot.
    """
    records = [(layout.TLV_BOARD, board.name.encode())]
    if capability:
        records.append((layout.TLV_CAPABILITY, capability.encode()))
    return Contents(
        payload=_code(elf, board, slot) if board.memory else _read(elf),
        is_model=False,
        header_bytes=HEADER_BYTES,
        address=link_address(board, slot),
        records=tuple(records),
        room=room(board, slot),
    )


def model(plan: bytes, board: Board | None) -> Contents:
    """Return what a model image is made of.

    Args:
        plan: as `torpor compile` makes it.
        board: the only one that may take it, None for any.

    Raises:
        ModelError: it is no plan.
    """
    Plan.parse(plan)
    named = () if board is None else ((layout.TLV_BOARD, board.name.encode()),)
    limit = None if board is None else room(board, len(SLOT_NAMES) - 1)
    return Contents(
        plan, is_model=True, header_bytes=layout.HEADER_BYTES, records=named, room=limit
    )


def contents_of(image: Image) -> Contents:
    """Return what an image is made of, to sign it anew.

    Raises:
        ImageError: it has signed records that would be lost.
    """
    records = [
        (record.type, record.value)
        for record in image.records
        if record.is_protected and record.type != layout.TLV_COUNTER
    ]
    for kind, _ in records:
        if kind < layout.TLV_VENDOR:
            raise ImageError(
                f"record {kind:#x} would be lost", "sign it with the tool that made it"
            )
    return Contents(
        image.payload, image.is_model, image.header_bytes, image.address, tuple(records)
    )


def sign(contents: Contents, key: Key, version: Version, counter: int = 0) -> bytes:
    """Return a signed image: the same bytes for the same arguments.

    Args:
        contents: what is in it.
        key: a private one.
        version: for people; a device takes older ones too.
        counter: security counter: a device takes no image with a lower one than that of an image
            that it has confirmed.

    Raises:
        ImageError: the key is a public one.
        UsageError: the counter does not fit.
        BudgetError: the image is larger than its slot.
    """
    if not key.is_private:
        raise ImageError(f"{key.path} is a public key", "images are signed with the private one")
    if counter > _MAX_COUNTER:
        raise UsageError(f"security counter {counter} is too large", f"at most {_MAX_COUNTER}")
    data = _imgtool(contents, key, version, counter)
    if contents.room is not None and len(data) > contents.room:
        raise BudgetError(
            f"the image has {len(data):,} bytes, its slot takes {contents.room:,}",
            "a smaller model, or larger slots in board.toml",
        )
    verify(parse(data), key)  # what we make we would take
    return data


def _imgtool(contents: Contents, key: Key, version: Version, counter: int) -> bytes:
    if importlib.util.find_spec("imgtool") is None:
        raise MissingToolError("the Python package imgtool is missing", "run tools/setup")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "payload").write_bytes(contents.payload)
        options = ["--key", str(key.path.absolute()), "--version", str(version)]
        options += ["--security-counter", str(counter), "--header-size", str(contents.header_bytes)]
        options += ["--pad-header", "--slot-size", str(_ANY_SIZE), "--max-sectors", "0"]
        options += ["--non-bootable"] if contents.is_model else []
        options += [] if contents.address is None else ["--rom-fixed", hex(contents.address)]
        for kind, value in contents.records:
            (folder / f"{kind:#x}").write_bytes(value)
            options += ["--custom-tlv-file", hex(kind), f"{kind:#x}"]
        command = [sys.executable, "-m", "imgtool.main", "sign", *options, "payload", "image"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise ImageError(f"imgtool: {said[-1] if said else 'failed without a word'}")
        return (folder / "image").read_bytes()


def _code(elf: Path, board: Board, slot: int) -> bytes:
    """Return what has to lie behind the header, gaps filled as erased flash is."""
    place = code_region(board, slot)
    segments = sorted(Elf.read(elf).segments)
    if not segments or segments[0][0] != place.address:
        where = f"{segments[0][0]:#x}" if segments else "nowhere"
        raise ImageError(
            f"{elf} begins at {where}, code in slot {SLOT_NAMES[slot]} of {board.name} at "
            f"{place.address:#x}",
            "is it linked for the other slot, or to run without a bootloader?",
        )
    code = bytearray()
    for address, data in segments:
        at = address - place.address
        if at < len(code):
            raise ImageError(f"{elf}: two segments overlap at {address:#x}")
        if at + len(data) > place.size:
            raise BudgetError(
                f"{elf}: {at + len(data):,} bytes of code, slot {SLOT_NAMES[slot]} of {board.name} "
                f"takes {place.size:,}"
            )
        code += b"\xff" * (at - len(code)) + data
    return bytes(code)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
