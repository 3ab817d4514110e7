# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Updates of firmware with a real TensorFlow Lite Micro: models in slots, the engine changed."""

import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.emulated import updatable
from tests.emulated.conftest import require
from tests.emulated.smp import Interrupted, Refused, Smp
from tests.emulated.test_update_cuts import programming, shuffled
from tests.emulated.updatable import FIRST_MODEL, Kit, Signed
from tests.support.plans import changed
from tests.support.tflite_builder import GraphBuilder
from tests.support.tflm import tflm_dir
from torpor.board import load_board
from torpor.emulate import Emulator, Moment, firmware
from torpor.errors import UsageError
from torpor.image.build import model, sign
from torpor.image.capability import Capability
from torpor.image.keys import development_key
from torpor.image.parse import parse
from torpor.image.version import Version
from torpor.link import DeviceClient
from torpor.paths import TFLM
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan
from torpor.tflm import tree
from torpor.tflm.container import contain_model
from torpor.update.journal import Event, decode

BOARD = "mps2_an386"
OTHER_MODEL = FIRST_MODEL + 1
NO_SLOT = 255
SEEDS = 3
CUTS = 4  # of a seed

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.slow,
    pytest.mark.xdist_group("updates with TensorFlow Lite Micro"),
]


@pytest.fixture(scope="module", autouse=True)
def chosen() -> Iterator[None]:
    """Have an archive for the board: of several the first, unless TFLM_LIB names one."""
    root, core = tflm_dir(), load_board(BOARD).core
    require(load_board(BOARD))
    with pytest.MonkeyPatch.context() as patch:
        for archive in [] if os.environ.get("TFLM_LIB") else tree.archives(root):
            try:
                tree.find(root, archive, core)
            except UsageError:
                continue
            patch.setenv("TFLM_LIB", str(archive))
            break
        yield


@pytest.fixture(scope="module")
def theirs(chosen: None) -> Kit:
    """Firmware and models for TensorFlow Lite Micro."""
    return updatable.kit(BOARD, firmware.App(engine=TFLM))


@pytest.fixture(scope="module")
def ours() -> Kit:
    """The same for our own engine."""
    return updatable.kit(BOARD)


@dataclass
class Device:
    """An emulated device, and somebody who asks.

    Attributes:
        emulator: it.
        smp: the client.
    """

    emulator: Emulator
    smp: Smp = field(init=False)

    def __post_init__(self) -> None:
        self.smp = Smp(self.emulator)

    def running(self) -> list[int]:
        """Return the slots of firmware and model that run."""
        return list(self.smp.status()["running"])

    def confirmed(self) -> list[int]:
        """Return the slots of firmware and model that are confirmed; nothing is on trial."""
        states = self.smp.status()["state"]
        assert [part["trial"] for part in states] == [NO_SLOT, NO_SLOT]
        return [part["confirmed"] for part in states]

    def events(self, start: int) -> list[Event]:
        return [decode(start + i, record) for i, record in enumerate(self.smp.history(start))]

    def try_model(self, slot: int, image: Signed) -> list[Event]:
        """Upload a model and put it on trial; return what has happened then."""
        self.smp.upload(slot, image.data)
        start = self.smp.next_event()
        self.smp.arm(image.hash)
        self.smp.status()
        return self.events(start)

    def try_firmware(self, image: Signed) -> None:
        """Put a firmware on trial that is there, and let it run."""
        self.smp.arm(image.hash)
        self.smp.reset()

    def refuses(self, slot: int, image: Signed, reason: str) -> None:
        """Fail unless the model is refused when it has come, and told why."""
        start = self.smp.next_event()
        with pytest.raises(Refused):
            self.smp.upload(slot, image.data)
        last = self.events(start)[-1]
        assert (last.kind, last.slot, last.reason.name) == ("refused", slot, reason)

    def outputs(self, inputs: bytes) -> list[bytes]:
        """Return what the model makes of its input."""
        client = DeviceClient(self.emulator.transport, timeout=20)
        return list(client.infer(1, [inputs]).outputs)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Device]]:
    """Return what switches a new device on, with the old firmware of a kit, until the test ends."""
    made: list[Device] = []

    def switch_on(of: Kit) -> Device:
        made.append(Device(updatable.start(of, tmp_path / f"flash-{len(made)}")))
        return made[-1]

    yield switch_on
    for device in made:
        device.emulator.close()


def signed(plan: bytes, version: str = "7.0.0") -> Signed:
    """Return the image of a plan."""
    data = sign(model(plan, None), development_key(), Version.parse(version))
    return Signed(data, parse(data).hash)


def can_run(of: Kit) -> Capability:
    found = parse(of.old.data).capability
    assert found is not None
    return found


def plan_of(image: Signed) -> bytes:
    return parse(image.data).payload


# ---- models


def test_a_model_in_a_slot_is_confirmed_and_survives_a_restart(
    start: Callable[..., Device], theirs: Kit
) -> None:
    device = start(theirs)
    assert device.running() == [0, NO_SLOT]
    events = device.try_model(FIRST_MODEL, theirs.models[0])
    assert [event.kind for event in events] == ["armed", "attempt", "confirmed"]
    assert device.running() == device.confirmed() == [0, FIRST_MODEL]
    device.try_model(OTHER_MODEL, theirs.models[1])
    assert device.running() == device.confirmed() == [0, OTHER_MODEL]
    device.smp.reset()
    assert device.running() == [0, OTHER_MODEL]


def test_what_it_cannot_run_is_refused_before_it_is_tried(
    start: Callable[..., Device], theirs: Kit, ours: Kit
) -> None:
    device = start(theirs)
    own, arena = plan_of(theirs.models[0]), can_run(theirs).arena_bytes
    graph = GraphBuilder()
    x = graph.input((1, 4), scale=0.1)
    other = contain_model(graph.build([graph.unary("ABS", x)]))
    broken = bytearray(own)
    broken[Plan.parse(own).header["data"]] ^= 0x80
    for plan, reason in (
        (plan_of(ours.models[0]), "unfit"),
        (other.plan, "unfit"),
        (changed(own, "header.arena_bytes", arena + 16), "unfit"),
        (bytes(broken), "plan"),
    ):
        device.refuses(OTHER_MODEL, signed(plan), reason)
    assert device.running() == [0, NO_SLOT]


def test_a_tensor_arena_that_is_too_small_ends_the_trial_and_is_told_in_its_words(
    start: Callable[..., Device], theirs: Kit
) -> None:
    device = start(theirs)
    tight = changed(plan_of(theirs.models[0]), "header.arena_bytes", CONST["PLAN_TFLM_BYTES"] + 512)
    events = device.try_model(FIRST_MODEL, signed(tight))
    assert [(event.kind, event.reason.name) for event in events] == [
        ("armed", "ok"),
        ("attempt", "ok"),
        ("reverted", "unfit"),
    ]
    said = [line for line in device.smp.said if line.startswith("model unusable: arena")]
    assert said and any("missing" in line or "allocate" in line for line in said), device.smp.said
    assert device.running() == [0, NO_SLOT]


# ---- the engine


def test_firmware_changes_the_engine_and_back_with_models_for_both_in_slots(
    start: Callable[..., Device], theirs: Kit, ours: Kit
) -> None:
    device = start(ours)
    device.try_model(FIRST_MODEL, ours.models[0])
    device.refuses(OTHER_MODEL, theirs.models[0], "unfit")
    device.smp.upload(1, theirs.new.data)
    window = random.Random(7).randbytes(Plan.parse(plan_of(ours.models[0])).tensors[0]["bytes"])
    outputs = device.outputs(window)
    device.try_firmware(theirs.new)
    assert device.running() == [1, NO_SLOT], "the factory's model runs"
    assert device.outputs(window) == outputs, "of the same model, by the other engine"
    assert device.confirmed() == [1, FIRST_MODEL], "and the other is not lost"
    device.try_model(OTHER_MODEL, theirs.models[1])
    assert device.running() == device.confirmed() == [1, OTHER_MODEL]
    device.try_firmware(ours.old)
    assert device.running() == [0, NO_SLOT]
    assert device.confirmed() == [0, OTHER_MODEL]
    device.smp.arm(ours.models[0].hash)
    assert device.running() == device.confirmed() == [0, FIRST_MODEL]


def test_a_firmware_with_the_other_engine_that_fails_gives_the_model_back(
    start: Callable[..., Device], theirs: Kit, ours: Kit
) -> None:
    device = start(ours)
    device.try_model(FIRST_MODEL, ours.models[0])
    device.smp.upload(1, theirs.crashing.data)
    first = device.smp.next_event()
    device.try_firmware(theirs.crashing)
    assert device.running() == device.confirmed() == [0, FIRST_MODEL]
    events = device.events(first)
    assert [event.kind for event in events] == ["armed", *["attempt"] * 3, "reverted"]
    assert events[-1].reason.name == "fault"


# ---- power


@pytest.mark.parametrize("seed", range(SEEDS))
def test_power_may_fail_while_the_engine_changes(
    seed: int, start: Callable[..., Device], theirs: Kit, ours: Kit
) -> None:
    device = start(ours)
    device.try_model(FIRST_MODEL, ours.models[0])
    device.smp.upload(1, theirs.new.data)
    programs = tuple(dict.fromkeys((*ours.programs, *theirs.programs)))
    counts = [place.count for place in shuffled(programming(range(1, 4)), "engine", seed)]
    to_them = itertools.cycle([(theirs.new, 1), (ours.old, 0)])
    image, slot = next(to_them)
    for count in counts[:CUTS]:
        cut = device.emulator.cut_at(Moment(programs, count))
        device.smp.interrupted = lambda: cut.struck  # noqa: B023 - asked before the next one
        try:
            device.try_firmware(image)
            device.smp.status()
        except Interrupted:
            device.smp.forget()
        cut.cancel()
        assert cut.struck, count
        device.smp.interrupted = lambda: False
        running = device.running()
        assert running[0] in (0, 1)
        assert device.confirmed() == [running[0], FIRST_MODEL]
        assert running[1] == (FIRST_MODEL if running[0] == 0 else NO_SLOT)
        if running[0] == slot:
            image, slot = next(to_them)
