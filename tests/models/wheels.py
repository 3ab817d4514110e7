# SPDX-License-Identifier: Apache-2.0
"""Makes small wheels, and keeps pip away from any index."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from torpor.model.package_data import Member, Wheel

FILES = {"tinydata/data/one.ts": b"one\n", "tinydata/data/two.ts": b"two\n"}
METADATA = "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n"
TAG = "Wheel-Version: 1.0\nGenerator: torpor tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def sha256(content: bytes) -> str:
    """Return the hash as text."""
    return hashlib.sha256(content).hexdigest()


def make_wheel(folder: Path) -> Wheel:
    """Write tinydata-1.0 with FILES into `folder` and return its pin."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tinydata-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
        archive.writestr("tinydata-1.0.dist-info/METADATA", METADATA)
        archive.writestr("tinydata-1.0.dist-info/WHEEL", TAG)
        archive.writestr("tinydata-1.0.dist-info/RECORD", "")
    return Wheel("tinydata", "1.0", path.name, sha256(path.read_bytes()))


def member(name: str) -> Member:
    """Return the pin of one of FILES."""
    return Member(name, sha256(FILES[name]))


def only_from(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let pip find packages in `folder` alone; nothing goes over the network."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
