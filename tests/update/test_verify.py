# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""verify.c: SHA-256 and Ed25519 as the standards have them, and nothing more than they accept."""

import hashlib
from collections.abc import Callable
from typing import Any

import cffi
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.support.small_order import ENCODINGS, L
from torpor.engine.library import SANITIZERS, build_library, declarations
from torpor.paths import FIRMWARE
from torpor.third_party import library

HEADER = FIRMWARE / "update" / "verify.h"
CONSTANTS = "#define VERIFY_HASH_BYTES 32\n#define VERIFY_SIGNATURE_BYTES 64\n"
MESSAGE = hashlib.sha256(b"an image").digest()
SEED = bytes(range(32))

# RFC 8032, 7.1: public key, message, signature
RFC = {
    "test 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "test 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "test 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "test SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}

Verify = Callable[[bytes, bytes, bytes], bool]


@pytest.fixture(scope="session")
def opened() -> tuple[cffi.FFI, Any]:
    """verify.c and both libraries as a shared library with UBSan."""
    libraries = library("monocypher"), library("bearssl")
    sources = [FIRMWARE / "update" / "verify.c", *(s for found in libraries for s in found.sources)]
    flags = [*SANITIZERS["undefined"], *(f for found in libraries for f in found.own_flags)]
    ffi = cffi.FFI()
    ffi.cdef(CONSTANTS + declarations(HEADER.read_text()))
    return ffi, ffi.dlopen(str(build_library("verify", sources, flags)))


@pytest.fixture(scope="session")
def verify(opened: tuple[cffi.FFI, Any]) -> Verify:
    return lambda signature, key, message: bool(
        opened[1].verify_signature(signature, key, message, len(message))
    )


def keypair(seed: bytes = SEED) -> tuple[Ed25519PrivateKey, bytes]:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return private, private.public_key().public_bytes_raw()


def scalar(seed: bytes) -> int:
    """The secret scalar that RFC 8032 makes of a seed, modulo the group's order."""
    number = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    return ((number & ((1 << 254) - 8)) | (1 << 254)) % L


def flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "little") ^ (1 << bit)).to_bytes(len(data), "little")


def number(s: int) -> bytes:
    return s.to_bytes(32, "little")


def test_the_constants_are_those_of_the_header() -> None:
    text = " ".join(HEADER.read_text().split())
    for line in CONSTANTS.splitlines():
        assert line in text


@given(st.integers(0, 300).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
def test_a_hash_is_sha_256(opened: tuple[cffi.FFI, Any], content: bytes) -> None:
    ffi, c = opened
    out = ffi.new("uint8_t[34]")
    c.verify_hash(content, len(content), out + 1)
    assert bytes(out) == b"\0" + hashlib.sha256(content).digest() + b"\0"


def test_a_hash_of_a_whole_image_is_sha_256(opened: tuple[cffi.FFI, Any]) -> None:
    ffi, c = opened
    content = bytes(range(256)) * 4096
    out = ffi.new("uint8_t[32]")
    c.verify_hash(content, len(content), out)
    assert bytes(out) == hashlib.sha256(content).digest()


@pytest.mark.parametrize("name", RFC)
def test_the_signatures_of_rfc_8032_are_right(verify: Verify, name: str) -> None:
    key, message, signature = map(bytes.fromhex, RFC[name])
    assert verify(signature, key, message)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64))
def test_what_another_library_signs_is_right(verify: Verify, seed: bytes, message: bytes) -> None:
    private, key = keypair(seed)
    assert verify(private.sign(message), key, message)


@pytest.mark.parametrize("part", ["signature", "key", "message"])
def test_every_flipped_bit_is_noticed(verify: Verify, part: str) -> None:
    private, key = keypair()
    parts = {"signature": private.sign(MESSAGE), "key": key, "message": MESSAGE}
    assert verify(*parts.values())
    for bit in range(8 * len(parts[part])):
        changed = parts | {part: flipped(parts[part], bit)}
        assert not verify(*changed.values()), f"bit {bit} of the {part}"


@pytest.mark.parametrize("name", ["message", "key"])
def test_another_length_or_key_is_refused(verify: Verify, name: str) -> None:
    private, key = keypair()
    signature = private.sign(MESSAGE)
    if name == "message":
        assert not verify(signature, key, MESSAGE[:-1])
        assert not verify(signature, key, MESSAGE + b"\0")
    else:
        assert not verify(signature, keypair(bytes(32))[1], MESSAGE)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 15))
def test_s_from_the_order_of_the_group_on_is_refused(
    verify: Verify, seed: bytes, times: int
) -> None:
    private, key = keypair(seed)
    signature = private.sign(MESSAGE)
    s = int.from_bytes(signature[32:], "little") + times * L
    if s < 1 << 256:
        assert not verify(signature[:32] + number(s), key, MESSAGE)


def test_s_is_compared_with_the_order_exactly(verify: Verify) -> None:
    """With a key of small order, R = S * B is a signature of anything: so S can be chosen."""
    identity = number(1)
    for s, is_right in ((0, True), (L, False), (2 * L, False), (8 * L, False)):
        assert verify(identity + number(s), identity, MESSAGE) == is_right, s
    minus_b = flipped(number(4 * pow(5, -1, 2**255 - 19) % (2**255 - 19)), 255)
    assert verify(minus_b + number(L - 1), identity, MESSAGE)
    assert not verify(minus_b + number(2 * L - 1), identity, MESSAGE)


@pytest.mark.parametrize("r", ENCODINGS, ids=bytes.hex)
def test_r_of_small_order_makes_no_signature(verify: Verify, r: bytes) -> None:
    _, key = keypair()
    signature = keypair()[0].sign(MESSAGE)
    for s in (number(0), number(1), signature[32:], number(L - 1)):
        assert not verify(r + s, key, MESSAGE)


@pytest.mark.parametrize("key", ENCODINGS, ids=bytes.hex)
def test_a_key_of_small_order_would_take_anything(verify: Verify, key: bytes) -> None:
    """As in RFC 8032, whose equation has the cofactor; tests/image: no such key is ever used."""
    seed = hashlib.sha256(b"an attacker").digest()
    r = keypair(seed)[1]
    for message in (MESSAGE, bytes(32)):
        assert verify(r + number(scalar(seed)), key, message)


def test_a_point_that_is_not_on_the_curve_is_refused(verify: Verify) -> None:
    private, key = keypair()
    signature = private.sign(MESSAGE)
    nowhere = number(2)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(nowhere).verify(signature, MESSAGE)
    assert not verify(signature, nowhere, MESSAGE)
    assert not verify(nowhere + signature[32:], key, MESSAGE)


@given(st.binary(min_size=64, max_size=64), st.binary(min_size=32, max_size=32))
def test_random_bytes_are_no_signature(verify: Verify, signature: bytes, key: bytes) -> None:
    if key not in ENCODINGS:
        assert not verify(signature, key, MESSAGE)
