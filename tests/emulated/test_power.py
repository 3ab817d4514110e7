# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reset and power cuts: what survives, on every board whose flash lasts, with a tiny firmware."""

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulated import tally
from tests.emulated.conftest import require
from tests.emulated.processes import alive, eventually
from tests.emulated.test_flash_file import LASTING
from torpor import emulate
from torpor.board import Board, load_board
from torpor.emulate import Emulator, FlashFile, Moment, Store, functions
from torpor.errors import DeviceError, UsageError

QEMU = [name for name in LASTING if name != "native"]
EXACT = ["mps2_an386", "riscv_virt", "microbit"]
"""One of each kind of flash: not all has to be tried with each board of a kind."""
PATIENCE_S = 20


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="torpor-test-")


@functools.cache
def elf_of(name: str) -> Path:
    folder = Path(_folder().name) / name
    folder.mkdir()
    return tally.build(load_board(name), folder)


@pytest.fixture(params=QEMU)
def board(request: pytest.FixtureRequest) -> Board:
    facts = load_board(request.param)
    require(facts)
    return facts


@pytest.fixture
def device(board: Board, tmp_path: Path) -> Iterator[Emulator]:
    with emulate.start(board, elf_of(board.name), flash=tmp_path / "flash") as emulator:
        until_started(emulator)
        yield emulator


def until(emulator: Emulator, condition: Callable[[tally.Tally], bool]) -> tally.Tally:
    """Wait until what the firmware has in RAM is so."""
    assert eventually(lambda: condition(tally.look(emulator)), PATIENCE_S), tally.look(emulator)
    return tally.look(emulator)


def until_started(emulator: Emulator) -> tally.Tally:
    return until(emulator, lambda tally: tally.magic == MAGIC)


def written(emulator: Emulator) -> list[int]:
    """Return the words in the flash, as far as the file has them."""
    assert emulator.flash
    return tally.words(emulator.flash.read(tally.offset(emulator.board)))


def puts(emulator: Emulator, count: int) -> Moment:
    return Moment(tuple(functions(emulator.elf, "put")), count)


def stores(emulator: Emulator, count: int) -> Moment:
    flash = emulator.board.flash
    assert flash
    return Moment((Store(flash.origin + tally.offset(emulator.board), 4096),), count)


MAGIC = 0x746F7270

# ---- resets


@pytest.mark.emulated
def test_a_reset_keeps_ram_and_flash(device: Emulator) -> None:
    pid = device.pid
    for number in range(1, 4):
        tally.ask(device, 2 * number)
        until(device, lambda found: found.written == 2)
        device.reset()
        assert until(device, lambda found, n=number: found.resets == n).limit == 2 * number  # type: ignore[misc]
    device.close()
    assert written(device) == [0, 1, 0x10002, 0x10003, 0x20004, 0x20005]
    assert not alive(pid)


# ---- power cuts


@pytest.mark.emulated
def test_a_power_cut_loses_ram_and_keeps_the_flash(device: Emulator) -> None:
    pid = device.pid
    tally.ask(device, 3)
    until(device, lambda found: found.written == 3)
    device.reset()
    until(device, lambda found: found.resets == 1)
    device.power_cut()
    assert not alive(pid) and alive(device.pid)
    assert until_started(device).resets == 0
    assert tally.look(device).limit == 0
    tally.ask(device, 5)
    until(device, lambda found: found.written == 2)
    device.close()
    assert written(device) == [0, 1, 2, 3, 4]


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_the_ram_of_a_device_that_was_off_holds_anything(board: Board, tmp_path: Path) -> None:
    """And the same in every run: the noise of each start is known."""
    found = []
    ram = board.memory["ram"].origin
    for number in range(2):
        flash = tmp_path / str(number)
        with emulate.start(board, elf_of(board.name), flash=flash) as device:
            first = device.debugger.read(ram + 1024, 2048)
            device.power_cut()
            found.append((first, device.debugger.read(ram + 1024, 2048)))
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]
    assert all(len(set(noise)) > 200 for noise in found[0])


@pytest.mark.emulated
def test_a_flash_is_taken_up_by_another_process_and_may_be_changed_meanwhile(
    board: Board, tmp_path: Path
) -> None:
    flash = FlashFile(board, tmp_path / "flash")
    flash.program(tally.offset(board), bytes(8))
    for start in range(2):
        with emulate.start(board, elf_of(board.name), flash=flash.path) as device:
            until_started(device)
            tally.ask(device, 4 + start)
            until(device, lambda found: found.written > 0)
            with pytest.raises(UsageError, match="is in use"):
                flash.erase(0, 4)
            with pytest.raises(UsageError, match="is in use"):
                emulate.start(board, elf_of(board.name), flash=flash.path)
    assert written(device) == [0, 0, 2, 3, 4]
    flash.erase(tally.offset(board), 4)
    assert written(device) == []


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_the_flash_may_be_changed_while_there_is_no_power(device: Emulator) -> None:
    tally.ask(device, 4)
    until(device, lambda found: found.written == 4)
    with device.off() as flash:
        assert flash is device.flash and flash
        assert written(device) == [0, 1, 2, 3]
        flash.erase(tally.offset(device.board), 4)
        flash.program(tally.offset(device.board), b"abcd")
        with pytest.raises(DeviceError, match="no power"):
            device.transport.read(0)
        with pytest.raises(DeviceError, match="no power"):
            device.transport.write(b"x")
    until_started(device)
    tally.ask(device, 2)
    until(device, lambda found: found.written == 1)
    device.close()
    assert written(device) == [int.from_bytes(b"abcd", "little"), 1]


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_a_flash_without_a_file_lasts_as_long_as_the_process(board: Board) -> None:
    with emulate.start(board, elf_of(board.name)) as device:
        assert device.flash is None
        device.power_cut()
        with device.off() as flash:
            assert flash is None


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_a_device_that_stays_off_after_a_mistake_is_closed_all_the_same(device: Emulator) -> None:
    with pytest.raises(RuntimeError), device.off():
        raise RuntimeError
    device.close()
    assert device.flash
    device.flash.erase(0, 1)


# ---- cuts at exact places


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
@pytest.mark.parametrize("count", [1, 9])
def test_the_power_fails_before_a_function_begins_for_the_nth_time(
    device: Emulator, count: int
) -> None:
    cut = device.cut_at(puts(device, count))
    tally.ask(device, 30)
    assert cut.wait(PATIENCE_S) and cut.struck
    assert written(device) == list(range(count - 1))
    assert until_started(device).limit == 0, "the device has started again"


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
@pytest.mark.parametrize("count", [1, 9])
def test_the_power_fails_before_the_nth_store_into_the_flash(device: Emulator, count: int) -> None:
    a_word = 3 if device.board.name == "riscv_virt" else 1  # a command before and after it
    cut = device.cut_at(stores(device, count * a_word - a_word // 2))
    tally.ask(device, 30)
    assert cut.wait(PATIENCE_S)
    assert written(device) == list(range(count - 1))


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_moments_come_one_after_the_other(device: Emulator) -> None:
    seen: list[list[int]] = []
    cut = device.cut_at(
        puts(device, 3),
        puts(device, 2),
        stores(device, 1),
        meanwhile=lambda _: seen.append(written(device)),
    )
    tally.ask(device, 30)
    assert cut.wait(PATIENCE_S)
    assert seen == [[0, 1, 2, 3]]


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_a_cut_that_is_asked_for_without_power_waits_from_the_first_instruction_on(
    device: Emulator,
) -> None:
    first = Moment(tuple(functions(device.elf, "start")))
    pids = [device.pid]
    cuts = []

    def again(_flash: FlashFile | None) -> None:
        pids.append(device.pid)
        cuts.append(device.cut_at(first))

    with device.off():
        cuts.append(device.cut_at(first, meanwhile=again))
    assert cuts[0].wait(PATIENCE_S) and not cuts[1].struck
    assert cuts[1].wait(PATIENCE_S)
    assert len({*pids, device.pid}) == 3, "the power was cut twice more"
    until_started(device)


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_what_happens_is_counted_and_the_device_goes_on(device: Emulator) -> None:
    cut = device.cut_at(puts(device, 1000))
    tally.ask(device, 7)
    while cut.hits < 7:
        assert not cut.wait(0.05)
    until(device, lambda found: found.written == 7)
    cut.cancel()
    tally.ask(device, 11)
    until(device, lambda found: found.written == 11)
    assert (cut.hits, cut.struck) == (7, False)
    cut.cancel()
    again = device.cut_at(puts(device, 1))
    tally.ask(device, 12)
    assert again.wait(PATIENCE_S)
    assert written(device) == list(range(11))


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_a_core_that_stands_at_a_place_is_let_go_when_the_cut_is_cancelled(
    device: Emulator,
) -> None:
    cut = device.cut_at(puts(device, 1))
    tally.ask(device, 5)
    assert eventually(device.debugger.has_stopped)
    cut.cancel()
    device.debugger.resume()
    assert until(device, lambda found: found.written == 5)
    assert not cut.wait(0.05)


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_a_reset_does_not_disturb_the_counting(device: Emulator) -> None:
    cut = device.cut_at(puts(device, 6))
    tally.ask(device, 3)
    while cut.hits < 3:
        assert not cut.wait(0.05)
    until(device, lambda found: found.written == 3)
    device.reset()
    until(device, lambda found: found.resets == 1)
    tally.ask(device, 30)
    assert cut.wait(PATIENCE_S)
    assert written(device) == [0, 1, 2, 0x10003, 0x10004]


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_whoever_reads_from_the_serial_port_lets_the_cut_happen(device: Emulator) -> None:
    pid = device.pid
    cut = device.cut_at(puts(device, 5))
    tally.ask(device, 30)
    assert eventually(lambda: device.transport.read(0.01) == b"" and cut.struck)
    assert device.pid != pid
    assert written(device) == list(range(4))


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_a_cut_is_forgotten_when_the_power_fails_otherwise(device: Emulator) -> None:
    cut = device.cut_at(puts(device, 1))
    device.power_cut()
    until_started(device)
    tally.ask(device, 2)
    until(device, lambda found: found.written == 2)
    cut.cancel()
    assert not cut.struck


@pytest.mark.emulated
@pytest.mark.parametrize("board", EXACT, indirect=True)
def test_a_device_that_dies_while_a_cut_is_waited_for_is_an_error(device: Emulator) -> None:
    cut = device.cut_at(puts(device, 1))
    device._machine.child.kill()
    with pytest.raises(DeviceError, match="ended with signal 9"):
        cut.wait(PATIENCE_S)
