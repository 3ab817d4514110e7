# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Bad input: it is refused with a clear reason, the old image is untouched, the device starts."""

import hashlib
import struct
import zlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import images
from tests.support.images import ImageParts, tlv
from tests.update.device import FIRMWARE, M0, M1, M2, MODEL, A, B, Device, Geometry, installed
from tests.update.test_journal import Journal

SHAPES = ("prefix", "random", "complete")
HEADER_BYTES = 0x40


@pytest.fixture
def device(opened: tuple[Any, Any]) -> Device:
    """A device whose firmware in A is confirmed and runs."""
    return installed(opened, counter=5)


def image_for_b(device: Device, **fields: Any) -> bytes:
    """A small image for slot B, sound unless `fields` make it wrong."""
    sound = {"address": device.address(B), "header_bytes": HEADER_BYTES, "counter": 5}
    return ImageParts(**{**sound, **fields}).build()


def must_live(device: Device, old: bytes) -> None:
    """The old image is as it was and starts; nothing was done to the flash that may not be."""
    assert device.slot(A) == old
    assert device.boot() == (A, False)
    assert device.violation() == ""


def must_refuse(device: Device, file: bytes, slot: int = B) -> str:
    """Send a file that must not be taken, restart; return why it was refused."""
    old = device.slot(A)
    verdict = device.send(slot, file)
    assert verdict != "ok"
    assert device.arm(slot) != "ok"
    must_live(device, old)
    return verdict


def must_take(device: Device, file: bytes, slot: int = B) -> None:
    """Send a good file; it is taken, tried and confirmed."""
    assert device.send(slot, file) == "ok"
    assert device.arm(slot) == "ok"
    assert device.boot() == (slot, True)
    assert device.confirm() == "ok"
    assert device.boot() == (slot, False)
    assert device.violation() == ""


def flipped(file: bytes, bit: int) -> bytes:
    at = bit // 8
    return file[:at] + bytes([file[at] ^ 1 << bit % 8]) + file[at + 1 :]


# Damaged files


def test_a_file_that_was_cut_short_is_refused_at_every_length(device: Device) -> None:
    file = image_for_b(device)
    reasons = Counter(must_refuse(device, file[:length]) for length in range(len(file)))
    assert reasons == {"format": len(file) - 64, "signature": 64}
    must_take(device, file)


def facts(device: Device, slot: int) -> tuple[Any, ...]:
    """Everything that an image in a slot means."""
    image = device.ffi.new("image_t *")
    assert device.name(device.lib.image_parse(device.layout, slot, image)) == "ok"
    version = image.version
    assert image.board != device.ffi.NULL
    return (
        device.ffi.buffer(image.payload, image.payload_bytes)[:],
        (version.major, version.minor, version.revision, version.build),
        (image.counter, image.is_model, image.has_address, image.address),
        device.ffi.buffer(image.board, image.board_bytes)[:],
        device.ffi.buffer(image.hash, 32)[:],
        image.capability == device.ffi.NULL,
    )


def test_every_flipped_bit_of_header_and_records_is_refused_or_means_the_same(
    device: Device,
) -> None:
    """All that means something is signed or compared; unsigned records that nobody reads may be
    anything."""
    note = tlv(0x70, b"note")
    file = image_for_b(device, more_unprotected=(note,))
    device.load(B, file)
    meaning = facts(device, B)
    taken = []
    for bit in range(8 * len(file)):
        if HEADER_BYTES <= bit // 8 < HEADER_BYTES + 64:  # the payload
            continue
        device.load(B, flipped(file, bit))
        if device.check(B) == "ok":
            taken.append(bit // 8)
            assert facts(device, B) == meaning, f"bit {bit}"
    at = file.index(note)
    area = file.rindex(b"\x07\x69") + 2  # its length: one flip leaves the note out
    assert Counter(taken)[area] == 1
    assert Counter(taken)[at + 4] == 8
    assert set(taken) <= {area, at, at + 1, *range(at + 4, at + len(note))}


@pytest.mark.parametrize("byte", [0, 4, 8, 12, 16, 20, 63, 64, 127, 140, 180, 220, 260])
def test_a_flipped_bit_that_comes_over_the_wire_is_refused(device: Device, byte: int) -> None:
    file = image_for_b(device)
    must_refuse(device, flipped(file, 8 * byte + 3))
    must_take(device, file)


def test_a_file_that_does_not_arrive_as_it_was_sent_is_said_to_be_damaged(device: Device) -> None:
    """The sender's hash is of the good file: the wire is to blame, not the image."""
    file = image_for_b(device)
    old = device.slot(A)
    for _ in range(20):
        assert device.begin(B, file) == "ok"
    damaged = flipped(file, 8 * HEADER_BYTES)
    assert device.lib.upload_write(device.update, device.upload, 0, damaged, len(damaged)) == 0
    finish = device.lib.upload_finish(
        device.update, device.upload, device.ffi.NULL, device.ffi.NULL
    )
    assert device.name(finish) == "hash"
    must_live(device, old)
    must_take(device, file)


# Sound files that are not for this device, or not for this slot

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another board": ({"board": b"joy"}, "board"),
    "a board whose name begins like ours": ({"board": b"toys"}, "board"),
    "no board": ({"board": None}, "board"),
    "an empty name of a board": ({"board": b""}, "board"),
    "the link of the other slot": ({"address": 0x10000 + 1024}, "link"),
    "no address": ({"address": None}, "link"),
    "another key": ({"key": images.key(1)}, "key"),
    "a lower counter": ({"counter": 4}, "counter"),
    "no counter": ({"counter": None}, "counter"),
    "a model": ({"model": True, "address": None}, "kind"),
    "an encrypted image": ({"flags": 0x104}, "format"),
    "a compressed image": ({"flags": 0x300}, "format"),
    "no image": ({"magic": 0x12345678}, "empty"),
    "a small header": ({"image_bytes": 64, "header_bytes": 0x18}, "format"),
    "more payload than there is": ({"image_bytes": 65}, "format"),
    "more payload than the slot has": ({"image_bytes": 5000}, "size"),
    "as much payload as numbers can say": ({"image_bytes": 0xFFFFFFFF}, "size"),
    "protected records that are not there": ({"protect_bytes": 0}, "format"),
    "more protected records than there are": ({"protect_bytes": 200}, "format"),
    "a counter twice": ({"more_protected": (tlv(images.COUNTER, bytes(4)),)}, "format"),
    "a hash twice": ({"more_unprotected": (tlv(images.SHA256, bytes(32)),)}, "format"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_file_for_something_else_is_refused_with_the_reason(device: Device, what: str) -> None:
    fields, reason = WRONG[what]
    good = image_for_b(device)
    assert must_refuse(device, image_for_b(device, **fields)) == reason
    must_take(device, good)


def test_an_older_version_is_welcome_as_long_as_its_counter_is_not_lower(device: Device) -> None:
    must_take(device, image_for_b(device, version=(0, 0, 1, 0)))


@pytest.mark.parametrize("slot", [M0, M1, M2])
def test_a_firmware_is_refused_in_every_model_slot(device: Device, slot: int) -> None:
    assert must_refuse(device, image_for_b(device), slot) == "kind"


def test_a_model_for_another_board_is_refused(device: Device) -> None:
    assert must_refuse(device, images.model(board=b"joy"), M0) == "board"
    assert device.send(M0, images.model(board=b"toy")) == "ok"


# Slots that are full, or taken


@pytest.mark.parametrize("more", [0, 1, 100, 1 << 20])
def test_what_does_not_fit_is_refused_before_anything_is_erased(device: Device, more: int) -> None:
    old = image_for_b(device, version=(0, 9, 0, 0))
    assert device.send(B, old) == "ok"
    room = device.geometry.sizes[B] - 48
    frame = len(image_for_b(device, payload=b""))
    flash = device.flash()
    file = image_for_b(device, payload=b"p" * (room - frame + more))
    assert len(file) == room + more
    if more == 0:
        must_take(device, file)
    else:
        assert device.send(B, file) == "size"
        assert device.flash() == flash
        assert device.arm(B) == "ok"


def test_while_one_image_runs_and_one_waits_no_slot_is_free_for_a_third(device: Device) -> None:
    waiting = image_for_b(device)
    assert device.send(B, waiting) == "ok"
    assert device.arm(B) == "ok"
    flash = device.flash()
    for slot in (A, B):
        assert device.send(slot, image_for_b(device, address=device.address(slot))) == "busy"
    offset = device.ffi.new("uint32_t *")
    for slot in (A, B):
        erased = device.lib.upload_erase(device.update, device.upload, slot, offset)
        assert device.name(erased) == "busy"
    assert device.flash() == flash
    assert device.boot() == (B, True)


def test_with_a_confirmed_model_and_one_on_trial_the_third_slot_is_still_free(
    device: Device,
) -> None:
    for slot, confirm in ((M0, True), (M1, False)):
        assert device.send(slot, images.model(b"plan %d" % slot)) == "ok"
        assert device.arm(slot) == "ok"
        assert device.choose(MODEL).slot == slot
        if confirm:
            assert device.confirm(MODEL) == "ok"
    assert device.send(M0, images.model(b"new")) == "busy"
    assert device.send(M1, images.model(b"new")) == "busy"
    assert device.send(M2, images.model(b"new")) == "ok"
    assert device.choose(MODEL).slot == M1
    assert device.violation() == ""


@pytest.mark.parametrize("behind", [1, 40, 600])
def test_an_image_that_was_armed_before_its_file_was_complete_is_not_written_any_more(
    device: Device, behind: int
) -> None:
    """A file may have bytes behind the image: the image is sound before all of them have come."""
    image = images.model(b"plan" * 100)
    file = image + bytes(behind)
    for _ in range(10):
        assert device.begin(M0, file) == "ok"
    whole = -(-len(image) // 4) * 4
    assert device.lib.upload_write(device.update, device.upload, 0, file, whole) == 0
    assert device.arm(M0) == "ok"
    assert device.choose(MODEL).slot == M0
    assert device.confirm(MODEL) == "ok"
    content = device.slot(M0)
    for at in (device.upload.offset, 0):
        for data in (file[at:], bytes(8)):
            answer = device.lib.upload_write(device.update, device.upload, at, data, len(data))
            assert device.name(answer) == "busy"
    assert device.slot(M0) == content
    assert device.choose(MODEL).slot == M0


# A flash that fails once and then works again


def begun(opened: tuple[Any, Any], write: int, file: bytes) -> Device:
    """A device that waits for the bytes of a file."""
    device = installed(opened, Geometry(write=write))
    device.load(B, bytes(100))
    while not device.upload.erased:
        assert device.begin(B, file) == "ok"
    return device


@pytest.mark.parametrize("sent", ["right", "wrong"])
@pytest.mark.parametrize("shape", range(3), ids=SHAPES)
@pytest.mark.parametrize("write", [4, 32])
def test_an_upload_goes_on_after_any_operation_that_failed(
    opened: tuple[Any, Any], write: int, shape: int, sent: str
) -> None:
    """A piece that reaches over several blocks fails; then it comes as it should be: it may differ
    from what is there in an earlier block than the one that failed."""
    file = installed(opened).firmware(B, bytes(range(256)) * 4)
    piece = file[:1300] if sent == "right" else flipped(file[:1300], 0)
    for number in range(1, 1300 // write + 1):
        device = begun(opened, write, file)
        old = device.slot(A)
        sim = device.lib.flash_sim
        sim.cut_at, sim.shape, sim.seed = sim.operations + number, shape, number
        device.lib.upload_write(device.update, device.upload, 0, piece, len(piece))
        assert sim.dead
        device.lib.flash_sim_power_on()  # RAM has survived: it was no power cut
        assert device.send(B, file, 1300) == "ok", f"operation {number}"
        assert device.slot(B).startswith(file)
        assert device.violation() == "", f"operation {number}"
        must_live(device, old)


def failing(device: Device, after: int = 0) -> None:
    """Let the flash fail at the operation after so many from now."""
    device.lib.flash_sim_power_on()
    device.lib.flash_sim.cut_at = device.lib.flash_sim.operations + 1 + after


def test_what_the_flash_does_not_do_is_said_and_can_be_asked_for_again(device: Device) -> None:
    file, other = (image_for_b(device, payload=p * 900) for p in (b"1", b"2"))
    assert device.send(B, file) == "ok"
    for after in range(2):  # to forget the file that has come, to erase it
        failing(device, after)
        assert device.begin(B, other) == "flash"
    device.lib.flash_sim_power_on()
    assert device.send(B, other) == "ok"
    offset = device.ffi.new("uint32_t *")
    for after in range(2):
        failing(device, after)
        erased = device.lib.upload_erase(device.update, device.upload, B, offset)
        assert device.name(erased) == "flash"
    device.lib.flash_sim_power_on()
    assert device.send(B, file) == "ok"
    assert device.violation() == ""


def test_what_cannot_be_written_down_has_not_happened(device: Device) -> None:
    assert device.send(B, image_for_b(device)) == "ok"
    failing(device)
    assert device.arm(B) == "flash"
    assert device.boot() == (A, False)
    assert device.arm(B) == "ok"
    failing(device)
    assert device.reject() == "flash"
    failing(device)
    assert device.arm(A) == "flash"  # which would end the trial that waits
    assert device.state().trial == B
    assert device.boot() == (B, True)
    failing(device)
    assert device.confirm() == "flash"
    assert device.boot() == (B, True)
    assert device.confirm() == "ok"
    assert device.boot() == (B, False)


def test_a_first_image_runs_even_if_nothing_can_be_written_down(opened: tuple[Any, Any]) -> None:
    device = Device(opened)
    device.load(A, device.firmware(A))
    failing(device)
    choice = device.choose()
    assert (choice.slot, choice.trial) == (A, True)
    assert device.history() == []
    assert device.boot() == (A, True)
    assert [event[0] for event in device.history()] == ["armed", "attempt"]


def test_an_upload_is_over_when_its_slot_is_erased(device: Device) -> None:
    file = image_for_b(device)
    while not device.upload.erased:
        assert device.begin(B, file) == "ok"
    assert device.lib.upload_write(device.update, device.upload, 0, file, 100) == 0
    offset = device.ffi.new("uint32_t *")
    assert device.lib.upload_erase(device.update, device.upload, M0, offset) == 0
    assert device.upload.open
    offset[0] = 0
    assert device.lib.upload_erase(device.update, device.upload, B, offset) == 0
    assert offset[0] == device.geometry.sizes[B]
    answer = device.lib.upload_write(device.update, device.upload, 100, file[100:], 100)
    assert device.name(answer) == "order"
    assert set(device.slot(B)) == {0xFF}
    must_take(device, file)


def test_a_block_that_cannot_be_erased_anew_is_compared_again(opened: tuple[Any, Any]) -> None:
    device = begun(opened, 4, file := installed(opened).firmware(B, bytes(range(256)) * 4))
    wrong = flipped(file, 0)[:100]
    device.lib.upload_write(device.update, device.upload, 0, wrong, 100)
    device.upload.offset, device.upload.keep = 0, 100  # as after a failing write
    failing(device)
    answer = device.lib.upload_write(device.update, device.upload, 0, file, 100)
    assert device.name(answer) == "flash"
    assert (device.upload.offset, device.upload.keep) == (0, device.geometry.erase)
    device.lib.flash_sim_power_on()
    assert device.send(B, file) == "ok"
    assert device.violation() == ""


def test_slots_that_do_not_exist_are_refused_everywhere(device: Device) -> None:
    offset = device.ffi.new("uint32_t *")
    for slot in (5, 32, 255, 0xFFFFFFFF):
        assert device.send(slot, image_for_b(device)) == "format"
        assert device.arm(slot) == "empty"
        assert device.check(slot) == "empty"
        erased = device.lib.upload_erase(device.update, device.upload, slot, offset)
        assert device.name(erased) == "format"
    must_live(device, device.slot(A))


def test_an_image_that_decays_while_it_runs_is_not_confirmed(device: Device) -> None:
    assert device.send(B, image_for_b(device)) == "ok"
    assert device.arm(B) == "ok"
    assert device.boot() == (B, True)
    device.load(B, b"")
    history = device.history()
    assert device.confirm() == "empty"
    assert device.history() == history
    assert device.boot() == (A, False)


def test_a_security_counter_that_decays_while_the_image_runs_is_not_confirmed(
    device: Device,
) -> None:
    """It would count for ever, and no image could run any more."""
    file = image_for_b(device)
    assert device.send(B, file) == "ok"
    assert device.arm(B) == "ok"
    assert device.boot() == (B, True)
    at = file.index(tlv(images.COUNTER, struct.pack("<I", 5))) + 7
    device.load(B, flipped(file, 8 * at + 7))
    assert device.confirm() == "hash"
    assert device.state().counter == 5
    assert device.boot() == (A, False)


# A journal that somebody else has written


@given(st.binary(max_size=1024), st.integers(0, 31))
def test_whatever_lies_in_the_journal_a_sound_image_starts(
    opened: tuple[Any, Any], content: bytes, shift: int
) -> None:
    device = Device(opened)
    device.load(A, device.firmware(A))
    device.lib.flash_sim_load(shift, content, min(len(content), 1024 - shift))
    assert device.boot() == (A, True)
    assert device.confirm() == "ok"
    assert device.boot() == (A, False)
    assert device.violation() == ""


@pytest.mark.parametrize("kind", [0, 5, 15, 22, 255])
@pytest.mark.parametrize("slot", [A, B, M0, 0xFF])
def test_records_of_a_kind_that_is_not_known_change_nothing(
    device: Device, kind: int, slot: int
) -> None:
    def state() -> list[tuple[int, ...]]:
        own = [device.state(c) for c in (FIRMWARE, MODEL)]
        numbers = [(s.confirmed, s.trial, s.attempts, s.rejected, s.counter) for s in own]
        return [*numbers, (device.update.transfer.slot,)]

    before = state()
    record = struct.pack("<BBBBBBHI8sII", kind, slot, 255, 255, 1, 2, 3, 4, b"12345678", 5, 6)
    record += struct.pack("<I", zlib.crc32(record))
    device.lib.flash_sim_load(32 * device.update.journal.next, record, len(record))
    device.restart()
    assert state() == before
    must_live(device, device.slot(A))


@pytest.mark.parametrize("write", [1, 4, 32])
def test_a_place_of_which_any_byte_was_touched_is_never_written(
    opened: tuple[Any, Any], write: int
) -> None:
    """A torn record may have changed its last bytes alone, or its first, or one bit."""
    for at in range(32):
        journal = Journal(opened, write=write)
        assert journal.append(1)
        place = 32 * journal.journal.next
        for value in (0xFE, 0x7F, 0x00):
            journal.lib.flash_sim_load(place + at, bytes([value]), 1)
            journal.open()
            assert 32 * journal.journal.next == place + 32
        assert journal.append(2)
        journal.open()
        assert journal.numbers() == [1, 2], f"byte {at}"
        assert journal.device.violation() == "", f"byte {at}"


def test_after_a_restart_the_block_goes_on_where_it_was(opened: tuple[Any, Any]) -> None:
    """Else each start would wear the flash, and forget the history."""
    journal = Journal(opened)
    for number in range(8):
        journal.open()
        assert journal.append(number)
        if number != 0:
            assert journal.lib.flash_sim.operations == 32 // 4
    assert journal.numbers() == list(range(8))


def test_events_keep_their_numbers_over_blocks_and_restarts(opened: tuple[Any, Any]) -> None:
    journal = Journal(opened)
    for number in range(100):
        assert journal.append(number)
        journal.open()
        assert journal.lib.journal_next_event(journal.journal) == number + 1
        assert journal.numbers()[-1] == number
        assert journal.numbers()[0] == journal.lib.journal_oldest_event(journal.journal)


def test_what_a_slot_holds_is_no_part_of_the_journal(opened: tuple[Any, Any]) -> None:
    """Slots are next to it, and hold what anybody has sent."""
    journal = Journal(opened)
    assert journal.append(1)
    header = struct.pack("<BBBBBBHI8sII", 1, 255, 0, 1, 0, 0, 0, 0, bytes(8), 1000, 7)
    header += struct.pack("<I", zlib.crc32(header))
    journal.device.load(A, header)
    journal.open()
    assert journal.journal.sequence == 1
    assert journal.numbers() == [1]
    while journal.journal.block != 1 or journal.journal.next < journal.device.geometry.erase // 32:
        assert journal.append(2)
    before = journal.records()
    event = struct.pack("<BBBBBBHI8sII", 16, 1, 0, 0, 0, 0, 0, 0, bytes(8), 3, 0)
    journal.device.load(A, event + struct.pack("<I", zlib.crc32(event)))
    journal.open()
    assert journal.records() == before


def test_every_flipped_bit_of_the_journal_leaves_a_device_that_starts(device: Device) -> None:
    assert device.send(B, image_for_b(device)) == "ok"
    flash = device.flash()
    used = 32 * (1 + device.update.journal.next)
    for bit in range(8 * used):
        device.set_flash(flipped(flash, bit))
        slot, trial = device.boot()
        assert (slot, trial) in ((A, False), (A, True)), f"bit {bit}"
        assert device.confirm(FIRMWARE) == "ok"
        assert device.boot() == (A, False), f"bit {bit}"
    assert device.violation() == ""


@pytest.mark.parametrize("trials", range(12))
def test_a_file_whose_slot_was_erased_stays_forgotten_when_the_journal_goes_to_its_next_block(
    device: Device, trials: int
) -> None:
    """That it came is an event, which is copied; that it counts no more is none."""
    device.load(M1, images.model())

    def try_models(count: int) -> None:
        for _ in range(count):
            assert device.arm(M1) == "ok"
            assert device.reject(MODEL) == "ok"

    try_models(trials)
    assert device.send(B, image_for_b(device)) == "ok"
    offset = device.ffi.new("uint32_t *")
    assert device.lib.upload_erase(device.update, device.upload, B, offset) == 0
    try_models(2)
    device.restart()
    assert device.update.transfer.slot == 0xFF


def test_the_hash_that_a_file_is_known_by_is_of_all_its_bytes(device: Device) -> None:
    """Two files that begin alike are two files."""
    file = image_for_b(device)
    other = file + b"\0"
    for _ in range(10):
        assert device.begin(B, file) == "ok"
    assert device.lib.upload_write(device.update, device.upload, 0, file, 100) == 0
    device.restart()
    assert device.begin(B, file) == "ok"
    assert device.upload.keep == 100
    assert device.begin(B, other) == "ok"
    assert set(device.slot(B)) == {0xFF}
    assert device.begin(B, file) == "ok"
    assert hashlib.sha256(file).digest() == bytes(device.upload.sha)
    assert (device.upload.offset, device.upload.keep) == (0, 0)
    assert device.send(B, file) == "ok"
