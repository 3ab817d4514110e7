# SPDX-License-Identifier: Apache-2.0
"""models, quantize, evaluate and verify as processes: output, exit codes, JSON."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulated.conftest import require
from tests.models.floats import dense, dense_then_exp, model, samples, two_inputs
from tests.support.tflite_builder import GraphBuilder
from torpor.board import board_names, load_board
from torpor.cli import bench
from torpor.golden import Golden
from torpor.paths import MODELS
from torpor.quantize import check_quantized

Done = subprocess.CompletedProcess[str]


def torpor(*arguments: object, code: int = 0) -> Done:
    """Run a command; what it says on stderr is never a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "torpor", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def asked(*arguments: object, code: int = 0) -> Any:
    """Run a command with --json and return what it printed."""
    return json.loads(torpor(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Return the motion model in both widths."""
    folder = tmp_path_factory.mktemp("quantized")
    for bits in (8, 4):
        done = torpor(
            "quantize", "motion", "--bits", bits, "-o", folder / f"m{bits}.tflite", "--no-accuracy"
        )
        assert "accuracy" not in done.stdout
    return {bits: folder / f"m{bits}.tflite" for bits in (8, 4)}


# ---- models


def test_models_lists_every_folder_with_its_facts() -> None:
    (motion,) = [row for row in asked("models") if row["name"] == "motion"]
    assert motion["labels"] == ["standing", "running", "walking", "badminton"]
    assert motion["window"] == [64, 1, 6]
    assert motion["accuracy_floor"] == 0.97
    assert 10_000 < motion["float_bytes"] < 100_000
    assert set(motion) == {
        "name", "title", "labels", "bits", "quantized", "window", "rate_hz", "float_bytes",
        "accuracy_floor", "data",
    }  # fmt: skip
    assert (motion["bits"], motion["quantized"]) == ([8, 4], None)


def test_models_lists_what_comes_quantized_without_fetching_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (alexa,) = [row for row in asked("models") if row["name"] == "alexa"]
    assert (alexa["labels"], alexa["bits"]) == (["alexa"], [8])
    assert alexa["quantized"] == "pymicro-wakeword"
    unknown = ("window", "rate_hz", "float_bytes", "accuracy_floor", "data")
    assert [alexa[key] for key in unknown] == [None] * 5


def test_a_model_that_comes_quantized_is_measured_in_its_own_width() -> None:
    assert [(s.name, s.model, s.bits) for s in bench._meant("alexa")] == [
        ("alexa-int8", "alexa", 8)
    ]
    assert [s.bits for s in bench._meant("motion")] == [8, 4]
    done = torpor("bench", "alexa-int4", code=2)
    assert "unknown model 'alexa-int4'" in done.stderr
    assert "did you mean 'alexa-int8'?" in done.stderr


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("evaluate", "alexa"), "windows"),
        (("demo", "alexa", "--board", "native"), "data"),
        (("quantize", "alexa", "--no-accuracy"), "file"),
        (("quantize", "models/alexa"), "file"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_command_that_needs_a_model_trained_here_says_so(
    words: tuple[str, ...], key: str
) -> None:
    done = torpor(*words, code=2)
    first, second = done.stderr.splitlines()
    assert f"models/alexa/model.toml has no '{key}': this model comes quantized" in first
    assert second.startswith("hint: ")
    assert done.stdout == ""


def test_models_prints_a_table_for_people() -> None:
    shown = torpor("models").stdout
    assert "motion" in shown
    assert "97 %" in shown
    assert "alexa" in shown and "int8 as it" in shown


# ---- quantize


@pytest.mark.parametrize("bits", [8, 4])
def test_quantize_writes_a_checked_model(quantized: dict[int, Path], bits: int) -> None:
    check_quantized(quantized[bits].read_bytes(), bits)


def test_quantize_measures_all_widths_and_stays_quiet(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder" / "m.tflite"
    done = torpor("quantize", "motion", "--bits", 4, "-o", out, "--json")
    found = json.loads(done.stdout)
    assert done.stderr == ""
    assert found["accuracy"].keys() == {"windows", "float", "int8", "int4"}
    assert found["accuracy"]["windows"] == 160
    assert all(0.97 <= found["accuracy"][k] <= 1 for k in ("float", "int8", "int4"))
    assert (found["model"], found["bits"], found["output"]) == ("motion", 4, str(out))
    assert found["bytes"] == out.stat().st_size
    weights = [t for t in found["tensors"] if t["type"] == "int4"]
    assert len(weights) == 4
    assert all(t["constant"] and t["scales"] == t["shape"][0] for t in weights)
    assert out.read_bytes() == _again(tmp_path)


def _again(folder: Path) -> bytes:
    torpor("quantize", MODELS / "motion", "--bits", 4, "-o", folder / "b.tflite", "--no-accuracy")
    return (folder / "b.tflite").read_bytes()


def test_quantize_prints_tensors_and_accuracy_for_people() -> None:
    shown = torpor("quantize", "motion", "--bits", 4).stdout
    assert "int4" in shown
    assert "accuracy on 160 held-out windows: float" in shown


def test_quantize_takes_a_float_model_with_typical_inputs(tmp_path: Path) -> None:
    (tmp_path / "dense.tflite").write_bytes(model(dense))
    np.save(tmp_path / "x.npy", samples((8,)))
    out = tmp_path / "q.tflite"
    arguments = ["quantize", tmp_path / "dense.tflite", "--calibration", tmp_path / "x.npy"]
    found = asked(*arguments, "--bits", 4, "-o", out)
    assert found["accuracy"] is None
    check_quantized(out.read_bytes(), 4)
    assert Golden(out.read_bytes()).inputs[0].dtype == np.int8


def test_quantize_takes_one_array_an_input(tmp_path: Path) -> None:
    (tmp_path / "add.tflite").write_bytes(model(two_inputs))
    np.savez(tmp_path / "x.npz", b=samples((4,)), a=2 * samples((4,)))
    out = tmp_path / "q.tflite"
    torpor("quantize", tmp_path / "add.tflite", "--calibration", tmp_path / "x.npz", "-o", out)
    a, b = Golden(out.read_bytes()).inputs
    assert a.scale == pytest.approx(2 * b.scale, rel=1e-5)


def test_quantize_names_the_operator_of_a_skipped_rule(tmp_path: Path) -> None:
    (tmp_path / "exp.tflite").write_bytes(model(dense_then_exp))
    np.save(tmp_path / "x.npy", samples((8,)))
    out = tmp_path / "q.tflite"
    arguments = [tmp_path / "exp.tflite", "--calibration", tmp_path / "x.npy", "-o", out]
    done = torpor("quantize", *arguments, code=4)
    assert "operator" in done.stderr
    assert not out.exists()


def test_quantize_explains_what_is_missing_or_wrong(tmp_path: Path) -> None:
    tflite = tmp_path / "dense.tflite"
    tflite.write_bytes(model(dense))
    broken = tmp_path / "x.npy"
    broken.write_bytes(b"\x93NUMPY no")
    assert "--calibration" in torpor("quantize", tflite, code=2).stderr
    assert "x.npy" in torpor("quantize", tflite, "--calibration", broken, code=4).stderr
    absent = tmp_path / "absent.npy"
    assert "absent" in torpor("quantize", tflite, "--calibration", absent, code=4).stderr
    done = torpor("quantize", "motion", "--calibration", broken, code=2)
    assert "its own calibration" in done.stderr
    assert "did you mean 'motion'" in torpor("quantize", "moton", code=2).stderr
    assert "invalid choice" in torpor("quantize", "motion", "--bits", 3, code=2).stderr


def test_quantize_without_the_data_still_quantizes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from torpor import model;"
        "from torpor.errors import MissingToolError\n"
        "def absent(*_): raise MissingToolError('no data here', 'connect')\n"
        "model.data_files = absent\n"
        "from torpor.cli.main import main; sys.argv[1:] = ['quantize', 'motion', '--json'];"
        "sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["accuracy"] is None
    assert "accuracy not measured: no data here" in done.stderr


# ---- evaluate


def test_evaluate_measures_the_devices_code() -> None:
    found = asked("evaluate", "motion")
    assert found["passed"]
    assert [r["bits"] for r in found["results"]] == [8, 4]
    for result in found["results"]:
        assert result["byte_equal"] == found["windows"] == 160
        assert result["accuracy"] == result["golden_accuracy"]
        assert found["float_accuracy"] - result["accuracy"] <= 0.01
        assert np.sum(result["confusion"]) == 160
        assert result["accuracy"] == np.trace(result["confusion"]) / 160


def test_evaluate_prints_a_confusion_matrix_for_people() -> None:
    shown = torpor("evaluate", "motion", "--bits", 4).stdout
    assert "int4" in shown
    assert "int8" not in shown
    assert "badminton" in shown
    assert "passed" in shown


def test_evaluate_fails_below_the_floor(tmp_path: Path) -> None:
    folder = tmp_path / "motion"
    shutil.copytree(MODELS / "motion", folder)
    text = (folder / "model.toml").read_text()
    classes = 'classes = ["Standing", "Running", "Walking", "Badminton"]'
    assert classes in text
    swapped = classes.replace("Running", "X").replace("Walking", "Running").replace("X", "Walking")
    (folder / "model.toml").write_text(text.replace(classes, swapped))
    found = asked("evaluate", folder, "--bits", 8, code=1)
    assert not found["passed"]
    assert found["results"][0]["accuracy"] == pytest.approx(0.5, abs=0.02)
    assert found["results"][0]["byte_equal"] == 160


def test_evaluate_refuses_what_it_cannot_measure(quantized: dict[int, Path]) -> None:
    assert "held-out" in torpor("evaluate", quantized[8], code=2).stderr
    assert "did you mean" in torpor("evaluate", "motions", code=2).stderr
    for bits in ("8,5", "", "8,,4", "eight"):
        assert "8 and 4" in torpor("evaluate", "motion", "--bits", bits, code=2).stderr


# ---- verify


def test_verify_finds_every_byte_equal(quantized: dict[int, Path]) -> None:
    found = asked("verify", *quantized.values(), "--inputs", 30)
    assert [set(one) for one in found] == [
        {"model", "board", "inputs", "mismatches", "supported", "reason"}
    ] * 2
    assert [(one["inputs"], one["mismatches"], one["supported"]) for one in found] == [
        (30, 0, True)
    ] * 2
    assert [one["model"] for one in found] == [str(path) for path in quantized.values()]
    assert {one["board"] for one in found} == {"host"}


def test_verify_prints_a_verdict_for_people(quantized: dict[int, Path]) -> None:
    assert "every byte equal" in torpor("verify", quantized[4]).stdout


def test_verify_ends_with_5_if_a_model_is_not_supported(
    quantized: dict[int, Path], tmp_path: Path
) -> None:
    graph = GraphBuilder()
    odd = tmp_path / "odd.tflite"
    odd.write_bytes(graph.build([graph.unary("FLOOR", graph.input((1, 4)))]))
    good, bad = asked("verify", quantized[8], odd, code=5)
    assert good["supported"]
    assert not bad["supported"]
    assert "FLOOR" in bad["reason"]
    assert "FLOOR" in torpor("verify", odd, code=5).stdout


def test_verify_explains_mistakes(quantized: dict[int, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\0" * 100)
    assert "broken.tflite" in torpor("verify", broken, code=4).stderr
    assert "absent.tflite" in torpor("verify", tmp_path / "absent.tflite", code=4).stderr
    assert "unknown board 'msp2'" in torpor("verify", broken, "--board", "msp2", code=2).stderr
    for option, value in (("--inputs", 0), ("--inputs", "many"), ("--seed", "x")):
        assert "whole number" in torpor("verify", broken, option, value, code=2).stderr
    assert "else 5 if a model is not supported" in torpor("verify", "--help").stdout


@pytest.mark.emulated
@pytest.mark.parametrize("board", board_names())
def test_verify_runs_the_firmware_of_a_board(quantized: dict[int, Path], board: str) -> None:
    require(load_board(board))
    found = asked("verify", quantized[4], "--board", board, "--inputs", 10)
    assert found == [
        {
            "model": str(quantized[4]),
            "board": board,
            "inputs": 10,
            "mismatches": 0,
            "supported": True,
            "reason": "",
        }
    ]


@pytest.fixture
def port(quantized: dict[int, Path], tmp_path: Path) -> Iterator[Path]:
    """Serial port of a device that runs the int4 model's firmware."""
    link = tmp_path / "tty"
    words = ["emulate", "--board", "native", "--model", quantized[4], "--link", link]
    command = [sys.executable, "-m", "torpor", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as device:
        assert device.stdout
        assert device.stdout.readline().strip() == str(link)
        yield link
        device.terminate()


@pytest.mark.emulated
def test_verify_asks_a_device_at_a_serial_port_again_and_again(
    quantized: dict[int, Path], port: Path
) -> None:
    for _ in range(2):
        words = ["--board", "native", "--link", port, "--inputs", 10]
        (found,) = asked("verify", quantized[4], *words)
        assert (found["board"], found["inputs"], found["mismatches"]) == ("native", 10, 0)
    other = torpor("verify", quantized[8], *words, code=7)
    assert "embeds another plan" in other.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.tflite", "--link", "/dev/x"], "--link is the port of a board"),
        (["a.tflite", "b.tflite", "--board", "native", "--link", "/dev/x"], "one model"),
    ],
)
def test_verify_needs_one_model_and_a_board_for_a_port(words: list[str], message: str) -> None:
    assert message in torpor("verify", *words, code=2).stderr
