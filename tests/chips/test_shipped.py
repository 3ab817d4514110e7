# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Bootloader and firmware as they ship, on the model of a real chip."""

import random
from dataclasses import dataclass

import pytest

from tests.chips import shipped
from tests.chips.machine import Shape
from tests.chips.stm32f4.chip import Stm32F407
from tests.emulated import updatable
from tests.emulated.conftest import Reference
from tests.emulated.smp import Interrupted, Smp
from tests.emulated.updatable import Kit, Signed
from tests.support.boot_size import check_boot_size
from torpor.board import load_board
from torpor.emulate import firmware
from torpor.image.reasons import NUMBERS
from torpor.link import DeviceClient

BOARD = "stm32f4_discovery"
OPERATIONS = 24  # of the flash, from arming to confirmed
SEEDS = range(6)
OLD, NEW = 0, 1

pytestmark = pytest.mark.xdist_group("shipped")  # which share what is built


@dataclass
class Device:
    """A device with firmware in both slots; that in slot A runs and is confirmed."""

    chip: Stm32F407
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
    chip = Stm32F407(cycles_per_instruction=8)
    shipped.install(chip, chip.flash, kit)
    chip.flash.put(chip.flash.base + kit.offset(NEW), image.data)
    device = Device(chip, shipped.smp(chip))
    device.restart()
    assert device.status() == (OLD, OLD)
    return device


def test_it_infers_the_same_bytes_as_tensorflow_lite_micro() -> None:
    reference = Reference(firmware.build(BOARD, updatable.MODEL, 8, quiet=True))
    chip = Stm32F407(cycles_per_instruction=8)
    shipped.install(chip, chip.flash, updatable.kit(BOARD))
    chip.machine.power_on()
    client = DeviceClient(shipped.Wire(chip), timeout=20)
    for number in (0, 57):
        assert client.infer(number, [reference.inputs[number]]).outputs == reference.outputs[number]
    assert chip.registers.errors == []


def test_a_firmware_on_trial_confirms_itself() -> None:
    kit = updatable.kit(BOARD)
    device = device_with(kit, kit.new)
    before = device.chip.flash.operations
    device.update(kit.new)
    assert device.status() == (NEW, NEW)
    assert device.chip.flash.operations - before == OPERATIONS
    assert device.chip.registers.errors == []


@pytest.mark.parametrize("seed", SEEDS)
def test_it_comes_back_wherever_the_power_is_cut(seed: int) -> None:
    kit, rng = updatable.kit(BOARD), random.Random(seed)
    device = device_with(kit, kit.new)
    cuts, found = 0, (OLD, OLD)
    while found != (NEW, NEW):
        if cuts < 3:
            shape = rng.choice(list(Shape))
            device.chip.flash.cut(rng.randrange(1, OPERATIONS), shape, seed=seed)
        try:
            device.update(kit.new)
            found = device.status()
        except Interrupted:
            cuts += 1
            device.restart()
            found = device.status()
            assert found in {(OLD, OLD), (NEW, NEW)}
    assert cuts > 0, "no cut was in time"
    assert device.chip.registers.errors == []


def test_a_firmware_that_hangs_is_replaced_by_the_confirmed_one() -> None:
    kit = updatable.kit(BOARD)
    device = device_with(kit, kit.hung)
    device.update(kit.hung)
    assert device.status() == (OLD, OLD)
    assert any(f"reason {NUMBERS['watchdog']}" in line for line in device.smp.said)


def test_the_bootloader_is_small() -> None:
    check_boot_size(load_board(BOARD), updatable.kit(BOARD).boot)
