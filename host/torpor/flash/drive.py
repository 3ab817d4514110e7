# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Drives that flash what is copied to them: UF2 boot ROMs (RP2040) and DAPLink (micro:bit).

A UF2 boot ROM restarts, and its drive goes away, when it has every block (RP2040 datasheet, 2.8.4).
DAPLink's drive goes away and comes back, with a FAIL.TXT if it did not work (DAPLink, Users guide).
Neither lets anybody read the flash back, so nothing is called verified here.
"""

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from torpor.errors import DeviceError, UsageError
from torpor.flash.computer import Computer, Drive
from torpor.flash.formats import PAYLOAD, intel_hex, uf2
from torpor.flash.plan import Plan, joined

Show = Callable[[int], None]

FAIL = "FAIL.TXT"
_CHUNK = 64 * 1024
_LAST = 512  # bytes of the last part: a block of UF2
_SETTLE_S = 1.0  # that this computer may take to notice that a drive is gone
_LOOK_S = 0.05  # between two looks at a drive


@dataclass(frozen=True)
class Copy:
    """What has to be copied to a drive.

    Attributes:
        tool: "uf2" or "drive".
        name: of the file.
        data: its content.
    """

    tool: str
    name: str
    data: bytes


@dataclass(frozen=True)
class Patience:
    """How long a drive may take.

    Attributes:
        gone_s: until it has gone away after the last byte; DAPLink writes the flash before that.
        back_s: until it is back, where it comes back.
    """

    gone_s: float = 60.0
    back_s: float = 20.0


def uf2_copy(plan: Plan) -> Copy:
    """Return the file for a UF2 drive.

    Whole blocks of the flash are in it: the ROM erases a block when it gets its first part, and
    erratum RP2040-E14 loses parts of blocks that are not whole.

    Raises:
        UsageError: the board has no such drive, or all is to be erased, which it cannot do.
    """
    probe = plan.board.probe
    if probe is None or probe.uf2_family is None:
        raise UsageError(f"{plan.board.name} takes no UF2 files", "[probe] uf2_family")
    if plan.erase_all:
        raise UsageError("a UF2 drive cannot erase what it does not write", "leave --erase out")
    block = plan.board.flash.erase_size if plan.board.flash else PAYLOAD
    return Copy("uf2", "torpor.uf2", uf2(joined(plan, max(block, PAYLOAD)), probe.uf2_family))


def hex_copy(plan: Plan) -> Copy:
    """Return the file for a DAPLink drive; it erases the whole chip, unless it was set otherwise.

    Raises:
        UsageError: the board has no such drive.
    """
    if plan.board.probe is None or not plan.board.probe.volume:
        raise UsageError(f"{plan.board.name} has no drive", "[probe] volume")
    runs = sorted((place.address, place.data) for place in plan.places)
    return Copy("drive", "torpor.hex", intel_hex(runs))


def send(
    copy: Copy, drive: Drive, computer: Computer, show: Show, patience: Patience | None = None
) -> str:
    """Copy a file to a drive and wait for what the drive does; return it in words.

    Args:
        copy: what.
        drive: where.
        computer: that the drive is at.
        show: called with the number of bytes that are there.
        patience: how long the drive may take.

    Raises:
        DeviceError: it did not work.
    """
    patience = patience or Patience()
    folder = _folder(drive)
    if copy.tool == "drive":
        with contextlib.suppress(OSError):
            (folder / FAIL).unlink()  # of an earlier time; DAPLink may have none to delete
    _write(copy, folder, drive, computer, show)
    if not _until(lambda: not computer.has(drive) or _failed(folder), patience.gone_s):
        raise DeviceError(
            f"{drive} has the file and does nothing with it",
            "is the board in its bootloader? unplug it, follow 'help' of [probe], try again",
        )
    if text := _failure_text(folder):
        raise DeviceError(f"{drive.label}: {text}")
    if copy.tool == "uf2":
        return "the boot ROM has all blocks and has restarted"
    return _after(drive, computer, patience)


_AGAIN = "plug it in again, directly, and try again: nothing is lost but what was flashed before"


def _folder(drive: Drive) -> Path:
    if drive.folder is None:
        raise DeviceError(
            f"{drive.label} is there and not mounted", f"udisksctl mount -b {drive.device}"
        )
    return drive.folder


def _write(copy: Copy, folder: Path, drive: Drive, computer: Computer, show: Show) -> None:
    """Write the file; a drive may go away while its last part is written, and no sooner.

    Each part is waited for: what only lies in the memory of this computer is not on the board. The
    last is so small that a drive which goes away then has all of it.
    """
    done = 0
    try:
        with (folder / copy.name).open("wb", buffering=0) as file:
            for part in _parts(copy.data):
                _put(file, part)
                os.fsync(file.fileno())
                done += len(part)
                show(done)
    except OSError as error:
        _explain(error, copy, drive)
        if computer.has(drive) and not _until(lambda: not computer.has(drive), _SETTLE_S):
            raise DeviceError(f"{drive}: {error.strerror}", _AGAIN) from None
        if done < len(copy.data) - _LAST:
            raise DeviceError(
                f"{drive.label} went away after {done:,} of {len(copy.data):,} bytes", _AGAIN
            ) from None
        show(len(copy.data))


def _parts(data: bytes) -> Iterator[bytes]:
    last = max(0, len(data) - _LAST)
    for at in range(0, last, _CHUNK):
        yield data[at : min(at + _CHUNK, last)]
    yield data[last:]


def _put(file: IO[bytes], part: bytes) -> None:
    while part:
        part = part[file.write(part) :]


def _explain(error: OSError, copy: Copy, drive: Drive) -> None:
    if error.errno == errno.ENOSPC:
        raise DeviceError(
            f"{drive} has no room for {len(copy.data):,} bytes", "delete what else is on it"
        ) from None
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        raise DeviceError(
            f"{drive} cannot be written: {error.strerror}", "mount it as yourself: udisksctl mount"
        ) from None


def _after(drive: Drive, computer: Computer, patience: Patience) -> str:
    """Wait for a drive that comes back, perhaps at another place, and look for its complaint."""
    back: list[Drive] = []

    def is_back() -> bool:
        back[:] = [
            other
            for other in computer.drives(drive.label)
            if computer.has(other) and _same(other, drive)
        ]
        return bool(back)

    if not _until(is_back, patience.back_s):
        return f"{drive.label} has not come back to say how it went"
    assert back[0].folder is not None
    if text := _failure_text(back[0].folder):
        raise DeviceError(f"{drive.label}: {text}")
    return f"{drive.label} came back without a complaint"


def _same(one: Drive, other: Drive) -> bool:
    if one.usb is None or other.usb is None:
        return True
    return one.usb.serial == other.usb.serial


def _failed(folder: Path) -> bool:
    try:
        return (folder / FAIL).exists()
    except OSError:
        return False


def _failure_text(folder: Path) -> str:
    try:
        text = (folder / FAIL).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return " ".join(text.split()) or "it failed and does not say why"


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for something; return whether it came."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        threading.Event().wait(_LOOK_S)
    return True
