# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What `scons -h` prints: targets, options, boards, models, applications, in 80 columns."""

import textwrap
import tomllib
from pathlib import Path

from torpor.board import board_names, load_board
from torpor.errors import TorporError
from torpor.paths import APPS, MODELS, app_names, model_names
from torpor_build.options import table

WIDTH = 79
_TARGETS = {
    "": "the firmware: firmware.elf, and who uses what: footprint.json",
    "run": "start it in the emulator: stream test windows to it; a file, or a model that comes "
    "quantized, is compared with TensorFlow Lite Micro; of other applications what they print is "
    "shown",
    "size": "sections, symbols, and who grew since the last commit; all of it in sizes.json",
    "test": "the firmware's own tests, in the board's emulator, or port=: a device",
    "image": "bootloader and signed images, in image/",
    "boot": "the bootloader alone: build/<board>/boot/boot.elf",
    "flash": "bring it onto the board over its cable",
    "update": "build images, bring them to the device at port=",
    "monitor": "watch the device at port=, or the only one that is connected",
    "gdb": "a debugger, attached to the emulator, or to the board's probe",
    "all-boards": "one firmware for every board, and a table",
    "-c": "remove what was built",
}


def help_text() -> str:
    """Return what `scons -h` prints."""
    parts = [
        "Builds a firmware with a model in it, in build/<board>/<model>-int<bits>/; of a\n"
        "file in build/<board>/<name of the file>-file/.\n\n"
        "    scons [NAME=VALUE ...] [TARGET ...]    such as: scons board=microbit run\n",
        "targets:\n" + "".join(_row(n or "(none)", t, 12) for n, t in _TARGETS.items()),
        "options:\n" + _options(),
        "boards:\n" + _boards(),
        "models:\n" + _models(),
        "applications:\n" + _apps(),
    ]
    return "\n".join(parts)


def _row(name: str, text: str, width: int) -> str:
    """Return a name and what it stands for, wrapped."""
    first = f"    {name:<{width}}"
    lines = textwrap.wrap(text, WIDTH - len(first)) or [""]
    rest = "".join(f"{' ' * (4 + width)}{line}\n" for line in lines[1:])
    if len(name) >= width:
        return f"    {name}\n{' ' * (4 + width)}{lines[0]}\n{rest}"
    return f"{first}{lines[0]}\n{rest}"


def _options() -> str:
    rows = []
    for name, option in table().items():
        default = f" Default: {option.default}." if option.default else ""
        rows.append(_row(f"{name}={option.values}", f"{option.help}{default}", 20))
    return "".join(rows)


def _boards() -> str:
    rows = [f"    {'':<20}{'core':<12}{'tier':<10}emulator\n"]
    for name in board_names():
        try:
            board = load_board(name)
        except TorporError as error:  # of no interest to who builds for another one
            rows.append(_row(name, error.message, 20))
            continue
        emulator = board.emulator.kind if board.emulator else "-"
        rows.append(f"    {name:<20}{board.core.name:<12}{board.tier:<10}{emulator}\n")
        rows += [f"      {line}\n" for line in textwrap.wrap(board.title, WIDTH - 6)]
    return "".join(rows)


def _models() -> str:
    rows = [_row(name, _title(MODELS / name / "model.toml"), 20) for name in model_names()]
    own = _row("FOLDER", "a model of your own: a folder with a model.toml", 20)
    return "".join([*rows, _row("FILE.tflite", "any quantized model", 20), own])


def _apps() -> str:
    rows = [_row(name, _title(APPS / name / "app.toml"), 20) for name in app_names()]
    own = "your own: a folder with an app.toml; see docs/example_app/README.md"
    return "".join([*rows, _row("FOLDER", own, 20)])


def _title(file: Path) -> str:
    try:
        return str(tomllib.loads(file.read_text(encoding="utf-8")).get("title", ""))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return str(error)
