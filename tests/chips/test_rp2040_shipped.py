# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Bootloader and firmware as they ship for the Pico, on the model of the chip."""

import random
from dataclasses import dataclass

import pytest

from tests.chips import shipped
from tests.chips.machine import Shape
from tests.chips.rp2040 import FLASH, STAGE_BYTES, Rp2040
from tests.emulated import updatable
from tests.emulated.conftest import Reference
from tests.emulated.smp import Interrupted, Smp
from tests.emulated.updatable import Kit, Signed
from tests.support.boot_size import check_boot_size
from torpor.board import load_board
from torpor.emulate import firmware
from torpor.image.reasons import NUMBERS
from torpor.link import DeviceClient
from torpor_build.second_stage import checksum

BOARD = "rp2040_pico"
SEEDS = range(4)
OLD, NEW = 0, 1
QUIET_S = 11  # without a byte, and the firmware sleeps deeply
SLOW = 16  # cycles an instruction takes

pytestmark = pytest.mark.xdist_group("shipped_rp2040")  # which share what is built


@dataclass
class Device:
    """A device with firmware in both slots; that in slot A runs and is confirmed."""

    chip: Rp2040
    smp: Smp

    def status(self) -> tuple[int, int]:
        """Return which firmware runs, and which is confirmed."""
        found = self.smp.status()
        return found["running"][0], found["state"][0]["confirmed"]

    def restart(self) -> None:
        """Let power come back, and the application start."""
        self.smp.forget()
        self.chip.machine.power_on()
        self.smp.listen("torpor on")

    def update(self, image: Signed) -> None:
        """Try what is in slot B."""
        self.smp.arm(image.hash)
        self.smp.reset()


def device_with(kit: Kit, image: Signed) -> Device:
    chip = Rp2040(cycles_per_instruction=SLOW)
    shipped.install(chip, chip.flash, kit)
    chip.flash.put(chip.flash.base + kit.offset(NEW), image.data)
    device = Device(chip, shipped.smp(chip))
    device.restart()
    assert device.status() == (OLD, OLD)
    return device


def test_the_bootloader_of_the_build_has_its_checksum() -> None:
    chip = Rp2040()
    chip.machine.load(updatable.kit(BOARD).boot)
    stage = chip.flash.read(FLASH, STAGE_BYTES)
    assert checksum(stage[:-4]) == int.from_bytes(stage[-4:], "little") != 0


def test_it_infers_the_same_bytes_as_tensorflow_lite_micro() -> None:
    reference = Reference(firmware.build(BOARD, updatable.MODEL, 8, quiet=True))
    chip = Rp2040(cycles_per_instruction=SLOW)
    shipped.install(chip, chip.flash, updatable.kit(BOARD))
    chip.machine.power_on()
    client = DeviceClient(shipped.Wire(chip), timeout=20)
    for number in (0, 57):
        assert client.infer(number, [reference.inputs[number]]).outputs == reference.outputs[number]


def test_what_sleeps_sleeps_deeply_and_hears_the_byte_that_wakes_it() -> None:
    chip = Rp2040(cycles_per_instruction=SLOW)
    chip.machine.load(firmware.build(BOARD, updatable.MODEL, app=firmware.WAKE, quiet=True).elf)
    chip.machine.power_on()
    chip.machine.run(QUIET_S - 2)
    assert chip.deep_sleeps == 0
    chip.machine.run(4)
    assert chip.deep_sleeps > 0 and chip.gated
    client = DeviceClient(shipped.Wire(chip), timeout=5)
    assert client.hello().board == BOARD
    assert chip.uart.lost == 0


def test_a_trial_is_confirmed_in_slot_b() -> None:
    kit = updatable.kit(BOARD)
    device = device_with(kit, kit.new)
    device.update(kit.new)
    assert device.status() == (NEW, NEW)
    device.restart()
    assert device.status() == (NEW, NEW)


@pytest.mark.parametrize("seed", SEEDS)
def test_it_comes_back_wherever_the_power_is_cut(seed: int) -> None:
    kit, rng = updatable.kit(BOARD), random.Random(seed)
    device = device_with(kit, kit.new)
    cuts, found = 0, (OLD, OLD)
    while found != (NEW, NEW):
        if cuts < 3:
            shape = rng.choice(list(Shape))
            device.chip.flash.cut(rng.randrange(1, 20), shape, seed=seed)
        try:
            device.update(kit.new)
            found = device.status()
        except Interrupted:
            cuts += 1
            device.restart()
            found = device.status()
            assert found in {(OLD, OLD), (NEW, NEW)}
    assert cuts > 0, "no cut was in time"


def test_a_firmware_that_hangs_is_replaced_by_the_confirmed_one() -> None:
    """The bootloader has started the watchdog; its warning is the application's interrupt."""
    kit = updatable.kit(BOARD)
    device = device_with(kit, kit.hung)
    device.update(kit.hung)
    assert device.status() == (OLD, OLD)
    assert any(f"reason {NUMBERS['watchdog']}" in line for line in device.smp.said)


def test_the_bootloader_is_small() -> None:
    check_boot_size(load_board(BOARD), updatable.kit(BOARD).boot)
