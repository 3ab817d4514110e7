# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The host's end of SMP: patience, and every wrong answer said in words."""

import struct
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smp import packet

from tests.mgmt.device import PART
from tests.update.device import FIRMWARE, M0, A, B
from tests.update_host.conftest import Wire
from tests.update_host.toy import Toy
from torpor.errors import DeviceError
from torpor.image.reasons import NUMBERS
from torpor.link.faults import KINDS, Damage
from torpor.update import device as device_module
from torpor.update.device import Device, NoAnswerError, RefusedError
from torpor.update.state import Transfer
from torpor.update.transport import Assembler, LinkLostError
from torpor.wire import framing

Answer = Callable[[tuple[int, int, int], Any], Any]
EMPTY = {"slot": 255, "length": 0, "offset": 0}
COMPONENT = {"confirmed": 0, "trial": 255, "attempts": 0, "rejected": 0, "counter": 0}
STATUS = {
    **{"board": "x", "dev": False, "running": [0, 255], "state": [COMPONENT] * 2},
    **{"slots": [{"offset": 0, "size": 4096, "link": 0}] * 5, "transfer": EMPTY},
    **{"refused": 0, "erase": 4096, "write": 4},
}


def ignore(_done: int) -> None:
    pass


class Scripted:
    """A device whose answers are a function of (operation, group, command) and body."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._decoder, self._assembler = framing.Decoder(), Assembler()
        self.asked: list[tuple[int, int, int]] = []

    def feed(self, data: bytes) -> bytes:
        events = self._decoder.feed(data)
        lines = [event.line for event in events if isinstance(event, framing.Smp)]
        found = [message for line in lines if (message := self._assembler.feed(line))]
        return b"".join(self._handle(message) for message in found)

    def _handle(self, message: bytes) -> bytes:
        what = message[0] & 7, int.from_bytes(message[4:6], "big"), message[7]
        self.asked.append(what)
        body = self._answer(what, cbor2.loads(message[8:]))
        if body is None:
            return b""
        data = body if isinstance(body, bytes) else cbor2.dumps(body)
        head = struct.pack("!BBH", what[0] + 1 | 8, 0, len(data)) + message[4:8]
        return b"".join(packet.encode(head + data, 128))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], tuple[Device, Scripted]]:
    def make(answer: Answer) -> tuple[Device, Scripted]:
        script = Scripted(answer)
        monkeypatch.setattr(device_module, "open_transport", lambda _p, _b: Wire(script.feed))
        device = Device("wire", timeout=0.02)
        device.connect()
        return device, script

    return make


def others(what: tuple[int, int, int], _body: Any) -> Any:
    """A device that knows MCUmgr's groups only."""
    return {"buf_size": 512, "buf_count": 1} if what == (0, 0, 6) else {"rc": 8}


# ---- what a device says


def test_the_state_of_a_device_is_read(it: Toy, wired: Device) -> None:
    status = wired.status()
    assert (status.board, status.development) == ("toy", False)
    assert (status.firmware.running, status.firmware.confirmed, status.firmware.trial) == (
        0,
        0,
        None,
    )
    assert (status.model.running, status.model.confirmed) == (None, None)
    assert [slot.size for slot in status.slots] == it.device.geometry.sizes
    assert [slot.link for slot in status.slots[:2]] == [it.device.address(s) for s in (A, B)]
    assert list(status.images) == [A]
    assert status.images[A].version == "1.0.0"
    assert (status.erase_size, status.write_size, status.transfer) == (4096, 4, None)


def test_the_state_alone_costs_one_question_and_has_no_images(it: Toy, wired: Device) -> None:
    asked = []
    it.hears = lambda what: asked.append(what) or True  # type: ignore[func-returns-value]
    assert wired.state().images == {}
    assert asked == [(0, 64, 0)]


def test_a_build_number_is_written_as_torpor_writes_it(it: Toy, wired: Device) -> None:
    it.device.load(B, it.device.firmware(B, version=(1, 2, 3, 4)))
    assert wired.status().images[B].version == "1.2.3+4"


def test_models_lie_in_slots_from_two_on(it: Toy, wired: Device) -> None:
    it.device.load(M0, it.model("5.0.0"))
    assert wired.status().images[M0].version == "5.0.0"


def test_a_transfer_that_is_under_way_is_seen(it: Toy, wired: Device) -> None:
    image = it.firmware(B, "1.1.0", bytes(4000))
    uploads = 0

    def three(what: tuple[int, int, int]) -> bool:
        nonlocal uploads
        uploads += what == (2, 1, 1)
        return what != (2, 1, 1) or uploads <= 3

    it.hears = three
    with pytest.raises(NoAnswerError):
        wired.upload(B, image, ignore)
    transfer = wired.status().transfer
    assert transfer == Transfer(B, len(image), transfer.offset if transfer else 0)
    assert transfer.offset > 2000


def test_all_events_are_read_however_many_fit_into_an_answer(it: Toy, wired: Device) -> None:
    for number in range(30):
        it.device.lib.update_note_refused(it.device.update, number + 1)
    events = wired.events()
    assert [event.number for event in events] == list(range(events[0].number, 33))
    assert [event.reason.number for event in events[-30:]] == list(range(1, 31))
    assert wired.next_event() == 33
    assert [event.number for event in wired.events(31)] == [31, 32]
    assert wired.events(33) == []


def test_events_that_are_gone_are_not_missed(it: Toy, wired: Device) -> None:
    for _ in range(600):
        it.device.lib.update_note_refused(it.device.update, 1)
    events = wired.events(0)
    assert events[0].number > 0
    assert events[-1].number == wired.next_event() - 1


# ---- uploads


def test_an_upload_uses_the_whole_buffer_and_one_message_each_way(it: Toy, wired: Device) -> None:
    image = it.firmware(B, "1.1.0", bytes(range(256)) * 200)
    asked = []
    it.hears = lambda what: asked.append(what) or True  # type: ignore[func-returns-value]
    seen: list[int] = []
    wired.upload(B, image, seen.append)
    assert it.device.slot(B)[: len(image)] == image
    assert len(asked) <= len(image) / PART + 2
    assert (seen[0], seen[-1]) == (0, len(image))
    assert seen == sorted(seen)


def test_an_upload_goes_on_where_it_was_after_power_loss(it: Toy, wired: Device) -> None:
    image = it.firmware(B, "1.1.0", bytes(range(256)) * 200)
    uploads = 0

    def cut(what: tuple[int, int, int]) -> bool:
        nonlocal uploads
        uploads += what == (2, 1, 1)
        if what == (2, 1, 1) and uploads == 30:
            it.power_cut()
        return True

    it.hears = cut
    wired.upload(B, image, ignore)
    assert it.device.slot(B)[: len(image)] == image
    assert it.kinds() == ["upload"]
    assert uploads < len(image) / PART + 10


def test_what_a_device_refuses_is_told_in_the_words_of_reason_h(it: Toy, wired: Device) -> None:
    for slot, image, name in (
        (B, it.firmware(A, "1.1.0"), "link"),
        (M0, it.firmware(A, "1.1.0"), "kind"),
        (B, bytes(82_000), "size"),
        (B, b"x" * 500, "empty"),
        (M0, it.model("1.0.0", b"no plan"), "plan"),
    ):
        with pytest.raises(RefusedError) as caught:
            wired.upload(slot, image, ignore)
        assert caught.value.reason
        assert caught.value.reason.name == name
        assert caught.value.reason.sentence in caught.value.message
        assert caught.value.is_about_image


def test_a_slot_that_is_in_use_is_not_the_images_fault(it: Toy, wired: Device) -> None:
    wired.upload(M0, it.model("1.0.0"), ignore)
    wired.arm(wired.status().images[M0].hash)
    with pytest.raises(RefusedError, match="running, confirmed or on trial") as caught:
        wired.upload(M0, it.model("1.1.0"), ignore)
    assert not caught.value.is_about_image
    with pytest.raises(RefusedError, match="running, confirmed or on trial"):
        wired.erase(M0)


def test_an_image_that_is_not_there_cannot_be_armed(wired: Device) -> None:
    with pytest.raises(RefusedError, match="another image than the one that was meant"):
        wired.arm(bytes(32))


def test_a_trial_that_is_not_there_cannot_be_ended(wired: Device) -> None:
    with pytest.raises(RefusedError) as caught:
        wired.end_trial(FIRMWARE)
    assert caught.value.reason
    assert caught.value.reason.number == NUMBERS["nothing"]


def test_a_slot_can_be_erased(it: Toy, wired: Device) -> None:
    it.device.load(B, it.firmware(B, "1.1.0"))
    wired.erase(B)
    assert wired.status().images.keys() == {A}


# ---- patience


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.sampled_from(KINDS), st.integers(1, 255)), max_size=8
    )
)
def test_any_damage_on_the_way_there_costs_only_time(
    it: Toy, monkeypatch: pytest.MonkeyPatch, faults: list[tuple[int, str, int]]
) -> None:
    damage = Damage(faults)
    feed = lambda data: it.feed(damage.apply(data))  # noqa: E731
    monkeypatch.setattr(device_module, "open_transport", lambda _p, _b: Wire(feed))
    image = it.firmware(B, "1.1.0", bytes(5000) + bytes(str(faults), "ascii"))
    with Device("wire", timeout=0.02, tries=20) as device:
        device.connect()
        device.upload(B, image, ignore)
    assert it.device.slot(B)[: len(image)] == image


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.sampled_from(KINDS), st.integers(1, 255)), max_size=8
    )
)
def test_any_damage_on_the_way_back_costs_only_time(
    it: Toy, monkeypatch: pytest.MonkeyPatch, faults: list[tuple[int, str, int]]
) -> None:
    damage = Damage(faults)
    feed = lambda data: damage.apply(it.feed(data))  # noqa: E731
    monkeypatch.setattr(device_module, "open_transport", lambda _p, _b: Wire(feed))
    image = it.firmware(B, "1.1.0", bytes(5000) + bytes(str(faults), "ascii"))
    with Device("wire", timeout=0.02, tries=20) as device:
        device.connect()
        device.upload(B, image, ignore)
        assert device.status().images[B].version == "1.1.0"
        assert device.events()


def test_a_lost_question_is_asked_again(it: Toy, wired: Device) -> None:
    it.deaf = 2
    assert wired.state().board == "toy"


def test_silence_ends_after_some_tries(it: Toy, wired: Device) -> None:
    it.deaf = 10**9
    with pytest.raises(NoAnswerError, match="no answer from wire") as caught:
        wired.state()
    assert "right port" in caught.value.hint


def test_a_device_that_only_prints_is_quoted(
    scripted: Callable[[Answer], tuple[Device, Scripted]], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(lambda _data: b"boot: slot A: no image there\r\n")
    monkeypatch.setattr(device_module, "open_transport", lambda _p, _b: wire)
    with Device("wire", timeout=0.02) as device, pytest.raises(NoAnswerError) as caught:
        device.connect()
    assert "it sent only text, at last: boot: slot A: no image there" in caught.value.message
    assert "bootloader" in caught.value.hint


def test_a_reset_that_nobody_answers_is_none_that_failed(it: Toy, wired: Device) -> None:
    it.deaf = 1
    wired.reset()
    assert it.starts == 2
    wired.reset()
    assert it.starts == 3


def test_a_device_comes_back_when_its_port_does(
    it: Toy, wired: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def opening(_port: str, _baud: int) -> Wire:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise DeviceError("cannot open wire", "plug it in")
        return Wire(it.feed)

    monkeypatch.setattr(device_module, "open_transport", opening)
    it.deaf = 5
    wired.reconnect(20)
    assert (tries, wired.state().board) == (5, "toy")


def test_a_device_that_does_not_come_back_is_lost(
    wired: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opening(_port: str, _baud: int) -> Wire:
        raise DeviceError("cannot open wire", "plug it in")

    monkeypatch.setattr(device_module, "open_transport", opening)
    with pytest.raises(LinkLostError, match="cannot open wire"):
        wired.reconnect(0.01)


# ---- devices of others, and nonsense


def test_a_device_without_our_group_is_said_to_be_of_others(
    scripted: Callable[[Answer], tuple[Device, Scripted]],
) -> None:
    device, _ = scripted(others)
    with device, pytest.raises(DeviceError, match=r"no slots of torpor's.*ENOTSUP"):
        device.status()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        STATUS | {"more": 1},
        STATUS | {"board": 5},
        {k: v for k, v in STATUS.items() if k != "slots"},
        b"\xff",
        b"\x01",
        {"err": {"group": 64}},
        {"rc": "no"},
    ],
    ids=range(8),
)
def test_an_answer_that_is_not_understood_is_an_error_of_one_line(
    scripted: Callable[[Answer], tuple[Device, Scripted]], answer: Any
) -> None:
    device, _ = scripted(lambda what, _body: others(what, {}) if what[1] == 0 else answer)
    with device, pytest.raises(DeviceError) as caught:
        device.state()
    assert "is not understood" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("key", ["running", "state", "slots"])
def test_a_device_with_other_slots_is_not_guessed_at(
    scripted: Callable[[Answer], tuple[Device, Scripted]], key: str
) -> None:
    answer = STATUS | {key: STATUS[key][:1]}  # type: ignore[index]
    device, _ = scripted(lambda what, _body: others(what, {}) if what[1] == 0 else answer)
    with device, pytest.raises(DeviceError, match="other slots than this torpor knows"):
        device.state()


def test_a_reason_of_a_later_firmware_is_shown_by_its_number(
    scripted: Callable[[Answer], tuple[Device, Scripted]],
) -> None:
    refusal = {"err": {"group": 64, "rc": 200}}
    device, _ = scripted(lambda what, _body: others(what, {}) if what[1] == 0 else refusal)
    with device, pytest.raises(RefusedError, match="reason 200, which this torpor does not know"):
        device.end_trial(0)


def test_a_refusal_without_a_reason_shows_the_number_of_mcumgr(
    scripted: Callable[[Answer], tuple[Device, Scripted]],
) -> None:
    def answer(what: tuple[int, int, int], body: Any) -> Any:
        return {"err": {"group": 1, "rc": 14}} if what[1] == 1 else others(what, body)

    device, _ = scripted(answer)
    with device, pytest.raises(RefusedError, match="INVALID_SLOT") as caught:
        device.arm(bytes(32))
    assert caught.value.reason is None
    assert not caught.value.is_about_image


@pytest.mark.parametrize("off", [5000, None])
def test_an_offset_that_cannot_be_is_an_error(
    scripted: Callable[[Answer], tuple[Device, Scripted]], off: int | None
) -> None:
    body = {} if off is None else {"off": off}
    device, _ = scripted(lambda what, _body: others(what, {}) if what[1] == 0 else body)
    with device, pytest.raises(DeviceError, match=f"wants byte {off} of a file of 100"):
        device.upload(B, bytes(100), ignore)


def test_an_upload_that_gets_no_further_ends(
    scripted: Callable[[Answer], tuple[Device, Scripted]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "STALLED_S", 0.05)
    device, _ = scripted(lambda what, _body: others(what, {}) if what[1] == 0 else {"off": 0})
    with device, pytest.raises(DeviceError, match="takes no more bytes: 0 of 100 are there"):
        device.upload(B, bytes(100), ignore)


def test_a_buffer_that_holds_no_message_is_an_error(
    scripted: Callable[[Answer], tuple[Device, Scripted]],
) -> None:
    device, _ = scripted(lambda _what, _body: {"buf_size": 40, "buf_count": 1})
    with device, pytest.raises(DeviceError, match="too small"):
        device.upload(B, bytes(100), ignore)


def test_damaged_events_are_an_error(
    scripted: Callable[[Answer], tuple[Device, Scripted]],
) -> None:
    page = {"oldest": 3, "next": 4, "events": [bytes(32)]}
    device, _ = scripted(lambda what, _body: others(what, {}) if what[1] == 0 else page)
    with device, pytest.raises(DeviceError, match="event 3 is damaged"):
        device.events()


def test_a_device_that_does_not_tell_its_buffer_gets_short_messages(
    scripted: Callable[[Answer], tuple[Device, Scripted]],
) -> None:
    longest = 0

    def answer(what: tuple[int, int, int], body: Any) -> Any:
        nonlocal longest
        if what[1] == 0:
            return {"rc": 8}
        longest = max(longest, len(body["data"]))
        return {"off": body["off"] + len(body["data"])}

    device, _ = scripted(answer)
    with device:
        device.upload(B, bytes(1000), ignore)
    assert 150 < longest < 252


def test_a_closed_device_can_be_closed_again(wired: Device) -> None:
    wired.close()
    wired.close()
