# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor flash onto drives: UF2 boot ROMs and DAPLink, that take files, refuse, and vanish."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from intelhex import IntelHex

from tests.flash.bench import BIT, PICO, Bench, toy
from tests.flash.test_formats import read_uf2
from torpor.errors import DeviceError, UsageError
from torpor.flash import drive as drives
from torpor.flash.computer import Computer, Drive
from torpor.flash.drive import Copy, Patience, hex_copy, send, uf2_copy
from torpor.flash.plan import Erasure, Piece, make_plan

SECTOR = 4096
ORIGIN = 0x10000000
SOON = Patience(gone_s=5, back_s=5)
AT_ONCE = Patience(gone_s=0.1, back_s=0.1)


@contextmanager
def _board(bench: Bench, folder: Path, name: str, then: Callable[[bytes], None]) -> Iterator[None]:
    """Play the board behind a drive: when the file `name` is whole, do `then`."""
    stop = threading.Event()

    def watch() -> None:
        size = -1
        while not stop.wait(0.01):
            path = folder / name
            now = path.stat().st_size if path.exists() else -1
            if now > 0 and now == size and _is_whole(path.read_bytes(), name):
                then(path.read_bytes())
                return
            size = now

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _is_whole(data: bytes, name: str) -> bool:
    if name.endswith(".hex"):
        return data.endswith(b":00000001FF\r\n")
    return len(data) == 512 * int.from_bytes(data[24:28], "little")


# ---- UF2


def test_a_build_goes_to_the_boot_rom_in_whole_sectors(bench: Bench) -> None:
    build, folder = bench.build(PICO), bench.drive("RPI-RP2", "E0")
    taken: list[bytes] = []

    def restart(data: bytes) -> None:
        taken.append(data)
        bench.unmount("sdb")

    with _board(bench, folder, "torpor.uf2", restart):
        result = bench.flash(build, "--board", PICO, process=True)
    assert result.code == 0, result.err
    assert "not verified: the boot ROM has all blocks and has restarted" in result.out
    found, families = read_uf2(taken[0])
    assert families == {0xE48BFF56}
    memory = {at + i: byte for at, data in found.items() for i, byte in enumerate(data)}
    image = (build / "image" / "firmware-a.bin").read_bytes()
    assert bytes(memory[ORIGIN + 0x6000 + i] for i in range(len(image))) == image
    assert {memory[ORIGIN + 0x4000 + i] for i in range(0x2000)} == {0xFF}, "the journal is erased"
    assert not any(ORIGIN + 0x26000 <= at < ORIGIN + 0x46000 for at in memory)
    groups = [address // SECTOR for address in found]
    assert groups == [group for group in dict.fromkeys(groups) for _ in range(16)], "RP2040-E14"


def test_a_drive_that_keeps_the_file_has_not_taken_it(bench: Bench) -> None:
    _copy_fails(bench, AT_ONCE, "has the file and does nothing with it")


def test_power_that_is_lost_half_way_is_no_success(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel takes all of a part, and cannot write it: the device is gone."""
    calls: list[int] = []

    def fsync(_fd: int) -> None:
        calls.append(1)
        if len(calls) == 3:
            bench.unmount("sdb")
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    _copy_fails(bench, SOON, r"went away after 131,072 of 262,656 bytes")


def test_a_drive_may_go_away_while_its_last_block_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Copy("uf2", "torpor.uf2", bytes(262_656))

    def fsync(fd: int) -> None:
        if os.fstat(fd).st_size == len(copy.data):
            bench.unmount("sdb")
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    shown: list[int] = []
    drive, computer = _drive(bench, "RPI-RP2")
    assert "has all blocks" in send(copy, drive, computer, shown.append, SOON)
    assert shown[-1] == len(copy.data)


@pytest.mark.parametrize(
    ("number", "wanted"),
    [(errno.ENOSPC, "has no room for 262,656 bytes"), (errno.EROFS, "cannot be written")],
)
def test_a_full_or_protected_drive_is_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int, wanted: str
) -> None:
    def fsync(_fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    _copy_fails(bench, SOON, wanted)


def test_a_drive_that_cannot_be_written_and_stays_is_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(drives, "_SETTLE_S", 0.1)
    _copy_fails(bench, SOON, "Input/output error")


def _drive(bench: Bench, label: str) -> tuple[Drive, Computer]:
    bench.drive(label, "E0")
    computer = Computer(bench.computer)
    return computer.drives(label)[0], computer


def _copy_fails(bench: Bench, patience: Patience, wanted: str) -> None:
    drive, computer = _drive(bench, "RPI-RP2")
    copy = Copy("uf2", "torpor.uf2", bytes(262_656))
    with pytest.raises(DeviceError, match=wanted):
        send(copy, drive, computer, lambda _done: None, patience)


def test_a_drive_that_is_not_mounted_says_how_to_mount_it(bench: Bench) -> None:
    drive = Drive("RPI-RP2", None, "/dev/sdb1")
    with pytest.raises(DeviceError, match="not mounted") as error:
        send(Copy("uf2", "x", b"x"), drive, Computer(bench.computer), lambda _done: None, SOON)
    assert error.value.hint == "udisksctl mount -b /dev/sdb1"


def test_a_uf2_drive_cannot_erase_everything(bench: Bench) -> None:
    plan = make_plan(toy(PICO), [Piece("x", ORIGIN, b"x", Path("x"))], erase_all=True)
    with pytest.raises(UsageError, match="cannot erase"):
        uf2_copy(plan)


def test_no_boot_rom_says_which_button_to_hold(bench: Bench) -> None:
    result = bench.flash(bench.build(PICO), "--board", PICO)
    assert result.code == 7
    assert "uf2: no drive RPI-RP2" in result.err
    assert "hold BOOTSEL while plugging it in" in result.err


def test_a_dry_run_leaves_the_file_and_says_where_it_would_go(bench: Bench) -> None:
    folder = bench.drive("RPI-RP2", "E0")
    result = bench.flash(bench.build(PICO), "--board", PICO, "--dry-run")
    made = bench.root / "build" / PICO / "flash" / "torpor.uf2"
    assert result.code == 0
    assert f"cp '{made}' '{folder}'" in result.out
    assert _is_whole(made.read_bytes(), made.name)
    assert list(folder.iterdir()) == []


# ---- DAPLink


def _remount(bench: Bench, folder: Path, complaint: str = "") -> Callable[[bytes], None]:
    """Return what DAPLink does with a file: the drive goes, and comes back as it was."""

    def do(_data: bytes) -> None:
        line = next(x for x in bench.mounts.read_text().splitlines() if x.startswith("/dev/sdb "))
        bench.unmount("sdb")
        threading.Event().wait(0.3)
        (folder / "torpor.hex").unlink()
        if complaint:
            (folder / "FAIL.TXT").write_text(complaint)
        with bench.mounts.open("a") as file:
            file.write(line + "\n")

    return do


def test_a_build_goes_to_daplink_as_one_hex_file(bench: Bench) -> None:
    build, folder = bench.build(BIT), bench.drive("MICROBIT", "9900")
    taken: list[bytes] = []
    remount = _remount(bench, folder)

    def take(data: bytes) -> None:
        taken.append(data)
        remount(data)

    with _board(bench, folder, "torpor.hex", take):
        result = bench.flash(build, "--board", BIT, process=True)
    assert result.code == 0, result.err
    assert "MICROBIT came back without a complaint" in result.out
    assert "DAPLink erases all of the chip" in result.err
    reader = IntelHex()
    reader.loadhex(StringIO(taken[0].decode("ascii")))
    image = (build / "image" / "firmware-a.bin").read_bytes()
    assert bytes(reader.tobinarray(start=0x6000, size=len(image))) == image
    assert set(reader.tobinarray(start=0x4000, size=0x2000)) == {0xFF}


def test_what_daplink_complains_of_is_shown(bench: Bench) -> None:
    build, folder = bench.build(BIT), bench.drive("MICROBIT", "9900")
    (folder / "FAIL.TXT").write_text("of an earlier time")
    complaint = "error: The hex file cannot be decoded.\r\ntype: user\r\n"
    with _board(bench, folder, "torpor.hex", _remount(bench, folder, complaint)):
        result = bench.flash(build, "--board", BIT)
    assert (result.code, result.out) == (7, "")
    assert "MICROBIT: error: The hex file cannot be decoded. type: user" in result.err


def test_a_complaint_without_going_away_is_shown_too(bench: Bench) -> None:
    folder = bench.drive("MICROBIT", "9900")
    computer = Computer(bench.computer)

    def complain(_data: bytes) -> None:
        (folder / "FAIL.TXT").write_text("")

    plan = make_plan(
        toy(BIT), [Piece("x", 0, b"x" * 99, Path("x"))], [Erasure("gap", 0x4000, 0x1000)]
    )
    with (
        _board(bench, folder, "torpor.hex", complain),
        pytest.raises(DeviceError, match="it failed and does not say why"),
    ):
        send(hex_copy(plan), computer.drives("MICROBIT")[0], computer, lambda _done: None, SOON)


def test_a_drive_that_does_not_come_back_is_told_of(bench: Bench) -> None:
    build, folder = bench.build(BIT), bench.drive("MICROBIT", "9900")
    with _board(bench, folder, "torpor.hex", lambda _data: bench.unmount("sdb")):
        result = bench.flash(build, "--board", BIT)
    assert result.code == 0
    assert "not verified: MICROBIT has not come back to say how it went" in result.out
