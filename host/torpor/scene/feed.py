# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Gives a device the samples that it asks for, in place of its sensor.

    device                                  host
    need(start, count)      -------->
                            <--------       scene(seq, start, samples)
    ack(seq), need(start + count, ...)  ->
                            <--------       scene(seq, start, none): that is the end
    ack(seq), ..., need(end, 0)  ------->

Lines get lost: a request without its answer is sent again, unchanged, and a device that says
nothing is asked what it needs. Samples that come twice the device refuses (`stale_input`), which
does no harm. The device counts samples from its start on; a replay begins where the device is, and
goes on where it was when the device restarts.
"""

import secrets
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from torpor.errors import DeviceError, UsageError
from torpor.link import Transport, check_schema
from torpor.scene.layout import AXES_MAX
from torpor.scene.recording import Recording
from torpor.wire import framing, records
from torpor.wire.records import STATUS, Record

AGAIN_S = 0.5
"""Until a request that was not answered is sent again."""
QUIET_S = 1.0
"""Until a device that says nothing is asked what it needs."""
PATIENCE_S = 15.0
"""Until a device that answers nothing, or wants nothing, is given up."""
RING = 640
"""Numbers that wait in the device (drivers/replay): so much may still come after the end."""
MOST = next(f.max for f in records.Scene.spec.fields if f.name == "data") // 2
"""Numbers that fit into a record."""

ASK_ABOUT, ASK_NEED = 0, 3  # `what` of the record `ask`
_NOT_TOLD = ("need", "ack", "counters")


@dataclass
class Health:
    """How good the line was.

    Attributes:
        garbled: lines that were no frames.
        again: requests that were sent more than once.
        restarts: of the device, while it was fed.
    """

    garbled: int = 0
    again: int = 0
    restarts: int = 0


class _Requests:
    """Requests of which the answer has not come: they are sent again, unchanged."""

    def __init__(
        self, transport: Transport, clock: Callable[[], float], health: Health, seq: int
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._health = health
        self._seq = seq
        self._open: dict[int, tuple[Any, float]] = {}

    def send(self, kind: Any, *fields: Any) -> None:
        """Send a record of a kind that begins with `seq`."""
        self._seq = self._seq % (2**32 - 1) + 1
        self._write(kind(self._seq, *fields))

    def _write(self, record: Any) -> None:
        self._transport.write(framing.encode_frame(records.encode(record)))
        self._open[record.seq] = record, self._clock()

    def answered(self, seq: int) -> Any:
        """Return the request that an answer belongs to, or None: it is a left-over."""
        record, _ = self._open.pop(seq, (None, 0.0))
        return record

    def forget(self, kind: Any) -> None:
        """Wait for no answers to requests of a kind any more."""
        self._open = {s: (r, t) for s, (r, t) in self._open.items() if not isinstance(r, kind)}

    @property
    def next(self) -> float | None:
        """When one has to be sent again; None: all have their answers."""
        return min((sent + AGAIN_S for _, sent in self._open.values()), default=None)

    def send_again(self) -> None:
        """Send those again whose answers are late."""
        for record, sent in list(self._open.values()):
            if self._clock() >= sent + AGAIN_S:
                self._write(record)
                self._health.again += 1


class Feeder:
    """Feeds one device.

    Args:
        transport: where it is.
        recording: what it is given.
        real: hand samples over when they would have been measured, not as soon as they are wanted.
        has_it: the device has the recording in its memory: it is watched only.
        moved: called when `position` has changed.
        clock: seconds.
        first_seq: sequence number before the first request; None: by chance.

    Attributes:
        position: samples of the recording that the device has, or has measured, as far as known.
        health: of the line.
    """

    def __init__(
        self,
        transport: Transport,
        recording: Recording,
        *,
        real: bool = False,
        has_it: bool = False,
        moved: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        first_seq: int | None = None,
    ) -> None:
        self.position = 0
        self.health = Health()
        seq = secrets.randbelow(2**31) if first_seq is None else first_seq
        self._transport = transport
        self._recording = recording
        self._real = real
        self._has_it = has_it
        self._moved = moved
        self._clock = clock
        self._requests = _Requests(transport, clock, self.health, seq)
        self._decoder = framing.Decoder()
        self._about: Any = None
        self._need: Any = None  # the last one
        self._due = False  # it has no answer yet
        self._offset = 0  # the device's number of the recording's first sample
        self._first: float | None = None  # when that was handed over
        self._heard = self._told = self._wanted = clock()  # last: anything, news, other samples
        self._asked = clock()
        self._ended = has_it  # nothing is left to be handed over
        self._over = False

    def run(self) -> Generator[Record, None, None]:
        """Feed the device to the end of the recording; yield what it tells of itself meanwhile.

        Raises:
            UsageError: the recording has another rate or other axes than the device's sensor.
            DeviceError: the device is gone, does not answer, wants no samples, or was built from
                other records.
        """
        self._requests.send(records.Ping)
        self._requests.send(records.Ask, ASK_ABOUT)
        self._requests.send(records.Ask, ASK_NEED)
        while not self._over:
            for event in self._decoder.feed(self._transport.read(self._pause())):
                yield from self._take(event)
            self._give()
            self._requests.send_again()
            self._be_patient()

    # ---- what comes in

    def _take(self, event: framing.Event) -> Iterator[Record]:
        self.health.garbled += isinstance(event, framing.Dropped)
        record: Any = records.decode(event.payload) if isinstance(event, framing.Frame) else None
        if record is not None:
            check_schema(record)
        if record is None or isinstance(record, records.Unknown):
            return
        self._heard = self._clock()
        handler = getattr(self, f"_on_{record.spec.kind}", None)
        if handler:
            handler(record)
        if record.spec.kind not in _NOT_TOLD:
            self._told = self._heard
            self._follow(record)
            yield record

    def _follow(self, record: Any) -> None:
        """How far a device is that has the recording, its news say."""
        if self._has_it and self._about and isinstance(record, records.Decision | records.Summary):
            measured = record.time * self._about.rate // 1000
            self._move(max(measured, self.position))

    def _move(self, position: int) -> None:
        before, self.position = self.position, min(position, self._recording.samples)
        if self.position != before:
            self._moved()

    def _on_hello(self, hello: Any) -> None:
        self._requests.answered(hello.seq)

    def _on_about(self, about: Any) -> None:
        rate = self._recording.rate_hz
        if rate is not None and rate != about.rate:
            raise UsageError(
                f"{self._recording.name} has {rate:,} samples a second, the device's sensor"
                f" {about.rate:,}",
                f"bring it to {about.rate} Hz first",
            )
        self._about = about

    def _on_ack(self, ack: Any) -> None:
        request = self._requests.answered(ack.seq)
        if isinstance(request, records.Ask) and ack.status != STATUS["ok"]:
            raise DeviceError("the device does not know what it is asked", "build it with app=wake")
        if isinstance(request, records.Scene):
            if ack.status == STATUS["bad_request"]:
                raise self._wrong_axes([])
            self._ended |= not request.data

    def _on_need(self, need: Any) -> None:
        before, self._need = self._need, need
        if not need.count:
            self._over |= self._ended
            if self._over:
                self._move(self._recording.samples)
            return
        if self._has_it:
            raise DeviceError(
                "the device does not measure the scene in its memory",
                "has the scene the rate and the axes of the model's sensor?",
            )
        if before is not None and need.start == before.start:
            return  # it has its answer already, or gets it again
        self._wanted = self._clock()
        if before is None:
            self._check_axes(need)
            self._offset = need.start
        elif need.start < before.start:  # it counts from its start on
            self.health.restarts += 1
            self._offset = need.start - self.position
            self._ended = False
        self._move(need.start - self._offset)
        self._requests.forget(records.Scene)
        self._due = True

    def _check_axes(self, need: Any) -> None:
        """A sensor that has nothing yet wants as many samples as fit into a record."""
        axes = self._recording.axes
        if need.count * axes > MOST or (need.start == 0 and need.count != MOST // axes):
            possible = [a for a in range(1, AXES_MAX + 1) if need.count == MOST // a]
            raise self._wrong_axes([] if need.start else possible)

    def _wrong_axes(self, theirs: list[int]) -> UsageError:
        what = theirs[0] if theirs else "others"
        return UsageError(
            f"{self._recording.name} has {self._recording.axes} axes, the device's sensor {what}",
            "is it a recording of the sensor that the model was built for?",
        )

    # ---- what goes out

    def _time(self) -> float:
        """Return when the samples that are wanted may be handed over."""
        if not self._real or self._first is None:
            return 0.0
        return self._first + float(self.position / self._about.rate)

    def _is_ready(self) -> bool:
        return self._due and self._about is not None

    def _give(self) -> None:
        """Answer the need, once everything is known and it is time."""
        if not self._is_ready() or self._clock() < self._time():
            return
        self._first = self._clock() if self._first is None else self._first
        count = min(self._need.count, self._recording.samples - self.position)
        data = self._recording.part(self.position, count).astype("<i2").tobytes()
        self._requests.send(records.Scene, self._need.start, data)
        self._due = False
        self._wanted = self._clock()

    # ---- patience

    def _pause(self) -> float:
        """Return for how long there is nothing to do if nothing comes."""
        now = self._clock()
        again = self._requests.next
        times = [now + QUIET_S, *([] if again is None else [again])]
        if self._is_ready():
            times.append(self._time())
        return max(min(times) - now, 0.0)

    def _rest(self) -> float:
        """Return how many seconds the samples last that wait in a device."""
        rate = self._about.rate if self._about else 0
        return RING / self._recording.axes / rate if rate else 0.0

    def _stuck(self) -> DeviceError:
        if self._need is None or not self._need.count:
            return DeviceError(
                "the device wants no samples",
                "it measures a scene in its own memory, or the end of one was here: reset it",
            )
        return DeviceError(
            f"the device takes no more samples after {self.position:,}",
            f"is the line bad? {self.health.garbled} lines were garbled",
        )

    def _be_patient(self) -> None:
        """Ask a device that says nothing; give up one that answers nothing or wants nothing."""
        now = self._clock()
        if now - self._heard > PATIENCE_S:
            line = "; check the baud rate" if self.health.garbled else ""
            raise DeviceError(
                "the device does not answer", f"is it there, with a firmware of app=wake{line}?"
            )
        if self._has_it:
            self._wanted = now
        elif self._ended and now - max(self._told, self._wanted) > QUIET_S + self._rest():
            self._over = True  # it has said so, but that line was lost
        elif not self._due and now - self._wanted > PATIENCE_S + self._rest():
            raise self._stuck()
        if self._requests.next is None:
            self._ask_again(now)

    def _ask_again(self, now: float) -> None:
        """A need that the device repeats is no word about what it is."""
        if now - (self._heard if self._about else self._asked) >= QUIET_S:
            self._requests.send(records.Ask, ASK_NEED if self._about else ASK_ABOUT)
            self._asked = now
