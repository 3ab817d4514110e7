# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Make, sign, inspect and verify the images of updates.

An image is a firmware or a model with a header and a signature, in MCUboot's format. `scons image`
makes all that belong to a firmware; this command makes single ones and looks into them. Without
--key the development key is used, which everybody has.
"""

import argparse
import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import NoReturn

from torpor.board import Board, load_board
from torpor.cli import read_model, whole_number
from torpor.errors import TorporError, UsageError
from torpor.image import build
from torpor.image.capability import Capability, capability_of
from torpor.image.describe import describe, lines
from torpor.image.keys import DEVELOPMENT, Key, read_key
from torpor.image.parse import parse, read_image, verify
from torpor.image.place import slots_for
from torpor.image.sound import refuse_unsound
from torpor.image.version import Version
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan

_SLOTS = {"a": 0, "b": 1}
_PLAN_MAGIC = CONST["PLAN_MAGIC"].to_bytes(4, "little")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of `torpor image`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_build(actions.add_parser("build", help="make a signed image of a firmware or a plan"))
    again = actions.add_parser("sign", help="sign an image anew: other key, version or counter")
    again.add_argument("file", metavar="FILE", type=Path, help="an image")
    again.add_argument("--version", help="1.2.3 or 1.2.3+4 (default: as it is)")
    _add_signing(again, "as it is")
    look = actions.add_parser("inspect", help="say what is in an image")
    look.add_argument("file", metavar="FILE", type=Path, help="an image")
    look.add_argument("--json", action="store_true", help="print an object")
    check = actions.add_parser("verify", help="prove that an image is sound and who signed it")
    check.add_argument("file", metavar="FILE", type=Path, help="an image")
    check.add_argument("--board", help="prove too that it fits into a slot of this board")
    _add_key(check, "a public key is enough")


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="an ELF file, or a plan.bin")
    parser.add_argument("--version", required=True, help="1.2.3 or 1.2.3+4")
    _add_signing(parser, "0")
    parser.add_argument("--board", help="the board that it is for; models may do without")
    parser.add_argument(
        "--slot", type=str.lower, choices=_SLOTS, help="the slot that a firmware is linked for"
    )
    parser.add_argument("--plan", type=Path, help="the plan that is built into a firmware")
    parser.add_argument(
        "--kernels",
        type=Path,
        help="names of all kernels or registrations that are linked, one a line",
    )
    parser.add_argument("--arena", type=whole_number(0), help="bytes of the firmware's arena")


def _add_signing(parser: argparse.ArgumentParser, counter: str) -> None:
    parser.add_argument(
        "--counter",
        type=whole_number(0),
        help=f"security counter: a device never goes back below it (default: {counter})",
    )
    _add_key(parser, "a private key")
    parser.add_argument("-o", dest="out", metavar="OUT", type=Path, required=True, help="the image")


def _add_key(parser: argparse.ArgumentParser, words: str) -> None:
    text = f"PEM file, {words} (default: the development key)"
    parser.add_argument("--key", metavar="KEY", type=Path, default=DEVELOPMENT, help=text)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    return {"build": _build, "sign": _sign, "inspect": _inspect, "verify": _verify}[args.action](
        args
    )


def _build(args: argparse.Namespace) -> int:
    head = _read(args.file)[:4]
    if head == b"\x7fELF":
        contents = _firmware(args)
    elif head == _PLAN_MAGIC:
        contents = _model(args)
    else:
        raise UsageError(f"{args.file} is neither an ELF file nor a plan", "scons, torpor compile")
    version, key = Version.parse(args.version), read_key(args.key)
    _write(args.out, build.sign(contents, key, version, args.counter or 0))
    _note_built_in_key(contents, key)
    return 0


def _note_built_in_key(contents: build.Contents, key: Key) -> None:
    """Say so if a device would take a firmware, which then does not take itself."""
    if not contents.is_model and key.public not in contents.payload:
        print(
            "note: its code does not know this key: it will not confirm itself, and the device "
            "goes back. Build it with the key: scons key=KEY ... image",
            file=sys.stderr,
        )


def _firmware(args: argparse.Namespace) -> build.Contents:
    if args.board is None:
        raise UsageError("a firmware is for one board", "name it: --board")
    board = load_board(args.board)
    if (args.slot is None) != (board.links == 1):
        wanted = "no --slot" if args.slot else "--slot a or --slot b"
        raise UsageError(f"{board.name} needs {wanted}", f"links = {board.links} in board.toml")
    return build.firmware(args.file, board, _SLOTS.get(args.slot, 0), _capability(args, board))


def _capability(args: argparse.Namespace, board: Board) -> Capability | None:
    given = [value is not None for value in (args.plan, args.kernels, args.arena)]
    if not any(given):
        return None
    if not all(given):
        raise UsageError("--plan, --kernels and --arena belong together")
    header = Plan.parse(read_model(args.plan)).header
    kernels = _read(args.kernels).decode(errors="replace").split()
    return capability_of(header, kernels, args.arena, board.core.plan_targets)


def _model(args: argparse.Namespace) -> build.Contents:
    for name in ("slot", "plan", "kernels", "arena"):
        if getattr(args, name) is not None:
            raise UsageError(f"--{name} is for firmware, {args.file} is a plan")
    contents = build.model(_read(args.file), args.board and load_board(args.board))
    refuse_unsound(contents.payload)
    return contents


def _sign(args: argparse.Namespace) -> int:
    image = read_image(args.file)
    version = Version.parse(args.version) if args.version else image.version
    counter = image.counter if args.counter is None else args.counter
    contents, key = build.contents_of(image), read_key(args.key)
    _write(args.out, build.sign(contents, key, version, counter))
    _note_built_in_key(contents, key)
    return 0


def _inspect(args: argparse.Namespace) -> int:
    said = describe(read_image(args.file))
    if args.json:
        print(json.dumps({"file": str(args.file), **said}, indent=2))
    else:
        _print(said)
    return 0


def _verify(args: argparse.Namespace) -> int:
    image, key = read_image(args.file), read_key(args.key)
    board = load_board(args.board) if args.board else None
    try:
        verify(image, key)
        if board:
            slots_for(image, board)
    except TorporError as error:
        _refuse(args.file, error)
    print(f"{args.file}: sound, signed with {key.path}{_fits(args)}")
    return 0


def _refuse(path: Path, error: TorporError) -> NoReturn:
    raise type(error)(f"{path}: {error.message}", error.hint) from None


def _fits(args: argparse.Namespace) -> str:
    return f", fits {args.board}" if args.board else ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    """Write an image and print what is in it."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise TorporError(f"cannot write {path}: {error.strerror}") from None
    _print(describe(parse(data)))


def _print(said: dict[str, object]) -> None:
    width = max(shutil.get_terminal_size().columns, 40) - 12
    for title, text in lines(said):
        first, *more = textwrap.wrap(_printable(text), width)
        print(f"{title:<10} {first}", *(" " * 11 + line for line in more), sep="\n")


def _printable(text: str) -> str:
    """Return `text` with what is not printable spelled out: images come from anybody."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
