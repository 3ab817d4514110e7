# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/mgmt: one message in, one out, read by the classes of smpclient."""

import struct
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp.error import MGMT_ERR
from smp.image_management import IMG_MGMT_ERR
from smpclient.requests.file_management import FileDownload
from smpclient.requests.image_management import ImageErase, ImageStatesRead, ImageStatesWrite
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead, ResetWrite

from tests.mgmt.device import TOLD, Device, copy_plan, image_hash, installed
from tests.support import images
from tests.update.device import FIRMWARE, M0, M1, M2, MODEL, NONE, A, B, Geometry, reason
from torpor.update import messages
from torpor.update.journal import decode


def refused(device: Device) -> str:
    """Return the name of the reason that the device gives for its last refusal."""
    return device.name(device.exchange(64, 0)["refused"])


def with_second(device: Device, **fields: Any) -> bytes:
    """Put a newer firmware into slot B; return its image."""
    image = device.firmware(B, b"second", version=(1, 2, 3, 0), **fields)
    device.load(B, image)
    return image


# The message


@pytest.mark.parametrize("length", range(8))
def test_what_is_shorter_than_a_header_is_not_answered(device: Device, length: int) -> None:
    assert device.handle(EchoWrite(d="x").BYTES[:length]) == b""


@pytest.mark.parametrize("operation", [1, 3, 4, 5, 6, 7])
def test_what_is_no_request_is_not_answered(device: Device, operation: int) -> None:
    assert device.handle(bytes([8 | operation]) + ResetWrite().BYTES[1:]) == b""
    assert not device.smp.restart


@pytest.mark.parametrize("change", [-1, 1, 100])
def test_a_length_that_is_not_that_of_the_body_is_invalid(device: Device, change: int) -> None:
    message = EchoWrite(d="hello").BYTES
    length = struct.pack("!H", len(message) - 8 + change)
    answer = device.handle(message[:2] + length + message[4:])
    assert cbor2.loads(answer[8:]) == {"rc": MGMT_ERR.EINVAL}


@pytest.mark.parametrize("version", [2, 3])
def test_a_later_version_of_the_protocol_is_refused(device: Device, version: int) -> None:
    answer = device.exchange(0, 0, {"d": "x"}, write=True, version=version)
    assert answer == {"rc": MGMT_ERR.UNSUPPORTED_TOO_NEW}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("group", "command", "write"),
    [
        *[(0, 5, False), (0, 6, True), (0, 2, False), (1, 2, False), (1, 5, False), (1, 1, False)],
        *[(2, 0, False), (8, 0, True), (9, 0, True), (64, 0, True), (64, 3, True), (65, 0, False)],
    ],
)
def test_what_is_not_there_is_unsupported(
    device: Device, group: int, command: int, write: bool, version: int
) -> None:
    answer = device.exchange(group, command, {"d": "x"}, write=write, version=version)
    assert answer == {"rc": MGMT_ERR.ENOTSUP}


def test_smpclient_understands_that_a_group_is_missing(device: Device) -> None:
    assert device.ask(FileDownload(off=0, name="x")).rc == MGMT_ERR.ENOTSUP


@pytest.mark.parametrize("body", [b"\x80", b"\xa1\x61d", b"\xa1\x61d\x01", b"\xff"], ids=bytes.hex)
def test_a_body_that_is_not_understood_is_invalid(device: Device, body: bytes) -> None:
    assert device.exchange(0, 0, body, write=True) == {"rc": MGMT_ERR.EINVAL}


@given(st.binary(max_size=200))
def test_anything_gets_an_answer_that_is_cbor_or_none(
    opened: tuple[Any, Any], message: bytes
) -> None:
    device = Device(opened)
    answer = device.handle(message)
    if answer:
        assert isinstance(cbor2.loads(answer[8:]), dict)
    assert device.violation() == ""


# Group 0


others = st.dictionaries(st.text(max_size=3).filter(lambda n: n != "d"), st.integers(0, 9))


@given(st.text(max_size=60), others)
def test_an_echo_is_what_was_sent(opened: tuple[Any, Any], text: str, more: dict[str, int]) -> None:
    device = Device(opened)
    assert device.ask(EchoWrite(d=text)).r == text
    for body in ({"d": text} | more, more | {"d": text}):
        assert device.exchange(0, 0, body, write=True) == {"r": text}


def test_the_longest_echo_fits(device: Device) -> None:
    text = "x" * (1024 - 8 - 6)
    assert device.ask(EchoWrite(d=text)).r == text
    # a head that is longer than it has to be, before a text that moves forward then
    body = b"\xbf\x61d\x7a" + struct.pack("!I", len(text) - 3) + text[3:].encode() + b"\xff"
    assert device.exchange(0, 0, body, write=True) == {"r": text[3:]}


def test_an_echo_of_nothing_is_invalid(device: Device) -> None:
    assert device.exchange(0, 0, {}, write=True) == {"rc": MGMT_ERR.EINVAL}


def test_the_parameters_are_those_of_the_application(device: Device) -> None:
    answer = device.ask(MCUMgrParametersRead())
    assert (answer.buf_size, answer.buf_count) == (TOLD, 1)
    assert device.exchange(0, 6, b"") == {"buf_size": TOLD, "buf_count": 1}


def test_a_reset_is_answered_and_left_to_the_application(device: Device) -> None:
    assert device.ask(ResetWrite()).header.command_id == 5
    assert device.smp.restart


# Group 1: state


def test_the_state_names_what_is_in_the_slots(device: Device) -> None:
    first, second = device.slot(A), with_second(device)
    model = images.model(copy_plan(), version=(4, 5, 6, 7))
    device.load(M1, model)
    device.load(M2, b"no image")
    found = {image.slot: image for image in device.ask(ImageStatesRead()).images}
    assert {slot: image.image for slot, image in found.items()} == {A: 0, B: 0, M1: M1}
    assert {slot: image.version for slot, image in found.items()} == {
        A: "1.0.0",
        B: "1.2.3",
        M1: "4.5.6.7",
    }
    assert found[A].hash == image_hash(first.rstrip(b"\xff"))
    assert (found[B].hash, found[M1].hash) == (image_hash(second), image_hash(model))
    assert (found[A].active, found[A].confirmed, found[A].pending) == (True, True, False)
    assert (found[B].active, found[B].confirmed, found[B].pending) == (False, False, False)
    assert all(image.bootable for image in found.values())


def test_a_model_in_a_firmware_slot_is_not_bootable(device: Device) -> None:
    device.load(B, images.model(copy_plan()))
    assert [image.bootable for image in device.ask(ImageStatesRead()).images] == [True, False]


def test_a_device_without_images_says_so(opened: tuple[Any, Any]) -> None:
    assert Device(opened).ask(ImageStatesRead()).images == []


def test_the_longest_state_fits(opened: tuple[Any, Any]) -> None:
    device = Device(opened)
    longest = (255, 255, 65535, 4294967295)
    for slot in (A, B):
        device.load(slot, device.firmware(slot, version=longest))
    for slot in (M0, M1, M2):
        device.load(slot, images.model(version=longest))
    assert [i.version for i in device.ask(ImageStatesRead()).images] == [
        "255.255.65535.4294967295"
    ] * 5


@pytest.mark.parametrize("confirm", [False, True], ids=["test", "confirm"])
def test_an_image_is_put_on_trial_by_its_hash(device: Device, confirm: bool) -> None:
    image = with_second(device)
    answer = device.ask(ImageStatesWrite(hash=image_hash(image), confirm=confirm))
    assert [i.pending for i in answer.images] == [False, True]
    assert device.state().trial == B
    assert not device.smp.model_turns
    assert device.boot() == (B, True)
    found = device.ask(ImageStatesRead()).images
    assert [(i.active, i.pending, i.confirmed) for i in found] == [
        (False, False, True),
        (True, False, False),
    ]


def test_what_runs_on_trial_is_confirmed_with_and_without_its_hash(opened: tuple[Any, Any]) -> None:
    for with_hash in (True, False):
        device = installed(opened)
        image = with_second(device)
        device.ask(ImageStatesWrite(hash=image_hash(image)))
        device.boot()
        hash_of = image_hash(image) if with_hash else None
        answer = device.ask(ImageStatesWrite(hash=hash_of, confirm=True))
        assert [i.confirmed for i in answer.images] == [False, True]
        assert device.state().confirmed == B


def test_confirming_again_changes_nothing(device: Device) -> None:
    before = device.history()
    answer = device.ask(ImageStatesWrite(confirm=True))
    assert [i.confirmed for i in answer.images] == [True]
    assert device.history() == before


def test_testing_what_is_confirmed_takes_back_a_trial(device: Device) -> None:
    first, second = image_hash(device.slot(A).rstrip(b"\xff")), image_hash(with_second(device))
    device.ask(ImageStatesWrite(hash=second))
    answer = device.ask(ImageStatesWrite(hash=first))
    assert [i.pending for i in answer.images] == [False, False]
    assert device.history()[-1][:3] == ("reverted", B, "user")


def test_an_unknown_hash_is_not_found(device: Device) -> None:
    answer = device.ask(ImageStatesWrite(hash=bytes(32)))
    assert (answer.err.group, answer.err.rc) == (1, IMG_MGMT_ERR.HASH_NOT_FOUND)
    assert refused(device) == "replaced"


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_hash_of_another_length_is_not_found(device: Device, length: int) -> None:
    known = image_hash(device.slot(A).rstrip(b"\xff"))
    answer = device.ask(ImageStatesWrite(hash=(known * 2)[:length]))
    assert answer.err.rc == IMG_MGMT_ERR.HASH_NOT_FOUND


def test_neither_a_hash_nor_a_confirmation_is_invalid(device: Device) -> None:
    for body in ({}, {"confirm": False}):
        assert device.exchange(1, 0, body, write=True) == {"rc": MGMT_ERR.EINVAL}


def test_there_is_nothing_to_confirm_where_nothing_runs(opened: tuple[Any, Any]) -> None:
    answer = Device(opened).ask(ImageStatesWrite(confirm=True))
    assert answer.err.rc == IMG_MGMT_ERR.IMAGE_CONFIRMATION_DENIED


def test_of_equal_models_the_one_that_runs_is_meant(device: Device) -> None:
    model = images.model(copy_plan())
    device.load(M1, model)
    device.ask(ImageStatesWrite(hash=image_hash(model)))
    assert device.open_model() == 0
    device.load(M0, model)
    device.load(M2, model)
    before = device.history()
    device.ask(ImageStatesWrite(hash=image_hash(model), confirm=True))
    assert (device.history(), device.state(MODEL).trial) == (before, NONE)


def test_a_model_on_trial_is_left_to_the_application(device: Device) -> None:
    model = images.model(copy_plan())
    device.load(M0, model)
    answer = device.ask(ImageStatesWrite(hash=image_hash(model)))
    assert [i.pending for i in answer.images] == [False, True]
    assert device.smp.model_turns
    assert not device.smp.restart


REFUSALS: list[tuple[str, Callable[[Device], bytes], IMG_MGMT_ERR, MGMT_ERR]] = [
    ("board", lambda d: d.firmware(B, board=b"other"), IMG_MGMT_ERR.INVALID_IMAGE_HEADER,
     MGMT_ERR.EACCESSDENIED),
    ("link", lambda d: d.firmware(A, b"second"), IMG_MGMT_ERR.INVALID_FLASH_ADDRESS,
     MGMT_ERR.EACCESSDENIED),
    ("key", lambda d: d.firmware(B, key=images.key(1)), IMG_MGMT_ERR.INVALID_TLV,
     MGMT_ERR.EACCESSDENIED),
    ("signature", lambda d: images.with_signature(d.firmware(B), bytes(64)),
     IMG_MGMT_ERR.INVALID_TLV, MGMT_ERR.EACCESSDENIED),
    ("hash", lambda d: d.firmware(B, b"second").replace(b"second", b"Second"),
     IMG_MGMT_ERR.INVALID_HASH, MGMT_ERR.ECORRUPT),
    ("kind", lambda d: images.model(copy_plan()), IMG_MGMT_ERR.INVALID_SLOT,
     MGMT_ERR.EACCESSDENIED),
]  # fmt: skip


@pytest.mark.parametrize(("why", "image", "rc", "rc_v1"), REFUSALS, ids=[r[0] for r in REFUSALS])
def test_what_must_not_run_is_refused_with_the_nearest_number(
    device: Device, why: str, image: Callable[[Device], bytes], rc: int, rc_v1: int
) -> None:
    wrong = image(device)
    device.load(B, wrong)
    answer = device.ask(ImageStatesWrite(hash=image_hash(wrong)))
    assert (answer.err.group, answer.err.rc) == (1, rc)
    assert refused(device) == why
    body = {"hash": image_hash(wrong)}
    assert device.exchange(1, 0, body, write=True, version=0) == {"rc": rc_v1}
    assert device.state().trial == NONE


def test_a_lower_security_counter_is_a_version_that_is_too_old(device: Device) -> None:
    image = with_second(device, counter=5)
    device.ask(ImageStatesWrite(hash=image_hash(image)))
    device.boot()
    device.confirm()
    old = device.firmware(A, b"old", counter=4)
    device.load(A, old)
    answer = device.ask(ImageStatesWrite(hash=image_hash(old)))
    assert answer.err.rc == IMG_MGMT_ERR.CURRENT_VERSION_IS_NEWER


def test_a_trial_that_runs_is_in_the_way_of_another(device: Device) -> None:
    first = image_hash(device.slot(A).rstrip(b"\xff"))
    device.ask(ImageStatesWrite(hash=image_hash(with_second(device))))
    device.boot()
    answer = device.ask(ImageStatesWrite(hash=first))
    assert answer.err.rc == IMG_MGMT_ERR.NO_FREE_SLOT
    assert refused(device) == "busy"
    assert device.exchange(1, 0, {"hash": first}, write=True, version=0) == {"rc": MGMT_ERR.EBUSY}


def test_a_flash_that_fails_is_told(device: Device) -> None:
    image = with_second(device)
    device.lib.flash_sim.dead = True
    answer = device.ask(ImageStatesWrite(hash=image_hash(image)))
    assert answer.err.rc == IMG_MGMT_ERR.FLASH_WRITE_FAILED
    assert refused(device) == "flash"


# Group 1: erase


def test_a_slot_is_erased(device: Device) -> None:
    with_second(device)
    assert device.ask(ImageErase(slot=B)).header.command_id == 5
    assert [image.slot for image in device.ask(ImageStatesRead()).images] == [A]


def test_without_a_number_the_slot_that_does_not_run_is_erased(device: Device) -> None:
    with_second(device)
    device.exchange(1, 5, {}, write=True)
    assert [image.slot for image in device.ask(ImageStatesRead()).images] == [A]


@pytest.mark.parametrize("step", [1, 3])
def test_erasing_goes_on_when_it_is_asked_for_again(opened: tuple[Any, Any], step: int) -> None:
    device = installed(opened, Geometry(firmware=8 * 512))
    device.layout.erase_step = step
    for _ in range(2):  # what has come since the last time goes too
        device.load(B, bytes(8 * 512))
        dirty: list[int] = []
        while not dirty or dirty[-1]:
            assert device.exchange(1, 5, {"slot": B}, write=True) == {}
            dirty.append(device.slot(B).count(0) // 512)
        assert dirty == [*range(8 - step, 0, -step), 0]


@pytest.mark.parametrize("state", ["running", "confirmed", "pending"])
def test_what_is_needed_is_not_erased(device: Device, state: str) -> None:
    image = with_second(device)
    device.ask(ImageStatesWrite(hash=image_hash(image)))
    if state != "pending":
        device.boot()
    slot = A if state == "confirmed" else B
    before = device.flash()
    answer = device.ask(ImageErase(slot=slot))
    assert answer.err.rc == IMG_MGMT_ERR.NO_FREE_SLOT
    assert refused(device) == "busy"
    assert device.flash() == before


@pytest.mark.parametrize("slot", [5, 255, 2**32 - 1])
def test_a_slot_that_is_not_there_is_invalid(device: Device, slot: int) -> None:
    assert device.ask(ImageErase(slot=slot)).rc == MGMT_ERR.EINVAL


# Group 64


def test_the_status_says_what_the_journal_says(device: Device) -> None:
    device.ask(ImageStatesWrite(hash=image_hash(with_second(device, counter=3))))
    device.boot("reset")
    status = device.ask(messages.StatusRead())
    assert (status.board, status.dev, status.running) == ("toy", False, [B, NONE])
    firmware, model = status.state
    assert (firmware.confirmed, firmware.trial, firmware.attempts) == (A, B, 1)
    assert (firmware.rejected, firmware.counter) == (0, 0)
    assert (model.confirmed, model.trial) == (NONE, NONE)
    assert [s.offset for s in status.slots] == device.geometry.offsets
    assert [s.size for s in status.slots] == device.geometry.sizes
    assert [s.link for s in status.slots] == [device.address(A), device.address(B), 0, 0, 0]
    assert (status.erase, status.write, status.refused) == (512, 4, 0)


def test_the_status_names_the_development_key(device: Device) -> None:
    device.key.development = True
    assert device.ask(messages.StatusRead()).dev


def test_the_longest_status_fits(device: Device) -> None:
    name = device.ffi.new("char[]", b"b" * 64)
    device.layout.board = name
    for component in (FIRMWARE, MODEL):
        device.state(component).counter = 2**32 - 1
    for slot in range(5):
        device.layout.slots[slot] = {"offset": 2**32 - 1, "size": 2**32 - 1}
    assert device.ask(messages.StatusRead()).board == "b" * 64


def test_history_is_read_from_any_event_on(device: Device) -> None:
    device.ask(ImageStatesWrite(hash=image_hash(with_second(device))))
    device.boot()
    device.reject(FIRMWARE, "quality")
    known = device.history()
    for start in range(len(known) + 3):
        page = device.ask(messages.HistoryRead(start=start))
        assert (page.oldest, page.next) == (0, len(known))
        events = [decode(start + i, record) for i, record in enumerate(page.events)]
        assert [(e.slot, e.reason.name) for e in events] == [
            (slot, why) for _, slot, why, _ in known[start:]
        ]


def test_a_long_history_comes_in_pages(opened: tuple[Any, Any]) -> None:
    device = installed(opened, Geometry(erase=4096))
    hash_of = {"hash": image_hash(with_second(device))}
    first = {"hash": image_hash(device.slot(A).rstrip(b"\xff"))}
    for _ in range(25):
        device.exchange(1, 0, hash_of, write=True)
        device.exchange(1, 0, first, write=True)
    records: list[bytes] = []
    sizes = []
    while True:
        page = device.exchange(64, 1, {"from": len(records)})
        if not page["events"]:
            break
        sizes.append(len(page["events"]))
        records += page["events"]
    assert len(records) == page["next"] == 3 + 2 * 25
    assert sizes == [28, 25]
    assert [decode(i, r).slot for i, r in enumerate(records)] == [A, A, A] + [B] * 50


def test_a_history_whose_beginning_is_gone_begins_with_the_oldest(device: Device) -> None:
    hash_of = {"hash": image_hash(with_second(device))}
    first = {"hash": image_hash(device.slot(A).rstrip(b"\xff"))}
    for _ in range(12):
        device.exchange(1, 0, hash_of, write=True)
        device.exchange(1, 0, first, write=True)
    page = device.exchange(64, 1, {"from": 0})
    assert 0 < page["oldest"] < page["next"] == 27
    assert len(page["events"]) == page["next"] - page["oldest"]
    assert device.exchange(64, 1, {}) == page


def test_a_trial_that_waits_is_ended(device: Device) -> None:
    device.ask(ImageStatesWrite(hash=image_hash(with_second(device))))
    answer = device.ask(messages.EndTrial(component=FIRMWARE, reason=reason("user")))
    assert answer.header.command_id == 2
    assert device.history()[-1][:3] == ("reverted", B, "user")
    assert not device.smp.restart


@pytest.mark.parametrize("why", ["self_test", "quality", "user"])
def test_firmware_that_runs_on_trial_ends_with_a_restart(device: Device, why: str) -> None:
    device.ask(ImageStatesWrite(hash=image_hash(with_second(device))))
    device.boot()
    device.ask(messages.EndTrial(component=FIRMWARE, reason=reason(why)))
    assert device.history()[-1][:3] == ("reverted", B, why)
    assert device.smp.restart
    assert device.boot() == (A, False)


def test_a_model_that_runs_on_trial_ends_with_another_choice(device: Device) -> None:
    model = images.model(copy_plan())
    device.load(M0, model)
    device.arm(M0)
    assert device.choose(MODEL).slot == M0
    device.ask(messages.EndTrial(component=MODEL, reason=reason("quality")))
    assert device.smp.model_turns
    assert not device.smp.restart
    assert device.open_model() == 0
    assert device.open_plan() == device.factory


def test_a_trial_that_is_none_cannot_be_ended(device: Device) -> None:
    answer = device.ask(messages.EndTrial(component=MODEL, reason=reason("user")))
    assert (answer.err.group, answer.err.rc) == (64, reason("nothing"))


@pytest.mark.parametrize(
    "body",
    [{"reason": 22}, {"component": 0}, {"component": 2, "reason": 22}]
    + [{"component": 0, "reason": number} for number in (0, 4, 16, 18, 23, 32, 300)],
    ids=str,
)
def test_a_verdict_that_nobody_outside_can_give_is_invalid(
    device: Device, body: dict[str, int]
) -> None:
    device.ask(ImageStatesWrite(hash=image_hash(with_second(device))))
    assert device.exchange(64, 2, body, write=True) == {"rc": MGMT_ERR.EINVAL}
    assert device.state().trial == B
