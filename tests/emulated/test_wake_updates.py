# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Updates of a sleeping device: it goes on with its work, and telemetry does not hold them up."""

import itertools
import json
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.emulated import updatable
from tests.emulated.conftest import require
from tests.emulated.managed import BOARD, Ears, at_port, busy_day, device, firmware_a, kit, line
from tests.emulated.processes import TORPOR
from tests.emulated.updatable import FIRST_MODEL
from tests.monitor.commands import lines_until, running
from torpor.board import load_board
from torpor.emulate import firmware
from torpor.power.fields import find
from torpor.wire import records
from torpor.wire.records import Record

BAUD = 115_200
BUDGET = 0.05  # of the wire, for telemetry while an update needs it
SAVED = 288  # bytes that may be sent at once

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.xdist_group("wake")]


def assert_goes_on(decisions: list[Any]) -> None:
    """Answers of one run: their time and their numbers only grow."""
    assert len(decisions) > 1
    for before, after in itertools.pairwise(decisions):
        assert before.time < after.time and before.n < after.n


# ---- it goes on with its work


def test_the_first_firmware_of_a_device_confirms_itself(tmp_path: Path) -> None:
    with device(tmp_path, busy_day(), new=True) as it:
        it.until_heard(records.Decision, 2)
        status = it.status()
        (about,) = it.of(records.About)
    assert status["running"][0] == 0
    assert status["state"][0]["confirmed"] == 0
    assert (about.firmware, about.model) == ("1.0.0", "")


def test_a_model_takes_effect_between_two_inferences(tmp_path: Path) -> None:
    """Without a restart; the scene goes on, and so do numbers and time."""
    with device(tmp_path, busy_day()) as it:
        it.until_heard(records.Decision, 2)
        it.upload(FIRST_MODEL + 1, kit().models[1].data)
        it.arm(kit().models[1].hash)
        it.until_heard(records.About, 2)
        here = len(it.of(records.Decision))
        it.until_heard(records.Decision, here + 3)
        status = it.status()
    assert status["running"] == [0, FIRST_MODEL + 1]
    assert [about.model for about in it.of(records.About)] == ["1.0.0", "2.0.0"]
    assert len(it.of(records.Restarted)) == 1
    assert_goes_on(it.of(records.Decision))
    assert all(decision.source == 0 for decision in it.of(records.Decision))
    assert it.garbled == 0


def test_firmware_is_updated_while_the_device_answers(tmp_path: Path) -> None:
    with device(tmp_path, busy_day()) as it:
        it.until_heard(records.Decision, 1)
        it.upload(0, kit().new.data)
        during = len(it.of(records.Decision))
        it.arm(kit().new.hash)
        it.reset()
        it.until_heard(records.Restarted, 2)
        first = len(it.of(records.Decision))
        it.until_heard(records.Decision, first + 2)
        status = it.status()
        abouts = it.of(records.About)
    assert during > 1, "it has answered meanwhile"
    assert status["running"] == [1, FIRST_MODEL]
    assert [part["confirmed"] for part in status["state"]] == [1, FIRST_MODEL]
    assert [(about.firmware, about.model) for about in abouts] == [
        ("1.0.0", "1.0.0"),
        ("2.0.0", "1.0.0"),
    ]
    assert_goes_on(it.of(records.Decision)[:first])
    assert_goes_on(it.of(records.Decision)[first:])
    told = it.of(records.Restarted)[1]
    assert (told.kept, told.reason, told.resets, told.watchdogs) == (1, 0, 1, 0)


@pytest.mark.parametrize("kind", ["hung", "crashing"])
def test_firmware_that_is_none_is_given_up_and_the_old_one_answers(
    kind: str, tmp_path: Path
) -> None:
    with device(tmp_path, busy_day()) as it:
        it.upload(0, getattr(kit(), kind).data)
        it.arm(getattr(kit(), kind).hash)
        it.reset()
        here = len(it.of(records.Decision))
        it.until_heard(records.Decision, here + 2)
        assert it.status()["running"] == [0, FIRST_MODEL]
    told = it.of(records.Restarted)[-1]
    assert told.kept == 1
    assert it.of(records.About)[-1].firmware == "1.0.0"


def test_torpor_update_does_it_and_the_monitor_sees_the_same_device(tmp_path: Path) -> None:
    """As a user types it: model, firmware, and a look at who is there now."""
    require(load_board(BOARD))
    (tmp_path / "flash").write_bytes(updatable.in_the_field(BOARD, firmware.WAKE))
    with at_port(tmp_path / "flash", tmp_path / "port"):
        for image, words in (
            (kit().models[1], "2.0.0 in model slot 1 runs and is confirmed\n"),
            (kit().new, "2.0.0 in slot B runs and is confirmed\n"),
        ):
            (tmp_path / "image.bin").write_bytes(image.data)
            assert torpor("update", tmp_path / "image.bin", "--port", tmp_path / "port") == words
        with running("--json", tmp_path / "port") as process:
            about = json.loads(lines_until(process, '"type": "about"')[-1])
    assert (about["firmware"], about["model"], about["sensor"]) == ("2.0.0", "2.0.0", "motion")


def torpor(*words: object) -> str:
    done = subprocess.run(
        [TORPOR, *map(str, words)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- the wire is the update's


@dataclass(frozen=True)
class Upload:
    """What an upload took.

    Attributes:
        management: bytes of it, both ways.
        telemetry: bytes of records that came meanwhile.
        told: of them, those that nobody waited for.
        device_s: seconds on the device's clock.
        busy_s: of them, those in which its CPU worked.
    """

    management: int
    telemetry: int
    told: int
    device_s: float
    busy_s: float

    @property
    def link_s(self) -> float:
        """How long it takes over a wire of 115,200 baud, on which nothing is at the same time.

        That of the emulator takes no time.
        """
        return (self.management + self.telemetry) * 10 / BAUD + self.busy_s


@dataclass(frozen=True)
class Clock:
    """Reads what the device knows about its time, through the debug port."""

    it: Ears

    def device_s(self) -> float:
        """Return the time that its loop saw last."""
        return self._read("app/wake/main.c", "timers.now")[0]

    def busy_s(self) -> float:
        """Return the time in which it did not sleep."""
        return sum(self._read("app/wake/account.c", "residency.ticks")[1:])

    def _read(self, source: str, name: str) -> list[float]:
        (field,) = find(firmware_a(), source, name)
        content = self.it.emulator.debugger.read(field.address, field.size)
        hz = load_board(BOARD).timer.hz
        return [ticks / hz for (ticks,) in struct.iter_unpack("<Q", content)]


def upload(it: Ears, *questions: Record) -> Upload:
    """Upload firmware; with each message come questions, which the device answers before it."""
    clock = Clock(it)
    it.status()  # as every client begins; from now on the wire is the management's
    start, busy, heard = clock.device_s(), clock.busy_s(), len(it.heard)
    before = it.sent + it.received
    it.before = b"".join(map(line, questions))
    it.upload(0, kit().new.data)
    it.before = b""
    sizes = [(record, len(line(record))) for record in it.heard[heard:]]
    telemetry = sum(size for _, size in sizes)
    return Upload(
        it.sent + it.received - before - telemetry,
        telemetry,
        sum(size for record, size in sizes if hasattr(record, "n")),
        clock.device_s() - start,
        clock.busy_s() - busy,
    )


QUESTIONS = (records.Ask(1000, 0), records.Ask(1001, 0), records.Ask(1002, 1))
LOOKS = 5000  # numbers of questions from here on are those of look()


def look(it: Ears) -> Any:
    """Ask for a summary until there is one: the update is over then."""
    count = len(it.of(records.Summary))
    numbers = itertools.count(LOOKS)
    while len(it.of(records.Summary)) == count:
        it.answer(records.Ask(next(numbers), 1))
    return it.of(records.Summary)[-1]


@dataclass(frozen=True)
class Flooded:
    """Two uploads, and what was heard of the device with the second one.

    Attributes:
        quiet, upload: without and with a flood.
        last: summary, when it was over.
        it: who has heard it.
        whole: what was uploaded is there.
    """

    quiet: Upload
    upload: Upload
    last: Any
    it: Ears
    whole: bool

    @property
    def numbered(self) -> list[Any]:
        return [record for record in self.it.heard if hasattr(record, "n")]


@cache
def flooded() -> Flooded:
    """Upload firmware to two devices, once in a session."""
    with tempfile.TemporaryDirectory() as folder, device(Path(folder), None) as it:
        it.until_heard(records.Label, 4)
        quiet = upload(it)
    with tempfile.TemporaryDirectory() as folder, device(Path(folder), None) as it:
        it.until_heard(records.Label, 4)
        return Flooded(quiet, upload(it, *QUESTIONS), look(it), it, it.holds(kit().new.data))


def test_a_flood_of_records_delays_an_update_by_a_tenth_at_most() -> None:
    """The flood is what a host asks for with each message; its questions are not counted."""
    require(load_board(BOARD))
    quiet, found = flooded().quiet, flooded().upload
    assert found.told <= BUDGET * BAUD / 10 * found.device_s + SAVED
    later = found.link_s - quiet.link_s
    assert 0 < later <= 0.1 * max(quiet.link_s, found.device_s), (quiet, found)


def test_that_flood_would_be_a_delay_if_nothing_were_held_back() -> None:
    require(load_board(BOARD))
    sizes = [len(line(record)) for record in flooded().numbered]
    held_back = flooded().last.dropped * sum(sizes) / len(sizes)
    assert held_back > 0.2 * flooded().quiet.management


def test_what_is_held_back_is_counted_and_shows_in_the_numbers() -> None:
    require(load_board(BOARD))
    numbers = [record.n for record in flooded().numbered]
    last = flooded().last
    assert numbers == sorted(set(numbers))
    assert last.dropped > 100
    assert last.n + 1 == len(numbers) + last.dropped


def test_every_question_and_every_message_of_the_flood_is_answered() -> None:
    require(load_board(BOARD))
    it = flooded().it
    answers = [ack for ack in it.of(records.Ack) if ack.seq < LOOKS]
    assert len(answers) == len(QUESTIONS) * it.flooded
    assert all(answer.status == 0 for answer in answers)
    assert it.garbled == 0
    assert flooded().whole
