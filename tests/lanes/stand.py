# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A test stand: one device, whatever it is, with its serial port, its reset and its plug."""

import functools
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from tests.emulated.smp import Smp
from tests.lanes import kit
from tests.lanes.kit import Signed
from tests.lanes.lane import Lane
from torpor import emulate
from torpor.board import Board, load_board, regions
from torpor.emulate import FlashFile, firmware
from torpor.link import DeviceClient, Transport, open_transport
from torpor.update.journal import Event, decode
from torpor.update.state import MODEL_SLOTS

PATIENCE_S = 120.0
NO_SLOT = 255
FIRMWARE, MODEL = 0, 1


class Stand:
    """A device that runs a firmware of ours. The same for every lane.

    Attributes:
        board: what it is.
        engine: what runs its models.
        transport: its serial port.
        smp: its management.
        hang_ends: a hang ends by the device's own watchdog.
        power_cycle: takes the power away and gives it back; None: nobody can.
        press_reset: presses the reset button; None: nobody can.
    """

    def __init__(self, board: Board, transport: Transport, engine: str) -> None:
        self.board = board
        self.engine = engine
        self.transport = transport
        self.smp = Smp(cast(Any, self))  # which wants a serial port, not a whole emulator
        self.hang_ends = board.watchdog is not None
        self.power_cycle: Callable[[], None] | None = None
        self.press_reset: Callable[[], None] | None = None

    # ---- what it says

    def client(self) -> DeviceClient:
        """Return the host's end of inference; so patient that nothing is sent twice."""
        return DeviceClient(self.transport, timeout=20)

    def state(self, component: int) -> dict[str, int]:
        """Return confirmed, trial, attempts ... of firmware or model."""
        found: dict[str, int] = self.smp.status()["state"][component]
        return found

    def running(self, component: int) -> int:
        """Return the slot that runs; NO_SLOT: the model in the firmware."""
        return int(self.smp.status()["running"][component])

    def events(self, since: int) -> list[Event]:
        """Return what has happened, from event `since` on."""
        return [decode(since + n, data) for n, data in enumerate(self.smp.history(since))]

    # ---- what is done to it

    def free(self, component: int) -> int:
        """Return a slot that may be overwritten."""
        status = self.smp.status()
        slots = MODEL_SLOTS if component == MODEL else range(2)
        busy = {status["running"][component], status["state"][component]["confirmed"]}
        return next(slot for slot in slots if slot not in busy)

    def firmware(self, kind: str) -> tuple[int, Signed]:
        """Return a free slot and the image that fits there."""
        slot = self.free(FIRMWARE)
        return slot, kit.firmware_image(self.board.name, kind, slot, self.engine)

    def bring(self, slot: int, image: Signed) -> None:
        """Send an image, and put it on trial."""
        self.smp.upload(slot, image.data)
        self.smp.arm(image.hash)

    def run_trial(self, slot: int) -> None:
        """Let firmware that is on trial run until it has confirmed itself."""
        self.smp.reset()
        self.until_confirmed(FIRMWARE, slot)

    def until_confirmed(self, component: int, slot: int) -> None:
        """Wait until the device has confirmed the firmware or model in a slot."""
        self.until(lambda: self.state(component)["confirmed"] == slot)

    def install(self, kind: str) -> None:
        """Bring firmware that is good."""
        slot, image = self.firmware(kind)
        self.bring(slot, image)
        self.run_trial(slot)

    def speaks(self, seconds: float) -> bool:
        """Return whether it says within some seconds that it runs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.smp.take(deadline - time.monotonic())
            if any(line.startswith("torpor on") for line in self.smp.said):
                return True
        return False

    def until(self, wanted: Callable[[], object]) -> None:
        """Ask until something is so; a device that never gets there is a failure."""
        deadline = time.monotonic() + PATIENCE_S
        while not wanted():
            assert time.monotonic() < deadline, self.smp.said[-5:]


@contextmanager
def stand(lane: Lane, power: Sequence[str], *, skip_idle: bool = False) -> Iterator[Stand]:
    """Give the device of a lane, as these tests begin with it.

    Args:
        lane: which.
        power: a command that takes a board's power away and gives it back; empty: there is none.
        skip_idle: time jumps to what happens next, where an emulator can do that.
    """
    made = _on_a_cable(lane, power) if lane.kind == "serial" else _emulated(lane, skip_idle)
    with made as it:
        yield it


@contextmanager
def _emulated(lane: Lane, skip_idle: bool) -> Iterator[Stand]:
    board, app = lane.board, firmware.App(engine=lane.engine)
    boot = kit.images(lane.what, app).boot
    assert board.emulator
    skip_idle = skip_idle and board.emulator.icount_shift is not None
    with tempfile.TemporaryDirectory(prefix="torpor-") as folder:
        flash = Path(folder) / "flash"
        FlashFile(board, flash).restore(_in_the_field(board.name, app))
        with emulate.start(board, boot, flash=flash, skip_idle=skip_idle) as emulator:
            it = Stand(board, emulator.transport, lane.engine)
            it.power_cycle, it.press_reset = emulator.power_cut, emulator.reset
            it.hang_ends = it.hang_ends and not _watchdog_is_missing(lane)
            it.smp.listen("torpor on")
            yield it


def _watchdog_is_missing(lane: Lane) -> bool:
    """QEMU has none of the nRF51."""
    return lane.kind == "qemu" and lane.board.port == "nrf51"


@functools.cache
def _in_the_field(name: str, app: firmware.App) -> bytes:
    """Return the flash of a device that has confirmed its first firmware."""
    board = load_board(name)
    image = kit.firmware_image(name, "old", 0, app.engine)
    assert board.flash
    with tempfile.TemporaryDirectory(prefix="torpor-") as folder:
        flash = FlashFile(board, Path(folder) / "flash")
        flash.program(regions(board)[1].address - board.flash.origin, image.data)
        with emulate.start(board, kit.images(name, app).boot, flash=flash.path) as emulator:
            it = Stand(board, emulator.transport, app.engine)
            it.smp.listen("torpor on")
            it.until(lambda: it.state(FIRMWARE)["confirmed"] == 0)
        return flash.read()


@contextmanager
def _on_a_cable(lane: Lane, power: Sequence[str]) -> Iterator[Stand]:
    """It has to run firmware of ours with slots: `torpor flash` brings it."""
    transport = open_transport(lane.what)
    try:
        nobody = Stand(load_board("native"), transport, lane.engine)  # until it has said what it is
        it = Stand(load_board(str(nobody.smp.status()["board"])), transport, lane.engine)
        if power:
            it.power_cycle = lambda: _switch(power, it)
        if not _serves(it):
            it.install("old")
        yield it
    finally:
        transport.close()


def _serves(it: Stand) -> bool:
    """Return whether it runs firmware of this very build that answers a host."""
    slot = it.running(FIRMWARE)
    hashes = {bytes(image["hash"]) for image in it.smp.ask(0, 1, 0)["images"]}
    images = (kit.firmware_image(it.board.name, kind, slot, it.engine) for kind in ("old", "new"))
    return any(image.hash in hashes for image in images) and it.state(FIRMWARE)["trial"] == NO_SLOT


def _switch(power: Sequence[str], it: Stand) -> None:
    it.smp.said.clear()
    subprocess.run(power, check=True, timeout=PATIENCE_S)
    it.smp.listen("torpor on")
