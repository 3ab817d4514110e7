# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What to do where something that is plugged in may not be used, or nothing is plugged in."""

import grp
import os
from pathlib import Path

from torpor.board import Probe

RULES = Path("/etc/udev/rules.d/60-torpor.rules")


def udev_rules(ids: tuple[str, ...]) -> list[str]:
    """Return the lines of a udev rule that lets whoever sits at the computer use devices.

    Args:
        ids: "VID:PID", hexadecimal.
    """
    lines = []
    for one in ids:
        vid, _, pid = one.lower().partition(":")
        match = f'ATTRS{{idVendor}}=="{vid}", ATTRS{{idProduct}}=="{pid}"'
        lines.append(f'SUBSYSTEM=="usb|tty|hidraw", {match}, MODE="660", TAG+="uaccess"')
    return lines


def for_probe(ids: tuple[str, ...]) -> str:
    """Return one line: how to get the permission to use a probe."""
    if not ids:
        return "docs/FLASHING.md has the udev rules"
    return f"torpor flash --udev > {RULES} (as root), then: udevadm control --reload; plug in again"


def for_port(port: str) -> str:
    """Return what is in the way of using a serial port, "" if nothing is."""
    path = Path(port)
    if not path.is_absolute() or not path.exists() or os.access(path, os.R_OK | os.W_OK):
        return ""
    try:
        group = grp.getgrgid(path.stat().st_gid).gr_name
    except KeyError:
        return "torpor flash --udev"
    return f"sudo usermod -aG {group} $USER, then log in again"


def for_nothing(probe: Probe) -> str:
    """Return one line: what to do where nothing was found."""
    cable = "is the cable plugged in, and is it one for data?"
    return f"{cable} Then: {probe.help}" if probe.help else cable
