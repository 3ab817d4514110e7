# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reads a platform description of Renode's, as far as the boards use that language.

(Renode documentation, "Describing platforms".) What it does not know it refuses: it is here to find
mistakes before Renode does.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

ENTRY = re.compile(r"^(\w+): ([\w.]+) @ (.+)$")
ATTRIBUTE = re.compile(r"^(\w+): (.+)$")
WIRE = re.compile(r"^(?:(\w+|\[[\d\-, ]+\]) )?-> (\w+)@(\w+|\[[\d\-, ]+\])$")
PLACE = re.compile(r"^(\w+)(?: (0x[0-9A-F]+|\d+|<0x[0-9A-F]+, \+0x[0-9A-F]+>))?$")
COMMAND = re.compile(r"^\w+( \S+)*$")
NUMBER = re.compile(r"^(0x[0-9A-Fa-f]+|\d+)$")


class ReplError(Exception):
    """A line that is wrong."""


@dataclass
class Entry:
    """A peripheral.

    Attributes:
        name: of it.
        kind: namespace and class, below Antmicro.Renode.Peripherals.
        places: where it is registered: the name of a bus or port, and an address or number.
        attributes: what it is made with, as written.
        wires: names of what its outputs lead to.
        init: commands.
    """

    name: str
    kind: str
    places: list[tuple[str, int | None]]
    attributes: dict[str, str] = field(default_factory=dict)
    wires: list[str] = field(default_factory=list)
    init: list[str] = field(default_factory=list)

    def number(self, name: str) -> int:
        """Return an attribute that is a number."""
        return int(self.attributes[name], 0)


def parse(text: str) -> dict[str, Entry]:
    """Return the peripherals of a description by name.

    Raises:
        ReplError: a line is wrong; with its number.
    """
    found: dict[str, Entry] = {}
    for number, line in _joined(text):
        try:
            _take(line, found)
        except ReplError as error:
            raise ReplError(f"line {number}: {error}: {line}") from None
    _check_names(found)
    return found


def classes(folder: Path) -> set[str]:
    """Return the peripherals that the C# files of a board define, as descriptions name them."""
    names = set()
    for file in sorted(folder.glob("*.cs")):
        text = file.read_text()
        spaces = re.findall(r"^namespace Antmicro\.Renode\.Peripherals\.([\w.]+)", text, re.M)
        names |= {f"{spaces[0]}.{n}" for n in re.findall(r"^    public class (\w+)", text, re.M)}
    return names


def _joined(text: str) -> list[tuple[int, str]]:
    """Return the lines that say something; a place in braces is on one of them."""
    lines: list[tuple[int, str]] = []
    is_open = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("//")[0].rstrip()
        if "\t" in line:
            raise ReplError(f"line {number}: a tab")
        if not line:
            continue
        if is_open:
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line.strip()}")
        else:
            lines.append((number, line))
        is_open = (is_open or line.endswith("{")) and not line.endswith("}")
    return lines


def _take(line: str, found: dict[str, Entry]) -> None:
    indent = len(line) - len(line.lstrip())
    words = line.strip()
    if indent == 0:
        entry = _entry(words)
        if entry.name in found:
            raise ReplError("this name is there already")
        found[entry.name] = entry
        return
    if not found:
        raise ReplError("it belongs to nothing")
    last = list(found.values())[-1]
    if indent == 8 and "init" in last.attributes and COMMAND.match(words):
        last.init.append(words)
    elif indent == 4:
        _detail(words, last)
    else:
        raise ReplError("indented by neither 4 nor, below init:, 8")


def _entry(words: str) -> Entry:
    match = ENTRY.match(words)
    if not match:
        raise ReplError("no 'name: Kind @ place'; 'using' is not for boards")
    name, kind, places = match.groups()
    parts = places.strip("{} ").split(";") if places.startswith("{") else [places]
    return Entry(name, kind, [_place(part.strip()) for part in parts])


def _place(words: str) -> tuple[str, int | None]:
    match = PLACE.match(words)
    if not match:
        raise ReplError(f"'{words}' is no place")
    first = (match[2] or "").strip("<").split(",")[0]
    return match[1], int(first, 0) if first else None


def _detail(words: str, entry: Entry) -> None:
    if wire := WIRE.match(words):
        entry.wires.append(wire[2])
    elif words == "init:":
        entry.attributes["init"] = ""
    elif attribute := ATTRIBUTE.match(words):
        if attribute[1] in entry.attributes:
            raise ReplError("said twice")
        entry.attributes[attribute[1]] = attribute[2]
    else:
        raise ReplError("neither an attribute nor a wire")


def _check_names(found: dict[str, Entry]) -> None:
    """Raise ReplError for a name of something that is not there."""
    known = {*found, "sysbus"}
    for entry in found.values():
        values = [v for k, v in entry.attributes.items() if re.fullmatch(r"[A-Za-z_]\w*", v)]
        used = [v for v in values if v not in ("true", "false")]
        for name in (*(place for place, _ in entry.places), *entry.wires, *used):
            if name not in known:
                raise ReplError(f"{entry.name}: there is no {name}")
