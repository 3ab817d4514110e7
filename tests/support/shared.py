# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""C of the firmware, with the libraries that it uses, as shared libraries of this machine.

An object is compiled once for each content of its source, of what that may include, and flags; it
lies in build/host for the libraries of other tests and of other workers.
"""

import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torpor.engine.library import CACHE, SANITIZERS, compiler
from torpor.paths import FIRMWARE
from torpor.third_party import Library, library

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion")
COMMON = ("-std=c11", "-g", "-fPIC")


def build_shared(
    folder: Path,
    sources: Sequence[Path],
    libraries: Sequence[str] = ("zcbor",),
    sanitizer: str = "undefined",
    include: Sequence[Path] = (),
    *,
    wrapped: Sequence[str] = (),
) -> Path:
    """Compile C files of ours to a shared library in `folder`; return it.

    Args:
        folder: for what is made; generated headers are found in it.
        sources: the C files.
        libraries: names in firmware/third_party.toml.
        sanitizer: a key of torpor.engine.library.SANITIZERS, for the C that is ours.
        include: further folders with headers.
        wrapped: functions whose calls go to __wrap_NAME.
    """
    third = [library(name) for name in libraries]
    places = (FIRMWARE, folder, *include)
    defines = [f"-D{name}" for it in third for name in it.defines]
    flags = [*COMMON, "-O1", *WARNINGS, *SANITIZERS[sanitizer], *defines]
    include_flags = [f"-I{path}" for path in places]
    include_flags += [word for it in third for word in it.flags]
    headers = _digest(FIRMWARE, *include, *(path for it in third for path in it.include))
    headers += _digest(folder, pattern="*.h")  # its sources are each library's own
    objects = [_object(source, flags, include_flags, headers) for source in sources]
    objects += [path for it in third for path in _third_party_objects(it)]
    target = folder / "libfirmware.so"
    wraps = [f"-Wl,--wrap={name}" for name in wrapped]
    _run([*flags, "-shared", *wraps, *map(str, objects), "-o", str(target)])
    return target


def _third_party_objects(it: Library) -> list[Path]:
    """Compile a library, optimised and without sanitizers: it is not ours to test."""
    headers = _digest(*it.include, *it.private)
    return [_object(path, [*COMMON, "-O2"], it.own_flags, headers) for path in it.sources]


def _object(source: Path, flags: Sequence[str], include_flags: Sequence[str], headers: str) -> Path:
    """Compile one file, unless that has been done; where its headers lie makes no difference."""
    text = "\0".join([compiler(), *flags, headers])
    digest = hashlib.sha256(text.encode() + source.read_bytes()).hexdigest()
    target = CACHE / f"{source.stem}-{digest[:16]}.o"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as made:
            output = Path(made) / target.name
            _run([*flags, *include_flags, "-c", str(source), "-o", str(output)])
            output.replace(target)
    return target


def _digest(*folders: Path, pattern: str = "*.[ch]") -> str:
    """Return a digest of all that can be included from some folders; shims include sources too."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob(pattern)):
            digest.update(f"\0{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _run(arguments: Sequence[str]) -> None:
    done = subprocess.run([compiler(), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"the firmware does not compile on the host:\n{done.stderr}"
