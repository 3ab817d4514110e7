# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Image files for an update: one, or a folder of the build with the pair and the model.

A version of firmware is a pair of files: the same code linked for slot A and for slot B.
"""

from dataclasses import dataclass
from pathlib import Path

from torpor.errors import ImageError, UsageError
from torpor.image.keys import development_key
from torpor.image.parse import Image, read_image
from torpor.update.state import FIRMWARE, MODEL

PAIR = ("firmware-a.bin", "firmware-b.bin")
SINGLE = "firmware.bin"
MODEL_FILE = "model.bin"


@dataclass(frozen=True)
class UpdateFile:
    """A sound image file.

    Attributes:
        path: of the file.
        image: what it says.
    """

    path: Path
    image: Image

    @property
    def data(self) -> bytes:
        """All of it."""
        return self.image.data

    @property
    def component(self) -> int:
        """FIRMWARE or MODEL."""
        return MODEL if self.image.is_model else FIRMWARE

    @property
    def is_development(self) -> bool:
        """True if it is signed with the key that everybody has."""
        return self.image.key_hash == development_key().hash


def read(path: Path) -> UpdateFile:
    """Read one file.

    Raises:
        ImageError: it cannot be read, or is no sound image.
    """
    return UpdateFile(path, read_image(path))


def find(path: Path) -> list[UpdateFile]:
    """Return the files that `path` means: one component, of firmware both links if they are there.

    Args:
        path: an image, with its sibling if it is one of a pair, or a folder of the build. A folder
            with firmware and model means the firmware, which has the model built in.

    Raises:
        UsageError: the folder has no images, or two versions.
        ImageError: a file is no sound image.
    """
    if not path.is_dir():
        return [read(path), *_sibling(path)]
    names = [name for name in (*PAIR, SINGLE) if (path / name).exists()]
    if not names and (path / MODEL_FILE).exists():
        names = [MODEL_FILE]
    if not names:
        known = ", ".join((*PAIR, SINGLE, MODEL_FILE))
        raise UsageError(
            f"{path} has no images", f"build them: scons board=... image; known: {known}"
        )
    return _one_version([read(path / name) for name in names])


def _sibling(path: Path) -> list[UpdateFile]:
    """Return the other file of a pair, if it is there and of the same version."""
    if path.name not in PAIR:
        return []
    other = path.with_name(PAIR[1 - PAIR.index(path.name)])
    if not other.exists():
        return []
    try:
        found = read(other)
    except ImageError:
        return []
    return [found] if found.image.version == read(path).image.version else []


def _one_version(files: list[UpdateFile]) -> list[UpdateFile]:
    versions = {file.image.version: file.path.name for file in files}
    if len(versions) > 1:
        words = ", ".join(f"{name} is {version}" for version, name in versions.items())
        raise UsageError(
            f"two versions in one folder: {words}", "build them anew, or name the file"
        )
    return files
