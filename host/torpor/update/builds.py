# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Finds in build/ what a device runs: by the hash of its images, so that it is the very build."""

from pathlib import Path

from torpor.errors import TorporError
from torpor.image.parse import Image, read_image
from torpor.paths import BUILD
from torpor.update.symbols import Symbols


class Builds:
    """Images in build/<board>/<variant>/image/.

    Args:
        board: name of the board.
        folder: that the builds of all boards are in.
    """

    def __init__(self, board: str, folder: Path = BUILD) -> None:
        self._paths = sorted(folder.glob(f"{board}/*/image/*.bin"))
        self._known: dict[bytes, Symbols | None] = {}

    def find(self, begin: bytes) -> tuple[Path, Image] | None:
        """Return the image whose hash begins so, and its file; None if it is not there."""
        for path in self._paths:
            try:
                image = read_image(path)
            except TorporError:
                continue
            if image.hash.startswith(begin):
                return path, image
        return None

    def symbols(self, begin: bytes) -> Symbols | None:
        """Return the functions of the firmware whose image has a hash that begins so, or None."""
        if begin not in self._known:
            self._known[begin] = self._symbols(begin)
        return self._known[begin]

    def _symbols(self, begin: bytes) -> Symbols | None:
        found = self.find(begin)
        try:
            return Symbols.read(found[0].with_suffix(".elf")) if found else None
        except TorporError:
            return None
