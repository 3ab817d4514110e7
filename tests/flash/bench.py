# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A workbench: boards, builds, and a computer with things plugged in, all in one folder."""

import contextlib
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.flash import stand, tools
from tests.flash.elves import program
from tests.support import images
from tests.support.images import ImageParts, key, public_bytes
from torpor.board import Board
from torpor.board.load import parse_board
from torpor.cli.main import main
from torpor.paths import ROOT
from torpor.plan.layout import CONST, sizeof

STM, NRF, ESP, PICO, BIT = "toy_stm", "toy_nrf", "toy_esp", "toy_pico", "toy_bit"
PLAN = CONST["PLAN_MAGIC"].to_bytes(4, "little") + bytes(sizeof("plan_header_t"))

_BOARD = """
[board]
title = "A toy"
tier = "built"
port = "nrf51"
links = 2
sources = ["none"]

[core]
name = "cortex-m0"
toolchain = "arm-none-eabi"
flags = []
plan_targets = ["portable"]

[memory.code]
kind = "rom"
origin = {code:#x}
size = 0x80000
constants = {origin:#x}

[memory.ram]
kind = "ram"
origin = 0x20000000
size = 0x8000

{more}[flash]
origin = {origin:#x}
size = 0x80000
write_size = 4
erase_size = 4096
erase_ms = 20

[slots]
boot = 0x4000
stack = 3584
journal = 0x4000
journal_size = 0x2000
firmware = [0x6000, 0x26000]
firmware_size = 0x20000
models = [0x46000, 0x4A000, 0x4E000]
model_size = 0x4000

[uart]
base = 0x40002000
irq = 2
clock_hz = 16_000_000
baud = 115200

[timer]
kind = "systick"
hz = 16_000_000

[budget]
flash = 0x10000
ram = 0x4000
stack = 2048

[probe]
"""
_BOOT = """\
[memory.boot]
kind = "ram"
origin = 0x20006000
size = 0x2000

"""
_PROBES = {
    STM: (
        tools.ORIGIN,
        'tools = ["openocd", "pyocd"]\nusb = ["0483:374B"]\npyocd = "stm32f407vg"\n'
        'openocd = ["interface/stlink.cfg", "target/stm32f4x.cfg"]\nhelp = "use the socket CN1"',
    ),
    NRF: (
        tools.ORIGIN,
        'tools = ["pyocd", "openocd"]\nusb = ["1366:1015"]\npyocd = "nrf52840"\n'
        'openocd = ["interface/jlink.cfg", "transport select swd", "target/nrf52.cfg"]',
    ),
    ESP: (
        0x3C000000,
        'tools = ["esptool"]\nusb = ["10c4:ea60", "303a:1001"]\nesptool = "esp32c3"\n'
        'help = "hold BOOT while plugging it in"',
    ),
    PICO: (
        0x10000000,
        'tools = ["uf2", "openocd"]\nusb = ["2e8a:0003", "2e8a:000c"]\nuf2_family = 0xE48BFF56\n'
        'volume = "RPI-RP2"\nopenocd = ["interface/cmsis-dap.cfg", "target/rp2040.cfg"]\n'
        'help = "hold BOOTSEL while plugging it in"',
    ),
    BIT: (0, 'tools = ["drive"]\nusb = ["0d28:0204"]\nvolume = "MICROBIT"'),
}


def board_text(name: str) -> str:
    """Return the board.toml of one of the toys."""
    origin, probe = _PROBES[name]
    code, more = (0x42000000, _BOOT) if name == ESP else (origin, "")
    return _BOARD.format(origin=origin, code=code, more=more) + probe + "\n"


def toy(name: str) -> Board:
    """Return one of the toys."""
    return parse_board(name, board_text(name), "board.toml")


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        assert self.code != 70 and "Traceback" not in self.err, self.err

    @property
    def json(self) -> Any:
        """What it printed."""
        return json.loads(self.out)


@dataclass
class Bench:
    """All of it.

    Attributes:
        root: the folder.
        path: what PATH is; programs that were put on it, and no others.
    """

    root: Path
    path: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path.append(self.root / "bin")
        for name in _PROBES:
            (self.root / "boards" / name).mkdir(parents=True)
            (self.root / "boards" / name / "board.toml").write_text(board_text(name))
        self.computer.joinpath("sys/bus/usb/devices").mkdir(parents=True)
        self.computer.joinpath("proc").mkdir()
        self.mounts.write_text("proc /proc proc rw 0 0\n")
        self.state.mkdir()
        (self.state / "flash").write_bytes(b"\x33" * 0x80000)

    @property
    def computer(self) -> Path:
        """Root of the computer's files."""
        return self.root / "computer"

    @property
    def mounts(self) -> Path:
        """What is mounted."""
        return self.computer / "proc" / "mounts"

    @property
    def state(self) -> Path:
        """Folder of the tools' state."""
        return self.root / "state"

    def flash(self, *words: str | Path, process: bool = False) -> Result:
        """Run `torpor flash`, as a user would: as a process, or in this one, which is faster."""
        environment = {"PATH": ":".join(map(str, self.path)), "COLUMNS": "100"}
        if not process:
            return self._flash_here(["torpor", "flash", *map(str, words)], environment)
        command = [sys.executable, "-m", "tests.flash.stand", str(self.root), "flash"]
        done = subprocess.run(
            [*command, *map(str, words)],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def _flash_here(self, words: list[str], environment: dict[str, str]) -> Result:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for module, name, value in stand.places(self.root):
                patch.setattr(module, name, value)
            for name, text in environment.items():
                patch.setenv(name, text)
            patch.setattr(sys, "argv", words)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    code = main()
                except SystemExit as end:  # argparse's
                    code = int(str(end.code))
        return Result(code, out.getvalue(), err.getvalue())

    # ---- builds

    def build(
        self, board: str, variant: str = "motion-int8", named: bytes = b"", **changes: Any
    ) -> Path:
        """Leave what `scons image` leaves; return the folder.

        Args:
            board: that it is for.
            variant: name of the folder.
            named: board that the images name.
            changes: members of the firmware's ImageParts.
        """
        facts = toy(board)
        assert facts.flash is not None and facts.slots is not None
        origin = facts.flash.origin
        place = self.root / "build" / board
        program(place / "boot" / "boot.elf", board, origin, key=public_bytes(key()), boot=True)
        folder = place / variant / "image"
        folder.mkdir(parents=True, exist_ok=True)
        for letter, offset in zip("ab", facts.slots.firmware, strict=True):
            payload = hashlib.sha256(letter.encode()).digest() * 200
            parts = ImageParts(payload=payload, board=named or board.encode())
            parts = replace(parts, address=origin + offset)
            (folder / f"firmware-{letter}.bin").write_bytes(replace(parts, **changes).build())
            program(
                folder / f"firmware-{letter}.elf", board, origin + offset + 0x200, key=bytes(32)
            )
        (folder / "model.bin").write_bytes(images.model(PLAN, key=changes.get("key", key())))
        return folder.parent

    def plain(self, board: str, variant: str = "motion-int8") -> Path:
        """Leave what `scons` leaves; return the folder."""
        facts = toy(board)
        assert facts.flash is not None
        elf = self.root / "build" / board / variant / "firmware.elf"
        return program(elf, board, facts.flash.origin, size=9000).parent

    # ---- programs

    def tool(self, name: str, say: str = "", code: int = 1) -> None:
        """Install OpenOCD or pyOCD; with `say` it only says that, and ends with `code`."""
        script = self.root / "bin" / name
        script.parent.mkdir(exist_ok=True)
        fake = Path(tools.__file__)
        script.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{fake}" {name} "{self.state}" "$@"\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        if say:
            (self.state / "say").write_text(f"{code}\n{say}")

    def calls(self) -> list[list[str]]:
        """Return the command lines of tools that ran."""
        path = self.state / "argv"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def content(self) -> bytes:
        """Return what is in the flash that OpenOCD and pyOCD see."""
        return (self.state / "flash").read_bytes()

    # ---- things that are plugged in

    def usb(
        self, identity: str, serial: str = "", name: str = "Probe", port: str = "", disk: str = ""
    ) -> Path:
        """Plug in a USB device; return its folder in /sys."""
        devices = self.computer / "sys" / "bus" / "usb" / "devices"
        number = len(list(devices.iterdir())) + 1
        place = devices / f"1-{number}"
        place.mkdir()
        facts = {"busnum": "1", "devnum": str(number), "product": name, "serial": serial}
        facts["idVendor"], facts["idProduct"] = identity.split(":")
        for key_, value in facts.items():
            if value:
                (place / key_).write_text(value + "\n")
        if port:
            (place / f"1-{number}:1.0" / "tty" / port).mkdir(parents=True)
        if disk:
            parts = f"1-{number}:1.1", "host3", "target3:0:0", "3:0:0:0", "block", disk
            place.joinpath(*parts).mkdir(parents=True)
        return place

    def drive(self, label: str, serial: str = "", disk: str = "sdb", usb: str = "") -> Path:
        """Plug in a drive and mount it; return its folder."""
        self.usb(usb or {"RPI-RP2": "2e8a:0003"}.get(label, "0d28:0204"), serial, label, disk=disk)
        folder = self.computer / "media" / disk / label
        folder.mkdir(parents=True)
        with self.mounts.open("a") as file:
            file.write(
                f"/dev/{disk} /media/{disk}/{label.replace(' ', chr(92) + '040')} vfat rw 0 0\n"
            )
        return folder

    def unmount(self, disk: str) -> None:
        """Let a drive go away."""
        lines = self.mounts.read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(f"/dev/{disk} ")]
        new = self.mounts.with_suffix(".new")
        new.write_text("".join(kept))
        new.replace(self.mounts)
