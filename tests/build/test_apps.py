# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reading app.toml: what an application is, and how mistakes are named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.board import load_board
from torpor.errors import UsageError
from torpor.paths import FIRMWARE, ROOT, app_names
from torpor_build.apps import DRIVERS, load_app

EXAMPLE = ROOT / "docs" / "example_app"


def app(folder: Path, text: str, *files: str) -> Path:
    """Write an application; return its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "app.toml").write_text(text)
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("name", app_names())
def test_an_application_of_firmware_app_is_found_by_its_name(name: str) -> None:
    found = load_app(name)
    assert found.is_ours and found.name == name
    assert FIRMWARE / "app" / name / "main.c" in found.files
    assert found.settings.title, "scons -h says what it is"


def test_the_applications_are_the_folders_with_an_app_toml() -> None:
    assert app_names() == ["serve", "wake"]


def test_the_example_is_an_application() -> None:
    example = load_app(str(EXAMPLE))
    assert (example.name, example.drivers, example.is_wake) == ("slope", ("alarm",), False)
    assert [path.name for path in example.files] == ["main.c", "readings.c"]
    assert example.calls == {"targets": {"on_time": ["tell_*"]}}


def test_without_a_name_it_is_called_as_its_folder(tmp_path: Path) -> None:
    assert load_app(str(app(tmp_path / "door", "", "main.c"))).name == "door"


def test_a_file_of_the_application_takes_the_place_of_one_of_its_base(tmp_path: Path) -> None:
    mine = load_app(str(app(tmp_path / "mine", 'base = "wake"', "replay.c", "look.c")))
    wake = load_app("wake")
    names = [path.name for path in (*mine.files, *mine.folders)]
    assert len(names) == len(set(names))
    assert {p.name for p in (*wake.files, *wake.folders)} == set(names)
    own = [path for path in (*mine.files, *mine.folders) if path.is_relative_to(tmp_path)]
    assert sorted(path.name for path in own) == ["look.c", "replay.c"]
    assert mine.is_wake and mine.drivers == DRIVERS


def test_sources_may_be_chosen_and_lie_in_folders(tmp_path: Path) -> None:
    text = 'sources = ["main.c", "parts/*.c"]'
    mine = load_app(str(app(tmp_path / "mine", text, "main.c", "test.c", "parts/a.c", "parts/b.c")))
    assert [str(p.relative_to(tmp_path / "mine")) for p in mine.files] == [
        *("main.c", "parts/a.c", "parts/b.c")
    ]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("driver = []", "unknown key 'driver'", "did you mean 'drivers'?"),
        ('drivers = ["alam"]', "unknown driver 'alam'", "did you mean 'alarm'"),
        ('drivers = "alarm"', "'drivers' must be a list of texts", ""),
        ('base = "wak"', "unknown value of base 'wak'", "did you mean 'wake'"),
        ('base = "../x"', "unknown value of base '../x'", "known: serve, wake"),
        ('folders = ["duti"]', "firmware/duti has no C files", ""),
        ('sources = ["none.c"]', "'sources': there is no none.c", ""),
        ('sources = ["../*.c"]', "leads out of the folder", ""),
        ('sources = ["/etc/*.c"]', "leads out of the folder", ""),
        ('name = "a b"', "'a b' is no name for folders", "letters, digits"),
        ('name = "wake"', "'wake' is an application of torpor's", "name = another one"),
        ("stack = -1", "'stack' must not be negative", ""),
        ("stack = true", "'stack' must be an integer", ""),
        ("calls = 1", "'calls' must be a table", "write [calls.targets]"),
        ("calls.target = {}", "unknown key 'calls.target'", "did you mean 'calls.targets'"),
        ("calls.targets = 1", "'calls.targets' must be a table", ""),
        ('calls.targets.f = "g"', "'calls.targets.f' must be a list of texts", ""),
        ("calls.library.f = -8", "'calls.library.f' must be a number from 0 on", ""),
        ("calls.recursion.f = true", "'calls.recursion.f' must be a number", ""),
        ("title = ", "not valid TOML", ""),
    ],
)
def test_a_mistake_names_the_file_and_the_key(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    folder = app(tmp_path / "mine", text, "main.c")
    with pytest.raises(UsageError) as error:
        load_app(str(folder))
    assert error.value.message.startswith(f"{folder}/app.toml: ")
    assert message in error.value.message
    assert hint in error.value.hint


def test_a_folder_without_app_toml_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the folder has no app\.toml") as error:
        load_app(str(tmp_path))
    assert "docs/example_app" in error.value.hint


@pytest.mark.parametrize("value", ["", "serv", "no/such/folder"])
def test_what_is_no_application_is_named_with_those_that_are(value: str) -> None:
    with pytest.raises(UsageError, match="unknown value of app") as error:
        load_app(value)
    assert "serve" in error.value.hint


@given(st.binary(max_size=200))
def test_no_app_toml_makes_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("app")
    (folder / "app.toml").write_bytes(data)
    (folder / "main.c").touch()
    try:
        assert load_app(str(folder)).files
    except UsageError as error:
        assert str(folder) in error.message


def test_memory_that_an_application_asks_for_is_added_to_the_boards(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    assert board.budget and board.slots
    text = 'stack = 9000\narena = 0x20000\nreserve = ["ADD_S8", "MUL_S8"]\n'
    text += 'reserve_tflm = ["ADD", "MUL_INT8"]'
    fitted = load_app(str(app(tmp_path / "mine", text, "main.c"))).fitted(board)
    assert fitted.budget and fitted.budget.stack == 9000
    assert fitted.slots and fitted.slots.stack == 9000
    assert fitted.models.arena == 0x20000
    assert fitted.models.reserve == (*board.models.reserve, "MUL_S8")
    assert fitted.models.reserve_tflm == (*board.models.reserve_tflm, "MUL_INT8")


def test_a_small_stack_is_not_that_of_images_which_verify_signatures(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    fitted = load_app(str(app(tmp_path / "mine", "stack = 1024", "main.c"))).fitted(board)
    assert fitted.budget and fitted.budget.stack == 1024
    assert fitted.slots == board.slots


@pytest.mark.parametrize("name", app_names())
def test_applications_of_ours_leave_a_board_as_it_is(name: str) -> None:
    board = load_board("mps2_an386")
    assert load_app(name).fitted(board) == board
