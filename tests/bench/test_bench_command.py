# SPDX-License-Identifier: Apache-2.0
"""torpor bench as a user and a CI sees it: processes, their output and exit code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.small_models import small_cnn
from torpor.board import load_board

BOARD = "mps2_an386"
FIELDS: dict[str, Any] = {
    "model": str,
    "board": str,
    "engine": str,
    "insn": int,
    "insn_per_mac": float,
    "macs": int,
    "code_bytes": int,
    "rodata_bytes": int,
    "model_bytes": int,
    "ram_bytes": int,
    "stack_bytes": int,
    "init_insn": int,
    "byte_equal": bool,
    "inputs": int,
}
TFLM = ("TFLM_DIR", "TFLM_LIB")
Done = subprocess.CompletedProcess[str]
pytestmark = pytest.mark.xdist_group("bench")  # measured once


def bench(*words: object, code: int = 0) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "torpor", "bench", *map(str, words)],
        env={k: v for k, v in os.environ.items() if k not in TFLM} | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "bench_small.tflite"
    path.write_bytes(small_cnn())
    return path


@pytest.fixture(scope="module")
def measured(model: Path) -> list[dict[str, Any]]:
    """Measured operator by operator, on the board and as a process of this computer."""
    words = ("--board", BOARD, "--board", "native", "--inputs", 2, "--json", "--by-op")
    rows: list[dict[str, Any]] = json.loads(bench(model, *words).stdout)
    return rows


@pytest.fixture
def old(measured: list[dict[str, Any]], tmp_path: Path) -> Path:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(measured[:1]))
    return path


@pytest.mark.emulated
def test_json_has_exactly_the_documented_fields_of_the_documented_types(model: Path) -> None:
    done = bench(model, "--inputs", 2, "--json")
    (row,) = json.loads(done.stdout)
    assert list(row) == list(FIELDS)
    assert {name: type(value) for name, value in row.items()} == FIELDS
    assert (row["model"], row["board"], row["engine"]) == ("bench_small", BOARD, "torpor")
    assert (row["byte_equal"], row["inputs"]) == (True, 2)
    assert row["insn_per_mac"] == round(row["insn"] / row["macs"], 3)


def test_every_field_is_defined_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "BENCH.md").read_text()
    of_both, _, of_tflm = page.partition("## Two engines")
    assert re.findall(r"^\| `(\w+)` \|", of_both, re.M) == list(FIELDS)
    assert set(re.findall(r"^\| `(\w+)`.* \|", of_tflm, re.M)) < set(FIELDS)


@pytest.mark.emulated
def test_the_same_model_gives_the_same_numbers_whatever_the_number_of_inputs(
    model: Path, measured: list[dict[str, Any]]
) -> None:
    (again,) = json.loads(bench(model, "--inputs", 7, "--json").stdout)
    first = {name: measured[0][name] for name in FIELDS}
    assert again == {**first, "inputs": 7}


@pytest.mark.emulated
def test_operators_add_up_to_the_whole_exactly(measured: list[dict[str, Any]]) -> None:
    row = measured[0]
    assert sum(op["insn"] for op in row["ops"]) == row["insn"]  # no tolerance: one count
    assert sum(op["macs"] for op in row["ops"]) == row["macs"]
    assert [op["step"] for op in row["ops"]] == list(range(1, len(row["ops"]) + 1))
    assert row["ops"][0]["kernel"] == "CONV_2D_S8"


@pytest.mark.emulated
def test_each_operator_loads_its_weights_and_stores_its_output(
    measured: list[dict[str, Any]],
) -> None:
    conv = measured[0]["ops"][0]
    assert conv["loaded_bytes"] >= 4 * 27
    assert conv["stored_bytes"] >= 9 * 7 * 4
    assert conv["macs"] == 9 * 7 * 4 * 27
    assert conv["macs"] < conv["insn"] < 100 * conv["macs"]


@pytest.mark.emulated
def test_a_process_of_this_computer_has_no_count_of_instructions(
    measured: list[dict[str, Any]],
) -> None:
    native = measured[1]
    assert native["board"] == "native"
    unknown = [name for name in FIELDS if native[name] is None]
    assert unknown == ["insn", "insn_per_mac", "stack_bytes", "init_insn"]
    assert native["ops"] == []
    assert native["model_bytes"] == measured[0]["model_bytes"]
    assert native["byte_equal"]


@pytest.mark.emulated
def test_ram_is_the_arena_and_the_plan_is_the_model(measured: list[dict[str, Any]]) -> None:
    folder = Path(__file__).parents[2] / "build" / BOARD / "bench_small-file"
    footprint = json.loads((folder / "footprint.json").read_text())
    row = measured[0]
    assert row["model_bytes"] == footprint["model_bytes"] == len((folder / "plan.bin").read_bytes())
    assert row["ram_bytes"] >= footprint["arena_bytes"] > 0
    assert row["code_bytes"] + row["rodata_bytes"] < footprint["code_bytes"]
    assert 0 < row["stack_bytes"] < footprint["stack_bytes"]


@pytest.mark.emulated
def test_a_person_gets_tables_of_80_columns_and_a_log_without_a_bar(model: Path) -> None:
    done = bench(model, "--board", BOARD, "--board", "native", "--inputs", 1, "--by-op")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "NO" not in done.stdout
    assert re.search(r"^ +native +- +- +- +- +yes *$", done.stdout, re.M)
    assert re.search(r"^ +1 CONV_2D_S8 +6,804 +[\d,]+ +[\d.]+%", done.stdout, re.M)
    log = done.stderr.splitlines()
    assert log[-2] == "2 of 2 measurements"
    assert "\x1b" not in done.stderr + done.stdout
    assert "native is no QEMU machine" in log[-1]


@pytest.mark.emulated
def test_growth_beyond_the_threshold_is_1_and_is_named(model: Path, old: Path) -> None:
    words = (model, "--inputs", 1, "--against", old)
    assert "nothing worse than before" in bench(*words).stderr
    rows = json.loads(old.read_text())
    rows[0]["code_bytes"] = rows[0]["code_bytes"] * 100 // 103
    old.write_text(json.dumps([*rows, {**rows[0], "board": "elsewhere"}]))
    failed = bench(*words, code=1)
    assert re.search(r"^bench_small on mps2_an386: code_bytes .* more$", failed.stderr, re.M)
    assert "bench_small on elsewhere: not measured now" in failed.stderr
    assert "insn" not in failed.stderr
    bench(*words, "--threshold", 4)


@pytest.mark.emulated
def test_a_model_that_is_not_supported_is_5_and_named_and_the_others_are_printed(
    model: Path, tmp_path: Path
) -> None:
    done = bench(model, _float_model(tmp_path), "--inputs", 1, "--json", code=5)
    assert [row["model"] for row in json.loads(done.stdout)] == ["bench_small"]
    assert "bench_float on mps2_an386: " in done.stderr


def _float_model(folder: Path) -> Path:
    path = folder / "bench_float.tflite"
    path.write_bytes((Path(__file__).parents[2] / "models/motion/motion.tflite").read_bytes())
    return path


# ---- what is refused before anything is built


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["motion", "--engine", "torpr"], "unknown engine 'torpr'"),
        (["motion", "--engine", "tflm,tflite"], "unknown engine 'tflite'"),
        (["motion", "--engine", ""], "unknown engine ''"),
        (["motion", "--engine", "tflm"], "TFLM_DIR"),
        (["motion", "--engine", "torpor,tflm"], "TFLM_DIR"),
        (["motoin"], "unknown model 'motoin'"),
        (["motion", "--board", "mps2"], "unknown board 'mps2'"),
        (["motion", "--threshold", "-1"], "is no percentage"),
        (["motion", "--threshold", "nan"], "is no percentage"),
        (["motion", "--inputs", "0"], "is no whole number from 1 on"),
        (["motion", "--against", "/none.json"], "cannot read /none.json"),
    ],
)
def test_wrong_usage_is_2_in_one_line_and_a_hint(words: list[str], message: str) -> None:
    done = bench(*words, code=2)
    assert message in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[1].startswith("hint: ")
    assert len(done.stderr.splitlines()) == 2


def test_an_unknown_engine_names_the_known_ones() -> None:
    done = bench("motion", "--engine", "tflite", code=2)
    assert "hint: did you mean 'tflm'? known: tflm, torpor" in done.stderr


def test_a_file_that_is_not_there_is_named() -> None:
    assert "cannot read none.tflite" in bench("none.tflite", code=4).stderr


def test_two_files_of_one_name_are_refused(tmp_path: Path, model: Path) -> None:
    other = tmp_path / model.name
    other.write_bytes(model.read_bytes())
    assert "two models are called 'bench_small'" in bench(model, other, code=2).stderr


def test_all_boards_are_those_that_count_instructions() -> None:
    from torpor.cli.bench import _boards  # noqa: PLC0415

    found = [board.name for board in _boards(["all", BOARD])]
    assert "native" not in found
    assert {BOARD, "microbit", "riscv_virt"} <= set(found)
    assert all(load_board(name).emulator for name in found)


def test_a_name_means_both_widths_or_one() -> None:
    from torpor.cli.bench import _meant  # noqa: PLC0415

    assert [s.name for s in _meant("motion")] == ["motion-int8", "motion-int4"]
    assert [(s.name, s.bits) for s in _meant("motion-int4")] == [("motion-int4", 4)]
