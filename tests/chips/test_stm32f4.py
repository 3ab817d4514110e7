# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The port of the STM32F4 on the chip's model."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chips import calls, conformance
from tests.chips.calls import Calls
from tests.chips.machine import SECOND, ForbiddenError, Shape
from tests.chips.stm32f4.chip import Stm32F407
from tests.chips.stm32f4.flash import FLASH_BASE, SECTORS
from torpor.board import load_board
from torpor.paths import FIRMWARE

BOARD = load_board("stm32f4_discovery")
PORT = FIRMWARE / "port" / BOARD.port
STARTS = [sum(SECTORS[:n]) for n in range(len(SECTORS))]
SHAPES = list(Shape)


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return calls.build(BOARD, tmp_path_factory.mktemp("calls"))


def started(elf: Path, chip: Stm32F407) -> Calls:
    program = Calls(chip.machine, elf)
    program.start()
    return program


def test_the_port_keeps_the_contracts(tmp_path: Path) -> None:
    chip = Stm32F407(cycles_per_instruction=8)
    conformance.check(conformance.run(chip, BOARD, tmp_path))
    assert chip.registers.errors == []


# Clocks


def test_the_chip_runs_at_168_mhz_from_the_crystal(elf: Path) -> None:
    chip = Stm32F407()
    started(elf, chip)
    assert chip.machine.clock.hz == 168_000_000
    assert chip.rcc.cfgr >> 2 & 3 == 2 and chip.rcc.pllcfgr >> 22 & 1
    assert chip.registers.latency == 5


def test_a_board_without_crystal_runs_as_fast(elf: Path) -> None:
    chip = Stm32F407()
    chip.rcc.has_crystal = False
    started(elf, chip)
    assert chip.machine.clock.hz == 168_000_000
    assert not chip.rcc.pllcfgr >> 22 & 1


# Each is a mistake that one can make with this chip; the model has to refuse it.
MISTAKES = {
    "too few wait states": ("chip.c", "5u /* wait", "4u /* wait", "wait states instead of 5"),
    "wait states not read back": ("chip.c", "    (void)FLASH_ACR;\n", "", "ACR was read back"),
    "APB1 too fast": ("chip.c", "5u << 10", "4u << 10", "too fast"),
    "PLL used before it is ready": (
        "chip.c",
        "while ((RCC_CR & CR_PLLRDY) == 0)",
        "while (0)",
        "source 2 is not ready",
    ),
    "USB clock too fast": ("chip.c", "7u << 24", "6u << 24", "PLLCFGR"),
    "no key": ("flash.c", "        FLASH_KEYR = KEY_2;\n", "", "CR is locked"),
    "wrong key": ("flash.c", "0xCDEF89ABu", "0xCDEF89AAu", "wrong key"),
    "caches not reset": ("flash.c", "off | ACR_ICRST | ACR_DCRST", "off", "caches were not reset"),
    "caches reset while on": ("flash.c", "FLASH_ACR = off |", "FLASH_ACR = access |", "while it"),
    "x64": ("flash.c", "2u << 8", "3u << 8", "external supply"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_model_refuses(mistake: str, tmp_path: Path) -> None:
    name, old, new, message = MISTAKES[mistake]
    source = (PORT / name).read_text()
    assert source.count(old) == 1, "the port has changed"
    (tmp_path / name).write_text(source.replace(old, new))
    chip = Stm32F407()
    program = Calls(chip.machine, calls.build(BOARD, tmp_path, tmp_path / name))
    with pytest.raises(ForbiddenError, match=message):
        program.start()
        program("flash_erase", 0x20000)
        program("flash_program", 0x20000, program.put(b"1234"), 4)
        program("flash_erase", 0x20000)


# Flash


def filled(chip: Stm32F407, seed: int, first: int) -> bytes:
    """Fill the flash from a sector on with noise; return what all of it holds."""
    noise = random.Random(seed).randbytes(sum(SECTORS) - STARTS[first])
    chip.flash.put(FLASH_BASE + STARTS[first], noise)
    return chip.flash.read(FLASH_BASE, sum(SECTORS))


@pytest.mark.parametrize("sector", range(2, len(SECTORS)))
def test_an_erase_takes_one_sector_and_leaves_its_neighbours(elf: Path, sector: int) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    before = filled(chip, sector, 2)
    assert program("flash_erase", STARTS[sector]) == 1
    start, end = STARTS[sector], STARTS[sector] + SECTORS[sector]
    after = chip.flash.read(FLASH_BASE, sum(SECTORS))
    assert after == before[:start] + b"\xff" * SECTORS[sector] + before[end:]
    assert chip.registers.cr >> 31, "it is locked again"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.lower())
@pytest.mark.parametrize("operation", [1, 2, 17, 32])
def test_a_cut_in_programming_leaves_a_prefix_and_one_torn_word(
    elf: Path, operation: int, shape: Shape
) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    data = random.Random(operation).randbytes(128)
    chip.flash.cut(operation, shape, seed=operation)
    program.begin("flash_program", 0x60000, program.put(data), len(data))
    assert chip.machine.run(1) == "power"
    there = chip.flash.read(FLASH_BASE + 0x60000, len(data))
    done = 4 * (operation - 1)
    assert there[:done] == data[:done]
    assert all(t & d == d for t, d in zip(there[done:], data[done:], strict=True))
    assert there[done + 4 :] == b"\xff" * (len(data) - done - 4)
    assert (there[done : done + 4] == data[done : done + 4]) == (shape is Shape.COMPLETE)
    program.start()
    assert program("flash_erase", 0x60000) == 1, "it goes on with power back"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name.lower())
def test_a_cut_in_an_erase_leaves_neighbours_alone(elf: Path, shape: Shape) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    before = filled(chip, 1, 5)
    chip.flash.cut(1, shape, seed=1)
    program.begin("flash_erase", STARTS[6])
    assert chip.machine.run(2) == "power"
    after = chip.flash.read(FLASH_BASE, sum(SECTORS))
    assert after[: STARTS[6]] == before[: STARTS[6]]
    assert after[STARTS[7] :] == before[STARTS[7] :]
    erased = after[STARTS[6] : STARTS[7]] == b"\xff" * SECTORS[6]
    assert erased == (shape is Shape.COMPLETE)


def test_what_is_programmed_twice_is_told(elf: Path) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    assert program("flash_program", 0x60000, program.put(b"\xf0" * 4), 4) == 1
    assert program("flash_program", 0x60000, program.put(b"\x3c" * 4), 4) == 0
    assert chip.flash.read(FLASH_BASE + 0x60000, 4) == b"\x30" * 4


# Deep sleep


def slept(program: Calls, chip: Stm32F407, seconds: float) -> float:
    """Sleep deeply until an alarm; return by how much of the time the clock is wrong."""
    ticks = int(seconds * BOARD.timer.hz)
    start, before = chip.machine.now, program("clock_ticks")
    program("alarm_set", before + ticks)
    program("sleep_deep_until_something", seconds=2 * seconds + 1)
    shown = (program("clock_ticks") - before) / BOARD.timer.hz
    return shown / ((chip.machine.now - start) / SECOND) - 1


@pytest.mark.parametrize("lsi_hz", [17_000, 29_471, 47_000])
def test_the_clock_is_right_after_deep_sleep_whatever_the_slow_oscillator(
    elf: Path, lsi_hz: int
) -> None:
    chip = Stm32F407(lsi_hz=lsi_hz)
    program = started(elf, chip)
    assert abs(slept(program, chip, 10)) < 0.005
    assert chip.stops >= 1 and chip.stopped_for > 0.95 * 10 * SECOND, "in Stop all along"
    assert program.word("rings") == 1


def test_stop_is_left_with_the_clocks_that_were_there(elf: Path) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    names = ("clock", "pclk1", "pclk2", "timers1")
    machine, rcc = chip.machine, chip.rcc

    def clocks() -> list[int]:
        return [getattr(machine if name == "clock" else rcc, name).hz for name in names]

    before = clocks()
    slept(program, chip, 2)
    assert chip.stops == 1 and clocks() == before


WAKES: dict[str, Callable[[Stm32F407], None]] = {
    "the button": Stm32F407.press,
    "a byte": lambda chip: chip.uart.receive(b"\x55"),
}


@pytest.mark.parametrize("what", WAKES)
def test_deep_sleep_is_ended_by(elf: Path, what: str) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    program("alarm_set", program("clock_ticks") + 60 * BOARD.timer.hz)
    program.begin("sleep_deep_until_something")
    assert chip.machine.run(5, until=lambda: chip.stops == 1 and chip.machine.clock.hz == 0)
    WAKES[what](chip)
    before = chip.machine.now
    assert chip.machine.run(1, until=lambda: chip.machine.clock.hz == 168_000_000) == "until"
    assert chip.machine.now - before < 10 * SECOND // 1000
    if what == "the button":
        program.wait(0.1)
        assert program.word("edges") == 1
    else:
        program.wait(0.001)
        assert program.content("received", program.word("received_count")) == b"\n"


def test_bytes_are_received_while_the_cpu_sleeps(elf: Path) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    data = random.Random(3).randbytes(200)
    chip.uart.receive(data)
    while program.word("received_count") < len(data):
        assert chip.machine.run(0.005) == "time"
        assert chip.machine.now < SECOND
    assert program.content("received", len(data)) == data
    assert chip.uart.lost == 0 and not chip.uart.sr & 8


def test_what_is_written_is_on_the_wire(elf: Path) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    data = random.Random(4).randbytes(100)
    program("uart_write", program.put(data), len(data))
    chip.machine.run(0.001)
    assert chip.uart.sent == data
    assert chip.machine.now > len(data) * 10 * SECOND / 115200


# Resets

CAUSES = {"power": 1, "pin": 3, "software": 4, "watchdog": 5}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_chip_says_why_it_was_reset(elf: Path, cause: str) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    assert program("take_cause") >> 8 == CAUSES["power"]
    if cause == "power":
        program.start()
    else:
        chip.machine.reset(cause)
        program.wait(1)
    assert program("take_cause") >> 8 == CAUSES[cause]
    chip.machine.reset("pin")
    program.wait(1)
    assert program("take_cause") >> 8 == CAUSES["pin"], "told once"


def hung(program: Calls, chip: Stm32F407, name: str, milliseconds: int) -> float:
    """Let the watchdog bite; return after how many seconds."""
    program("take_cause")
    program("watchdog_start", milliseconds)
    start = chip.machine.now
    program.begin(name)
    program.wait(10)
    return (chip.machine.now - start) / SECOND


@pytest.mark.parametrize("lsi_hz", [17_000, 32_000, 47_000])
@pytest.mark.parametrize("name", ["hang", "hang_masked"])
def test_a_hang_ends_in_a_reset_and_is_told(elf: Path, name: str, lsi_hz: int) -> None:
    chip = Stm32F407(lsi_hz=lsi_hz, cycles_per_instruction=8)
    program = started(elf, chip)
    seconds = hung(program, chip, name, 500)
    assert 0.45 < seconds < 2, "not before its time, and not much later"
    reason = program("take_cause")
    assert reason & 0xFF == 18, "RESTART_WATCHDOG, whoever has told it"
    if name == "hang_masked":
        assert reason >> 8 == CAUSES["watchdog"], "the chip alone knew it"


def test_a_watchdog_waits_in_deep_sleep(elf: Path) -> None:
    chip = Stm32F407()
    program = started(elf, chip)
    program("watchdog_start", 5000)
    program("watchdog_stop")
    assert abs(slept(program, chip, 200)) < 0.005
    assert chip.iwdg.runs, "nothing stops the chip's own: it is fed"
    assert chip.stopped_for > 0.9 * 200 * SECOND
