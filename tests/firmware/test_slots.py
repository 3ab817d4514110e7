# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""app/slots with the real bootloader: starts, trials, models, management on the shared wire."""

import struct
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp import packet

from tests.firmware.slots import (
    ARENA,
    FACTORY,
    SlotsDevice,
    crc_of,
    model,
    records_in,
    texts_in,
)
from tests.mgmt.device import copy_plan, image_hash
from tests.support.faulty_engine import ARENA as ARENA_SMALL
from tests.support.faulty_engine import ENGINE
from tests.support.plans import changed
from tests.update.device import M0, M1, NONE, A, B, Geometry, reason
from torpor.wire import framing, records

GEOMETRY = Geometry(erase=1024, firmware=8192)
Make = Callable[..., SlotsDevice]


@pytest.fixture
def make(slots: tuple[Any, Path], tmp_path: Path) -> Make:
    """Return a function that makes a device with firmware 1.2.0 in slot A, started once."""

    def make_device(**fields: Any) -> SlotsDevice:
        device = SlotsDevice(slots, GEOMETRY, tmp_path)
        device.load(A, device.firmware(A, b"first", version=(1, 2, 0, 0), **fields))
        device.start()
        return device

    return make_device


@pytest.fixture
def device(make: Make) -> SlotsDevice:
    """A device that has confirmed its first firmware, and was switched off and on."""
    device = make()
    device.start()
    return device


def framed(message: bytes) -> bytes:
    return b"".join(packet.encode(message, line_length=128))


def messages_in(sent: bytes) -> list[bytes]:
    """Return the SMP messages in what was sent, as smp's own decoder reads them."""
    found, decoder = [], packet.decode()
    for line in sent.splitlines(keepends=True):
        if line.startswith(packet.START_DELIMITER):
            decoder = packet.decode()
            next(decoder)
        elif not line.startswith(packet.CONTINUE_DELIMITER):
            continue
        try:
            decoder.send(line)
        except StopIteration as end:
            found.append(end.value)
    return found


def request(group: int, command: int, body: Any = None, *, write: bool = True) -> bytes:
    data = cbor2.dumps({} if body is None else body)
    return struct.pack("!BBHHBB", 8 | 2 * write, 0, len(data), group, 5, command) + data


def exchange(device: SlotsDevice, *what: Any, write: bool = True) -> Any:
    """Ask something over SMP; return the body of the answer."""
    (answer,) = messages_in(device.receive(framed(request(*what, write=write))))
    return cbor2.loads(answer[8:])


def status(device: SlotsDevice) -> Any:
    return exchange(device, 64, 0, write=False)


def events(device: SlotsDevice) -> list[tuple[int, int, int]]:
    """Return kind, slot and reason of all events."""
    page = exchange(device, 64, 1, {"from": 0}, write=False)
    return [(record[0], record[1], record[2]) for record in page["events"]]


def upload(device: SlotsDevice, image: int, file: bytes, room: int = 900) -> Any:
    """Upload a file; return the last answer."""
    sha = sha256(file).digest()
    answer: Any = {"off": 0}
    while answer.get("off", len(file)) != len(file):
        at = answer["off"]
        first = {"len": len(file), "sha": sha, "image": image} if at == 0 else {}
        answer = exchange(device, 1, 1, {"off": at, "data": file[at : at + room]} | first)
    return answer


def update(device: SlotsDevice, **fields: Any) -> bytes:
    """Upload firmware 1.3.0 into slot B and put it on trial; return its image."""
    file = device.firmware(B, b"second", version=(1, 3, 0, 0), **fields)
    assert upload(device, 0, file)["match"]
    assert "images" in exchange(device, 1, 0, {"hash": image_hash(file)})
    return file


ARMED, ATTEMPT, CONFIRMED, REVERTED = 16, 17, 18, 19
ATTEMPT_OPERATIONS = 8
"""A record of 32 bytes in units of 4."""


# From reset to sleep


def test_the_first_firmware_tests_and_confirms_itself(make: Make) -> None:
    device = make()
    said = device.said
    assert texts_in(said) == ["torpor on shim, slot A 1.2.0 on trial"]
    assert events(device) == [(ARMED, A, 1), (ATTEMPT, A, 0), (CONFIRMED, A, 0)]
    assert device.c.shim_watchdog_ms == 0
    (hello,) = (r for r in records_in(said) if isinstance(r, records.Hello))
    assert (hello.seq, hello.plan_crc, hello.plan_status) == (0, crc_of(FACTORY), 0)


def test_a_later_start_says_what_runs(make: Make) -> None:
    device = make()
    assert device.start() == ["torpor on shim, slot A 1.2.0"]
    device.development = True
    assert device.start() == ["torpor on shim, slot A 1.2.0, development key"]
    assert device.c.shim_handoff.slot == A
    assert not device.c.shim_handoff.trial


@pytest.mark.parametrize("why", ["fault", "watchdog"])
def test_a_start_after_a_fault_or_a_hang_says_where_it_was(device: SlotsDevice, why: str) -> None:
    ended = {"kept": True, "reason": reason(why), "exception": 3, "pc": 0x1234, "lr": 0x5678}
    assert device.start(ended) == [
        "torpor on shim, slot A 1.2.0",
        "restarted after exception 3 at 00001234, called from 00005678",
    ]


@pytest.mark.parametrize("why", ["ok", "restart", "self_test"])
def test_other_restarts_are_no_exceptions(device: SlotsDevice, why: str) -> None:
    assert device.start({"kept": True, "reason": reason(why)}) == ["torpor on shim, slot A 1.2.0"]


def test_firmware_that_a_debugger_starts_has_no_slot(slots: Any, tmp_path: Path) -> None:
    device = SlotsDevice(slots, GEOMETRY, tmp_path)
    device.fresh()
    device.c.shim_skip_bootloader()
    assert texts_in(device.take()) == ["torpor on shim"]
    assert status(device)["running"] == [NONE, NONE]
    assert device.infer(bytes(range(8))) == bytes(range(8))


# Firmware


def test_an_update_runs_after_a_reset_and_confirms_itself(device: SlotsDevice) -> None:
    update(device)
    assert device.c.shim_resets == 0
    assert exchange(device, 0, 5) == {}
    assert device.c.shim_note.reason == 0
    assert device.restart() == ["torpor on shim, slot B 1.3.0 on trial"]
    assert status(device)["running"] == [B, NONE]
    assert events(device)[-3:] == [(ARMED, B, 0), (ATTEMPT, B, 0), (CONFIRMED, B, 0)]
    images = exchange(device, 1, 0, {"confirm": True})["images"]
    assert [(i["slot"], i["active"], i["confirmed"]) for i in images] == [
        (A, False, False),
        (B, True, True),
    ]
    assert device.start() == ["torpor on shim, slot B 1.3.0"]


def test_what_the_bootloader_has_armed_is_disarmed_by_the_confirmation(device: SlotsDevice) -> None:
    update(device)
    device.start()
    assert device.c.shim_watchdog_ms == 0
    device.start()
    fed = device.c.shim_fed
    assert fed == 1  # once, before it slept


def test_a_revert_is_told_while_it_is_the_last_that_happened(device: SlotsDevice) -> None:
    update(device)
    hung = {"kept": True, "reason": reason("watchdog"), "exception": 2, "pc": 1, "lr": 2}
    for _ in range(3):
        device.start(hung, hangs=True)
        assert device.c.shim_watchdog_ms == 5000
    told = "torpor on shim, slot A 1.2.0, slot B 1.3.0 reverted for reason 18"
    assert device.start(hung)[0] == told
    assert status(device)["state"][0]["rejected"] == 1 << B
    assert device.start()[0] == told
    file = model(copy_plan())
    upload(device, M0, file)
    assert device.start() == ["torpor on shim, slot A 1.2.0"]


WRONG = changed(FACTORY, "header.magic", 0)


def test_firmware_whose_test_fails_goes_back(device: SlotsDevice) -> None:
    update(device)
    device.factory = WRONG
    assert device.start()[1:] == ["self-test failed: magic"]
    assert device.c.shim_resets == 1
    assert device.c.shim_note.reason == reason("self_test")
    device.factory = FACTORY
    texts = device.restart()
    assert texts == ["torpor on shim, slot A 1.2.0, slot B 1.3.0 reverted for reason 20"]
    assert events(device)[-1] == (REVERTED, B, reason("self_test"))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"faulty_init": ARENA_SMALL}, "self-test failed: arena"),
        ({"faulty_invoke": ENGINE}, "self-test failed: engine"),
    ],
    ids=["init", "invoke"],
)
def test_firmware_whose_engine_fails_in_the_self_test_goes_back(
    device: SlotsDevice, fault: dict[str, int], told: str
) -> None:
    update(device)
    device.faults = fault
    assert device.start()[1:] == [told]
    assert device.c.shim_note.reason == reason("self_test")
    device.faults = {}
    device.restart()
    assert events(device)[-1] == (REVERTED, B, reason("self_test"))
    assert status(device)["running"][0] == A


def test_firmware_with_another_key_built_in_than_the_bootloader_has_goes_back(
    device: SlotsDevice,
) -> None:
    update(device)
    device.faults = {"shim_key_change": 1}
    assert device.start() == ["torpor on shim, slot B 1.3.0 on trial"]
    assert device.c.shim_resets == 1
    device.faults = {}
    texts = device.restart()
    assert texts == ["torpor on shim, slot A 1.2.0, slot B 1.3.0 reverted for reason 6"]
    assert events(device)[-1] == (REVERTED, B, reason("key"))


def test_the_only_firmware_is_tried_again_and_then_stays_for_another_to_be_sent(
    slots: tuple[Any, Path], tmp_path: Path
) -> None:
    device = SlotsDevice(slots, GEOMETRY, tmp_path)
    device.load(A, device.firmware(A, b"first", version=(1, 2, 0, 0)))
    device.factory = WRONG
    device.start()
    assert device.c.shim_resets == 1
    device.restart()
    assert (device.c.shim_resets, device.c.shim_watchdog_ms) == (0, 0)
    assert events(device)[-1] == (REVERTED, A, reason("self_test"))
    update(device)
    device.factory = FACTORY
    assert device.start() == ["torpor on shim, slot B 1.3.0 on trial"]
    assert events(device)[-1] == (CONFIRMED, B, 0)


def test_firmware_that_the_confirmed_model_crashes_goes_back(device: SlotsDevice) -> None:
    """Else it would be confirmed, and crash at each start before anybody can reach it."""
    file = model(copy_plan(24))
    upload(device, M0, file)
    exchange(device, 1, 0, {"hash": image_hash(file)})
    update(device)
    device.faults = {"faulty_invoke": ENGINE, "faulty_arena": 48, "faulty_crashes": True}
    fault = {"kept": True, "reason": reason("fault"), "exception": 3, "pc": 7, "lr": 8}
    for _ in range(3):
        device.start(fault)
        assert (device.c.shim_resets, device.c.shim_watchdog_ms) == (1, 5000)
        assert device.c.shim_fed == 1, "the model gets a time of its own"
    device.faults = {}
    device.start(fault)
    assert events(device)[-1] == (REVERTED, B, reason("fault"))
    assert status(device)["running"] == [A, M0]


def test_firmware_in_which_the_confirmed_model_only_fails_is_confirmed(device: SlotsDevice) -> None:
    file = model(copy_plan(24))
    upload(device, M0, file)
    exchange(device, 1, 0, {"hash": image_hash(file)})
    update(device)
    device.faults = {"faulty_invoke": ENGINE, "faulty_arena": 48}
    device.start()
    assert events(device)[-1] == (CONFIRMED, B, 0)


@pytest.mark.parametrize(
    ("fault", "status", "why"),
    [
        ({"faulty_init": ARENA_SMALL}, "arena", "unfit"),
        ({"faulty_invoke": ENGINE}, "engine", "self_test"),
    ],
    ids=["init", "invoke"],
)
def test_a_model_whose_engine_fails_gives_way_without_a_restart(
    device: SlotsDevice, fault: dict[str, int], status: str, why: str
) -> None:
    file = model(copy_plan(12))
    upload(device, M0, file)
    for name, value in {**fault, "faulty_arena": 24}.items():
        setattr(device.c, name, value)
    said = device.ffi.new("char[]", b"the engine's own words")
    device.c.faulty_says = said
    sent = device.receive(framed(request(1, 0, {"hash": image_hash(file)})))
    assert texts_in(sent) == [f"model unusable: {status}: the engine's own words"]
    assert events(device)[-3:] == [(ARMED, M0, 0), (ATTEMPT, M0, 0), (REVERTED, M0, reason(why))]
    running = exchange(device, 64, 0, write=False)["running"]
    assert (running, device.c.shim_resets) == ([A, NONE], 0)
    assert device.infer(bytes(range(8))) == bytes(range(8))


def test_confirmed_firmware_with_a_wrong_plan_stays_and_says_so(device: SlotsDevice) -> None:
    device.factory = WRONG
    assert device.start() == ["torpor on shim, slot A 1.2.0", "model refused: magic"]
    (hello,) = device.ask(records.Ping(3))
    assert (hello.plan_status, hello.model) == (1, "")
    assert status(device)["running"] == [A, NONE]


def test_a_confirmation_that_cannot_be_written_leaves_the_firmware_on_trial(
    device: SlotsDevice,
) -> None:
    update(device)
    texts = device.start({"kept": True}, cut_at=ATTEMPT_OPERATIONS + 1)
    assert texts == ["torpor on shim, slot B 1.3.0 on trial"]
    assert status(device)["state"][0]["trial"] == B
    exchange(device, 0, 5)
    assert device.c.shim_note.reason == reason("restart")
    assert device.restart() == ["torpor on shim, slot B 1.3.0 on trial"]
    assert [event[0] for event in events(device)[-3:]] == [ATTEMPT, ATTEMPT, CONFIRMED]
    assert events(device)[-2][2] == reason("restart")


# Models


def test_a_model_takes_its_turn_between_two_inferences(device: SlotsDevice) -> None:
    plan = copy_plan(24)
    file = model(plan)
    assert device.infer(bytes(8)) == bytes(8)
    assert upload(device, M0, file)["match"]
    assert device.plan_crc() == crc_of(FACTORY)
    sent = device.receive(framed(request(1, 0, {"hash": image_hash(file)})))
    (answer,) = messages_in(sent)
    assert [i["pending"] for i in cbor2.loads(answer[8:])["images"]] == [False, True]
    (hello,) = records_in(sent)
    assert (hello.seq, hello.plan_crc, hello.input_bytes) == (0, crc_of(plan), 24)
    assert device.infer(bytes(range(24))) == bytes(range(24))
    assert events(device)[-3:] == [(ARMED, M0, 0), (ATTEMPT, M0, 0), (CONFIRMED, M0, 0)]
    assert device.c.shim_resets == 0


def test_after_a_turn_all_is_as_after_a_reset(device: SlotsDevice) -> None:
    for _ in range(3):
        device.infer(bytes(8))
    file = model(copy_plan(8))
    upload(device, M0, file)
    exchange(device, 1, 0, {"hash": image_hash(file)})
    replies = device.ask(
        records.Read(1, 0, 0, 8), records.Input(2, 0, 0, bytes(8)), records.Run(3, 1, 0)
    )
    outputs = [r for r in replies if isinstance(r, records.Output)]
    assert [r.status for r in outputs] == [1]  # there are no outputs yet
    (result,) = (r for r in replies if isinstance(r, records.Result))
    assert result.status != 0
    crc = zlib.crc32(bytes(8))
    (result,) = (r for r in device.ask(records.Run(4, 1, crc)) if isinstance(r, records.Result))
    assert result.runs == 1


def test_a_confirmed_model_runs_after_a_power_loss(device: SlotsDevice) -> None:
    file = model(copy_plan(24))
    upload(device, M1, file)
    exchange(device, 1, 0, {"hash": image_hash(file)})
    before = events(device)
    device.start()
    assert device.plan_crc() == crc_of(copy_plan(24))
    assert status(device)["running"] == [A, M1]
    assert events(device) == before


def test_a_model_that_does_not_get_confirmed_is_given_up_after_three_starts(
    device: SlotsDevice,
) -> None:
    file = model(copy_plan(24))
    upload(device, M0, file)
    fault = {"kept": True, "reason": reason("fault"), "exception": 3, "pc": 7, "lr": 8}
    sim = device.c.flash_sim
    sim.cut_at = sim.operations + 2 * ATTEMPT_OPERATIONS + 1  # armed, begun, and not confirmed
    exchange(device, 1, 0, {"hash": image_hash(file)})
    for _ in range(2):
        device.start(fault, cut_at=ATTEMPT_OPERATIONS + 1)
        assert device.plan_crc() == crc_of(copy_plan(24))
    texts = device.start(fault)
    assert "restarted after exception 3" in texts[1]
    assert device.plan_crc() == crc_of(FACTORY)
    assert events(device)[-1] == (REVERTED, M0, reason("fault"))
    assert device.start()[0] == (
        "torpor on shim, slot A 1.2.0, model slot 0 1.0.0 reverted for reason 19"
    )


def test_a_model_on_trial_runs_under_the_watchdog(device: SlotsDevice) -> None:
    file = model(copy_plan(24))
    upload(device, M0, file)
    exchange(device, 1, 0, {"hash": image_hash(file)})
    assert (device.c.shim_watchdog_started, device.c.shim_watchdog_ms) == (5000, 0)
    device.start()
    assert device.c.shim_watchdog_started == 0


def test_a_model_without_room_is_refused(device: SlotsDevice) -> None:
    file = model(copy_plan(ARENA // 2 + 8))
    assert "err" in upload(device, M0, file)
    assert status(device)["refused"] == reason("unfit")
    assert device.plan_crc() == crc_of(FACTORY)


# One wire


def test_what_comes_while_the_device_is_at_something_else_is_there_afterwards(
    device: SlotsDevice,
) -> None:
    longest = exchange(device, 0, 6, write=False)["buf_size"] - 4
    text = "x" * (longest - len(request(0, 0, {"d": "x" * 900})) + 900)
    message = framed(request(0, 0, {"d": text}))
    pings = [framing.encode_frame(records.encode(records.Ping(seq))) for seq in range(1, 13)]
    device.miss(b"".join(pings) + message)
    sent = device.receive(b"\n")
    (answer,) = messages_in(sent)
    assert (len(request(0, 0, {"d": text})), cbor2.loads(answer[8:])) == (longest, {"r": text})
    assert [hello.seq for hello in records_in(sent)] == list(range(1, 13))


def test_requests_of_both_kinds_are_answered_in_their_order(device: SlotsDevice) -> None:
    frame = framing.encode_frame(records.encode(records.Ping(1)))
    echo = framed(request(0, 0, {"d": "x" * 200}))
    lines = echo.splitlines(keepends=True)
    sent = device.receive(frame + lines[0] + frame + b"".join(lines[1:]) + b"text\n" + frame)
    assert [r.seq for r in records_in(sent)] == [1, 1, 1]
    (answer,) = messages_in(sent)
    assert cbor2.loads(answer[8:]) == {"r": "x" * 200}
    assert sent.index(packet.START_DELIMITER) > sent.index(framing.MARKER)


@given(st.lists(st.sampled_from(["ping", "echo", "noise"]), max_size=12), st.binary(max_size=30))
def test_neither_kind_disturbs_the_other(
    slots: tuple[Any, Path],
    tmp_path_factory: pytest.TempPathFactory,
    kinds: list[str],
    noise: bytes,
) -> None:
    device = SlotsDevice(slots, GEOMETRY, tmp_path_factory.mktemp("wire"))
    device.load(A, device.firmware(A))
    device.start()
    parts = {
        "ping": framing.encode_frame(records.encode(records.Ping(7))),
        "echo": framed(request(0, 0, {"d": "hello"})),
        "noise": noise + b"\n",
    }
    sent = device.receive(b"".join(parts[kind] for kind in kinds))
    assert len(records_in(sent)) == kinds.count("ping")
    assert len(messages_in(sent)) == kinds.count("echo")
