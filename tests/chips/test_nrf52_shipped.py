# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The firmware that ships for the nRF52840 DK, on the chip's model."""

import numpy as np
import pytest

from tests.chips.nrf52 import Nrf52840
from tests.chips.shipped import Wire, install, smp
from tests.emulated.updatable import MODEL, kit
from tests.support.boot_size import check_boot_size
from tests.support.wrong_code import ASLEEP, with_code
from torpor.board import load_board
from torpor.emulate import firmware
from torpor.engine import Engine
from torpor.image.build import contents_of, sign
from torpor.image.keys import development_key
from torpor.image.parse import parse
from torpor.image.reasons import NUMBERS
from torpor.image.version import Version
from torpor.link import DeviceClient

BOARD = load_board("nrf52840dk")
CYCLES = 2  # that an instruction takes
QUIET_S = 11  # without a byte, and the firmware sleeps deeply

pytestmark = pytest.mark.xdist_group("shipped_nrf52")  # which share what is built


def device() -> Nrf52840:
    """A new board with the old firmware in slot A, switched on."""
    chip = Nrf52840(BOARD, cycles_per_instruction=CYCLES)
    install(chip, chip.flash, kit(BOARD.name))
    chip.machine.power_on()
    chip.machine.run(2)
    return chip


def test_it_answers_as_python_does() -> None:
    chip = device()
    client = DeviceClient(Wire(chip), timeout=5)
    client.hello()
    assert b"torpor on nrf52840dk, slot A 1.0.0 on trial" in chip.uart.sent
    made = firmware.build_images(BOARD, MODEL, quiet=True)
    engine = Engine((made.folder.parent / "plan.bin").read_bytes())
    for seed in range(3):
        shape = engine.inputs[0].shape
        window = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
        answer = client.infer(seed, [window.tobytes()])
        assert answer.outputs == [output.tobytes() for output in engine.invoke([window])]


def test_a_firmware_on_trial_that_sleeps_for_ever_is_given_up() -> None:
    of, made = kit(BOARD.name), firmware.build_images(BOARD, MODEL, quiet=True)
    contents = contents_of(parse(made.firmware(1).read_bytes()))
    asleep = with_code(made.firmware(1).with_suffix(".elf"), ASLEEP["cortexm"])(contents)
    chip = Nrf52840(BOARD, cycles_per_instruction=CYCLES)
    install(chip, chip.flash, of)
    data = sign(asleep, development_key(), Version(5, 0, 0))
    chip.flash.put(chip.flash.base + of.offset(1), data)
    chip.machine.power_on()
    client = smp(chip)
    client.listen("torpor on")
    client.arm(parse(data).hash)
    client.reset()
    assert client.status()["running"][0] == 0
    assert any(f"reason {NUMBERS['watchdog']}" in line for line in client.said)


def test_what_sleeps_sleeps_deeply_after_ten_quiet_seconds_and_wakes() -> None:
    chip = Nrf52840(BOARD, cycles_per_instruction=CYCLES)
    chip.machine.load(firmware.build(BOARD.name, MODEL, app=firmware.WAKE, quiet=True).elf)
    chip.machine.power_on()
    chip.machine.run(QUIET_S - 2)
    assert "receiver" in chip.asked
    chip.machine.run(4)
    assert chip.asked == set()
    chip.uart.receive(b"\n")
    chip.machine.run(0.01)
    client = DeviceClient(Wire(chip), timeout=5)
    client.hello()
    assert client.counters.resent == 0, (
        "10 ms after an empty line it listens, and goes on listening"
    )


def test_the_bootloader_is_small() -> None:
    check_boot_size(BOARD, kit(BOARD.name).boot)
