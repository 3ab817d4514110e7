# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Builds firmware/update with the flash simulator as a shared library of this machine.

The C is that of the firmware, unmodified; flash.c stands in for the driver. The declarations for
cffi are those of the headers themselves.
"""

import functools
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cffi

from torpor.engine.library import CACHE, SANITIZERS, compiler, declarations
from torpor.paths import FIRMWARE
from torpor.third_party import library as third_party

HERE = Path(__file__).parent
LIBRARIES = ("monocypher", "bearssl")
HEADERS = ("reason", "layout", "verify", "image", "journal", "update", "upload")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion")
FLAGS = ("-std=c11", "-O2", "-fPIC", f"-I{HERE}")


def update_sources(firmware: Path = FIRMWARE) -> list[Path]:
    """Return the C files of the update code and of what it needs, in a tree like firmware/."""
    return [*sorted((firmware / "update").glob("*.c")), firmware / "core" / "crc32.c"]


def cdef_of(header: Path) -> str:
    """Return what cffi can read of a C header: declarations, with the values of plain macros."""
    text = re.sub(r"/\*.*?\*/", " ", header.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"static inline .*?\n}\n", "", text, flags=re.S)
    return declarations(text).replace("__attribute__((noreturn))", "")


def macros_of(headers: Sequence[Path]) -> dict[str, str]:
    """Return the macros that are a number or the sum of two known ones, with their values."""
    values: dict[str, int] = {}
    for header in headers:
        for name, text in re.findall(
            r"^#define (\w+) +\(?([\w +]+?)u?\)?\s*(?:/\*|$)",
            header.read_text(encoding="utf-8"),
            flags=re.M,
        ):
            words = [values.get(w, w) for w in text.split(" + ")]
            try:
                values[name] = sum(int(str(word).rstrip("u"), 0) for word in words)
            except ValueError:
                continue
    return {name: str(value) for name, value in values.items()}


def cdef(headers: Sequence[Path]) -> str:
    """Return one cdef text for several headers, macros replaced by their numbers."""
    macros = macros_of(headers)
    text = "\n".join(cdef_of(header) for header in headers)
    return re.sub(r"\b[A-Z_]\w+\b", lambda match: macros.get(match[0], match[0]), text)


def build(
    name: str, sources: Sequence[Path], flags: Sequence[str], firmware: Path = FIRMWARE
) -> Path:
    """Compile C sources and the crypto libraries to a shared library; return its path.

    It is built once for each content of sources, headers and flags.

    Args:
        name: part of the file name.
        sources: C files of ours.
        flags: further compiler flags.
        firmware: the tree with the sources' headers.
    """
    headers = [*firmware.rglob("*.h"), *HERE.glob("*.h")]
    digest = hashlib.sha256("\0".join([compiler(), *flags]).encode())
    for path in sorted({*sources, *headers}):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    target = CACHE / f"lib{name}-{digest.hexdigest()[:16]}.so"
    if not target.exists():
        _link(target, sources, [*flags, f"-I{firmware}"])
    return target


def _link(target: Path, sources: Sequence[Path], flags: Sequence[str]) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    third = [third_party(name) for name in LIBRARIES]
    include = [flag for library in third for flag in library.flags]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        output = Path(folder) / target.name
        command = [compiler(), *FLAGS, *WARNINGS, *flags, *include, "-shared", "-o", str(output)]
        _run([*command, *map(str, sources), *map(str, _third_party_objects())])
        output.replace(target)


@functools.cache
def _third_party_objects() -> list[Path]:
    """Compile the crypto libraries, optimised and without sanitizers: they are not ours to test."""
    objects = []
    for name in LIBRARIES:
        library = third_party(name)
        for source in library.sources:
            key = hashlib.sha256(source.read_bytes() + compiler().encode()).hexdigest()[:16]
            objects.append(CACHE / f"{name}-{source.stem}-{key}.o")
            if not objects[-1].exists():
                CACHE.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                    output = Path(folder) / "x.o"
                    _run([compiler(), *FLAGS, *library.own_flags, "-c", str(source),
                          "-o", str(output)])  # fmt: skip
                    output.replace(objects[-1])
    return objects


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the update code does not compile on the host:\n{done.stderr}")


@functools.cache
def open_update(sanitizer: str = "none") -> tuple[cffi.FFI, Any]:
    """Return (ffi, library) of firmware/update on the simulated flash.

    Args:
        sanitizer: a key of torpor.engine.library.SANITIZERS.
    """
    ffi = cffi.FFI()
    headers = [*(FIRMWARE / "update" / f"{name}.h" for name in HEADERS), HERE / "flash.h"]
    text = cdef([FIRMWARE / "hal" / "flash.h", *headers])
    text = re.sub(
        r"extern const update_\w+ update_\w+;", "", text
    )  # the build's, not the library's
    ffi.cdef(text)
    sources = [*update_sources(), HERE / "flash.c"]
    return ffi, ffi.dlopen(str(build(f"update-{sanitizer}", sources, SANITIZERS[sanitizer])))
