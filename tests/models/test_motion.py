# SPDX-License-Identifier: Apache-2.0
"""The motion model as it is committed: its data, its calibration, its accuracy."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from torpor.compile import compile_model
from torpor.engine import Engine
from torpor.golden import Golden
from torpor.graph import read_tflite
from torpor.model import Model, load_model
from torpor.model.score import accuracy, confusion, outputs_of
from torpor.paths import ROOT
from torpor.quantize import measure_ranges, quantize

POINT = 0.01
MICROBIT_ARENA = 4096


@pytest.fixture(scope="module")
def motion() -> Model:
    return load_model("motion")


@pytest.fixture(scope="module")
def held_out(motion: Model) -> tuple[Any, Any]:
    return motion.windows("test")


def share(runner: Any, held_out: tuple[Any, Any]) -> float:
    x, y = held_out
    return accuracy(confusion(y, outputs_of(runner, x), 4))


def test_windows_have_the_shape_of_the_network_and_all_classes(motion: Model) -> None:
    for split, count in (("train", 760), ("test", 160)):
        x, y = motion.windows(split)  # type: ignore[arg-type]
        assert x.shape == (count, *motion.about.input.shape)
        assert x.dtype == np.float32
        assert np.bincount(y).tolist() == [count // 4] * 4
        assert y[:8].tolist() == [0, 1, 2, 3] * 2
        assert np.abs(x).max() == motion.about.input.limit


def test_no_held_out_window_is_in_the_training_windows(motion: Model, held_out: Any) -> None:
    seen = {window[:20].tobytes() for window in motion.windows("train")[0]}
    assert not [w for w in held_out[0] if w[:20].tobytes() in seen]


def test_the_committed_ranges_are_those_of_the_training_windows(motion: Model) -> None:
    measured = measure_ranges(motion.float_tflite, motion.windows("train")[0])
    assert measured.keys() == motion.ranges.keys()
    for name, ends in measured.items():
        assert motion.ranges[name] == pytest.approx(ends, rel=1e-5, abs=1e-6), name


def test_int8_and_int4_are_within_a_point_of_float(motion: Model, held_out: Any) -> None:
    expected = share(Golden(motion.float_tflite), held_out)
    assert expected >= motion.accuracy_floor
    for bits in (8, 4):
        found = share(Golden(quantize(motion.float_tflite, bits, motion.ranges)), held_out)
        assert found >= expected - POINT
        assert found >= motion.accuracy_floor


def test_the_measure_can_fail(motion: Model, held_out: Any) -> None:
    x, y = held_out
    shuffled = np.random.default_rng(1).permutation(y)
    assert share(Golden(motion.float_tflite), (x, shuffled)) < 0.5


@pytest.mark.parametrize("bits", [8, 4])
def test_our_c_gives_the_golden_bytes_on_every_window(
    motion: Model, held_out: Any, bits: int
) -> None:
    content = quantize(motion.float_tflite, bits, motion.ranges)
    plan = compile_model(content, name="motion", labels=motion.labels).plan
    expected = outputs_of(Golden(content), held_out[0])
    assert outputs_of(Engine(plan), held_out[0]).tobytes() == expected.tobytes()
    assert len(np.unique(expected, axis=0)) > 40, "the scores say next to nothing"


@pytest.mark.parametrize("bits", [8, 4])
def test_it_is_small_enough_for_a_microbit(motion: Model, bits: int) -> None:
    content = quantize(motion.float_tflite, bits, motion.ranges)
    report = compile_model(content, name="motion").report
    assert len(content) < 12_500
    assert 0 < Engine(compile_model(content).plan)._header.arena_bytes < MICROBIT_ARENA
    assert "motion" in report.to_text()


def test_the_network_is_ours_small_and_ends_in_softmax(motion: Model) -> None:
    assert len(motion.float_tflite) < 100_000
    graph = read_tflite(motion.float_tflite)
    assert [op.name for op in graph.ops][-3:] == ["CONV_2D", "RESHAPE", "SOFTMAX"]
    assert graph.tensors[graph.outputs[0]].shape == (1, 4)
    assert graph.tensors[graph.inputs[0]].shape == (1, *motion.about.input.shape)


def test_two_processes_quantize_to_the_same_bytes(motion: Model) -> None:
    code = (
        "import sys, hashlib; from torpor.model import load_model as l;"
        "from torpor.quantize import quantize as q; m = l('motion');"
        "print(hashlib.sha256(q(m.float_tflite, 4, m.ranges)).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].strip()) == 64


def test_nothing_imports_the_package_that_carries_the_data() -> None:
    code = (
        "import sys; from torpor.model import load_model; load_model('motion').windows('test');"
        "print([m for m in sys.modules if m.split('.')[0] in ('aeon', 'tensorflow', 'keras')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
