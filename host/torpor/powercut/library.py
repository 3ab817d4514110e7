# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Builds firmware/update with the flash simulator as a shared library of this machine.

The proof has both engines (engine.h), which define the same names: the one for plans of TensorFlow
Lite Micro is linked apart.

The C is that of the firmware, unmodified; flash.c stands in for the driver. The declarations for
cffi are those of the headers themselves.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cffi

from torpor.engine.library import CACHE, SANITIZERS, compiler, declarations, generated
from torpor.errors import MissingToolError
from torpor.paths import FIRMWARE
from torpor.powercut.plans import REGISTRATION
from torpor.tflm.check import SOURCES, registration_table
from torpor.third_party import library as third_party

HERE = Path(__file__).parent
LIBRARIES = ("monocypher", "bearssl")
HEADERS = ("reason", "layout", "verify", "image", "journal", "update", "upload")
PROOF_HEADERS = ("flash", "trace", "remember", "scenario", "view", "judge", "proof")
KERNELS = ("COPY",)
"""What the models of the proof consist of."""

TFLM_ENGINE = "engine_tflm"
"""The one name of tflm/engine.c, and of what it is linked with, that others see."""

WRAPPED = (
    *("infer_check", "infer_init", "infer_input", "infer_invoke", "infer_reset"),
    *("verify_hash", "verify_signature"),
)
"""Functions that the linker sends to engine.c, device.c and remember.c, which call them."""

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion")
FLAGS = ("-std=c11", "-O2", "-fPIC", f"-I{HERE}")


def update_sources(firmware: Path = FIRMWARE) -> list[Path]:
    """Return the C files of the update code and of what it needs, in a tree like firmware/."""
    return [*sorted((firmware / "update").glob("*.c")), firmware / "core" / "crc32.c"]


def cdef_of(header: Path) -> str:
    """Return what cffi can read of a C header: declarations, with the values of plain macros."""
    text = re.sub(r"/\*.*?\*/", " ", header.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"static inline .*?\n}\n", "", text, flags=re.S)
    return re.sub(r"__attribute__\(\(.*?\)\)(?=;)", "", declarations(text))


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


def build(  # noqa: PLR0917 - as a linker
    name: str,
    sources: Sequence[Path],
    flags: Sequence[str],
    firmware: Path = FIRMWARE,
    link: Sequence[str] = (),
    apart: Mapping[str, Sequence[Path]] | None = None,
) -> Path:
    """Compile C sources and the crypto libraries to a shared library; return its path.

    It is built once for each content of sources, headers and flags, and so is each of its objects.

    Args:
        name: part of the file name.
        sources: C files of ours.
        flags: further compiler flags.
        firmware: the tree with the sources' headers.
        link: further flags for linking.
        apart: sources that see no names of the others, nor they theirs, but for one name.
    """
    third = [flag for name in LIBRARIES for flag in third_party(name).flags]
    flags = [*FLAGS, *WARNINGS, *flags, f"-I{firmware}", *third]
    headers = hashlib.sha256("\0".join([compiler(), *FLAGS, *WARNINGS]).encode())
    for path in sorted([*firmware.rglob("*.h"), *HERE.glob("*.h")]):
        headers.update(f"\0{path.name}\0".encode() + path.read_bytes())
    groups = {"": sources, **(apart or {})}
    every = dict.fromkeys(path for group in groups.values() for path in group)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(lambda s: _object(s, flags, headers.digest()), every)
        by_source = dict(zip(every, made, strict=True))
    objects = [by_source[path] for path in sources]
    for symbol, group in (apart or {}).items():
        objects.append(_apart(symbol, [by_source[path] for path in group], flags))
    objects += _third_party_objects()
    key = hashlib.sha256("\0".join([*map(str, objects), *link]).encode()).hexdigest()[:16]
    target = CACHE / f"lib{name}-{key}.so"
    _make(target, [*flags, "-shared", *link, *map(str, objects)])
    return target


def _object(source: Path, flags: Sequence[str], headers: bytes) -> Path:
    own = [flag for flag in flags if not flag.startswith("-I")]
    key = hashlib.sha256("\0".join(own).encode() + headers + source.read_bytes()).hexdigest()[:16]
    target = CACHE / f"{source.stem}-{key}.o"
    _make(target, [*flags, "-c", str(source)])
    return target


def _apart(symbol: str, objects: Sequence[Path], flags: Sequence[str]) -> Path:
    """Link objects with each other to one in which only `symbol` can be seen."""
    key = hashlib.sha256("\0".join([symbol, *map(str, objects)]).encode()).hexdigest()[:16]
    together, target = CACHE / f"{symbol}-{key}.r.o", CACHE / f"{symbol}-{key}.o"
    _make(together, [*flags, "-r", "-nostdlib", *map(str, objects)])
    if not target.exists():
        hidden = together.with_name(f"{target.name}.{os.getpid()}")
        keep = f"--keep-global-symbol={symbol}"
        _run([_objcopy(), keep, str(together), str(hidden)])
        hidden.replace(target)
    return target


def _objcopy() -> str:
    found = shutil.which("objcopy")
    if found is None:
        raise MissingToolError("objcopy is missing", "apt install binutils")
    return found


def _make(target: Path, arguments: Sequence[str]) -> None:
    """Run the compiler, unless its output is there; it appears at once and complete."""
    if target.exists():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        output = Path(folder) / target.name
        _run([compiler(), *arguments, "-o", str(output)])
        output.replace(target)


@functools.cache
def _third_party_objects() -> list[Path]:
    """Compile the crypto libraries, optimised and without sanitizers: they are not ours to test."""
    flags = [*FLAGS, *(flag for name in LIBRARIES for flag in third_party(name).own_flags)]
    sources = [path for name in LIBRARIES for path in third_party(name).sources]
    return [_object(source, flags, compiler().encode()) for source in sources]


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
    sources = [*update_sources(), HERE / "flash.c"]
    library = build(f"update-{sanitizer}", sources, SANITIZERS[sanitizer])
    ffi = _declared([HERE / "flash.h"])
    return ffi, ffi.dlopen(str(library))


def proof_library(sanitizer: str = "none", replaced: Mapping[Path, Path] | None = None) -> Path:
    """Build firmware/update and what an application needs to choose its model, with the proof.

    Args:
        sanitizer: a key of torpor.engine.library.SANITIZERS.
        replaced: other files to compile instead of some of firmware/.
    """
    other = dict(replaced or {})
    infer = [
        path for part in ("", "plan", "ops") for path in (FIRMWARE / "infer" / part).glob("*.c")
    ]
    kernels = [FIRMWARE / "infer" / "kernels" / f"{name.lower()}.c" for name in KERNELS]
    firmware = [*update_sources(), FIRMWARE / "mgmt" / "models.c", *sorted(infer), *kernels]
    sources = [*firmware, *sorted(HERE.glob("*.c"))]
    wrap = [f"-Wl,--wrap={name}" for name in WRAPPED]
    flags = ["-O3", *SANITIZERS[sanitizer]]  # a millionth of a second counts here
    return build(
        f"proof-{sanitizer}",
        [other.get(path, path) for path in sources],
        flags,
        link=wrap,
        apart={TFLM_ENGINE: [other.get(path, path) for path in _tflm_sources()]},
    )


def _tflm_sources() -> list[Path]:
    """Return the C files of the engine for plans of TensorFlow Lite Micro."""
    infer = FIRMWARE / "infer"
    firmware = [*sorted((infer / "plan").glob("*.c")), *(infer / "tflm" / n for n in SOURCES)]
    table = generated("registrations", registration_table([REGISTRATION]))
    return [*firmware, HERE / "tflm" / "engine.c", table]


@functools.cache
def open_proof(library: Path) -> tuple[cffi.FFI, Any]:
    """Return (ffi, library) of what proof_library() has built."""
    ffi = _declared([HERE / f"{name}.h" for name in PROOF_HEADERS])
    return ffi, ffi.dlopen(str(library))


def _declared(headers: Sequence[Path]) -> cffi.FFI:
    """Return a cffi object that knows firmware/update and `headers`."""
    update = [FIRMWARE / "update" / f"{name}.h" for name in HEADERS]
    text = cdef([FIRMWARE / "hal" / "flash.h", *update, *headers])
    ffi = cffi.FFI()
    # layout and key are the build's, not the library's
    ffi.cdef(re.sub(r"extern const update_\w+ update_\w+;", "", text))
    return ffi
