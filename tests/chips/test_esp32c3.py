# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The port of the ESP32-C3 in a model of the chip: contracts, bootloader, slots, an update."""

import dataclasses
import functools
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chips import conformance
from tests.chips.esp32c3 import Esp32C3
from tests.chips.machine import Shape
from tests.emulated.smp import Smp
from tests.port.test_conformance import build
from tests.support.boot_size import check_boot_size
from torpor.board import load_board
from torpor.board.layout import HEADER_BYTES
from torpor.emulate import functions
from torpor.emulate.firmware import Images, build_images
from torpor.engine import Engine
from torpor.image.build import Contents, contents_of, sign
from torpor.image.keys import development_key
from torpor.image.parse import parse
from torpor.image.version import Version
from torpor.link import DeviceClient
from torpor_build import steps

pytestmark = pytest.mark.xdist_group("esp32c3")  # which share what is built

BOARD = load_board("esp32c3_devkit")
CSRS = {"mstatus", "mtvec", "mepc", "mcause"}
HANG = bytes.fromhex("73700430 73005010 f5bf")  # csrci mstatus, 8; wfi; j to the wfi
ROM_TAKES_S = 1.5  # the watchdogs that the ROM leaves on bite by then
UNDEFINED = bytes(2)


def slots() -> tuple[int, ...]:
    """Offsets of slots A and B."""
    assert BOARD.slots
    return BOARD.slots.firmware


@functools.cache
def images() -> Images:
    """Build once in a session."""
    return build_images(BOARD, "motion", quiet=True)


def firmware(version: str = "0.1.0", code: bytes = b"") -> bytes:
    """Return a signed firmware, perhaps with other code at the beginning of its main()."""
    made = images()
    contents = contents_of(parse(made.firmware(0).read_bytes()))
    return sign(_with_code(contents, code), development_key(), Version.parse(version))


def _with_code(contents: Contents, code: bytes) -> Contents:
    assert BOARD.slots and BOARD.slots.window
    (main,) = functions(images().firmware(0).with_suffix(".elf"), "main")
    at = main.address - BOARD.slots.window - HEADER_BYTES
    payload = contents.payload[:at] + code + contents.payload[at + len(code) :]
    return dataclasses.replace(contents, payload=payload)


def device(*firmwares: bytes, seed: int = 0) -> Esp32C3:
    """Return a chip with the bootloader, and firmware in slots A and B, which has just power."""
    chip = Esp32C3(seed)
    chip.flash(0, images().boot.with_suffix(".bin").read_bytes())
    for offset, data in zip(slots(), firmwares, strict=False):
        chip.flash(offset, data)
    chip.machine.power_on()
    return chip


@dataclass
class Wire:
    """The device's serial port: who reads lets the device run."""

    chip: Esp32C3
    heard: int = 0

    @property
    def transport(self) -> "Wire":
        """Itself: what Smp looks for in an emulator."""
        return self

    def read(self, timeout: float) -> bytes:
        """Run until something has come."""
        sent = self.chip.uart.sent
        self.chip.machine.run(timeout, until=lambda: len(sent) > self.heard)
        found, self.heard = bytes(sent[self.heard :]), len(sent)
        return found

    def write(self, data: bytes) -> None:
        """Send."""
        self.chip.uart.burst = 32
        self.chip.uart.receive(data)

    def close(self) -> None:
        """Nothing is open."""


def smp(chip: Esp32C3) -> Smp:
    """Return a client of the device."""
    wire: Any = Wire(chip, len(chip.uart.sent))
    return Smp(wire)


# ---- the contracts


def test_the_esp32c3_keeps_the_contracts(tmp_path: Path) -> None:
    chip = Esp32C3()
    chip.load_plain(build(BOARD, tmp_path, exact=True))
    chip.machine.power_on()
    conformance.check(conformance.until_line(chip, "done"))
    assert set(chip.starts) == {"direct"}
    for _ in range(3):
        chip.gpio.edge(9, rising=True)
        chip.machine.run(0.1)
        assert chip.core.sleeps, "an edge the other way wakes nobody"
        chip.gpio.edge(9, rising=False)
        chip.machine.run(0.1)
    assert chip.uart.sent.count(b"edge\n") == 3


BROKEN = {
    "a cache that keeps what was erased": (
        "flash.c",
        "cache_forget(BOARD_FLASH_ORIGIN + offset, BOARD_FLASH_ERASE_SIZE);",
        "",
        "BAD erase",
    ),
    "a cache that keeps what was programmed": (
        "flash.c",
        "cache_forget(BOARD_FLASH_ORIGIN + offset, length);",
        "",
        "BAD program",
    ),
    "a flash that is written under a running cache": (
        "cache.c",
        "EXTMEM_ICACHE_CTRL = EXTMEM_ICACHE_CTRL & ~ICACHE_ENABLE;",
        "",
        "under a running cache",
    ),
    "a write that is not enabled": ("flash.c", "execute(CMD_FLASH_WREN);", "", "not enabled"),
    "a busy flash that is not waited for": ("flash.c", "& STATUS_WIP) != 0", "& 0) != 0", "busy"),
    "code beside a suspended cache": (
        "flash.c",
        "RAM_FUNCTION static void erase_sector",
        "__attribute__((noinline)) static void erase_sector",
        "flash is closed",
    ),
    "a command in the mode of the ROM": ("flash.c", "SPI1_CTRL = CTRL_WP;", "", "several lines"),
    "an alarm that is not cleared": ("alarm.c", "SYSTIMER_INT_CLR = TARGET0;", "", "BAD"),
    "a watchdog behind its key": ("watchdog.c", "TIMG_WDTWPROTECT = WDT_KEY;", "", "is locked"),
    "a reset cause that is told twice": ("cause.c", "is_told = true;", "", "BAD"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_port_is_caught(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, old, new, said = BROKEN[name]
    files = steps.port_files(BOARD, *steps.DRIVERS)
    (right,) = [path for path in files if path.name == file and path.parent.name == "esp32c3"]
    assert old in right.read_text()
    wrong = tmp_path / file
    wrong.write_text(right.read_text().replace(old, new))
    changed = [wrong if path == right else path for path in files]
    monkeypatch.setattr(steps, "port_files", lambda *_: changed)
    (tmp_path / "build").mkdir()
    chip = Esp32C3()
    chip.load_plain(build(BOARD, tmp_path / "build", exact=True))
    chip.machine.power_on()
    assert said in outcome(chip)


def outcome(chip: Esp32C3) -> str:
    """Return what first shows that a port is wrong: a model's refusal, or the program's word."""
    sent = chip.uart.sent
    try:
        chip.machine.run(1000, until=lambda: re.search(rb"(BAD.*|done)\n", sent) is not None)
    except AssertionError as refusal:
        return str(refusal)
    bad = [line for line in conformance.lines_of(bytes(sent)) if line.startswith("BAD")]
    return bad[0] if bad else "nothing"


# ---- bootloader and slots


@pytest.mark.parametrize("slot", ["A", "B"])
def test_one_link_runs_from_either_slot_and_answers_as_python_does(slot: str) -> None:
    chip = device(*([b"", firmware()] if slot == "B" else [firmware()]))
    client = DeviceClient(Wire(chip), timeout=5)
    client.hello()
    assert f"torpor on esp32c3_devkit, slot {slot} 0.1.0 on trial".encode() in chip.uart.sent
    engine = Engine((images().folder.parent / "plan.bin").read_bytes())
    shape = engine.inputs[0].shape
    for seed in range(3):
        window = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
        answer = client.infer(seed, [window.tobytes()])
        assert answer.outputs == [output.tobytes() for output in engine.invoke([window])]
    assert chip.starts == ["image"]
    assert chip.machine.clock.hz == 80_000_000 and chip.system.stops_in_wfi


def test_the_watchdogs_of_the_rom_end_and_a_confirmed_firmware_has_none() -> None:
    chip = device(firmware())
    chip.machine.run(10, until=lambda: b"trial" in chip.uart.sent)
    assert chip.group.is_armed, "for the trial"
    status = smp(chip).status()
    assert status["state"][0]["confirmed"] == 0
    chip.machine.run(40 * ROM_TAKES_S)
    assert chip.starts == ["image"]
    assert not chip.group.is_armed
    assert chip.rtc.resets_on_brown_out


def test_a_new_chip_says_that_it_has_nothing_to_run() -> None:
    chip = device()
    line = "torpor boot on esp32c3_devkit: nothing to run: A empty, B empty"
    assert conformance.until_line(chip, line, seconds=10)[-1] == line
    chip.machine.run(10 * ROM_TAKES_S)
    assert chip.starts == ["image"]


@pytest.mark.parametrize(
    ("code", "cause"), [(HANG, "group watchdog"), (UNDEFINED, "software")], ids=["hang", "crash"]
)
def test_a_firmware_that_hangs_or_crashes_gives_way_after_three_attempts(
    code: bytes, cause: str
) -> None:
    chip = device(firmware("2.0.0", code), firmware("1.0.0"))
    chip.machine.run(100, until=lambda: b"torpor on" in chip.uart.sent)
    assert b"slot B 1.0.0" in chip.uart.sent
    assert chip.starts == ["image"] * 4
    assert chip.rtc.cause == {"group watchdog": 0x07, "software": 0x03}[cause]


def test_an_update_over_the_wire_runs_and_is_confirmed_and_survives_power_loss() -> None:
    chip = device(firmware())
    chip.machine.run(10, until=lambda: b"torpor on" in chip.uart.sent)
    client, new = smp(chip), firmware("1.1.0")
    client.status()
    client.upload(1, new)
    assert chip.array.read(0x10000000 + slots()[1], len(new)) == new
    client.arm(parse(new).hash)
    client.reset()
    assert client.status()["state"][0]["confirmed"] == 1
    chip.machine.power_on()
    chip.uart.sent.clear()
    chip.machine.run(10, until=lambda: b"\n" in chip.uart.sent[1:])
    assert b"slot B 1.1.0" in chip.uart.sent and b"trial" not in chip.uart.sent


@pytest.mark.parametrize("shape", list(Shape), ids=lambda shape: shape.name.lower())
@pytest.mark.parametrize("operation", [1, 2, 3, 5, 8])
def test_a_power_cut_in_the_first_start_leaves_a_chip_that_starts(
    operation: int, shape: Shape
) -> None:
    chip = device(firmware())
    chip.array.cut(operation, shape, seed=operation)
    assert chip.machine.run(30) == "power"
    chip.uart.sent.clear()
    chip.machine.power_on()
    client = smp(chip)
    assert client.status()["state"][0]["confirmed"] == 0


# ---- what the ROM and the core allow


def test_esptool_accepts_what_the_build_makes_for_the_rom() -> None:
    image = images().boot.with_suffix(".bin")
    command = [sys.executable, "-m", "esptool", "--chip", "esp32c3", "image-info", str(image)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"Checksum: 0x\w+ \(valid\)", done.stdout)
    assert re.search(r"Validation hash: \w+ \(valid\)", done.stdout)
    assert "Flash mode: DIO" in done.stdout and "Flash freq: 40m" in done.stdout
    assert "Minimal chip revision: v0.3" in done.stdout
    assert BOARD.slots and image.stat().st_size <= BOARD.slots.boot


def test_programs_use_no_register_and_no_instruction_that_the_core_lacks() -> None:
    for elf in (images().boot, images().firmware(0).with_suffix(".elf")):
        text = subprocess.run(
            ["riscv64-unknown-elf-objdump", "-d", "--no-show-raw-insn", str(elf)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert set(re.findall(r"\tcsr[rwsc]\w*\t(?:\w+,)?(m\w+|0x\w+)", text)) <= CSRS
        assert not re.search(r"\t(fence\.i|amo\w+|lr\.w|sc\.w|f[ls]w)\b", text)


def test_the_bootloader_is_small() -> None:
    check_boot_size(BOARD, images().boot)
