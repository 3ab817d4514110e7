# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What is plugged in, read from the kernel's files."""

import os
from pathlib import Path

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from tests.flash.bench import BIT, ESP, NRF, PICO, STM, Bench, toy
from torpor.board import board_names, load_board
from torpor.errors import DeviceError, MissingToolError, UsageError
from torpor.flash import advice
from torpor.flash.choose import Choice, NothingError, Wish, choose, smp_ports
from torpor.flash.computer import Computer, Usb


def _computer(bench: Bench) -> Computer:
    return Computer(bench.computer)


def _none(_tool: str) -> bool:
    return False


def _all(_tool: str) -> bool:
    return True


def _choose(bench: Bench, board: str, wish: Wish | None = None) -> Choice:
    return choose(toy(board), _computer(bench), wish or Wish(), _all)


# ---- devices


def test_a_probe_is_seen_with_its_number_its_ports_and_its_node(bench: Bench) -> None:
    bench.usb("0483:374b", "066DFF", "STM32 STLink", port="ttyACM0")
    found = _computer(bench).usb()
    assert [(usb.id, usb.serial, usb.ports) for usb in found] == [
        ("0483:374b", "066DFF", ("/dev/ttyACM0",))
    ]
    assert found[0].node == bench.computer / "dev/bus/usb/001/001"
    assert str(found[0]) == "STM32 STLink (0483:374b), serial number 066DFF, /dev/ttyACM0"


def test_the_port_of_a_converter_is_seen_where_its_driver_puts_it(bench: Bench) -> None:
    place = bench.usb("10C4:EA60")
    (place / f"{place.name}:1.0" / "ttyUSB3" / "tty" / "ttyUSB3").mkdir(parents=True)
    assert _computer(bench).usb()[0].ports == ("/dev/ttyUSB3",)
    assert _computer(bench).usb()[0].id == "10c4:ea60"


def test_a_device_that_says_nothing_of_itself_is_still_there(bench: Bench) -> None:
    place = bench.usb("0483:374b", name="")
    (place / "busnum").unlink()
    assert str(_computer(bench).usb()[0]) == "USB device (0483:374b)"
    assert _computer(bench).usb()[0].node is None


def test_where_the_kernel_tells_nothing_pyserial_names_the_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, other = ListPortInfo("/dev/cu.usbmodem1"), ListPortInfo("/dev/cu.Bluetooth")
    port.vid, port.pid, port.serial_number, port.product = 0x0483, 0x374B, "066", "STLink"
    monkeypatch.setattr(list_ports, "comports", lambda: [port, other])
    computer = Computer(tmp_path)
    assert not computer.sees_usb
    assert computer.usb() == [Usb("0483:374b", "066", "STLink", ("/dev/cu.usbmodem1",))]


# ---- drives


def test_a_drive_is_known_by_its_name_and_belongs_to_a_device(bench: Bench) -> None:
    folder = bench.drive("MICROBIT", "9900")
    (found,) = _computer(bench).drives("MICROBIT")
    assert (found.folder, found.device) == (folder, "/dev/sdb")
    assert found.usb is not None and found.usb.serial == "9900"
    assert _computer(bench).drives("RPI-RP2") == []


def test_a_name_with_a_space_is_found(bench: Bench) -> None:
    folder = bench.drive("MY PICO")
    assert _computer(bench).drives("MY PICO")[0].folder == folder


def test_a_partition_is_of_the_disk_that_it_is_on(bench: Bench) -> None:
    bench.usb("2e8a:0003", "E0", disk="sdc")
    (bench.computer / "media" / "RPI-RP2").mkdir(parents=True)
    with bench.mounts.open("a") as file:
        file.write("/dev/sdc1 /media/RPI-RP2 vfat rw 0 0\n")
    (found,) = _computer(bench).drives("RPI-RP2")
    assert found.usb is not None and found.usb.serial == "E0"


def test_a_drive_that_is_not_mounted_is_found_by_its_label(bench: Bench) -> None:
    bench.usb("2e8a:0003", "E0", disk="sdb")
    links = bench.computer / "dev" / "disk" / "by-label"
    links.mkdir(parents=True)
    (links / "RPI\\x2dRP2").symlink_to("../../sdb1")
    (found,) = _computer(bench).drives("RPI-RP2")
    assert (found.folder, found.device) == (None, "/dev/sdb1")
    assert "not mounted" in str(found)


def test_a_drive_of_a_mac_is_found(tmp_path: Path) -> None:
    (tmp_path / "Volumes" / "RPI-RP2").mkdir(parents=True)
    (found,) = Computer(tmp_path).drives("RPI-RP2")
    assert found.folder == tmp_path / "Volumes" / "RPI-RP2"
    assert Computer(tmp_path).has(found)


def test_a_drive_is_gone_when_it_is_unmounted_or_unplugged(bench: Bench) -> None:
    bench.drive("RPI-RP2", "E0")
    (found,) = _computer(bench).drives("RPI-RP2")
    assert _computer(bench).has(found)
    assert found.usb is not None and found.usb.place is not None
    found.usb.place.rename(bench.root / "elsewhere")
    assert not _computer(bench).has(found)
    (bench.root / "elsewhere").rename(found.usb.place)
    bench.unmount("sdb")
    assert not _computer(bench).has(found)


# ---- choosing


def test_the_first_tool_whose_probe_is_there_is_taken(bench: Bench) -> None:
    bench.usb("0483:374b", "066")
    bench.usb("1366:1015", "000683")
    assert _choose(bench, STM).tool == "openocd"
    assert _choose(bench, NRF).tool == "pyocd"


def test_numbers_of_seggers_probes_have_no_leading_zeros_for_tools(bench: Bench) -> None:
    bench.usb("1366:1015", "000683123456")
    assert _choose(bench, NRF).serial == "683123456"


def test_a_number_that_nobody_can_type_is_not_given_to_tools(bench: Bench) -> None:
    bench.usb("0483:374b", "W\x3f\x6e\x06")
    assert _choose(bench, STM).serial == ""


def test_of_two_probes_without_a_name_none_is_taken(bench: Bench) -> None:
    bench.usb("0483:374b", "?1", port="ttyACM0")
    bench.usb("0483:374b", "?2", port="ttyACM1")
    with pytest.raises(UsageError, match="has no name") as error:
        _choose(bench, STM, Wish(port="/dev/ttyACM0"))
    assert error.value.hint == "unplug others"


def test_a_tool_that_is_not_installed_is_passed_over(bench: Bench) -> None:
    bench.usb("0483:374b", "066")
    choice = choose(toy(STM), _computer(bench), Wish(), lambda tool: tool == "pyocd")
    assert choice.tool == "pyocd"


def test_a_probe_without_any_tool_says_how_to_get_the_best(bench: Bench) -> None:
    bench.usb("0483:374b", "066", "STM32 STLink")
    with pytest.raises(MissingToolError, match="openocd is not installed; STM32 STLink") as error:
        choose(toy(STM), _computer(bench), Wish(), _none)
    assert error.value.hint == "apt-get install openocd"


def test_where_nothing_is_plugged_in_all_that_was_tried_is_named(bench: Bench) -> None:
    with pytest.raises(NothingError) as error:
        _choose(bench, STM)
    assert error.value.message == (
        "found nothing to flash toy_stm with: openocd: no probe 0483:374b; "
        "pyocd: no probe 0483:374b"
    )
    assert "is the cable plugged in" in error.value.hint
    assert "use the socket CN1" in error.value.hint


def test_several_probes_are_listed_and_a_serial_number_chooses(bench: Bench) -> None:
    bench.usb("0483:374b", "066AAA", "STLink", port="ttyACM0")
    bench.usb("0483:374b", "066BBB", "STLink", port="ttyACM1")
    with pytest.raises(UsageError, match=r"2 are there: .*066AAA.*; .*066BBB") as error:
        _choose(bench, STM)
    assert error.value.hint == "choose one: --serial NUMBER"
    assert _choose(bench, STM, Wish(serial="066B")).serial == "066BBB"
    assert _choose(bench, STM, Wish(port="/dev/ttyACM0")).serial == "066AAA"
    with pytest.raises(NothingError, match="with serial number 9"):
        _choose(bench, STM, Wish(serial="9"))
    with pytest.raises(NothingError, match="at /dev/ttyACM7"):
        _choose(bench, STM, Wish(port="/dev/ttyACM7"))


def test_a_tool_that_is_not_for_the_board_is_a_mistake(bench: Bench) -> None:
    with pytest.raises(UsageError, match="esptool is not for toy_stm") as error:
        _choose(bench, STM, Wish(tool="esptool"))
    assert error.value.hint == "its tools: openocd, pyocd, smp"


def test_a_board_without_a_cable_is_a_mistake(bench: Bench) -> None:
    with pytest.raises(UsageError, match="has nothing to flash it over"):
        choose(load_board("mps2_an386"), _computer(bench), Wish(), _all)


def test_a_boot_rom_with_a_drive_is_no_debug_probe(bench: Bench) -> None:
    bench.usb("2e8a:0003", "E0")
    with pytest.raises(NothingError, match=r"openocd: no probe 2e8a:000c$"):
        _choose(bench, PICO)
    bench.usb("2e8a:000c", "E66")
    assert _choose(bench, PICO).tool == "openocd"


def test_a_mounted_drive_comes_before_a_probe_where_the_board_says_so(bench: Bench) -> None:
    bench.usb("2e8a:000c", "E66")
    folder = bench.drive("RPI-RP2", "E0")
    choice = _choose(bench, PICO)
    assert choice.tool == "uf2" and choice.drive is not None and choice.drive.folder == folder


def test_two_drives_are_listed_and_a_serial_number_chooses(bench: Bench) -> None:
    bench.drive("MICROBIT", "9900A", "sdb")
    folder = bench.drive("MICROBIT", "9900B", "sdc")
    with pytest.raises(UsageError, match="2 are there"):
        _choose(bench, BIT)
    choice = _choose(bench, BIT, Wish(serial="9900B"))
    assert choice.drive is not None and choice.drive.folder == folder


def test_where_probes_cannot_be_seen_a_tool_that_is_asked_for_is_tried(tmp_path: Path) -> None:
    computer = Computer(tmp_path)
    with pytest.raises(NothingError, match="no probe that this computer tells of"):
        choose(toy(STM), computer, Wish(), _all)
    assert choose(toy(STM), computer, Wish("openocd"), _all) == Choice("openocd")
    assert choose(toy(STM), computer, Wish(serial="066"), _all).serial == "066"


def test_a_serial_port_is_found_or_taken_as_it_is(bench: Bench) -> None:
    with pytest.raises(NothingError, match="no port of 10c4:ea60 or 303a:1001"):
        _choose(bench, ESP)
    bench.usb("303a:1001", "60:55", port="ttyACM0")
    assert _choose(bench, ESP).port == "/dev/ttyACM0"
    assert _choose(bench, ESP, Wish(port="socket://lab:3333")).port == "socket://lab:3333"
    assert smp_ports(toy(ESP), _computer(bench), Wish()) == ["/dev/ttyACM0"]
    assert choose(toy(ESP), _computer(bench), Wish("smp"), _all).port == "/dev/ttyACM0"


def test_a_device_over_smp_needs_a_port(bench: Bench) -> None:
    with pytest.raises(UsageError, match="which port"):
        _choose(bench, STM, Wish("smp"))


# ---- permissions


def test_a_port_that_must_not_be_used_says_which_group_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = tmp_path / "ttyACM0"
    port.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DeviceError, match="no permission to use") as error:
        choose(toy(ESP), Computer(tmp_path), Wish(port=str(port)), _all)
    assert error.value.hint == f"sudo usermod -aG {port.group()} $USER, then log in again"
    assert advice.for_port("COM3") == ""


def test_a_udev_rule_lets_whoever_sits_there_use_the_probe() -> None:
    (line,) = advice.udev_rules(("0483:374B",))
    assert line == (
        'SUBSYSTEM=="usb|tty|hidraw", ATTRS{idVendor}=="0483", ATTRS{idProduct}=="374b", '
        'MODE="660", TAG+="uaccess"'
    )


def test_every_board_with_a_cable_can_be_chosen_by_each_of_its_tools(bench: Bench) -> None:
    for name in board_names():
        board = load_board(name)
        for tool in board.probe.tools if board.probe else ():
            with pytest.raises((NothingError, UsageError)):
                choose(board, _computer(bench), Wish(tool), _all)
