# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Updates on every lane: what is good stays, what hangs or crashes goes, power may fail."""

import dataclasses
import hashlib
import random

import pytest

from tests.emulated.smp import PART_BYTES, WRITE, Refused
from tests.lanes import kit
from tests.lanes.fingerprint import Observations
from tests.lanes.stand import FIRMWARE, MODEL, NO_SLOT, Stand
from torpor.image.build import contents_of, sign
from torpor.image.keys import development_key
from torpor.image.layout import TLV_BOARD
from torpor.image.parse import parse
from torpor.image.version import Version
from torpor.update.journal import Event
from torpor.update.symbols import Symbols

HANG_S = 5.0  # of silence, which a person would take for a hang
PRESSES = 12  # three attempts, and those that came too early
CALLERS = ("cortexm_reset", "riscv_reset")  # of main()


def history(events: list[Event]) -> list[tuple[str, str, str]]:
    """Return what is the same whichever slot was free."""
    return [(e.kind, str(e.version), e.reason.name) for e in events]


def test_new_firmware_is_tried_and_confirms_itself(bench: Stand, seen: Observations) -> None:
    since = bench.smp.next_event()
    slot, image = bench.firmware("new")
    bench.bring(slot, image)
    bench.run_trial(slot)
    assert bench.running(FIRMWARE) == slot
    told = history(bench.events(since))
    assert [kind for kind, *_ in told] == ["upload", "armed", "attempt", "confirmed"]
    seen.see("history", told)


@pytest.mark.slow
def test_firmware_that_hangs_goes_back_to_the_one_before(bench: Stand, seen: Observations) -> None:
    if not bench.hang_ends and bench.press_reset is None:
        pytest.skip("no watchdog, and nobody to press the reset button")
    before, since = bench.running(FIRMWARE), bench.smp.next_event()
    slot, image = bench.firmware("hung")
    bench.bring(slot, image)
    if bench.hang_ends:
        bench.smp.reset()
    else:
        press_until_it_is_back(bench)
    assert (bench.running(FIRMWARE), bench.state(FIRMWARE)["confirmed"]) == (before, before)
    events = bench.events(since)
    (end,) = [event for event in events if event.kind == "reverted"]
    if bench.hang_ends:
        assert end.reason.name == "watchdog"
        assert function_of(bench, "hung", slot, end.pc) in ("main", None)  # where hardware says it
    seen.see("history", history(events))


def press_until_it_is_back(bench: Stand) -> None:
    """Each attempt of a trial is ended by a reset from outside."""
    assert bench.press_reset
    bench.smp.said.clear()
    bench.smp.ask(WRITE, 0, 5)
    for _ in range(PRESSES):
        if bench.speaks(HANG_S):
            return
        bench.press_reset()
    raise AssertionError("it does not come back")


def function_of(bench: Stand, kind: str, slot: int, address: int | None) -> str | None:
    if address is None:
        return None
    elf = kit.firmware_elf(bench.board.name, kind, slot, bench.engine)
    name = Symbols.read(elf).name(address)
    return name and name.partition("+")[0]


def test_firmware_that_crashes_goes_back_and_says_where(bench: Stand, seen: Observations) -> None:
    before, since = bench.running(FIRMWARE), bench.smp.next_event()
    slot, image = bench.firmware("crashing")
    bench.bring(slot, image)
    bench.smp.reset()
    assert bench.running(FIRMWARE) == before
    events = bench.events(since)
    attempts = [event.attempt for event in events if event.kind == "attempt"]
    (end,) = [event for event in events if event.kind == "reverted"]
    assert attempts == [1, 2, 3] and end.reason.name == "fault"
    assert function_of(bench, "crashing", slot, end.pc) == "main"
    caller = function_of(bench, "crashing", slot, end.lr)
    assert caller in (CALLERS if bench.board.memory else (None,)), "a process has a loader"
    seen.see("history", history(events))


@pytest.mark.parametrize("seed", [1, 2])
def test_power_that_fails_in_an_upload_costs_what_is_missing(
    bench: Stand, seen: Observations, seed: int
) -> None:
    if bench.power_cycle is None:
        pytest.skip("nobody to pull the plug: --power-cycle COMMAND")
    slot, image = bench.firmware("new")
    parts = random.Random(seed).randrange(1, len(image.data) // PART_BYTES)
    there = begin_upload(bench, slot, image.data, parts)
    bench.power_cycle()
    bench.smp.forget()
    bench.until(bench.smp.status)
    first = begin_upload(bench, slot, image.data, 1)
    assert first > there / 2, "it goes on about where it was"
    bench.bring(slot, image)
    bench.run_trial(slot)
    seen.see("parts", parts)


def begin_upload(bench: Stand, slot: int, data: bytes, parts: int) -> int:
    """Send some parts; return how far the device has it."""

    sha, offset = hashlib.sha256(data).digest(), 0
    for _ in range(parts):
        first = {"image": slot, "len": len(data), "sha": sha} if offset == 0 else {}
        part = data[offset : offset + PART_BYTES]
        offset = bench.smp.ask(WRITE, 1, 1, off=offset, data=part, **first)["off"]
    return offset


def test_a_restart_changes_nothing(bench: Stand, seen: Observations) -> None:
    before = (bench.running(FIRMWARE), bench.state(FIRMWARE))
    bench.smp.reset()
    assert (bench.running(FIRMWARE), bench.state(FIRMWARE)) == before
    seen.see("trial", before[1]["trial"])


def test_an_image_of_another_board_is_refused_and_nothing_happens(
    bench: Stand, seen: Observations
) -> None:
    slot, image = bench.firmware("new")
    contents = contents_of(parse(image.data))
    records = tuple((k, b"toaster" if k == TLV_BOARD else value) for k, value in contents.records)
    changed = dataclasses.replace(contents, records=records)
    foreign = sign(changed, development_key(), Version.parse("9.0.0"))
    check_refused(bench, slot, foreign)
    seen.see("trial", bench.state(FIRMWARE)["trial"])


def test_a_damaged_image_is_refused_and_nothing_happens(bench: Stand, seen: Observations) -> None:
    slot, image = bench.firmware("new")
    at = len(image.data) // 2
    damaged = image.data[:at] + bytes([image.data[at] ^ 1]) + image.data[at + 1 :]
    check_refused(bench, slot, damaged)
    seen.see("trial", bench.state(FIRMWARE)["trial"])


def check_refused(bench: Stand, slot: int, data: bytes) -> None:
    before = bench.running(FIRMWARE)
    with pytest.raises(Refused):
        bench.smp.upload(slot, data)
        bench.smp.arm(parse(data).hash)
    assert bench.state(FIRMWARE)["trial"] == NO_SLOT
    bench.smp.reset()
    assert bench.running(FIRMWARE) == before


def test_a_model_is_switched_between_two_inferences(bench: Stand, seen: Observations) -> None:
    client, small = bench.client(), kit.held_out(4)
    for bits in (4, 8):
        held, image = kit.held_out(bits), kit.model_image(bits, bench.board.name, bench.engine)
        slot = bench.free(MODEL)
        bench.bring(slot, image)
        bench.until_confirmed(MODEL, slot)
        for window in range(4):
            answer = client.infer(window, [held.inputs[window]])
            assert answer.outputs[0] == held.outputs[window]
            seen.see(f"int{bits} {window}", answer.outputs[0], everywhere=True)
        assert bench.running(MODEL) == slot
    assert small.outputs[:4] != kit.held_out(8).outputs[:4], "the two models can be told apart"
