# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""One run of the sleeping device in the emulator: what it did, and instructions by state, exactly.

The device tells shares of each interval in 1/10000, too coarse for what takes a few thousand
instructions a second. So a debugger stops it where it takes them, at each summary, and reads what
it counted. The firmware is the one that ships.

An emulator that skips idle time takes a core that was stopped for one that sleeps, and lets time
jump. The jump falls between what was read and the beginning of the next interval, and is in
neither; but so is the work on the block with which an interval ends, from the trigger on. It is
not counted as a block.
"""

import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torpor import emulate
from torpor.board import Board, Scene
from torpor.emulate.debugger import Code, Debugger, functions
from torpor.energy import STATES
from torpor.errors import DeviceError, UsageError
from torpor.power.fields import Field, find
from torpor.power.profile import Counts, Interval
from torpor.scene.scene import pack
from torpor.scene.schedule import Made, Truth
from torpor.wire import framing, records

PATIENCE_S = 60.0
"""Of the wall, without a word from the device; an emulator skips what the device sleeps."""

TICK_BYTES = 8
SHIFT_MAX = 10
_COUNTED = ("wakes", "gates", "inferences", "answers", "rejected")


@dataclass(frozen=True)
class Answer:
    """A decision of the device.

    Attributes:
        time_s: of the sensor: the end of its window.
        label: number of the class.
        by_model: not a repeated answer, and not the fallback.
    """

    time_s: float
    label: int
    by_model: bool


@dataclass(frozen=True)
class Run:
    """What the device did with a scene.

    Attributes:
        intervals: from summary to summary; what comes before the first one is left out.
        counts: from the start to the last summary.
        answers: in order of time.
        truth: what happened.
        rate_hz: samples of the sensor a second.
        summary_bytes: of a summary on the wire, on average.
        answer_bytes: of an answer.
    """

    intervals: tuple[Interval, ...]
    counts: Counts
    answers: tuple[Answer, ...]
    truth: tuple[Truth, ...]
    rate_hz: int
    summary_bytes: float
    answer_bytes: float


@dataclass(frozen=True)
class Places:
    """Where the device keeps what it counts.

    Attributes:
        taken: where it takes the shares of an interval, and is stopped.
        ticks: of each state.
        counts: by name of _COUNTED, and "blocks".
        hop: blocks from window to window.
    """

    taken: Code
    ticks: Field
    counts: dict[str, Field]
    hop: Field


def places(elf: Path) -> Places:
    """Find everything in a firmware.

    Raises:
        UsageError: it is not app=wake, or has no debugging information.
    """
    (taken,) = functions(elf, "account_take")
    (ticks,) = find(elf, "app/wake/account.c", "residency.ticks")
    members = [f"look.duty.counts.{name}" for name in _COUNTED]
    *counts, blocks, hop = find(
        elf, "app/wake/look.c", *members, "look.duty.blocks", "wake_config.duty.hop"
    )
    by_name = dict(zip(_COUNTED, counts, strict=True)) | {"blocks": blocks}
    return Places(taken, ticks, by_name, hop)


def memory_of(board: Board) -> Scene:
    """Return the memory that a scene is put into.

    Raises:
        UsageError: there is none, or the board's emulator does not count instructions.
    """
    counts = board.emulator is not None and board.emulator.icount_shift is not None
    if board.scene is None or not counts:
        raise UsageError(
            f"board '{board.name}' has no memory for a scene, or its emulator does not count",
            "mps2_an386 has both",
        )
    return board.scene


def run(board: Board, elf: Path, made: Made, hop: int | None = None) -> Run:
    """Let the device live through a scene, as fast as the emulator can.

    Args:
        board: with an emulator that counts instructions, and memory for a scene.
        elf: firmware of app=wake, with debugging information.
        made: the scene.
        hop: instead of what is built in.

    Raises:
        UsageError: the board cannot do that.
        DeviceError: the device falls silent, or stops too early.
    """
    scene = memory_of(board)
    where = places(elf)
    with tempfile.TemporaryDirectory(prefix="torpor-") as folder:
        path = Path(folder) / "scene.bin"
        path.write_bytes(pack(made.scene))
        memory = {scene.origin: path}
        shift = shift_of(board)
        with emulate.start(
            board, elf, icount_shift=shift, skip_idle=True, memory=memory, held=True
        ) as device:
            _begin(device.debugger, functions(elf, "main"))
            if hop is not None:
                device.debugger.write([(where.hop.address, where.hop.content(hop))])
            return _Watch(device, where, board.timer.hz).live(made)


def shift_of(board: Board) -> int | None:
    """Return the icount_shift with which the emulator is nearly as fast as the chip of [power].

    So what the device does about time, deadlines for example, is what the chip would do.
    """
    if board.power is None:
        return None
    nanoseconds = 1e9 * board.power.cycles_per_instruction / board.power.clock_hz
    return min(max(round(math.log2(nanoseconds)), 0), SHIFT_MAX)


def _begin(debugger: Debugger, main: Sequence[Code]) -> None:
    """Let a core that stands still come to main() and stop there.

    If it ran on, with idle time skipped, a summary could be over before anybody looks.
    """
    debugger.set_places(main)
    debugger.resume()
    if not debugger.has_stopped(PATIENCE_S):
        raise DeviceError(f"the device has not come to main() in {PATIENCE_S:g} s")
    debugger.clear_places(main)


class _Watch:
    """Stops the device at each summary until its scene is over."""

    def __init__(self, device: emulate.Emulator, where: Places, timer_hz: int) -> None:
        self._device = device
        self._where = where
        self._hz = timer_hz
        self._decoder = framing.Decoder()
        self._answers: list[Answer] = []
        self._sizes: dict[type[records.Record], list[int]] = defaultdict(list)
        self._over = False

    def live(self, made: Made) -> Run:
        intervals = []
        before: Counts | None = None
        self._device.debugger.set_places([self._where.taken])
        self._device.debugger.resume()
        for counts, ticks in self._summaries():
            if before is not None and counts.blocks > before.blocks:
                intervals.append(Interval(_between(before, counts), self._instructions(ticks)))
            before = counts
        return Run(
            tuple(intervals),
            before or Counts(),
            tuple(self._answers),
            made.truth,
            made.scene.rate_hz,
            _mean(self._sizes[records.Summary]),
            _mean(self._sizes[records.Decision]),
        )

    def _summaries(self) -> Iterator[tuple[Counts, list[int]]]:
        """Yield what was counted since the start, and ticks since the summary before."""
        debugger, here = self._device.debugger, [self._where.taken]
        while self._wait():
            yield self._read()
            debugger.clear_places(here)
            debugger.step()  # or the core would stop where it stands
            debugger.set_places(here)
            debugger.resume()

    def _read(self) -> tuple[Counts, list[int]]:
        where, debugger = self._where, self._device.debugger
        raw = debugger.read(where.ticks.address, where.ticks.size)
        ticks = [
            int.from_bytes(raw[i : i + TICK_BYTES], "little")
            for i in range(0, len(raw), TICK_BYTES)
        ]
        counts = {name: _number(debugger, field) for name, field in where.counts.items()}
        return Counts(**counts), ticks

    def _wait(self) -> bool:
        """Listen until the device is stopped; False: its scene is over."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._device.debugger.has_stopped():
            heard = self._device.transport.read(0.01)
            for event in self._decoder.feed(heard):
                self._hear(event)
            if self._over:
                return False
            if time.monotonic() > deadline:
                raise DeviceError(f"the device has not sent a summary for {PATIENCE_S:g} s")
        return True

    def _hear(self, event: framing.Event) -> None:
        if not isinstance(event, framing.Frame):
            return
        record: Any = records.decode(event.payload)
        self._sizes[type(record)].append(len(framing.encode_frame(event.payload)))
        if isinstance(record, records.Decision):
            self._answers.append(Answer(record.time / 1000, record.best, record.source == 0))
        if isinstance(record, records.Need) and record.count == 0:
            self._over = True

    def _instructions(self, ticks: Sequence[int]) -> dict[str, float]:
        """Turn ticks of each state into instructions; sleep and replay are none of the device's."""
        found = {}
        for state, count in zip(STATES, ticks, strict=True):
            if state not in ("sleep", "replay"):
                found[state] = float(self._device.instructions(count, self._hz) or 0)
        return found


def _mean(numbers: Sequence[int]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _number(debugger: Debugger, field: Field) -> int:
    return field.value(debugger.read(field.address, field.size))


def _between(before: Counts, after: Counts) -> Counts:
    """Return what happened from one summary to the next; the one before was sent in this one.

    The last block's work is not in the ticks.
    """
    names = [field.name for field in fields(Counts) if field.name != "summaries"]
    changes = {name: getattr(after, name) - getattr(before, name) for name in names}
    changes["blocks"] -= 1
    return Counts(**changes, summaries=1)
