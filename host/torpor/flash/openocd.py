# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""OpenOCD: ST-Link, J-Link, CMSIS-DAP and others (its User's Guide, chapters 8, 12 and 16).

All that is written is erased first, in one go: two pieces may share a sector.
"""

from collections.abc import Sequence

from torpor.errors import UsageError
from torpor.flash.job import Failure, Job
from torpor.flash.plan import Place, Plan

PROGRAM = "openocd"
GET = "apt-get install openocd"

_ACCESS = "{advice}"
_CABLE = "is its cable plugged in, and does the board have power?"
FAILURES = (
    Failure(r"LIBUSB_ERROR_ACCESS", "no permission to use the probe", _ACCESS),
    Failure(r"LIBUSB_ERROR_BUSY", "another program uses the probe", "end other debuggers"),
    Failure(r"Invalid serial number", "the probe has another kind of serial number", "--serial N"),
    Failure(
        r"Can't find (?P<file>\S+)",
        "it has no {file}",
        "openocd 0.12 or newer is needed: apt-get install openocd",
    ),
    Failure(
        r"Error: open failed|No J-Link device found|unable to find a matching CMSIS-DAP"
        r"|unable to open (?:ftdi|CMSIS-DAP) device|no device found",
        "it cannot open the probe",
        _CABLE + " If it is: {advice}",
    ),
    Failure(
        r"AP lock engaged",
        "the chip is locked",
        "unlocking erases all of it: the README of the board's folder has the line",
    ),
    Failure(
        r"init mode failed|Error connecting DP|cannot read IDR|unable to connect to the target"
        r"|Target not examined|Examination failed",
        "the probe is there, the chip does not answer",
        "has the board power, is the chip locked? hold its reset button and try again",
    ),
    Failure(r"target voltage may be too low", "the board has no power", "plug in its supply"),
    Failure(
        r"contents differ|checksum mismatch|[Vv]erify [Ff]ailed",
        "what was written is not what is there",
        "once more; then slower, or with another cable",
    ),
    Failure(r"protected|write protect", "the flash is protected", "unlock it with --erase"),
    Failure(
        r"No flash at address|no flash bank|not contain .*flash",
        "its configuration has no flash there",
        "is it the right board?",
    ),
    Failure(r"invalid (?:sub)?command", "it is too old for these commands", GET),
    Failure(r"timed out|timeout", "the chip stopped answering", _CABLE),
)


def job(plan: Plan, serial: str, *, verify: bool, advice: str) -> Job:
    """Return what OpenOCD has to do.

    Args:
        plan: what is written.
        serial: number of the probe; "" where there is only one.
        verify: read back what was written.
        advice: what to do about permissions.

    Raises:
        UsageError: the board has no configuration for it.
    """
    probe = plan.board.probe
    if probe is None or not probe.openocd:
        raise UsageError(f"{plan.board.name} has no configuration for OpenOCD", "[probe] openocd")
    words = [PROGRAM, *probe.openocd_words]
    for command in _commands(plan, serial, verify=verify):
        words += ["-c", command]
    return Job(
        tool="OpenOCD",
        files=files(plan),
        commands=(tuple(words),),
        failures=FAILURES,
        complaint=r"Error|LIBUSB|contents differ|AP lock|invalid (?:sub)?command|[Nn]o flash",
        wrote=r"wrote (\d+) bytes from file",
        verified=r"^verified \d+ bytes",
        verifications=len(plan.pieces) if verify else 0,
        advice=advice,
    )


def files(plan: Plan) -> dict[str, bytes]:
    """Return the pieces of a plan by the names of their files."""
    return {f"{piece.address:08x}.bin": piece.data for piece in plan.pieces}


def _commands(plan: Plan, serial: str, *, verify: bool) -> list[str]:
    places: Sequence[Place] = [plan.whole] if plan.erase_all else plan.places
    names = [(name, int(name[:8], 16)) for name in files(plan)]
    return [
        *([f"adapter serial {serial}"] if serial else []),
        *("gdb_port disabled", "tcl_port disabled", "telnet_port disabled"),
        *("init", "reset init"),
        *(
            f"flash erase_address pad {place.address:#010x} {place.end - place.address:#x}"
            for place in places
        ),
        *(f"flash write_image {name} {address:#010x} bin" for name, address in names),
        *(f"verify_image {name} {address:#010x} bin" for name, address in names if verify),
        *("reset run", "shutdown"),
    ]
