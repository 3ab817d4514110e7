# SPDX-License-Identifier: Apache-2.0
"""Builds firmware/infer as a shared library of this machine and opens it with cffi.

The declarations are those of plan.h and infer.h themselves. A library is built once for each
content of its sources and flags and then lies in build/host/. Two environment variables change
that: CC names another compiler than gcc, TORPOR_HOST_CACHE another folder than build/host/.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cffi

from torpor.errors import MissingToolError
from torpor.paths import BUILD, FIRMWARE
from torpor.plan.layout import HEADER, OPCODES, parse_header

CACHE = Path(os.environ.get("TORPOR_HOST_CACHE", BUILD / "host"))
INFER = FIRMWARE / "infer"
PARTS = ("", "plan", "ops", "kernels")
"""Folders of our own engine in firmware/infer."""
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", f"-I{FIRMWARE}")
SANITIZERS: dict[str, tuple[str, ...]] = {
    "none": (),
    "undefined": ("-g", "-fsanitize=undefined", "-fno-sanitize-recover=all"),
    "address": ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
}
"""Compiler flags by name. A library with "address" can only be opened in a process that was
started with libasan preloaded."""

_EXTRA = """
int32_t infer_overlap_distance(const plan_op_t *op);
int posix_memalign(void **memory, size_t align, size_t size);
void free(void *memory);
"""


def kernel_table() -> str:
    """Return the C source of a table (see kernel.h) with every kernel there is."""
    rows = "".join(f"    [PLAN_OP_{n}] = &infer_{n.lower()},\n" for n in OPCODES.values())
    return (
        '#include "infer/kernel.h"\n\n'
        f"const infer_kernel_t *const infer_kernels[PLAN_OP_COUNT] = {{\n{rows}}};\n"
    )


def compiler() -> str:
    """Return the path of this machine's C compiler.

    Raises:
        MissingToolError: there is none.
    """
    found = shutil.which(_compiler_name())
    if found is None:
        raise MissingToolError("no C compiler (gcc) found", "apt install gcc libc6-dev")
    return found


def build_library(name: str, sources: Sequence[Path], flags: Sequence[str] = ()) -> Path:
    """Compile C sources of this repository to a shared library; return its path.

    Args:
        name: part of the file name.
        sources: C files; headers are found from firmware/ on, and the content of all of
            firmware/infer counts for the cache.
        flags: further compiler flags.

    Raises:
        MissingToolError: there is no C compiler.
    """
    used = sorted({*sources, *INFER.rglob("*.[ch]")})
    target = CACHE / f"lib{name}-{_fingerprint(used, flags)}.so"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        _compile([*FLAGS, *flags, *map(str, sources)], target)
    return target


def infer_library(sanitizer: str = "none") -> Path:
    """Build firmware/infer with all kernels; return the library's path.

    Args:
        sanitizer: a key of SANITIZERS.
    """
    table = generated("kernels", kernel_table())
    return build_library(f"infer-{sanitizer}", [table, *engine_sources()], SANITIZERS[sanitizer])


def generated(name: str, text: str) -> Path:
    """Write a C file for `build_library`, once; return its path."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.c"
    if not path.exists():
        _write_atomically(path, text)
    return path


def engine_sources() -> list[Path]:
    """Return the C files of our own engine, all kernels included."""
    return sorted(path for part in PARTS for path in (INFER / part).glob("*.c"))


@functools.cache
def open_infer(sanitizer: str = "none") -> tuple[cffi.FFI, Any]:
    """Return (ffi, library) of firmware/infer with every kernel."""
    return opened(infer_library(sanitizer))


def opened(library: Path) -> tuple[cffi.FFI, Any]:
    """Return (ffi, library) of a library that has functions of infer.h."""
    ffi = cffi.FFI()
    ffi.cdef(parse_header(HEADER.read_text(encoding="utf-8"))[0])
    ffi.cdef(declarations((INFER / "infer.h").read_text(encoding="utf-8")) + _EXTRA)
    return ffi, ffi.dlopen(str(library))


def declarations(header: str) -> str:
    """Return what remains of a C header for cffi without comments and directives."""
    text = re.sub(r"/\*.*?\*/", " ", header, flags=re.S)
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _compiler_name() -> str:
    return os.environ.get("CC", "gcc")


def _fingerprint(sources: Iterable[Path], flags: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join([_compiler_name(), *FLAGS, *flags]).encode())
    for path in sorted(sources):
        digest.update(f"\0{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _compile(arguments: Sequence[str], target: Path) -> None:
    command = compiler()
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        output = Path(folder) / target.name
        result = subprocess.run(
            [command, *arguments, "-o", str(output)], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise RuntimeError(f"firmware/infer does not compile on the host:\n{result.stderr}")
        output.replace(target)


def _write_atomically(target: Path, text: str) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        written = Path(folder) / target.name
        written.write_text(text, encoding="utf-8")
        written.replace(target)
