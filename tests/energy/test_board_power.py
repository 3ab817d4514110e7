# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The table [power] of a board.toml: what it may say, and how mistakes are named."""

import pytest

from torpor.board import Power, load_board, parse_board
from torpor.errors import UsageError
from torpor.paths import BOARDS

FILE = "boards/x/board.toml"
WHOLE = (BOARDS / "riscv_virt" / "board.toml").read_text()
TABLE = """
[power]
chip = "X1"
volts = 3
clock_hz = 16_000_000
cycles_per_instruction = 1.5
sleep_ua = 2.5
stage_2_ua = 4400
battery_mah = 220.0
sources = ["made up"]
"""


def parse(table: str) -> Power | None:
    return parse_board("x", WHOLE + table, FILE).power


def refused(old: str, new: str) -> UsageError:
    assert old in TABLE
    with pytest.raises(UsageError) as error:
        parse(TABLE.replace(old, new))
    assert error.value.message.startswith(f"{FILE}: ")
    return error.value


def test_a_board_without_the_table_has_no_power() -> None:
    assert parse("") is None
    assert load_board("native").power is None


def test_numbers_may_have_a_fraction_or_none() -> None:
    power = parse(TABLE)
    assert power == Power("X1", 3.0, 16_000_000, 1.5, 2.5, 4400.0, 220.0, ("made up",))
    assert isinstance(power.volts, float)
    assert power.capture_ua is None


def test_a_clock_has_no_fraction() -> None:
    assert "'power.clock_hz' must be an integer" in refused("16_000_000", "16e6").message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sleep_ua =", "sleep_uA =", "unknown key 'power.sleep_uA'"),
        ("volts = 3\n", "", "missing key 'power.volts'"),
        ("battery_mah = 220.0\n", "", "missing key 'power.battery_mah'"),
        ("volts = 3\n", 'volts = "3 V"\n', "'power.volts' must be a number, not '3 V'"),
        ("volts = 3\n", "volts = true\n", "'power.volts' must be a number, not True"),
        ("2.5", "-2.5", "'power.sleep_ua' must be finite and not negative, it is -2.5"),
        ("2.5", "nan", "'power.sleep_ua' must be finite and not negative, it is nan"),
        ("2.5", "inf", "'power.sleep_ua' must be finite and not negative, it is inf"),
        ("volts = 3\n", "volts = 0\n", "'power.volts' must be above 0"),
        ("16_000_000", "0", "'power.clock_hz' must be above 0"),
        ("= 1.5", "= 0.0", "'power.cycles_per_instruction' must be above 0"),
        ("220.0", "0", "'power.battery_mah' must be above 0"),
        ('["made up"]', "[]", "'power.sources' is empty"),
        ("4400", "1", "'power.stage_2_ua' is 1, below 'power.sleep_ua', 2.5"),
        ("4400", "4400\nserial_ua = 2", "'power.serial_ua' is 2, below 'power.sleep_ua', 2.5"),
        ("4400", "4400\nlisten_ua = 0.1", "'power.listen_ua' is 0.1, below 'power.sleep_ua', 2.5"),
    ],
)
def test_a_mistake_in_the_table_is_named(old: str, new: str, message: str) -> None:
    assert refused(old, new).message == f"{FILE}: {message}"


def test_a_misspelt_key_gets_a_suggestion() -> None:
    assert refused("sleep_ua", "sleep_uA").hint == "did you mean 'power.sleep_ua'?"


def test_a_current_may_be_as_low_as_that_of_sleep() -> None:
    assert parse(TABLE.replace("4400", "2.5")) is not None
