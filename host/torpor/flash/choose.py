# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which tool flashes a board, and over which of the things that are plugged in."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torpor.board import Board, Probe
from torpor.errors import DeviceError, MissingToolError, TorporError, UsageError
from torpor.flash import advice, openocd, pyocd
from torpor.flash.computer import Computer, Drive, Usb

_T = TypeVar("_T", Usb, Drive)

SMP = "smp"
PROGRAMS = {"openocd": (openocd.PROGRAM, openocd.GET), "pyocd": (pyocd.PROGRAM, pyocd.GET)}
BOOT_ROMS = ("2e8a:0003",)  # devices with a drive that no debugger can use
_SEGGER = "1366:"
_DEBUGGERS = ("openocd", "pyocd")


@dataclass(frozen=True)
class Wish:
    """What the user wants.

    Attributes:
        tool: by name, "" for any.
        port: serial port, "" for any.
        serial: serial number of the probe, port or drive, or how it begins; "" for any.
    """

    tool: str = ""
    port: str = ""
    serial: str = ""


@dataclass(frozen=True)
class Choice:
    """A tool and what it goes over.

    Attributes:
        tool: "openocd", ..., "smp".
        usb: the probe, None where it is not seen.
        port: the serial port, for esptool and SMP.
        drive: for UF2 and DAPLink.
    """

    tool: str
    usb: Usb | None = None
    port: str = ""
    drive: Drive | None = None

    @property
    def serial(self) -> str:
        """Serial number of the probe as tools want it; "" where it has none that can be typed.

        Old firmware of ST-Link tells a number that is no text; SEGGER's tools leave zeros out.
        """
        number = self.usb.serial if self.usb else ""
        if self.usb and self.usb.id.startswith(_SEGGER):
            number = number.lstrip("0")
        return number if re.fullmatch(r"[0-9A-Za-z]+", number) else ""

    def __str__(self) -> str:
        return str(self.drive or self.usb or self.port or "whatever probe there is")


class NothingError(DeviceError):
    """Nothing is plugged in that could be used, or the tool for it is not installed.

    Attributes:
        tried: what is in the way, by tool.
    """

    def __init__(self, message: str, hint: str, tried: dict[str, str]) -> None:
        super().__init__(message, hint)
        self.tried = tried


Installed = Callable[[str], bool]


def is_installed(tool: str) -> bool:
    """Say whether the program of a tool is there; esptool comes with torpor."""
    return tool not in PROGRAMS or shutil.which(PROGRAMS[tool][0]) is not None


def choose(
    board: Board, computer: Computer, wish: Wish, installed: Installed = is_installed
) -> Choice:
    """Return the first tool of [probe] that is installed and has something to go over.

    Raises:
        UsageError: the board has no [probe], or not with that tool; several things are there.
        MissingToolError: the probe is there and no tool for it.
        NothingError: nothing is there.
        DeviceError: the port must not be used.
    """
    probe = board.probe
    if wish.tool == SMP:
        return Choice(SMP, port=wish.port or _smp_port(board, computer, wish))
    if probe is None:
        raise UsageError(f"{board.name} has nothing to flash it over", "[probe] of its board.toml")
    if wish.tool and wish.tool not in probe.tools:
        raise UsageError(
            f"{wish.tool} is not for {board.name}", f"its tools: {', '.join(probe.tools)}, {SMP}"
        )
    tried: dict[str, str] = {}
    for tool in (wish.tool,) if wish.tool else probe.tools:
        found = _for_tool(tool, probe, computer, wish)
        if isinstance(found, str):
            tried[tool] = found
        elif not installed(tool):
            tried[tool] = f"{PROGRAMS[tool][0]} is not installed; {found} is there"
        else:
            return found
    raise _nothing(board, probe, tried, installed)


def _nothing(
    board: Board, probe: Probe, tried: dict[str, str], installed: Installed
) -> TorporError:
    for tool, why in tried.items():
        if not installed(tool) and why.endswith("is there"):
            return MissingToolError(f"{tool} is needed: {why}", PROGRAMS[tool][1])
    words = "; ".join(f"{tool}: {why}" for tool, why in tried.items())
    return NothingError(
        f"found nothing to flash {board.name} with: {words}", advice.for_nothing(probe), tried
    )


def _for_tool(tool: str, probe: Probe, computer: Computer, wish: Wish) -> Choice | str:
    """Return the choice, or why there is none."""
    if tool in _DEBUGGERS:
        return _probe(tool, probe, computer, wish)
    if tool == "esptool":
        return _port(probe, computer, wish)
    return _drive(tool, probe, computer, wish)


def _probe(tool: str, probe: Probe, computer: Computer, wish: Wish) -> Choice | str:
    ids = [one.lower() for one in probe.usb if one.lower() not in BOOT_ROMS]
    there = [usb for usb in computer.usb() if usb.id in ids]
    found = [usb for usb in there if _fits(usb, wish)]
    if found:
        choice = Choice(tool, usb=_one(found))
        if len(there) > 1 and not choice.serial:
            raise UsageError(f"several probes are there, and {choice} has no name", "unplug others")
        return choice
    if wish.port or (computer.sees_usb and ids):
        return f"no probe {' or '.join(ids)}{_with(wish)}"
    if wish.tool or wish.serial:  # it may be there all the same: the tool will say
        return Choice(tool, usb=Usb("", wish.serial) if wish.serial else None)
    return "no probe that this computer tells of"


def _port(probe: Probe, computer: Computer, wish: Wish) -> Choice | str:
    if wish.port:
        _check_port(wish.port)
        usb = next((usb for usb in computer.usb() if wish.port in usb.ports), None)
        return Choice("esptool", usb=usb, port=wish.port)
    found = _ports(probe, computer, wish)
    if not found:
        return f"no port of {' or '.join(probe.usb)}{_with(wish)}"
    usb = _one(found)
    _check_port(usb.ports[0])
    return Choice("esptool", usb=usb, port=usb.ports[0])


def _ports(probe: Probe, computer: Computer, wish: Wish) -> list[Usb]:
    ids = [one.lower() for one in probe.usb]
    return [usb for usb in computer.usb() if usb.id in ids and usb.ports and _fits(usb, wish)]


def _smp_port(board: Board, computer: Computer, wish: Wish) -> str:
    found = _ports(board.probe, computer, wish) if board.probe else []
    if not found:
        raise UsageError("which port? none is known to be a torpor device", "--port PORT")
    return _one(found).ports[0]


def smp_ports(board: Board, computer: Computer, wish: Wish) -> list[str]:
    """Return the ports at which a torpor device may answer."""
    if wish.port:
        return [wish.port]
    found = _ports(board.probe, computer, wish) if board.probe else []
    return [port for usb in found for port in usb.ports]


def _check_port(port: str) -> None:
    """Raise DeviceError where the port must not be used."""
    if problem := advice.for_port(port):
        raise DeviceError(f"no permission to use {port}", problem)


def _drive(tool: str, probe: Probe, computer: Computer, wish: Wish) -> Choice | str:
    if not probe.volume:
        return "its drive has no name in [probe]"
    found = [
        drive
        for drive in computer.drives(probe.volume)
        if not wish.port or (drive.usb and wish.port in drive.usb.ports)
        if not wish.serial or (drive.usb and drive.usb.serial.startswith(wish.serial))
    ]
    if not found:
        return f"no drive {probe.volume}{_with(wish)}"
    drive = _one(found)
    return Choice(tool, usb=drive.usb, drive=drive)


def _fits(usb: Usb, wish: Wish) -> bool:
    if wish.port and wish.port not in usb.ports:
        return False
    return usb.serial.startswith(wish.serial)


def _with(wish: Wish) -> str:
    if wish.serial:
        return f" with serial number {wish.serial}"
    return f" at {wish.port}" if wish.port else ""


def _one(found: list[_T]) -> _T:
    """Return the only one.

    Raises:
        UsageError: there are several; says how to choose.
    """
    if len(found) == 1:
        return found[0]
    words = "; ".join(map(str, found))
    raise UsageError(f"{len(found)} are there: {words}", "choose one: --serial NUMBER")
