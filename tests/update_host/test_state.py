# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a device says about its slots, in words."""

from dataclasses import replace

import pytest

from torpor.update.state import (
    FIRMWARE,
    MODEL,
    Component,
    Slot,
    SlotImage,
    Status,
    Transfer,
    component_of,
    short_name,
    slot_name,
)

IDLE = Component(None, None, None, 0, frozenset(), 0)
IMAGES = {slot: SlotImage(f"1.{slot}.0", bytes([slot]) * 32) for slot in range(3)}


def status(firmware: Component = IDLE, model: Component = IDLE, **changes: object) -> Status:
    slots = tuple(Slot(0x1000 * i, 0x1000, 0x1000 * i) for i in range(5))
    made = Status("toy", True, (firmware, model), slots, IMAGES, None, 0, 4096, 4)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "slot", "words"),
    [
        (IDLE, 0, ["ready"]),
        (IDLE, 3, ["free"]),
        (replace(IDLE, running=0, confirmed=0), 0, ["running", "confirmed"]),
        (replace(IDLE, confirmed=0, trial=1), 1, ["on trial"]),
        (replace(IDLE, running=1, trial=1, attempts=2), 1, ["running", "on trial, attempt 2 of 3"]),
        (replace(IDLE, confirmed=0, rejected=frozenset({1})), 1, ["rejected"]),
    ],
)
def test_a_slot_is_described_by_its_component(
    state: Component, slot: int, words: list[str]
) -> None:
    assert status(state, state).words(slot) == words


def test_a_slot_that_receives_a_file_says_how_far_it_is() -> None:
    receiving = status(transfer=Transfer(3, 1000, 459))
    assert receiving.words(3) == ["receiving, 45 %"]
    assert receiving.words(4) == ["free"]
    interrupted = status(transfer=Transfer(3, 1000, 0))  # how far is known when it goes on
    assert interrupted.words(3) == ["upload incomplete"]


def test_a_slot_whose_rejected_image_is_overwritten_is_not_rejected() -> None:
    rejected = replace(IDLE, rejected=frozenset({3}))
    assert status(model=rejected).words(3) == ["free"]
    assert status(model=rejected, transfer=Transfer(3, 1000, 180)).words(3) == ["receiving, 18 %"]


def test_a_file_that_has_arrived_is_not_received_any_more() -> None:
    assert status(transfer=Transfer(2, 1000, 0)).words(2) == ["ready"]  # after a restart
    confirmed = replace(IDLE, running=2, confirmed=2)
    done = status(model=confirmed, images={}, transfer=Transfer(2, 1000, 0))
    assert done.words(2) == ["running", "confirmed"]


def test_an_image_that_cannot_run_is_broken() -> None:
    images = {1: replace(IMAGES[1], bootable=False)}
    assert status(images=images).words(1) == ["broken"]


@pytest.mark.parametrize("member", ["running", "confirmed", "trial"])
def test_what_runs_is_confirmed_or_on_trial_is_protected(member: str) -> None:
    state = status(replace(IDLE, **{member: 1}))  # type: ignore[arg-type]
    assert [slot for slot in range(5) if state.is_protected(slot)] == [1]


def test_slots_are_found_by_the_hash_of_their_image_within_their_component() -> None:
    same = {0: IMAGES[0], 1: IMAGES[0], 2: IMAGES[0]}
    assert status(images=same).holding(FIRMWARE, IMAGES[0].hash) == [0, 1]
    assert status(images=same).holding(MODEL, IMAGES[0].hash) == [2]
    assert status().holding(FIRMWARE, bytes(32).replace(b"\0", b"x")) == []


def test_slots_are_called_as_people_call_them() -> None:
    assert [slot_name(n) for n in (0, 1, 2, 4)] == [
        *("slot A", "slot B", "model slot 0", "model slot 2")
    ]
    assert [short_name(n) for n in (1, 3)] == ["B", "model 1"]
    assert [component_of(n) for n in range(5)] == [FIRMWARE] * 2 + [MODEL] * 3


def test_an_id_is_the_beginning_of_the_hash() -> None:
    assert IMAGES[2].id == b"\2" * 8
