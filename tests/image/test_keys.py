# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Key files: made safely, read strictly, shown without their secret."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.support.small_order import ENCODINGS
from torpor.errors import ImageError
from torpor.image.keys import DEVELOPMENT, development_key, is_of_small_order, new_key, read_key

PEM, PKCS8 = Encoding.PEM, PrivateFormat.PKCS8
SPKI = PublicFormat.SubjectPublicKeyInfo
SEED = bytes(range(32))


def torpor(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torpor", "keys", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def public_pem(public: bytes) -> bytes:
    return Ed25519PublicKey.from_public_bytes(public).public_bytes(PEM, SPKI)


def test_a_new_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    made = new_key(tmp_path / "my.pem")
    assert (tmp_path / "my.pem").stat().st_mode & 0o777 == 0o600
    assert made.is_private
    assert not made.is_development
    assert made == read_key(tmp_path / "my.pem")
    assert made.public != new_key(tmp_path / "other.pem").public


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    new_key(tmp_path / "my.pem")
    before = (tmp_path / "my.pem").read_bytes()
    with pytest.raises(ImageError, match=r"my.pem exists"):
        new_key(tmp_path / "my.pem")
    assert (tmp_path / "my.pem").read_bytes() == before


def test_a_key_that_cannot_be_written_leaves_nothing_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, _mode: str) -> None:
        os.close(descriptor)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ImageError, match=r"No space left"):
        patch.setattr(os, "fdopen", full)
        new_key(tmp_path / "my.pem")
    assert new_key(tmp_path / "my.pem").is_private


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(ImageError, match=r"link.pem exists"):
        new_key(tmp_path / "link.pem")
    assert not (tmp_path / "elsewhere.pem").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"cannot write .*none/my.pem: No such file"):
        new_key(tmp_path / "none" / "my.pem")


def test_the_hash_is_that_of_the_key_as_imgtool_writes_it(tmp_path: Path) -> None:
    key = new_key(tmp_path / "my.pem")
    command = [sys.executable, "-m", "imgtool.main", "getpub", "-e", "raw", "-k"]
    der = subprocess.run([*command, tmp_path / "my.pem"], capture_output=True, check=True).stdout
    assert key.hash == hashlib.sha256(der).digest()
    assert der.endswith(key.public)


def test_imgtool_reads_the_development_key_with_the_words_before_it() -> None:
    command = [sys.executable, "-m", "imgtool.main", "getpub", "-e", "raw", "-k"]
    der = subprocess.run([*command, DEVELOPMENT], capture_output=True, check=True).stdout
    assert der.endswith(development_key().public)


def test_the_development_key_says_that_it_protects_nobody() -> None:
    assert DEVELOPMENT.name == "development.pem"
    assert DEVELOPMENT.read_text().startswith("DEVELOPMENT KEY: its private half is public")
    assert development_key().is_development


def test_the_development_key_is_known_under_any_name_and_by_its_public_half(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret.pem").write_bytes(DEVELOPMENT.read_bytes().partition(b"\n\n")[2])
    (tmp_path / "public.pem").write_bytes(public_pem(development_key().public))
    assert read_key(tmp_path / "secret.pem").is_development
    assert read_key(tmp_path / "public.pem").is_development


def test_a_public_key_is_enough_to_build_but_not_to_sign(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    (tmp_path / "public.pem").write_bytes(private.public_key().public_bytes(PEM, SPKI))
    (tmp_path / "private.pem").write_bytes(private.private_bytes(PEM, PKCS8, NoEncryption()))
    public = read_key(tmp_path / "public.pem")
    assert not public.is_private
    assert (public.public, public.hash) == (
        read_key(tmp_path / "private.pem").public,
        read_key(tmp_path / "private.pem").hash,
    )


@pytest.mark.parametrize("public", ENCODINGS, ids=bytes.hex)
def test_a_key_for_which_anybody_can_sign_is_refused(tmp_path: Path, public: bytes) -> None:
    (tmp_path / "weak.pem").write_bytes(public_pem(public))
    with pytest.raises(ImageError, match="accepts anybody's signatures"):
        read_key(tmp_path / "weak.pem")


@given(st.binary(min_size=32, max_size=32))
def test_no_key_that_is_made_from_a_secret_is_such_a_key(seed: bytes) -> None:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert not is_of_small_order(public)


OTHERS = {
    "empty": b"",
    "text": b"no key at all\n",
    "binary": bytes(range(256)),
    "DER": Ed25519PrivateKey.from_private_bytes(SEED).private_bytes(
        Encoding.DER, PKCS8, NoEncryption()
    ),
    "truncated": DEVELOPMENT.read_bytes()[:-40],
    "passphrase": Ed25519PrivateKey.from_private_bytes(SEED).private_bytes(
        PEM, PKCS8, BestAvailableEncryption(b"x")
    ),
    "P-256": ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, NoEncryption()),
    "P-256 public": ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(PEM, SPKI),
    "X25519": x25519.X25519PrivateKey.generate().private_bytes(PEM, PKCS8, NoEncryption()),
    "OpenSSH": b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_anything_else_is_refused_with_what_is_wanted(tmp_path: Path, kind: str) -> None:
    (tmp_path / "k.pem").write_bytes(OTHERS[kind])
    with pytest.raises(
        ImageError, match=r"k.pem holds (no key that can be read|a key of an)"
    ) as no:
        read_key(tmp_path / "k.pem")
    assert "torpor keys new FILE" in no.value.hint


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"cannot read .*: No such file or directory"):
        read_key(tmp_path / "none.pem")


@given(st.binary(max_size=200), st.sampled_from(["PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE"]))
def test_no_bytes_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pem"
    path.write_bytes(f"-----BEGIN {kind}-----\n".encode() + content + b"\n-----END-----\n")
    with pytest.raises(ImageError):
        read_key(path)


def test_the_command_makes_a_key_and_says_what_to_do(tmp_path: Path) -> None:
    done = torpor("new", tmp_path / "my key.pem")
    assert done.returncode == 0, done.stderr
    key = read_key(tmp_path / "my key.pem")
    assert f"public       {key.public.hex()}" in done.stdout.splitlines()
    assert "keep it secret" in done.stderr
    assert f"key='{tmp_path / 'my key.pem'}' image" in done.stderr


def test_the_command_refuses_to_overwrite(tmp_path: Path) -> None:
    assert torpor("new", tmp_path / "my.pem").returncode == 0
    again = torpor("new", tmp_path / "my.pem")
    assert again.returncode == 8
    assert again.stderr.startswith(f"torpor: {tmp_path / 'my.pem'} exists\nhint: ")
    assert again.stdout == ""


def test_the_command_shows_a_key_without_its_secret() -> None:
    shown = torpor("show", DEVELOPMENT)
    assert shown.returncode == 0
    assert "development  yes" in shown.stdout.splitlines()
    assert f"hash         {development_key().hash.hex()}" in shown.stdout.splitlines()
    secret = DEVELOPMENT.read_text().split("\n\n")[1].splitlines()[1]
    told = torpor("show", DEVELOPMENT, "--json")
    assert json.loads(told.stdout)["development"] is True
    assert secret not in shown.stdout + told.stdout


def test_an_action_must_be_named() -> None:
    done = torpor()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "hint: torpor keys --help"
