# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""pyOCD: CMSIS-DAP, J-Link, ST-Link (its documentation: "Command reference", 0.35 and newer).

It does not verify what it writes, so all of it is read back and compared here. Its erasing of a
whole chip is not used: on some that erases the settings too that let a probe in (nRF52's UICR).
"""

from collections.abc import Sequence

from torpor.errors import UsageError
from torpor.flash.job import Failure, Job
from torpor.flash.openocd import files
from torpor.flash.plan import Place, Plan

PROGRAM = "pyocd"
GET = "pip install pyocd"

FAILURES = (
    Failure(
        r"No (?:available|connected) debug probe|[Nn]o probe with unique ID",
        "it finds no probe",
        "is the cable plugged in? If it is: {advice}",
    ),
    Failure(
        r"[Aa]ccess denied|[Ii]nsufficient permissions",
        "no permission to use the probe",
        "{advice}",
    ),
    Failure(
        r"[Tt]arget type '?(?P<name>\S+?)'? (?:is )?not recogni[sz]ed",
        "it does not know the chip {name}",
        "pyocd pack install {name}",
    ),
    Failure(r"[Rr]esource busy|already (?:open|claimed)", "another program uses the probe"),
    Failure(
        r"No ACK|SWD/JTAG [Cc]ommunication failure|Memory transfer fault|Unexpected ACK",
        "the probe is there, the chip does not answer",
        "has the board power? hold its reset button and try again",
    ),
    Failure(r"locked", "the chip is locked", "unlock it, which erases it: pyocd erase --mass"),
    Failure(
        r"flash (?:erase|program)[a-z ]* failure|Flash.*fail", "the flash could not be written"
    ),
)


def job(plan: Plan, serial: str, *, verify: bool, advice: str) -> Job:
    """Return what pyOCD has to do; arguments and errors as those of `openocd.job`."""
    probe = plan.board.probe
    if probe is None or not probe.pyocd:
        raise UsageError(f"{plan.board.name} has no target for pyOCD", "[probe] pyocd")
    common = ["-W", "-t", probe.pyocd, *(["-u", serial] if serial else [])]
    places: Sequence[Place] = [plan.whole] if plan.erase_all else plan.places
    ranges = [f"{place.address:#x}-{place.end:#x}" for place in places]
    written = files(plan)
    loads = [f"{name}@{piece.address:#x}" for name, piece in zip(written, plan.pieces, strict=True)]
    return Job(
        tool="pyOCD",
        files=written,
        commands=(
            (PROGRAM, "erase", *common, "-s", *ranges),
            (PROGRAM, "load", *common, "--no-reset", *loads),
            (PROGRAM, "commander", *common, *_last(plan, verify=verify)),
        ),
        failures=FAILURES,
        wrote=r"programmed (\d+) bytes",
        read_back={f"read-{name}": data for name, data in written.items() if verify},
        advice=advice,
    )


def _last(plan: Plan, *, verify: bool) -> list[str]:
    words = []
    for piece in plan.pieces if verify else ():
        name = f"read-{piece.address:08x}.bin"
        words += ["-c", f"savemem {piece.address:#x} {piece.size} {name}"]
    return [*words, "-c", "reset"]
