# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Puts it together: events of all devices come in one queue, and what they mean goes everywhere.

    collectors ──► queue ──► state of the device ──► recording ──► lines, page, numbers

One thread, that of whoever calls `step`, does all but the listening. Events are recorded before
anybody hears of them.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from torpor.monitor import charge
from torpor.monitor.alerts import Limits
from torpor.monitor.document import Snapshot
from torpor.monitor.events import Event, Notice, Received
from torpor.monitor.record import Recorder
from torpor.monitor.state import DeviceState, Estimator

BATCH = 500  # events that are one transaction at most
Words = dict[str, Any]
Show = Callable[[Event, Words], None]
"""Takes an event, and the fields of its record in words (of others {})."""


class Monitor:
    """Several devices.

    Args:
        devices: ports by name.
        limits: fixed thresholds of the alerts.
        recorder: where it is recorded, or None.
        show: called with each event and each notice, in order, when they are recorded.
        estimate: makes an estimate of charge from a board and a residency.
        clock: seconds since 1970; ages in snapshots are counted to it.
    """

    def __init__(
        self,
        devices: Mapping[str, str],
        limits: Limits | None = None,
        *,
        recorder: Recorder | None = None,
        show: Show | None = None,
        estimate: Estimator = charge.estimate,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self._states = {
            name: DeviceState(name, port, limits, estimate) for name, port in devices.items()
        }
        self._recorder = recorder
        self._show = show or (lambda _event, _words: None)
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._lock = threading.Lock()  # of the states, which snapshots are made of by any thread
        self._callbacks: list[Callable[[], None]] = []

    def put(self, event: Event) -> None:
        """Take an event of one of the devices. From any thread."""
        self._queue.put(event)

    def snapshots(self) -> list[Snapshot]:
        """Return what is known now, one for each device. From any thread."""
        with self._lock:
            now = self.clock()
            return [state.snapshot(now) for state in self._states.values()]

    def summaries(self) -> dict[str, int]:
        """Return how many intervals each device has reported. From any thread."""
        with self._lock:
            return {name: state.summaries for name, state in self._states.items()}

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Let `callback` be called, by the thread of `step`, whenever something has changed.

        Returns:
            a function that ends it.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def step(self, timeout: float) -> int:
        """Handle what has come, after waiting up to `timeout` seconds for something.

        Returns:
            how many events there were.

        Raises:
            RecordingError: what came cannot be recorded. It was not shown either.
        """
        events = self._take(timeout)
        if events:
            self.handle(events)
        return len(events)

    def handle(self, events: list[Event]) -> None:
        """Handle events, as one transaction of the recording.

        Raises:
            RecordingError: as `step`.
        """
        with self._lock:
            happened = [pair for event in events for pair in self._feed(event)]
        if self._recorder is not None:
            self._recorder.write(happened)
        for event, words in happened:
            self._show(event, words)
        for callback in list(self._callbacks):
            callback()

    def _take(self, timeout: float) -> list[Event]:
        events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            events.append(self._queue.get(timeout=timeout))
            while len(events) < BATCH:
                events.append(self._queue.get_nowait())
        return events

    def _feed(self, event: Event) -> list[tuple[Event, Words]]:
        """Return the event in words, and what it has led to."""
        state = self._states[event.device]
        notices: list[Notice] = state.feed(event)
        words = state.describe(event.record) if isinstance(event, Received) else {}
        return [(event, words), *((notice, notice.detail) for notice in notices)]
