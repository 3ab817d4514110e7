# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The drift of real recordings: near 0 for held-out people, large for a sensor that has changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.stats.device import Drift as OnDevice
from tests.stats.device import Opened
from torpor.cli.main import dispatch
from torpor.cli.reference import trained
from torpor.engine import Engine
from torpor.errors import ModelError, TorporError
from torpor.model import Model, load_model, to_codes
from torpor.plan.reader import Plan
from torpor.quantize import quantize
from torpor.stats.drift import UNKNOWN, Drift
from torpor.stats.reference import Reference, Trained, make_reference

FINE, CHANGED = 100, 250
"""Below, all is as in training; above, the world has changed: drift.h."""


@dataclass(frozen=True)
class Input:
    """How the input of the quantized model is quantized, and its file."""

    model: Model
    path: Path
    dtype: str
    scale: float
    zero_point: int


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Input:
    """Return the int4 model as a file; the reference was made of the int8 one."""
    model = load_model("motion")
    path = tmp_path_factory.mktemp("motion") / "motion.tflite"
    path.write_bytes(quantize(model.float_tflite, 4, model.ranges))
    committed = Trained.from_json((model.folder / "reference.json").read_text(), "reference.json")
    return Input(model, path, "int8", committed.scale, committed.zero_point)


@pytest.fixture(scope="module")
def reference(quantized: Input) -> Reference:
    """Return the reference that a plan of the build carries."""
    target = quantized.path.parent / "out"
    json = quantized.model.folder / "reference.json"
    assert (
        dispatch(["compile", str(quantized.path), "--reference", str(json), "-o", str(target)]) == 0
    )
    return Reference.decode(Plan.parse((target / "plan.bin").read_bytes()).extra)


def index_of(opened: Opened, reference: Reference, codes: NDArray[np.int8]) -> int:
    """Return the drift of windows, in C as in Python."""
    rows = codes.reshape(-1, codes.shape[-1])
    device, twin = OnDevice(opened, reference.encode()), Drift(reference)
    device.add(rows)
    twin.add(rows)
    assert device.index() == twin.index()
    return twin.index()


def test_the_committed_reference_is_that_of_the_training_windows(quantized: Input) -> None:
    text = (quantized.model.folder / "reference.json").read_text()
    assert trained(quantized.model).to_json() == text


def test_the_reference_in_the_plan_is_the_committed_one(
    reference: Reference, quantized: Input
) -> None:
    text = (quantized.model.folder / "reference.json").read_text()
    assert reference == Trained.from_json(text, "").reference


def test_training_windows_do_not_drift_and_held_out_ones_hardly(
    opened: Opened, quantized: Input, reference: Reference
) -> None:
    same = index_of(opened, reference, to_codes(quantized.model.windows("train")[0], quantized))
    held = index_of(opened, reference, to_codes(quantized.model.windows("test")[0], quantized))
    print(f"drift of training windows {same}, of held-out people {held} thousandths")
    assert same <= 2
    assert held < FINE


CHANGES = {
    "four times the range": lambda x: 4 * x,
    "half the range": lambda x: x / 2,
    "an offset": lambda x: x + 0.5,
    "axes exchanged": lambda x: x[..., [1, 2, 0, 4, 5, 3]],
    "a sensor that is stuck": lambda x: x * [1, 1, 0, 1, 1, 1],
    "noise": lambda x: x + np.random.default_rng(1).normal(0, 0.4, x.shape),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_sensor_that_has_changed_drifts_far(
    opened: Opened, quantized: Input, reference: Reference, change: str
) -> None:
    x: Any = CHANGES[change](quantized.model.windows("test")[0])
    index = index_of(opened, reference, to_codes(x.astype(np.float32), quantized))
    print(f"drift with {change}: {index} thousandths")
    assert CHANGED < index < UNKNOWN


def test_twice_the_range_is_worth_watching(
    opened: Opened, quantized: Input, reference: Reference
) -> None:
    x = 2 * quantized.model.windows("test")[0]
    index = index_of(opened, reference, to_codes(x, quantized))
    print(f"drift with twice the range: {index} thousandths")
    assert FINE < index < CHANGED


def test_few_windows_drift_more_than_many_of_the_same_kind(
    opened: Opened, quantized: Input, reference: Reference
) -> None:
    codes = to_codes(quantized.model.windows("test")[0], quantized)
    found = [index_of(opened, reference, codes[:count]) for count in (4, 16, 64, 160)]
    print(f"drift of 4, 16, 64, 160 held-out windows: {found} thousandths")
    assert found[0] > found[-1]


# ---- the commands


def test_the_reference_does_not_change_what_the_model_says(quantized: Input) -> None:
    folder, json = quantized.path.parent, quantized.model.folder / "reference.json"
    for name, more in (("with", ["--reference", str(json)]), ("without", [])):
        assert dispatch(["compile", str(quantized.path), *more, "-o", str(folder / name)]) == 0
    one, other = (Engine((folder / n / "plan.bin").read_bytes()) for n in ("with", "without"))
    x = to_codes(quantized.model.windows("test")[0][:1], quantized).reshape(one.inputs[0].shape)
    np.testing.assert_array_equal(one.invoke([x])[0], other.invoke([x])[0])
    assert (len(one.extra), other.extra) == (124, b"")


def test_the_command_writes_what_is_committed(
    quantized: Input, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = (quantized.model.folder / "reference.json").read_text()
    assert dispatch(["reference", "motion", "-o", str(tmp_path / "r.json")]) == 0
    assert (tmp_path / "r.json").read_text() == committed
    capsys.readouterr()
    assert dispatch(["reference", "motion"]) == 0
    assert capsys.readouterr().out == committed


@pytest.mark.parametrize(("name", "said"), [("alexa", "without training data"), ("moton", "moton")])
def test_a_model_without_training_data_has_no_reference(name: str, said: str) -> None:
    with pytest.raises(TorporError, match=said):
        dispatch(["reference", name])


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TorporError, match="cannot write"):
        dispatch(["reference", "motion", "-o", str(tmp_path / "no" / "r.json")])


def test_a_reference_of_another_quantization_is_refused(quantized: Input, tmp_path: Path) -> None:
    some = make_reference(np.zeros((9, 6), np.int8))
    (tmp_path / "r.json").write_text(Trained(some, quantized.scale, 3).to_json())
    with pytest.raises(ModelError, match="zero point 3, the model's has") as refused:
        dispatch(["compile", str(quantized.path), "--reference", str(tmp_path / "r.json")])
    assert "torpor reference" in refused.value.hint


WRONG = {
    "nothing": "",
    "no object": "[]",
    "no edges": '{"scale": 1, "zero_point": 0, "shares": []}',
    "no channels": '{"scale": 1, "zero_point": 0, "edges": [], "shares": []}',
    "text": '{"scale": 1, "zero_point": 0, "edges": [["a"]], "shares": [[255]]}',
    "a large code": '{"scale": 1, "zero_point": 0, "edges": [[1,2,3,4,5,6,128]], '
    '"shares": [[248,1,1,1,1,1,1,1]]}',
    "few edges": '{"scale": 1, "zero_point": 0, "edges": [[1,2]], "shares": [[248,1,1,1,1,1,1,1]]}',
    "many shares": '{"scale": 1, "zero_point": 0, "edges": [[1,2,3,4,5,6,7]], '
    '"shares": [[247,1,1,1,1,1,1,1,1]]}',
    "one channel of shares": '{"scale": 1, "zero_point": 0, "edges": [[1,2,3,4,5,6,7], '
    '[1,2,3,4,5,6,7]], "shares": [[248,1,1,1,1,1,1,1]]}',
    "no scale": '{"zero_point": 0, "edges": [[1,2,3,4,5,6,7]], "shares": [[248,1,1,1,1,1,1,1]]}',
    "endless": '{"scale": 1, "zero_point": 1e999, "edges": [[1,2,3,4,5,6,7]], '
    '"shares": [[248,1,1,1,1,1,1,1]]}',
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_reference_is_refused_with_its_name(name: str) -> None:
    with pytest.raises(ModelError, match="reference"):
        Trained.from_json(WRONG[name], "reference.json")


def test_a_reference_is_read_back_from_its_text() -> None:
    some = make_reference(np.random.default_rng(1).integers(-128, 128, (99, 3), np.int8))
    made = Trained(some, float(np.float32(0.1)), -7)
    assert Trained.from_json(made.to_json(), "x") == made
    assert made.encode_for(made.scale, -7) == some.encode()


def test_a_missing_file_is_told(quantized: Input) -> None:
    with pytest.raises(ModelError, match=r"cannot read no\.json"):
        dispatch(["compile", str(quantized.path), "--reference", "no.json"])
