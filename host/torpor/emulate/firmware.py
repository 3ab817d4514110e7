# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Asks the build for a firmware, and knows where it puts things."""

import contextlib
import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torpor.errors import TorporError, UsageError
from torpor.paths import BUILD, ROOT


@dataclass(frozen=True)
class Firmware:
    """What a build leaves behind.

    Attributes:
        elf: the firmware.
        tflite: the quantized model that it embeds.
    """

    elf: Path
    tflite: Path

    @property
    def plan(self) -> bytes:
        """The compiled model."""
        return _read(self.elf.parent / "plan.bin")

    @property
    def model(self) -> bytes:
        """The quantized .tflite."""
        return _read(self.tflite)

    @property
    def footprint(self) -> dict[str, Any]:
        """The numbers that the build measured: footprint.json."""
        data: dict[str, Any] = json.loads(_read(self.elf.parent / "footprint.json"))
        return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "build it with scons, or leave --elf out"
        ) from None


def existing(elf: Path) -> Path:
    """Return `elf` if it is a file.

    Raises:
        UsageError: it is not there.
    """
    if not elf.is_file():
        raise UsageError(f"no such firmware: {elf}", "build it: scons board=... model=...")
    return elf


def built(board: str, model: str, bits: int, elf: Path | None = None) -> Firmware:
    """Return where the build puts the firmware of a model of models/; nothing is built.

    Args:
        board, model: names of folders in boards/ and models/.
        bits: of the weights, 8 or 4.
        elf: another place of the ELF and of the files beside it.
    """
    name = f"{model}-int{bits}"
    place = elf or BUILD / board / name / "firmware.elf"
    return Firmware(place, BUILD / "models" / f"{name}.tflite")


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Wait until no other process of ours builds: scons does not share its folder."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(board: str, model: str, bits: int) -> Firmware:
    """Build it with scons, whose output goes to stderr.

    Raises:
        TorporError: the build failed; the reason is on stderr.
    """
    goal = [f"board={board}", f"model={model}", f"bits={bits}"]
    command = [sys.executable, "-m", "SCons", "-Q", *goal]
    with _only_one():
        done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode:
        hint = f"the reason is above; to see it again: scons {' '.join(goal)}"
        raise TorporError("the firmware could not be built", hint)
    return built(board, model, bits)
