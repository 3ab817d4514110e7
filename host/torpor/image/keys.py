# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Key files: the private key that images are signed with, the public one that devices know.

A file is PEM, as imgtool and OpenSSL write it: a private key (PKCS#8) or a public one
(SubjectPublicKeyInfo), Ed25519, without a passphrase. Text before the key is allowed.
"""

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from torpor.errors import ImageError
from torpor.paths import FIRMWARE

DEVELOPMENT = FIRMWARE / "keys" / "development.pem"
"""The key that everybody has. It keeps accidents away, nobody else."""

_P = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset((0, 1, _P - 1, _ORDER_8, _P - _ORDER_8))  # y of all points of small order
_HINT = "an Ed25519 key in a PEM file without a passphrase: torpor keys new FILE"


@dataclass(frozen=True)
class Key:
    """What is in a key file.

    Attributes:
        path: the file.
        public: 32 bytes, as RFC 8032 has them.
        is_private: images can be signed with it.
    """

    path: Path
    public: bytes
    is_private: bool

    @property
    def hash(self) -> bytes:
        """SHA-256 of the key as SubjectPublicKeyInfo, by which images name it."""
        der = Ed25519PublicKey.from_public_bytes(self.public).public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).digest()

    @property
    def is_development(self) -> bool:
        """The private half is public."""
        return self.public == development_key().public


def read_key(path: Path) -> Key:
    """Return the key in a file.

    Raises:
        ImageError: the file cannot be read, or holds anything but such a key.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from None
    is_private = b"PRIVATE KEY-----" in text
    key = _parse(path, text, is_private)
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    found = Key(path, public.public_bytes_raw(), is_private)
    if is_of_small_order(found.public):
        raise ImageError(f"{path}: a key that accepts anybody's signatures", _HINT)
    return found


@functools.cache
def development_key() -> Key:
    """Return the development key."""
    return read_key(DEVELOPMENT)


def is_of_small_order(public: bytes) -> bool:
    """Say whether a public key is one of the few for which anybody can sign."""
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return y % _P in _SMALL_ORDER


def new_key(path: Path) -> Key:
    """Make a new private key, in a file that only its owner can read.

    Raises:
        ImageError: the file exists, or cannot be written.
    """
    text = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(text)
        except OSError:
            path.unlink()  # half a key is in the way of the next try
            raise
    except FileExistsError:
        raise ImageError(
            f"{path} exists", "a lost key cannot be had back: choose another name"
        ) from None
    except OSError as error:
        raise ImageError(f"cannot write {path}: {error.strerror}") from None
    return read_key(path)


def _parse(path: Path, text: bytes, is_private: bool) -> Ed25519PrivateKey | Ed25519PublicKey:
    try:
        key = load_pem_private_key(text, None) if is_private else load_pem_public_key(text)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it wants a passphrase
        raise ImageError(f"{path} holds no key that can be read", _HINT) from None
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise ImageError(f"{path} holds a key of another kind", _HINT)
    return key
