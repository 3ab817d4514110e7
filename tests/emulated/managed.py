# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A sleeping device with slots, and somebody who manages it and hears what it says."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.emulated import updatable
from tests.emulated.conftest import require
from tests.emulated.processes import TORPOR
from tests.emulated.sleeper import PATIENCE_S, SLICE_S, events
from tests.emulated.smp import Smp
from tests.emulated.updatable import Kit
from torpor.board import load_board
from torpor.emulate import firmware
from torpor.scene import Scene, pack
from torpor.wire import framing, records
from torpor.wire.records import Record

BOARD = "mps2_an386"


@dataclass
class Ears(Smp):
    """A client that hears records too.

    Attributes:
        heard: records, in order.
        garbled: lines that were nothing.
        before: sent in one piece with each request, before it.
        flooded: how often.
        sent, received: bytes, without those.
    """

    heard: list[Any] = field(default_factory=list)
    garbled: int = 0
    before: bytes = b""
    flooded: int = 0
    sent: int = 0
    received: int = 0

    def send(self, data: bytes) -> None:
        self.sent += len(data)
        self.flooded += bool(self.before)
        super().send(self.before + data)

    def receive(self, timeout: float) -> bytes:
        data = super().receive(timeout)
        self.received += len(data)
        return data

    def hear(self, event: framing.Event) -> None:
        super().hear(event)
        self.garbled += isinstance(event, framing.Dropped)
        if isinstance(event, framing.Frame):
            self.heard.append(records.decode(event.payload))

    def of(self, kind: type) -> list[Any]:
        return [record for record in self.heard if isinstance(record, kind)]

    def until(self, wanted: Callable[[], object]) -> None:
        """Listen until something is so; a device that never gets there is a failure."""
        deadline = time.monotonic() + PATIENCE_S
        while not wanted():
            assert time.monotonic() < deadline, (self.heard[-5:], self.said[-5:])
            self._messages(SLICE_S)

    def until_heard(self, kind: type, count: int) -> None:
        """Listen until so many records of a kind have come."""
        self.until(lambda: len(self.of(kind)) >= count)

    def answer(self, request: Any, kind: type = records.Ack) -> Any:
        """Send a request with a number, and return its answer: a record of a kind."""
        super().send(line(request))
        found: list[Any] = []
        start = len(self.heard)

        def is_there() -> bool:
            mine: list[Any] = [r for r in self.heard[start:] if isinstance(r, kind)]
            found[:] = [record for record in mine if record.seq == request.seq]
            return bool(found)

        self.until(is_there)
        return found[0]

    def holds(self, data: bytes) -> bool:
        """Return whether slot B begins so."""
        of = kit()
        assert of.board.flash
        place = of.board.flash.origin + of.offset(1)
        return self.emulator.debugger.read(place, len(data)) == data


def line(record: Record) -> bytes:
    return framing.encode_frame(records.encode(record))


def kit(board: str = BOARD) -> Kit:
    return updatable.kit(board, firmware.WAKE)


@cache
def busy_day() -> Scene:
    """Return a scene of some hours in which somebody moves every two minutes."""
    return events(4 * 3600, 7, 120).scene


@contextmanager
def device(
    folder: Path, scene: Scene | None, board: str = BOARD, *, new: bool = False
) -> Iterator[Ears]:
    """Give a device with old firmware and model; time is skipped if it has a scene."""
    require(load_board(board))
    content = None if new else updatable.in_the_field(board, firmware.WAKE)
    options: dict[str, Any] = {}
    if scene is not None:
        place = load_board(board).scene
        assert place
        (folder / "scene").write_bytes(pack(scene))
        options = {"memory": {place.origin: folder / "scene"}, "skip_idle": True}
    with updatable.start(kit(board), folder / "flash", content, **options) as emulator:
        yield Ears(emulator)


def firmware_a() -> Path:
    return kit().boot.parents[1] / "motion-int8-wake" / "image" / "firmware-a.elf"


@contextmanager
def at_port(flash: Path, port: Path) -> Iterator[None]:
    """Let `torpor emulate` keep a device running that has this flash, without a scene."""
    words = ["--board", BOARD, "--elf", str(kit().boot), "--flash", str(flash)]
    process = subprocess.Popen(
        [TORPOR, "emulate", *words, "--link", str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout and process.stdout.readline().strip() == str(port)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)
