# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Builds what the suites of one board run, and says where it is.

`python -m tests.renode.prepare BOARD` prints the path of a JSON file: the commands that make the
machine, contents of its flash, files to update it with. The suites know nothing else of the board.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.emulated import updatable
from tests.emulated.updatable import MODEL, Kit
from tests.support.wrong_code import with_code
from torpor.board import Board, load_board
from torpor.emulate import FlashFile, firmware, renode
from torpor.emulate.machine import NOISE_BYTES, Setup
from torpor.errors import TorporError
from torpor.image.build import contents_of, sign
from torpor.image.keys import development_key
from torpor.image.parse import parse
from torpor.image.version import Version
from torpor.model import load_model
from torpor.paths import BUILD
from torpor.scene import write
from torpor.scene.motion import motion_scene

SCENE_S = 24.0
SCENE_SEED = 3
LABEL = "running"
HANGING = b"\x00\xbf\xfd\xe7"
"""NOP, and a branch to it: Renode takes a branch to itself for WFI, and a core that sleeps does not
hang (tlib, arch/arm/translate.c)."""


def as_delivered(of: Kit) -> bytes:
    """Return the flash of a new device: the bootloader, and firmware in slot A."""
    facts = of.board.emulator
    assert facts
    with tempfile.TemporaryDirectory() as folder:
        flash = FlashFile(of.board, Path(folder) / "flash")
        flash.program(of.offset(0), of.old.data)
        return renode.split(Setup(of.board, facts, of.boot, (), flash))[0]


def hanging(image: Path) -> bytes:
    """Return a firmware image that hangs as soon as main() is called."""
    contents = contents_of(parse(image.read_bytes()))
    change = with_code(image.with_suffix(".elf"), HANGING)
    return sign(change(contents), development_key(), Version.parse("3.0.0"))


def scene(path: Path) -> None:
    """Write a scene in which somebody runs once."""
    made = motion_scene(
        load_model(MODEL), SCENE_S, SCENE_SEED, [LABEL], share=1.0, pause_s=SCENE_S / 8
    )
    write(made.scene, path)


def files(board: Board, folder: Path) -> dict[str, str]:
    """Write what is put into the device, and return the paths by name."""
    serve, wake = (updatable.kit(board.name, app) for app in (firmware.SERVE, firmware.WAKE))
    made, other = (firmware.build_images(board, MODEL, bits, quiet=True) for bits in (8, 4))
    contents = {
        "device": as_delivered(serve),
        "sleeper": as_delivered(wake),
        "new": serve.new.data,
        "hung": hanging(made.firmware(1)),
        "int8": serve.models[0].data,
        "int4": other.model.read_bytes(),
    }
    paths = {name: folder / f"{name}.bin" for name in (*contents, "scene")}
    for name, content in contents.items():
        paths[name].write_bytes(content)
    scene(paths["scene"])
    return {name: str(path) for name, path in paths.items()}


def describe(board: Board, folder: Path) -> dict[str, Any]:
    """Return what the suites have to know."""
    assert board.flash and board.emulator
    ram = board.memory["ram"]
    return {
        "board": board.name,
        "making": [*renode.making(board), *board.emulator.args],
        "ram": ram.origin,
        "noise": min(ram.size, NOISE_BYTES),
        "label": LABEL,
        "has_pin": board.pin is not None,
        "files": files(board, folder),
    }


def prepare(name: str) -> Path:
    """Build and write everything of a board; return the path of the description."""
    folder = BUILD / "renode" / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "suite.json"
    path.write_text(json.dumps(describe(load_board(name), folder), indent=2))
    return path


def main() -> int:
    """Run as a program."""
    try:
        print(prepare(sys.argv[1]))
    except TorporError as error:
        print(f"{error.message}: {error.hint}" if error.hint else error.message, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
