# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Asks the build for a firmware, and knows where it puts things."""

import json
import subprocess
import sys
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


def built(board: str, model: str | Path, bits: int = 8, elf: Path | None = None) -> Firmware:
    """Return where the build puts a firmware; nothing is built.

    Args:
        board: name of a folder in boards/.
        model: name of a folder in models/, or the path of a quantized .tflite.
        bits: of the weights, 8 or 4; a .tflite has them already.
        elf: another place of the ELF and of the files beside it.
    """
    name = model.stem if isinstance(model, Path) else f"{model}-int{bits}"
    tflite = model if isinstance(model, Path) else BUILD / "models" / f"{name}.tflite"
    return Firmware(elf or BUILD / board / name / "firmware.elf", tflite)


def build(board: str, model: str | Path, bits: int = 8) -> Firmware:
    """Build a firmware with scons, whose output goes to stderr; arguments as those of `built`.

    Raises:
        TorporError: the build failed; the reason is on stderr.
    """
    goal = [f"board={board}", f"model={model}"]
    if isinstance(model, str):
        goal.append(f"bits={bits}")
    command = [sys.executable, "-m", "SCons", "-Q", *goal]
    done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode:
        hint = f"the reason is above; to see it again: scons {' '.join(goal)}"
        raise TorporError("the firmware could not be built", hint)
    return built(board, model, bits)
