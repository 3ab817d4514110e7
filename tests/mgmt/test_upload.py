# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Uploads over SMP: erasing step by step, going on, repeated and refused requests."""

from hashlib import sha256
from itertools import pairwise
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp.error import MGMT_ERR
from smp.image_management import IMG_MGMT_ERR
from smpclient.requests.image_management import ImageStatesWrite, ImageUploadWrite

from tests.mgmt.device import Device, copy_plan, image_hash, installed
from tests.support import images
from tests.update.device import M0, M1, M2, MODEL, NONE, A, B, Geometry
from torpor.update import messages


def second(device: Device, payload: bytes = bytes(range(256)) * 8, **fields: Any) -> bytes:
    """Return a firmware image for slot B."""
    return device.firmware(B, payload, version=(1, 1, 0, 0), **fields)


def refused(device: Device) -> str:
    """Return the name of the reason that the device gives for its last refusal."""
    return device.name(device.exchange(64, 0)["refused"])


@pytest.mark.parametrize("room", [32, 100, 300, 900])
@pytest.mark.parametrize("image", [0, 1])
def test_a_file_goes_into_the_slot_that_does_not_run(device: Device, image: int, room: int) -> None:
    file = second(device)
    assert device.send_over_smp(image, file, room) == {"off": len(file), "match": True}
    assert device.slot(B).rstrip(b"\xff") == file.rstrip(b"\xff")
    assert device.history()[-1][:2] == ("upload", B)


def test_from_slot_b_on_slot_a_is_meant(device: Device) -> None:
    file = second(device)
    device.send_over_smp(0, file)
    device.ask(ImageStatesWrite(hash=image_hash(file)))
    device.boot()
    device.confirm()
    third = device.firmware(A, b"third")
    for image in (0, 1):
        assert device.send_over_smp(image, third)["match"]
    assert device.slot(A).startswith(third)


@pytest.mark.parametrize("slot", [M0, M1, M2])
def test_images_from_two_on_are_model_slots(device: Device, slot: int) -> None:
    file = images.model(copy_plan())
    assert device.send_over_smp(slot, file)["match"]
    assert device.slot(slot).startswith(file)


def test_without_an_image_the_firmware_is_meant(device: Device) -> None:
    file = second(device)
    body = device.first(0, file)
    del body["image"]
    assert device.exchange(1, 1, body, write=True) == {"off": 300}


def test_smpclient_reads_each_answer(device: Device) -> None:
    file = second(device)
    sha = sha256(file).digest()
    answer = device.ask(
        ImageUploadWrite(off=0, data=file[:400], image=0, len=len(file), sha=sha, upgrade=False)
    )
    while answer.off != len(file):
        answer = device.ask(ImageUploadWrite(off=answer.off, data=file[answer.off :][:400]))
    assert (answer.match, answer.rc) == (True, None)


@given(st.permutations(["off", "data", "len", "sha", "image", "upgrade"]))
def test_the_order_of_the_keys_does_not_matter(opened: tuple[Any, Any], order: list[str]) -> None:
    device = installed(opened)
    body = device.first(0, second(device), upgrade=False)
    ordered = cbor2.dumps({key: body[key] for key in order})
    assert device.exchange(1, 1, ordered, write=True) == {"off": 300}


# Erasing first


def dirty_device(opened: tuple[Any, Any]) -> Device:
    """A device whose slot B takes three steps to erase."""
    device = installed(opened, Geometry(firmware=8 * 512))
    device.load(B, bytes(8 * 512))
    device.layout.erase_step = 3
    return device


def test_the_beginning_is_asked_for_until_the_slot_is_erased(opened: tuple[Any, Any]) -> None:
    device = dirty_device(opened)
    body = device.first(0, second(device))
    offsets, dirty = [], []
    for _ in range(3):
        offsets.append(device.exchange(1, 1, body, write=True)["off"])
        dirty.append(device.slot(B).count(0) // 512)
    assert offsets == [0, 0, 300]
    assert dirty[:2] == [5, 2]


def test_smpclient_leaves_the_hash_out_when_it_begins_again(opened: tuple[Any, Any]) -> None:
    device = dirty_device(opened)
    file = second(device)
    body = device.first(0, file, upgrade=False)
    again = {key: value for key, value in body.items() if key != "sha"}
    assert device.exchange(1, 1, body, write=True) == {"off": 0}
    assert device.exchange(1, 1, again, write=True) == {"off": 0}
    assert device.exchange(1, 1, again, write=True) == {"off": 300}
    assert device.exchange(1, 1, again, write=True) == {"off": 300}


@pytest.mark.parametrize("change", [{"len": 700}, {"image": 2}])
def test_without_a_hash_another_file_is_not_taken_for_the_same(
    device: Device, change: dict[str, int]
) -> None:
    body = device.first(0, second(device))
    again = {key: value for key, value in body.items() if key != "sha"} | change
    device.exchange(1, 1, body, write=True)
    assert device.exchange(1, 1, again, write=True) == {"rc": MGMT_ERR.EINVAL}


def test_bytes_that_come_while_the_slot_is_erased_are_not_taken(opened: tuple[Any, Any]) -> None:
    device = dirty_device(opened)
    file = second(device)
    device.exchange(1, 1, device.first(0, file), write=True)
    body = {"off": 300, "data": file[300:600]}
    assert device.exchange(1, 1, body, write=True) == {"off": 0}
    assert set(device.slot(B)) <= {0, 255}


# Going on


@given(st.integers(1, 2400), st.integers(1, 600))
def test_after_a_restart_the_file_goes_on_where_it_was(
    opened: tuple[Any, Any], stop: int, room: int
) -> None:
    device = installed(opened)
    file = second(device)
    answer: dict[str, Any] = device.exchange(1, 1, device.first(0, file, 400), write=True)
    while answer["off"] < min(stop, len(file) - 600):
        at = answer["off"]
        answer = device.exchange(1, 1, {"off": at, "data": file[at : at + 400]}, write=True)
    device.boot("reset")
    again = device.exchange(1, 1, device.first(1, file, 400), write=True)
    assert answer["off"] - 512 - 400 <= again["off"] <= answer["off"]
    assert device.send_over_smp(0, file, room + 31)["match"]
    assert device.violation() == ""
    assert [what for what, *_ in device.history()].count("upload") == 1


def test_what_was_interrupted_is_told_with_its_length(device: Device) -> None:
    file = second(device)
    device.exchange(1, 1, device.first(0, file), write=True)
    transfer = device.ask(messages.StatusRead()).transfer
    assert (transfer.slot, transfer.length, transfer.offset) == (B, len(file), 300)
    device.boot("reset")
    transfer = device.ask(messages.StatusRead()).transfer
    assert (transfer.slot, transfer.length, transfer.offset) == (B, len(file), 0)


def test_another_file_begins_anew(device: Device) -> None:
    device.exchange(1, 1, device.first(0, second(device)), write=True)
    file = second(device, b"another" * 100)
    assert device.send_over_smp(0, file)["match"]
    assert device.slot(B).startswith(file)


def test_a_file_that_is_there_already_is_soon_there_again(device: Device) -> None:
    file = second(device)
    device.send_over_smp(0, file)
    operations = device.lib.flash_sim.operations
    offsets: list[int] = []
    body: dict[str, Any] = device.first(0, file)
    while not offsets or offsets[-1] != len(file):
        offsets.append(device.exchange(1, 1, body, write=True)["off"])
        body = {"off": offsets[-1], "data": file[offsets[-1] :][:300]}
    assert offsets[0] >= len(file) - 512 - 300
    assert device.lib.flash_sim.operations == operations


# Repeated


def test_every_request_may_come_twice(device: Device) -> None:
    file = second(device)
    body: dict[str, Any] = device.first(0, file)
    while True:
        answer = device.exchange(1, 1, body, write=True)
        assert device.exchange(1, 1, body, write=True) == answer
        if answer["off"] == len(file):
            break
        body = {"off": answer["off"], "data": file[answer["off"] :][:300]}
    assert answer["match"]
    assert device.slot(B).startswith(file)


def test_the_last_request_of_a_refused_file_gets_the_same_refusal(device: Device) -> None:
    file = images.with_signature(second(device), bytes(64))
    device.exchange(1, 1, device.first(0, file, 900), write=True)
    for _ in range(3):
        at = 900 * (1 + _)
        device.exchange(1, 1, {"off": at, "data": file[at : at + 900]}, write=True)
        if at + 900 >= len(file):
            break
    body = {"off": at, "data": file[at : at + 900]}
    for _ in range(2):
        answer = device.exchange(1, 1, body, write=True)
        assert answer == {"err": {"group": 1, "rc": IMG_MGMT_ERR.INVALID_TLV}}
        assert refused(device) == "signature"
    assert [what for what, *_ in device.history()].count("refused") == 1


def test_what_was_erased_since_is_not_confirmed_again(device: Device) -> None:
    file = second(device, b"short")
    device.send_over_smp(0, file, 600)
    at = len(file) - len(file) % 600
    device.exchange(1, 5, {"slot": B}, write=True)
    answer = device.exchange(1, 1, {"off": at, "data": file[at:]}, write=True)
    assert answer == {"err": {"group": 1, "rc": IMG_MGMT_ERR.INVALID_OFFSET}}


def test_bytes_from_elsewhere_are_answered_with_what_is_wanted(device: Device) -> None:
    file = second(device)
    device.exchange(1, 1, device.first(0, file), write=True)
    for at in (100, 299, 301, 900, len(file), 2**32 - 1):
        assert device.exchange(1, 1, {"off": at, "data": b"xyz"}, write=True) == {"off": 300}


# Refused


@pytest.mark.parametrize(
    "body",
    [
        {"data": b"x"},
        {"off": 0},
        {"off": 0, "data": b"x", "len": 700},
        {"off": 0, "data": b"x", "sha": bytes(32)},
        {"off": 0, "data": b"x", "len": 700, "sha": bytes(31)},
        {"off": 0, "data": b"x", "len": 700, "sha": bytes(33)},
        {"off": 0, "data": b"x", "len": 700, "sha": bytes(32), "image": 5},
        {"off": 0, "data": b"x", "len": 700, "sha": bytes(32), "image": 2**32 - 1},
    ],
    ids=str,
)
def test_a_beginning_that_lacks_something_is_invalid(device: Device, body: dict[str, Any]) -> None:
    before = device.flash()
    assert device.exchange(1, 1, body, write=True) == {"rc": MGMT_ERR.EINVAL}
    assert device.flash() == before


def test_bytes_without_a_beginning_are_refused(device: Device) -> None:
    answer = device.ask(ImageUploadWrite(off=300, data=b"x" * 300))
    assert (answer.err.group, answer.err.rc) == (1, IMG_MGMT_ERR.INVALID_OFFSET)
    assert refused(device) == "order"
    body = {"off": 300, "data": b"x"}
    assert device.exchange(1, 1, body, write=True, version=0) == {"rc": MGMT_ERR.EBADSTATE}


def first_of(device: Device, image: int, file: bytes, **fields: Any) -> Any:
    body = device.first(image, file, **fields) | fields
    return device.ask(ImageUploadWrite(**body))


def test_what_cannot_be_right_is_refused_by_its_header(device: Device) -> None:
    cases = [
        (0, b"no image" * 100, IMG_MGMT_ERR.INVALID_IMAGE_HEADER_MAGIC, "empty"),
        (0, images.model(copy_plan()), IMG_MGMT_ERR.INVALID_SLOT, "kind"),
        (M0, second(device), IMG_MGMT_ERR.INVALID_IMAGE_TOO_LARGE, "size"),
        (M0, second(device, b"short"), IMG_MGMT_ERR.INVALID_SLOT, "kind"),
        (0, device.firmware(A, b"x"), IMG_MGMT_ERR.INVALID_FLASH_ADDRESS, "link"),
        (0, second(device, bytes(4096)), IMG_MGMT_ERR.INVALID_IMAGE_TOO_LARGE, "size"),
    ]
    before = device.flash()
    for image, file, rc, why in cases:
        answer = first_of(device, image, file)
        assert (answer.err.group, answer.err.rc) == (1, rc)
        assert refused(device) == why
    assert device.flash() == before


def test_small_messages_cannot_show_the_header_and_are_taken(device: Device) -> None:
    file = images.model(copy_plan())
    assert device.exchange(1, 1, device.first(0, file, 31), write=True)["off"] == 28
    assert "err" in device.send_over_smp(0, file, 31)
    assert refused(device) == "kind"


def test_a_slot_that_is_needed_is_not_written(device: Device) -> None:
    file = second(device)
    device.send_over_smp(0, file)
    device.ask(ImageStatesWrite(hash=image_hash(file)))
    before = device.flash()
    for _ in range(2):
        answer = first_of(device, 0, file)
        assert answer.err.rc == IMG_MGMT_ERR.NO_FREE_SLOT
        assert refused(device) == "busy"
        device.boot("reset")
        before = device.flash()
    assert device.flash() == before


def test_a_file_that_has_not_arrived_as_it_was_is_refused(device: Device) -> None:
    file = second(device)
    damaged = file[:700] + bytes([file[700] ^ 1]) + file[701:]
    sha = sha256(file).digest()
    body: dict[str, Any] = device.first(0, damaged, sha=sha)
    while "off" in (answer := device.exchange(1, 1, body, write=True)):
        body = {"off": answer["off"], "data": damaged[answer["off"] :][:300]}
    assert answer == {"err": {"group": 1, "rc": IMG_MGMT_ERR.INVALID_HASH}}
    assert refused(device) == "hash"
    assert device.history()[-1][0] == "refused"
    assert device.send_over_smp(0, file)["match"]


def test_a_model_that_does_not_fit_is_refused_at_the_end(device: Device) -> None:
    file = images.model(copy_plan(200))
    assert device.send_over_smp(M0, file) == {
        "err": {"group": 1, "rc": IMG_MGMT_ERR.INVALID_IMAGE_HEADER}
    }
    assert refused(device) == "unfit"
    assert device.state(MODEL).trial == NONE


def test_a_flash_that_fails_is_told_and_the_same_bytes_may_come_again(device: Device) -> None:
    file = second(device)
    device.exchange(1, 1, device.first(0, file), write=True)
    body = {"off": 300, "data": file[300:600]}
    device.lib.flash_sim.dead = True
    answer = device.exchange(1, 1, body, write=True)
    assert answer == {"err": {"group": 1, "rc": IMG_MGMT_ERR.FLASH_WRITE_FAILED}}
    device.lib.flash_sim.dead = False
    assert device.send_over_smp(0, file)["match"]


# How much of the wire is payload


def test_offsets_grow_by_what_was_sent(device: Device) -> None:
    file = second(device)
    body: dict[str, Any] = device.first(0, file, 256)
    offsets = [0]
    while offsets[-1] < len(file):
        offsets.append(device.exchange(1, 1, body, write=True)["off"])
        body = {"off": offsets[-1], "data": file[offsets[-1] :][:256]}
    assert [b - a for a, b in pairwise(offsets)] == [256] * (len(file) // 256) + [len(file) % 256]
