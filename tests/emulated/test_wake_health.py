# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A sleeping device that hangs or crashes restarts, and tells where: seen on emulated boards."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.emulated import sleeper
from tests.emulated.conftest import require
from tests.emulated.sleeper import Listener, events, living, patched
from tests.support.wrong_code import ENDLESS, UNDEFINED
from torpor import emulate
from torpor.board import load_board
from torpor.emulate.debugger import functions
from torpor.image.reasons import NUMBERS
from torpor.monitor.steps import steps
from torpor.power.fields import find
from torpor.scene import Scene, pack
from torpor.wire import records

WITH_WATCHDOG = ("mps2_an386", "mps2_an505", "mps3_an547")
WITH_SCENE = (*WITH_WATCHDOG, "riscv_virt")
STEPS = {"gate_motion": ["WAKE"], "stage_infer": ["WAKE", "GATE", "INFER"]}
"""The last steps of a run that ends where a function begins."""

QUIET = Scene(10, 100_000, (0,) * 6, noise=3, seed=1)

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.xdist_group("wake")]


@contextmanager
def broken(board: str, folder: Path, function: str, code: bytes) -> Iterator[Listener]:
    """Give a device that is well until something moves: then it comes to `function`."""
    require(load_board(board))
    at = patched(sleeper.elf(board), folder, function, code)
    with living(board, events().scene, at=at) as listener:
        yield listener


def restarted(listener: Listener, count: int) -> Any:
    """Return the `count`-th word about a restart."""
    listener.until_heard(records.Restarted, count)
    return listener.of(records.Restarted)[count - 1]


def counts(record: Any) -> tuple[int, int, int]:
    return record.resets, record.watchdogs, record.faults


def names(record: Any) -> list[str]:
    return [step["what"] for step in steps(record.trace)]


def place(board: str, function: str) -> int:
    (code,) = functions(sleeper.elf(board), function)
    return code.address


# ---- what ends a run


@pytest.mark.parametrize("function", STEPS)
@pytest.mark.parametrize("board", WITH_WATCHDOG)
def test_a_hang_is_ended_by_the_watchdog_and_its_place_is_told(
    board: str, function: str, tmp_path: Path
) -> None:
    with broken(board, tmp_path, function, ENDLESS["cortexm"]) as listener:
        first, told = restarted(listener, 1), restarted(listener, 2)
    assert (first.kept, first.reason, *counts(first), first.trace) == (0, 0, 0, 0, 0, b"")
    assert (told.kept, told.reason) == (1, NUMBERS["watchdog"])
    assert told.pc - place(board, function) in (2, 4), "two instructions of ENDLESS, for ever"
    assert counts(told) == (0, 1, 0)
    assert names(told)[-len(STEPS[function]) :] == STEPS[function]


@pytest.mark.parametrize("function", STEPS)
@pytest.mark.parametrize("board", WITH_SCENE)
def test_a_crash_is_told_with_its_place_and_the_words_of_the_cpu(
    board: str, function: str, tmp_path: Path
) -> None:
    architecture = load_board(board).core.architecture
    with broken(board, tmp_path, function, UNDEFINED[architecture]) as listener:
        told = restarted(listener, 2)
    assert (told.kept, told.reason) == (1, NUMBERS["fault"])
    assert told.pc == place(board, function)
    assert told.cfsr != 0
    assert counts(told) == (0, 0, 1)
    assert names(told)[-len(STEPS[function]) :] == STEPS[function]
    assert any(line.startswith("restarted after exception ") for line in listener.said)


def test_each_hang_is_counted_until_the_power_fails(tmp_path: Path) -> None:
    with broken("mps2_an386", tmp_path, "gate_motion", ENDLESS["cortexm"]) as listener:
        found = [counts(restarted(listener, number)) for number in range(1, 5)]
        assert found == [(0, number, 0) for number in range(4)]
        listener.emulator.power_cut()
        listener.until(lambda: [r.kept for r in listener.of(records.Restarted)].count(0) == 2)
        told = listener.of(records.Restarted)[-1]
    assert (told.reason, told.pc, told.cfsr, told.trace, *counts(told)) == (0, 0, 0, b"", 0, 0, 0)


def test_causes_are_counted_apart(tmp_path: Path) -> None:
    """Reset, reset, a hang on command, reset; real time: nothing happens by itself."""
    require(load_board("mps2_an386"))
    at = patched(sleeper.elf("mps2_an386"), tmp_path, "gate_motion", ENDLESS["cortexm"])
    with emulate.start("mps2_an386", at, memory=memory(tmp_path)) as emulator:
        listener = Listener(emulator)
        told = [restarted(listener, 1)]
        for number in (2, 3):
            emulator.reset()
            told.append(restarted(listener, number))
        listener.ask(records.Trigger(7, 1))
        told.append(restarted(listener, 4))
        emulator.reset()
        told.append(restarted(listener, 5))
    assert [record.kept for record in told] == [0, 1, 1, 1, 1]
    reset, watchdog = 0, NUMBERS["watchdog"]
    assert [record.reason for record in told[1:]] == [reset, reset, watchdog, reset]
    assert [counts(record) for record in told] == [
        *((0, 0, 0), (1, 0, 0), (2, 0, 0)),
        *((2, 1, 0), (3, 1, 0)),
    ]
    assert names(told[3])[-2:] == ["REQUEST", "WAKE"]


def memory(folder: Path) -> dict[int, Path]:
    """Return a scene in which nothing moves, for the memory of mps2_an386."""
    board = load_board("mps2_an386")
    assert board.scene
    (folder / "scene").write_bytes(pack(QUIET))
    return {board.scene.origin: folder / "scene"}


def test_the_device_is_itself_again_after_a_crash(tmp_path: Path) -> None:
    """It says who it is, and a reset from outside is no crash: the last one is told once."""
    with broken("mps2_an386", tmp_path, "stage_infer", UNDEFINED["cortexm"]) as listener:
        restarted(listener, 2)
        listener.until_heard(records.Label, 8)
        abouts = listener.of(records.About)
    assert abouts[0] == abouts[1]
    assert len(listener.of(records.Decision)) == 0


# ---- progress, and none


def test_a_device_whose_blocks_come_is_left_alone() -> None:
    """An hour in which nothing happens, hundreds of times the watchdog's."""
    require(load_board("mps2_an386"))
    hour = dataclasses.replace(QUIET, samples=3600 * QUIET.rate_hz)
    with living("mps2_an386", hour) as listener:
        listener.until_over()
    assert len(listener.of(records.Restarted)) == 1
    assert sum(s.span for s in listener.of(records.Summary)) == 3_600_000


def test_a_sensor_that_stops_ends_by_the_watchdog() -> None:
    """Its timer is forgotten. All others go on, and requests are answered: that is no progress."""
    require(load_board("mps2_an386"))
    file = sleeper.elf("mps2_an386")
    (timer,) = find(file, "app/wake/main.c", "timers.set")
    with living("mps2_an386", QUIET) as listener:
        listener.until_heard(records.Label, 4)
        stop_before_sleep(listener)
        listener.emulator.debugger.write([(timer.address, b"\0")])
        listener.emulator.debugger.resume()
        told = restarted(listener, 2)
    assert (told.kept, told.reason) == (1, NUMBERS["watchdog"])
    assert counts(told) == (0, 1, 0)


def stop_before_sleep(listener: Listener) -> None:
    """Stop the core where it is about to sleep: all timers are set."""
    debugger = listener.emulator.debugger
    here = functions(sleeper.elf("mps2_an386"), "start_sleep", "start_sleep_deep")
    debugger.pause()
    debugger.set_places(here)
    debugger.resume()
    listener.until(debugger.has_stopped)
    debugger.clear_places(here)


@pytest.mark.parametrize("kind", ["gate_motion", "stage_infer"])
def test_without_a_watchdog_a_reset_from_outside_keeps_the_steps(kind: str, tmp_path: Path) -> None:
    """There is none in the emulated riscv_virt: somebody presses the button."""
    with broken("riscv_virt", tmp_path, kind, ENDLESS["riscv"]) as listener:
        here = functions(sleeper.elf("riscv_virt"), kind)
        debugger = listener.emulator.debugger
        debugger.pause()
        debugger.set_places(here)
        debugger.resume()
        listener.until(debugger.has_stopped)
        debugger.clear_places(here)
        debugger.resume()
        listener.emulator.reset()
        told = restarted(listener, 2)
    assert (told.kept, told.reason) == (1, 0)
    assert counts(told) == (1, 0, 0)
    assert names(told)[-len(STEPS[kind]) :] == STEPS[kind]
