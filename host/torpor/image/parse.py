# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reads image files as strictly as the firmware does (firmware/update/image.h).

Every length is bounded, what is known may occur once, and a record is read as protected only
where the signature covers it. What is refused is refused in the words of reason.h.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from torpor.errors import ImageError
from torpor.image import layout
from torpor.image.capability import Capability, decode
from torpor.image.keys import Key
from torpor.image.reasons import NUMBERS, reason
from torpor.image.version import Version
from torpor.plan.layout import CONST

# Records that mean something, in the area where they do, and their length (None: any).
_PROTECTED: dict[int, int | None] = {
    layout.TLV_COUNTER: 4,
    layout.TLV_BOARD: None,
    layout.TLV_CAPABILITY: layout.CAPABILITY.size,
}
_UNPROTECTED: dict[int, int | None] = {
    layout.TLV_KEYHASH: layout.HASH_BYTES,
    layout.TLV_SHA256: layout.HASH_BYTES,
    layout.TLV_ED25519: layout.SIGNATURE_BYTES,
}
_OTHER_FILES = (
    (0, b"\x7fELF", "an ELF file", "make images of a firmware: scons board=... image"),
    (
        0,
        CONST["PLAN_MAGIC"].to_bytes(4, "little"),
        "a plan without signature",
        "sign it: torpor image build",
    ),
    (4, b"TFL3", "a .tflite", "make images with it: scons board=... model=FILE image"),
    (0, b"-----BEGIN ", "a PEM file", "torpor keys show FILE"),
)
"""Where a file begins with what, what it is, what to do with it."""
_LARGEST = 1 << 28  # no slot is that large; not even this computer's memory need be
_KNOWN_FLAGS = layout.FLAG_NON_BOOTABLE | layout.FLAG_ROM_FIXED


@dataclass(frozen=True)
class Record:
    """A record behind the payload (a TLV)."""

    type: int
    value: bytes
    is_protected: bool  # the signature covers it

    @property
    def name(self) -> str:
        """What it is, "unknown" if it means nothing to the firmware."""
        known = _PROTECTED if self.is_protected else _UNPROTECTED
        return layout.NAMES[self.type] if self.type in known else "unknown"


@dataclass(frozen=True)
class Image:
    """An image whose structure is sound and whose hash is right. Who signed it is another matter.

    Attributes:
        data: the whole file.
        header_bytes: where the payload begins.
        payload: a firmware's code, or a plan.
        version: as in the header.
        is_model: a model, not a firmware.
        address: where the header wants to lie, None if it does not say.
        counter: security counter, 0 if it has none.
        board: the name of the board that it is made for, None if it names none.
        capability: what the firmware can run, None if it does not say.
        hash: SHA-256 of all that is signed; the device calls the image by its first bytes.
        signature: Ed25519, of `hash`.
        key_hash: SHA-256 of the key that it says it is signed with.
        records: all of them in order.
    """

    data: bytes = field(repr=False)
    header_bytes: int
    payload: bytes = field(repr=False)
    version: Version
    is_model: bool
    address: int | None
    counter: int
    board: str | None
    capability: Capability | None
    hash: bytes
    signature: bytes
    key_hash: bytes
    records: tuple[Record, ...]

    @property
    def id(self) -> bytes:
        """What slots and history call it by."""
        return self.hash[: layout.ID_BYTES]

    @property
    def kind(self) -> str:
        """ "firmware" or "model"."""
        return "model" if self.is_model else "firmware"


def refusal(name: str, detail: str, hint: str = "") -> ImageError:
    """Return the error for an image that is refused.

    Args:
        name: of a reason in reason.h: "format".
        detail: what exactly is wrong.
        hint: what to do.
    """
    return ImageError(f"{reason(NUMBERS[name]).sentence}: {detail}", hint)


def read_image(path: Path) -> Image:
    """Return the image in a file.

    Raises:
        ImageError: it cannot be read, or as `parse()`; names the file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise ImageError(
            f"{path}: not an image: more than {_LARGEST:,} bytes", "is it the right file?"
        )
    try:
        return parse(data)
    except ImageError as error:
        raise ImageError(f"{path}: {error.message}", error.hint) from None


def parse(data: bytes) -> Image:
    """Return the image that `data`, a whole file, is.

    Raises:
        ImageError: it is none, is unsound, or its hash is wrong.
    """
    header, end = _header(data)
    _, address, header_bytes, promised, payload_bytes, flags, *version, _ = header
    protected: tuple[Record, ...] = ()
    if promised:
        protected = _area(data, end, layout.AREA_PROTECTED)
        if _length(data, end) != promised:
            raise refusal(
                "format", f"{_length(data, end)} bytes of protected records, {promised} promised"
            )
        end += promised
    signed = data[:end]
    unprotected = _area(data, end, layout.AREA_UNPROTECTED)
    end += _length(data, end)
    if end != len(data):
        hint = "it was padded: make it without --pad" if set(data[end:]) <= {0xFF} else ""
        raise refusal("format", f"{len(data) - end:,} bytes follow its end", hint)
    known = _known(protected, _PROTECTED) | _known(unprotected, _UNPROTECTED)
    for kind in _UNPROTECTED:
        if kind not in known:
            raise refusal("format", f"no record {layout.NAMES[kind]}")
    if sha256(signed).digest() != known[layout.TLV_SHA256]:
        raise refusal("hash", "was the file damaged?")
    board = known.get(layout.TLV_BOARD)
    capability = known.get(layout.TLV_CAPABILITY)
    return Image(
        data=data,
        header_bytes=header_bytes,
        payload=data[header_bytes : header_bytes + payload_bytes],
        version=Version(*version),
        is_model=bool(flags & layout.FLAG_NON_BOOTABLE),
        address=address if flags & layout.FLAG_ROM_FIXED else None,
        counter=int.from_bytes(known.get(layout.TLV_COUNTER, b""), "little"),
        board=None if board is None else board.decode(errors="backslashreplace"),
        capability=None if capability is None else decode(capability),
        hash=known[layout.TLV_SHA256],
        signature=known[layout.TLV_ED25519],
        key_hash=known[layout.TLV_KEYHASH],
        records=(*protected, *unprotected),
    )


def verify(image: Image, key: Key) -> None:
    """Prove that an image is signed with a key.

    Raises:
        ImageError: it is not.
    """
    if image.key_hash != key.hash:
        raise refusal(
            "key", f"it names {image.key_hash.hex()[:16]}…, this is {key.hash.hex()[:16]}…"
        )
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(image.signature, image.hash)
    except InvalidSignature:
        raise refusal("signature", f"not made with {key.path.name}") from None


def _header(data: bytes) -> tuple[tuple[int, ...], int]:
    """Return the header's numbers, and where the payload ends."""
    if len(data) < layout.HEADER_BYTES or data[:4] != layout.MAGIC.to_bytes(4, "little"):
        raise ImageError(*_other_file(data))
    header = layout.HEADER_STRUCT.unpack_from(data)
    _, _, header_bytes, _, payload_bytes, flags, *_ = header
    if header_bytes < layout.HEADER_BYTES or header_bytes % layout.PAYLOAD_ALIGN:
        raise refusal("format", f"a header of {header_bytes} bytes")
    if flags & ~_KNOWN_FLAGS:
        raise refusal("format", f"flags {flags:#x}: encrypted, compressed or run from RAM")
    end = header_bytes + payload_bytes
    if end > len(data):
        raise refusal("format", f"{end:,} bytes of header and payload in {len(data):,}")
    return header, end


def _other_file(data: bytes) -> tuple[str, str]:
    """Say what a file that is no image is instead, and what to do."""
    if not data:
        return "not an image, but an empty file", "was it written completely?"
    for at, begin, what, remedy in _OTHER_FILES:
        if data[at : at + len(begin)] == begin:
            return f"not an image, but {what}", remedy
    return "not an image: it does not begin as one", "make one: torpor image build"


def _length(data: bytes, at: int) -> int:
    return int(layout.AREA_STRUCT.unpack_from(data, at)[1])


def _area(data: bytes, at: int, magic: int) -> tuple[Record, ...]:
    """Return the records of an area, which they fill exactly."""
    is_protected = magic == layout.AREA_PROTECTED
    name = "protected records" if is_protected else "records"
    head = layout.AREA_STRUCT.size
    if len(data) - at < head or layout.AREA_STRUCT.unpack_from(data, at)[0] != magic:
        raise refusal("format", f"no {name} where they should be")
    end = at + _length(data, at)
    if not at + head <= end <= len(data):
        raise refusal("format", f"the {name} go beyond the end")
    at += head
    found = []
    while at < end:
        if end - at < head or _length(data, at) > end - at - head:
            raise refusal("format", f"one of the {name} goes beyond their end")
        kind, length = layout.AREA_STRUCT.unpack_from(data, at)
        found.append(Record(kind, data[at + head : at + head + length], is_protected))
        at += head + length
    return tuple(found)


def _known(records: tuple[Record, ...], lengths: dict[int, int | None]) -> dict[int, bytes]:
    """Return the values of the records that mean something, by type."""
    found: dict[int, bytes] = {}
    for record in records:
        if record.type not in lengths:
            continue
        if record.type in found:
            raise refusal("format", f"two records {record.name}")
        if lengths[record.type] not in (None, len(record.value)):
            raise refusal("format", f"a record {record.name} of {len(record.value)} bytes")
        found[record.type] = record.value
    return found
