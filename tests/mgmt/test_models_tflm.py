# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which model runs where firmware has TensorFlow Lite Micro: its own infer_check() decides."""

from typing import Any

import pytest
from smpclient.requests.image_management import ImageStatesWrite

from tests.mgmt.device import Device, copy_plan, image_hash, installed
from tests.mgmt.library import open_mgmt, tflm_sources
from tests.mgmt.test_models import accept, model, on_trial, put_on_trial
from tests.support import images
from tests.support.plans import changed
from tests.update.device import FIRMWARE, M0, MODEL, NONE, A, B
from torpor.paths import TFLM
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan
from torpor.powercut.plans import NEEDS, plan
from torpor.tflm.resolver import words_of

NUMBER = NEEDS[TFLM][1]
ARENA = CONST["PLAN_TFLM_BYTES"] + 64
BOTH = 1 << CONST["PLAN_TARGET_PORTABLE"] | 1 << CONST["PLAN_TARGET_TFLM"]


def tflm_plan(seed: int = 1, arena: int = ARENA) -> bytes:
    """Return a plan with a flatbuffer."""
    return plan(arena, 512, seed, TFLM)


def can(targets: int, kernels: int = NUMBER) -> bytes:
    """Return what a firmware says of itself."""
    return images.capability([kernels], ARENA, targets)


class TflmDevice(Device):
    """A device whose firmware has TensorFlow Lite Micro."""

    first_factory = tflm_plan(0)
    arena_bytes = ARENA


@pytest.fixture(scope="session")
def opened_tflm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Return (ffi, library) of a firmware with one registration."""
    return open_mgmt(tmp_path_factory.mktemp("tflm"), files=tflm_sources(1 << NUMBER))


@pytest.fixture
def tflm(opened_tflm: tuple[Any, Any]) -> Device:
    """A device whose firmware in slot A is confirmed and runs, with the factory plan."""
    return installed(opened_tflm, kind=TflmDevice)


def test_a_sound_flatbuffer_is_accepted(tflm: Device) -> None:
    assert accept(tflm, model(tflm_plan())) == "ok"


def test_a_plan_of_our_engine_is_unfit(tflm: Device) -> None:
    assert accept(tflm, model(copy_plan())) == "unfit"


def test_a_plan_for_tensorflow_lite_micro_is_unfit_for_our_engine(device: Device) -> None:
    assert accept(device, model(tflm_plan())) == "unfit"


@pytest.mark.parametrize("name", ["CONV_2D", "CONV_2D_INT8", "PAD_INT8"])
def test_a_registration_that_is_missing_makes_it_unfit(tflm: Device, name: str) -> None:
    wanted = tflm_plan()
    for word, bits in enumerate(words_of([name])):
        wanted = changed(wanted, f"header.kernels[{word}]", bits)
    assert accept(tflm, model(wanted)) == "unfit"


def test_an_arena_that_is_too_large_makes_it_unfit(tflm: Device) -> None:
    assert accept(tflm, model(tflm_plan(arena=ARENA + 16))) == "unfit"


def test_a_broken_flatbuffer_is_no_plan(tflm: Device) -> None:
    sound = tflm_plan()
    at = Plan.parse(sound).header["data"]
    broken = sound[:at] + b"\xff\xff\xff\x7f" + sound[at + 4 :]
    assert accept(tflm, model(broken)) == "plan"
    assert accept(tflm, model(sound)) == "ok"


def test_a_model_on_trial_runs_once_and_is_confirmed(tflm: Device) -> None:
    put_on_trial(tflm, M0, tflm_plan())
    assert tflm.open_model() == 0
    assert tflm.open_plan() == tflm_plan()
    assert (tflm.state(MODEL).confirmed, tflm.update.running[MODEL]) == (M0, M0)


def test_a_model_whose_tensor_arena_is_too_small_gives_way_to_the_factory_plan(
    tflm: Device,
) -> None:
    put_on_trial(tflm, M0, tflm_plan(arena=CONST["PLAN_TFLM_BYTES"] + 16))
    assert tflm.open_model() == 0
    assert tflm.open_plan() == tflm.factory
    assert tflm.history()[-1][:3] == ("reverted", M0, "unfit")


def test_an_image_of_our_engine_is_not_armed_over_smp(tflm: Device) -> None:
    image = model(copy_plan())
    tflm.load(M0, image)
    tflm.ask(ImageStatesWrite(hash=image_hash(image)))
    assert tflm.state(MODEL).trial == NONE
    assert tflm.open_model() == 0
    assert tflm.open_plan() == tflm.factory


@pytest.mark.parametrize(
    ("confirmed", "verdict"),
    [
        (can(1 << CONST["PLAN_TARGET_TFLM"]), "ok"),
        (can(1 << CONST["PLAN_TARGET_PORTABLE"]), "unfit"),
        (can(BOTH), "ok"),
        (can(1 << CONST["PLAN_TARGET_TFLM"], NUMBER + 1), "unfit"),
    ],
    ids=["tflm", "torpor", "both", "other-registrations"],
)
def test_while_firmware_is_on_trial_a_model_must_fit_the_engine_of_the_confirmed_one_too(
    tflm: Device, confirmed: bytes, verdict: str
) -> None:
    tflm.load(A, tflm.firmware(A, b"first", capability=confirmed))
    tflm.update.running[FIRMWARE] = B
    assert accept(tflm, model(tflm_plan())) == verdict


def test_our_plan_stays_unfit_though_the_confirmed_firmware_could_run_it(tflm: Device) -> None:
    on_trial(tflm, targets=1)
    assert accept(tflm, model(copy_plan())) == "unfit"
