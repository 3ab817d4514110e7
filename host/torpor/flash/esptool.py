# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""esptool: Espressif's chips, through the loader in their ROM (its documentation, 5.0 and newer).

It is run as a program: its licence is the GPL. It compares an MD5 of everything it has written.
"""

import sys

from torpor.errors import UsageError
from torpor.flash.job import Failure, Job
from torpor.flash.plan import Plan

BAUD = 460800
_BOOT = "hold BOOT, press RESET, let go of BOOT, and try again"

FAILURES = (
    Failure(
        r"^Lost connection",
        "the connection was lost on the way",
        "another cable or USB port, or slower: --baud 115200",
    ),
    Failure(r"Errno 13|[Pp]ermission denied", "no permission to use the port", "{advice}"),
    Failure(
        r"Errno 16|[Rr]esource busy|exclusively lock|multiple access",
        "another program uses the port",
        "end torpor monitor, or whatever has it open",
    ),
    Failure(r"Errno 2\b|No such file", "the port is not there", "is the cable plugged in?"),
    Failure(r"Could not open", "the port cannot be opened", "is it the right one?"),
    Failure(
        r"[Tt]his chip is (?P<chip>[\w-]+),? not (?P<wanted>[\w-]+)",
        "the chip is an {chip}, not an {wanted}",
        "is it the right board?",
    ),
    Failure(r"chip[ _-]?(?:ID|id|magic)?.*(?:not match|mismatch|Wrong)", "it is another chip"),
    Failure(r"Secure Download|secure boot", "the chip is locked", "its fuses allow no flashing"),
    Failure(
        r"MD5 of file does not match|[Dd]igest mismatch|verif\w+ failed",
        "what was written is not what is there",
        "once more; then slower: another cable, or --baud 115200",
    ),
    Failure(
        r"Failed to connect|No serial data received|Wrong boot mode|Download mode .*not",
        "the chip's loader does not answer",
        _BOOT,
    ),
    Failure(r"larger than|exceed.* flash|flash size", "the chip's flash is too small"),
    Failure(
        r"No more data to read|Serial data stream stopped|[Tt]imed? ?out|Invalid head of packet|"
        r"[Cc]orrupt|noise|stopped responding|Packet content transfer|device disconnected|"
        r"readiness to read but returned no data|Response doesn't match|Input/output error",
        "the connection was lost on the way",
        "another cable or USB port, or slower: --baud 115200",
    ),
)


def job(plan: Plan, port: str, *, baud: int, advice: str) -> Job:
    """Return what esptool has to do.

    Args:
        plan: what is written.
        port: of the chip.
        baud: of writing.
        advice: what to do about permissions.

    Raises:
        UsageError: the board has no such chip.
    """
    probe = plan.board.probe
    if probe is None or not probe.esptool:
        raise UsageError(f"{plan.board.name} has no chip of Espressif's", "[probe] esptool")
    files, words = {}, []
    for place in plan.places:
        offset = place.address - plan.origin
        name = f"{offset:08x}.bin"
        files[name] = place.data
        words += [f"{offset:#x}", name]
    command = [
        *(sys.executable, "-m", "esptool", "--chip", probe.esptool, "--port", port),
        *("--baud", str(baud), "--before", "default-reset", "--after", "hard-reset"),
        *("write-flash", *(["--erase-all"] if plan.erase_all else []), *words),
    ]
    return Job(
        tool="esptool",
        files=files,
        commands=(tuple(command),),
        failures=FAILURES,
        complaint=r"(?i)err(?:or|no)|^Lost connection",
        percent=r"^Writing at 0x[0-9a-f]+.* (\d+\.\d)% ",
        wrote=r"^Wrote (\d+) bytes",
        verified=r"^Hash of data verified",
        verifications=len(files),
        advice=advice,
    )
