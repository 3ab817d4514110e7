# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Inputs that a sleeping device keeps: they outlive resets and power cuts; a data set of them."""

import json
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulated.managed import BOARD, Ears, at_port, busy_day, device, firmware_a
from tests.emulated.processes import TORPOR
from torpor.board import load_board
from torpor.emulate import Moment, Store
from torpor.emulate.debugger import functions
from torpor.model import load_model
from torpor.wire import records

RANDOM, LOW = 1, 2
SUMMARY = 1
ENOUGH = 8  # entries
PLACES = [(1, 0), (2, 1), (1, 3), (3, 5), (1, 8), (2, 0)]
"""Where the power fails: at this operation of programming, after so many words of it."""

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.xdist_group("wake")]


def kept(it: Ears) -> dict[int, Any]:
    """Return what the device has kept, by number."""
    found: dict[int, Any] = {}
    while (entry := _fetch(it, max(found, default=-1) + 1)).status == 0:
        found[entry.number] = entry
    return found


_seq = count(100)


def _fetch(it: Ears, number: int) -> Any:
    """Return the entry with the lowest number from this one on, without its `seq`."""
    request = records.Fetch(next(_seq), number, 0)
    return it.answer(request, records.Sample)


def content(entry: Any) -> tuple[Any, ...]:
    """Return an entry without the number of the question."""
    return tuple(getattr(entry, f.name) for f in entry.spec.fields if f.name != "seq")


def assert_all_there(before: dict[int, Any], after: dict[int, Any]) -> None:
    """Nothing that was kept is lost or changed."""
    assert {n: content(e) for n, e in before.items()} == {
        n: content(after[n]) for n in before if n in after
    }


def until_kept(it: Ears, wanted: int = ENOUGH) -> dict[int, Any]:
    """Wait until so many are there."""
    while len(found := kept(it)) < wanted:
        it.until_heard(records.Decision, len(it.of(records.Decision)) + 1)
    return found


@pytest.mark.parametrize("board", [BOARD, "riscv_virt"])
def test_what_it_is_not_sure_of_is_kept_and_says_why(board: str, tmp_path: Path) -> None:
    model = load_model("motion")
    assert model.about.wake
    low = round(model.about.wake.samples.low * 255)
    with device(tmp_path, busy_day(), board) as it:
        found = until_kept(it)
        told = it.of(records.About)[-1].plan_crc
    assert list(found) == list(range(len(found)))
    assert {e.why for e in found.values()} == {RANDOM, LOW}
    assert all(e.score < low for e in found.values() if e.why == LOW)
    assert {e.plan for e in found.values()} == {told}
    assert {e.kind for e in found.values()} == {SUMMARY}, "inputs themselves stay private"
    assert {e.size for e in found.values()} == {2 * len(model.about.input.axes)}
    times = [e.time for e in found.values()]
    assert times == sorted(times)


def test_they_outlive_resets_and_power_cuts(tmp_path: Path) -> None:
    with device(tmp_path, busy_day()) as it:
        before = until_kept(it)
        for end in (it.emulator.reset, it.emulator.power_cut, it.emulator.reset):
            starts = len(it.of(records.Restarted))
            it.forget()
            end()
            it.until_heard(records.Restarted, starts + 1)
            after = kept(it)
            assert_all_there(before, after)
            assert list(after) == list(range(len(after))), "numbers go on"
            before = after


def test_power_may_fail_while_one_is_written(tmp_path: Path) -> None:
    board = load_board(BOARD)
    assert board.flash and board.samples
    place = Store(board.flash.origin + board.samples.offset, board.samples.size)
    programs = tuple(functions(firmware_a(), "flash_program"))
    with device(tmp_path, busy_day()) as it:
        until_kept(it, 1)
        for operation, words in PLACES:
            before, starts = kept(it), len(it.of(records.Restarted))
            moments = [Moment(programs, operation)]
            moments += [Moment((place,), words + 1)] if words else []
            cut = it.emulator.cut_at(*moments, meanwhile=lambda _: it.forget())
            it.until(lambda: cut.struck)  # noqa: B023 - called at once
            it.until_heard(records.Restarted, starts + 1)
            after = kept(it)
            assert_all_there(before, after)
            assert len(after) >= len(before) + operation - 2, "one operation may begin a block"
            assert it.of(records.Restarted)[-1].kept == 0


# ---- torpor samples


def torpor(*words: object) -> str:
    done = subprocess.run(
        [TORPOR, "samples", *map(str, words)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_they_are_listed_fetched_and_exported(tmp_path: Path) -> None:
    with device(tmp_path, busy_day()) as it:
        found = until_kept(it)
    port, folder, out = tmp_path / "port", tmp_path / "kept", tmp_path / "out"
    with at_port(tmp_path / "flash", port):
        rows = json.loads(torpor("list", "--port", port, "--json"))
        said = torpor("fetch", "--port", port, "-o", folder)
        again = torpor("fetch", "--port", port, "-o", folder)
    assert len(rows) >= len(found)
    names = load_model("motion").labels
    for row in rows[: len(found)]:
        entry = found[row["number"]]
        assert (row["time"], row["best"]) == (entry.time, names[entry.best])
        assert (row["kind"], row["bytes"]) == ("summary", entry.size)
    assert said == f"{len(rows)} new, {len(rows)} in {folder}\n"
    assert again == f"0 new, {len(rows)} in {folder}\n"
    torpor("export", folder, "-o", out)
    (file,) = out.glob("summaries-*.npz")
    with np.load(file) as arrays:
        assert arrays["numbers"].tolist() == [row["number"] for row in rows]
        assert arrays["codes"][0].tobytes() == found[rows[0]["number"]].data
        assert arrays["means"].shape == (len(rows), len(load_model("motion").about.input.axes))
