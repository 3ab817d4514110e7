# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Signed images in MCUboot's format, made field by field, so that each field can be made wrong."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MAGIC = 0x96F3B83D
PROTECTED, UNPROTECTED = 0x6908, 0x6907
KEYHASH, SHA256, ED25519, COUNTER, BOARD, CAPABILITY = 0x01, 0x10, 0x24, 0x50, 0xA0, 0xA1
NON_BOOTABLE, ROM_FIXED = 0x10, 0x100
ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group: RFC 8032, 5.1


def key(number: int = 0) -> Ed25519PrivateKey:
    """Return one of many keys of tests."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"key %d" % number).digest())


def public_bytes(private: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of RFC 8032."""
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_hash(private: Ed25519PrivateKey) -> bytes:
    """Return the SHA-256 of the SubjectPublicKeyInfo."""
    info = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).digest()


def tlv(kind: int, value: bytes) -> bytes:
    """Return one record."""
    return struct.pack("<HH", kind, len(value)) + value


def area(magic: int, records: Sequence[bytes]) -> bytes:
    """Return an area with its records."""
    body = b"".join(records)
    return struct.pack("<HH", magic, 4 + len(body)) + body


def capability(
    kernels: Sequence[int] = (),
    arena: int = 1 << 20,
    targets: int = 1,
    versions: tuple[int, int] = (2, 2),
) -> bytes:
    """Return the bytes of a capability TLV."""
    words = [0, 0, 0, 0]
    for code in kernels:
        words[code // 32] |= 1 << code % 32
    return struct.pack("<BBBBI4II", 1, *versions, targets, arena, *words, 0)


@dataclass(frozen=True)
class ImageParts:
    """What an image is made of; the defaults are sound."""

    payload: bytes = b"payload!" * 8
    version: tuple[int, int, int, int] = (1, 0, 0, 0)
    counter: int | None = 0
    address: int | None = 0x1000
    board: bytes | None = b"toy"
    capability: bytes | None = None
    model: bool = False
    header_bytes: int = 0x200
    magic: int = MAGIC
    flags: int | None = None
    image_bytes: int | None = None
    protect_bytes: int | None = None
    key: Ed25519PrivateKey = field(default_factory=key)
    more_protected: tuple[bytes, ...] = ()
    more_unprotected: tuple[bytes, ...] = ()

    def header(self, protected: int) -> bytes:
        """Return the header, padded with 0xFF to its size."""
        flags = (NON_BOOTABLE if self.model else 0) | (ROM_FIXED if self.address is not None else 0)
        text = struct.pack(
            "<IIHHIIBBHII",
            self.magic,
            self.address or 0,
            self.header_bytes,
            protected if self.protect_bytes is None else self.protect_bytes,
            len(self.payload) if self.image_bytes is None else self.image_bytes,
            flags if self.flags is None else self.flags,
            *self.version,
            0,
        )
        return text.ljust(self.header_bytes, b"\xff")

    def protected(self) -> bytes:
        """Return the protected area, b"" if it has no records."""
        records = [] if self.counter is None else [tlv(COUNTER, struct.pack("<I", self.counter))]
        records += [] if self.board is None else [tlv(BOARD, self.board)]
        records += [] if self.capability is None else [tlv(CAPABILITY, self.capability)]
        records += self.more_protected
        return area(PROTECTED, records) if records else b""

    def build(self) -> bytes:
        """Return the signed image."""
        protected = self.protected()
        signed = self.header(len(protected)) + self.payload + protected
        digest = hashlib.sha256(signed).digest()
        records = [
            tlv(SHA256, digest),
            tlv(KEYHASH, key_hash(self.key)),
            tlv(ED25519, self.key.sign(digest)),
            *self.more_unprotected,
        ]
        return signed + area(UNPROTECTED, records)


def firmware(payload: bytes = b"firmware", *, address: int, **fields: object) -> bytes:
    """Return a sound firmware image for a slot at `address`."""
    return ImageParts(payload=payload, address=address, **fields).build()  # type: ignore[arg-type]


def model(payload: bytes = b"plan", **fields: object) -> bytes:
    """Return a sound model image."""
    parts: dict[str, object] = {"address": None, "board": None, "header_bytes": 32, **fields}
    return ImageParts(payload=payload, model=True, **parts).build()  # type: ignore[arg-type]


def with_signature(
    image: bytes, change: "bytes | None" = None, *, add_order: bool = False
) -> bytes:
    """Return `image` with another signature: `change`, or the same with S + L (malleable)."""
    at = image.rindex(struct.pack("<HH", ED25519, 64)) + 4
    signature = image[at : at + 64]
    if add_order:
        s = int.from_bytes(signature[32:], "little") + ORDER
        change = signature[:32] + s.to_bytes(32, "little")
    assert change is not None
    return image[:at] + change + image[at + 64 :]
