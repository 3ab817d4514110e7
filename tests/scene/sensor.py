# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The replayed sensor in a small world: a clock that jumps, and whoever has the samples."""

import numpy as np
from numpy.typing import NDArray

from tests.scene.conftest import Library

Samples = NDArray[np.int16]


class Sensor:
    """A sensor that was started.

    Attributes:
        now: ticks.
        seen: (ticks, blocks so far) whenever a block was complete.
        accepted: what sensor_start() said.
    """

    def __init__(
        self,
        library: Library,
        rate: int,
        axes: int,
        block: int,
        *,
        scene: bytes | None = None,
        hz: int = 25_000_000,
        now: int = 0,
    ) -> None:
        self._library = library
        self._ffi, self._c = library
        self.format = (rate, axes, block)
        self.hz, self.now = hz, now
        self.seen: list[tuple[int, int]] = []
        self._timers = self._ffi.new("timers_t *")
        self._memory = self._ffi.new("uint64_t[]", len(scene or b"") // 8 + 1)
        if scene is not None:
            self._ffi.memmove(self._memory, scene, len(scene))
        place = self._ffi.NULL if scene is None else self._memory
        self._c.replay_source(place, len(scene or b""))
        self._c.shim_blocks = 0
        wanted = self._ffi.new("sensor_format_t *", self.format)
        self.accepted = bool(self._c.sensor_start(wanted, self._timers, hz, now))

    @property
    def next(self) -> int | None:
        """When the sensor wants to be told of the time."""
        return self._timers.due[0] if self._timers.set[0] else None

    def run(self, until: int) -> None:
        """Let time pass up to `until`, tell the sensor of its timer at once, every time."""
        while self.next is not None and self.next <= until:
            self.ring(max(self.next, self.now))
        self.now = max(until, self.now)

    def ring(self, now: int) -> None:
        """Tell the sensor of its timer at `now`, however late."""
        self.now = now
        taken = self._ffi.new("uint32_t *")
        assert self._c.timers_take(self._timers, now, taken)
        assert taken[0] == 0
        before = self._c.shim_blocks
        self._c.sensor_on_timer(now)
        if self._c.shim_blocks > before:
            self.seen.append((now, self._c.shim_blocks))

    def read(self) -> Samples | None:
        """Return the oldest block, int16 [samples, axes]."""
        _, axes, samples = self.format
        block = self._ffi.new("int16_t[]", samples * axes)
        ready = self._c.sensor_ready()
        assert self._c.sensor_read(block) == ready
        if not ready:
            return None
        return np.frombuffer(self._ffi.buffer(block), "<i2").reshape(samples, axes).copy()

    def read_all(self) -> list[Samples]:
        """Return all blocks that wait."""
        found = []
        while (block := self.read()) is not None:
            found.append(block)
        return found

    def wants(self) -> tuple[int, int] | None:
        """Return (from, count) of the samples that are wanted."""
        numbers = self._ffi.new("uint32_t[2]")
        if not self._c.replay_wants(numbers, numbers + 1):
            return None
        return numbers[0], numbers[1]

    def give(self, start: int, samples: Samples) -> bool:
        """Hand over samples, from number `start` on."""
        return bool(self._c.replay_give(start, samples.astype("<i2").tobytes(), len(samples)))

    @property
    def lost(self) -> int:
        """Blocks."""
        return int(self._c.sensor_lost())

    @property
    def ended(self) -> bool:
        """Whether there will be no more blocks."""
        return bool(self._c.sensor_ended())
