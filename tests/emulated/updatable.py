# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Devices as they leave the factory, and images to update them with: good, hanging, crashing."""

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.emulated.smp import Smp
from tests.support.build_lock import nothing_is_built
from tests.support.wrong_code import ENDLESS, UNDEFINED, machine, with_code
from torpor import emulate
from torpor.board import Board, load_board
from torpor.emulate import Emulator, FlashFile, firmware, functions
from torpor.emulate.debugger import Code
from torpor.image.build import Contents, contents_of, sign
from torpor.image.keys import development_key
from torpor.image.parse import parse
from torpor.image.version import Version

MODEL = "motion"
FIRST_MODEL = 2  # slot


@dataclass(frozen=True)
class Signed:
    """An image file.

    Attributes:
        data: all of it.
        hash: that it is asked for by.
    """

    data: bytes
    hash: bytes


@dataclass(frozen=True)
class Kit:
    """What a board is made of.

    Attributes:
        board: its facts.
        boot: the bootloader.
        old: firmware for slot A.
        new, hung, crashing: firmware for slot B.
        main: where main() of these begins.
        models: two versions.
        programs, erases: where flash operations begin, in bootloader and both links.
    """

    board: Board
    boot: Path
    old: Signed
    new: Signed
    hung: Signed
    crashing: Signed
    main: Code
    models: tuple[Signed, Signed]
    programs: tuple[Code, ...]
    erases: tuple[Code, ...]

    def offset(self, slot: int) -> int:
        """Return where a slot lies in the flash."""
        assert self.board.slots
        return [*self.board.slots.firmware, *self.board.slots.models][slot]


def _resigned(
    file: Path, version: str, change: Callable[[Contents], Contents] = lambda contents: contents
) -> Signed:
    """Return an image with another version, and perhaps another payload."""
    contents = change(contents_of(parse(file.read_bytes())))
    data = sign(contents, development_key(), Version.parse(version))
    return Signed(data, parse(data).hash)


@functools.cache
def kit(name: str, app: firmware.App = firmware.SERVE) -> Kit:
    """Build once in a session."""
    board = load_board(name)
    made = firmware.build_images(board, MODEL, app=app, quiet=True)
    with nothing_is_built():
        return _kit(board, made)


def _kit(board: Board, made: firmware.Images) -> Kit:
    a, b = (made.firmware(slot) for slot in range(2))
    elves = [made.boot, a.with_suffix(".elf"), b.with_suffix(".elf")]
    kind = machine(board)
    return Kit(
        board,
        made.boot,
        old=_resigned(a, "1.0.0"),
        new=_resigned(b, "2.0.0"),
        hung=_resigned(b, "3.0.0", with_code(elves[2], ENDLESS[kind])),
        crashing=_resigned(b, "4.0.0", with_code(elves[2], UNDEFINED[kind])),
        main=functions(elves[2], "main")[0],
        models=(_resigned(made.model, "1.0.0"), _resigned(made.model, "2.0.0")),
        programs=tuple(place for elf in elves for place in functions(elf, "flash_program")),
        erases=tuple(place for elf in elves for place in functions(elf, "flash_erase")),
    )


def start(of: Kit, flash: Path, content: bytes | None = None, **options: Any) -> Emulator:
    """Switch a device on, whose flash has that content, or is new and has the old firmware.

    The options are those of emulate.start().
    """
    file = FlashFile(of.board, flash)
    if content is None:
        file.program(of.offset(0), of.old.data)
    else:
        file.restore(content)
    return emulate.start(of.board, of.boot, flash=flash, **options)


@functools.cache
def in_the_field(name: str, app: firmware.App = firmware.SERVE) -> bytes:
    """Return the flash of a device that runs and has confirmed old firmware and an old model."""
    of = kit(name, app)
    with tempfile.TemporaryDirectory() as folder:
        with start(of, Path(folder) / "flash") as device:
            smp = Smp(device)
            smp.upload(FIRST_MODEL, of.models[0].data)
            smp.arm(of.models[0].hash)
            status = smp.status()
            assert status["running"] == [0, FIRST_MODEL], status
            assert [part["confirmed"] for part in status["state"]] == [0, FIRST_MODEL], status
        assert device.flash
        return device.flash.read()
