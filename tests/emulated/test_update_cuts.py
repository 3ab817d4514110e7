# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Updates of the firmware that ships, with the power cut at exact places, seen from outside.

A test cuts the power of one device some times, at places that its seed chooses: before an operation
of the flash, or after some words of it, the last of which may be torn. Each time the device has to
come back by itself, with the old image or the new one, and its history has to say what happened.
"""

import contextlib
import functools
import itertools
import random
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.emulated import updatable
from tests.emulated.conftest import require
from tests.emulated.smp import Interrupted, Smp
from tests.emulated.updatable import FIRST_MODEL, Kit, Signed
from torpor.board import load_board
from torpor.emulate import Cut, FlashFile, Moment, Store
from torpor.emulate.debugger import Code
from torpor.errors import DeviceError
from torpor.image.reasons import NUMBERS
from torpor.update.journal import Event, decode

SEEDS = {"mps2_an386": 3, "riscv_virt": 2, "microbit": 1}
"""How many tests of each kind a board gets: 110, 67 and 42 cuts."""

CUTS = 8  # of a test
NO_SLOT = 255
MODELS = (FIRST_MODEL, FIRST_MODEL + 1)  # where the two versions lie
RECORD = 32
JOURNAL_BLOCK = 4096
WORDS = 3  # of an operation that are done at most when the power fails; the shortest takes more
STORES_A_WORD = {"riscv_virt": 3}  # clear status, command, word; else 1

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


@dataclass(frozen=True)
class Place:
    """Where the power fails.

    Attributes:
        count: before this operation of programming, counted from 1.
        words: of it that are done.
        seed: of how the last of them is torn; None: it is not.
        erase: it is an erasure, not programming.
    """

    count: int
    words: int = 0
    seed: int | None = None
    erase: bool = False


def programming(counts: range) -> list[Place]:
    """Return all places in these operations."""
    parts = [(0, False), *itertools.product(range(1, WORDS + 1), (False, True))]
    return [
        Place(count, words, count * 8 + words if torn else None)
        for count, (words, torn) in itertools.product(counts, parts)
    ]


def shuffled(places: list[Place], *words: object) -> list[Place]:
    return random.Random(" ".join(map(str, words))).sample(places, len(places))


def on(name: str, *more: object) -> Any:
    """Return parameters of a test; those with the same board share what is made for it."""
    return pytest.param(name, *more, marks=pytest.mark.xdist_group(f"cuts of {name}"))


def with_seeds(**fewer: int) -> pytest.MarkDecorator:
    """Run a test with each board, as often as that gets."""
    counts = SEEDS | fewer
    cases = [on(name, seed) for name, count in counts.items() for seed in range(count)]
    return pytest.mark.parametrize(("name", "seed"), cases)


class Device:
    """An emulated device, and somebody who asks and cuts.

    Args:
        kit: what it is made of.
        flash: file of its flash.
        content: of the flash at first.
        target: the slot that is written.
    """

    def __init__(self, kit: Kit, flash: Path, content: bytes, target: int = 1) -> None:
        self.kit = kit
        self.target = target
        self.emulator = updatable.start(kit, flash, content)
        self.smp = Smp(self.emulator)
        self._known: dict[int, bytes] = {}

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.emulator.close()

    # ---- cuts

    def cut_at(self, place: Place, read: Callable[[int, int], bytes] | None = None) -> Cut:
        """Let the power fail there; requests end then with `Interrupted`.

        Args:
            place: where.
            read: reads the flash if the device is off.
        """
        kit = self.kit
        moments = [Moment(kit.erases if place.erase else kit.programs, place.count)]
        if place.words:
            assert kit.board.flash
            stores = STORES_A_WORD.get(kit.board.name, 1)
            next_store = place.words * stores + 1
            flash = Store(kit.board.flash.origin, kit.board.flash.size)
            moments.append(Moment((flash,), next_store))
        self._known = self._journal(read or self._read)
        cut = self.emulator.cut_at(*moments, meanwhile=lambda flash: self._struck(flash, place))
        self.smp.interrupted = lambda: cut.struck
        return cut

    def is_cut(self, place: Place, work: Callable[[], object]) -> bool:
        """Work until the power fails, or the work is done: false then."""
        cut = self.cut_at(place)
        try:
            work()
        except Interrupted:
            assert cut.struck
        cut.cancel()
        self.smp.interrupted = lambda: False
        return cut.struck

    def _struck(self, flash: FlashFile | None, place: Place) -> None:
        """While there is no power. What the device says next, it says after its restart, and that
        may have arrived before anybody looks whether the power has failed."""
        with contextlib.suppress(DeviceError):  # which says that nothing is left to be read
            self.emulator.transport.read(0)
        self.smp.forget()
        self._tear(flash, place.seed)

    def _tear(self, flash: FlashFile | None, seed: int | None) -> None:
        if seed is not None:
            assert flash
            word = self._last_word(flash)
            assert flash.read(word, 4) != b"\xff" * 4
            flash.tear(word, b"\xff" * 4, seed)

    def _last_word(self, flash: FlashFile) -> int:
        """Return where was written last: in a record that is new and not whole, or in the slot."""
        slots = self.kit.board.slots
        assert slots
        for start, block in self._journal(flash.read).items():
            for at in range(0, len(block), RECORD):
                record, before = (part[at : at + RECORD] for part in (block, self._known[start]))
                if record != before and 0 < _written(record) < RECORD:
                    return start + at + _written(record) - 4
        offset, size = self.kit.offset(self.target), slots.firmware_size
        size = size if self.target < FIRST_MODEL else slots.model_size
        return offset + _written(flash.read(offset, size)) - 4

    # ---- looks

    def _read(self, offset: int, length: int) -> bytes:
        """Read the flash of the running device."""
        assert self.kit.board.flash
        return self.emulator.debugger.read(self.kit.board.flash.origin + offset, length)

    def _journal(self, read: Callable[[int, int], bytes]) -> dict[int, bytes]:
        """Return what is used of the journal's blocks, by offset."""
        flash, slots = self.kit.board.flash, self.kit.board.slots
        assert flash and slots
        starts = range(slots.journal, slots.journal + slots.journal_size, flash.erase_size)
        return {start: read(start, min(flash.erase_size, JOURNAL_BLOCK)) for start in starts}

    def free_records(self) -> int:
        """Return how many records fit into the journal's block that is in use."""
        blocks = self._journal(self._read).values()
        return min((len(block) - _written(block)) // RECORD for block in blocks)

    def holds(self, slot: int, data: bytes) -> bool:
        """Return whether a slot of the running device begins so."""
        return self._read(self.kit.offset(slot), len(data)) == data

    def came_back(self, models: Collection[int] = MODELS) -> list[int]:
        """Wait for a device that has restarted; return as `runs` does."""
        self.smp.listen("torpor on")
        return self.runs(models)

    def runs(self, models: Collection[int] = MODELS) -> list[int]:
        """Return the slots of firmware and model that run; assert that all is as it must be."""
        status = self.smp.status()
        firmware, model = status["running"]
        states = status["state"]
        assert firmware in (0, 1), "an approved firmware runs"
        approved = (self.kit.old, self.kit.new)[firmware]
        assert self.holds(firmware, approved.data), "as it was signed"
        assert self.holds(0, self.kit.old.data), "the old one is not lost"
        assert model in models, "an approved model runs"
        if model != NO_SLOT:
            assert self.holds(model, self.kit.models[model - FIRST_MODEL].data)
        assert [part["confirmed"] for part in states] == [firmware, model], "all is confirmed"
        assert [part["trial"] for part in states] == [NO_SLOT, NO_SLOT]
        return [firmware, model]

    def events(self, start: int) -> list[Event]:
        return [decode(start + i, record) for i, record in enumerate(self.smp.history(start))]

    def next_event(self) -> int:
        return self.smp.next_event()

    # ---- updates

    def bring(self, model: Signed, is_there: bool) -> None:
        """Upload a model, if need be, and put it on trial; the answer comes before its end."""
        if not is_there:
            self.smp.upload(self.target, model.data)
        self.smp.arm(model.hash)
        self.smp.status()

    def try_out(self, image: Signed) -> None:
        """Put an image on trial that is there, and wait for what comes of it."""
        self.smp.arm(image.hash)
        self.smp.reset()
        self.smp.status()

    def cut_in_trial(self, content: bytes, place: Place) -> tuple[int, list[Event]]:
        """Try out the new firmware on a device with this flash, with a cut; return what runs then,
        and what has happened."""
        with self.emulator.off() as flash:
            assert flash
            flash.restore(content)
        start = self.next_event()
        assert self.is_cut(place, lambda: self.try_out(self.kit.new)), place
        return self.came_back()[0], self.events(start)

    def run_to(self, place: Code) -> None:
        """Wait until the core comes to a place."""
        debugger = self.emulator.debugger
        debugger.pause()
        debugger.set_places([place])
        debugger.resume()
        assert debugger.has_stopped(60)
        debugger.clear_places([place])
        debugger.resume()


def _written(data: bytes) -> int:
    """Return the length of what is not erased at the beginning, in whole words."""
    return -(-len(data.rstrip(b"\xff")) // 4) * 4


@pytest.fixture
def device_of(tmp_path: Path) -> Iterator[Callable[..., Device]]:
    """Return what makes a device; it is ended with the test."""
    made: list[Device] = []

    def make(name: str, content: bytes, target: int = 1) -> Device:
        require(load_board(name))
        made.append(Device(updatable.kit(name), tmp_path / "flash", content, target))
        return made[-1]

    yield make
    for device in made:
        device.emulator.close()


# ---- uploads


def an_erasure(kit: Kit, length: int, draw: random.Random) -> Place:
    """Draw a place where a slot of that length is erased."""
    assert kit.board.flash and kit.board.emulator
    count = draw.randint(1, max(1, length // kit.board.flash.erase_size))
    is_memory = kit.board.emulator.flash == "memory"  # which is erased word by word
    return Place(count, draw.randint(0, 200) if is_memory else 0, erase=True)


@with_seeds(riscv_virt=1)  # a quarter of a millisecond for each word
def test_an_upload_goes_on_where_it_was_cut_and_the_old_firmware_runs(
    name: str, seed: int, device_of: Callable[..., Device]
) -> None:
    kit, draw = updatable.kit(name), random.Random(f"upload {name} {seed}")
    device = device_of(name, updatable.in_the_field(name))
    places = itertools.cycle(shuffled(programming(range(1, 6)), "upload", name, seed))
    files = itertools.cycle([kit.new.data, kit.hung.data])
    file, place = next(files), an_erasure(kit, len(kit.new.data), draw)
    cuts = 0
    while cuts < CUTS:
        if device.is_cut(place, lambda: device.smp.upload(0, file)):  # noqa: B023 - called at once
            cuts += 1
            assert device.came_back() == [0, FIRST_MODEL]
        else:
            assert device.holds(1, file)
            file = next(files)
        place = next(places)
    if (name, seed) == ("mps2_an386", 0):
        device.smp.upload(0, kit.new.data)
        assert device.holds(1, kit.new.data)
        device.smp.arm(kit.new.hash)
        device.smp.reset()
        assert device.runs() == [1, FIRST_MODEL]


@with_seeds()
def test_a_model_is_updated_through_many_cuts_and_one_of_the_two_runs(
    name: str, seed: int, device_of: Callable[..., Device]
) -> None:
    kit = updatable.kit(name)
    device = device_of(name, updatable.in_the_field(name), FIRST_MODEL + 1)
    places = itertools.cycle(shuffled(programming(range(1, 8)), "model", name, seed))
    running, cuts = FIRST_MODEL, 0

    while cuts < CUTS:
        model = kit.models[device.target - FIRST_MODEL]
        is_there = device.holds(device.target, model.data)
        if device.is_cut(next(places), lambda: device.bring(model, is_there)):  # noqa: B023
            cuts += 1
            _, found = device.came_back()
        else:
            _, found = device.runs()
            assert found == device.target, "without a cut it is the new one"
        assert found in (running, device.target)
        if found == device.target:
            running, device.target = found, running
            device.smp.erase(device.target)


# ---- trials


def with_slot(kit: Kit, content: bytes, slot: int, data: bytes) -> bytes:
    """Return a flash that has this image in a firmware slot, as a programmer puts it there."""
    offset = kit.offset(slot)
    assert kit.board.slots
    end = offset + kit.board.slots.firmware_size
    return content[:offset] + data.ljust(end - offset, b"\xff") + content[end:]


@functools.cache
def with_full_journal(name: str) -> bytes:
    """Return the flash of a device whose journal has room for one or two more records."""
    kit = updatable.kit(name)
    content = with_slot(kit, updatable.in_the_field(name), 1, kit.new.data)
    with (
        tempfile.TemporaryDirectory() as folder,
        Device(kit, Path(folder) / "flash", content) as device,
    ):
        device.smp.status()
        while device.free_records() > 2:
            device.smp.arm(kit.new.hash)
            device.smp.end_trial(0, NUMBERS["user"])
        with device.emulator.off() as flash:
            assert flash
            return flash.read()


def operations(device: Device, places: tuple[Code, ...]) -> int:
    """Return how many such operations an update takes."""
    cut = device.emulator.cut_at(Moment(places, 1 << 30))
    device.try_out(device.kit.new)
    cut.cancel()
    return cut.hits


def assert_history_of_a_cut(events: list[Event], running: int) -> None:
    """Nothing, or what happens without a cut, or one attempt more, whose reason is the cut."""
    if running == 0:
        assert events == []
        return
    kinds = [event.kind for event in events]
    attempts = [event for event in events if event.kind == "attempt"]
    assert kinds in (["armed", *["attempt"] * n, "confirmed"] for n in (1, 2))
    assert [event.attempt for event in attempts] == list(range(1, len(attempts) + 1))
    reasons = [event.reason.name for event in attempts]
    assert reasons in (["ok"], ["ok", "power"]), reasons


@with_seeds()
def test_power_may_fail_from_arming_to_confirmation(
    name: str, seed: int, device_of: Callable[..., Device]
) -> None:
    kit = updatable.kit(name)
    content = with_slot(kit, updatable.in_the_field(name), 1, kit.new.data)
    device = device_of(name, content)
    places = shuffled(programming(range(1, 4)), "trial", name)  # armed, attempt, confirmed
    for place in itertools.islice(places * 2, seed * CUTS, (seed + 1) * CUTS):
        running, events = device.cut_in_trial(content, place)
        assert running == (0 if place.count == 1 else 1), place
        assert_history_of_a_cut(events, running)
        assert len(events) == (0, 3, 4)[place.count - 1], place


@with_seeds()
def test_power_may_fail_while_a_new_block_of_the_journal_begins(
    name: str, seed: int, device_of: Callable[..., Device]
) -> None:
    content = with_full_journal(name)
    device = device_of(name, content)
    count = operations(device, device.kit.programs)
    places = shuffled(programming(range(1, count + 1)), "journal", name)
    places = places[seed * CUTS : (seed + 1) * CUTS]
    if seed == 0:
        places[0] = an_erasure(device.kit, 1, random.Random(name))
    for place in places:
        running, events = device.cut_in_trial(content, place)
        assert running == (0 if place == Place(1, place.words, place.seed) else 1), place
        assert_history_of_a_cut(events, running)


@pytest.mark.parametrize("name", [on(name) for name in SEEDS])
def test_power_may_fail_at_the_first_start_of_a_new_device(
    name: str, device_of: Callable[..., Device]
) -> None:
    kit = updatable.kit(name)
    content = with_slot(kit, b"\xff" * len(updatable.in_the_field(name)), 0, kit.old.data)
    device = device_of(name, content)
    for place in shuffled(programming(range(1, 4)), "first", name)[:CUTS]:
        with device.emulator.off() as flash:
            assert flash
            flash.restore(content)
            cut = device.cut_at(place, flash.read)
        assert cut.wait(60), place
        device.smp.interrupted = lambda: False
        device.came_back(models=[NO_SLOT])
        kinds = [event.kind for event in device.events(0)]
        assert kinds in (["armed", *["attempt"] * n, "confirmed"] for n in (1, 2)), place


# ---- images that do not work


def assert_was_given_up(events: list[Event], reasons: list[str]) -> None:
    """Three attempts, each with how the run before had ended, and then the end of the trial."""
    assert [event.kind for event in events] == ["armed", *["attempt"] * 3, "reverted"]
    assert [event.attempt for event in events] == [0, 1, 2, 3, 0]
    assert [event.reason.name for event in events[1:]] == reasons


@pytest.mark.parametrize(("name", "count"), [on("mps2_an386", count) for count in range(2, 6)])
def test_an_image_that_hangs_is_given_up_whatever_record_of_it_is_cut(
    name: str, count: int, device_of: Callable[..., Device]
) -> None:
    """With a watchdog in the emulator. Records: armed, three attempts, reverted."""
    kit = updatable.kit(name)
    device = device_of(name, with_slot(kit, updatable.in_the_field(name), 1, kit.hung.data))
    start = device.next_event()
    place = Place(count, words=count % 3, seed=count if count % 3 else None)
    assert device.is_cut(place, lambda: device.try_out(kit.hung))
    assert device.came_back() == [0, FIRST_MODEL]
    events = device.events(start)
    reasons = ["ok", "watchdog", "watchdog", "watchdog"]
    if count > 2:  # an attempt that had not begun is not lost
        reasons[count - 2] = "power"
    assert_was_given_up(events, reasons)


@pytest.mark.parametrize("name", [on("riscv_virt"), on("microbit")])
def test_an_image_that_hangs_where_there_is_no_watchdog_is_given_up_by_resets_from_outside(
    name: str, device_of: Callable[..., Device]
) -> None:
    kit = updatable.kit(name)
    device = device_of(name, with_slot(kit, updatable.in_the_field(name), 1, kit.hung.data))
    start = device.next_event()
    device.smp.arm(kit.hung.hash)
    device.emulator.reset()
    for end in (device.emulator.reset, device.emulator.power_cut, device.emulator.reset):
        device.run_to(kit.main)
        device.smp.forget()
        end()
    assert device.came_back() == [0, FIRST_MODEL]
    assert_was_given_up(device.events(start), ["ok", "reset", "power", "reset"])


@with_seeds(mps2_an386=2)
def test_an_image_that_crashes_is_given_up_whatever_record_of_it_is_cut(
    name: str, seed: int, device_of: Callable[..., Device]
) -> None:
    kit = updatable.kit(name)
    device = device_of(name, with_slot(kit, updatable.in_the_field(name), 1, kit.crashing.data))
    start = device.next_event()
    place = Place(3 + seed, words=1 + seed, seed=seed)
    assert device.is_cut(place, lambda: device.try_out(kit.crashing))
    assert device.came_back() == [0, FIRST_MODEL]
    events = device.events(start)
    reasons = ["ok", "fault", "fault", "fault"]
    reasons[1 + seed] = "power"
    assert_was_given_up(events, reasons)
    assert {event.pc for event in events if event.reason.name == "fault"} == {kit.main.address}
