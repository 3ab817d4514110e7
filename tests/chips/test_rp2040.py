# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The port of the RP2040 on the chip's model: the contracts, the second stage, sleep, resets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chips import conformance
from tests.chips.machine import ForbiddenError
from tests.chips.rp2040 import FLASH, XOSC_HZ, Rp2040
from tests.port.test_conformance import build, compile_program
from torpor.board import load_board
from torpor.paths import FIRMWARE
from torpor_build import second_stage

BOARD = load_board("rp2040_pico")
CODE = BOARD.memory["code"]
PROGRAM = Path(__file__).with_name("nrf52.c")  # it obeys on every chip
SLOW = 16  # cycles an instruction takes: quick to run
CAUSES = {"power": 1, "pin": 3, "forced": 4, "watchdog": 5}  # hal/restart.h
DEBUGGER = "software"  # the cores alone, by SYSRESETREQ


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that obeys."""
    return finished(compile_program(BOARD, tmp_path_factory.mktemp("rp2040"), PROGRAM))


def finished(elf: Path) -> Path:
    """Put the checksum in, as the build does."""
    second_stage.finish(elf, CODE)
    return elf


@pytest.fixture
def chip(elf: Path) -> Rp2040:
    """A chip with it, switched on, and ready for commands."""
    return started(Rp2040(), elf)


def started(chip: Rp2040, elf: Path) -> Rp2040:
    """Switch a chip on and wait until it has said what it has to."""
    chip.machine.load(elf)
    chip.machine.power_on()
    run(chip, says(chip, "reason"))
    return chip


def run(chip: Rp2040, until: Callable[[], bool], seconds: float = 5) -> None:
    """Run until something holds; insist that it does."""
    assert chip.machine.run(seconds, until=until) == "until", bytes(chip.uart.sent)


def says(chip: Rp2040, text: str) -> Callable[[], bool]:
    """Return a function that says whether a line that begins so has come since now."""
    start = len(chip.uart.sent)

    def said() -> bool:
        lines = bytes(chip.uart.sent[start:]).split(b"\n")[:-1]
        return any(line.startswith(text.encode()) for line in lines)

    return said


def number(chip: Rp2040) -> int:
    """Return the number at the end of the last line."""
    return int(bytes(chip.uart.sent).split()[-1])


def sleeping_deeply(chip: Rp2040, first: bytes = b"") -> None:
    """Let it fall asleep, after other commands."""
    chip.uart.receive(first + b"D")
    run(chip, lambda: chip.gated)
    assert chip.asleep_hz == XOSC_HZ and chip.pll.values[4] & 0x29 == 0x29


# ---- the contracts of firmware/hal


@pytest.mark.parametrize("is_quad", [True, False], ids=["quad", "serial"])
def test_the_port_keeps_the_contracts(tmp_path: Path, is_quad: bool) -> None:
    chip = Rp2040(cycles_per_instruction=SLOW, is_quad=is_quad)
    chip.machine.load(finished(build(BOARD, tmp_path, exact=True)))
    chip.machine.power_on()
    conformance.check(conformance.until_line(chip, "done"))
    assert chip.ssi.mode == ("quad" if is_quad else "serial")
    for _ in range(5):
        edge = says(chip, "edge")
        chip.press()
        run(chip, edge)


# ---- the second stage


def test_a_checksum_is_that_of_the_data_sheet() -> None:
    """CRC-32/MPEG-2 has these parameters, and this check value."""
    assert second_stage.checksum(b"123456789") == 0x0376E6E7


def test_the_rom_does_not_start_a_program_without_its_checksum(tmp_path: Path) -> None:
    chip = Rp2040()
    chip.machine.load(compile_program(BOARD, tmp_path, PROGRAM))
    with pytest.raises(ForbiddenError, match="no second stage"):
        chip.machine.power_on()


def test_the_checksum_is_put_in_once(elf: Path) -> None:
    before = elf.read_bytes()
    with pytest.raises(Exception, match="too long"):
        second_stage.finish(elf, CODE)
    assert elf.read_bytes() == before


def test_the_cpu_runs_at_125_mhz_from_quad_flash(chip: Rp2040) -> None:
    assert chip.machine.clock.hz == 125_000_000
    assert chip.ssi.mode == "quad" and chip.ssi.is_continuous
    assert chip.starts == 1


# ---- the receiver


def test_bytes_come_in_order_and_none_is_lost(chip: Rp2040) -> None:
    start, data = len(chip.uart.sent), bytes(range(0x80, 0xC0)) * 8
    chip.uart.receive(data)
    run(chip, lambda: len(chip.uart.sent) >= start + len(data))
    assert chip.uart.sent[start:] == data and chip.uart.lost == 0


# ---- sleep


def test_an_alarm_ends_deep_sleep_and_the_clock_has_gone_on(chip: Rp2040) -> None:
    before, ring = chip.machine.seconds, says(chip, "ring after")
    sleeping_deeply(chip, b"A")
    run(chip, ring)
    assert chip.machine.seconds - before == pytest.approx(1, abs=0.01)
    assert number(chip) == pytest.approx(1_000_000, abs=10_000)
    assert not chip.gated and chip.machine.clock.hz == 125_000_000


def test_the_pin_ends_deep_sleep(chip: Rp2040) -> None:
    sleeping_deeply(chip)
    edge = says(chip, "edge after")
    chip.press()
    run(chip, edge)


def test_the_byte_that_ends_deep_sleep_is_heard(chip: Rp2040) -> None:
    sleeping_deeply(chip)
    start, awake = len(chip.uart.sent), says(chip, "awake after")
    chip.uart.receive(b"x")
    run(chip, awake)
    run(chip, lambda: chip.uart.sent.endswith(b"x"))
    assert chip.uart.lost == 0 and len(chip.uart.sent) > start


def test_a_byte_in_the_moment_of_falling_asleep_is_heard(chip: Rp2040) -> None:
    for delay in range(0, 600, 23):
        start = len(chip.uart.sent)
        chip.uart.receive(b"D")
        chip.machine.run(0.00035 + delay * 1e-6)
        chip.uart.receive(b"y")
        run(chip, lambda start=start: b"y" in chip.uart.sent[start:])  # type: ignore[misc]
        chip.machine.run(0.01)


def test_letting_the_pin_go_is_no_edge(chip: Rp2040) -> None:
    edge = says(chip, "edge after")
    chip.io.drive(15, False)
    run(chip, edge)
    again = says(chip, "edge after")
    chip.io.drive(15, True)
    chip.machine.run(0.1)
    assert not again()


# ---- resets


@pytest.mark.parametrize("cause", ["pin", "watchdog", "forced"])
def test_the_chip_says_why_it_was_reset(chip: Rp2040, cause: str) -> None:
    told = says(chip, f"cause {CAUSES[cause]}")
    chip.watchdog.reason = {"watchdog": 1, "forced": 2}.get(cause, 0)
    chip.machine.reset(cause)
    run(chip, told)


def test_power_is_told_once_and_a_debugger_after_it_is_not_power(chip: Rp2040) -> None:
    assert b"cause 1\n" in chip.uart.sent
    told = says(chip, "cause 4")
    chip.machine.reset(DEBUGGER)
    run(chip, told)


def test_a_reset_by_software_is_one_of_the_whole_chip(chip: Rp2040) -> None:
    told = says(chip, "cause 4")
    chip.uart.receive(b"R")
    run(chip, told)
    assert chip.watchdog.reason == 2 and chip.starts == 2


@pytest.mark.parametrize("command", ["H", "S"], ids=["awake", "asleep"])
def test_the_warning_says_where_it_hung_before_the_watchdog_bites(
    chip: Rp2040, command: str
) -> None:
    before, told = chip.machine.seconds, says(chip, "reason 18")
    chip.uart.receive(command.encode())
    run(chip, told)
    assert chip.machine.seconds - before == pytest.approx(0.1, abs=0.02)
    assert chip.watchdog.reason == 2, "the warning resets, the watchdog has no need to"


def test_a_hang_with_interrupts_masked_ends_by_the_bite(chip: Rp2040) -> None:
    before, bitten, told = chip.machine.seconds, says(chip, "cause 5"), says(chip, "reason 18")
    chip.uart.receive(b"M")
    run(chip, bitten)
    assert chip.machine.seconds - before == pytest.approx(0.11, abs=0.02)
    run(chip, told)


def test_the_watchdog_bites_in_deep_sleep_and_the_chip_starts_again(chip: Rp2040) -> None:
    """The ring oscillator, which the chip starts from, has been left on."""
    sleeping_deeply(chip)
    chip.psm.values[8] = 0x1FFFC
    chip.watchdog.write(0x04, 4, 200_000)
    chip.watchdog.write(0x00, 4, 1 << 30)
    run(chip, says(chip, "cause 5"))


# ---- the model's own rules


def test_the_model_refuses_what_the_chip_does_not_do() -> None:
    chip = Rp2040()
    for part in chip.machine.peripherals:
        part.reset("power")
    for forbidden in (
        lambda: chip.uart.read(0x18, 4),
        lambda: chip.io.write(4, 4, 5),
        lambda: chip.watchdog.write(0, 4, 1 << 31),
        lambda: chip.watchdog.read(4, 4),
        lambda: chip.xosc.write(0, 4, 1),
        lambda: chip.clocks.write(0x30, 4, 2),
        chip.ssi.insist_on_commands,
        lambda: chip.flash.on_store(FLASH, 4, 0),
    ):
        with pytest.raises(ForbiddenError):
            forbidden()


# ---- mistakes that the claims above find


def dropped(text: str) -> tuple[str, str]:
    """Return a change that leaves something out."""
    return text, ""


def nothing(chip: Rp2040) -> None:
    """It does not even start."""


def erases(chip: Rp2040) -> None:
    """A sector is erased and programmed."""
    chip.uart.receive(b"F" + bytes(16))
    chip.machine.run(0.5)
    assert chip.flash.operations > 1


MISTAKES: dict[str, tuple[str, tuple[str, str], Callable[[Rp2040], None]]] = {
    "the cache keeps what was there": (
        "flash.c",
        dropped("    rp2040_rom_call(0, 0, 0, rom.flash_flush_cache);\n"),
        erases,
    ),
    "the flash is not seen again": ("flash.c", dropped("    xip_start();\n"), erases),
    "the flash is written with interrupts enabled": (
        "flash.c",
        (
            "    uint32_t irq = cpu_irq_disable();\n    erase_sector(offset);",
            "    uint32_t irq = 0;\n    erase_sector(offset);",
        ),
        erases,
    ),
    "what erases is in the flash": (
        "flash.c",
        ("RAM_FUNCTION static void erase_sector", "static void erase_sector"),
        erases,
    ),
    "pages begin anywhere": (
        "flash.c",
        ("program_page(offset - offset % PAGE, page);", "program_page(offset + 4, page);"),
        erases,
    ),
    "the timer has no clock in deep sleep": (
        "deep.c",
        ("EN1_SYS_TIMER | EN1_PERI", "EN1_PERI"),
        test_an_alarm_ends_deep_sleep_and_the_clock_has_gone_on,
    ),
    "the UART has no clock in deep sleep": (
        "deep.c",
        (" | EN1_PERI_UART0", ""),
        test_the_byte_that_ends_deep_sleep_is_heard,
    ),
    "pins have no clock in deep sleep": (
        "deep.c",
        ("CLOCKS_SLEEP_EN0 = EN0_SYS_IO;", "CLOCKS_SLEEP_EN0 = 0;"),
        test_the_pin_ends_deep_sleep,
    ),
    "the PLL stays off after deep sleep": (
        "deep.c",
        ("    sleep_gated();\n    chip_start();", "    sleep_gated();"),
        test_an_alarm_ends_deep_sleep_and_the_clock_has_gone_on,
    ),
    "the PLL is switched off while it is used": (
        "chip.c",
        ("    leave_pll();\n    PLL_PWR(SET)", "    PLL_PWR(SET)"),
        test_the_pin_ends_deep_sleep,
    ),
    "the crystal is not waited for": (
        "chip.c",
        ("while ((XOSC_STATUS & STATUS_STABLE) == 0)", "while (false)"),
        nothing,
    ),
    "the crystal is started again after deep sleep": (
        "chip.c",
        ("if (!is_on_crystal())", "if (true)"),
        test_the_pin_ends_deep_sleep,
    ),
    "the PLL is not waited for": (
        "chip.c",
        ("while ((PLL_CS & CS_LOCK) == 0)", "while (false)"),
        nothing,
    ),
    "the other edge is told": (
        "pin.c",
        ("BOARD_PIN_RISING ? EDGE_HIGH : EDGE_LOW", "EDGE_HIGH"),
        test_letting_the_pin_go_is_no_edge,
    ),
    "the watchdog resets half of the chip": (
        "reset.c",
        dropped("    PSM_WDSEL = WDSEL_ALL_BUT_OSCS;\n"),
        test_a_reset_by_software_is_one_of_the_whole_chip,
    ),
    "the erratum of the watchdog is forgotten": (
        "watchdog.c",
        ("/ 10) * 2000)", "/ 10) * 1000)"),
        lambda chip: test_the_warning_says_where_it_hung_before_the_watchdog_bites(chip, "H"),
    ),
    "power is told twice": (
        "cause.c",
        dropped("    WATCHDOG_SCRATCH(SCRATCH_TOLD) = TOLD;\n"),
        test_power_is_told_once_and_a_debugger_after_it_is_not_power,
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str, tmp_path: Path) -> None:
    name, (right, wrong), claim = MISTAKES[mistake]
    text = (FIRMWARE / "port" / "rp2040" / name).read_text()
    assert text.count(right) == 1
    changed = tmp_path / name
    changed.write_text(text.replace(right, wrong))
    elf = finished(compile_program(BOARD, tmp_path, PROGRAM, "-w", changed=changed))
    with pytest.raises(AssertionError):
        claim(started(Rp2040(), elf))
