# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device that measures what it is fed: the driver of the firmware, and records around it.

It decides something about every block: its CRC-32, so that a test can see what it has measured.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.scene.conftest import Library
from tests.scene.sensor import Sensor
from torpor.scene import Scene, pack, render
from torpor.wire import framing, records
from torpor.wire.records import STATUS

HZ = 1_000_000


def verdicts(samples: NDArray[np.int16], block: int) -> list[int]:
    """Return what the device decides about samples, block by block."""
    whole = len(samples) // block * block
    return [
        zlib.crc32(samples[at : at + block].astype("<i2").tobytes())
        for at in range(0, whole, block)
    ]


class ReplayDevice:
    """A device. Time is the caller's, in ticks.

    Attributes:
        now: ticks.
        blocks: how many it has measured since it started.
        silent: it takes nothing and says nothing: a cable that is pulled out.
    """

    def __init__(
        self, library: Library, rate: int, axes: int, block: int, scene: Scene | None = None
    ) -> None:
        self._library = library
        self._format = rate, axes, block
        self._scene = scene
        self._numbers = 0
        self.now = 0
        self.silent = False
        self.start()

    def start(self) -> None:
        """Begin anew, as after a reset."""
        rate, axes, block = self._format
        content = None if self._scene is None else pack(self._scene)
        self._sensor = Sensor(self._library, rate, axes, block, scene=content, hz=HZ, now=self.now)
        self._decoder = framing.Decoder()
        self._out = bytearray(b"booting\r\n")
        self._asked: int | None = None
        self._again = 0
        self.blocks = 0
        self._over = False
        self._say(self._hello(0))
        self._measure()

    # ---- the wire

    def feed(self, data: bytes) -> None:
        """Take bytes of the wire."""
        for event in self._decoder.feed(data):
            record: Any = None
            if isinstance(event, framing.Frame) and not self.silent:
                record = records.decode(event.payload)
            handler = getattr(self, f"_on_{record.spec.kind}", None) if record else None
            if handler:
                handler(record)
        self._measure()

    def out(self) -> bytes:
        """Return the bytes that it has sent since the last call."""
        sent = bytes(self._out)
        self._out.clear()
        return b"" if self.silent else sent

    def _say(self, record: Any) -> None:
        self._out += framing.encode_frame(records.encode(record))

    def _hello(self, seq: int) -> Any:
        model = ("motion-int8", 1, 0, 100, 384, 4)
        return records.Hello(seq, records.SCHEMA_HASH, "fake", *model, HZ, "torpor", "")

    def _on_ping(self, ping: Any) -> None:
        self._say(self._hello(ping.seq))

    def _on_ask(self, ask: Any) -> None:
        if ask.what == 0:
            self._about()
        elif ask.what == 3:
            self._want(again=True)
        self._say(records.Ack(ask.seq, STATUS["ok"]))

    def _about(self) -> None:
        rate = self._format[0]
        fields = ("motion", "gated", 2, 60, rate, 0, "1.0.0", "1.0.0", 1)
        self._say(records.About(self._number(), *fields))
        for index, name in enumerate(("rest", "moving")):
            self._say(records.Label(self._number(), index, name))

    def _on_scene(self, scene: Any) -> None:
        size = 2 * self._format[1]
        status = "bad_request"
        if len(scene.data) % size == 0:
            samples = np.frombuffer(scene.data, "<i2").reshape(-1, self._format[1])
            status = "ok" if self._sensor.give(scene.start, samples) else "stale_input"
        self._say(records.Ack(scene.seq, STATUS[status]))

    # ---- time

    @property
    def measures_at(self) -> int | None:
        """When its sensor wants to be told of the time."""
        return self._sensor.next

    @property
    def next(self) -> int | None:
        """When something happens by itself."""
        repeat = None if self._asked is None else self._again
        times = [time for time in (self._sensor.next, repeat) if time is not None]
        return min(times, default=None)

    def run(self, until: int) -> None:
        """Let time pass."""
        self.now = max(self.now, until)
        self._sensor.run(self.now)
        self._measure()
        if self._asked is not None and self.now >= self._again:
            self._want(again=True)

    def _measure(self) -> None:
        self._sensor.run(self.now)
        for block in self._sensor.read_all():
            crc = zlib.crc32(block.astype("<i2").tobytes())
            time = self.blocks * self._format[2] * 1000 // self._format[0]
            self._say(records.Decision(self._number(), time, 0, 0, 1, 900, crc, 1))
            self.blocks += 1
        self._want()
        if self._sensor.ended and not self._over:
            self._over = True
            self._say(records.Need(self.blocks * self._format[2], 0))

    def _want(self, again: bool = False) -> None:
        wanted = self._sensor.wants()
        if wanted is None:
            self._asked = None
            return
        if again or wanted[0] != self._asked:
            self._say(records.Need(*wanted))
            self._again = self.now + HZ
        self._asked = wanted[0]

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers


class Wire:
    """A transport to such a device, in a world whose time passes only while one waits.

    Args:
        device: who is at the other end.
        events: what happens at which time, in seconds: pulled cables, resets.
    """

    def __init__(
        self, device: ReplayDevice, events: list[tuple[float, Callable[[], None]]] | None = None
    ) -> None:
        self._device = device
        self._events = sorted(events or [], key=lambda event: event[0])
        self.written = 0

    def clock(self) -> float:
        """Return the time, in seconds."""
        return self._device.now / HZ

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`."""
        until = self._device.now + max(round(timeout * HZ), 1 if timeout > 0 else 0)
        while not (data := self._device.out()) and self._device.now < until:
            times = [until] if self._device.next is None else [until, self._device.next]
            times += [round(self._events[0][0] * HZ)] if self._events else []
            self._device.run(max(min(times), self._device.now))
            while self._events and self._device.now >= round(self._events[0][0] * HZ):
                self._events.pop(0)[1]()
        return data

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        self.written += len(data)
        self._device.feed(data)

    def close(self) -> None:
        """See `Transport.close`."""


def measured(scene: Scene, block: int) -> list[int]:
    """Return what a device decides about a whole scene."""
    return verdicts(render(scene, 0, scene.samples), block)
