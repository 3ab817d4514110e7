# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""TensorFlow Lite Micro for tests: the user's, if TFLM_DIR names one, or the stand-in for it.

The stand-in (tests/tflm/stand_in) is C++ of ours with the names of the classes that our adapter
uses. It is made into a tree that looks like the user's: headers, and an archive a board.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.shared import WARNINGS
from torpor.board import load_board
from torpor.engine.library import CACHE, SANITIZERS, compiler
from torpor.errors import UsageError
from torpor.paths import BUILD, FIRMWARE, ROOT
from torpor.tflm import resolver, tree

STAND_IN = ROOT / "tests" / "tflm" / "stand_in"
RUNNER = ROOT / "tests" / "tflm" / "runner.c"
CPLUSPLUS = ("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
NOT_FOR_PROCESSES = ("runtime.cc",)
"""Of firmware/infer/tflm: a process has a C++ runtime."""


def tflm_dir() -> Path:
    """Return the user's tree of TensorFlow Lite Micro; skip the test if none is named."""
    named = os.environ.get("TFLM_DIR")
    if not named:
        pytest.skip("needs a real TensorFlow Lite Micro: TFLM_DIR is not set")
    return Path(named)


@dataclass(frozen=True)
class Library:
    """TensorFlow Lite Micro as a compiler of this computer takes it."""

    archive: Path
    include_paths: tuple[Path, ...]
    defines: tuple[str, ...]


def real_library() -> Library:
    """Return the user's archive for this computer; skip the test if there is none."""
    root = tflm_dir()
    try:
        found = tree.find(root, None, load_board("native").core)
    except UsageError as error:
        pytest.skip(f"needs an archive for this computer in TFLM_DIR: {error}")
    return Library(found.archive.path, found.include_paths, found.defines)


def stand_in_library() -> Library:
    """Return the stand-in for this computer."""
    found = tree.find(stand_in("native"), None, load_board("native").core)
    return Library(found.archive.path, found.include_paths, found.defines)


def stand_in(*boards: str) -> Path:
    """Return a tree of the stand-in with an archive for each board; it is made once.

    Skips the test if there is no C++ compiler for one of them.
    """
    sources = sorted(path for path in STAND_IN.rglob("*") if path.is_file())
    root = BUILD / "stand-in" / _hash(path.read_bytes() for path in sources)
    for path in sources:
        _put(root / path.relative_to(STAND_IN), functools.partial(shutil.copyfile, path))
    for board in boards:
        _put(_archive_of(root, board), functools.partial(_build_archive, root, board))
    return root


def build_runner(
    library: Library, registrations: Iterable[str], sanitizer: str = "address"
) -> Path:
    """Return the program of tests/tflm/runner.c with the engine; it is made once.

    Args:
        library: what it is linked with.
        registrations: names of torpor.plan.tflm.
        sanitizer: a key of SANITIZERS, for what is ours.
    """
    text = resolver.resolver_source(registrations)
    ours = [path for part in ("plan", "tflm") for path in (FIRMWARE / "infer" / part).iterdir()]
    content = [path.read_bytes() for path in sorted([*ours, RUNNER, library.archive])]
    words = [text, sanitizer, *map(str, library.include_paths), *library.defines]
    target = CACHE / f"tflm-{_hash([*content, *(word.encode() for word in words)])}"
    _put(target, functools.partial(_build_runner, library, text, sanitizer))
    return target


def _build_runner(library: Library, text: str, sanitizer: str, target: Path) -> None:
    folder = target.parent
    (folder / "resolver.cc").write_text(text, encoding="utf-8")
    parts = [path for part in ("plan", "tflm") for path in (FIRMWARE / "infer" / part).iterdir()]
    sources = [RUNNER, folder / "resolver.cc"]
    sources += [p for p in sorted(parts) if p.suffix in (".c", ".cc")]
    headers = [f"-isystem{path}" for path in library.include_paths]
    cplusplus = [*CPLUSPLUS, *headers, *(f"-D{name}" for name in library.defines), "-DNDEBUG"]
    objects = []
    for source in sources:
        if source.name in NOT_FOR_PROCESSES:
            continue
        flags = cplusplus if source.suffix == ".cc" else ["-std=c11", *WARNINGS]
        objects.append(f"{folder}/{source.stem}.o")
        flags = [*flags, "-O1", "-Wall", "-Wextra", "-Werror", f"-I{FIRMWARE}"]
        flags += [*SANITIZERS[sanitizer], "-c", str(source), "-o", objects[-1]]
        _run([compiler(), *flags])
    libraries = [str(library.archive), "-lstdc++", "-lm"]
    _run([compiler(), *SANITIZERS[sanitizer], *objects, *libraries, "-o", str(target)])


def _archive_of(root: Path, board: str) -> Path:
    core = load_board(board).core
    point = "+fp" if "-mfloat-abi=hard" in core.flags else ""
    name = "linux_x86_64" if board == "native" else f"cortex_m_generic_{core.name}{point}"
    return root / "gen" / f"{name}_default_gcc" / "lib" / tree.LIBRARY


def _build_archive(root: Path, board: str, target: Path) -> None:
    core = load_board(board).core
    native = board == "native"
    prefix = "" if native else f"{core.toolchain}-"
    if shutil.which(f"{prefix}g++") is None:
        pytest.skip(f"{prefix}g++ is not installed")
    flags = [*core.flags, *CPLUSPLUS, "-Os", "-w", "-ffunction-sections", f"-I{root}"]
    flags += [] if native else ["--specs=picolibc.specs"]
    objects = []
    for source in sorted(root.glob("*.cc")):
        objects.append(str(target.with_name(f"{source.stem}.o")))
        _run([f"{prefix}g++", *flags, "-c", str(source), "-o", objects[-1]])
    _run([f"{prefix}ar", "rcsD", str(target), *objects])


def _put(target: Path, make: Callable[[Path], object]) -> None:
    """Let `make` write `target`, whoever else does the same at the same time."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        make(made)
        made.replace(target)


def _hash(contents: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
