# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor flash with the real esptool against a chip's loader that is not there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.flash.bench import ESP, Bench, Result
from tests.flash.rom import ERASE, SECTOR, FakeRom
from tests.flash.test_sources import esp_image


def _build(bench: Bench) -> Path:
    folder = bench.build(ESP)
    (bench.root / "build" / ESP / "boot" / "boot.bin").write_bytes(esp_image())
    return folder


def _flash(bench: Bench, rom: FakeRom, *words: str | Path, process: bool = False) -> Result:
    return bench.flash(*words, "--board", ESP, "--port", rom.port, process=process)


def test_a_build_is_written_verified_and_the_rest_is_left_alone(bench: Bench) -> None:
    folder = _build(bench)
    with FakeRom() as rom:
        result = _flash(bench, rom, folder, process=True)
    assert result.code == 0, result.err
    assert result.out.endswith("written and verified\n")
    image = folder / "image"
    for offset, data in (
        (0, esp_image()),
        (0x4000, b"\xff" * 0x2000),
        (0x6000, (image / "firmware-a.bin").read_bytes()),
        (0x26000, b"\x55" * SECTOR),
        (0x46000, (image / "model.bin").read_bytes()),
    ):
        assert rom.flash[offset : offset + len(data)] == data
    assert set(rom.erased) == {0, 4, 5, 6, 7, 0x46}


def test_all_of_the_flash_is_erased_if_that_is_asked_for(bench: Bench) -> None:
    folder = _build(bench)
    with FakeRom() as rom:
        assert _flash(bench, rom, folder, "--erase").code == 0
    assert ERASE in rom.asked
    assert set(rom.flash[0x26000:0x46000]) == {0xFF}


def test_a_firmware_without_a_bootloader_lies_at_the_start(bench: Bench) -> None:
    folder = bench.plain(ESP)
    with FakeRom() as rom:
        said = _flash(bench, rom, folder, "--json").json
    assert (said["tool"], said["verified"], said["over"]["port"]) == ("esptool", True, rom.port)
    assert [piece["what"] for piece in said["pieces"]] == ["firmware"]
    assert b"toy_esp\0" in rom.flash[:0x3000]


SAID = {
    "silent": ("the chip's loader does not answer", "hint: hold BOOT"),
    "wrong chip": ("the chip is an ESP32-S3, not an ESP32-C3", "hint: is it the right board?"),
    "garbled": ("the connection was lost on the way", "--baud 115200"),
    "mute": ("the connection was lost on the way", "--baud 115200"),
    "vanishing": ("the connection was lost on the way", "--baud 115200"),
    "bad flash": ("what was written is not what is there", "hint: once more"),
    "refusing": ("esptool: Failed to enter", ""),
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Flash chips with each of the faults; all at once, for esptool mostly waits."""

    def flash(fault: str) -> Result:
        bench = Bench(tmp_path_factory.mktemp("faults") / "bench")
        folder = bench.plain(ESP)
        with FakeRom(fault) as rom:
            return _flash(bench, rom, folder, process=True)

    with ThreadPoolExecutor() as pool:
        return dict(zip(SAID, pool.map(flash, SAID), strict=True))


@pytest.mark.parametrize("fault", SAID)
def test_what_goes_wrong_with_a_chip_is_one_line_with_what_to_do(
    faulty: dict[str, Result], fault: str
) -> None:
    result = faulty[fault]
    assert (result.code, result.out) == (7, "")
    line, hint = SAID[fault]
    (said,) = [text for text in result.err.splitlines() if text.startswith("torpor: ")]
    assert line in said
    assert hint in result.err


def test_a_port_that_is_not_there_is_one_line(bench: Bench) -> None:
    result = bench.flash(bench.plain(ESP), "--board", ESP, "--port", "/dev/ttyNOWHERE")
    assert result.code == 7
    assert "torpor: esptool: the port is not there" in result.err


def test_the_port_of_the_board_is_found_by_its_converter(bench: Bench) -> None:
    bench.usb("10c4:ea60", "0001", "CP2102N", port="ttyUSB7")
    result = bench.flash(bench.plain(ESP), "--board", ESP, "--dry-run", "--json")
    assert result.json["over"] == {
        "name": "CP2102N (10c4:ea60), serial number 0001, /dev/ttyUSB7",
        "usb": "10c4:ea60",
        "serial": "0001",
        "port": "/dev/ttyUSB7",
        "drive": None,
    }
    assert "--port /dev/ttyUSB7" in result.json["commands"][1]


def test_slower_is_an_option(bench: Bench) -> None:
    words = bench.plain(ESP), "--board", ESP, "--dry-run", "--baud", "115200"
    assert "--baud 115200" in bench.flash(*words).out
