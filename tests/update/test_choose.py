# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What runs, when it goes on trial, and how the device goes back."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import images
from tests.update.device import M0, M1, M2, MODEL, NONE, A, B, Device, Geometry, installed

ENDS = ["power", "reset", "watchdog", "fault", "restart"]


@pytest.fixture
def device(opened: tuple[Any, Any]) -> Device:
    """Return a device whose firmware in A is confirmed and runs, another one waits in B."""
    device = installed(opened)
    device.load(B, device.firmware(B, b"second", version=(2, 0, 0, 0)))
    return device


def empty(opened: tuple[Any, Any]) -> Device:
    """Return a device as it leaves the chip factory."""
    return Device(opened)


# ---- first installation


def test_without_an_image_nothing_runs_and_nothing_is_written(opened: tuple[Any, Any]) -> None:
    device = empty(opened)
    choice = device.choose()
    assert (choice.slot, device.name(choice.why)) == (NONE, "empty")
    assert device.flash() == b"\xff" * device.geometry.total


def test_why_nothing_runs_is_what_is_wrong_with_the_image_that_is_there(
    opened: tuple[Any, Any],
) -> None:
    device = empty(opened)
    device.load(B, device.firmware(B, key=images.key(1)))
    choice = device.choose()
    assert (choice.slot, device.name(choice.why)) == (NONE, "key")


@pytest.mark.parametrize("slot", [A, B])
def test_the_first_image_goes_on_trial_by_itself_and_is_confirmed(
    opened: tuple[Any, Any], slot: int
) -> None:
    device = empty(opened)
    device.load(slot, device.firmware(slot))
    assert device.boot() == (slot, True)
    assert device.confirm() == "ok"
    assert device.boot() == (slot, False)
    assert [event[:3] for event in device.history()] == [
        ("armed", slot, "empty"),
        ("attempt", slot, "ok"),
        ("confirmed", slot, "ok"),
    ]


def test_a_first_image_that_never_confirms_is_tried_for_ever(opened: tuple[Any, Any]) -> None:
    """There is nothing else: after three attempts the journal is left alone."""
    device = empty(opened)
    device.load(A, device.firmware(A))
    for _ in range(10):
        assert device.boot("watchdog") == (A, True)
    assert [event[0] for event in device.history()] == ["armed", *["attempt"] * 3, "reverted"]
    assert device.confirm() == "ok"
    assert device.boot() == (A, False)


def test_of_two_first_images_the_other_one_is_tried_when_one_fails(
    opened: tuple[Any, Any],
) -> None:
    device = empty(opened)
    device.load(A, device.firmware(A))
    device.load(B, device.firmware(B))
    for _ in range(3):
        assert device.boot("fault") == (A, True)
    assert device.boot("fault") == (B, True)
    assert device.confirm() == "ok"
    assert device.boot() == (B, False)


# ---- trial


def test_a_confirmed_image_runs_however_often(device: Device) -> None:
    before = device.flash()
    for end in ENDS * 3:
        assert device.boot(end) == (A, False)
    assert device.flash() == before, "a boot without news writes nothing"


def test_an_image_that_nobody_armed_does_not_run(device: Device) -> None:
    assert device.boot() == (A, False)


def test_an_armed_image_runs_on_trial_and_stays_once_confirmed(device: Device) -> None:
    assert device.arm(B) == "ok"
    assert device.boot("restart") == (B, True)
    assert device.confirm() == "ok"
    for end in ENDS:
        assert device.boot(end) == (B, False)


def test_confirming_twice_writes_once(device: Device) -> None:
    device.arm(B)
    device.boot()
    assert device.confirm() == "ok"
    before = device.flash()
    assert device.confirm() == "ok"
    assert device.flash() == before


@pytest.mark.parametrize("end", ENDS)
def test_three_attempts_then_back_with_the_reason_of_the_last(device: Device, end: str) -> None:
    device.arm(B)
    for attempt in range(1, 4):
        assert device.boot(end, pc=0x1234, lr=0x5678) == (B, True)
        assert device.state().attempts == attempt
    assert device.boot(end, pc=0x1234, lr=0x5678) == (A, False)
    assert device.history()[-5:] == [
        ("armed", B, "ok", 0),
        ("attempt", B, "ok", 1),
        ("attempt", B, end, 2),
        ("attempt", B, end, 3),
        ("reverted", B, end, 0),
    ]
    assert device.boot(end) == (A, False)


def test_where_it_faulted_is_in_the_record(device: Device) -> None:
    device.arm(B)
    device.boot()
    device.boot("fault", pc=0x1111, lr=0x2222)
    device.boot("watchdog", pc=0x3333, lr=0x4444)
    device.boot("fault", pc=0x5555, lr=0x6666)
    journal = device.ffi.addressof(device.update, "journal")
    record = device.ffi.new("journal_record_t *")
    last = device.lib.journal_next_event(journal)
    details = []
    for number in range(last - 3, last):
        assert device.lib.journal_event(journal, number, record)
        details.append(tuple(record.detail))
    assert details == [(0x1111, 0x2222), (0x3333, 0x4444), (0x5555, 0x6666)]


def test_power_loss_costs_one_attempt_and_is_recorded_as_such(device: Device) -> None:
    device.arm(B)
    assert device.boot() == (B, True)
    assert device.boot("power") == (B, True)
    assert device.history()[-1] == ("attempt", B, "power", 2)
    assert device.confirm() == "ok"
    assert device.boot() == (B, False)


@pytest.mark.parametrize("why", ["self_test", "quality", "user"])
def test_a_rejected_trial_goes_back_at_the_next_restart(device: Device, why: str) -> None:
    device.arm(B)
    device.boot()
    assert device.reject(why=why) == "ok"
    assert device.boot("reset") == (A, False)
    assert device.history()[-1] == ("reverted", B, why, 0)


def test_a_rejected_image_may_be_armed_again(device: Device) -> None:
    device.arm(B)
    device.boot()
    device.reject()
    assert device.state().rejected == 1 << B
    assert device.arm(B) == "ok"
    assert device.state().rejected == 0
    assert device.boot() == (B, True)


def test_without_a_trial_there_is_nothing_to_reject(device: Device) -> None:
    before = device.flash()
    assert device.reject() == "nothing"
    assert device.flash() == before


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"key": images.key(3)}, "key"),
        ({"board": b"other"}, "board"),
        ({"address": 0x42}, "link"),
        ({"model": True}, "kind"),
        ({"magic": 1}, "empty"),
    ],
)
def test_what_may_not_run_is_not_armed(device: Device, fields: dict[str, Any], reason: str) -> None:
    parts = images.ImageParts(**{"address": device.address(B), **fields})
    device.load(B, parts.build())
    before = device.flash()
    assert device.arm(B) == reason
    assert device.flash() == before


def test_an_image_that_changed_after_arming_goes_back_with_the_reason(device: Device) -> None:
    device.arm(B)
    file = device.slot(B)
    device.load(B, file[:0x204] + b"X" + file[0x205:])
    assert device.boot() == (A, False)
    assert device.history()[-1] == ("reverted", B, "hash", 0)


def test_another_valid_image_in_the_place_of_the_armed_one_does_not_run(device: Device) -> None:
    device.arm(B)
    device.load(B, device.firmware(B, b"third"))
    assert device.boot() == (A, False)
    assert device.history()[-1] == ("reverted", B, "replaced", 0)


def test_arming_what_is_on_trial_changes_nothing(device: Device) -> None:
    device.arm(B)
    device.boot()
    device.boot()
    assert device.arm(B) == "ok"
    assert device.state().attempts == 2


def test_arming_another_image_in_the_place_of_the_armed_one_is_another_trial(
    device: Device,
) -> None:
    device.arm(B)
    device.load(B, device.firmware(B, b"third"))
    assert device.arm(B) == "ok"
    assert [event[0] for event in device.history()[-3:]] == ["armed", "reverted", "armed"]
    assert device.boot() == (B, True)


def test_arming_the_confirmed_image_withdraws_a_waiting_trial(device: Device) -> None:
    device.arm(B)
    assert device.arm(A) == "ok"
    assert device.history()[-1] == ("reverted", B, "user", 0)
    assert device.boot() == (A, False)


def test_while_an_image_runs_on_trial_no_other_is_armed(device: Device) -> None:
    device.arm(B)
    device.boot()
    assert device.arm(A) == "busy"
    assert device.boot() == (B, True)


def test_confirming_while_another_image_waits_leaves_it_waiting(device: Device) -> None:
    device.arm(B)
    assert device.confirm() == "ok"
    assert device.boot() == (B, True)


def test_no_slot_that_matters_may_be_written(device: Device) -> None:
    def protected() -> list[int]:
        return [s for s in range(5) if device.lib.update_is_protected(device.update, s)]

    assert protected() == [A]
    device.arm(B)
    assert protected() == [A, B]
    device.boot()
    assert protected() == [A, B]
    device.confirm()
    assert protected() == [B]


# ---- when the confirmed image is gone


def test_a_decayed_image_is_replaced_by_the_other_which_goes_on_trial(device: Device) -> None:
    file = device.slot(A)
    device.load(A, file[:0x203] + b"?" + file[0x204:])
    assert device.boot() == (B, True)
    assert device.history()[-2:] == [("armed", B, "hash", 0), ("attempt", B, "ok", 1)]
    assert device.confirm() == "ok"
    assert device.boot() == (B, False)


def test_even_a_rejected_image_runs_when_nothing_else_is_left(device: Device) -> None:
    device.arm(B)
    device.boot()
    device.reject()
    device.load(A, b"")
    assert device.boot() == (B, True)


def test_a_new_image_put_over_the_confirmed_one_goes_on_trial(device: Device) -> None:
    """A developer flashes with a probe."""
    device.load(A, device.firmware(A, b"newer"))
    assert device.boot() == (A, True)
    assert device.history()[-2][:3] == ("armed", A, "replaced")


# ---- security counter


def test_the_counter_rises_when_confirmed_not_before(device: Device) -> None:
    device.load(B, device.firmware(B, counter=5))
    device.arm(B)
    device.boot()
    assert device.state().counter == 0
    device.reject()
    assert device.boot() == (A, False)
    device.arm(B)
    device.boot()
    device.confirm()
    assert device.state().counter == 5
    device.restart()
    assert device.state().counter == 5
    device.load(A, device.firmware(A, counter=4))
    assert device.arm(A) == "counter"
    device.load(A, device.firmware(A, counter=5))
    assert device.arm(A) == "ok"


def test_an_older_version_may_come_back_below_the_counter_nothing(device: Device) -> None:
    device.load(B, device.firmware(B, counter=1, version=(3, 0, 0, 0)))
    device.arm(B)
    device.boot()
    device.confirm()
    device.load(A, device.firmware(A, counter=1, version=(0, 9, 0, 0)))
    assert device.arm(A) == "ok"
    assert device.boot() == (A, True)
    device.confirm()
    device.load(B, device.firmware(B, counter=0, version=(9, 9, 9, 9)))
    device.load(A, b"")
    device.restart()
    choice = device.choose()
    assert (choice.slot, device.name(choice.why)) == (NONE, "counter")


def test_firmware_and_models_have_counters_of_their_own(device: Device) -> None:
    device.load(M0, images.model(counter=9))
    device.arm(M0)
    device.choose(MODEL)
    device.confirm(MODEL)
    assert device.state(MODEL).counter == 9
    assert device.arm(B) == "ok"


# ---- models


def test_without_a_model_the_factory_plan_runs(device: Device) -> None:
    choice = device.choose(MODEL)
    assert choice.slot == NONE
    device.load(M0, images.model())
    assert device.choose(MODEL).slot == NONE, "a model runs only when somebody armed it"


def test_a_model_is_armed_tried_and_confirmed_like_firmware(device: Device) -> None:
    device.load(M1, images.model(b"new plan"))
    assert device.arm(M1) == "ok"
    choice = device.choose(MODEL)
    assert (choice.slot, choice.trial) == (M1, True)
    assert device.ffi.buffer(choice.image.payload, 8)[:] == b"new plan"
    assert device.confirm(MODEL) == "ok"
    device.restart()
    choice = device.choose(MODEL)
    assert (choice.slot, choice.trial) == (M1, False)


def test_a_failing_model_goes_back_to_the_confirmed_one(device: Device) -> None:
    for slot in (M0, M1):
        device.load(slot, images.model(bytes([slot])))
    device.arm(M0)
    device.choose(MODEL)
    device.confirm(MODEL)
    device.arm(M1)
    for _ in range(3):
        device.restart()
        assert device.choose(MODEL, "fault").slot == M1
    device.restart()
    choice = device.choose(MODEL, "fault")
    assert (choice.slot, choice.trial) == (M0, False)
    assert device.state(MODEL).rejected == 1 << M1


def test_older_models_are_kept_until_their_slot_is_needed(device: Device) -> None:
    for slot in (M0, M1, M2):
        device.load(slot, images.model(bytes([slot])))
        device.arm(slot)
        device.choose(MODEL)
        device.confirm(MODEL)
    device.restart()
    device.choose(MODEL)
    assert [s for s in (M0, M1, M2) if device.lib.update_is_protected(device.update, s)] == [M2]
    assert device.arm(M0) == "ok", "the oldest still runs"


def test_a_model_that_is_not_accepted_is_neither_armed_nor_chosen(device: Device) -> None:
    ffi, lib = device.ffi, device.lib
    verdicts = {"now": 11}

    accept = ffi.callback("update_accept_t", lambda image, context: verdicts["now"])

    device.load(M0, images.model())
    assert device.name(lib.update_arm(device.update, M0, accept, ffi.NULL)) == "unfit"
    verdicts["now"] = 0
    assert lib.update_arm(device.update, M0, accept, ffi.NULL) == 0
    verdicts["now"] = 12
    choice = lib.update_choose(device.update, MODEL, {"reason": 16}, accept, ffi.NULL)
    assert choice.slot == NONE
    assert device.history()[-1] == ("reverted", M0, "plan", 0)


def test_a_confirmed_model_that_does_not_fit_this_firmware_waits_for_one_that_it_fits(
    device: Device,
) -> None:
    ffi, lib = device.ffi, device.lib
    verdict = {"now": 0}

    accept = ffi.callback("update_accept_t", lambda image, context: verdict["now"])

    device.load(M0, images.model())
    device.arm(M0)
    device.choose(MODEL)
    device.confirm(MODEL)
    verdict["now"] = 11
    assert lib.update_choose(device.update, MODEL, {"reason": 16}, accept, ffi.NULL).slot == NONE
    assert device.update.running[MODEL] == NONE, "it does not run any more"
    device.restart()
    assert lib.update_choose(device.update, MODEL, {"reason": 16}, accept, ffi.NULL).slot == NONE
    assert device.state(MODEL).confirmed == M0
    verdict["now"] = 0
    device.restart()
    assert lib.update_choose(device.update, MODEL, {"reason": 16}, accept, ffi.NULL).slot == M0


def test_firmware_goes_back_while_a_model_is_on_trial(device: Device) -> None:
    device.load(M0, images.model())
    device.arm(B)
    assert device.boot() == (B, True)
    device.arm(M0)
    assert device.choose(MODEL).slot == M0
    assert device.reject() == "ok"
    assert device.boot("reset") == (A, False)
    choice = device.choose(MODEL, "reset")
    assert (choice.slot, choice.trial) == (M0, True)
    assert device.state(MODEL).attempts == 2
    assert device.confirm(MODEL) == "ok"
    assert device.boot() == (A, False)


# ---- journal and state agree


@pytest.mark.parametrize("seed", range(8))
def test_what_is_in_ram_is_what_a_restart_finds(opened: tuple[Any, Any], seed: int) -> None:
    """Over hundreds of steps and many new journal blocks."""
    device = installed(opened, Geometry(journal_blocks=2 + seed % 3, write=4 << seed % 4))
    rng = random.Random(seed)
    for slot in (B, M0, M1, M2):
        file = images.model(bytes([slot])) if slot >= M0 else device.firmware(slot)
        device.load(slot, file)
    steps: list[Callable[[], object]] = [
        lambda: device.arm(rng.randrange(5)),
        lambda: device.confirm(rng.randrange(2)),
        lambda: device.reject(rng.randrange(2)),
        lambda: device.choose(MODEL, rng.choice(ENDS)),
        lambda: device.choose(0, rng.choice(ENDS)),
        lambda: device.lib.update_note_refused(device.update, 22),
        lambda: device.lib.update_note_transfer(
            device.update, rng.randrange(5), rng.randbytes(8), rng.randrange(5000)
        ),
    ]
    for _ in range(300):
        rng.choice(steps)()
        ffi = device.ffi
        known = bytes(ffi.buffer(ffi.addressof(device.update, "state")))
        transfer = device.update.transfer
        receiving = (transfer.slot, transfer.length if transfer.slot != NONE else 0)
        running = list(device.update.running)
        device.restart()
        assert bytes(ffi.buffer(ffi.addressof(device.update, "state"))) == known
        transfer = device.update.transfer
        assert receiving == (transfer.slot, transfer.length if transfer.slot != NONE else 0)
        device.update.running = running
    assert device.update.journal.sequence > 5
    assert device.violation() == ""


def test_records_that_make_no_sense_are_passed_over(device: Device) -> None:
    """Anybody may have written the flash: a checksum is no signature."""
    ffi, lib = device.ffi, device.lib
    journal = ffi.addressof(device.update, "journal")
    none = ffi.new("journal_record_t[1]")
    for kind in (2, 3, 4, 16, 17, 18, 19, 20, 21, 99, 255):
        for slot in (5, 77, 0xFE):
            record = ffi.new("journal_record_t *", {"kind": kind, "slot": slot, "attempt": 200})
            assert lib.journal_append(journal, record, none, 0)
    record = ffi.new("journal_record_t *", {"kind": 2, "slot": M0, "attempt": 0})
    assert lib.journal_append(journal, record, none, 0), "a model as confirmed firmware"
    assert device.boot()[0] in (A, NONE)
