# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The bootloader on every board: what it starts, how it ends a hang, what it says of bad images."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulated.conftest import MODEL, is_emulated, require
from tests.emulated.smp import Smp
from tests.support.boot_size import LIMITS, check_boot_size
from tests.support.wrong_code import ENDLESS, UNDEFINED, machine, with_code
from torpor import emulate
from torpor.board import Board, board_names, load_board, regions
from torpor.emulate import Emulator, FlashFile, firmware, functions
from torpor.emulate.firmware import Images
from torpor.image.build import Contents, contents_of, model, sign
from torpor.image.keys import Key, development_key, new_key
from torpor.image.parse import parse
from torpor.image.version import Version
from torpor.update.journal import Event, decode
from torpor.update.symbols import Symbols

pytestmark = pytest.mark.emulated

BOARDS = [name for name in board_names() if load_board(name).slots and is_emulated(name)]
WITH_WATCHDOG = [name for name in BOARDS if name not in ("microbit", "riscv_virt")]
"""QEMU has none of the nRF51; riscv_virt has none at all."""

WITH_LIMIT = [name for name in BOARDS if load_board(name).core.name in LIMITS]
DECISION_INSTRUCTIONS = 6_000_000
COUNTER = 0x40028018  # of mps2-an386: ticks of 25 MHz since reset (Arm DAI 0386, FPGAIO)
COUNTER_HZ = 25_000_000


@functools.cache
def images(name: str) -> Images:
    """Build once in a session."""
    return firmware.build_images(load_board(name), MODEL, quiet=True)


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Board:
    facts = load_board(request.param)
    require(facts)
    return facts


def signed(
    made: Images,
    slot: int,
    change: Callable[[Contents], Contents] = lambda contents: contents,
    key: Key | None = None,
) -> bytes:
    """Return a firmware image whose contents are changed before it is signed."""
    contents = change(contents_of(parse(made.firmware(slot).read_bytes())))
    return sign(contents, key or development_key(), Version.parse("1.2.3"))


def powered(board: Board, folder: Path, slots: dict[int, bytes]) -> Emulator:
    """Switch on a new device with images in its slots."""
    flash = FlashFile(board, folder / "flash")
    assert board.flash
    for slot, data in slots.items():
        flash.program(regions(board)[1 + slot].address - board.flash.origin, data)
    return emulate.start(board, images(board.name).boot, flash=flash.path)


def told(device: Emulator, words: str) -> str:
    """Return the next line of the device that begins so."""
    smp = Smp(device)
    smp.listen(words)
    return next(line for line in smp.said if line.startswith(words))


def elf_of(made: Images) -> Path:
    return made.firmware(0).with_suffix(".elf")


def history(device: Emulator) -> list[Event]:
    return [decode(number, data) for number, data in enumerate(Smp(device).history())]


# ---- what is started


@pytest.mark.parametrize("slot", [0, 1])
def test_an_image_runs_from_either_slot_on_trial_until_it_has_confirmed_itself(
    board: Board, slot: int, tmp_path: Path
) -> None:
    data = signed(images(board.name), slot)
    banner = f"torpor on {board.name}, slot {'AB'[slot]} 1.2.3"
    with powered(board, tmp_path, {slot: data}) as device:
        assert told(device, "torpor on").startswith(f"{banner} on trial")
        status = Smp(device).status()
        assert status["running"][0] == status["state"][0]["confirmed"] == slot
        device.reset()
        again = told(device, "torpor on")
        assert again.startswith(banner) and "trial" not in again
        device.power_cut()
        assert "trial" not in told(device, banner)


def test_a_new_board_says_that_it_has_nothing_to_run(board: Board, tmp_path: Path) -> None:
    with powered(board, tmp_path, {}) as device:
        line = told(device, "torpor boot")
        assert line == f"torpor boot on {board.name}: nothing to run: A empty, B empty"
        device.reset()
        assert told(device, "torpor boot") == line


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def renamed(contents: Contents) -> Contents:
    records = tuple((kind, b"x" if kind == 0xA0 else value) for kind, value in contents.records)
    return dataclasses.replace(contents, records=records)


def test_the_bootloader_names_what_is_wrong_with_an_image(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    require(board)
    made = images(board.name)
    a, b = (signed(made, slot) for slot in (0, 1))
    plan = made.model.parent.parent / "plan.bin"
    a_model = sign(model(plan.read_bytes(), None), development_key(), Version.parse("1.2.3"))
    expected = [
        (flipped(a, 0x400), flipped(b, len(b) - 1), "A damaged, B forged"),
        (b, signed(made, 1, renamed), "A other address, B other board"),
        (signed(made, 0, key=new_key(tmp_path / "key.pem")), a_model, "A other key, B a model"),
        (a[:0x300], a[:0x10], "A malformed, B malformed"),
    ]
    for number, (first, second, words) in enumerate(expected):
        (tmp_path / str(number)).mkdir()
        with powered(board, tmp_path / str(number), {0: first, 1: second}) as device:
            assert told(device, "torpor boot").endswith(f"nothing to run: {words}")


# ---- hangs and faults


def reverted(events: list[Event]) -> Event:
    """Return the only event of that kind."""
    (found,) = [event for event in events if event.kind == "reverted"]
    return found


def function_of(end: Event, made: Images) -> str | None:
    """Return where in the firmware of slot A it happened."""
    assert end.slot == 0 and end.pc is not None
    name = Symbols.read(made.firmware(0).with_suffix(".elf")).name(end.pc)
    return name and name.partition("+")[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_WATCHDOG)
def test_a_firmware_that_hangs_is_ended_by_the_watchdog_which_says_where(
    name: str, tmp_path: Path
) -> None:
    board = load_board(name)
    require(board)
    made = images(name)
    hung = signed(made, 0, with_code(elf_of(made), ENDLESS[machine(board)]))
    with powered(board, tmp_path, {0: hung, 1: signed(made, 1)}) as device:
        assert told(device, "torpor on").startswith(f"torpor on {name}, slot B 1.2.3 on trial")
        events = history(device)
    assert [e.attempt for e in events if (e.kind, e.slot) == ("attempt", 0)] == [1, 2, 3]
    end = reverted(events)
    assert end.reason.name == "watchdog"
    assert function_of(end, made) == "main"


def test_a_firmware_that_crashes_on_this_computer_comes_back_as_one_on_a_chip_does(
    tmp_path: Path,
) -> None:
    board, made = load_board("native"), images("native")
    broken = signed(made, 0, with_code(elf_of(made), UNDEFINED[machine(board)]))
    with powered(board, tmp_path, {0: broken, 1: signed(made, 1)}) as device:
        assert told(device, "torpor on").startswith("torpor on native, slot B 1.2.3 on trial")
        end = reverted(history(device))
    assert end.reason.name == "fault"
    assert function_of(end, made) == "main"


def test_an_image_that_is_no_program_of_this_computer_is_a_fault(tmp_path: Path) -> None:
    board, made = load_board("native"), images("native")
    text = signed(made, 0, lambda contents: dataclasses.replace(contents, payload=b"text\n" * 99))
    with powered(board, tmp_path, {0: text, 1: signed(made, 1)}) as device:
        assert told(device, "torpor on").startswith("torpor on native, slot B 1.2.3 on trial")
        end = reverted(history(device))
    assert (end.slot, end.reason.name, end.pc) == (0, "fault", None)


# ---- what it costs


@pytest.mark.parametrize("name", WITH_LIMIT)
def test_the_bootloader_is_small(name: str) -> None:
    check_boot_size(load_board(name), images(name).boot)


def test_to_decide_and_to_verify_64_kib_takes_few_instructions(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    require(board)
    made = images(board.name)

    def padded(contents: Contents) -> Contents:
        payload = contents.payload.ljust(64 * 1024, b"\xa5")
        assert len(payload) == 64 * 1024
        return dataclasses.replace(contents, payload=payload)

    start = functions(made.firmware(0).with_suffix(".elf"), "cortexm_reset")
    with powered(board, tmp_path, {0: signed(made, 0, padded)}) as device:
        told(device, "torpor on")
        device.debugger.pause()
        device.debugger.set_places(start)
        device.debugger.resume()
        device.reset()
        assert device.debugger.has_stopped(20)
        ticks = int.from_bytes(device.debugger.read(COUNTER, 4), "little")
    count = device.instructions(ticks, COUNTER_HZ)
    assert count is not None
    assert 1_000_000 < count <= DECISION_INSTRUCTIONS
