# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A user's tree of TensorFlow Lite Micro: its headers, and the archive that fits a board."""

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torpor.board import Core
from torpor.errors import TorporError, UsageError
from torpor.tflm.archive import Archive, read_archive
from torpor.tflm.cpu import cpu_of_core
from torpor.tflm.fits import fits

LIBRARY = "libtensorflow-microlite.a"
DOCUMENTS = (
    "tensorflow/lite/micro/cortex_m_generic/README.md",
    "tensorflow/lite/micro/docs/new_platform_support.md",
)
"""Where TFLM explains how it is built: in its own tree."""

_HINT = f"how to build it is explained in that tree: {' and '.join(DOCUMENTS)}"
_MARK = "tensorflow/lite/micro/micro_interpreter.h"
_THIRD_PARTY = ("tensorflow/lite/micro/tools/make/downloads", "third_party")
_ARCHIVES = (f"gen/*/lib/{LIBRARY}", "lib*/*.a", "*.a")
_VERSION_OF = (
    _MARK,
    "tensorflow/lite/micro/micro_allocator.h",
    "tensorflow/lite/micro/micro_mutable_op_resolver.h",
    "tensorflow/lite/schema/schema_generated.h",
)
_BEGINNING = 1 << 14  # of a header, in which its #include are


@dataclass(frozen=True)
class _Headers:
    """Headers of others that those of TFLM include.

    Attributes:
        folder: in one of _THIRD_PARTY.
        header: one of them.
        user: the header of TFLM that includes it.
    """

    folder: str
    header: str
    user: str


_OTHERS = (
    _Headers("flatbuffers/include", "flatbuffers/flatbuffers.h", _MARK),
    _Headers("gemmlowp", "fixedpoint/fixedpoint.h", "tensorflow/lite/kernels/internal/common.h"),
    _Headers("ruy", "ruy/profiler/instrumentation.h", _MARK),  # of older versions
)


@dataclass(frozen=True)
class Tflm:
    """What a firmware is compiled and linked with.

    Attributes:
        root: the tree.
        archive: that fits the board.
        include_paths: folders of headers, for -isystem.
        defines: macros that what includes them is compiled with.
        version: "git 90b983c2b3f1", or a hash of some headers: TFLM has no numbers.
    """

    root: Path
    archive: Archive
    include_paths: tuple[Path, ...]
    defines: tuple[str, ...]
    version: str


def find(tflm_dir: str | Path | None, tflm_lib: str | Path | None, core: Core) -> Tflm:
    """Find what a firmware for a board's core is linked with.

    Args:
        tflm_dir: what TFLM_DIR says.
        tflm_lib: what TFLM_LIB says; nothing where the archive is to be found in the tree.
        core: of the board.

    Raises:
        UsageError: there is no tree, no archive that fits, or more than one.
        ImageError: the archive that was named is damaged.
    """
    root = tree(tflm_dir)
    archive = _named(Path(tflm_lib), core) if tflm_lib else _found(root, core)
    return Tflm(root, archive, include_paths(root), defines(archive), version(root))


def tree(tflm_dir: str | Path | None) -> Path:
    """Return the folder that TFLM_DIR names, checked."""
    if not tflm_dir:
        raise UsageError(f"engine=tflm needs TFLM_DIR=<a tree of TFLM with its {LIBRARY}>", _HINT)
    root = Path(tflm_dir).expanduser().resolve()
    if not (root / _MARK).is_file():
        raise UsageError(f"TFLM_DIR={tflm_dir}: not a tree of TFLM, it has no {_MARK}", _HINT)
    return root


def include_paths(root: Path) -> tuple[Path, ...]:
    """Return the folders of headers of a tree, its own and those of others that it includes."""
    found = [root]
    for others in _OTHERS:
        folders = [root / party / others.folder for party in _THIRD_PARTY]
        there = [folder for folder in folders if (folder / others.header).is_file()]
        if there:
            found.append(there[0])
        elif _includes(root / others.user, others.header):
            where = " or ".join(f"{party}/{others.folder}" for party in _THIRD_PARTY)
            raise UsageError(f"{root}: no {others.header} in {where}", _HINT)
    return tuple(found)


def _includes(file: Path, header: str) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return f'#include "{header}"'.encode() in opened.read(_BEGINNING)


def defines(archive: Archive) -> tuple[str, ...]:
    """Return the macros that an archive was built with, as far as its headers look at them.

    TF_LITE_STATIC_MEMORY and USE_TFLM_COMPRESSION change structures: docs/DESIGN.md.
    """
    found = ["TF_LITE_STATIC_MEMORY"]
    if archive.compression:
        found.append("USE_TFLM_COMPRESSION")
    if archive.strips:
        found.append("TF_LITE_STRIP_ERROR_STRINGS")
    if archive.kernels == "cmsis_nn":
        found.append("CMSIS_NN")
    return tuple(found)


def version(root: Path) -> str:
    """Return what tells one version of a tree from another."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return f"git {done.stdout.strip()}"
        except (OSError, subprocess.CalledProcessError):
            pass  # no git, or a folder that it does not trust: as without .git
    content = hashlib.sha256()
    for name in _VERSION_OF:
        if (root / name).is_file():
            content.update((root / name).read_bytes())
    return f"headers {content.hexdigest()[:12]}"


def archives(root: Path) -> list[Path]:
    """Return the archives in a tree that may be TFLM's."""
    found = [path for pattern in _ARCHIVES for path in sorted(root.glob(pattern))]
    return [path for path in dict.fromkeys(found) if path.is_file()]


def _named(path: Path, core: Core) -> Archive:
    path = path.expanduser().resolve()
    if not path.is_file():
        raise UsageError(f"TFLM_LIB={path}: no such file")
    archive = read_archive(path)
    if reasons := fits(archive, core):
        raise UsageError(_list(f"TFLM_LIB={path} does not fit the board:", reasons), _HINT)
    return archive


def _found(root: Path, core: Core) -> Archive:
    """Return the only archive in a tree that fits, or of several the only one for the very core."""
    candidates = archives(root)
    if not candidates:
        raise UsageError(f"{root}: no {LIBRARY} in gen/*/lib, lib* or the tree itself", _HINT)
    good, bad = [], []
    for path in candidates:
        try:
            archive = read_archive(path)
            reasons = fits(archive, core)
        except TorporError as error:
            reasons = [error.message.removeprefix(f"{path}: ")]
        if reasons:
            bad.append(f"{path.relative_to(root)}: {'; '.join(reasons)}")
        else:
            good.append(archive)
    if not good:
        raise UsageError(_list(f"no archive in {root} fits {core.name}:", bad), _HINT)
    return _only(root, good, core)


def _only(root: Path, good: Sequence[Archive], core: Core) -> Archive:
    name = cpu_of_core(core).architecture
    same = [archive for archive in good if archive.cpu.architecture == name] or good
    if len(same) > 1:
        rows = [f"{archive.path.relative_to(root)}: {archive}" for archive in same]
        raise UsageError(
            _list(f"several archives in {root} fit {core.name}:", rows),
            "name one with TFLM_LIB=<path>",
        )
    return same[0]


def _list(head: str, rows: Sequence[str]) -> str:
    return "\n  ".join([head, *rows])
