# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Make and show the keys that images are signed with.

`torpor keys new FILE` makes a private key, which only you can read. `torpor keys show FILE` says
what is in a key file: the public half, which devices know, and its hash, by which images name it.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

from torpor.image.keys import Key, new_key, read_key

_ADVICE = """\
{path} can make firmware for your devices: keep it secret, out of git, and in a second place.
Devices learn its public half when they get their bootloader, and take nothing else from then on:
  scons board=BOARD model=MODEL key={quoted} image
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of `torpor keys`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, words in (
        ("new", "make a private key; refuses to overwrite"),
        ("show", "say what is in a key file"),
    ):
        action = actions.add_parser(name, help=words, description=words)
        action.add_argument("file", metavar="FILE", type=Path, help="PEM file")
        action.add_argument("--json", action="store_true", help="print an object")


def run(args: argparse.Namespace) -> int:
    """Make or show a key."""
    key = new_key(args.file) if args.action == "new" else read_key(args.file)
    if args.json:
        print(json.dumps(describe(key), indent=2))
    else:
        print(
            "".join(f"{name:<12} {_text(value)}\n" for name, value in describe(key).items()), end=""
        )
    if args.action == "new":
        text = _ADVICE.format(path=args.file, quoted=shlex.quote(str(args.file)))
        print(f"\n{text}", end="", file=sys.stderr)
    return 0


def describe(key: Key) -> dict[str, str | bool]:
    """Return what is said of a key; nothing of it is secret."""
    return {
        "file": str(key.path),
        "public": key.public.hex(),
        "hash": key.hash.hex(),
        "private": key.is_private,
        "development": key.is_development,
    }


def _text(value: str | bool) -> str:
    return value if isinstance(value, str) else "yes" if value else "no"
