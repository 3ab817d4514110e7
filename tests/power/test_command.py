# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""`torpor power`: the firmware that ships, in the emulator, and what is computed beside it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.emulated.conftest import require
from torpor.board import load_board
from torpor.emulate import firmware
from torpor.model import load_model
from torpor.power import measure, scenes
from torpor.power.profile import fit

BOARD = "mps2_an386"


def power(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "torpor", "power", *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    require(load_board(BOARD))
    page = tmp_path_factory.mktemp("power") / "power.html"
    words = ["--hops", "1,4", "--events", "30,60", "--checks", "2", "--plot", str(page), "--json"]
    done = power("motion", *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"page": page}


@pytest.mark.emulated
def test_computed_instructions_are_those_of_a_run_within_ten_percent(study: dict[str, Any]) -> None:
    checks = study["checks"]
    assert [(c["hop"], c["events_per_hour"]) for c in checks] == [(4, 60), (1, 30)]
    for check in checks:
        assert abs(check["error"]) < 0.1
        assert check["found"] == check["events"] == 24


@pytest.mark.emulated
def test_an_estimated_latency_is_near_the_measured_one(study: dict[str, Any]) -> None:
    for check in study["checks"]:
        hop_s = check["hop"] * study["behaviour"]["block_s"]
        assert abs(check["latency_s_estimated"] - check["latency_s_measured"]) < hop_s


@pytest.mark.emulated
def test_every_pair_of_hop_and_rate_is_there_and_always_on(study: dict[str, Any]) -> None:
    rows = [(p["always_on"], p["events_per_hour"], p["hop"]) for p in study["points"]]
    gated = [(False, rate, hop) for rate in (30, 60) for hop in (1, 4)]
    assert rows == [*gated, (True, 0, 1), (True, 0, 4)]
    for point in study["points"]:
        assert 0 < point["busy_estimated"] < 1
        assert point["mah_per_day_estimated"] * point["days_estimated"] == pytest.approx(2500)


@pytest.mark.emulated
def test_to_sleep_costs_a_third_of_being_always_on_at_most(study: dict[str, Any]) -> None:
    work = {(p["hop"], p["events_per_hour"]): p for p in study["points"]}
    for hop in (1, 4):
        always = work[hop, 0]["instructions_per_second"]
        assert work[hop, 60]["instructions_per_second"] < always / 3


@pytest.mark.emulated
def test_the_chart_is_written_beside_the_numbers(study: dict[str, Any]) -> None:
    assert "Plotly.newPlot(" in study["page"].read_text(encoding="utf-8")


@pytest.mark.emulated
def test_a_run_of_a_scene_is_the_same_each_time_and_with_each_hop_its_own() -> None:
    board, model = load_board(BOARD), load_model("motion")
    require(board)
    elf = firmware.build(BOARD, "motion", app=firmware.WAKE, quiet=True).elf
    made = scenes.scene(model, 60, 6, seed=3)
    runs = [measure.run(board, elf, made, hop) for hop in (None, None, 3)]
    first, second, rare = (fit(it.intervals) for it in runs)
    assert [i.counts for i in runs[0].intervals] == [i.counts for i in runs[1].intervals]
    for cost in ("block", "gate", "inference"):  # the others differ if this computer reads late
        assert getattr(first, cost) == pytest.approx(getattr(second, cost), rel=3e-3), cost
    assert rare.inference == pytest.approx(first.inference, rel=1e-3)
    gates = [sum(i.counts.gates for i in it.intervals) for it in runs]
    assert gates[0] == gates[1]
    assert 2 * gates[2] < gates[0]
    assert [a.label for a in runs[0].answers] == [a.label for a in runs[1].answers]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nix"], 2, "torpor: unknown model 'nix'"),
        (["motion", "--board", "riscv_virt"], 2, "'riscv_virt' does not say what its chip draws"),
        (["motion", "--board", "microbit"], 2, "board 'microbit' has no memory for a scene"),
        (["motion", "--elf", "nowhere.elf"], 2, "no such firmware: nowhere.elf"),
        (["motion", "--hops", "1,0"], 2, "'1,0' is not whole numbers above 0"),
        (["motion", "--hops", "1.5"], 2, "'1.5' is not whole numbers above 0"),
        (["motion", "--events", "1,inf"], 2, "'1,inf' is not numbers above 0"),
        (["motion", "--events", ","], 2, "',' is not numbers above 0"),
        (["motion", "--checks", "-1"], 2, "'-1' is no whole number from 0 on"),
    ],
)
def test_a_mistake_is_told_in_two_lines_before_anything_is_built(
    words: list[str], code: int, message: str
) -> None:
    done = power(*words)
    assert (done.returncode, done.stdout) == (code, "")
    said, hint = done.stderr.splitlines()
    assert message in said
    assert hint.startswith("hint: ")


@pytest.mark.emulated
def test_a_firmware_that_is_no_sleeping_device_is_refused() -> None:
    require(load_board(BOARD))
    elf = firmware.build(BOARD, "motion", quiet=True).elf
    done = power("motion", "--elf", str(elf))
    assert done.returncode == 2
    assert f"torpor: {elf} has no symbol account_take" in done.stderr


def test_a_model_that_does_not_say_when_to_wake_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sleepless"
    folder.mkdir()
    text = (load_model("motion").folder / "model.toml").read_text(encoding="utf-8")
    start, end = text.index("[wake]"), text.index("[windows]")
    (folder / "model.toml").write_text(text[:start] + text[end:], encoding="utf-8")
    done = power(str(folder))
    assert done.returncode == 2
    assert "torpor: model 'sleepless' does not say when to wake" in done.stderr
