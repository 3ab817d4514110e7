# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""C of the firmware, with the libraries that it uses, as shared libraries of this machine."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from torpor.engine.library import SANITIZERS, compiler
from torpor.paths import FIRMWARE
from torpor.third_party import library

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
    includes = [f"-I{path}" for path in (FIRMWARE, folder, *include)]
    includes += [flag for name in libraries for flag in library(name).flags]
    objects = [path for name in libraries for path in _objects(folder, name)]
    target = folder / "libfirmware.so"
    flags = [*COMMON, "-O1", *WARNINGS, *SANITIZERS[sanitizer], *includes, "-shared"]
    flags += [f"-Wl,--wrap={name}" for name in wrapped]
    _run([*flags, *map(str, (*sources, *objects)), "-o", str(target)])
    return target


def _objects(folder: Path, name: str) -> list[Path]:
    """Compile a library, optimised and without sanitizers: it is not ours to test."""
    found = library(name)
    objects = []
    for source in found.sources:
        objects.append(folder / f"{name}-{source.stem}.o")
        _run([*COMMON, "-O2", *found.own_flags, "-c", str(source), "-o", str(objects[-1])])
    return objects


def _run(arguments: Sequence[str]) -> None:
    done = subprocess.run([compiler(), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"the firmware does not compile on the host:\n{done.stderr}"
