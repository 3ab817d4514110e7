# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Images made byte by byte, sound ones and any others: a second writer of the format."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from torpor.image.keys import DEVELOPMENT, development_key

COUNTER, BOARD, CAPABILITY = 0x50, 0xA0, 0xA1
KEYHASH, SHA256, ED25519 = 0x01, 0x10, 0x24
NON_BOOTABLE, ROM_FIXED = 0x10, 0x100
Records = Iterable[tuple[int, bytes]]


def area(magic: int, records: Records) -> bytes:
    """Return an area of records."""
    body = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in records)
    return struct.pack("<HH", magic, 4 + len(body)) + body


def development_private() -> Ed25519PrivateKey:
    """Return the private half of the development key."""
    key = load_pem_private_key(DEVELOPMENT.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


@dataclass(frozen=True)
class Draft:
    """An image to be; each member can be made wrong (None: what is right)."""

    payload: bytes = bytes(range(100))
    magic: int = 0x96F3B83D
    address: int = 0
    header_bytes: int = 32
    fill: int | None = None  # of the header behind its first 32 bytes: how many of 0xff
    payload_bytes: int | None = None
    promised: int | None = None  # protected bytes, says the header
    flags: int = NON_BOOTABLE
    version: tuple[int, int, int, int] = (1, 2, 3, 4)
    protected_magic: int = 0x6908
    protected: tuple[tuple[int, bytes], ...] = ((COUNTER, bytes(4)),)
    unprotected_magic: int = 0x6907
    hash: bytes | None = None
    key_hash: bytes | None = None
    signature: bytes | None = None
    unprotected: tuple[tuple[int, bytes], ...] | None = None

    def bytes(self) -> bytes:
        """Return the image, signed with the development key."""
        protected = area(self.protected_magic, self.protected) if self.protected else b""
        header = struct.pack(
            "<IIHHIIBBHII",
            self.magic,
            self.address,
            self.header_bytes,
            len(protected) if self.promised is None else self.promised,
            len(self.payload) if self.payload_bytes is None else self.payload_bytes,
            self.flags,
            *self.version,
            0,
        )
        fill = self.header_bytes - 32 if self.fill is None else self.fill
        signed = header + b"\xff" * fill + self.payload + protected
        return signed + area(self.unprotected_magic, self._unprotected(signed))

    def _unprotected(self, signed: bytes) -> Records:
        if self.unprotected is not None:
            return self.unprotected
        digest = sha256(signed).digest() if self.hash is None else self.hash
        signature = self.signature
        return (
            (SHA256, digest),
            (KEYHASH, development_key().hash if self.key_hash is None else self.key_hash),
            (ED25519, development_private().sign(digest) if signature is None else signature),
        )
