# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""An update from beginning to end: send, arm, restart, wait for the verdict of the device.

Each step may be repeated: what is there already is not sent again, what is armed stays armed. So
a lost cable or power loss only costs the time until the device is back, and a command that was
interrupted goes on where it was when it is given again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from torpor.errors import DeviceError, UsageError
from torpor.image.reasons import NUMBERS, Reason, reason
from torpor.update.device import Device, NoAnswerError, RefusedError
from torpor.update.journal import ATTEMPTS, Event
from torpor.update.state import (
    COMPONENTS,
    FIRMWARE,
    SlotImage,
    Status,
    component_of,
    slot_name,
)
from torpor.update.transport import LinkLostError

POLL_S = 0.2  # between two looks at a trial
POLL_TIMEOUT_S = 0.5  # a device that restarts loses requests: ask again soon
POLL_TRIES = 10  # before that is worth a word
RESTART_S = 5.0  # a device that has not begun its trial by then is told to restart again
LOSSES = 5  # in a row, without a byte of progress
_T = TypeVar("_T")


@dataclass(frozen=True)
class Outcome:
    """How an update ended.

    Attributes:
        verdict: "confirmed", "reverted", or "armed" if nobody waited.
        slot: numbered through.
        version: of the image.
        hash: of the image.
        event: the end of the trial as the device has it, if it was reverted.
    """

    verdict: str
    slot: int
    version: str
    hash: bytes
    event: Event | None = None

    @property
    def reason(self) -> Reason:
        """Why it was reverted; number 0 if it was not."""
        return self.event.reason if self.event else reason(NUMBERS["ok"])


@dataclass
class Patience:
    """How long to wait, and whom to tell.

    Attributes:
        lost: seconds that a lost device may take to come back.
        trial: seconds until a device has confirmed what it tries, or gone back.
        tell: called with a line about what happens.
    """

    lost: float = 60.0
    trial: float = 120.0
    tell: Callable[[str], None] = lambda _line: None


@dataclass
class Updater:
    """Updates one device. `device` is connected."""

    device: Device
    patience: Patience = field(default_factory=Patience)

    # ---- what a user asks for

    def send(self, slot: int, data: bytes, show: Callable[[int], None]) -> None:
        """Bring a file into a slot.

        Args:
            slot: numbered through, and not protected.
            data: the whole file.
            show: called with the number of bytes that are there.

        Raises:
            RefusedError: the device does not want it.
            DeviceError: it is lost and does not come back.
        """
        there = 0

        def progress(done: int) -> None:
            nonlocal there
            there = done
            show(done)

        self._insist(lambda: self.device.upload(slot, data, progress), lambda: there)

    def start(self, slot: int, image: SlotImage) -> int:
        """Arm the image in a slot; let it run. Return the number of the first event of its trial.

        Raises:
            RefusedError: the device does not want it.
            DeviceError: it is lost and does not come back.
        """
        state = self._state().component(slot)
        since = self._insist(self.device.next_event)
        if state.trial == state.running == slot:
            return since  # a restart would cost it an attempt
        self._insist(lambda: self.device.arm(image.hash))
        if component_of(slot) == FIRMWARE:
            self.device.reset()
        return since

    def wait(self, slot: int, image: SlotImage, since: int) -> Outcome:
        """Wait until the device has confirmed the image in a slot, or has gone back.

        Args:
            slot: on trial.
            image: that is in it.
            since: number of the first event that can be about it.

        Raises:
            DeviceError: it does not decide in time, or is lost.
        """
        deadline = time.monotonic() + self.patience.trial
        restarted, told = time.monotonic(), 0
        silent = f"no answer yet: {image.version} starts, or hangs until its watchdog ends that"
        while True:
            status = self._state(deadline, silent)
            state = status.component(slot)
            if state.trial != slot:
                return self._verdict(status, slot, image, since)
            if state.attempts > told:
                told = state.attempts
                self._tell_attempt(slot, image, since)
            now = time.monotonic()
            if now > deadline:
                raise self._undecided(slot, image, status)
            overdue = state.running != slot and now > restarted + RESTART_S
            if overdue and component_of(slot) == FIRMWARE:
                self.device.reset()
                restarted = now
            time.sleep(POLL_S)  # between two looks, not instead of one

    def end_trial(self, component: int) -> int:
        """End the trial of a component and wait until the device has gone back.

        Returns:
            The slot that the trial was in.

        Raises:
            UsageError: there is no trial.
            DeviceError: no answer.
        """
        state = self._insist(self.device.state).components[component]
        if state.trial is None:
            raise UsageError(
                f"no {COMPONENTS[component]} is on trial", "torpor slots shows what is"
            )
        self._insist(lambda: self._end_trial(component))
        deadline = time.monotonic() + RESTART_S  # it does so by itself
        while self._state().components[component].running == state.trial:
            if time.monotonic() > deadline:
                raise DeviceError(
                    f"the trial is over, but {slot_name(state.trial)} still runs",
                    "restart the device",
                )
            time.sleep(POLL_S)  # between two looks, not instead of one
        return state.trial

    def _state(self, deadline: float = 0.0, silent: str = "") -> Status:
        return self._insist(
            lambda: self.device.state(POLL_TIMEOUT_S, POLL_TRIES), deadline=deadline, silent=silent
        )

    def _end_trial(self, component: int) -> None:
        try:
            self.device.end_trial(component)
        except RefusedError as error:
            if error.reason is None or error.reason.number != NUMBERS["nothing"]:
                raise  # otherwise the answer to an earlier request was lost

    # ---- parts

    def _verdict(self, status: Status, slot: int, image: SlotImage, since: int) -> Outcome:
        if status.component(slot).confirmed == slot:
            return Outcome("confirmed", slot, image.version, image.hash)
        events = [
            event
            for event in self._insist(lambda: self.device.events(since))
            if event.kind == "reverted" and event.slot == slot and event.id == image.id
        ]
        return Outcome("reverted", slot, image.version, image.hash, events[-1] if events else None)

    def _tell_attempt(self, slot: int, image: SlotImage, since: int) -> None:
        said = f"{image.version} runs on trial in {slot_name(slot)}"
        for event in self._insist(lambda: self.device.events(since)):
            if event.kind == "attempt" and event.slot == slot and event.attempt > 1:
                said = f"attempt {event.attempt} of {ATTEMPTS}, because: {event.reason.sentence}"
        self.patience.tell(said)

    def _undecided(self, slot: int, image: SlotImage, status: Status) -> DeviceError:
        running = "runs" if status.component(slot).running == slot else "waits"
        return DeviceError(
            f"{image.version} {running} in {slot_name(slot)} and is not confirmed after "
            f"{self.patience.trial:g} s",
            "torpor slots shows how it goes on; --timeout waits longer",
        )

    def _insist(
        self,
        action: Callable[[], _T],
        progress: Callable[[], int] = lambda: 0,
        *,
        deadline: float = 0.0,
        silent: str = "",
    ) -> _T:
        """Do what may be repeated; when the device is lost, wait for it and do it again.

        Args:
            action: what to do.
            progress: how far it is; a device that is lost without progress too often stays lost.
            deadline: how long a device may stay lost that need not have been lost: at least.
            silent: what to tell of a device that is there and does not answer.
        """
        losses, best = 0, 0
        while True:
            try:
                return action()
            except (LinkLostError, NoAnswerError) as error:
                losses = 0 if progress() > best else losses + 1
                best = max(best, progress())
                if losses > LOSSES:
                    raise
                is_silent = bool(silent) and isinstance(error, NoAnswerError)
                self.patience.tell(silent if is_silent else f"{error.message}; waiting for it")
                self.device.reconnect(max(self.patience.lost, deadline - time.monotonic()))
