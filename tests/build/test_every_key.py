# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Every key of board.toml and model.toml, one at a time: absent, misspelt, of another type."""

import copy
import dataclasses
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from torpor import board as boards
from torpor.board import Board, Core, Power, load_board, parse_board
from torpor.board import load as board_load
from torpor.errors import ModelError, TorporError, UsageError
from torpor.model import description, find_model, load_model, model_names
from torpor.paths import BOARDS, MODELS
from torpor_build import config
from torpor_build.options import user_errors

Table = dict[str, Any]
Path_ = tuple[str, ...]
BOARD: Table = tomllib.loads((BOARDS / "mps2_an386" / "board.toml").read_text())
MODEL: Table = tomllib.loads((MODELS / "motion" / "model.toml").read_text())
FILE = "boards/x/board.toml"


def keys(table: Table, above: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of every key that is no table."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from keys(value, (*above, key))
        else:
            yield (*above, key)


def changed(table: Table, path: Path_, *, key: str | None = None, **new: Any) -> Table:
    """Return a copy: `value=` replaces what is at `path`, `key=` its name, neither removes it."""
    made = copy.deepcopy(table)
    place = made
    for step in path[:-1]:
        place = place[step]
    old = place.pop(path[-1])
    if key or new:
        place[key or path[-1]] = new.get("value", old)
    return made


def toml(table: Table, above: str = "") -> str:
    """Write tables of texts, numbers and lists of them."""
    plain = {k: v for k, v in table.items() if not isinstance(v, dict)}
    lines = [
        f"{k} = {str(v).lower() if isinstance(v, bool) else repr(v)}" for k, v in plain.items()
    ]
    parts = ["\n".join(lines) + "\n"]
    for name, inner in ((k, v) for k, v in table.items() if isinstance(v, dict)):
        parts.append(f"[{above}{name}]\n{toml(inner, f'{above}{name}.')}")
    return "".join(parts)


def board_error(table: Table) -> UsageError:
    with pytest.raises(UsageError) as error:
        parse_board("x", toml(table), FILE)
    assert error.value.message.startswith(f"{FILE}: ")
    return error.value


def optional(path: Path_) -> bool:
    """Tell whether board.toml may go without this key."""
    tables = {f.name: f.type for f in dataclasses.fields(Board)}
    facts = (v for v in vars(boards.facts).values() if isinstance(v, type))
    for kind in facts:
        named = kind.__name__.lower() == path[0] and path[0] in tables
        for field in dataclasses.fields(kind) if named else ():
            if field.name == path[-1]:
                return field.default is not dataclasses.MISSING
    return False


def real(path: Path_) -> bool:
    """Tell whether the value of this key of board.toml may have a fraction."""
    types = {field.name: field.type for field in dataclasses.fields(Power)}
    return path[0] == "power" and types[path[-1]] in (float, float | None)


# ---- board.toml


def test_the_writer_of_these_tests_writes_what_was_read() -> None:
    assert parse_board("mps2_an386", toml(BOARD), FILE) == load_board("mps2_an386")


@pytest.mark.parametrize("path", [*keys(BOARD)], ids=".".join)
def test_a_key_of_a_board_that_is_missing_is_named(path: Path_) -> None:
    without = changed(BOARD, path)
    if optional(path):
        assert parse_board("x", toml(without), FILE).name == "x"
    else:
        assert f"missing key '{'.'.join(path)}'" in board_error(without).message


@pytest.mark.parametrize("path", [*keys(BOARD)], ids=".".join)
def test_a_key_of_a_board_that_is_misspelt_is_named_with_the_right_one(path: Path_) -> None:
    error = board_error(changed(BOARD, path, key=f"{path[-1]}x"))
    assert f"unknown key '{'.'.join(path)}x'" in error.message
    assert f"did you mean '{'.'.join(path)}'?" in error.hint


@pytest.mark.parametrize("path", [*keys(BOARD)], ids=".".join)
@pytest.mark.parametrize("value", [1.5, True, [[1]]], ids=str)
def test_a_value_of_a_board_of_another_type_is_shown(path: Path_, value: Any) -> None:
    value = str(value) if real(path) and value == 1.5 else value
    error = board_error(changed(BOARD, path, value=value))
    assert f"'{'.'.join(path)}' must be " in error.message
    assert error.message.endswith(f"not {value!r}")


def test_a_board_file_that_is_no_text_or_no_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_load, "BOARDS", tmp_path)
    (tmp_path / "latin").mkdir()
    (tmp_path / "latin" / "board.toml").write_bytes(b'title = "\xfc"')
    (tmp_path / "folder" / "board.toml").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"boards/latin/board\.toml: not valid TOML"):
        load_board("latin")
    with pytest.raises(UsageError, match=r"cannot read boards/folder/board\.toml: Is a directory"):
        load_board("folder")


# ---- model.toml


def model_error(table: Table) -> TorporError:
    with pytest.raises(TorporError) as error:
        description.parse(table, "models/x/model.toml")
    assert "models/x/model.toml" in error.value.message
    return error.value


def needed(path: Path_) -> bool:
    """Of a model: what has no default (tests/models/test_description.py has the others)."""
    left_out = {("wake", "counts"), ("wake", "decision", "ignored")}
    left_out |= {("wake", "decision", "deadline_ms")}
    return path not in left_out and path[:2] not in {("wake", "samples"), ("wake", "policy")}


@pytest.mark.parametrize("path", [*filter(needed, keys(MODEL))], ids=".".join)
def test_a_key_of_a_model_that_is_missing_is_named(path: Path_) -> None:
    error = model_error(changed(MODEL, path))
    assert error.message.endswith(f"'{'.'.join(path)}' is missing")
    assert error.exit_code == ModelError.exit_code


@pytest.mark.parametrize("path", [*keys(MODEL)], ids=".".join)
def test_a_key_of_a_model_that_is_misspelt_is_named_with_the_right_one(path: Path_) -> None:
    error = model_error(changed(MODEL, path, key=f"{path[-1]}x"))
    assert f"'{'.'.join(path)}x'" in error.message
    assert f"did you mean '{'.'.join(path)}'" in error.hint
    assert error.exit_code == UsageError.exit_code


@pytest.mark.parametrize("path", [*keys(MODEL)], ids=".".join)
@pytest.mark.parametrize("value", [True, [], {"a": 1}, [[1]]], ids=str)
def test_a_value_of_a_model_of_another_type_is_shown(path: Path_, value: Any) -> None:
    error = model_error(changed(MODEL, path, value=value))
    assert f"'{'.'.join(path)}' must be " in error.message


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 0, -1], ids=str)
@pytest.mark.parametrize("path", [("input", "limit"), ("input", "rate_hz")], ids=".".join)
def test_a_number_that_is_not_above_zero_and_finite_is_refused(path: Path_, number: float) -> None:
    assert "is not above 0" in model_error(changed(MODEL, path, value=float(number))).message


@pytest.mark.parametrize("floor", [-0.01, 1.01, float("nan")], ids=str)
def test_an_accuracy_floor_is_a_share(floor: float) -> None:
    error = model_error(changed(MODEL, ("accuracy_floor",), value=floor))
    assert "'accuracy_floor' is not between 0 and 1" in error.message


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("labels",), ["a", "a", "b", "c"], "has a name twice"),
        (("labels",), ["a", "b"], "'labels' and 'data.classes' differ in length"),
        (("input", "scale"), [1.0], "'input.axes' and 'input.scale' differ in length"),
        (("input", "shape"), [64, 2, 6], "'input.shape' is not [samples, 1, axes]"),
        (("input", "shape"), [64, 6], "'input.shape' is not [samples, 1, axes]"),
        (("data", "format"), "csv", "'data.format' is not \"ts\""),
        (("file",), "../x.tflite", "a file name has a folder"),
        (("ranges",), "/etc/passwd", "a file name has a folder"),
    ],
    ids=str,
)
def test_keys_that_contradict_each_other_are_named(path: Path_, value: Any, words: str) -> None:
    assert words in model_error(changed(MODEL, path, value=value)).message


def test_a_model_file_that_is_no_text_or_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").mkdir()
    (tmp_path / "latin" / "model.toml").write_bytes(b'title = "\xfc"')
    (tmp_path / "folder" / "model.toml").mkdir(parents=True)
    assert model_names(tmp_path) == ["folder", "latin"]
    with pytest.raises(ModelError, match=r"latin/model\.toml: 'utf-8' codec"):
        find_model("latin", tmp_path)
    with pytest.raises(ModelError, match=r"cannot read .*folder/model\.toml: Is a directory"):
        load_model("folder", tmp_path)


# ---- what is made from a board


def test_board_c_has_name_and_clock() -> None:
    text = config.board_source(load_board("microbit"))
    hz = load_board("microbit").timer.hz
    assert f'{{.name = "microbit", .timer_hz = {hz}u, .trial_ms = 20000u}};\n' in text
    assert '#include "hal/board.h"' in text


@pytest.mark.parametrize("name", ["microbit", "mps2_an386", "native", "riscv_virt"])
def test_the_board_header_has_each_number_of_what_ports_drive_once(name: str) -> None:
    board = load_board(name)
    lines = config.board_header(board).splitlines()
    defined = [
        line.split()[1] for line in lines if line.startswith("#define BOARD_") and "u" in line
    ]
    wanted = [
        f"BOARD_{table}_{key}".upper()
        for table in ("flash", "timer", "uart", "watchdog", "alarm", "pin")
        if getattr(board, table)
        for key, value in dataclasses.asdict(getattr(board, table)).items()
        if isinstance(value, int)
    ]
    others = ("BOARD_CONFIG_H", "BOARD_VECTORS", "BOARD_SLOTS_RECEIVE")
    assert [n for n in defined if n not in others] == wanted


def test_flags_of_a_core_are_a_tuple_that_nobody_can_change() -> None:
    core = load_board("microbit").core
    assert isinstance(core, Core)
    assert isinstance(core.flags, tuple)
    with pytest.raises(dataclasses.FrozenInstanceError):
        core.name = "x"  # type: ignore[misc]


# ---- scons


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (UsageError("no", "yes"), 2, ["scons: no", "hint: yes"]),
        (ModelError("broken"), 4, ["scons: broken"]),
        (OSError(36, "File name too long", "xxx"), 1, ["scons: File name too long: xxx"]),
    ],
    ids=["usage", "model", "system"],
)
def test_errors_of_the_user_leave_scons_with_their_code(
    error: Exception, code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    left: list[int] = []
    with user_errors(left.append):
        raise error
    assert left == [code]
    assert capsys.readouterr().err.splitlines() == lines


def test_a_bug_is_no_error_of_the_user() -> None:
    with pytest.raises(KeyError), user_errors(lambda _: None):
        raise KeyError("bug")
