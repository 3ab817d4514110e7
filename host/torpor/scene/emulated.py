# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""An emulated board whose sensor is replayed: from its memory if it has a place for a scene."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from torpor import emulate
from torpor.board import Board
from torpor.errors import UsageError
from torpor.scene.scene import Scene, pack


def holds(board: Board, content: bytes) -> bool:
    """Return whether a scene's bytes can lie in a board's memory; a process maps a file."""
    if not board.memory:
        return True
    return board.scene is not None and len(content) <= board.scene.size


@contextlib.contextmanager
def started(
    board: Board,
    elf: Path,
    scene: Scene | None,
    *,
    fast: bool,
    icount_shift: int | None = None,
) -> Iterator[emulate.Emulator]:
    """Start a firmware of app=wake on an emulated board; it ends with the block.

    Args:
        board: what to emulate.
        elf: the firmware.
        scene: what lies in its memory; None: nothing, so that it asks for samples.
        fast: idle time is skipped where the emulator can do that.
        icount_shift: one instruction is 2^icount_shift ns; None is what the board has.

    Raises:
        UsageError: the scene does not fit into the board's memory.
        MissingToolError, DeviceError: the emulator does not start.
    """
    skip_idle = fast and board.emulator is not None and board.emulator.skips_idle
    with tempfile.TemporaryDirectory(prefix="torpor-") as folder:
        memory = {} if scene is None else _memory(board, scene, Path(folder))
        with emulate.start(
            board, elf, icount_shift=icount_shift, skip_idle=skip_idle, memory=memory
        ) as emulator:
            yield emulator


def _memory(board: Board, scene: Scene, folder: Path) -> dict[int, Path]:
    path = folder / "scene"
    path.write_bytes(pack(scene))
    return place(board, path, "it can come over the wire: --frames")


def place(board: Board, file: Path, hint: str) -> dict[int, Path]:
    """Return where the file of a scene goes, for `emulate.start`.

    Raises:
        UsageError: it does not fit into the board's memory.
    """
    content = file.read_bytes()
    if not holds(board, content):
        size = board.scene.size if board.scene else 0
        raise UsageError(
            f"the scene has {len(content):,} bytes, board '{board.name}' room for {size:,}", hint
        )
    return {board.scene.origin if board.scene else 0: file}
