# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Bring firmware onto a board over its cable.

BUILD is the folder of a build, FILE an ELF file or an image; without them the newest build for the
board. All that belongs together is written: the bootloader, the firmware in slot A and the model,
or a firmware that runs without a bootloader. The journal is erased, so that the device begins a new
life; what else is in the flash stays, unless --erase. What is for another board, damaged, or signed
with a key that the bootloader does not know is refused before anything is touched.

The tool is the first of the board's ([probe] of its board.toml) that is installed and has its
probe, port or drive plugged in; where none has and a torpor device answers at a port, it is updated
over SMP, as torpor update does. docs/FLASHING.md tells what to plug in, board by board.

Exits 0 when it is done and, as far as the tool can, verified; 2 when there is a choice to make, 3
when a tool is missing, 7 when nothing is plugged in or it did not work, 8 when a file is refused.
"""

import argparse
import hashlib
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torpor.board import Board, board_names, load_board
from torpor.board.facts import PROBE_TOOLS
from torpor.cli import whole_number
from torpor.cli._progress import transfer
from torpor.errors import DeviceError, MissingToolError, UsageError
from torpor.flash import advice, drive, esptool, openocd, pyocd
from torpor.flash.choose import SMP, Choice, NothingError, Wish, choose, smp_ports
from torpor.flash.computer import Computer, Drive, Usb
from torpor.flash.job import Job, lay_out
from torpor.flash.job import run as run_job
from torpor.flash.plan import Plan
from torpor.flash.sources import PARTS, plan_for
from torpor.paths import BUILD

COMPUTER = Computer()
PATIENCE = drive.Patience()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor flash`."""
    parser.add_argument(
        "files", metavar="BUILD|FILE", nargs="*", type=Path, help="default: the newest build"
    )
    parser.add_argument("--board", metavar="B", help="the board; torpor boards lists them")
    parser.add_argument("--port", default="", metavar="P", help="serial port of the board")
    parser.add_argument(
        "--serial", default="", metavar="N", help="serial number of the board's probe, or its begin"
    )
    parser.add_argument(
        "--tool",
        default="",
        choices=(*PROBE_TOOLS, SMP),
        metavar="T",
        help="only this: openocd, pyocd, esptool, uf2, drive (DAPLink) or smp",
    )
    parser.add_argument(
        "--what",
        default="all",
        choices=PARTS,
        metavar="PART",
        help="of a build: boot, firmware, model or all (default)",
    )
    parser.add_argument("--erase", action="store_true", help="erase all of the flash first")
    parser.add_argument(
        "--baud",
        type=whole_number(1),
        metavar="N",
        help=f"of serial ports; default: {esptool.BAUD} for esptool, 115200 for SMP",
    )
    parser.add_argument("--no-verify", action="store_true", help="do not read back what is written")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be done; do nothing to the board"
    )
    parser.add_argument(
        "--udev",
        action="store_true",
        help="print a udev rule for the board's probe, or all boards'",
    )
    parser.add_argument("--json", action="store_true", help="print an object")


def run(args: argparse.Namespace) -> int:
    """Flash a board; return the exit code."""
    if args.udev:
        return _print_rules(args)
    if not args.board:
        raise UsageError("which board?", f"--board B; known: {', '.join(board_names())}")
    board = load_board(args.board)
    if board.probe is None and args.tool != SMP:
        raise UsageError(
            f"{board.name} has no cable to flash it over: it is emulated",
            f"torpor emulate --board {board.name}; a device at a port: --tool smp --port P",
        )
    plan, notes = plan_for(board, args.files, args.what, erase_all=args.erase)
    for note in notes:
        _tell(f"note: {note}")
    choice = _choice(board, args, notes)
    _tell(f"{board.name}: {choice.tool} over {choice}")
    if choice.tool == SMP:
        return _over_smp(plan, choice.port, args)
    if choice.drive is not None:
        return _over_drive(plan, choice, notes, args)
    return _over_tool(plan, choice, notes, args)


def _print_rules(args: argparse.Namespace) -> int:
    names = [args.board] if args.board else board_names()
    probes = [board.probe for board in map(load_board, names) if board.probe]
    for line in advice.udev_rules(tuple(sorted({one for probe in probes for one in probe.usb}))):
        print(line)
    return 0


# ---- which tool


def _choice(board: Board, args: argparse.Namespace, notes: list[str]) -> Choice:
    wish = Wish(args.tool, args.port, args.serial)
    try:
        return choose(board, COMPUTER, wish)
    except (NothingError, MissingToolError) as error:
        if args.dry_run:
            notes.append(error.message)
            _tell(f"note: {error.message}")
            return _assumed(board, wish)
        if args.tool:
            raise
        for port in smp_ports(board, COMPUTER, wish):
            if _answers(port, args):
                return Choice(SMP, port=port)
        raise


def _assumed(board: Board, wish: Wish) -> Choice:
    """Return what a dry run goes on with where nothing is plugged in."""
    assert board.probe is not None
    tool = wish.tool or board.probe.tools[0]
    if tool in ("uf2", "drive"):
        return Choice(tool, drive=Drive(board.probe.volume, Path("/media") / board.probe.volume))
    usb = Usb("", wish.serial) if wish.serial else None
    return Choice(tool, usb=usb, port=wish.port or ("PORT" if tool == "esptool" else ""))


def _answers(port: str, args: argparse.Namespace) -> bool:
    """Say whether a torpor device that can be updated is at a port."""
    from torpor.update.device import Device  # noqa: PLC0415  (imports smpclient)

    try:
        with Device(port, baud=args.baud or 115200) as device:
            device.connect()
            return True
    except DeviceError as error:
        _tell(f"{port}: {error.message}")
        return False


# ---- doing it


def _over_tool(plan: Plan, choice: Choice, notes: list[str], args: argparse.Namespace) -> int:
    job = _job(plan, choice, args)
    if args.dry_run:
        folder = BUILD / plan.board.name / "flash"
        lay_out(job, folder)
        return _report(plan, choice, args, notes, commands=job.lines(folder))
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torpor-flash-") as name:
        lay_out(job, Path(name))
        with transfer(sum(map(len, job.files.values())), plan.board.name) as show:
            run_job(job, Path(name), show)
    seconds = time.monotonic() - begin
    verified = choice.tool == "esptool" or not args.no_verify
    return _report(plan, choice, args, notes, seconds=seconds, verified=verified)


def _job(plan: Plan, choice: Choice, args: argparse.Namespace) -> Job:
    help_ = advice.for_probe((choice.usb.id,) if choice.usb else ())
    if choice.tool == "esptool":
        baud = args.baud or esptool.BAUD
        return esptool.job(plan, choice.port, baud=baud, advice=help_)
    make: Callable[..., Job] = {"openocd": openocd.job, "pyocd": pyocd.job}[choice.tool]
    return make(plan, choice.serial, verify=not args.no_verify, advice=help_)


def _over_drive(plan: Plan, choice: Choice, notes: list[str], args: argparse.Namespace) -> int:
    assert choice.drive is not None
    copy = drive.uf2_copy(plan) if choice.tool == "uf2" else drive.hex_copy(plan)
    if choice.tool == "drive":
        notes.append("such a drive may erase all of the flash: DAPLink erases all of the chip")
        _tell(f"note: {notes[-1]}")
    if args.dry_run:
        folder = BUILD / plan.board.name / "flash"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / copy.name).write_bytes(copy.data)
        place = str(choice.drive.folder or choice.drive.label)
        words = [shlex.join(["cp", str(folder / copy.name), place])]
        return _report(plan, choice, args, notes, commands=words)
    begin = time.monotonic()
    with transfer(len(copy.data), copy.name) as show:
        words = [drive.send(copy, choice.drive, COMPUTER, show, PATIENCE)]
    notes.append(f"{words[0]}; a drive cannot be read back")
    return _report(plan, choice, args, notes, seconds=time.monotonic() - begin)


def _over_smp(plan: Plan, port: str, args: argparse.Namespace) -> int:
    """Hand over to `torpor update`: a running device takes images."""
    from torpor.cli import update  # noqa: PLC0415  (imports smpclient)

    sources = [piece.source for piece in plan.pieces if piece.what.startswith(("firmware ", "mod"))]
    if not sources or args.what == "boot" or args.erase:
        raise UsageError(
            "a running device takes images, and no bootloader or --erase", "scons ... image"
        )
    folder = sources[0] if args.files and args.files[0].is_file() else sources[0].parent
    source = sources[0] if args.what == "model" else folder
    words = [str(source), "--port", port, *(["--json"] if args.json else [])]
    if args.baud:
        words += ["--baud", str(args.baud)]
    if args.dry_run:
        print(shlex.join(["torpor", "update", *words]))
        return 0
    parser = argparse.ArgumentParser()
    update.add_arguments(parser)
    return update.run(parser.parse_args(words))


# ---- telling


def _report(
    plan: Plan,
    choice: Choice,
    args: argparse.Namespace,
    notes: list[str],
    *,
    commands: list[str] | None = None,
    seconds: float = 0.0,
    verified: bool = False,
) -> int:
    if args.json:
        said = describe(plan, choice) | {"dry_run": args.dry_run, "notes": notes}
        more = {"commands": commands} if args.dry_run else {"seconds": round(seconds, 3)}
        print(json.dumps(said | more | {"verified": verified}, indent=2))
    elif args.dry_run:
        for line in [*_places(plan), "", *(commands or [])]:
            print(line)
    else:
        names = ", ".join(dict.fromkeys(piece.what for piece in plan.pieces))
        how = "written and verified" if verified else f"written, not verified: {_why(notes, args)}"
        print(f"{plan.board.name}: {names}: {plan.size:,} bytes {how}")
    return 0


def _why(notes: list[str], args: argparse.Namespace) -> str:
    return "--no-verify" if args.no_verify else notes[-1]


def _places(plan: Plan) -> list[str]:
    """Return the plan as lines."""
    lines = [
        f"{piece.address:#010x} to {piece.end:#010x}  {piece.what}: {piece.source}"
        for piece in plan.pieces
    ]
    gaps = [plan.whole] if plan.erase_all else plan.erasures
    return lines + [f"{gap.address:#010x} to {gap.end:#010x}  {gap.what}, erased" for gap in gaps]


def describe(plan: Plan, choice: Choice) -> dict[str, Any]:
    """Return what --json prints of a plan and of what it goes over."""
    usb, target = choice.usb, choice.drive
    return {
        "board": plan.board.name,
        "tool": choice.tool,
        "over": {
            "name": str(choice),
            "usb": usb.id if usb else None,
            "serial": usb.serial if usb else None,
            "port": choice.port or None,
            "drive": str(target.folder) if target and target.folder else None,
        },
        "pieces": [
            {
                "what": piece.what,
                "address": piece.address,
                "bytes": piece.size,
                "sha256": hashlib.sha256(piece.data).hexdigest(),
                "file": str(piece.source),
            }
            for piece in plan.pieces
        ],
        "erased": [
            {"what": gap.what, "address": gap.address, "bytes": gap.size}
            for gap in ([plan.whole] if plan.erase_all else plan.erasures)
        ],
    }


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
