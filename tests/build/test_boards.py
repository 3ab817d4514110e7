# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reading board.toml: what is there, and how mistakes are named."""

import pytest

from torpor.board import board_names, load_board, parse_board
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


def test_a_misspelt_key_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as error:
        parse_board("x", TEXT.replace("erase_size", "erase_sise"), FILE)
    assert error.value.hint == "did you mean 'flash.erase_size'?"


def test_a_board_with_memories_needs_a_uart_and_a_budget() -> None:
    without = TEXT[: TEXT.index("[budget]")]
    with pytest.raises(UsageError, match="missing key 'budget'"):
        parse_board("x", without, FILE)
