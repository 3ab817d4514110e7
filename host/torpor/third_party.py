# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Third-party C that firmware is compiled with: what is pinned and where its files lie.

firmware/third_party.toml has the pins; tools/setup brings the archives (fetch_third_party.py).
`library()` unpacks what is needed of one, once, and says what to compile. Nothing is imported
beyond the standard library, because the build loads it on every run.
"""

import fnmatch
import hashlib
import importlib.util
import json
import re
import shutil
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from torpor.errors import MissingToolError, UsageError, unknown_name
from torpor.paths import BUILD, FIRMWARE, ROOT

PINS = FIRMWARE / "third_party.toml"
ARCHIVES = ROOT / ".venv" / "third_party"
UNPACKED = BUILD / "third_party"
HINT = "run tools/setup"


@dataclass(frozen=True)
class Pin:
    """One table of third_party.toml; exactly one of `pip`, `debian` and `wheel` is not empty."""

    name: str
    sources: tuple[str, ...]
    include: tuple[str, ...]
    headers: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    edits: tuple[tuple[str, str, str], ...] = ()
    version: str = ""
    pip: str = ""
    debian: str = ""
    wheel: str = ""
    archive: str = ""
    sha256: str = ""
    language: str = ""


@dataclass(frozen=True)
class Library:
    """C that is ready to be compiled, without our warnings.

    Attributes:
        name: as in third_party.toml.
        sources: its C files.
        include: folders of its headers, for -isystem.
        private: further folders that only its own sources need.
        defines: macros for its sources and for whoever includes its headers.
        tuning: flags of GCC that make its code small on a device; of no use elsewhere.
        language: "c" where the names of its sources say another, else "".
    """

    name: str
    sources: tuple[Path, ...]
    include: tuple[Path, ...]
    private: tuple[Path, ...]
    defines: tuple[str, ...]
    tuning: tuple[str, ...] = ()
    language: str = ""

    @property
    def flags(self) -> list[str]:
        """What C that includes its headers is compiled with."""
        folders = [word for folder in self.include for word in ("-isystem", str(folder))]
        return [*folders, *(f"-D{name}" for name in self.defines)]

    @property
    def own_flags(self) -> list[str]:
        """What its own sources are compiled with; -w because its warnings are not ours."""
        folders = (f"-I{folder}" for folder in self.private)
        language = ["-x", self.language] if self.language else []
        return ["-w", *self.flags, *folders, *language]


def pins() -> dict[str, Pin]:
    """Return all pins by name."""
    tables = tomllib.loads(PINS.read_text(encoding="utf-8"))
    return {name: _pin(name, table) for name, table in tables.items()}


def archive_problem(pin: Pin, folder: Path = ARCHIVES) -> str:
    """Return what is wrong with the archive of `pin` in `folder`, or ""."""
    try:
        content = (folder / pin.archive).read_bytes()
    except OSError:
        return f"{pin.archive} is missing"
    if hashlib.sha256(content).hexdigest() != pin.sha256:
        return f"{pin.archive} is not the file that firmware/third_party.toml names"
    return ""


def library(name: str, archives: Path = ARCHIVES, unpacked: Path = UNPACKED) -> Library:
    """Return the C of a library, unpacked if need be.

    Args:
        name: of a table of third_party.toml.
        archives: where tools/setup has put the archives.
        unpacked: where files are unpacked to.

    Raises:
        UsageError: there is no such library, or an edit does not fit it.
        MissingToolError: it has not been fetched, or what has been is not what is pinned.
    """
    known = pins()
    if name not in known:
        raise unknown_name("library", name, known)
    pin = known[name]
    folder = _installed(pin) if pin.wheel else _unpack(pin, archives, unpacked)
    return Library(
        name=name,
        sources=tuple(path for part in pin.sources for path in sorted(folder.glob(part))),
        include=tuple(folder / part for part in pin.include),
        private=tuple(folder / part for part in pin.private),
        defines=pin.defines,
        tuning=pin.flags,
        language=pin.language,
    )


def _pin(name: str, table: dict[str, Any]) -> Pin:
    return Pin(name=name, **{key: _frozen(value) for key, value in table.items()})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _installed(pin: Pin) -> Path:
    spec = importlib.util.find_spec(pin.wheel)
    if spec is None or spec.origin is None:
        raise MissingToolError(
            f"the Python package {pin.wheel} is missing", f"{HINT}, then use .venv/bin/scons"
        )
    return Path(spec.origin).parent


def _unpack(pin: Pin, archives: Path, unpacked: Path) -> Path:
    """Return the folder with the files of `pin`, whose name changes with the pin.

    It appears at once and complete, so that several builds may run at the same time.
    """
    wanted = json.dumps([pin.sha256, pin.sources, pin.headers, *pin.edits])
    target = unpacked / f"{pin.name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    if target.is_dir():
        return target
    if problem := archive_problem(pin, archives):
        raise MissingToolError(f"{pin.name}: {problem}", HINT)
    unpacked.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=unpacked) as folder:
        made = Path(folder) / "files"
        _extract(archives / pin.archive, (*pin.sources, *pin.headers), made)
        _edit(pin, made)
        try:
            made.rename(target)
        except OSError:  # another build was faster
            if not target.is_dir():
                raise
    return target


def _extract(archive: Path, patterns: tuple[str, ...], folder: Path) -> None:
    """Unpack the files that match, without the archive's top folder."""
    with tarfile.open(archive) as opened:
        for member in opened:
            name = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            content = opened.extractfile(member)
            if content is None or not any(fnmatch.fnmatchcase(str(name), p) for p in patterns):
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("wb") as file:
                shutil.copyfileobj(content, file)


def _edit(pin: Pin, folder: Path) -> None:
    """Change unpacked files as the pin wants it; a "." of a pattern may be a newline too."""
    for name, pattern, new in pin.edits:
        file = folder / name
        before = file.read_text(encoding="utf-8")
        text, times = re.subn(pattern, new.replace("\\", r"\\"), before, flags=re.DOTALL)
        if times != 1:
            raise UsageError(
                f"{pin.name}: {name} has {pattern!r} {times} times, not once",
                f"'edits' in firmware/{PINS.name}",
            )
        file.write_text(text, encoding="utf-8")
