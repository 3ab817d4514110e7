# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The steps of an update, each of which may be repeated."""

from collections.abc import Callable

import pytest

from tests.mgmt.device import image_hash
from tests.update.device import FIRMWARE, A, B
from tests.update_host.conftest import Wire
from tests.update_host.toy import Toy
from torpor.errors import DeviceError, UsageError
from torpor.update import device as device_module
from torpor.update import flow
from torpor.update.device import Device, NoAnswerError
from torpor.update.flow import Patience, Updater
from torpor.update.state import SlotImage

What = tuple[int, int, int]
UPLOAD, RESET, STATUS = (2, 1, 1), (2, 0, 5), (0, 64, 0)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def updater(wired: Device, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Updater:
    """Impatient, so that silence costs little time."""
    monkeypatch.setattr(flow, "POLL_S", 0.0)
    monkeypatch.setattr(flow, "POLL_TIMEOUT_S", 0.02)
    return Updater(wired, Patience(lost=5, trial=20, tell=said.append))


def loaded(it: Toy, version: str = "1.1.0") -> SlotImage:
    """Put an image into slot B, as if it had been sent."""
    image = it.firmware(B, version)
    it.device.load(B, image)
    return SlotImage(version, image_hash(image))


def dropping(what: What, count: int) -> Callable[[What], bool]:
    """Return what loses the first `count` messages of a kind."""
    left = count

    def hears(asked: What) -> bool:
        nonlocal left
        left -= asked == what
        return asked != what or left < 0

    return hears


def test_an_image_is_tried_and_confirmed(it: Toy, updater: Updater, said: list[str]) -> None:
    image = loaded(it)
    it.patience = 5
    since = updater.start(B, image)
    outcome = updater.wait(B, image, since)
    assert (outcome.verdict, outcome.slot, outcome.version) == ("confirmed", B, "1.1.0")
    assert (outcome.event, outcome.reason.name) == (None, "ok")
    assert said == ["1.1.0 runs on trial in slot B"]


def test_every_attempt_is_told_with_the_end_of_the_one_before(
    it: Toy, updater: Updater, said: list[str]
) -> None:
    image = loaded(it)
    it.outcomes["1.1.0"] = "watchdog"
    outcome = updater.wait(B, image, updater.start(B, image))
    assert (outcome.verdict, outcome.reason.name) == ("reverted", "watchdog")
    assert outcome.event
    assert outcome.event.pc == 0x4321
    assert said == [
        "1.1.0 runs on trial in slot B",
        "attempt 2 of 3, because: it hung, or did not confirm in time",
        "attempt 3 of 3, because: it hung, or did not confirm in time",
    ]


def test_an_older_revert_of_the_same_image_is_not_the_verdict(it: Toy, updater: Updater) -> None:
    image = loaded(it)
    it.outcomes["1.1.0"] = "fault"
    assert updater.wait(B, image, updater.start(B, image)).reason.name == "fault"
    it.outcomes["1.1.0"] = "self_test"
    assert updater.wait(B, image, updater.start(B, image)).reason.name == "self_test"


def test_a_reset_that_got_lost_is_asked_for_again(
    it: Toy, updater: Updater, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "RESTART_S", 0.05)
    image = loaded(it)
    it.hears = dropping(RESET, 1)
    assert updater.wait(B, image, updater.start(B, image)).verdict == "confirmed"
    assert it.kinds() == ["armed", "attempt", "confirmed"]


def test_a_running_trial_is_not_restarted(it: Toy, updater: Updater) -> None:
    image = loaded(it)
    it.outcomes["1.1.0"] = "hang"
    updater.start(B, image)
    starts = it.starts
    updater.start(B, image)
    assert it.starts == starts


def test_a_device_that_is_silent_on_its_trial_is_waited_for(
    it: Toy, updater: Updater, said: list[str]
) -> None:
    image = loaded(it)
    since = updater.start(B, image)
    it.deaf = 15
    assert updater.wait(B, image, since).verdict == "confirmed"
    assert "no answer yet: 1.1.0 starts, or hangs until its watchdog ends that" in said


def test_a_trial_that_does_not_end_in_time_is_left_alone(it: Toy, updater: Updater) -> None:
    image = loaded(it)
    it.outcomes["1.1.0"] = "hang"
    updater.patience.trial = 0.1
    since = updater.start(B, image)
    with pytest.raises(DeviceError, match=r"1.1.0 runs in slot B .* not confirmed after 0.1 s"):
        updater.wait(B, image, since)
    assert it.is_trial_running(FIRMWARE)


def test_a_trial_that_does_not_begin_is_said_to_wait(it: Toy, updater: Updater) -> None:
    image = loaded(it)
    it.hears = dropping(RESET, 10**9)
    updater.patience.trial = 0.1
    since = updater.start(B, image)
    with pytest.raises(DeviceError, match=r"1.1.0 waits in slot B"):
        updater.wait(B, image, since)


def test_sending_goes_on_after_losses_as_long_as_there_is_progress(
    it: Toy, updater: Updater, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = it.firmware(B, "1.1.0", bytes(range(256)) * 120)
    uploads = 0

    def feed(data: bytes) -> bytes:
        nonlocal uploads
        answer = it.feed(data)
        uploads += b"\x06\x09" in data
        if uploads % 8 == 7:  # the cable is loose
            uploads += 1
            raise DeviceError("wire: gone")
        return answer

    monkeypatch.setattr(device_module, "open_transport", lambda _p, _b: Wire(feed))
    updater.device.connect()
    seen: list[int] = []
    updater.send(B, image, seen.append)
    assert it.device.slot(B)[: len(image)] == image
    assert len([line for line in said if line == "wire: gone; waiting for it"]) > flow.LOSSES
    assert seen[-1] == len(image)


def test_a_device_that_is_lost_again_and_again_without_progress_stays_lost(
    it: Toy, updater: Updater, said: list[str]
) -> None:
    it.hears = dropping(UPLOAD, 10**9)
    with pytest.raises(NoAnswerError):
        updater.send(B, it.firmware(B, "1.1.0"), lambda _done: None)
    assert len(said) == flow.LOSSES


def test_a_trial_is_ended_and_the_device_goes_back(it: Toy, updater: Updater) -> None:
    image = loaded(it)
    it.outcomes["1.1.0"] = "hang"
    updater.start(B, image)
    assert updater.end_trial(FIRMWARE) == B
    assert (it.running(FIRMWARE), it.kinds()[-1]) == (A, "reverted user")


def test_a_trial_that_waits_is_ended_before_it_begins(it: Toy, updater: Updater) -> None:
    image = loaded(it)
    it.hears = dropping(RESET, 1)
    updater.start(B, image)
    assert updater.end_trial(FIRMWARE) == B
    assert it.kinds() == ["armed", "reverted user"]


def test_an_end_whose_answer_was_lost_is_an_end(
    it: Toy, updater: Updater, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = loaded(it)
    it.hears = dropping(RESET, 1)
    updater.start(B, image)
    lost = False

    def feed(data: bytes) -> bytes:
        nonlocal lost
        answer = it.feed(data)
        if it.kinds()[-1] == "reverted user" and not lost:
            lost = True
            return b""
        return answer

    monkeypatch.setattr(device_module, "open_transport", lambda _p, _b: Wire(feed))
    updater.device.connect()
    assert updater.end_trial(FIRMWARE) == B
    assert (lost, it.kinds()) == (True, ["armed", "reverted user"])


def test_there_has_to_be_a_trial_to_end(updater: Updater) -> None:
    with pytest.raises(UsageError, match="no firmware is on trial"):
        updater.end_trial(FIRMWARE)
