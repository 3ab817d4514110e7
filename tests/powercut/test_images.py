# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The images of a proof are as imgtool makes them, or wrong in exactly one way."""

import numpy as np
import pytest

from torpor.board import load_board
from torpor.engine import Engine
from torpor.errors import ImageError, UsageError
from torpor.graph import read_tflite
from torpor.image.capability import fits, plan_header
from torpor.image.keys import development_key
from torpor.image.parse import parse, verify
from torpor.paths import ENGINES, TFLM, TORPOR
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan
from torpor.powercut.geometry import Geometry, geometry
from torpor.powercut.images import DAMAGES, FIRMWARE, MODEL, ImageSpec, make
from torpor.powercut.plans import REGISTRATION, SMALLEST, plan
from torpor.tflm.check import check

PLACE = geometry(load_board("microbit"), 4096, 1024)


def test_a_firmware_has_the_size_that_is_wanted_and_all_that_a_device_asks_for() -> None:
    image = make(ImageSpec(FIRMWARE, 1, "2.3.4", counter=7, arena=2048), PLACE, 4096)
    assert len(image.data) == 4096
    found = parse(image.data)
    verify(found, development_key())
    assert not found.is_model
    assert (found.board, found.address, found.counter) == ("microbit", PLACE.links[1], 7)
    assert str(found.version) == "2.3.4"
    assert found.capability is not None
    assert found.capability.arena_bytes == 2048
    assert image.id == found.hash[:8]


def test_a_model_image_holds_a_plan_that_runs() -> None:
    image = make(ImageSpec(MODEL, version="1.0.0", counter=3), PLACE, 1024)
    assert 1024 - 16 < len(image.data) <= 1024
    found = parse(image.data)
    assert found.is_model
    window = np.arange(-8, 8, dtype=np.int8)
    [output] = Engine(found.payload).invoke([window])
    assert output.tolist() == window.tolist()


def test_a_model_image_for_tensorflow_lite_micro_holds_one_that_its_firmware_accepts() -> None:
    image = make(ImageSpec(MODEL, version="1.0.0", counter=3, engine=TFLM), PLACE, 1024)
    found = parse(image.data)
    assert check(found.payload).name == "ok"
    assert Plan.parse(found.payload).header["target"] == CONST["PLAN_TARGET_TFLM"]
    ours = parse(make(ImageSpec(MODEL, version="1.0.0", counter=3), PLACE, 1024).data)
    assert len(ours.payload) == len(found.payload), "so that both have the same states"


def test_its_model_is_one_that_tensorflow_lite_micro_runs() -> None:
    flatbuffer = Plan.parse(plan(1024, 512, 1, TFLM)).data
    graph = read_tflite(flatbuffer)
    assert [op.name for op in graph.ops] == [REGISTRATION]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_firmware_can_run_the_models_for_its_engine_and_no_others(engine: str) -> None:
    firmware = parse(make(ImageSpec(FIRMWARE, 1, engine=engine), PLACE, 4096).data)
    assert firmware.capability is not None
    for other in ENGINES:
        header = plan_header(plan(1024, 512, 1, other))
        assert header is not None
        problem = fits(header, firmware.capability)
        assert problem == "" if other == engine else problem.startswith("made for")


def test_a_number_alone_does_not_tell_which_engine_a_plan_needs() -> None:
    own, other = (plan_header(plan(1024, 512, 1, engine)) for engine in ENGINES)
    assert own is not None and other is not None
    assert own["kernels"] == other["kernels"]


def test_plans_differ_in_their_noise_and_say_what_they_want() -> None:
    one, other = plan(512, 640, 1), plan(512, 640, 2)
    assert len(one) == 640
    assert one != other
    assert Plan.parse(one).header["arena_bytes"] == 512
    assert plan(512, 640, 1) == one


@pytest.mark.parametrize("engine", ENGINES)
def test_a_plan_has_the_size_that_is_wanted(engine: str) -> None:
    for size in range(SMALLEST[engine], SMALLEST[engine] + 64, 16):
        assert len(plan(512, size, 1, engine)) == size


@pytest.mark.parametrize(("size", "engine"), [(100, TORPOR), (641, TORPOR), (496, TFLM)])
def test_a_plan_of_such_a_size_cannot_be(size: int, engine: str) -> None:
    with pytest.raises(UsageError, match=f"plan of {size}"):
        plan(512, size, 1, engine)


def test_the_same_wish_is_the_same_image_and_another_one_another() -> None:
    spec = ImageSpec(FIRMWARE, 0, "1.0.0")
    assert make(spec, PLACE, 2048) is make(spec, PLACE, 2048)
    assert make(ImageSpec(FIRMWARE, 0, "1.0.1"), PLACE, 2048).id != make(spec, PLACE, 2048).id


@pytest.mark.parametrize(
    ("damage", "message"),
    [("hash", "not those that were signed"), ("key", "another key"), ("signature", "signature"),
     ("malleable", "signature")],
)  # fmt: skip
def test_a_damaged_image_is_refused_for_its_damage(damage: str, message: str) -> None:
    data = make(ImageSpec(FIRMWARE, 1, "2.0.0", damage=damage), PLACE, 2048).data
    assert len(data) == 2048
    with pytest.raises(ImageError, match=message):
        verify(parse(data), development_key())


def test_the_others_are_sound_but_for_another_place() -> None:
    other_board = parse(make(ImageSpec(FIRMWARE, 1, damage="board"), PLACE, 2048).data)
    assert other_board.board == "microbitx"
    other_slot = parse(make(ImageSpec(FIRMWARE, 0, damage="link"), PLACE, 2048).data)
    assert other_slot.address == PLACE.links[0]
    for image in (other_board, other_slot):
        verify(image, development_key())
    assert set(DAMAGES) == {"hash", "key", "signature", "malleable", "board", "link"}


@pytest.mark.parametrize("component", [FIRMWARE, MODEL])
def test_an_image_cannot_be_smaller_than_what_is_around_it(component: int) -> None:
    with pytest.raises(UsageError, match="no image has only 200 bytes"):
        make(ImageSpec(component), PLACE, 200)


def test_where_both_slots_have_one_address_images_name_none() -> None:
    place: Geometry = geometry(load_board("native"), 4096, 1024)
    assert parse(make(ImageSpec(FIRMWARE, 1), place, 2048).data).address is None
