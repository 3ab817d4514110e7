# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reading board.toml: what is there, and how mistakes are named."""

import shutil

import pytest

from tests.build.conftest import Tree
from torpor.board import (
    BOOT_FILES,
    CLOCKS,
    CORES,
    KERNEL_SETS,
    SHARED_PORTS,
    board_names,
    load_board,
    parse_board,
)
from torpor.compile.compiler import TARGETS
from torpor.errors import UsageError
from torpor.paths import BOARDS, FIRMWARE, ROOT

TEXT = (BOARDS / "microbit" / "board.toml").read_text()
FILE = "boards/x/board.toml"


@pytest.mark.parametrize("name", board_names())
def test_a_board_of_the_repository_can_be_built_from_its_file(name: str) -> None:
    board = load_board(name)
    tool = board.core.toolchain.replace("-", "_")
    assert (FIRMWARE / "port" / board.port).is_dir()
    assert (ROOT / "site_scons" / "site_tools" / f"{tool}.py").is_file()
    assert board.sources
    if board.budget:
        assert board.budget.ram + board.budget.stack <= board.memory["ram"].size
        assert board.budget.flash <= board.memory["code"].size


def test_the_microbit_has_what_its_file_says() -> None:
    board = load_board("microbit")
    assert board.memory["ram"].size == 16 * 1024
    assert board.uart is not None
    assert (board.uart.base, board.uart.irq) == (0x40002000, 2)
    assert board.core.flags == ("-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft")


def test_an_unknown_board_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown board 'micro'") as error:
        load_board("micro")
    assert "did you mean 'microbit'" in error.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("baud =", "buad =", "unknown key 'uart.buad'"),
        ("[flash]", "[flesh]", "unknown key 'flesh'"),
        ("baud = 115200\n", "", "missing key 'uart.baud'"),
        ('tier = "emulated" ', "", "missing key 'board.tier'"),
        ("[timer]", "[board.timer]", "missing key 'timer'"),
        ("irq = 2", 'irq = "two"', "'uart.irq' must be an integer, not 'two'"),
        ("irq = 2", "irq = true", "'uart.irq' must be an integer, not True"),
        ("irq = 2", "irq = -1", "'uart.irq' must not be negative"),
        ("links = 2", "links = []", "'board.links' must be an integer"),
        ('port = "nrf51"', "port = 51", "'board.port' must be a text"),
        ("args = []", "args = [1]", "'emulator.args' must be a list of texts"),
        ('"emulated" ', '"imagined" ', "'board.tier' is 'imagined'"),
        ('kind = "rom"', 'kind = "rum"', "'memory.code.kind' is 'rum'"),
        ("[memory.ram]", "[memory.rom]", "missing key 'memory.ram'"),
        ("[budget]", "[[budget]]", "'budget' must be a table"),
        ("[memory.code]", "[[memory.code]]", "'memory.code' must be a table"),
        ("[board]", "[board", "not valid TOML"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(UsageError) as error:
        parse_board("x", TEXT.replace(old, new, 1), FILE)
    assert error.value.message.startswith(f"{FILE}: ")
    assert message in error.value.message


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ('"nrf51-timer"', '"nrf52-timer"', "'timer.kind' is 'nrf52-timer'", "'nrf51-timer'?"),
        ('"nrf51-timer"', '"posix"', "'timer.kind' is 'posix'", "nrf51-timer, "),
        ('"cortex-m0"', '"cortex-m333"', "'core.name' is 'cortex-m333'", "'cortex-m33'?"),
        ('"cortex-m0"', '"native"', "'core.name' is 'native'", "known: cortex-m0, "),
        ('"arm-none-eabi"', '"arm_none_eabi"', "'core.toolchain' is", "'arm-none-eabi'?"),
        ('"arm-none-eabi"', '"../x"', "'core.toolchain' is '../x'", "known: arm-none-eabi, native"),
        ('["portable"]', "[]", "'core.plan_targets' is empty", "known: portable"),
        ('["portable"]', '["portabel"]', "'core.plan_targets' is 'portabel'", "'portable'?"),
        ('["portable"]', '["portable", "mve"]', "'core.plan_targets' is 'mve'", "known: portable"),
        ('port = "nrf51"', 'port = "nrf510"', "'board.port' is 'nrf510'", "'nrf51'? known: "),
        ('port = "nrf51"', 'port = "cortexm"', "'board.port' is 'cortexm'", ", host, mps2, "),
        ('port = "nrf51"', 'port = "bare"', "'board.port' is 'bare'", ", host, mps2, "),
        ('kind = "qemu"', 'kind = "qmeu"', "'emulator.kind' is 'qmeu'", "did you mean 'qemu'?"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    old: str, new: str, message: str, hint: str
) -> None:
    assert old in TEXT
    with pytest.raises(UsageError) as error:
        parse_board("x", TEXT.replace(old, new, 1), FILE)
    assert error.value.message.startswith(f"{FILE}: {message}")
    assert hint in error.value.hint


def test_a_board_without_memories_is_a_process_of_this_computer() -> None:
    text = (BOARDS / "native" / "board.toml").read_text()
    with pytest.raises(UsageError, match=r"'core\.name' is 'cortex-m0'"):
        parse_board("x", text.replace('name = "native"', 'name = "cortex-m0"'), FILE)
    with pytest.raises(UsageError, match=r"'timer\.kind' is 'systick'"):
        parse_board("x", text.replace('kind = "posix"', 'kind = "systick"'), FILE)


def test_the_tables_of_names_are_those_of_the_firmware_and_the_compiler() -> None:
    assert set(KERNEL_SETS) == set(TARGETS)
    assert set(BOOT_FILES) <= set(CORES)
    files = [file for table in (CORES, BOOT_FILES) for files in table.values() for file in files]
    for name in {*CLOCKS.values(), *files}:
        assert (FIRMWARE / "port" / name).is_file()
        assert name.partition("/")[0] in SHARED_PORTS


def test_a_core_has_the_timers_of_its_architecture_only() -> None:
    text = (BOARDS / "riscv_virt" / "board.toml").read_text()
    with pytest.raises(UsageError, match=r"'timer\.kind' is 'systick'") as error:
        parse_board("x", text.replace('kind = "mtime"', 'kind = "systick"'), FILE)
    assert error.value.hint.endswith("known: esp-systimer, mtime")
    with pytest.raises(UsageError, match=r"'timer\.kind' is 'mtime'"):
        parse_board("x", TEXT.replace('"nrf51-timer"', '"mtime"'), FILE)


@pytest.mark.parametrize("value", ["1", '"yes"', "[]"])
def test_a_switch_of_a_board_is_true_or_false(value: str) -> None:
    text = (BOARDS / "riscv_virt" / "board.toml").read_text()
    assert "flash_image = true" in text
    with pytest.raises(UsageError, match=r"'emulator\.flash_image' must be true or false"):
        parse_board("x", text.replace("flash_image = true", f"flash_image = {value}"), FILE)


@pytest.mark.parametrize(
    ("board", "architecture"),
    [("microbit", "cortexm"), ("mps3_an547", "cortexm"), ("riscv_virt", "riscv"), ("native", "")],
)
def test_the_architecture_is_the_folder_of_the_core(board: str, architecture: str) -> None:
    assert load_board(board).core.architecture == architecture


def test_scons_answers_a_mistake_in_a_board_with_two_lines(tree: Tree) -> None:
    file = tree.folder / "boards" / "misspelt" / "board.toml"
    file.parent.mkdir()
    file.write_text(TEXT.replace('"nrf51-timer"', '"sistick"'))
    done = tree.scons("board=misspelt", "model=small model.tflite")
    shutil.rmtree(file.parent)
    assert (done.returncode, done.stdout) == (2, "")
    known = sorted(kind for kind, file in CLOCKS.items() if file.startswith("cortexm/"))
    assert done.stderr == (
        "scons: boards/misspelt/board.toml: 'timer.kind' is 'sistick'\n"
        f"hint: did you mean 'systick'? known: {', '.join(known)}\n"
    )


def test_a_misspelt_key_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as error:
        parse_board("x", TEXT.replace("erase_size", "erase_sise"), FILE)
    assert error.value.hint == "did you mean 'flash.erase_size'?"


def test_a_board_with_memories_needs_a_uart_and_a_budget() -> None:
    without = TEXT[: TEXT.index("[budget]")]
    with pytest.raises(UsageError, match="missing key 'budget'"):
        parse_board("x", without, FILE)
