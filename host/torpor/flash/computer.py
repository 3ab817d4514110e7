# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""USB devices, serial ports and drives of this computer.

On Linux what the kernel says in /sys and /proc is read: probes without a serial port are there
too, and a drive is known by the device that it belongs to. Elsewhere pyserial names the ports, and
/Volumes the drives.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

_OCTAL = re.compile(r"\\([0-7]{3})")
_HEX = re.compile(r"\\x([0-9a-fA-F]{2})")


@dataclass(frozen=True)
class Usb:
    """A USB device.

    Attributes:
        id: "VID:PID", hexadecimal.
        serial: its serial number, "" if it has none.
        name: what it says it is.
        ports: its serial ports: "/dev/ttyACM0".
        disks: its disks: "sdb".
        node: what libusb opens; None where that is not known.
        place: its folder in /sys; None where there is none.
    """

    id: str
    serial: str = ""
    name: str = ""
    ports: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()
    node: Path | None = None
    place: Path | None = None

    def __str__(self) -> str:
        number = f", serial number {self.serial}" if self.serial else ""
        ports = f", {' '.join(self.ports)}" if self.ports else ""
        return f"{self.name or 'USB device'} ({self.id}){number}{ports}"


@dataclass(frozen=True)
class Drive:
    """A drive that files can be copied to.

    Attributes:
        label: its name.
        folder: where it is mounted, None if it is not.
        device: "/dev/sdb"; "" if that is not known.
        usb: what it belongs to, None if that is not known.
    """

    label: str
    folder: Path | None
    device: str = ""
    usb: Usb | None = None

    def __str__(self) -> str:
        where = self.folder or f"{self.device}, not mounted"
        number = f", serial number {self.usb.serial}" if self.usb and self.usb.serial else ""
        return f"{self.label} ({where}){number}"


class Computer:
    """What is plugged in now.

    Args:
        root: below which /sys, /proc, /dev and /Volumes are looked for.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._devices = root / "sys" / "bus" / "usb" / "devices"
        self._mounts = root / "proc" / "mounts"

    @property
    def sees_usb(self) -> bool:
        """All USB devices are seen, not only those with a serial port."""
        return self._devices.is_dir()

    def usb(self) -> list[Usb]:
        """Return the USB devices."""
        if self.sees_usb:
            places = sorted(self._devices.iterdir(), key=lambda place: place.name)
            return [self._device(place) for place in places if (place / "idVendor").exists()]
        return [
            Usb(
                f"{port.vid:04x}:{port.pid:04x}",
                port.serial_number or "",
                port.product or "",
                (port.device,),
            )
            for port in list_ports.comports()
            if port.vid is not None
        ]

    def _device(self, place: Path) -> Usb:
        name = place.name
        ports = [*place.glob(f"{name}:*/tty/tty*"), *place.glob(f"{name}:*/tty*/tty/tty*")]
        disks = place.glob(f"{name}:*/host*/target*/*/block/*")
        bus, number = _text(place / "busnum"), _text(place / "devnum")
        node = None
        if bus.isdecimal() and number.isdecimal():
            node = self._root / "dev" / "bus" / "usb" / f"{int(bus):03}" / f"{int(number):03}"
        return Usb(
            f"{_text(place / 'idVendor')}:{_text(place / 'idProduct')}".lower(),
            _text(place / "serial"),
            " ".join(filter(None, (_text(place / "manufacturer"), _text(place / "product")))),
            tuple(sorted(f"/dev/{port.name}" for port in ports)),
            tuple(sorted(disk.name for disk in disks)),
            node,
            place,
        )

    def drives(self, label: str) -> list[Drive]:
        """Return the drives of that name, those too that are not mounted."""
        devices = self.usb()
        found = [
            self._drive(label, device, folder, devices)
            for device, folder in self._mounted().items()
            if folder.name == label
        ]
        volume = self._root / "Volumes" / label
        if volume.is_dir():
            found.append(Drive(label, volume))
        return found or self._unmounted(label, devices)

    def _drive(self, label: str, device: str, folder: Path | None, devices: list[Usb]) -> Drive:
        name = Path(device).name
        owners = [usb for usb in devices for disk in usb.disks if name.startswith(disk)]
        return Drive(label, folder, device, owners[0] if owners else None)

    def _unmounted(self, label: str, devices: list[Usb]) -> list[Drive]:
        links = self._root / "dev" / "disk" / "by-label"
        found = []
        for link in sorted(links.iterdir()) if links.is_dir() else ():
            if _HEX.sub(lambda match: chr(int(match[1], 16)), link.name) == label:
                device = f"/dev/{link.readlink().name}"
                mounted = self._mounted().get(device)  # somewhere that is called otherwise
                found.append(self._drive(label, device, mounted, devices))
        return found

    def _mounted(self) -> dict[str, Path]:
        """Return where devices are mounted."""
        found = {}
        for line in _text(self._mounts).splitlines():
            words = [_OCTAL.sub(lambda m: chr(int(m[1], 8)), word) for word in line.split()]
            if len(words) >= 2 and words[0].startswith("/"):
                found[words[0]] = self._root / words[1].lstrip("/")
        return found

    def has(self, drive: Drive) -> bool:
        """Say whether a drive is still there: mounted, and its device plugged in."""
        if drive.folder is None or not drive.folder.is_dir():
            return False
        if drive.usb and drive.usb.place and not drive.usb.place.exists():
            return False
        return not drive.device or self._mounted().get(drive.device) == drive.folder


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
