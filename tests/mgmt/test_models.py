# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which model runs: trials, the factory plan, and what the confirmed firmware must be able to."""

from typing import Any

import pytest
from smpclient.requests.image_management import ImageStatesWrite

from tests.mgmt.device import ARENA, Device, able, copy_plan, image_hash
from tests.support import images
from tests.support.faulty_engine import ARENA as TOO_SMALL
from tests.support.faulty_engine import ENGINE, KERNEL
from tests.support.plans import CODES, changed
from tests.update.device import FIRMWARE, M0, M1, MODEL, NONE, A, B
from torpor.plan.reader import Plan


def accept(device: Device, image: bytes, slot: int = M0) -> str:
    """Put an image into a slot; return whether it may run."""
    device.load(slot, image)
    reason = device.lib.update_check(
        device.update, slot, device.smp.accept, device.models, device.ffi.NULL
    )
    return device.name(reason)


def model(plan: bytes | None = None, **fields: Any) -> bytes:
    """Return the image of a model."""
    return images.model(copy_plan() if plan is None else plan, **fields)


def put_on_trial(device: Device, slot: int, plan: bytes) -> bytes:
    """Load a model and arm it over SMP."""
    image = model(plan)
    device.load(slot, image)
    device.ask(ImageStatesWrite(hash=image_hash(image)))
    assert device.state(MODEL).trial == slot
    return image


# What is accepted


def test_a_plan_that_is_proven_and_has_room_is_accepted(device: Device) -> None:
    assert accept(device, model()) == "ok"
    assert accept(device, model(copy_plan(ARENA // 2))) == "ok"


def test_a_plan_without_room_is_unfit(device: Device) -> None:
    assert accept(device, model(copy_plan(ARENA // 2 + 1))) == "unfit"
    assert accept(device, model(copy_plan(arena=ARENA + 1))) == "unfit"


def test_a_plan_that_wants_another_alignment_is_unfit(device: Device) -> None:
    plan = changed(copy_plan(), "header.arena_align", 4096)
    assert accept(device, model(plan)) == "unfit"


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("header.version", 1),
        ("header.version", 3),
        ("header.target", 2),
        ("header.kernels[3]", 1 << 30),
    ],
)
def test_a_plan_for_other_firmware_is_unfit(device: Device, label: str, value: int) -> None:
    assert accept(device, model(changed(copy_plan(), label, value))) == "unfit"


@pytest.mark.parametrize(
    ("label", "value"), [("header.magic", 0), ("op 0.bytes", 9), ("tensor 0.offset", 1 << 20)]
)
def test_a_plan_that_the_checker_refuses_is_no_plan(device: Device, label: str, value: int) -> None:
    assert accept(device, model(changed(copy_plan(), label, value))) == "plan"


def test_a_payload_that_is_too_short_for_a_plan_is_none(device: Device) -> None:
    assert accept(device, model(b"short")) == "plan"


# The confirmed firmware


def on_trial(device: Device, **capability: Any) -> None:
    """Let firmware in slot B run on trial; the confirmed one in A says `capability` of itself."""
    image = device.firmware(A, b"first", capability=able(**capability) if capability else None)
    device.load(A, image)
    device.ffi.memmove(device.state().confirmed_id, image_hash(image)[:8], 8)
    device.update.running[FIRMWARE] = B


@pytest.mark.parametrize(
    ("capability", "verdict"),
    [
        ({"arena": 16}, "ok"),
        ({"arena": 15}, "unfit"),
        ({"targets": 1}, "ok"),
        ({"targets": 6}, "unfit"),
        ({"versions": (1, 2)}, "ok"),
        ({"versions": (2, 4)}, "ok"),
        ({"versions": (3, 4)}, "unfit"),
        ({"versions": (1, 1)}, "unfit"),
        ({}, "unfit"),
    ],
    ids=str,
)
def test_a_model_must_fit_the_confirmed_firmware_too(
    device: Device, capability: dict[str, Any], verdict: str
) -> None:
    on_trial(device, **capability)
    assert accept(device, model()) == verdict


def test_the_kernels_of_the_confirmed_firmware_count(device: Device) -> None:
    for kernels, verdict in (([CODES["COPY"]], "ok"), ([CODES["ADD_S8"]], "unfit"), ([], "unfit")):
        image = device.firmware(A, b"first", capability=images.capability(kernels))
        device.load(A, image)
        device.update.running[FIRMWARE] = B
        assert accept(device, model()) == verdict


def test_what_the_running_firmware_says_of_itself_does_not_count(device: Device) -> None:
    device.load(A, device.firmware(A, b"first", capability=None))
    assert accept(device, model()) == "ok"


def test_confirmed_firmware_that_cannot_be_read_can_run_no_model(device: Device) -> None:
    device.load(A, b"")
    device.update.running[FIRMWARE] = B
    assert accept(device, model()) == "unfit"


def test_without_confirmed_firmware_only_this_one_counts(device: Device) -> None:
    device.state().confirmed = NONE
    device.update.running[FIRMWARE] = B
    assert accept(device, model()) == "ok"


# What is opened


def test_without_a_model_the_factory_plan_runs(device: Device) -> None:
    assert device.open_model() == 0
    assert device.open_plan() == device.factory
    assert device.update.running[MODEL] == NONE


def test_a_model_on_trial_runs_once_and_is_confirmed(device: Device) -> None:
    plan = copy_plan()
    put_on_trial(device, M0, plan)
    device.ffi.memmove(device.arena, b"\x11" * ARENA, ARENA)
    assert device.open_model() == 0
    assert device.open_plan() == plan
    assert (device.state(MODEL).confirmed, device.update.running[MODEL]) == (M0, M0)
    assert [event[0] for event in device.history()[-3:]] == ["armed", "attempt", "confirmed"]
    # zeros went in and came out; what the model has no use for stays
    assert bytes(device.arena[0:ARENA]) == bytes(16) + b"\x11" * (ARENA - 16)


def test_a_confirmed_model_is_opened_without_a_test(device: Device) -> None:
    plan = copy_plan()
    put_on_trial(device, M0, plan)
    device.open_model()
    device.boot("power")
    before = device.history()
    device.ffi.memmove(device.arena, b"\x11" * ARENA, ARENA)
    assert device.open_model("power") == 0
    assert device.open_plan() == plan
    assert device.history() == before
    assert bytes(device.arena[0:ARENA]) == b"\x11" * ARENA


def test_a_newer_model_takes_turns_without_a_restart(device: Device) -> None:
    put_on_trial(device, M0, copy_plan(8))
    device.open_model()
    newer = copy_plan(12)
    put_on_trial(device, M1, newer)
    assert device.open_plan() == copy_plan(8)
    assert device.open_model() == 0
    assert device.open_plan() == newer
    assert device.state(MODEL).confirmed == M1


def test_going_back_to_an_older_model_is_another_trial(device: Device) -> None:
    older = put_on_trial(device, M0, copy_plan(8))
    device.open_model()
    put_on_trial(device, M1, copy_plan(12))
    device.open_model()
    device.ask(ImageStatesWrite(hash=image_hash(older)))
    assert device.open_model() == 0
    assert (device.open_plan(), device.state(MODEL).confirmed) == (copy_plan(8), M0)


def test_a_model_on_trial_that_ends_each_run_is_given_up(device: Device) -> None:
    put_on_trial(device, M0, copy_plan(8))
    device.open_model()
    put_on_trial(device, M1, copy_plan(12))
    for end in ("ok", "fault", "watchdog"):
        device.boot(end)
        choice = device.lib.update_choose(
            device.update, MODEL, {"reason": 0}, device.smp.accept, device.models
        )
        assert (choice.slot, choice.trial) == (M1, True)  # and then the test ends the run
    device.boot("watchdog")
    assert device.open_model("watchdog") == 0
    assert device.open_plan() == copy_plan(8)
    assert device.history()[-1][:3] == ("reverted", M1, "watchdog")


def test_a_trial_that_cannot_be_written_down_does_not_run(device: Device) -> None:
    put_on_trial(device, M0, copy_plan())
    device.lib.flash_sim.dead = True
    assert device.open_model() == 0
    assert device.open_plan() == device.factory


def test_a_confirmation_that_cannot_be_written_down_comes_with_the_next_start(
    device: Device,
) -> None:
    plan = copy_plan()
    put_on_trial(device, M0, plan)
    sim = device.lib.flash_sim
    sim.cut_at = sim.operations + 8 + 1  # a record is eight units: the attempt is the last
    assert device.open_model() == 0
    assert device.open_plan() == plan
    assert device.state(MODEL).confirmed == NONE
    device.boot("power")
    assert device.open_model("power") == 0
    assert (device.open_plan(), device.state(MODEL).confirmed) == (plan, M0)


def test_a_model_that_new_firmware_cannot_run_gives_way_to_the_factory_plan(
    device: Device,
) -> None:
    put_on_trial(device, M0, copy_plan(16))
    device.open_model()
    device.boot("reset")
    device.models.arena_bytes = 16
    assert device.open_model() == 0
    assert device.open_plan() == device.factory
    assert device.state(MODEL).confirmed == M0
    device.boot("reset")
    device.models.arena_bytes = ARENA
    device.open_model()
    assert device.open_plan() == copy_plan(16)


def test_a_factory_plan_that_is_wrong_is_told(device: Device) -> None:
    for label, value, status in (("header.magic", 0, 1), ("op 0.bytes", 3, 12)):
        device.factory = changed(copy_plan(4), label, value)
        device.boot()
        assert device.open_model() == status
        assert device.open_plan() == device.factory
        opened = device.lib.models_open_factory(device.models, device.model, device.plan)
        assert opened == status


def test_firmware_that_goes_back_leaves_the_trial_of_a_model_as_it_is(device: Device) -> None:
    plan = copy_plan()
    image = device.firmware(B, b"second")
    device.load(B, image)
    put_on_trial(device, M0, plan)
    device.ask(ImageStatesWrite(hash=image_hash(image)))
    for attempt in (1, 2, 3):  # it hangs before it looks at models
        assert device.boot("watchdog") == (B, True)
        assert device.state().attempts == attempt
    assert device.boot("watchdog") == (A, False)
    assert (device.state(MODEL).trial, device.state(MODEL).attempts) == (M0, 0)
    assert device.open_model("watchdog") == 0
    assert (device.open_plan(), device.state(MODEL).confirmed) == (plan, M0)


# An engine that fails


def fail(device: Device, plan: bytes, *, init: int = 0, invoke: int = 0) -> None:
    """Let the engine refuse a plan, or fail to run it."""
    device.lib.faulty_init, device.lib.faulty_invoke = init, invoke
    device.lib.faulty_arena = Plan.parse(plan).header["arena_bytes"]


FAULTS = [
    ({"init": TOO_SMALL}, "unfit"),
    ({"init": KERNEL}, "unfit"),
    ({"init": ENGINE}, "plan"),
    ({"invoke": ENGINE}, "self_test"),
]


@pytest.mark.parametrize(("fault", "why"), FAULTS, ids=str)
def test_a_model_that_fails_on_trial_gives_way_to_the_confirmed_one_at_once(
    device: Device, fault: dict[str, int], why: str
) -> None:
    put_on_trial(device, M0, copy_plan(8))
    device.open_model()
    put_on_trial(device, M1, copy_plan(12))
    fail(device, copy_plan(12), **fault)
    assert device.open_model() == 0
    assert device.open_plan() == copy_plan(8)
    assert (device.state(MODEL).confirmed, device.state(MODEL).trial) == (M0, NONE)
    assert device.update.running[MODEL] == M0
    assert [event[:3] for event in device.history()[-2:]] == [
        ("attempt", M1, "ok"),
        ("reverted", M1, why),
    ]


@pytest.mark.parametrize(("fault", "why"), FAULTS, ids=str)
def test_without_a_confirmed_one_it_gives_way_to_the_factory_plan(
    device: Device, fault: dict[str, int], why: str
) -> None:
    put_on_trial(device, M0, copy_plan(8))
    fail(device, copy_plan(8), **fault)
    assert device.open_model() == 0
    assert device.open_plan() == device.factory
    assert (device.state(MODEL).confirmed, device.update.running[MODEL]) == (NONE, NONE)
    assert device.history()[-1][:3] == ("reverted", M0, why)
    device.boot("power")
    assert device.open_model("power") == 0
    assert device.open_plan() == device.factory


def test_a_confirmed_model_that_does_not_open_any_more_stays_confirmed(device: Device) -> None:
    plan = copy_plan(8)
    put_on_trial(device, M0, plan)
    device.open_model()
    before = device.history()
    fail(device, plan, init=TOO_SMALL)
    assert device.open_model() == 0
    assert device.open_plan() == device.factory
    assert (device.state(MODEL).confirmed, device.update.running[MODEL]) == (M0, NONE)
    assert device.history() == before
    device.lib.faulty_reset()
    device.open_model()
    assert device.open_plan() == plan


def test_where_neither_opens_the_factory_plan_s_status_is_told(device: Device) -> None:
    put_on_trial(device, M0, copy_plan(8))
    device.lib.faulty_init = TOO_SMALL
    assert device.open_model() == TOO_SMALL
    assert device.open_plan() == device.factory
    assert device.history()[-1][:3] == ("reverted", M0, "unfit")


@pytest.mark.parametrize("after", range(8))
def test_a_trial_whose_end_cannot_be_written_down_is_not_tried_without_end(
    device: Device, after: int
) -> None:
    put_on_trial(device, M0, copy_plan(8))
    device.open_model()
    put_on_trial(device, M1, copy_plan(12))
    fail(device, copy_plan(12), init=TOO_SMALL)
    sim = device.lib.flash_sim
    sim.cut_at = sim.operations + 8 + 1 + after  # a record is eight units: the attempt is whole
    assert device.open_model() == 0
    assert device.open_plan() == copy_plan(8)
    device.boot("power")
    assert device.open_model("power") == 0
    assert device.open_plan() == copy_plan(8)
    assert device.history()[-1][:3] == ("reverted", M1, "unfit")


def test_a_model_is_not_confirmed_if_only_its_first_inference_fails(device: Device) -> None:
    put_on_trial(device, M0, copy_plan(8))
    fail(device, copy_plan(8), invoke=ENGINE)
    device.open_model()
    device.lib.faulty_reset()
    assert device.open_model() == 0
    assert device.open_plan() == device.factory, "its trial is over"


def test_a_test_says_how_the_inference_went(device: Device) -> None:
    assert device.lib.models_test(device.model) == 0
    device.lib.faulty_invoke = ENGINE
    assert device.lib.models_test(device.model) == ENGINE
