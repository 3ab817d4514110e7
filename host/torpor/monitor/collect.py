# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Listens to one device: from bytes of its port to events, for as long as anybody wants to know.

A port that goes away is opened again when it is back; between two tries the waiting time doubles up
to `LONGEST_WAIT_S`. After each connection the device is asked who it is (`ping`) and what it does
(`ask` 0), again and again, less and less often, until both are known: a question may be lost.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from torpor.errors import DeviceError
from torpor.link.transport import UNIX_PREFIX, Transport, connect_unix, open_transport
from torpor.monitor.events import (
    Connected,
    Disconnected,
    Dropped,
    Event,
    Foreign,
    Received,
    Said,
)
from torpor.wire import framing, records
from torpor.wire.records import Record, Unknown

FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0
LOOK_S = 0.2  # of silence, until somebody who wants to stop is noticed
FIRST_ASK_S, LONGEST_ASK_S = 0.5, 60.0
_HELLO_ID = records.Hello.spec.id
Put = Callable[[Event], None]


def open_port(port: str, baud: int = 115200) -> Transport:
    """Open a port without waiting for one that is not there.

    Raises:
        DeviceError: it cannot be opened.
    """
    if port.startswith(UNIX_PREFIX):
        return connect_unix(port.removeprefix(UNIX_PREFIX), timeout=0)
    return open_transport(port, baud)


def waits() -> Iterator[float]:
    """Yield the times to wait between tries to open a port, seconds."""
    return _doubling(FIRST_WAIT_S, LONGEST_WAIT_S)


def _doubling(first: float, longest: float) -> Iterator[float]:
    while True:
        yield min(first, longest)
        first *= 2


class Reader:
    """Turns the bytes of a port into events. Pure but for the clock.

    Args:
        device: name.
        clock: seconds since 1970.
    """

    def __init__(self, device: str, clock: Callable[[], float] = time.time) -> None:
        self._device, self._clock = device, clock
        self._decoder = framing.Decoder()

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take bytes as they come; yield what they make."""
        for event in self._decoder.feed(data):
            made = self._event(event)
            if made is not None:
                yield made

    def cut(self) -> Iterator[Event]:
        """The port is gone: what has begun will not be ended."""
        pending = self._decoder.pending
        self._decoder = framing.Decoder()
        if pending.startswith(framing.MARKER):
            yield Dropped(self._clock(), self._device, "cut")

    def _event(self, event: framing.Event) -> Event | None:
        now = self._clock()
        if isinstance(event, framing.Frame):
            return self._frame(now, event.payload)
        if isinstance(event, framing.Dropped):
            return Dropped(now, self._device, event.reason)
        if isinstance(event, framing.Text):
            return Said(now, self._device, str(event))
        return None  # SMP belongs to others

    def _frame(self, now: float, payload: bytes) -> Event:
        record = records.decode(payload)
        schema = foreign_schema(record)
        if schema is not None:
            return Foreign(now, self._device, schema)
        if isinstance(record, Unknown):
            return Dropped(now, self._device, "unknown")
        return Received(now, self._device, payload, record)


def foreign_schema(record: Record | Unknown) -> int | None:
    """Return the schema of a `hello` that is not ours, or None.

    Id, seq and schema stay the first three numbers of every `hello`, whatever else changes.
    """
    theirs: Any = None
    if isinstance(record, Unknown):
        if len(record.items) > 2 and record.items[0] == _HELLO_ID:
            theirs = record.items[2]
    elif isinstance(record, records.Hello):
        theirs = record.schema
    return theirs if isinstance(theirs, int) and theirs != records.SCHEMA_HASH else None


class Questions:
    """What a device is asked, and when.

    Args:
        now: seconds, of a clock that only runs.
    """

    def __init__(self, now: float) -> None:
        self._seq = itertools.count(1)
        self._hello = False
        self._begin(now)

    def _begin(self, due: float) -> None:
        self._due = due
        self._gaps = _doubling(FIRST_ASK_S, LONGEST_ASK_S)
        self._classes: int | None = None
        self._labels: set[int] = set()

    def note(self, event: Event, now: float) -> None:
        """Take what came."""
        record: Any = event.record if isinstance(event, Received) else None
        kind = record.spec.kind if record is not None else ""
        if kind == "hello":
            self._hello = True
            if record.seq == 0:  # it has started, and will tell the rest by itself
                self._begin(now + FIRST_ASK_S)
        elif kind == "about":
            self._classes = record.classes
        elif kind == "label":
            self._labels.add(record.index)

    @property
    def is_answered(self) -> bool:
        """True when all is known."""
        return self._hello and self._classes is not None and len(self._labels) >= self._classes

    def due(self, now: float) -> bytes:
        """Return what to send now: b"" if it is not time, or nothing is left to be asked."""
        if self.is_answered or now < self._due:
            return b""
        self._due = now + next(self._gaps)
        questions = [] if self._hello else [records.Ping(next(self._seq))]
        return b"".join(
            framing.encode_frame(records.encode(question))
            for question in (*questions, records.Ask(next(self._seq), 0))
        )


class Collector(threading.Thread):
    """Follows one device until `stop`.

    Args:
        device: name.
        port: as `open_port` takes it.
        put: called with every event, from this thread.
        opened: the port, if it is open already.
        open_link: opens a port; raises DeviceError.
        clock: seconds since 1970, for the times of events.
    """

    def __init__(
        self,
        device: str,
        port: str,
        put: Put,
        *,
        opened: Transport | None = None,
        open_link: Callable[[str], Transport] = open_port,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name=f"collector of {device}", daemon=True)
        self._device, self._port, self._put = device, port, put
        self._opened, self._open, self._clock = opened, open_link, clock
        self._stop_asked = threading.Event()
        self._said = ""

    def stop(self) -> None:
        """End; returns when the port is free."""
        self._stop_asked.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Open the port, listen, and do it again."""
        gaps = waits()
        while not self._stop_asked.is_set():
            link = self._connect()
            if link is not None:
                if self._listen(link):
                    gaps = waits()
                link.close()
            self._stop_asked.wait(next(gaps))

    def _connect(self) -> Transport | None:
        try:
            link, self._opened = self._opened or self._open(self._port), None
        except DeviceError as error:
            self._gone(error.message)
            return None
        self._said = ""
        self._put(Connected(self._clock(), self._device, self._port))
        return link

    def _gone(self, reason: str) -> None:
        """Tell that the port is not there; the same reason is told once."""
        if reason != self._said:
            self._said = reason
            self._put(Disconnected(self._clock(), self._device, self._port, reason))

    def _listen(self, link: Transport) -> bool:
        """Pass on what comes until the port is gone; True if anything came at all."""
        reader, questions = Reader(self._device, self._clock), Questions(time.monotonic())
        heard = False
        try:
            while not self._stop_asked.is_set():
                question = questions.due(time.monotonic())
                if question:
                    link.write(question)
                data = link.read(LOOK_S)
                heard = heard or bool(data)
                for event in reader.feed(data):
                    questions.note(event, time.monotonic())
                    self._put(event)
        except DeviceError as error:
            for event in reader.cut():
                self._put(event)
            self._gone(error.message)
        return heard
