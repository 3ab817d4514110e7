# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sleeping device that ships, in the same scene on every board: from memory, over the wire."""

import json
import subprocess
from functools import cache
from typing import Any

import pytest

from tests.emulated import sleeper
from tests.emulated.conftest import require
from tests.emulated.processes import TORPOR
from tests.emulated.sleeper import (
    LATE_MS,
    decided,
    events,
    fingerprint,
    from_memory,
    living,
    over_the_wire,
    story,
)
from torpor.board import load_board
from torpor.emulate import firmware
from torpor.model import load_model
from torpor.scene import Scene
from torpor.wire import records

IN_MEMORY = ("mps2_an386", "mps2_an505", "mps3_an547", "riscv_virt")
OVER_THE_WIRE = ("mps2_an386", "microbit", "riscv_virt")
pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.xdist_group("wake")]


@cache
def first(board: str = "mps2_an386") -> list[Any]:
    """Return what the first run of a board has told."""
    return from_memory(board, events())


@pytest.mark.parametrize("board", IN_MEMORY)
def test_what_happens_is_told_with_its_time(board: str) -> None:
    require(load_board(board))
    labels, truth = load_model(sleeper.MODEL).labels, events().truth
    found = [(time, labels[best]) for time, best, _ in decided(first(board))]
    assert [label for _, label in found] == [one.label for one in truth]
    for (time, _), one in zip(found, truth, strict=True):
        assert one.start_s * 1000 < time <= one.end_s * 1000 + LATE_MS


@pytest.mark.parametrize("board", IN_MEMORY[1:])
def test_every_board_tells_the_same_story(board: str) -> None:
    require(load_board(board))
    assert story(first(board)) == story(first())


@pytest.mark.parametrize("board", OVER_THE_WIRE)
def test_it_tells_the_same_story_of_samples_that_come_over_the_wire(board: str) -> None:
    require(load_board(board))
    assert story(over_the_wire(board, events())) == story(first())


@pytest.mark.parametrize("board", ["mps2_an386", "riscv_virt"])
def test_a_second_run_says_the_same_to_the_last_record(board: str) -> None:
    """Numbers and order of all records too: nobody asks it anything."""
    require(load_board(board))
    without = ("latency", "latency_50", "latency_95", "residency", "stack")
    again = from_memory(board, events())
    assert fingerprint(again, *without) == fingerprint(first(board), *without)
    numbers = [record.n for record in again if hasattr(record, "n")]
    assert numbers == list(range(len(numbers)))


def test_another_scene_is_another_story() -> None:
    require(load_board("mps2_an386"))
    other = events(seed=6)
    assert story(from_memory("mps2_an386", other)) != story(first())


def test_it_is_awake_for_what_moves_only() -> None:
    require(load_board("mps2_an386"))
    summaries = [record for record in first() if isinstance(record, records.Summary)]
    assert [s.span for s in summaries] == [60_000] * (sleeper.SECONDS // 60)
    assert sum(s.wakes for s in summaries) == len(events().truth)
    quiet = summaries[2]  # of the third minute
    assert (quiet.wakes, quiet.inferences, quiet.counts) == (0, 0, b"")
    assert int.from_bytes(quiet.residency[:2], "big") > 9_950  # of 10,000, asleep
    assert all(s.lost == s.dropped == s.errors == 0 for s in summaries)


def test_one_that_never_sleeps_finds_the_same() -> None:
    require(load_board("mps2_an386"))
    always = from_memory("mps2_an386", events(), firmware.ALWAYS)
    assert [best for _, best, _ in decided(always)] == [best for _, best, _ in decided(first())]
    wake = load_model(sleeper.MODEL).about.wake
    assert wake
    inferences = sum(r.inferences for r in always if isinstance(r, records.Summary))
    blocks = events().scene.samples // wake.block
    assert inferences == blocks - (wake.trigger.debounce - 1)  # with each but the first


def test_a_button_wakes_a_process_of_this_computer() -> None:
    """On the clock of the wall; nothing moves."""
    still = Scene(rate_hz=10, samples=6000, base=(0,) * 6, noise=3, seed=1)
    with living("native", still) as listener:
        listener.until_heard(records.About)
        listener.emulator.edge()
        number = iter(range(1, 1000))

        def woken() -> bool:
            listener.ask(records.Ask(next(number), 1))
            listener.listen()
            return any(summary.wakes for summary in listener.of(records.Summary))

        listener.until(woken)
        (first_one, *_) = [s for s in listener.of(records.Summary) if s.wakes]
        assert (first_one.wakes, first_one.inferences) == (1, 0)


# ---- torpor demo wake


def compared(*words: str) -> dict[str, Any]:
    """Return what the demo says of the two; it must end well."""
    done = subprocess.run(
        [TORPOR, "demo", "wake", "--json", *words],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_worth_it(found: dict[str, Any]) -> None:
    """As good as one that never sleeps, for a tenth of the work."""
    assert found["hits_always_on"] > 0
    assert abs(found["hits_gated"] - found["hits_always_on"]) <= 1
    assert 0 < found["insn_ratio"] <= 0.1
    assert 0 < found["duty"] < found["duty_always_on"] < 1
    cost = found["energy_mah_per_day_estimated"]
    assert 0 < cost < found["energy_mah_per_day_always_on_estimated"]
    assert found["rejected_wakes"] <= found["wakes"]


def test_in_a_scene_of_motion_a_tenth_of_the_work_finds_as_much() -> None:
    require(load_board("mps2_an386"))
    found = compared("--scene", "motion", "--seconds", "400")
    assert (found["model"], found["events"], found["good"]) == ("motion", 2, True)
    assert_worth_it(found)


def test_in_quiet_rooms_a_tenth_of_the_work_hears_as_much() -> None:
    require(load_board("mps2_an386"))
    found = compared("--scene", "quiet", "--seconds", "130")
    assert found["good"]
    assert len(found["scenes"]) > 1
    for one in found["scenes"]:
        assert one["sensor"] == "sound"
        assert_worth_it(one)
