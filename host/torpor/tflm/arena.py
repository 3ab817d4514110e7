# SPDX-License-Identifier: Apache-2.0
"""The tensor arena of a model: the smallest one in which it runs, measured and never guessed.

On this computer it is bisected with TensorFlow Lite Micro's interpreter from PyPI, in a process of
its own (probe.py). That arena is planned as engine.cc's is. Its pointers have 64 bits, which makes
no structure smaller, and the allocator that it holds keeps records, which take more than the
interpreter in engine.cc's does with 32 bits. So, with the reference kernels, it is enough for a
device of 32 bits. Those of CMSIS-NN ask for scratch memory of their own: only the emulated core can
tell.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torpor.errors import ModelError, UnsupportedError, UsageError
from torpor.paths import BUILD

STEP = 16
CACHE = BUILD / "tflm"
MAX_ARENA = (1 << 30) - STEP
_SECONDS = 600


@dataclass(frozen=True)
class HostArena:
    """What this computer says.

    Attributes:
        bytes: the smallest tensor arena, a multiple of 16, in which the model allocates and runs.
        lower_bound: what the interpreter says that it has taken.
        probes: the sizes that were tried, and how each ended: "enough", "too small" or "crash".
    """

    bytes: int
    lower_bound: int
    probes: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Arena:
    """The tensor arena that a firmware gets, and where the number comes from.

    Attributes:
        bytes: of the tensor arena, a multiple of 16.
        source: "host", "board" (measured on an emulated core) or "given".
        board: that was emulated, "" where none was.
        stack: bytes that init and inference used there, 0 where no one knows.
    """

    bytes: int
    source: str
    board: str = ""
    stack: int = 0


def measure_host(tflite: bytes, cache: Path = CACHE) -> HostArena:
    """Return the smallest arena on this computer; a file is measured once.

    Raises:
        ModelError: the interpreter refuses the model, with its own words, or crashes.
    """
    version = importlib.metadata.version("tflite-micro")
    key = hashlib.sha256(f"{version}\0".encode() + tflite).hexdigest()[:32]
    known = cache / f"arena-{key}.json"
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        return _host_arena(json.loads(known.read_text(encoding="utf-8")))
    found = _host_arena(_probe(tflite))
    with contextlib.suppress(OSError):  # a cache that cannot be written is none
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            written = Path(folder) / known.name
            written.write_text(json.dumps(asdict(found)), encoding="utf-8")
            written.replace(known)
    return found


def given_arena(text: str) -> Arena:
    """Return the arena that a user asks for.

    Raises:
        UsageError: not a number of bytes. It is filled up to a multiple of 16.
    """
    try:
        size = int(text, 0)
    except ValueError:
        size = 0
    return Arena(_aligned(size, text), "given")


def read_arena(path: Path) -> Arena:
    """Return the arena that the build has measured: arena.json.

    Raises:
        UsageError: the file cannot be read or says something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        size, stack = int(found["tensor_arena"]), int(found["stack"])
        board = str(found["board"])
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise UsageError(
            f"{path} is not the file of an arena",
            "it has the numbers tensor_arena and stack, and the name board; the build writes it",
        ) from None
    return Arena(_aligned(size, f"tensor_arena in {path}"), "board", board, stack)


def _aligned(size: int, what: str) -> int:
    if not 0 < size <= MAX_ARENA:
        raise UsageError(
            f"not the bytes of an arena: {what}", f"give a number from 1 to {MAX_ARENA}"
        )
    return -(-size // STEP) * STEP


def _host_arena(found: dict[str, Any]) -> HostArena:
    probes = tuple((int(size), str(how)) for size, how in found["probes"])
    return HostArena(int(found["bytes"]), int(found["lower_bound"]), probes)


def _probe(tflite: bytes) -> dict[str, Any]:
    """Return what probe.py prints."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.tflite"
        model.write_bytes(tflite)
        command = [sys.executable, "-m", "torpor.tflm.probe", str(model)]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            raise ModelError(f"the model does not run to its end in {_SECONDS} seconds") from None
    if done.returncode < 0:
        raise ModelError(
            "TensorFlow Lite Micro's interpreter crashes on this model",
            "is it a whole .tflite file? fetch or convert it again",
        )
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    found: dict[str, Any] = json.loads(done.stdout)
    if "error" in found:
        raise UnsupportedError(found["error"], found["hint"])
    return found
