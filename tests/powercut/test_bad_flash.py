# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Flash that wears out: a block that fails for good costs what is in it, not the device."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.update.device import A, B, Device, Geometry
from torpor.image.layout import TRAILER_BYTES
from torpor.powercut.library import open_update

BLOCK = 512
UPDATES = 4
"""So many fill a block of the journal, and another one."""


@pytest.fixture
def opened() -> Iterator[tuple[Any, Any]]:
    """Return (ffi, library); the flash is whole again behind the test."""
    ffi, lib = open_update("undefined")
    yield ffi, lib
    lib.flash_sim.bad = {"offset": 0, "size": 0}


def try_update(device: Device, slot: int, payload: bytes) -> str:
    """Send an image that fills its slot, try it, confirm it; return the first answer not "ok"."""
    room = device.geometry.sizes[slot] - TRAILER_BYTES - len(device.firmware(slot, b""))
    answer = device.send(slot, device.firmware(slot, payload * room))
    if answer == "ok":
        answer = device.arm(slot)
    if answer == "ok":
        assert device.boot() == (slot, True)
        answer = device.confirm()
    return answer


def answers_of(device: Device) -> set[str]:
    """Let a device with an image in slot A live; return what its updates were answered."""
    assert device.boot() == (A, True)
    assert device.confirm() == "ok", "another block of the journal is good"
    running, answers = A, set()
    for number in range(UPDATES):
        answer = try_update(device, 1 - running, b"%d" % number)
        running = 1 - running if answer == "ok" else running
        assert device.boot() == (running, False)
        answers.add(answer)
    return answers


@pytest.mark.parametrize("journal_blocks", [2, 3])
def test_a_device_lives_on_whatever_block_has_failed_for_good(
    opened: tuple[Any, Any], journal_blocks: int
) -> None:
    place = Geometry(journal_blocks=journal_blocks)
    for block in range((place.offsets[B] + place.sizes[B]) // BLOCK):
        device = Device(opened, place)
        device.load(A, device.firmware(A, b"old"))
        opened[1].flash_sim.bad = {"offset": block * BLOCK, "size": BLOCK}
        # of a journal of two blocks the other one is full some day: then nothing can be changed
        fails = block * BLOCK >= place.offsets[A] or journal_blocks == 2
        answers = answers_of(device)
        assert answers <= {"ok", "flash"}
        assert ("flash" in answers) == fails, f"block {block}"
        assert device.violation() == ""
