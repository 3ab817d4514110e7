# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sleeping device in the emulator: built once, in scenes of some minutes, listened to."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from torpor.board import load_board
from torpor.emulate import Emulator, firmware, functions
from torpor.model import load_model
from torpor.scene import Scene
from torpor.scene.emulated import started
from torpor.scene.feed import Feeder
from torpor.scene.motion import motion_scene
from torpor.scene.recording import of_scene
from torpor.scene.schedule import Made
from torpor.wire import framing, records
from torpor.wire.records import Record

MODEL = "motion"
SECONDS = 240
SHARE = 0.1  # of the time that events take: more than a device is for, so that the scene is short
PATIENCE_S = 60.0
SLICE_S = 0.05
LATE_MS = 2000  # that a device may tell what it is about after its end
OF_THIS_RUN = ("n", "latency", "latency_50", "latency_95", "residency", "stack")
"""What of a record is not the same on another board, or with another question in between."""


@cache
def elf(board: str, app: firmware.App = firmware.WAKE) -> Path:
    """Build once in a session."""
    return firmware.build(board, MODEL, app=app, quiet=True).elf


@cache
def events(seconds: float = SECONDS, seed: int = 5, count: int = 2) -> Made:
    """Return a scene in which somebody runs and walks, `count` times in all."""
    labels = [("running", "walking")[number % 2] for number in range(count)]
    return motion_scene(load_model(MODEL), seconds, seed, labels, share=SHARE)


def patched(file: Path, folder: Path, function: str, code: bytes) -> Path:
    """Return a copy of a firmware in which a function begins with other instructions."""
    (place,) = functions(file, function)
    image = bytearray(file.read_bytes())
    with file.open("rb") as opened:
        for segment in ELFFile(opened).iter_segments("PT_LOAD"):
            start = place.address - segment["p_vaddr"]
            if 0 <= start < segment["p_filesz"]:
                at = segment["p_offset"] + start
                image[at : at + len(code)] = code
                copy = folder / "patched.elf"
                copy.write_bytes(image)
                copy.chmod(0o755)
                return copy
    raise AssertionError(f"{function} has no bytes in {file}")


class Listener:
    """Hears what a device says, without a word to it.

    Attributes:
        heard: its records, in order.
        said: its lines of text.
        bytes: of everything.
    """

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.heard: list[Any] = []
        self.said: list[str] = []
        self.bytes = 0
        self._decoder = framing.Decoder()

    def of(self, *kinds: type) -> list[Any]:
        """Return the records of some kinds."""
        return [record for record in self.heard if isinstance(record, kinds)]

    def ask(self, *requests: Record) -> None:
        """Send requests."""
        for request in requests:
            self.emulator.transport.write(framing.encode_frame(records.encode(request)))

    def listen(self, timeout: float = SLICE_S) -> None:
        """Take what arrives."""
        data = self.emulator.transport.read(timeout)
        self.bytes += len(data)
        for event in self._decoder.feed(data):
            if isinstance(event, framing.Frame):
                self.heard.append(records.decode(event.payload))
            elif isinstance(event, framing.Text):
                self.said.append(str(event))

    def until(self, wanted: Callable[[], object]) -> None:
        """Listen until something is so; a device that never gets there is a failure."""
        deadline = time.monotonic() + PATIENCE_S
        while not wanted():
            assert time.monotonic() < deadline, (self.heard[-5:], self.said[-5:])
            self.listen()

    def until_heard(self, kind: type, count: int = 1) -> None:
        """Listen until so many records of a kind have come."""
        self.until(lambda: len(self.of(kind)) >= count)

    def until_over(self) -> list[Any]:
        """Listen until the scene is over; return the records."""
        self.until(lambda: any(need.count == 0 for need in self.of(records.Need)))
        return self.heard


@contextmanager
def living(
    board: str, scene: Scene | None, app: firmware.App = firmware.WAKE, at: Path | None = None
) -> Iterator[Listener]:
    """Give a device in a scene, as fast as the emulator can; None: it asks for samples."""
    with started(load_board(board), at or elf(board, app), scene, fast=True) as emulator:
        yield Listener(emulator)


def from_memory(board: str, made: Made, app: firmware.App = firmware.WAKE) -> list[Any]:
    """Return what a device says about a scene that lies in its memory."""
    with living(board, made.scene, app) as listener:
        return listener.until_over()


def over_the_wire(board: str, made: Made) -> list[Any]:
    """Return what a device says about a scene of which it is given the samples that it asks for."""
    with living(board, None) as listener:
        feeder = Feeder(listener.emulator.transport, of_scene(made.scene), first_seq=1)
        heard = list(feeder.run())
        assert (feeder.health.garbled, feeder.health.restarts) == (0, 0)
        return heard


def decided(heard: Iterable[Any]) -> list[tuple[int, int, int]]:
    """Return the decisions: time in ms, class, score."""
    found = (record for record in heard if isinstance(record, records.Decision))
    return [(record.time, record.best, record.score) for record in found]


def fingerprint(heard: Iterable[Any], *without: str) -> list[Any]:
    """Return the records but for some fields, and but for the questions of a scene."""
    return [
        (
            record.spec.kind,
            *(getattr(record, f.name) for f in record.spec.fields if f.name not in without),
        )
        for record in heard
        if not isinstance(record, records.Need)
    ]


def story(heard: Iterable[Any]) -> list[Any]:
    """Return decisions and summaries as they are on every board."""
    told = (r for r in heard if isinstance(r, records.Decision | records.Summary))
    return fingerprint(told, *OF_THIS_RUN)
