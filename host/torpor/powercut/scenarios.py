# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What is proven: everything that happens to a device in its life, as steps with images.

A scenario's first steps prepare a device; power is cut in the others. Adding one is a function here
that returns it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torpor.image.reasons import NUMBERS
from torpor.paths import ENGINES, TFLM, TORPOR
from torpor.powercut.geometry import Geometry
from torpor.powercut.images import FIRMWARE, MODEL, ImageSpec

A, B, MODEL_0, MODEL_1, MODEL_2 = range(5)
SMALL_ARENA, LARGE_ARENA = 1024, 2048

IMAGES = {
    "previous": ImageSpec(FIRMWARE, B, "0.9.0", counter=0, arena=SMALL_ARENA),
    "old": ImageSpec(FIRMWARE, A, "1.0.0", counter=1, arena=SMALL_ARENA),
    "new": ImageSpec(FIRMWARE, B, "2.0.0", counter=2, arena=LARGE_ARENA, less=1),
    "large": ImageSpec(FIRMWARE, B, "2.1.0", counter=1, arena=LARGE_ARENA),
    "lower": ImageSpec(FIRMWARE, A, "3.0.0", counter=1),
    "hash": ImageSpec(FIRMWARE, B, "2.0.1", counter=2, damage="hash"),
    "key": ImageSpec(FIRMWARE, B, "2.0.2", counter=2, damage="key"),
    "signature": ImageSpec(FIRMWARE, B, "2.0.3", counter=2, damage="signature"),
    "malleable": ImageSpec(FIRMWARE, B, "2.0.4", counter=2, damage="malleable"),
    "board": ImageSpec(FIRMWARE, B, "2.0.5", counter=2, damage="board"),
    "link": ImageSpec(FIRMWARE, A, "2.0.6", counter=2, damage="link"),
    "model 1": ImageSpec(MODEL, version="1.0.0", counter=1),
    "model 2": ImageSpec(MODEL, version="2.0.0", counter=1),
    "model 3": ImageSpec(MODEL, version="3.0.0", counter=2),
    "large model": ImageSpec(MODEL, version="4.0.0", counter=1, arena=LARGE_ARENA),
    "lower model": ImageSpec(MODEL, version="5.0.0", counter=0),
    "other engine": ImageSpec(FIRMWARE, B, "2.2.0", counter=1, arena=LARGE_ARENA, engine=TFLM),
    "other model": ImageSpec(MODEL, version="6.0.0", counter=1, engine=TFLM),
}
"""Images of devices whose firmware has our own engine, and of what changes it."""

FAILURES = ("self_test", "watchdog", "fault", "power", "reset")
NATURES = ("good", *FAILURES, "unfit")
"""What images do on trial, by the name of the reason that ends it; in scenario.h's order."""

KINDS = ("load", "start", "fill", "send", "arm", "apply", "reject", "erase")
"""What a step is, in scenario.h's order."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        kind: one of KINDS.
        slot: that it is about.
        image: name in IMAGES, or "".
        number: see scenario.h.
        careless: the client also asks for what must be refused, before it sends or restarts.
        fickle: the client gives it up if power fails.
    """

    kind: str
    slot: int = 0
    image: str = ""
    number: int = 0
    careless: bool = False
    fickle: bool = False


@dataclass(frozen=True)
class Scenario:
    """What happens to a device.

    Attributes:
        name: as --scenario has it.
        prepare: steps before the first cut.
        steps: in these power fails.
        firmware: image that is confirmed in the end.
        model: the same, "": none.
        instead: firmware that may be confirmed instead of it, if power has failed.
        instead_model: the same for the model.
        natures: of images that are not good, by name.
        refused: by the name of an image the name of the reason it has to be refused for.
        alone_gap: in what the device does by itself after the first cut, one operation in so many
            is cut, too; 1: every one.
        client_gap: the same for what the client has it do then; 0: none.
        upload: the client sends a whole image: there are as many states as it has units.
        small: with an image of 4 KiB at most, because there are so many states.
        block: bytes of an erase block at most, for the same reason; 0: the flash's.
    """

    name: str
    prepare: tuple[Step, ...]
    steps: tuple[Step, ...]
    firmware: str = "old"
    model: str = ""
    instead: str = ""
    instead_model: str = ""
    natures: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    alone_gap: int = 1
    client_gap: int = 0
    upload: bool = False
    small: bool = False
    block: int = 0

    @property
    def images(self) -> list[str]:
        """The names of its images, in the order in which they appear."""
        named = (step.image for step in (*self.prepare, *self.steps) if step.image)
        return list(dict.fromkeys(named))


def install(slot: int, image: str, *, careless: bool = False) -> tuple[Step, ...]:
    """Return the steps of an update: send, arm, restart or switch."""
    return (
        Step("send", slot, image, careless=careless),
        Step("arm", slot, image),
        Step("apply", slot, image, careless=careless),
    )


FACTORY = (Step("load", A, "old"), Step("load", B, "previous"))
INSTALLED = (*FACTORY, Step("start"))
WITH_MODEL = (*INSTALLED, *install(MODEL_0, "model 1"))
UPDATE = install(B, "new")


def first_install(_geometry: Geometry) -> list[Scenario]:
    """The factory has flashed two images; the device starts for the first time."""
    start = (Step("start"),)
    return [
        Scenario("first-install", FACTORY, start),
        Scenario("first-install-fails", FACTORY, start, "previous",
                 natures=(("old", "watchdog"),)),
    ]  # fmt: skip


def firmware_update(_geometry: Geometry) -> list[Scenario]:
    """An update, from the first byte to the confirmation; the last part of it; taken back."""
    sent, armed = UPDATE[:1], UPDATE[:2]
    take_back = (Step("arm", B, "new"), Step("reject", B, number=NUMBERS["user"]))
    return [
        Scenario("firmware-update", WITH_MODEL, UPDATE, "new", "model 1", upload=True),
        Scenario("confirm", (*INSTALLED, *armed), UPDATE[2:], "new"),
        Scenario("take-back", (*INSTALLED, *sent), take_back, "old", instead="new"),
    ]


def revert(_geometry: Geometry) -> list[Scenario]:
    """Each way in which a new firmware can fail."""
    return [
        Scenario(f"revert-{nature.replace('_', '-')}", (*WITH_MODEL, UPDATE[0]), UPDATE[1:],
                 "old", "model 1", natures=(("new", nature),))
        for nature in FAILURES
    ]  # fmt: skip


def models(_geometry: Geometry) -> list[Scenario]:
    """A new model; an older one again, twice; ones that do not work; one that is too old."""
    second = install(MODEL_1, "model 2")
    switch = second[1:]
    back = tuple(Step(step.kind, MODEL_0, "model 1") for step in switch)
    bad = (*WITH_MODEL, second[0])
    update = Scenario("model-update", WITH_MODEL, second, "old", "model 2", upload=True)
    first = Scenario("model-first", INSTALLED, install(MODEL_0, "model 1"), "old", "model 1",
                     upload=True)  # fmt: skip
    reverts = [
        Scenario(f"model-revert-{nature.replace('_', '-')}", bad, switch, "old", "model 1",
                 natures=(("model 2", nature),))
        for nature in ("watchdog", "fault", "power", "self_test", "unfit")
    ]  # fmt: skip
    lower = (*install(MODEL_2, "lower model"),)
    third = install(MODEL_2, "model 3")
    return [
        update,
        first,
        Scenario("model-switch", (*WITH_MODEL, *second), (*back, *switch), "old", "model 2"),
        *reverts,
        Scenario("model-change-of-trial", (*bad, third[0]), (switch[0], *third[1:]), "old",
                 "model 3"),
        Scenario("model-trial-withdrawn", bad, (switch[0], *back), "old", "model 1"),
        Scenario("model-lower-counter", WITH_MODEL, lower, "old", "model 1", upload=True,
                 refused=(("lower model", "counter"),)),
    ]  # fmt: skip


def upload_resume(_geometry: Geometry) -> list[Scenario]:
    """An upload that is interrupted, and interrupted again when it is taken up, or given up."""
    other = Step("send", B, "large", fickle=True)
    return [
        Scenario("upload-resume", INSTALLED, UPDATE, "new", upload=True, client_gap=SAMPLE),
        Scenario(
            "upload-resume-small", INSTALLED, UPDATE[:1], upload=True, client_gap=1, small=True
        ),
        Scenario("change-of-mind", (*INSTALLED, UPDATE[0]), (other, *UPDATE), "new", upload=True),
        Scenario("erase", (*INSTALLED, UPDATE[0]), (Step("erase", B, fickle=True), UPDATE[0]),
                 upload=True, small=True),
    ]  # fmt: skip


def revert_and_model(_geometry: Geometry) -> list[Scenario]:
    """Firmware and model go on trial together, and the firmware fails."""
    sent = (*WITH_MODEL, UPDATE[0], Step("send", MODEL_1, "model 2"))
    model = Step("arm", MODEL_1, "model 2"), Step("apply", MODEL_1, "model 2")
    steps = (UPDATE[1], model[0], UPDATE[2], model[1])
    return [
        Scenario(f"revert-{nature.replace('_', '-')}-and-model", sent, steps, "old", "model 2",
                 natures=(("new", nature),))
        for nature in ("self_test", "watchdog", "fault", "power")
    ]  # fmt: skip


def older_firmware(_geometry: Geometry) -> list[Scenario]:
    """Back to an older firmware, which the confirmed model is too large for: the factory's runs."""
    prepare = (*INSTALLED, *install(B, "large"), *install(MODEL_0, "large model"))
    back = install(A, "old")
    unfit = (*INSTALLED, *install(MODEL_0, "large model")[:2])
    return [
        Scenario("older-firmware", prepare, back, "old", "large model", upload=True),
        Scenario("model-unfit", INSTALLED, unfit[len(INSTALLED):], "old",
                 refused=(("large model", "unfit"),), upload=True),
    ]  # fmt: skip


def change_of_engine(_geometry: Geometry) -> list[Scenario]:
    """Firmware with another engine, and back again, with models for both in slots.

    A model of the other engine is never run and never lost: the factory's runs instead.
    """
    sent, *turn = install(B, "other engine")
    other = install(MODEL_1, "other model")
    second = install(MODEL_1, "model 2")
    changed = (*WITH_MODEL, sent, *turn, *other)
    back = (*install(A, "old")[1:], *install(MODEL_0, "model 1")[1:])
    reverts = [
        Scenario(f"engine-revert-{nature.replace('_', '-')}", (*WITH_MODEL, sent), tuple(turn),
                 "old", "model 1", natures=(("other engine", nature),))
        for nature in ("self_test", "watchdog", "power")
    ]  # fmt: skip
    return [
        Scenario("engine-change", (*WITH_MODEL, sent), (*turn, *other), "other engine",
                 "other model", upload=True),
        Scenario("engine-and-back", changed, back, "old", "model 1"),
        *reverts,
        Scenario("engine-change-and-trial", (*WITH_MODEL, second[0], sent),
                 (second[1], *turn), "other engine", "model 1", instead_model="model 2"),
        Scenario("model-of-other-engine", WITH_MODEL, other[:2], "old", "model 1",
                 refused=(("other model", "unfit"),), upload=True),
    ]  # fmt: skip


def refused_images(geometry: Geometry) -> list[Scenario]:
    """Images that must not run: nobody but the sender notices."""
    lower = (*INSTALLED, *UPDATE)
    wrong = {
        "hash": "hash",
        "key": "key",
        "signature": "signature",
        "malleable": "signature",
        "board": "board",
    }
    if geometry.links[0] != geometry.links[1]:
        wrong["link"] = "link"
    steps = [step for name in wrong for step in install(B, name)[:2]]
    return [
        Scenario("lower-counter", lower, install(A, "lower"), "new", upload=True,
                 refused=(("lower", "counter"),)),
        Scenario("refused-images", INSTALLED, tuple(steps), refused=tuple(wrong.items()),
                 small=True, upload=True),
    ]  # fmt: skip


def careless_client(_geometry: Geometry) -> list[Scenario]:
    """A client that also asks to write and erase what is in use, and to run what is half there."""
    steps = install(B, "new", careless=True)
    return [Scenario("careless-client", WITH_MODEL, steps, "new", "model 1")]


SAMPLE = 20_000
"""Of so many operations of a second upload of 64 KiB one is cut, by the seed."""

WRAP_SAMPLE = 64
"""The same for what a device does by itself, where that is to fill a block of the journal."""

WRAP_BLOCK = 512
"""Bytes of a block of the journal where all of that is cut."""

RECORDS = 4
"""Of the journal that an update writes: upload, armed, attempt, confirmed."""


def journal_wrap(_geometry: Geometry) -> list[Scenario]:
    """The block of the journal is full at each record of an update, and of a trial that fails."""
    full = [(*WITH_MODEL, Step("fill", number=free)) for free in range(RECORDS + 1)]
    bad = [(*WITH_MODEL, UPDATE[0], Step("fill", number=free)) for free in range(RECORDS + 2)]
    rejected = (*INSTALLED, *UPDATE, Step("fill"))
    small = [
        Scenario(f"journal-wrap-small-{nature}-{free}", prepare, UPDATE[1:],
                 "new" if nature == "good" else "old", "model 1", natures=(("new", nature),),
                 small=True, block=WRAP_BLOCK)
        for nature in ("good", "watchdog") for free, prepare in enumerate(bad)
    ]  # fmt: skip
    return [
        *small,
        *(Scenario(f"journal-wrap-{free}", prepare, UPDATE, "new", "model 1", upload=True,
                   alone_gap=WRAP_SAMPLE) for free, prepare in enumerate(full)),
        *(Scenario(f"journal-wrap-revert-{free}", prepare, UPDATE[1:], "old", "model 1",
                   natures=(("new", "watchdog"),), alone_gap=WRAP_SAMPLE)
          for free, prepare in enumerate(bad)),
        Scenario("journal-wrap-rejected", rejected, install(MODEL_0, "model 1"), "old", "model 1",
                 natures=(("new", "watchdog"),), alone_gap=WRAP_SAMPLE, upload=True),
    ]  # fmt: skip


ALL: Sequence[Callable[[Geometry], list[Scenario]]] = (
    first_install,
    firmware_update,
    revert,
    models,
    upload_resume,
    revert_and_model,
    older_firmware,
    change_of_engine,
    refused_images,
    careless_client,
    journal_wrap,
)


def spec_of(name: str, engine: str) -> ImageSpec:
    """Return an image of IMAGES for a device whose firmware has an engine of ENGINES at first."""
    spec = IMAGES[name]
    if engine == TORPOR:
        return spec
    return replace(spec, engine=ENGINES[1 - ENGINES.index(spec.engine)])


def scenarios(geometry: Geometry) -> list[Scenario]:
    """Return all scenarios for a flash."""
    return [scenario for make in ALL for scenario in make(geometry)]
