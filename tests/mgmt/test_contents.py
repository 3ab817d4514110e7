# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a device says of the images in its slots, whatever is in them."""

from typing import Any

import pytest

from tests.mgmt.device import Device, able, copy_plan
from tests.support import images
from tests.update.device import M0, M1, M2, A, B
from torpor.plan import layout
from torpor.update import messages


def named(text: bytes, **header: int) -> bytes:
    """Return a plan whose name is that, or where its header says."""
    made = bytearray(copy_plan())
    made += text + b"\0"
    fields = {"strings": 0, "name": len(made) - len(text) - 1} | header
    for member, value in fields.items():
        offset = dict(layout.fields("plan_header_t"))[member].offset
        made[offset : offset + 4] = value.to_bytes(4, "little")
    return bytes(made)


def test_the_contents_of_the_slots_are_those_of_their_images(device: Device) -> None:
    second = device.firmware(B, counter=3, capability=able(77))
    device.load(B, second)
    model = images.model(named(b"motion"), counter=5)
    device.load(M1, model)
    device.load(M2, b"no image")
    said = device.ask(messages.ContentsRead())
    assert said.key == images.key_hash(images.key())
    found = {part.slot: part for part in said.images}
    assert sorted(found) == [A, B, M1]
    assert (found[B].bytes, found[B].counter) == (len(second), 3)
    assert (found[B].capability, found[B].plan, found[B].name) == (able(77), b"", b"")
    assert (found[M1].bytes, found[M1].counter, found[M1].name) == (len(model), 5, b"motion")
    assert (found[M1].capability, found[M1].plan) == (b"", named(b"motion")[:96])


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        (named(b"m" * 40), b"m" * 32),
        (named(b"\xff\x1b"), b"\xff\x1b"),
        (named(b""), b""),
        (named(b"x", name=2**32 - 1), b""),
        (named(b"x", name=2**32 - 1, strings=2**32 - 1), b""),
        (named(b"last")[:-1], b"last"),
    ],
    ids=["long", "no-text", "empty", "none", "beyond", "endless"],
)
def test_the_name_in_a_plan_is_taken_from_its_image_alone(
    device: Device, plan: bytes, name: bytes
) -> None:
    device.load(M0, images.model(plan))
    assert device.ask(messages.ContentsRead()).images[-1].name == name


def test_the_longest_contents_fit(opened: tuple[Any, Any]) -> None:
    device = Device(opened)
    for slot in (A, B):
        device.load(slot, device.firmware(slot, counter=2**32 - 1))
    for slot in (M0, M1, M2):
        device.load(slot, images.model(named(b"m" * 40), counter=2**32 - 1))
    assert len(device.ask(messages.ContentsRead()).images) == 5


@pytest.mark.parametrize("payload", [b"plan", bytes(96)], ids=["short", "other"])
def test_a_model_that_holds_no_plan_has_none(device: Device, payload: bytes) -> None:
    device.load(M0, images.model(payload))
    found = device.ask(messages.ContentsRead()).images[-1]
    assert (found.slot, found.plan, found.name) == (M0, b"", b"")
