# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The flash of an emulated board, in a file that outlives every process: what power cuts leave.

What a factory programmer does to a new board is done to the file: bootloaders come with the
emulator, images are programmed into their slots.
"""

import contextlib
import fcntl
import random
from collections.abc import Iterator
from pathlib import Path

from torpor.board import Board
from torpor.errors import UsageError

ERASED = 0xFF


class FlashFile:
    """The flash that board.toml's [flash] describes. Offsets count from its first byte.

    Args:
        board: whose flash it is.
        path: the file; it is made, erased, if it is not there.

    Attributes:
        path: as given.
        size: of the flash, in bytes.

    Raises:
        UsageError: the board's flash does not last in its emulator, or the file is not of it.
    """

    def __init__(self, board: Board, path: Path) -> None:
        facts, emulator = board.flash, board.emulator
        if facts is None or emulator is None or not emulator.flash:
            raise UsageError(f"board '{board.name}' has no flash that lasts in an emulator")
        self.path = path
        self.size = facts.size
        self._block = facts.erase_size
        self._base = facts.origin - emulator.memory_origin if emulator.memory_size else 0
        whole = emulator.memory_size or facts.size
        if not path.exists():
            self._create(whole)
        if not path.is_file() or path.stat().st_size != whole:
            raise UsageError(
                f"{path} is no flash of {board.name}", f"that is a file of {whole} bytes"
            )

    def _create(self, whole: int) -> None:
        """Where the machine's memory is larger than the flash, the file is sparse."""
        with self.path.open("xb") as file:
            file.truncate(whole)
            file.seek(self._base)
            file.write(bytes([ERASED]) * self.size)

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes, or all that follow; of a running board too, where it has them."""
        length = self.size - offset if length is None else length
        self._check(offset, length)
        with self.path.open("rb") as file:
            file.seek(self._base + offset)
            return file.read(length)

    def program(self, offset: int, data: bytes) -> None:
        """Clear bits, as programming does.

        Raises:
            UsageError: a bit would have to be set, or a board runs on this flash.
        """
        if any(old & new != new for old, new in zip(self.read(offset, len(data)), data)):  # noqa: B905 - as long
            raise UsageError(f"{self.path} is not erased at {offset:#x}", "erase it first")
        self._write(offset, data)

    def erase(self, offset: int, length: int) -> None:
        """Erase the blocks that have any of these bytes.

        Raises:
            UsageError: a board runs on this flash.
        """
        first = offset // self._block * self._block
        end = -(-(offset + length) // self._block) * self._block
        self._write(first, bytes([ERASED]) * (end - first))

    def tear(self, offset: int, before: bytes, seed: int) -> None:
        """Undo at random what an operation has done, as far as it goes when power fails in it.

        Args:
            offset: of the unit or block.
            before: what was there before; each bit that is another now becomes one or the other.
            seed: of the choice.

        Raises:
            UsageError: a board runs on this flash.
        """
        chosen = random.Random(seed).randbytes(len(before))  # noqa: S311 - a test's choice
        now = self.read(offset, len(before))
        torn = bytes(a ^ ((a ^ b) & mask) for a, b, mask in zip(now, before, chosen, strict=True))
        self._write(offset, torn)

    def restore(self, content: bytes) -> None:
        """Put back all that `read()` has returned.

        Raises:
            UsageError: a board runs on this flash.
        """
        with self.claimed():
            self.save(content)

    def save(self, content: bytes) -> None:
        """Put back all of it, for the board that runs on this flash."""
        assert len(content) == self.size
        self._put(0, content)

    def _write(self, offset: int, data: bytes) -> None:
        self._check(offset, len(data))
        with self.claimed():
            self._put(offset, data)

    def _put(self, offset: int, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(self._base + offset)
            file.write(data)

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise UsageError(
                f"{length} bytes at {offset:#x} are not in the flash", f"it has {self.size:#x}"
            )

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep others off the file inside the block; the kernel ends that when we die.

        Raises:
            UsageError: somebody else has claimed it.
        """
        with self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(
                    f"{self.path} is in use", "a board that runs on this flash has to end first"
                ) from None
            yield
