# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""tools/new-board: what it makes builds, says what is missing, and takes nothing over that is
true of the other board alone."""

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from tests.kit.conftest import Copy
from tools import new_board
from tools.new_board import DRIVERS, HEADERS, NOT_COPIED, Wish, facts, files
from torpor.board import Board, board_names, load_board, parse_board
from torpor.errors import UsageError
from torpor.paths import BOARDS, FIRMWARE, ROOT
from torpor_build import config, linker, steps

pytestmark = pytest.mark.xdist_group("kit")

LIKES = [name for name in board_names() if load_board(name).memory]
COMPILERS = {"cortexm": "arm-none-eabi-gcc", "riscv": "riscv64-unknown-elf-gcc"}
FLAGS = [
    "--specs=picolibc.specs",
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wstrict-prototypes",
    "-Wconversion",
]
REFUSAL = re.compile(r'^    _Static_assert\(0, "(.*)"\);\n', re.M)


def wish(like: str, port: str | None = None, *without: str) -> Wish:
    """Return a wish for a board "toy"."""
    return Wish("toy", load_board(like), "A toy", port, without)


def parsed(it: Wish) -> Board:
    """Return the board that is made for a wish; with the other board's port."""
    return parse_board("toy", facts(dataclasses.replace(it, port=None)), "boards/toy/board.toml")


def port_of(it: Wish) -> dict[str, str]:
    """Return the files of the port that is made: name and text."""
    return {path.name: text for path, text in files(it).items() if path.suffix == ".c"}


def compiled(board: Board, text: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Let the board's compiler look at a C file."""
    (folder / "gen").mkdir(exist_ok=True)
    (folder / "gen" / "board_config.h").write_text(config.board_header(board))
    command = [COMPILERS[board.core.architecture], *board.core.flags, *FLAGS, "-fsyntax-only"]
    return subprocess.run(
        [*command, f"-I{FIRMWARE}", f"-I{folder}", "-x", "c", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


# ---- the facts ----


@pytest.mark.parametrize("like", LIKES)
def test_a_new_board_is_built_from_the_same_facts_as_the_one_that_it_is_like(like: str) -> None:
    old, new = load_board(like), parsed(wish(like))
    assert steps.port_files(new) == steps.port_files(old)
    for made in (linker.script, config.board_header, config.board_source):
        words = (f'"{like}"', '"toy"'), (f"boards/{like}/", "boards/toy/")
        text = made(old)
        for before, after in words:
            text = text.replace(before, after)
        assert made(new) == text


@pytest.mark.parametrize("like", LIKES)
def test_what_is_true_of_the_other_board_alone_is_left_out_or_marked(like: str) -> None:
    new, text = parsed(wish(like)), facts(wish(like))
    assert (new.title, new.tier, new.sources) == ("A toy", "built", ())
    assert text.count("# to do: ") == 2
    assert not [name for name in NOT_COPIED if getattr(new, name)]
    emulator = load_board(like).emulator
    is_of_folder = emulator is not None and emulator.kind == "renode"
    assert new.emulator == (None if is_of_folder else emulator)


@pytest.mark.parametrize("like", LIKES)
def test_comments_and_everything_else_stay_as_they_were(like: str) -> None:
    old = (BOARDS / like / "board.toml").read_text().splitlines()
    new = facts(wish(like)).splitlines()
    changed = [line for line in new if line not in old]
    assert [line.partition(" = ")[0] for line in changed] in (
        ["title", "tier", "sources"],
        ["title", "sources"],
    )


def test_a_table_goes_with_its_comment_and_with_what_lies_in_it() -> None:
    text = facts(wish("mps2_an386", None, "flash"))
    assert "stand-in" in (BOARDS / "mps2_an386" / "board.toml").read_text()
    assert "stand-in" not in text
    board = parsed(wish("mps2_an386", None, "flash"))
    assert (board.flash, board.slots, board.samples, board.models.reserve) == (None,) * 3 + ((),)
    assert board.watchdog and board.emulator and not board.emulator.flash
    assert board.emulator.memory_size == 0 and board.emulator.icount_shift == 6


def test_a_table_that_a_board_must_have_cannot_be_left_out() -> None:
    with pytest.raises(UsageError, match=r"boards/toy/board.toml: missing key 'timer'"):
        files(wish("microbit", None, "timer"))


def test_each_table_of_a_file_is_found_with_all_its_lines() -> None:
    for like in LIKES:
        text = (BOARDS / like / "board.toml").read_text()
        assert new_board.text_of(new_board.tables_of(text)) == text


# ---- the port ----


@pytest.mark.parametrize("like", LIKES)
def test_a_skeleton_compiles_once_its_functions_are_written(like: str, tmp_path: Path) -> None:
    board = parsed(wish(like))
    for name, text in port_of(wish(like, "toyport")).items():
        done = compiled(board, REFUSAL.sub("", text), tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), name


@pytest.mark.parametrize("like", ["microbit", "esp32c3_devkit"])
def test_until_then_each_function_is_an_error_that_says_what_is_to_be_done(
    like: str, tmp_path: Path
) -> None:
    for name, text in port_of(wish(like, "toyport")).items():
        said = compiled(parsed(wish(like)), text, tmp_path).stderr
        functions = re.findall(r"^\w[\w *]*?(\w+)\(", text, re.M)
        assert functions
        for function in functions:
            assert f'"firmware/port/toyport/{name}: {function}() is to be written"' in said
        assert said.count("error: ") == len(functions)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_skeleton_has_every_function_of_the_contract_in_its_words(driver: str) -> None:
    header = (FIRMWARE / "hal" / f"{HEADERS.get(driver, driver)}.h").read_text()
    text = new_board.skeleton("toyport", driver, load_board("microbit"))
    for declared in re.findall(r"^\w[^;{#]*?\w+\([^)]*\)", header, re.M):
        contract = header[: header.index(f"\n{declared}")].rpartition("/*")[2]
        ours = "Implemented by the application" not in contract
        if driver == "reset":
            ours = "cpu_reset" in declared
        assert (declared + "\n{" in text) == ours, declared
        assert (f"/*{contract}" in text) == ours


def test_a_skeleton_is_formatted_like_the_firmware() -> None:
    for like in ("microbit", "riscv_virt"):
        for name, text in port_of(wish(like, "toyport")).items():
            file = f"--assume-filename={FIRMWARE}/port/toyport/{name}"
            done = subprocess.run(
                ["clang-format", file], input=text, capture_output=True, text=True, check=True
            )
            assert done.stdout == text


def test_a_port_has_the_drivers_that_the_facts_ask_for() -> None:
    assert list(port_of(wish("microbit", "toyport"))) == [
        *("uart.c", "watchdog.c", "timer.c", "alarm.c", "pin.c", "flash.c"),
    ]
    small = wish("microbit", "toyport", "pin", "flash", "alarm")
    assert list(port_of(small)) == ["uart.c", "watchdog.c", "timer.c"]
    assert "reset.c" in port_of(wish("riscv_virt", "toyport"))


def test_where_there_is_no_watchdog_its_functions_are_empty_and_done(tmp_path: Path) -> None:
    it = wish("mps2_an386", "toyport", "watchdog")
    text = port_of(it)["watchdog.c"]
    assert "_Static_assert" not in text and text.count("(void)") == 3  # two of them parameters
    done = compiled(parsed(it), text, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


# ---- the command ----


def test_a_new_board_builds_at_once(copy: Copy) -> None:
    done = copy.run("tools/new-board toy --like microbit --title 'A toy' && scons board=toy")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["boards/toy/board.toml", "boards/toy/README.md"]
    assert (copy.folder / "build" / "toy" / "motion-int8" / "firmware.elf").is_file()
    readme = (copy.folder / "boards" / "toy" / "README.md").read_text()
    assert readme.startswith("# A toy\n") and "**Tier: built.**" in readme


def test_a_new_port_stops_the_build_with_what_is_to_be_written(copy: Copy) -> None:
    done = copy.run("tools/new-board other --like riscv_virt --port others")
    assert done.returncode == 0, done.stderr
    done = copy.run("scons board=other build/other/obj/port/others/uart.o")
    assert done.returncode != 0
    assert 'others/uart.c: uart_start() is to be written"' in done.stderr
    assert 'others/uart.c: riscv_external_isr() is to be written"' in done.stderr


def test_the_next_steps_are_those_of_the_guide(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    monkeypatch.setattr(Path, "write_text", lambda path, *_, **__: made.append(path))
    assert new_board.main(["toy", "--like", "nrf52840dk", "--port", "toyport"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(path.relative_to(ROOT)) for path in made]
    for words in ("boards/toy/board.toml", "'sources'", "[probe] and [power]", "[emulator] too"):
        assert words in said.err
    assert "uart.c, watchdog.c, timer.c, alarm.c, pin.c, flash.c to be written" in said.err
    assert "scons board=toy model=motion image " in said.err
    assert "tools/test " in said.err


def test_without_slots_no_images_are_to_be_made() -> None:
    assert not any(" image " in line for line in new_board.proof("toy", has_slots=False))
    commands = new_board.proof("toy", has_slots=True)
    assert len({line.index("  #") for line in commands}) == 1
    assert not any("<name>" in line for line in commands)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("microbit --like mps2_an386", "there is a board 'microbit' already", "boards/microbit"),
        ("toy --like micro", "unknown board 'micro'", "did you mean 'microbit'? known: "),
        ("toy --like native", "no board is like 'native': it is a process", ""),
        ("Toy --like microbit", "'Toy' is no name for a board", "a-z, 0-9 and _"),
        ("../toy --like microbit", "'../toy' is no name for a board", "a-z, 0-9 and _"),
        ("1toy --like microbit", "'1toy' is no name for a board", "a letter first"),
        (f"{'t' * 41} --like microbit", "is no name for a board", "at most 40"),
        ("toy --like microbit --port mps2", "there is a port 'mps2' already", "firmware/port/mps2"),
        ("toy --like microbit --port cortexm", "there is a port 'cortexm' already", "firmware/"),
        ("toy --like microbit --port a/b", "'a/b' is no name for a port", "a-z, 0-9 and _"),
        ("toy --like microbit --without flesh", "unknown table of microbit 'flesh'", "'flash'?"),
        ("toy --like microbit --without core", "missing key 'core'", ""),
        ("toy --like microbit --title a\\b", "the title 'a\\\\b' is odd", "letters"),
    ],
)
def test_a_mistake_is_two_lines_and_nothing_is_made(
    arguments: str, message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {*BOARDS.iterdir(), *(FIRMWARE / "port").iterdir()}
    assert new_board.main(arguments.split(" ")) == UsageError.exit_code
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) <= 2
    assert message in said.err and hint in said.err
    assert {*BOARDS.iterdir(), *(FIRMWARE / "port").iterdir()} == before


def test_without_a_set_up_tree_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    script = tmp_path / "tools" / "new-board"
    script.write_bytes((ROOT / "tools" / "new-board").read_bytes())
    done = subprocess.run(
        ["bash", script, "toy"], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 3
    assert done.stderr == "new-board: there is no .venv yet: run tools/setup, then try again\n"
