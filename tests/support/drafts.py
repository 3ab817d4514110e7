# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Images of which any part can be wrong, signed with the development key (tests/support/images.py
makes those of which hardly any part is)."""

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import strategies as st

from tests.support.images import (
    BOARD,
    CAPABILITY,
    COUNTER,
    ED25519,
    KEYHASH,
    MAGIC,
    NON_BOOTABLE,
    PROTECTED,
    ROM_FIXED,
    SHA256,
    UNPROTECTED,
    area,
    tlv,
)
from torpor.image.keys import DEVELOPMENT, development_key

Records = tuple[tuple[int, bytes], ...]


def records(magic: int, found: Records) -> bytes:
    """Return an area of records."""
    return area(magic, [tlv(kind, value) for kind, value in found])


def development_private() -> Ed25519PrivateKey:
    """Return the private half of the development key."""
    key = load_pem_private_key(DEVELOPMENT.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


@dataclass(frozen=True)
class Draft:
    """An image to be; None is what is right."""

    payload: bytes = bytes(range(100))
    magic: int = MAGIC
    address: int = 0
    header_bytes: int = 32
    fill: int | None = None  # how many bytes of 0xff follow the first 32 of the header
    payload_bytes: int | None = None
    promised: int | None = None  # protected bytes, says the header
    flags: int = NON_BOOTABLE
    version: tuple[int, int, int, int] = (1, 2, 3, 4)
    protected_magic: int = PROTECTED
    protected: Records = ((COUNTER, bytes(4)),)
    unprotected_magic: int = UNPROTECTED
    hash: bytes | None = None
    key_hash: bytes | None = None
    signature: bytes | None = None
    unprotected: Records | None = None

    def build(self) -> bytes:
        """Return the image."""
        protected = records(self.protected_magic, self.protected) if self.protected else b""
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
        unprotected = self.proof(signed) if self.unprotected is None else self.unprotected
        return signed + records(self.unprotected_magic, unprotected)

    def proof(self, signed: bytes) -> Records:
        """Return the records that say who has signed what."""
        digest = sha256(signed).digest() if self.hash is None else self.hash
        signature = self.signature
        return (
            (SHA256, digest),
            (KEYHASH, development_key().hash if self.key_hash is None else self.key_hash),
            (ED25519, development_private().sign(digest) if signature is None else signature),
        )


_BYTES = st.binary(max_size=40)
_SIZES = {COUNTER: 4, CAPABILITY: 28, KEYHASH: 32, SHA256: 32, ED25519: 64}
_RECORD = st.sampled_from(
    [COUNTER, BOARD, CAPABILITY, KEYHASH, SHA256, ED25519, 0x40, 0xFFFF]
).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.binary(min_size=_SIZES[kind], max_size=_SIZES[kind]) if kind in _SIZES else _BYTES,
    )
)
_RECORDS = st.lists(_RECORD | st.tuples(st.integers(0, 0xFFFF), _BYTES), max_size=4).map(tuple)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "payload": _BYTES,
    "header_bytes": st.sampled_from([0, 16, 32, 33, 48, 0xFFF0]),
    "fill": st.integers(0, 40),
    "payload_bytes": st.integers(0, 200) | st.integers(0, 0xFFFFFFFF),
    "promised": st.integers(0, 60) | st.integers(0, 0xFFFF),
    "flags": st.sampled_from([0, NON_BOOTABLE, ROM_FIXED, NON_BOOTABLE | ROM_FIXED, 4]),
    "version": st.tuples(*[st.integers(0, 0xFF)] * 2, st.integers(0, 0xFFFF), st.integers(0, 9)),
    "protected": _RECORDS,
    "hash": st.binary(min_size=32, max_size=32),
    "unprotected": _RECORDS,
}
DRAFTS = (
    st.lists(st.sampled_from(sorted(_FIELDS)), max_size=3, unique=True)
    .flatmap(lambda names: st.fixed_dictionaries({name: _FIELDS[name] for name in names}))
    .map(lambda fields: Draft(**fields))
)
"""Images of which up to three parts are other than usual; many are sound all the same."""
