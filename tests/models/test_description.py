# SPDX-License-Identifier: Apache-2.0
"""model.toml: every mistake is found and named; models are found by name and folder."""

import copy
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from torpor.errors import ModelError, TorporError, UsageError
from torpor.model import find_model, load_model, model_names
from torpor.model.description import parse
from torpor.paths import MODELS

Table = dict[str, Any]
SOUND: Table = tomllib.loads((MODELS / "motion" / "model.toml").read_text())
PACKAGED: Table = tomllib.loads((MODELS / "alexa" / "model.toml").read_text())
LEFT_OUT = (
    *("wake", "wake.before", "wake.longest", "wake.latch", "wake.counts"),
    *("wake.trigger.above", "wake.trigger.still", "wake.trigger.every_s", "wake.trigger.windows"),
    *("wake.gate.channels", "wake.decision.ignored", "wake.decision.deadline_ms"),
)
"""Keys that have a default, besides all of [wake.policy] and [wake.samples]."""


def changed(path: str, value: Any, of: Table = SOUND) -> Table:
    """Return a table with the key at a dotted path set, or removed where value is None."""
    table = copy.deepcopy(of)
    *parents, key = path.split(".")
    inner = table
    for parent in parents:
        inner = inner[parent]
    if value is None:
        del inner[key]
    else:
        inner[key] = value
    return table


def leaves(table: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in table.items():
        found.append(prefix + key)
        if isinstance(value, dict):
            found += leaves(value, f"{prefix}{key}.")
    return found


def test_the_model_of_this_repository_is_sound() -> None:
    about = parse(SOUND, "model.toml")
    assert about.labels == ("standing", "running", "walking", "badminton")
    assert about.input.shape == (64, 1, 6)
    assert about.input.limit == 3.0


def may_be_left_out(path: str) -> bool:
    return path in LEFT_OUT or path.startswith(("wake.policy", "wake.samples"))


def cases(wanted: Callable[[str], bool]) -> list[Any]:
    """Return parameters: (a table, a key of it)."""
    tables = {"motion": SOUND, "alexa": PACKAGED}
    return [
        pytest.param(table, path, id=f"{name}-{path}")
        for name, table in tables.items()
        for path in leaves(table)
        if wanted(path)
    ]


@pytest.mark.parametrize(
    ("table", "path"), cases(lambda p: p != "quantized" and not may_be_left_out(p))
)
def test_a_key_without_a_default_is_needed(table: Table, path: str) -> None:
    with pytest.raises(ModelError, match=f"'{path}' is missing"):
        parse(changed(path, None, table), "model.toml")


@pytest.mark.parametrize(("table", "path"), cases(may_be_left_out))
def test_a_key_with_a_default_may_be_left_out(table: Table, path: str) -> None:
    made = parse(changed(path, None, table), "model.toml")
    assert path != "wake" or made.wake is None


@pytest.mark.parametrize(("table", "path"), cases(lambda _: True))
def test_every_key_has_a_type(table: Table, path: str) -> None:
    with pytest.raises(ModelError, match=path.replace(".", r"\.")):
        parse(changed(path, object(), table), "model.toml")


def test_a_model_is_either_trained_here_or_comes_quantized() -> None:
    trained, packaged = parse(SOUND, "m.toml"), parse(PACKAGED, "a.toml")
    assert trained.own and trained.quantized is None
    assert packaged.quantized and packaged.own is None
    with pytest.raises(ModelError, match=r"^a\.toml: 'file' is missing$"):
        parse(changed("quantized", None, PACKAGED), "a.toml")
    with pytest.raises(UsageError, match=r"unknown key in m\.toml 'file'"):
        parse(changed("quantized", PACKAGED["quantized"]), "m.toml")


OWN = ("file", "ranges", "accuracy_floor", "input", "windows", "data", "training")


@pytest.mark.parametrize("key", OWN)
def test_what_a_model_that_comes_quantized_has_not_is_an_error_that_says_so(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        getattr(parse(PACKAGED, "models/a/model.toml"), key)
    assert caught.value.message == (
        f"models/a/model.toml has no '{key}': this model comes quantized and is built as it is"
    )
    assert "trained here" in caught.value.hint
    getattr(parse(SOUND, "model.toml"), key)


def test_the_model_that_comes_quantized_is_sound() -> None:
    about = parse(PACKAGED, "model.toml")
    assert (about.labels, about.licence) == (("alexa",), "Apache-2.0")
    assert about.quantized and about.quantized.bits == 8
    assert about.quantized.member.file == "alexa.tflite"
    assert about.wake and (about.wake.sensor, about.wake.latch) == ("sound", True)


@pytest.mark.parametrize("bits", [0, 16, -8])
def test_bits_that_weights_cannot_have_are_refused(bits: int) -> None:
    with pytest.raises(ModelError, match=r"'quantized\.bits' is neither 8 nor 4"):
        parse(changed("quantized.bits", bits, PACKAGED), "model.toml")


@pytest.mark.parametrize("where", ["", "input.", "data.", "data.wheel.", "training."])
def test_an_unknown_key_is_refused_with_the_nearest_one(where: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(changed(f"{where}licences", 1), "model.toml")
    assert f"'{where}licences'" in caught.value.message


def test_a_typo_is_answered_with_what_was_meant() -> None:
    with pytest.raises(UsageError) as caught:
        parse(changed("accuracy_flor", 0.5), "model.toml")
    assert "did you mean 'accuracy_floor'" in caught.value.hint


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("labels", ["a", "b", "c"], "differ in length"),
        ("labels", ["a", "b", "c", "a"], "a name twice"),
        ("labels", [], "must be a list of text"),
        ("labels", [1, 2, 3, 4], "must be text"),
        ("accuracy_floor", 97, "between 0 and 1"),
        ("accuracy_floor", True, "must be a number"),
        ("input.scale", [1.0], "differ in length"),
        ("input.shape", [64, 6], "is not \\[samples, 1, axes\\]"),
        ("input.shape", [64, 1, 7], "is not \\[samples, 1, axes\\]"),
        ("input.limit", 0, "not above 0"),
        ("windows.train_step", -1, "not above 0"),
        ("windows.test_step", 1.5, "must be a whole number"),
        ("data.format", "csv", 'is not "ts"'),
        ("file", "../secret.tflite", "a file name has a folder"),
        ("training", 3, "is not a table"),
    ],
)
def test_contradictions_are_found(path: str, value: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        parse(changed(path, value), "model.toml")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a folder of models with a copy of motion and a folder that is no model."""
    shutil.copytree(MODELS / "motion", tmp_path / "models" / "motion")
    (tmp_path / "models" / "notes").mkdir()
    return tmp_path / "models"


def test_models_are_the_folders_with_a_model_toml(models: Path) -> None:
    assert model_names(models) == ["motion"]
    assert "motion" in model_names()


def test_a_model_is_found_by_name_and_by_folder(models: Path) -> None:
    assert find_model("motion", models).folder == models / "motion"
    assert find_model(str(models / "motion")).folder == (models / "motion").resolve()


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        load_model("moton")
    assert "did you mean 'motion'" in caught.value.hint


@pytest.mark.parametrize("content", [b"labels = [", b"\xff\xff"])
def test_a_file_that_is_no_toml_is_named(models: Path, content: bytes) -> None:
    (models / "motion" / "model.toml").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.toml"):
        load_model("motion", models)


@pytest.mark.parametrize("content", ["[]", "{", '{"a": 1}', '{"a": [1, 2, 3]}', '{"a": ["x", 1]}'])
def test_broken_ranges_are_an_error(models: Path, content: str) -> None:
    (models / "motion" / "ranges.json").write_text(content)
    with pytest.raises(ModelError, match=r"ranges\.json"):
        _ = load_model("motion", models).ranges


@pytest.mark.parametrize("file", ["motion.tflite", "ranges.json"])
def test_a_missing_file_is_named_with_the_script_that_writes_it(models: Path, file: str) -> None:
    (models / "motion" / file).unlink()
    model = load_model("motion", models)
    with pytest.raises(TorporError) as caught:
        _ = (model.float_tflite, model.ranges)
    assert file in caught.value.message
    assert "train.py" in caught.value.hint
