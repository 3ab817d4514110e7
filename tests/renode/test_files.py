# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What can be said of the files for Renode without Renode."""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from robot.api import ExecutionResult
from robot.api import TestSuite as Suite

from tests.renode import Torpor, repl, stubs
from tests.renode.repl import Entry, ReplError
from torpor.board import Board, board_names, load_board
from torpor.paths import BOARDS, ROOT

HERE = Path(__file__).parent
SUITES = sorted(HERE.glob("*.robot"))
RESOURCE = HERE / "torpor.resource"
RENODE_BOARDS = [
    name for name in board_names() if (e := load_board(name).emulator) and e.kind == "renode"
]
# Of Renode 1.16.1 (renode-infrastructure), below Antmicro.Renode.Peripherals.
STOCK = {
    "CPU.CortexM",
    "GPIOPort.NRF52840_GPIO",
    "GPIOPort.NRF52840_GPIOTasksEvents",
    "GPIOPort.STM32_GPIOPort",
    "IRQControllers.NVIC",
    "IRQControllers.STM32F4_EXTI",
    "Memory.ArrayMemory",
    "Memory.MappedMemory",
    "Miscellaneous.Button",
    "Miscellaneous.NRF52840_PPI",
    "Timers.NRF52840_RTC",
    "Timers.NRF52840_Timer",
    "Timers.STM32_Timer",
}
MEMBERS = ("LoadFrom", "SaveTo", "CutAfter", "Operations", "IsCut")
BUILT_IN = {"CURDIR", "TEST NAME", "SUITE NAME"}


def platform(board: str) -> tuple[Board, dict[str, Entry]]:
    facts = load_board(board)
    assert facts.emulator
    return facts, repl.parse((BOARDS / board / facts.emulator.machine).read_text())


# ---- suites


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.stem)
def test_every_keyword_of_a_suite_exists_and_gets_its_arguments(suite: Path) -> None:
    built = Suite.from_file_system(str(suite))
    built.resource.imports.library(str(Path(stubs.__file__)))
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output.xml"
        built.run(dryrun=True, output=str(output), console="none", log=None, report=None)
        result = ExecutionResult(str(output))
    tests = list(result.suite.all_tests)
    assert [f"{t.name}: {t.message}" for t in tests if not t.passed] == []
    assert len(tests) == 8


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.stem)
def test_a_suite_belongs_to_a_board_and_names_its_seeds(suite: Path) -> None:
    text = suite.read_text()
    assert suite.stem in RENODE_BOARDS
    assert f"Set Board Up    {suite.stem}\n" in text
    tests = re.findall(r"^(\w.*?) (\d+)\n    (.+)$", text.split("*** Test Cases ***")[1], re.M)
    assert tests
    for name, seed, call in tests:
        assert re.split(r" {2,}", call)[1] == seed, name
    assert "[Tags]" not in text, "a tag can hide a failure"


def test_every_board_in_renode_has_a_suite() -> None:
    assert [suite.stem for suite in SUITES] == RENODE_BOARDS


def test_the_suites_of_all_boards_are_the_same() -> None:
    texts = {suite.read_text().replace(suite.stem, "BOARD") for suite in SUITES}
    assert len(texts) == 1


def variables(text: str) -> tuple[set[str], set[str]]:
    """Return the variables of a keyword or file that are used, and that are set."""
    used = {name.upper() for name in re.findall(r"(?<!\\)[$@]\{([\w ]+)\}", text)}
    set_here = re.findall(r"^ *(?:[$@]\{([\w ]+)\} *)+=", text, re.M)
    several = [m for line in re.findall(r"^ +((?:\$\{\w+\} *)+)=", text, re.M) for m in [line]]
    names = {n for line in several for n in re.findall(r"\{(\w+)\}", line)} | set(set_here)
    names |= set(re.findall(r"Set (?:Suite|Test) Variable +\$\{(\w+)\}", text))
    for line in re.findall(r"\[Arguments\](.*)", text):
        names |= set(re.findall(r"[$@]\{(\w+)\}", line))
    names |= set(re.findall(r"FOR +\$\{(\w+)\}", text))
    return used, {name.upper() for name in names}


def test_every_variable_of_the_resource_is_set_somewhere() -> None:
    text = RESOURCE.read_text()
    outside, keywords = text.split("*** Keywords ***")
    shared = {name.upper() for name in re.findall(r"^\$\{(\w+)\}", outside, re.M)} | BUILT_IN
    shared |= {
        name.upper() for name in re.findall(r"Set (?:Suite|Test) Variable +\$\{(\w+)\}", text)
    }
    for keyword in re.split(r"\n(?=\w)", keywords):
        used, set_here = variables(keyword)
        assert used - set_here - shared == set(), keyword.splitlines()[0]


def test_nothing_waits_for_the_clock_on_the_wall_or_is_tried_again() -> None:
    text = "".join(path.read_text() for path in [RESOURCE, *SUITES])
    assert "Sleep " not in text
    assert text.count("Wait Until Keyword Succeeds") == 1, "the port that somebody else took"


def test_without_an_environment_there_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Torpor, "PROGRAMS", tmp_path)
    with pytest.raises(AssertionError, match=r"^there is no \.venv: run tools/setup first$"):
        Torpor.Torpor().prepare_board("any")


def test_the_keywords_need_nothing_but_the_standard_library() -> None:
    text = (HERE / "Torpor.py").read_text()
    modules = re.findall(r"^(?:import|from) (\w+)", text, re.M)
    assert set(modules) <= sys.stdlib_module_names


def test_the_firmware_that_runs_and_is_confirmed_is_found() -> None:
    slots: list[dict[str, Any]] = [
        {"slot": "A", "component": "firmware", "version": "1.0.0", "state": ["ready"]},
        {
            "slot": "B",
            "component": "firmware",
            "version": "2.0.0",
            "state": ["running", "confirmed"],
        },
        {"slot": "model 0", "component": "model", "version": None, "state": ["free"]},
    ]
    library = Torpor.Torpor()
    assert library.firmware_of({"slots": slots}) == "B 2.0.0"
    slots[1]["state"] = ["running", "on trial"]
    with pytest.raises(AssertionError, match="not one firmware runs"):
        library.firmware_of({"slots": slots})


def test_a_seed_always_draws_the_same_number() -> None:
    library = Torpor.Torpor()
    drawn = [library.drawn("5", "1", "1000") for _ in range(3)]
    assert len(set(drawn)) == 1 and 1 <= drawn[0] <= 1000
    assert library.drawn("6", "1", "1000") != drawn[0]
    assert library.drawn("6", "3", "3") == 3


# ---- platforms


@pytest.mark.parametrize("board", RENODE_BOARDS)
def test_a_platform_is_whole_and_of_models_that_exist(board: str) -> None:
    _, found = platform(board)
    own = repl.classes(BOARDS / board)
    assert {entry.kind for entry in found.values()} - own - STOCK == set()
    for file in (BOARDS / board).glob("*.*"):
        if file.suffix in (".repl", ".resc", ".cs"):
            assert not re.search(r"https?:", file.read_text()), f"{file.name} downloads"


@pytest.mark.parametrize("board", RENODE_BOARDS)
def test_a_platform_is_where_the_board_says(board: str) -> None:
    facts, found = platform(board)
    assert facts.uart and facts.flash
    assert ("sysbus", facts.uart.base) in found["uart"].places
    ram, code = facts.memory["ram"], facts.memory["code"]
    memories = [e for e in found.values() if e.kind == "Memory.MappedMemory"]
    assert any(
        ("sysbus", ram.origin) in e.places and e.number("size") == ram.size for e in memories
    )
    flash = [e for e in memories if ("sysbus", facts.flash.origin) in e.places]
    assert [e.number("size") for e in flash] == [facts.flash.size]
    assert code.origin == facts.flash.origin
    assert found["cpu"].number("PerformanceInMips") > 0
    assert ("button" in found) == (facts.pin is not None)
    assert facts.emulator and facts.emulator.flash == "model"


@pytest.mark.parametrize("board", RENODE_BOARDS)
def test_the_model_of_the_flash_has_what_torpor_asks_of_it(board: str) -> None:
    _, found = platform(board)
    kind = found["flashController"].kind.rpartition(".")[2]
    (file,) = [f for f in (BOARDS / board).glob("*.cs") if f"class {kind} " in f.read_text()]
    text = file.read_text()
    for member in MEMBERS:
        assert re.search(rf"public \w+ {member}\b", text), member
    assert "power cut" in text


@pytest.mark.parametrize("board", RENODE_BOARDS)
def test_a_script_to_play_with_names_files_that_exist(board: str) -> None:
    text = (BOARDS / board / f"{board}.resc").read_text()
    named = re.findall(r"\$ORIGIN/([\w.]+)", text)
    assert set(named) == {
        f.name for f in (BOARDS / board).iterdir() if f.suffix in (".cs", ".repl")
    }


def test_every_board_in_renode_is_a_file_of_its_own() -> None:
    for board in RENODE_BOARDS:
        for name in (f"{board}.repl", f"{board}.resc", "board.toml"):
            assert (BOARDS / board / name).is_file(), f"{(BOARDS / board).relative_to(ROOT)}/{name}"


# ---- the checker itself

GOOD = """
// a comment
cpu: CPU.CortexM @ sysbus
    cpuType: "cortex-m4f"
    nvic: nvic

nvic: IRQControllers.NVIC @ sysbus 0xE000E000
    -> cpu@0

flash: Memory.MappedMemory @ {
        sysbus 0x0;
        sysbus 0x08000000
    }
    size: 0x100000

uart: UART.Some @ sysbus <0x40004400, +0x400>
    IRQ -> nvic@38
    [0-3] -> nvic@[6-9]

tag: Memory.ArrayMemory @ sysbus 0x10
    size: 0x10
    init:
        WriteDoubleWord 0x0 0x1
"""


def test_a_sound_description_is_read() -> None:
    found = repl.parse(GOOD)
    assert list(found) == ["cpu", "nvic", "flash", "uart", "tag"]
    assert found["flash"].places == [("sysbus", 0), ("sysbus", 0x08000000)]
    assert found["uart"].places == [("sysbus", 0x40004400)]
    assert found["uart"].wires == ["nvic", "nvic"]
    assert found["tag"].init == ["WriteDoubleWord 0x0 0x1"]
    assert found["flash"].number("size") == 0x100000


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("// a comment", 'using "platforms/cpus/stm32f4.repl"', "using"),
        ("    nvic: nvic", "    nvic: nvci", "no nvci"),
        ("    nvic: nvic", "   nvic: nvic", "indented"),
        ("    nvic: nvic", "\tnvic: nvic", "a tab"),
        ("tag: Memory", "uart: Memory", "there already"),
        ("nvic@38", "nvik@38", "no nvik"),
        ("@ sysbus 0x10", "@ sysbus 0xZZ", "no place"),
        ("@ sysbus 0x10", "@ bus 0x10", "no bus"),
        ("    IRQ -> nvic@38", "    IRQ > nvic@38", "neither"),
        ('    cpuType: "cortex-m4f"', "    nvic: nvic", "said twice"),
    ],
)
def test_a_mistake_in_a_description_is_found(old: str, new: str, wrong: str) -> None:
    assert old in GOOD
    with pytest.raises(ReplError, match=wrong):
        repl.parse(GOOD.replace(old, new, 1))
