# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The port of the nRF52840 on the chip's model: the contracts, and what this chip makes hard."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chips import conformance
from tests.chips.machine import ForbiddenError, PowerError, Shape
from tests.chips.nrf52 import ERASE_MS, PAGE, Nrf52840
from tests.port.test_conformance import build, compile_program
from torpor.board import load_board
from torpor_build import steps

BOARD = load_board("nrf52840dk")
PROGRAM = Path(__file__).with_name("nrf52.c")
YEARS = 1e6  # seconds of the chip: alarms at the end of a clock of 32 bits
FLOOD = 2048  # bytes, as in nrf52.c
HZ = BOARD.timer.hz
FAST, SLOW = 1, 16  # cycles an instruction takes: exact, and quick to run
CAUSES = {"power": 1, "pin": 3, "software": 4, "watchdog": 5, "lockup": 6}  # hal/restart.h


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that obeys."""
    return compile_program(BOARD, tmp_path_factory.mktemp("nrf52"), PROGRAM)


@pytest.fixture
def chip(elf: Path) -> Nrf52840:
    """A chip with it, switched on, and ready for commands."""
    return started(Nrf52840(BOARD, cycles_per_instruction=FAST), elf)


def started(chip: Nrf52840, elf: Path) -> Nrf52840:
    """Switch a chip on and wait until it has said what it has to."""
    chip.machine.load(elf)
    chip.machine.power_on()
    run(chip, says(chip, "reason"))
    return chip


def run(chip: Nrf52840, until: Callable[[], bool], seconds: float = 5) -> None:
    """Run until something holds; insist that it does."""
    assert chip.machine.run(seconds, until=until) == "until", bytes(chip.uart.sent)


def says(chip: Nrf52840, text: str) -> Callable[[], bool]:
    """Return a function that says whether a line that begins so has come since now."""
    start = len(chip.uart.sent)

    def said() -> bool:
        lines = bytes(chip.uart.sent[start:]).split(b"\n")[:-1]
        return any(line.startswith(text.encode()) for line in lines)

    return said


def number(chip: Nrf52840) -> int:
    """Return the number at the end of the last line."""
    return int(bytes(chip.uart.sent).split()[-1])


def sleeping_deeply(chip: Nrf52840, first: bytes = b"") -> None:
    """Let it fall asleep, after other commands."""
    chip.uart.receive(first + b"D")
    chip.machine.run(0.1)
    assert chip.asked == set(), "nobody asks for the high-frequency clock"


# ---- the contracts of firmware/hal


def test_the_port_keeps_the_contracts(tmp_path: Path) -> None:
    chip = Nrf52840(BOARD, cycles_per_instruction=SLOW)
    chip.machine.load(build(BOARD, tmp_path, exact=True))
    chip.machine.power_on()
    conformance.check(conformance.until_line(chip, "done", YEARS))
    for _ in range(5):
        edge = says(chip, "edge")
        chip.press()
        run(chip, edge)


# ---- the receiver


@pytest.mark.parametrize("byte", [0x00, 0x0A, 0x61, 0xFE, 0xFF])
def test_a_byte_is_handed_on_at_once_whatever_it_is(chip: Nrf52840, byte: int) -> None:
    start = len(chip.uart.sent)
    chip.uart.receive(bytes([byte]))
    chip.machine.run(chip.uart.BYTE / 16e6 + 200e-6)
    assert chip.uart.sent[start:] == bytes([byte])


@pytest.mark.parametrize("seed", range(3))
def test_a_flood_loses_nothing_while_pages_are_erased(chip: Nrf52840, seed: int) -> None:
    noise = random.Random(seed)
    flood = bytes(noise.choice((0xFF, noise.randrange(256))) for _ in range(FLOOD))
    start = len(chip.uart.sent)
    chip.uart.receive(b"F" + flood)
    run(chip, lambda: len(chip.uart.sent) >= start + FLOOD)
    assert chip.uart.sent[start:] == flood
    assert chip.uart.lost == 0


def test_the_cpu_never_stands_still_for_long(chip: Nrf52840) -> None:
    chip.uart.receive(b"F" + bytes(FLOOD))
    run(chip, lambda: len(chip.uart.sent) > FLOOD)
    assert 0 < chip.nvmc.longest_stall < 2.5e-3


def test_a_long_halt_loses_bytes_but_not_the_place(chip: Nrf52840) -> None:
    """As a debugger halts: the DMA goes on, round the ring."""
    chip.uart.receive(bytes(1000))
    chip.machine.stall(chip.machine.now + 10**11)
    chip.machine.run(0.1)
    start = len(chip.uart.sent)
    chip.uart.receive(b"here")
    run(chip, lambda: len(chip.uart.sent) >= start + 4)
    assert chip.uart.sent[start:] == b"here"


def test_nothing_is_sent_before_the_crystal_runs(elf: Path) -> None:
    chip = started(Nrf52840(BOARD), elf)
    chip.clock.hfxo = "off"
    chip.uart.receive(b"x")
    chip.machine.run(0.01)
    assert chip.clock.hfxo == "off"
    assert chip.uart.sent.endswith(b"reason 0\n")


# ---- sleep


def test_sleep_keeps_the_receiver_and_deep_sleep_nothing(chip: Nrf52840) -> None:
    chip.machine.run(0.01)
    assert chip.asked == {"hfxo", "receiver", "counter"}
    sleeping_deeply(chip)


def test_an_alarm_ends_deep_sleep_and_the_clock_has_gone_on(chip: Nrf52840) -> None:
    chip.machine.run(0.3)  # until the 32 kHz crystal runs
    before, ring = chip.machine.seconds, says(chip, "ring after")
    sleeping_deeply(chip, b"A")
    run(chip, ring)
    assert chip.machine.seconds - before == pytest.approx(1, abs=0.01)
    assert number(chip) == pytest.approx(HZ, abs=0.01 * HZ)


def test_the_button_ends_deep_sleep(chip: Nrf52840) -> None:
    sleeping_deeply(chip)
    edge = says(chip, "edge after")
    chip.press()
    run(chip, edge)


def test_the_line_ends_deep_sleep_and_ten_ms_later_all_is_heard(chip: Nrf52840) -> None:
    sleeping_deeply(chip)
    awake = says(chip, "awake after")
    chip.uart.receive(b"\n")
    run(chip, awake)
    chip.machine.run(0.01)
    start = len(chip.uart.sent)
    chip.uart.receive(b"xyz\xff")
    run(chip, lambda: len(chip.uart.sent) >= start + 4)
    assert chip.uart.sent[start:] == b"xyz\xff"


def test_a_byte_in_the_moment_of_falling_asleep_keeps_it_awake(chip: Nrf52840) -> None:
    """At every microsecond of the way down: it is heard, or it wakes."""
    for delay in range(0, 700, 13):
        heard = says(chip, "awake after")
        chip.uart.receive(b"D")
        chip.machine.run(chip.uart.BYTE / 16e6 + delay * 1e-6)
        chip.uart.receive(b"\n")
        run(chip, heard, seconds=1)
        chip.machine.run(0.01)


def test_a_button_that_is_held_does_not_hide_the_line(chip: Nrf52840) -> None:
    edge = says(chip, "edge after")
    chip.gpio.drive(11, False)
    run(chip, edge)
    sleeping_deeply(chip)
    awake = says(chip, "awake after")
    chip.uart.receive(b"\n")
    run(chip, awake)


def test_a_pulse_that_is_over_before_anybody_looks_is_an_edge(chip: Nrf52840) -> None:
    edge = says(chip, "edge after")
    chip.press()
    run(chip, edge)


def test_letting_the_button_go_is_no_edge(chip: Nrf52840) -> None:
    edge = says(chip, "edge after")
    chip.gpio.drive(11, False)
    run(chip, edge)
    again = says(chip, "edge after")
    chip.gpio.drive(11, True)
    chip.machine.run(0.1)
    assert not again()


# ---- resets


@pytest.mark.parametrize("cause", [name for name in CAUSES if name != "power"])
def test_the_chip_says_why_it_was_reset(chip: Nrf52840, cause: str) -> None:
    told = says(chip, f"cause {CAUSES[cause]}")
    chip.machine.reset(cause)
    run(chip, told)


def test_power_is_told_as_power(chip: Nrf52840) -> None:
    assert b"cause 1\n" in chip.uart.sent


def test_each_reset_is_told_alone(chip: Nrf52840) -> None:
    for cause in ("watchdog", "software", "pin", "software"):
        told = says(chip, f"cause {CAUSES[cause]}")
        chip.machine.reset(cause)
        run(chip, told)


@pytest.mark.parametrize(
    ("command", "cause"),
    [("H", "software"), ("S", "software"), ("M", "watchdog")],
    ids=["awake", "asleep", "masked"],
)
def test_a_hang_ends_in_time_and_is_told_once(chip: Nrf52840, command: str, cause: str) -> None:
    """Asleep the watchdog waits, and RTC0 does not; where interrupts are masked it bites alone."""
    start, told = len(chip.uart.sent), says(chip, "reason 18")
    chip.uart.receive(command.encode())
    before = chip.machine.seconds
    run(chip, told)
    assert chip.machine.seconds - before == pytest.approx(0.15 if command == "M" else 0.1, abs=0.02)
    chip.machine.run(1)
    words = f"cause {CAUSES[cause]} reason 18".encode()
    assert bytes(chip.uart.sent[start:]).split() == words.split()


def test_a_watchdog_that_runs_is_fed_by_who_starts_it_after_a_reset(chip: Nrf52840) -> None:
    """A reset by software leaves it running, with its registers locked."""
    chip.wdt.write(0x504, 4, HZ // 5)
    chip.wdt.write(0x50C, 4, 0)
    chip.wdt.write(0x000, 4, 1)
    told = says(chip, "cause 4")
    chip.uart.receive(b"R")
    run(chip, told)
    assert chip.wdt.is_running
    bitten = says(chip, "cause 4")
    chip.uart.receive(b"H")
    run(chip, bitten)


# ---- the chip


@pytest.mark.parametrize(
    ("revision", "uicr", "opened"), [(3, 0xFFFFFF5A, 0), (5, 0xFFFFFF5A, 0x5A)]
)
def test_the_debug_port_is_opened_where_the_uicr_says_so(
    elf: Path, revision: int, uicr: int, opened: int
) -> None:
    chip = started(Nrf52840(BOARD, revision=revision), elf)
    assert chip.uicr.read(0x208, 4) == uicr
    assert chip.clock.values.get(0x558, 0) & 0xFF == opened


def test_cache_converter_and_arbiter_are_set(chip: Nrf52840) -> None:
    assert chip.nvmc.values[0x540] == 1
    assert chip.clock.values[0x578] == 1
    assert chip.arbiter.values[0xC84] == 2


def test_the_clock_goes_over_to_its_crystal(chip: Nrf52840) -> None:
    chip.machine.run(0.3)
    assert chip.low.hz == HZ


# ---- the model's own rules


def test_the_model_refuses_what_the_chip_does_not_do() -> None:
    chip = Nrf52840(BOARD)
    chip.machine.is_powered = True
    for part in chip.machine.peripherals:
        part.reset("power")
    for forbidden in (
        lambda: chip.rtc.read(0x504, 4),
        lambda: chip.flash.on_store(0, 4, 0),
        lambda: chip.nvmc.write(0x518, 4, 0),
        lambda: chip.uart.write(0x000, 4, 1),
        lambda: chip.uart.write(0x524, 4, 0x01D7E000),
    ):
        with pytest.raises(ForbiddenError):
            forbidden()


def test_a_word_is_written_twice_and_no_more() -> None:
    chip = Nrf52840(BOARD)
    for part in chip.machine.peripherals:
        part.reset("power")
    chip.nvmc.write(0x504, 4, 1)
    for value in (0xFFFFFFF0, 0xFFFFFF00):
        chip.flash.on_store(0x1000, 4, value)
    with pytest.raises(ForbiddenError, match="written 3 times"):
        chip.flash.on_store(0x1000, 4, 0)
    assert chip.flash.read(0x1000, 4) == b"\x00\xff\xff\xff"


@pytest.mark.parametrize("shape", list(Shape))
def test_power_fails_in_the_last_part_of_an_erase(shape: Shape) -> None:
    chip = Nrf52840(BOARD)
    for part in chip.machine.peripherals:
        part.reset("power")
    chip.machine.is_powered = True
    chip.flash.put(0, bytes(PAGE))
    chip.flash.cut(1, shape, seed=1)
    chip.nvmc.write(0x504, 4, 2)
    chip.nvmc.write(0x51C, 4, ERASE_MS - 1)
    chip.nvmc.write(0x518, 4, 0)
    assert chip.flash.read(0, PAGE) not in (bytes(PAGE), b"\xff" * PAGE)
    with pytest.raises(PowerError):
        chip.nvmc.write(0x518, 4, 0)
    assert not chip.machine.is_powered
    assert (chip.flash.read(0, PAGE) == b"\xff" * PAGE) == (shape is Shape.COMPLETE)


# ---- mistakes that the claims above find


def dropped(text: str) -> tuple[str, str]:
    """Return a change that leaves something out."""
    return text, ""


MISTAKES: dict[str, tuple[str, tuple[str, str], Callable[[Nrf52840], None]]] = {
    "a byte is read as soon as it is counted": (
        "uart.c",
        ("for (uint32_t i = 0; *place == MARK; i++)", "for (uint32_t i = PATIENCE;; i++)"),
        lambda chip: test_a_byte_is_handed_on_at_once_whatever_it_is(chip, 0x61),
    ),
    "bytes like the mark are not counted": (
        "uart.c",
        ("if (counted <= 0)", "if (counted <= 1000)"),
        lambda chip: test_a_byte_is_handed_on_at_once_whatever_it_is(chip, 0xFF),
    ),
    "a page is erased in one piece": (
        "nvmc.c",
        ("#define PART_MS 2u\n#define PARTS   45u", "#define PART_MS 90u\n#define PARTS 1u"),
        lambda chip: test_a_flood_loses_nothing_while_pages_are_erased(chip, 0),
    ),
    "a page is not erased to the end": (
        "nvmc.c",
        ("#define PARTS   45u", "#define PARTS   40u"),
        lambda chip: test_a_flood_loses_nothing_while_pages_are_erased(chip, 0),
    ),
    "the receiver is not started anew at the end of the ring": (
        "uart.c",
        dropped("    UARTE_SHORTS = SHORT_ENDRX_STARTRX;\n"),
        lambda chip: test_a_flood_loses_nothing_while_pages_are_erased(chip, 0),
    ),
    "what was heard while the receiver stopped is forgotten": (
        "uart.c",
        ("bool heard = UARTE_RXDRDY != 0;", "bool heard = false;"),
        test_a_byte_in_the_moment_of_falling_asleep_keeps_it_awake,
    ),
    "the crystal runs on in deep sleep": (
        "uart.c",
        dropped("    CLOCK_HFCLKSTOP = 1;\n"),
        test_sleep_keeps_the_receiver_and_deep_sleep_nothing,
    ),
    "the transmitter is left on": (
        "uart.c",
        ("        length -= part;\n    }\n    stop_sending();", "        length -= part;\n    }"),
        test_sleep_keeps_the_receiver_and_deep_sleep_nothing,
    ),
    "the shortcut is left in place": (
        "uart.c",
        dropped("    UARTE_SHORTS = 0;\n"),
        test_sleep_keeps_the_receiver_and_deep_sleep_nothing,
    ),
    "the line is not watched": (
        "deep.c",
        (" | PIN_CNF_SENSE_LOW", ""),
        test_the_line_ends_deep_sleep_and_ten_ms_later_all_is_heard,
    ),
    "pulses are not latched": (
        "pin.c",
        ("is_there() || (GPIO_LATCH & PIN_BIT) != 0", "is_there()"),
        test_a_pulse_that_is_over_before_anybody_looks_is_an_edge,
    ),
    "both edges are told": (
        "pin.c",
        ("edge = edge || awaited == BOARD_PIN_RISING;", "edge = true;"),
        test_letting_the_button_go_is_no_edge,
    ),
    "the reset pin is not told first": (
        "cause.c",
        ("(bits & RESETREAS_RESETPIN) != 0", "bits == RESETREAS_RESETPIN"),
        lambda chip: test_the_chip_says_why_it_was_reset(chip, "pin"),
    ),
    "reasons for resets add up": (
        "cause.c",
        dropped("    POWER_RESETREAS = bits;\n"),
        test_each_reset_is_told_alone,
    ),
    "registers of a watchdog that runs are written": (
        "watchdog.c",
        ("if (WDT_RUNSTATUS == 0)", "if (true)"),
        test_a_watchdog_that_runs_is_fed_by_who_starts_it_after_a_reset,
    ),
    "the watchdog is all there is": (
        "watchdog.c",
        dropped("    RTC0_INTENSET = INT_COMPARE_0;\n"),
        lambda chip: test_a_hang_ends_in_time_and_is_told_once(chip, "S", "software"),
    ),
    "the RTC is used before its clock runs": (
        "timer.c",
        ("while ((CLOCK_LFCLKSTAT & CLOCKSTAT_RUNNING) == 0)", "while (false)"),
        lambda chip: None,
    ),
    "the crystal is not waited for": (
        "uart.c",
        ("while ((CLOCK_HFCLKSTAT & CLOCKSTAT_XTAL) == 0)", "while (false)"),
        lambda chip: None,
    ),
}


def test_the_button_pressed_twice_is_two_edges(chip: Nrf52840) -> None:
    for level in (False, True) * 2:
        edge = says(chip, "edge after")
        chip.gpio.drive(11, level)
        chip.machine.run(0.05)
        assert edge() == (not level)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str, tmp_path: Path) -> None:
    name, (right, wrong), claim = MISTAKES[mistake]
    (file,) = [path for path in steps.port_files(BOARD, *steps.DRIVERS) if path.name == name]
    text = file.read_text()
    assert text.count(right) == 1
    changed = tmp_path / name
    changed.write_text(text.replace(right, wrong))
    elf = compile_program(BOARD, tmp_path, PROGRAM, "-Wno-error", "-w", changed=changed)
    with pytest.raises(AssertionError):
        claim(started(Nrf52840(BOARD, cycles_per_instruction=FAST), elf))
