# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The judge's own reader of the journal says what the firmware's says, whatever has happened."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.update.device import FIRMWARE, MODEL, NONE, Device, Geometry, reason
from torpor.powercut.library import open_proof, proof_library

EVENTS = range(16, 22)


@pytest.fixture(scope="module")
def opened() -> tuple[Any, Any]:
    """Return (ffi, library) of proof and firmware."""
    return open_proof(proof_library("undefined"))


def view_of(device: Device) -> Any:
    view = device.ffi.new("view_t *")
    device.lib.view_read(view, device.layout)
    return view


def differences(device: Device) -> list[str]:
    """Return what the two readers do not agree on."""
    device.restart()
    view, update = view_of(device), device.update
    journal = device.ffi.addressof(update, "journal")
    found = []
    for name, ours, theirs in (
        ("first", view.first, device.lib.journal_oldest_event(journal)),
        ("next", view.first + view.count, device.lib.journal_next_event(journal)),
        ("found", view.found, update.journal.sequence != 0),
        ("transfer", view.sum.transfer.slot, update.transfer.slot),
    ):
        found += [] if ours == theirs else [f"{name}: {ours} is not {theirs}"]
    for component in (FIRMWARE, MODEL):
        ours, theirs = view.sum.state[component], update.state[component]
        for name in ("confirmed", "trial", "attempts", "rejected", "counter"):
            one, other = getattr(ours, name), getattr(theirs, name)
            found += [] if one == other else [f"{component} {name}: {one} is not {other}"]
    return found


def record(device: Device, **fields: Any) -> None:
    """Append a record as the update code would."""
    box = device.ffi.new("journal_record_t *", fields)
    journal = device.ffi.addressof(device.update, "journal")
    snapshot = device.ffi.new("journal_record_t[5]")
    for component in (FIRMWARE, MODEL):
        state = device.update.state[component]
        snapshot[component] = {
            "kind": 2,
            "slot": state.confirmed,
            "reason": state.rejected,
            "attempt": component,
            "detail": [state.counter, 0],
        }
    assert device.lib.journal_append(journal, box, snapshot, 2)


def life(device: Device, choices: random.Random, records: int) -> Iterator[None]:
    """Let events happen that need not make sense; yields after each."""
    for _ in range(records):
        slot = choices.choice([0, 1, 2, 3, 4, NONE])
        record(
            device,
            kind=choices.choice([*EVENTS, 3, 4]),
            slot=slot,
            reason=choices.choice([0, reason("power"), reason("user")]),
            attempt=choices.randrange(4),
            id=choices.randbytes(8),
            detail=[choices.randrange(9), choices.randrange(9)],
        )
        yield


@given(seed=st.integers(0, 2**32), records=st.integers(0, 60), blocks=st.integers(2, 4))
def test_both_readers_agree(opened: tuple[Any, Any], seed: int, records: int, blocks: int) -> None:
    device = Device(opened, Geometry(journal_blocks=blocks))
    for _ in life(device, random.Random(seed), records):
        assert differences(device) == []
    assert differences(device) == []


@given(seed=st.integers(0, 2**32), offset=st.integers(0, 1023), byte=st.integers(0, 255))
def test_both_readers_take_damaged_records_for_absent(
    opened: tuple[Any, Any], seed: int, offset: int, byte: int
) -> None:
    device = Device(opened)
    for _ in life(device, random.Random(seed), 12):
        pass
    device.memory[offset] &= byte
    assert differences(device) == []


def test_events_are_found_by_their_number(opened: tuple[Any, Any]) -> None:
    device = Device(opened)
    for _ in life(device, random.Random(3), 40):
        device.restart()
    view, lib = view_of(device), device.lib
    journal = device.ffi.addressof(device.update, "journal")
    theirs = device.ffi.new("journal_record_t *")
    assert view.first > 0, "the journal was full at least once"
    for number in range(view.first, view.first + view.count):
        ours = lib.view_event(view, number)
        assert lib.journal_event(journal, number, theirs)
        assert bytes(device.ffi.buffer(ours)) == bytes(device.ffi.buffer(theirs))
    for number in (view.first - 1, view.first + view.count):
        assert lib.view_event(view, number) == device.ffi.NULL


def test_flash_without_a_journal_has_no_state(opened: tuple[Any, Any]) -> None:
    device = Device(opened)
    view = view_of(device)
    assert not view.found
    assert view.count == 0
    assert {view.sum.state[i].confirmed for i in (FIRMWARE, MODEL)} == {NONE}
