# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Asks the build for a firmware, and knows where it puts things."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torpor.board import Board
from torpor.errors import BudgetError, MissingToolError, TorporError, UsageError
from torpor.paths import BUILD, ROOT, TFLM, TORPOR, kind_of, variant
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan


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
    def engine(self) -> str:
        """What runs the model, of ENGINES: the compiled model is for it alone."""
        target = Plan.parse(self.plan).header["target"]
        return TFLM if target == CONST["PLAN_TARGET_TFLM"] else TORPOR

    @property
    def model(self) -> bytes:
        """The quantized .tflite."""
        return _read(self.tflite)

    @property
    def footprint(self) -> dict[str, Any]:
        """The numbers that the build measured: footprint.json."""
        data: dict[str, Any] = json.loads(_read(self.elf.parent / "footprint.json"))
        return data


@dataclass(frozen=True)
class Images:
    """What a build for updates leaves behind.

    Attributes:
        boot: the ELF of the bootloader.
        folder: with the signed images and their ELFs.
        links: 2 if a firmware image is linked for its slot, 1 if it fits both.
    """

    boot: Path
    folder: Path
    links: int

    def firmware(self, slot: int) -> Path:
        """The firmware image for a slot, 0 for A, 1 for B; its ELF has the suffix .elf."""
        return self.folder / ("firmware.bin" if self.links == 1 else f"firmware-{'ab'[slot]}.bin")

    @property
    def model(self) -> Path:
        """The model as an image."""
        return self.folder / "model.bin"


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


@dataclass(frozen=True)
class App:
    """What a firmware does.

    Attributes:
        name: a folder of firmware/app.
        always: "wake" infers all the time.
        engine: what runs the model, of ENGINES. "tflm" needs the environment variable TFLM_DIR.
    """

    name: str = "serve"
    always: bool = False
    engine: str = TORPOR

    @property
    def kind(self) -> str:
        """What is added to the name of a build's folder."""
        return kind_of(self.name, always=self.always, engine=self.engine)


SERVE, WAKE, ALWAYS = App(), App("wake"), App("wake", always=True)


def wake_apps(engine: str) -> tuple[App, App]:
    """Return the device that sleeps and the one that never does, with an engine."""
    return replace(WAKE, engine=engine), replace(ALWAYS, engine=engine)


def built(
    board: str, model: str | Path, bits: int = 8, elf: Path | None = None, *, app: App = SERVE
) -> Firmware:
    """Return where the build puts a firmware; nothing is built.

    Args:
        board: name of a folder in boards/.
        model: name of a folder in models/, or the path of a quantized .tflite.
        bits: of the weights, 8 or 4; a .tflite has them already.
        elf: another place of the ELF and of the files beside it.
        app: what it does.
    """
    own = variant(model, bits)
    tflite = model if isinstance(model, Path) else BUILD / "models" / f"{own}.tflite"
    name = variant(model, bits, app.kind)
    return Firmware(elf or BUILD / board / name / "firmware.elf", tflite)


def build(
    board: str, model: str | Path, bits: int = 8, *, app: App = SERVE, quiet: bool = False
) -> Firmware:
    """Build a firmware with scons; arguments as those of `built`.

    Args:
        quiet: keep what scons says to ourselves; otherwise it goes to stderr.

    Raises:
        MissingToolError: the toolchain is not installed.
        BudgetError: the firmware does not fit the board.
        TorporError: the build failed otherwise.
    """
    _scons(board, model, bits, app, quiet=quiet)
    return built(board, model, bits, app=app)


def build_images(
    board: Board, model: str | Path, bits: int = 8, *, app: App = SERVE, quiet: bool = False
) -> Images:
    """Build bootloader and images with scons; arguments and errors as those of `build`."""
    _scons(board.name, model, bits, app, "image", quiet=quiet)
    place = BUILD / board.name
    folder = place / variant(model, bits, app.kind) / "image"
    return Images(place / "boot" / "boot.elf", folder, board.links)


def _scons(board: str, model: str | Path, bits: int, app: App, *targets: str, quiet: bool) -> None:
    goal = [f"board={board}", f"model={model.resolve() if isinstance(model, Path) else model}"]
    if isinstance(model, str):
        goal.append(f"bits={bits}")
    goal += [f"app={app.name}", *(["always=1"] if app.always else [])] if app.kind else []
    goal += [f"engine={app.engine}"] if app.engine != TORPOR else []
    done = subprocess.run(
        [sys.executable, "-m", "SCons", "-Q", "-f", str(ROOT / "SConstruct"), *goal, *targets],
        cwd=BUILD.parent,
        stdout=subprocess.PIPE if quiet else sys.stderr,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise _failure([*goal, *targets], done.returncode, done.stdout or "")


_FAILURES = {error.exit_code: error for error in (MissingToolError, BudgetError)}


def _failure(goal: list[str], code: int, talk: str) -> TorporError:
    """Return the error for a failed build, told with scons' own words as far as we have them."""
    lines = [line.strip() for line in talk.splitlines()]
    ours = [line for line in lines if line.startswith("scons: ") and "***" not in line]
    wrong = [line for line in lines if "error" in line.lower()]
    hints = [line for line in lines if line.startswith("hint: ")]
    message = (ours + wrong or ["the reason is above" if not talk else lines[-1]])[0]
    hint = hints[0].removeprefix("hint: ") if hints else f"to see it again: scons {' '.join(goal)}"
    kind = _FAILURES.get(code, TorporError)
    where = "does not fit" if kind is BudgetError else "the firmware could not be built"
    return kind(f"{where}: {message.removeprefix('scons: ')}", hint)
