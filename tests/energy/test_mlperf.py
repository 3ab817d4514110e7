# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A constant power predicts what MLPerf Tiny measured: for CPUs nearly always, and who does not."""

import sys
from pathlib import Path
from statistics import mean

import pytest

from tools import energy_table
from torpor.board import load_board
from torpor.energy import mlperf
from torpor.energy.mlperf import MODELS, Point, Prediction, Streaming, System

SMALL = """
[[system]]
round = "v1.2"
folder = "closed/Somebody/results/BOARD/lane"
kind = "cpu"
ad = [2.0, 20.0]
kws = [10.0, 120.0]
vww = [20.0, 280.0]

[[streaming]]
folder = "closed/Somebody/results/BOARD/lane"
chip = "X1"
mhz = 100
mw = 7.0
duty = 0.5
"""


@pytest.fixture
def small(tmp_path: Path) -> System:
    file = tmp_path / "table.toml"
    file.write_text(SMALL)
    (system,) = mlperf.systems(file)
    assert mlperf.streaming(file) == (Streaming(system.folder, "X1", 100, 7.0, 0.5),)
    return system


def wrong(predictions: list[Prediction]) -> dict[tuple[str, str, str], float]:
    return {
        (p.system.round, p.system.name, p.model): round(p.error, 3)
        for p in predictions
        if not p.right
    }


def all_of(kind: str) -> list[Prediction]:
    chosen = [s for s in mlperf.systems() if s.kind == kind]
    return [p for system in chosen for p in mlperf.predictions(system)]


# ---- by hand


def test_power_is_energy_by_time() -> None:
    assert Point(ms=10.0, uj=120.0).mw == 12.0


def test_a_system_is_called_by_its_submitter_and_folder(small: System) -> None:
    assert small.name == "Somebody BOARD/lane"


def test_a_model_is_predicted_from_the_power_of_the_others(small: System) -> None:
    made = {p.model: p for p in mlperf.predictions(small)}
    # the powers are 10, 12 and 14 mW
    assert made["ad"].uj == pytest.approx((12 + 14) / 2 * 2)
    assert made["ad"].error == pytest.approx(0.3)
    assert made["kws"].uj == pytest.approx((10 + 14) / 2 * 10)
    assert made["kws"].error == pytest.approx(0.0)
    assert made["vww"].error == pytest.approx(11 / 14 - 1)
    assert [p.right for p in made.values()] == [False, True, False]


def test_one_model_alone_predicts_nothing(small: System) -> None:
    alone = System("v1.2", small.folder, "cpu", {"ad": small.points["ad"]})
    assert mlperf.predictions(alone) == []


def test_two_states_give_back_the_power_they_were_made_of() -> None:
    run = Streaming("", "X1", 100, mw=0.25 * 40 + 0.75 * 4, duty=0.25)
    assert mlperf.idle_mw(run, 40.0) == pytest.approx(4.0)


# ---- the public results


def test_a_constant_power_predicts_68_of_72_energies_of_cpus_within_ten_percent() -> None:
    chosen = mlperf.headline(mlperf.systems())
    made = [p for system in chosen for p in mlperf.predictions(system)]
    assert len(chosen) == 18
    assert (sum(p.right for p in made), len(made)) == (68, 72)
    assert wrong(made) == {
        ("v1.1", "STMicroelectronics NUCLEO_L4R5ZI", "ic"): 0.375,
        ("v1.1", "STMicroelectronics NUCLEO_L4R5ZI", "vww"): -0.150,
        ("v1.2", "STMicroelectronics NUCLEO_L4R5ZI", "ad"): 0.102,
        ("v1.3", "STMicroelectronics NUCLEO_U385RG_Q", "ad"): -0.115,
    }


def test_older_rounds_and_systems_without_all_models_do_not_change_that() -> None:
    made = all_of("cpu")
    assert (sum(p.right for p in made), len(made)) == (97, 102)


def test_it_does_not_hold_where_an_accelerator_computes() -> None:
    made = all_of("accelerator")
    assert (sum(p.right for p in made), len(made)) == (11, 22)


def test_the_table_has_each_system_once_and_no_empty_one() -> None:
    systems = mlperf.systems()
    assert len({(s.round, s.folder) for s in systems}) == len(systems) == 34
    assert all(s.points and set(s.points) <= set(MODELS) for s in systems)
    assert {s.kind for s in systems} == {"cpu", "accelerator"}
    assert all(0.1 < p.mw < 200 for s in systems for p in s.points.values())


def test_a_chip_that_listens_draws_a_good_part_of_what_it_draws_computing() -> None:
    parts = {}
    for run in mlperf.streaming():
        active = mlperf.active_mw(run)
        if active is not None:
            parts[run.chip] = mlperf.idle_mw(run, active) / active
    assert sorted(parts) == ["STM32H7A3", "STM32L4R5", "STM32U385", "STM32U575"]
    assert min(parts.values()) > 0.12
    assert parts["STM32L4R5"] == pytest.approx(0.47, abs=0.01)


def test_another_clock_of_a_chip_has_no_active_power_in_the_table() -> None:
    slower = [run for run in mlperf.streaming() if run.folder.endswith("MHz")]
    assert len(slower) == 3
    assert [mlperf.active_mw(run) for run in slower] == [None] * 3


def test_the_slower_clock_of_a_chip_takes_less_than_racing_to_sleep() -> None:
    by_chip: dict[str, list[Streaming]] = {}
    for run in mlperf.streaming():
        by_chip.setdefault(run.chip, []).append(run)
    pairs = [sorted(runs, key=lambda run: run.mhz) for runs in by_chip.values() if len(runs) == 2]
    assert len(pairs) == 3
    assert all(slow.mw < fast.mw for slow, fast in pairs)


# ---- the boards that take their currents from there


@pytest.mark.parametrize(
    ("board", "folder"),
    [
        ("mps2_an386", "closed/STMicroelectronics/results/NUCLEO_L4R5ZI-P"),
        ("mps2_an505", "closed/STMicroelectronics/results/NUCLEO_U575ZI_Q"),
    ],
)
def test_currents_of_a_board_are_those_of_the_table(board: str, folder: str) -> None:
    power = load_board(board).power
    assert power is not None
    (system,) = [s for s in mlperf.systems() if (s.round, s.folder) == ("v1.3", folder)]
    (run,) = [r for r in mlperf.streaming() if r.folder == folder]
    active = mean(p.mw for p in system.points.values())
    assert power.listen_ua is not None
    assert power.stage_2_ua == pytest.approx(1000 * active / power.volts, rel=2e-3)
    assert power.listen_ua == pytest.approx(
        1000 * mlperf.idle_mw(run, active) / power.volts, rel=5e-3
    )


# ---- the page


def test_the_page_about_energy_is_up_to_date() -> None:
    page = energy_table.PAGE.read_text(encoding="utf-8")
    assert page == energy_table.page(), "run: python tools/energy_table.py"


def test_the_page_says_how_many_are_right_and_who_is_not() -> None:
    page = energy_table.page()
    assert "| CPU, all four models, v1.0 to v1.3 | **68 of 72** |" in page
    assert "| ic +37.5% | 2 of 4 |" in page


def test_check_tells_a_stale_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(energy_table, "PAGE", tmp_path / "ENERGY.md")
    monkeypatch.setattr(sys, "argv", ["energy_table.py", "--check"])
    assert energy_table.main() == 1
    assert capsys.readouterr().out == "docs/ENERGY.md is stale: run tools/energy_table.py\n"
    monkeypatch.setattr(sys, "argv", ["energy_table.py"])
    assert energy_table.main() == 0
    monkeypatch.setattr(sys, "argv", ["energy_table.py", "--check"])
    assert energy_table.main() == 0
