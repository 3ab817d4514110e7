# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Uploads: in any pieces, over any cut, into slots that hold anything."""

import random
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import images
from tests.update.device import M0, A, B, Device, Geometry, installed

SHAPES = ("prefix", "random", "complete")


def second(device: Device, size: int = 1500, **fields: Any) -> bytes:
    """Return an image for slot B with bytes of all kinds, long runs of 0xFF among them."""
    rng = random.Random(size)
    payload = bytearray(rng.randbytes(size))
    payload[size // 2 : size // 2 + 300] = b"\xff" * len(payload[size // 2 : size // 2 + 300])
    return device.firmware(B, bytes(payload), **fields)


def holds(device: Device, slot: int, file: bytes) -> bool:
    """Say whether a slot holds a file and is erased behind it."""
    content = device.slot(slot)
    return content == file.ljust(len(content), b"\xff")


def newest(device: Device) -> tuple[bytes, int]:
    """Return id and length of the file that the newest event is about."""
    record = device.ffi.new("journal_record_t *")
    journal = device.ffi.addressof(device.update, "journal")
    last = device.lib.journal_next_event(journal) - 1
    assert device.lib.journal_event(journal, last, record)
    return bytes(record.id), record.detail[0]


@pytest.fixture
def device(opened: tuple[Any, Any]) -> Device:
    """Return a device whose firmware in A is confirmed and runs."""
    return installed(opened)


@pytest.mark.parametrize("old", ["erased", "zeros", "image", "noise"])
@pytest.mark.parametrize("chunk", [32, 33, 100, 685, 4000])
def test_a_file_arrives_whole_whatever_the_slot_held(device: Device, chunk: int, old: str) -> None:
    size = device.geometry.sizes[B]
    noise = random.Random(1).randbytes(size)
    before = {"erased": b"", "zeros": bytes(size), "image": second(device, 3000), "noise": noise}
    device.load(B, before[old])
    file = second(device)
    assert device.send(B, file, chunk) == "ok"
    assert holds(device, B, file)
    assert device.arm(B) == "ok"
    assert device.boot() == (B, True)
    assert device.violation() == ""


@pytest.mark.parametrize("write", [1, 4, 8, 16, 32])
@pytest.mark.parametrize("size", range(1000, 1033, 4))
def test_files_of_any_length_fill_whole_units(
    opened: tuple[Any, Any], size: int, write: int
) -> None:
    device = installed(opened, Geometry(write=write))
    file = second(device, size)
    assert device.send(B, file) == "ok"
    assert holds(device, B, file)
    assert device.violation() == ""


def test_erasing_takes_several_answers_of_a_second_each(device: Device) -> None:
    device.load(B, bytes(device.geometry.sizes[B]))
    file = second(device)
    steps = 0
    while not device.upload.erased:
        assert device.begin(B, file) == "ok"
        assert device.upload.offset == 0
        steps += 1
    assert steps == device.geometry.sizes[B] // device.geometry.erase // 2


def test_of_a_slot_that_looks_erased_only_the_beginning_is_erased(device: Device) -> None:
    before = device.lib.flash_sim.operations
    device.begin(B, second(device))
    assert device.upload.erased
    assert device.lib.flash_sim.operations - before == 2 + 32 // 4, "two blocks and a record"


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("blocks", [0, 1, 3, 5])
def test_no_answer_takes_longer_than_it_may_whatever_the_slot_holds(
    device: Device, blocks: int, step: int
) -> None:
    """What looks erased takes as long to erase as anything else."""
    device.layout.erase_step = step
    device.load(B, bytes(blocks * device.geometry.erase))
    offset = device.ffi.new("uint32_t *")
    while offset[0] < device.geometry.sizes[B]:
        before = device.lib.flash_sim.operations
        assert device.lib.upload_erase(device.update, device.upload, B, offset) == 0
        assert device.lib.flash_sim.operations - before <= step
    assert set(device.slot(B)) == {0xFF}


def test_a_block_whose_erasing_was_cut_is_erased_again_even_if_it_looks_erased(
    device: Device,
) -> None:
    """Its cells may read as erased today, and hold nothing tomorrow."""

    def erase() -> None:
        while not device.upload.erased and not sim.dead:
            device.begin(B, file)

    sim, size, file = device.lib.flash_sim, device.geometry.erase, second(device)
    device.load(B, second(device, 3000))
    before, operation = device.flash(), 0
    dirty = device.ffi.new("uint8_t[]", device.geometry.total // size)
    while True:
        operation += 1
        device.set_flash(before)
        device.boot()
        sim.cut_at, sim.shape = operation, SHAPES.index("complete")
        erase()
        torn = sim.cut_offset // size
        if not sim.cut_erase:
            break
        device.boot()
        device.ffi.memmove(dirty, bytes(len(dirty)), len(dirty))
        sim.dirty = dirty
        erase()
        sim.dirty = device.ffi.NULL
        assert dirty[torn], f"operation {operation}"
    assert operation > 3000 // size + 1


@pytest.mark.parametrize("slot", [A, 5, 200])
def test_a_slot_that_is_in_use_or_does_not_exist_is_refused(device: Device, slot: int) -> None:
    before = device.flash()
    assert device.begin(slot, device.firmware(A)) == ("busy" if slot == A else "format")
    assert device.flash() == before


def test_a_waiting_trial_is_not_overwritten(device: Device) -> None:
    file = second(device)
    device.send(B, file)
    device.arm(B)
    assert device.begin(B, second(device, 900)) == "busy"
    offset = device.ffi.new("uint32_t *")
    assert device.name(device.lib.upload_erase(device.update, device.upload, B, offset)) == "busy"
    assert holds(device, B, file)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"address": 0x77}, "link"),
        ({"magic": 1}, "empty"),
        ({"model": True}, "kind"),
        ({"flags": 4}, "format"),
        ({"image_bytes": 1 << 20}, "size"),
    ],
)
def test_what_the_header_tells_is_refused_before_anything_is_erased(
    device: Device, fields: dict[str, Any], reason: str
) -> None:
    device.load(B, second(device))
    before = device.flash()
    file = images.ImageParts(**{"address": device.address(B), **fields}).build()
    assert device.send(B, file) == reason
    assert device.flash() == before


@pytest.mark.parametrize("extra", [0, 1])
def test_a_file_fills_the_slot_up_to_the_trailer(device: Device, extra: int) -> None:
    room = device.geometry.sizes[B] - 48
    file = second(device, room - len(second(device, 0)) + extra)
    assert len(file) == room + extra
    assert device.send(B, file) == ("size" if extra else "ok")


def test_a_file_that_is_shorter_than_a_header_is_refused(device: Device) -> None:
    assert device.name(
        device.lib.upload_begin(
            device.update, device.upload, B, 31, bytes(32), device.ffi.NULL
        )
    ) == "format"  # fmt: skip


def test_bytes_out_of_order_are_ignored(device: Device) -> None:
    file = second(device)
    device.begin(B, file)
    lib = device.lib
    assert lib.upload_write(device.update, device.upload, 0, file, 100) == 0
    for offset in (0, 64, 200, 0xFFFFFFFF):
        assert lib.upload_write(device.update, device.upload, offset, bytes(100), 100) == 0
        assert device.upload.offset == 100
    assert device.send(B, file) == "ok"
    assert holds(device, B, file)


def test_without_an_upload_bytes_are_refused(device: Device) -> None:
    lib = device.lib
    answer = lib.upload_write(device.update, device.upload, 0, bytes(32), 32)
    assert device.name(answer) == "order"
    null = device.ffi.NULL
    assert device.name(lib.upload_finish(device.update, device.upload, null, null)) == "order"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"key": images.key(5)}, "key"), ({"board": b"other"}, "board"), ({"counter": 0}, "counter")],
)
def test_a_bad_image_is_refused_at_the_end_and_forgotten(
    opened: tuple[Any, Any], fields: dict[str, Any], reason: str
) -> None:
    device = installed(opened, counter=3)
    file = second(device, **{"counter": 3, **fields})
    assert device.send(B, file) == reason
    assert device.history()[-1] == ("refused", B, reason, 0)
    assert newest(device) == (sha256(file).digest()[:8], len(file))
    assert device.update.transfer.slot == 0xFF
    assert device.boot() == (A, False)
    assert device.send(B, file) == reason, "the same file again, from its beginning"
    assert device.send(B, second(device, counter=3)) == "ok"


def test_a_file_that_arrives_changed_is_said_to_be(device: Device) -> None:
    file = second(device)
    assert device.begin(B, file) == "ok"
    wrong = file[:700] + b"!" + file[701:]
    lib, null = device.lib, device.ffi.NULL
    while not lib.upload_is_complete(device.upload):
        at = device.upload.offset
        lib.upload_write(device.update, device.upload, at, wrong[at:], len(wrong) - at)
    assert device.name(lib.upload_finish(device.update, device.upload, null, null)) == "hash"


def test_a_lost_cable_costs_nothing(device: Device) -> None:
    """The client comes back, begins again and is told where to go on."""
    file = second(device)
    device.begin(B, file)
    device.lib.upload_write(device.update, device.upload, 0, file, 1000)
    assert device.begin(B, file) == "ok"
    assert device.upload.offset == 1000
    assert device.send(B, file) == "ok"


def test_another_file_begins_anew(device: Device) -> None:
    file = second(device)
    device.begin(B, file)
    device.lib.upload_write(device.update, device.upload, 0, file, 1000)
    other = second(device, 1200)
    assert device.send(B, other) == "ok"
    assert holds(device, B, other)


def test_after_a_restart_it_goes_on_in_the_block_where_it_stopped(device: Device) -> None:
    file = second(device)
    device.begin(B, file)
    device.lib.upload_write(device.update, device.upload, 0, file, 1900)
    device.boot()
    assert device.begin(B, file) == "ok"
    assert device.upload.offset == 1900 // 512 * 512
    before = device.lib.flash_sim.operations
    assert device.send(B, file) == "ok"
    assert device.lib.flash_sim.operations - before <= (len(file) - 1900) // 4 + 2
    assert holds(device, B, file)
    assert device.violation() == ""


@pytest.mark.parametrize("sent", [1, 512, 513, 1024])
def test_it_goes_on_in_the_block_of_the_last_byte_that_came(
    opened: tuple[Any, Any], sent: int
) -> None:
    device = installed(opened, Geometry(write=1))
    file = second(device)
    assert device.begin(B, file) == "ok"
    assert device.lib.upload_write(device.update, device.upload, 0, file, sent) == 0
    device.boot()
    assert device.begin(B, file) == "ok"
    end = len(file[:sent].rstrip(b"\xff"))
    assert device.upload.offset == (end - 1) // 512 * 512


def test_what_a_slot_has_received_is_forgotten_before_anything_is_erased(device: Device) -> None:
    assert device.send(B, second(device, 3000)) == "ok"
    assert device.begin(B, second(device)) == "ok"
    assert not device.upload.erased
    assert device.update.transfer.slot == 0xFF


def test_a_complete_file_is_found_complete_after_a_restart(device: Device) -> None:
    file = second(device)
    assert device.send(B, file) == "ok"
    device.boot()
    before = device.lib.flash_sim.operations
    assert device.send(B, file) == "ok"
    assert device.lib.flash_sim.operations == before, "it is compared, not written"


def test_an_erased_slot_forgets_what_it_received(device: Device) -> None:
    file = second(device)
    assert device.send(B, file) == "ok"
    offset = device.ffi.new("uint32_t *", 0)
    while offset[0] < device.geometry.sizes[B]:
        assert device.lib.upload_erase(device.update, device.upload, B, offset) == 0
    assert holds(device, B, b"")
    assert device.update.transfer.slot == 0xFF
    device.boot()
    assert device.send(B, file) == "ok"
    assert holds(device, B, file)


@pytest.mark.parametrize("shape", range(3), ids=SHAPES)
@pytest.mark.parametrize("write", [4, 16])
def test_a_cut_at_any_operation_of_an_upload_does_no_harm(
    opened: tuple[Any, Any], write: int, shape: int
) -> None:
    """The old image boots, and the upload goes on to its end."""
    device = installed(opened, Geometry(write=write))
    device.load(B, second(device, 2000))
    file = second(device, 600)
    before = device.flash()
    operation, whole = 0, False
    while not whole:
        operation += 1
        device.set_flash(before)
        device.boot()
        sim = device.lib.flash_sim
        sim.operations, sim.cut_at, sim.shape, sim.seed = 0, operation, shape, operation
        whole = device.send(B, file) == "ok" and not sim.dead
        assert device.boot() == (A, False)
        assert device.send(B, file) == "ok"
        assert holds(device, B, file), f"operation {operation}"
        assert device.violation() == ""
    assert operation > 600 // write


@pytest.mark.parametrize("seed", range(30))
def test_many_cuts_in_one_upload_do_no_harm(opened: tuple[Any, Any], seed: int) -> None:
    device = installed(opened, Geometry(write=4 << seed % 4))
    device.load(B, bytes(device.geometry.sizes[B]))
    file = second(device, 1800)
    rng = random.Random(seed)
    for _ in range(12):
        sim = device.lib.flash_sim
        sim.operations, sim.cut_at, sim.shape = 0, rng.randrange(1, 200), rng.randrange(3)
        sim.seed = rng.getrandbits(60)
        device.send(B, file, rng.choice([32, 100, 685]))
        assert device.boot() == (A, False)
    assert device.send(B, file) == "ok"
    assert holds(device, B, file)
    assert device.violation() == ""


@given(
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=12),
    restarts=st.sets(st.integers(0, 11)),
    write=st.sampled_from([1, 4, 32]),
)
def test_pieces_of_any_size_and_restarts_between_them_make_the_same_file(
    opened: tuple[Any, Any], sizes: list[int], restarts: set[int], write: int
) -> None:
    device = installed(opened, Geometry(write=write))
    file = second(device, 900)
    device.begin(B, file)
    for number, size in enumerate(sizes):
        at = device.upload.offset
        piece = file[at : at + size]
        assert device.lib.upload_write(device.update, device.upload, at, piece, len(piece)) == 0
        if number in restarts:
            device.boot()
            assert device.begin(B, file) == "ok"
    assert device.send(B, file) == "ok"
    assert holds(device, B, file)
    assert device.violation() == ""


def test_models_are_uploaded_like_firmware(device: Device) -> None:
    file = images.model(bytes(range(256)) * 3)
    assert device.send(M0, file) == "ok"
    assert device.arm(M0) == "ok"
    assert device.choose(1).slot == M0
    assert device.begin(M0, file) == "busy"
