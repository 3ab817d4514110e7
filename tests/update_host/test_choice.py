# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which file goes into which slot, and what is refused before anything is sent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.mgmt.device import able, copy_plan
from tests.support import images
from tests.update_host.test_state import IDLE, status
from torpor.errors import ImageError, UsageError
from torpor.image.capability import Capability, decode
from torpor.image.keys import development_key
from torpor.image.layout import TRAILER_BYTES
from torpor.image.parse import parse
from torpor.update.choice import check, check_fit, choose, choose_back
from torpor.update.files import UpdateFile
from torpor.update.state import FIRMWARE, MODEL, SlotImage, Status, Transfer

LINKS = (0x0, 0x1000)
RUNNING_A = replace(IDLE, running=0, confirmed=0)
OLD = {0: SlotImage("1.0.0", b"0" * 32), 1: SlotImage("0.9.0", b"1" * 32)}


def firmware(slot: int, **fields: Any) -> UpdateFile:
    data = images.firmware(address=LINKS[slot], **fields)
    return UpdateFile(Path(f"firmware-{'ab'[slot]}.bin"), parse(data))


def model(payload: bytes = b"plan", **fields: Any) -> UpdateFile:
    return UpdateFile(Path("model.bin"), parse(images.model(payload, **fields)))


PAIR = [firmware(0, version=(1, 1, 0, 0)), firmware(1, version=(1, 1, 0, 0))]


def device(state: Any = RUNNING_A, **changes: Any) -> Status:
    fields = {"development": False, "images": OLD, **changes}
    return status(state, fields.pop("model", IDLE), **fields)


def holding(slot: int, file: UpdateFile) -> dict[int, SlotImage]:
    return OLD | {slot: SlotImage(str(file.image.version), file.image.hash)}


# ---- firmware


@pytest.mark.parametrize("running", [0, 1])
def test_firmware_goes_into_the_slot_that_does_not_run(running: int) -> None:
    found = choose(PAIR, device(replace(IDLE, running=running, confirmed=running)))
    assert (found.slot, found.step, found.file) == (1 - running, "send", PAIR[1 - running])


def test_one_image_is_enough_if_it_is_the_right_one() -> None:
    assert choose(PAIR[1:], device()).slot == 1


def test_the_wrong_image_of_a_pair_names_the_one_that_is_needed() -> None:
    with pytest.raises(ImageError, match=r"linked for address 0x0; slot B is free") as caught:
        choose(PAIR[:1], device())
    assert caught.value.hint.endswith("the one for slot B")


def test_an_image_without_an_address_goes_anywhere() -> None:
    image = replace(PAIR[0].image, address=None)
    assert choose([replace(PAIR[0], image=image)], device()).slot == 1


def test_where_both_slots_have_one_address_one_image_is_for_both() -> None:
    made = device()
    slots = tuple(replace(slot, link=0) for slot in made.slots)
    assert choose(PAIR[:1], replace(made, slots=slots)).slot == 1


@pytest.mark.parametrize("step", ["nothing", "wait", "arm"])
def test_what_is_there_already_is_not_sent(step: str) -> None:
    state = {
        "nothing": replace(IDLE, running=1, confirmed=1),
        "wait": replace(RUNNING_A, trial=1),
        "arm": RUNNING_A,
    }[step]
    found = choose(PAIR, device(state, images=holding(1, PAIR[1])))
    assert (found.slot, found.step) == (1, step)


def test_what_is_there_and_broken_is_sent_again() -> None:
    there = holding(1, PAIR[1])
    there[1] = replace(there[1], bootable=False)
    assert choose(PAIR, device(images=there)).step == "send"


def test_the_confirmed_image_waits_for_the_end_of_a_trial() -> None:
    state = replace(IDLE, running=0, trial=0, confirmed=1)
    with pytest.raises(UsageError, match=r"1.0.0 is on trial in slot A"):
        choose(PAIR, device(state, images=holding(1, PAIR[1])))


@pytest.mark.parametrize("running", [0, 1], ids=["waiting", "running"])
def test_another_image_waits_for_the_end_of_a_trial(running: int) -> None:
    state = replace(IDLE, running=running, trial=1, confirmed=0)
    with pytest.raises(UsageError, match=r"0.9.0 is on trial in slot B") as caught:
        choose(PAIR, device(state))
    assert "torpor update --reject firmware" in caught.value.hint


def test_a_slot_that_is_wished_for_is_taken_if_it_is_free() -> None:
    assert choose(PAIR, device(), wish=1).slot == 1
    with pytest.raises(UsageError, match="slot A must not be overwritten: running, confirmed"):
        choose(PAIR, device(), wish=0)
    with pytest.raises(UsageError, match="model slot 0 is not for a firmware"):
        choose(PAIR, device(), wish=2)


def test_an_image_in_another_slot_than_the_one_wished_for_is_no_reason_to_stop() -> None:
    file = model()
    there = {2: SlotImage("1.0.0", file.image.hash)}
    state = replace(IDLE, running=2, confirmed=2)
    found = choose([file], device(model=state, images=there), wish=4)
    assert (found.slot, found.step) == (4, "send")


# ---- models


def models(*versions: int) -> dict[int, SlotImage]:
    return {slot: SlotImage(f"{slot}.0.0", bytes([slot]) * 32) for slot in versions}


@pytest.mark.parametrize(
    ("there", "state", "slot"),
    [
        (models(), IDLE, 2),
        (models(2), replace(IDLE, running=2, confirmed=2), 3),
        (models(2, 3), replace(IDLE, running=2, confirmed=2), 4),
        (models(2, 3, 4), replace(IDLE, running=2, confirmed=2), 4),  # older than 3
        (models(2, 3, 4), replace(IDLE, running=4, confirmed=4), 2),
        (models(2, 3, 4), replace(IDLE, running=2, confirmed=2, rejected=frozenset({3})), 3),
        (models(2, 3), replace(IDLE, running=2, confirmed=2, rejected=frozenset({3})), 4),
    ],
)
def test_a_model_takes_a_free_slot_then_a_rejected_one_then_the_oldest(
    there: dict[int, SlotImage], state: Any, slot: int
) -> None:
    used = {2: 10, 3: 30, 4: 20}
    assert choose([model()], device(model=state, images=there), last_used=used).slot == slot


def test_a_half_sent_file_goes_on_in_its_slot() -> None:
    file = model()
    receiving = Transfer(4, len(file.data), 100)
    assert choose([file], device(images={}, transfer=receiving)).slot == 4
    other = replace(receiving, length=5)
    assert choose([file], device(images={}, transfer=other)).slot == 2
    complete = device(images=models(4), transfer=receiving)
    assert choose([file], complete).slot == 2


def test_no_model_slot_is_free_only_if_all_are_in_use() -> None:
    state = replace(IDLE, running=2, confirmed=3, trial=4)
    with pytest.raises(UsageError, match="no model slot is free"):
        choose([model()], device(model=state, images=models(2, 3, 4)))


# ---- checks


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (firmware(1, board=b"other"), "made for another board: it is for other, this is toy"),
        (firmware(1, payload=bytes(5000)), "larger than the slot: 5,.* bytes, 4,048 fit"),
        (firmware(1, counter=2), "its security counter is below .*: 2 < 3"),
    ],
)
def test_what_the_device_would_refuse_is_refused_here(file: UpdateFile, words: str) -> None:
    with pytest.raises(ImageError, match=f"^firmware-b.bin: {words}"):
        check(file, device(replace(RUNNING_A, counter=3)))


def test_a_counter_that_is_equal_is_high_enough() -> None:
    check(firmware(1, counter=3), device(replace(RUNNING_A, counter=3)))


def test_a_file_fits_to_the_last_byte_before_the_trailer() -> None:
    small = len(firmware(1, payload=b"").data)
    fits = 4096 - TRAILER_BYTES - small
    check(firmware(1, payload=bytes(fits)), device())
    with pytest.raises(ImageError, match="larger than the slot"):
        check(firmware(1, payload=bytes(fits + 1)), device())


def test_the_development_key_is_for_development_devices_and_no_other() -> None:
    ours = firmware(1)
    signed = replace(ours, image=replace(ours.image, key_hash=development_key().hash))
    check(signed, device(development=True))
    check(ours, device())
    with pytest.raises(ImageError, match="does not take the development key, which is public"):
        check(signed, device())
    with pytest.raises(ImageError, match="the device wants the development key"):
        check(ours, device(development=True))


def capability(**fields: Any) -> Capability:
    found = decode(able(**fields))
    assert found
    return found


def test_a_model_has_to_fit_every_firmware_that_is_known() -> None:
    file = model(copy_plan(8, arena=500))
    check_fit(file, [])
    check_fit(file, [("1.0.0", capability(arena=500))])
    with pytest.raises(ImageError, match=r"does not fit firmware 0.9.0 .* 500 bytes of arena"):
        check_fit(file, [("1.0.0", capability(arena=500)), ("0.9.0", capability(arena=499))])


def test_a_model_without_a_plan_is_none() -> None:
    with pytest.raises(ImageError, match=r"model.bin holds no plan"):
        check_fit(model(b"nothing"), [])


# ---- going back


def test_going_back_means_the_other_slot() -> None:
    assert choose_back(device(), FIRMWARE, None, {}) == 1
    assert choose_back(device(replace(IDLE, running=1, confirmed=1)), FIRMWARE, None, {}) == 0


def test_going_back_means_the_model_that_was_used_last_before() -> None:
    made = device(model=replace(IDLE, running=3, confirmed=3), images=models(2, 3, 4))
    assert choose_back(made, MODEL, None, {2: 5, 3: 9, 4: 7}) == 4
    assert choose_back(made, MODEL, 2, {2: 5, 3: 9, 4: 7}) == 2


def test_nobody_goes_back_to_what_was_rejected_unless_by_its_slot() -> None:
    state = replace(IDLE, running=3, confirmed=3, rejected=frozenset({4}))
    last_used = {2: 5, 3: 9, 4: 7}
    made = device(model=state, images=models(2, 3, 4))
    assert choose_back(made, MODEL, None, last_used) == 2
    assert choose_back(made, MODEL, 4, last_used) == 4
    made = device(model=state, images=models(3, 4))
    with pytest.raises(UsageError, match="tried and rejected") as caught:
        choose_back(made, MODEL, None, last_used)
    assert "--model-slot 2 tries it again" in caught.value.hint


@pytest.mark.parametrize(("wish", "words"), [(None, "another slot"), (1, "slot B")])
def test_there_may_be_nothing_to_go_back_to(wish: int | None, words: str) -> None:
    with pytest.raises(UsageError, match=f"no firmware to go back to in {words}"):
        choose_back(device(images={0: OLD[0]}), FIRMWARE, wish, {})


def test_nobody_goes_back_from_a_trial_that_way() -> None:
    with pytest.raises(UsageError, match=r"0.9.0 is on trial in slot B"):
        choose_back(device(replace(RUNNING_A, trial=1, running=1)), FIRMWARE, None, {})
