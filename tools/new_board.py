# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""tools/new-board: a board's folder that builds at once, and the skeleton of a port.

The facts are those of another board until somebody has gone through them; what cannot be taken
over (where numbers are from, what was tested, currents, the cable) is left out or marked. The
skeleton says of each function what firmware/hal says, and does not compile until it is written.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torpor.board import FAMILIES, Board, board_names, load_board, parse_board
from torpor.errors import TorporError, UsageError, unknown_name
from torpor.paths import BOARDS, FIRMWARE, ROOT

PORTS = FIRMWARE / "port"
GUIDE = ROOT / "docs" / "PORTING.md"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NOT_COPIED = ("power", "probe")  # true of the other board alone
INSIDE = {"flash": {"slots", "samples", "models"}, "slots": {"samples", "models"}}
OF_FLASH = ("flash", "memory_origin", "memory_size")  # keys of [emulator]

DRIVERS = ("uart", "watchdog", "timer", "alarm", "pin", "flash", "reset")
EVERY_PORT = ("uart", "watchdog")
TABLES = ("alarm", "pin", "flash")  # drivers that a board without the table does not have
HEADERS = {"timer": "clock", "reset": "cpu"}  # of firmware/hal, where its name is another one
ONLY = {"reset": "cpu_reset"}  # the one function of the header that the driver is
HANDLERS = {
    ("cortexm", "uart"): "cortexm_uart_isr",
    ("cortexm", "alarm"): "cortexm_alarm_isr",
    ("cortexm", "pin"): "cortexm_pin_isr",
    ("riscv", "uart"): "riscv_external_isr",
}
CONTRACT = re.compile(
    r"^(?P<contract>/\*(?:[^*]|\*(?!/))*\*/)\n"
    r"(?P<head>[a-z][\w *]*?(?P<name>\w+)\((?P<parameters>[^)]*)\))[^;{}]*;",
    re.M,
)

README = """# {title}

**Tier: built.** Nobody has run it on a board.

## Wiring

To do: which socket powers it; which pins are the console, at how many volts, and whether a USB
socket is connected to them; the wake button; the reset button; the debug probe with its VID:PID.

## Flashing

To do: the tools of `[probe]`, drivers and udev rules, what to hold or plug for the first time.

## What it does

To do: clocks, the time base, flash and its blocks, the deepest sleep and what ends it, the
watchdog, what the chip says of a reset.

## Not done, not known

To do: all that was not run on a board, and what no document says.
"""


@dataclass(frozen=True)
class Wish:
    """What was asked for.

    Attributes:
        name: of the new board.
        like: the board whose facts it begins with.
        title: in words.
        port: a new one, or None for that of the other board.
        without: tables that the board has nothing for.
    """

    name: str
    like: Board
    title: str
    port: str | None = None
    without: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The board's."""
        return BOARDS / self.name


# ---- board.toml ----


def tables_of(text: str) -> list[tuple[str, list[str]]]:
    """Return the tables of a TOML file, each its name and its lines; the top is called ""."""
    tables: list[tuple[str, list[str]]] = [("", [])]
    for line in text.splitlines():
        if head := re.match(r"\[([\w.]+)\]", line):
            above: list[str] = []  # a comment right above belongs to the table
            while tables[-1][1] and tables[-1][1][-1].startswith("#"):
                above.insert(0, tables[-1][1].pop())
            tables.append((head[1], above))
        tables[-1][1].append(line)
    return tables


def text_of(tables: Iterable[tuple[str, list[str]]]) -> str:
    """Return the TOML file of such tables."""
    return "\n".join(line for _, lines in tables for line in lines).rstrip("\n") + "\n"


def with_value(text: str, key: str, value: str) -> str:
    """Return `text` with what its first `key` is, one line or a list of several, and comment."""
    old = re.compile(rf"^{key} = (?:\[[^\]]*\]|[^\n\[])[^\n]*$", re.M)
    assert old.search(text), key
    return old.sub(lambda _: f"{key} = {value}", text, count=1)


def facts(wish: Wish) -> str:
    """Return the text of the new board.toml.

    Raises:
        UsageError: a table that is to be left out is not there.
    """
    tables = tables_of((BOARDS / wish.like.name / "board.toml").read_text(encoding="utf-8"))
    gone = _gone(wish, [name for name, _ in tables if name])
    tables = [(name, lines) for name, lines in tables if name not in gone]
    if "flash" in gone:
        tables = [(n, _without_flash(ls) if n == "emulator" else ls) for n, ls in tables]
    text = with_value(text_of(tables), "title", f'"{wish.title}"')
    text = with_value(text, "tier", '"built"                    # to do: what was done with it')
    text = with_value(text, "sources", "[]                      # to do: where numbers are from")
    port = wish.port or wish.like.port
    return with_value(text, "port", f'"{port}"'.ljust(27) + f"# firmware/port/{port}")


def _gone(wish: Wish, names: list[str]) -> set[str]:
    for name in wish.without:
        if name not in names:
            raise unknown_name(f"table of {wish.like.name}", name, names)
    gone = {*wish.without, *NOT_COPIED}
    for name in wish.without:
        gone |= INSIDE.get(name, set())
    if wish.like.emulator and wish.like.emulator.kind == "renode":
        gone.add("emulator")  # its platform is of the other board
    return gone


def _without_flash(lines: list[str]) -> list[str]:
    return [line for line in lines if line.partition(" =")[0] not in OF_FLASH]


# ---- the port ----


def drivers_of(wish: Wish, board: Board) -> list[str]:
    """Return the files that a new port needs, as the other one has them and the facts want them."""
    folders = {wish.like.port, FAMILIES.get(wish.like.port, wish.like.port)}
    other = {path.stem for folder in folders for path in (PORTS / folder).glob("*.c")}
    return [
        name
        for name in DRIVERS
        if name in EVERY_PORT
        or (name in other and (name not in TABLES or getattr(board, name) is not None))
    ]


def skeleton(port: str, driver: str, board: Board) -> str:
    """Return the C file of a driver: what is to be written, and an error until it is."""
    header = HEADERS.get(driver, driver)
    architecture = board.core.architecture
    is_empty = driver == "watchdog" and board.watchdog is None
    lines = _head(header, architecture, is_empty=is_empty)
    text = (FIRMWARE / "hal" / f"{header}.h").read_text(encoding="utf-8")
    for found in CONTRACT.finditer(text):
        name = found["name"]
        if "Implemented by the application" in found["contract"] or name != ONLY.get(driver, name):
            continue
        refusal = [] if is_empty else [_refusal(port, driver, name)]
        lines += ["", found["contract"], found["head"], "{", *refusal, *_rest(found), "}"]
    if handler := HANDLERS.get((architecture, driver)):
        lines += ["", "/* The interrupt of the device. */", f"void {handler}(void)"]
        lines += ["{", _refusal(port, driver, handler), "}"]
    return "\n".join(lines) + "\n"


def _head(header: str, architecture: str, *, is_empty: bool) -> list[str]:
    what = "there is none" if is_empty else "to do: which device, of which document"
    needs = ["gen/board_config.h", f"port/{architecture}/{architecture}.h"]
    return [
        "/* SPDX-License-Identifier: Apache-2.0",
        " * SPDX-FileCopyrightText: The torpor authors",
        " *",
        f" * hal/{header}.h: {what}.",
        " */",
        f'#include "hal/{header}.h"',
        *([] if is_empty else ["", *(f'#include "{name}"' for name in needs)]),
    ]


def _refusal(port: str, driver: str, function: str) -> str:
    return (
        f'    _Static_assert(0, "firmware/port/{port}/{driver}.c: {function}() is to be written");'
    )


def _rest(found: re.Match[str]) -> list[str]:
    """Return the rest of a body that a compiler has nothing else to say of."""
    parameters = [words.split()[-1].lstrip("*") for words in found["parameters"].split(",")]
    unused = [f"    (void){name};" for name in parameters if name != "void"]
    returns = [] if found["head"].startswith("void ") else ["    return 0;"]
    if "noreturn" in found[0]:
        returns = ["    for (;;) {", "    }"]
    return [*unused, *returns]


# ---- the command ----


def files(wish: Wish) -> dict[Path, str]:
    """Return what is to be written.

    Raises:
        UsageError: what is left out cannot be left out.
    """
    text = facts(wish)
    checked = with_value(text, "port", f'"{wish.like.port}"')  # the new one is not there yet
    board = parse_board(wish.name, checked, f"boards/{wish.name}/board.toml")
    made = {wish.folder / "board.toml": text}
    made[wish.folder / "README.md"] = README.format(title=wish.title)
    if wish.port:
        for driver in drivers_of(wish, board):
            made[PORTS / wish.port / f"{driver}.c"] = skeleton(wish.port, driver, board)
    return made


def proof(name: str, *, has_slots: bool) -> list[str]:
    """Return the commands of docs/PORTING.md that show what a board can do."""
    text = GUIDE.read_text(encoding="utf-8").partition("## 4. The proof")[2]
    lines = text.partition("```\n")[2].partition("```")[0].replace("<name>", name).splitlines()
    pairs = [[part.strip() for part in line.split(" #")] for line in lines]
    wide = max(len(command) for command, _ in pairs)
    shown = [f"{command:<{wide}}  # {why}" for command, why in pairs]
    return [line for line in shown if has_slots or " image " not in line]


def next_steps(wish: Wish, made: dict[Path, str]) -> str:
    """Return what is to be done now."""
    file = f"boards/{wish.name}/board.toml"
    lines = ["next, as docs/PORTING.md tells:"]
    lines += [f"  {file}: each number, and in 'sources' where it is from;"]
    lines += ["    [probe] and [power] are to be added: they are true of one board only"]
    if wish.like.emulator and wish.like.emulator.kind == "renode":
        lines += ["    [emulator] too, with the files of docs/RENODE.md"]
    if wish.port:
        names = [path.name for path, text in made.items() if "_Static_assert" in text]
        lines += [f"  firmware/port/{wish.port}: {', '.join(names)} to be written,"]
        lines += ["    and chip.c, cause.c, deep.c where the chip is not ready as it is"]
    lines += [f"  boards/{wish.name}/README.md; a machine that only an emulator has needs none"]
    lines += ["  the proof:"]
    has_slots = "[slots]" in made[wish.folder / "board.toml"]
    return "\n".join([*lines, *(f"    {line}" for line in proof(wish.name, has_slots=has_slots))])


def wish_of(arguments: argparse.Namespace) -> Wish:
    """Return what the command line asks for.

    Raises:
        UsageError: a name is odd, taken, or unknown.
    """
    _check_new("board", arguments.name, BOARDS / arguments.name)
    if arguments.port is not None:
        _check_new("port", arguments.port, PORTS / arguments.port)
    if arguments.like not in board_names():
        raise unknown_name("board", arguments.like, board_names())
    like = load_board(arguments.like)
    if not like.memory:
        raise UsageError(f"no board is like '{like.name}': it is a process of this computer")
    title = arguments.title or arguments.name
    if not title.isprintable() or '"' in title or "\\" in title:
        raise UsageError(f"the title {title!r} is odd", "letters, digits and simple signs")
    return Wish(arguments.name, like, title, arguments.port, tuple(arguments.without))


def _check_new(kind: str, name: str, folder: Path) -> None:
    if not NAME.fullmatch(name):
        hint = "a-z, 0-9 and _, a letter first, at most 40 of them"
        raise UsageError(f"'{name}' is no name for a {kind}", hint)
    if folder.exists():
        raise UsageError(f"there is a {kind} '{name}' already", str(folder.relative_to(ROOT)))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    it = argparse.ArgumentParser("new-board", description="Make the folder of a new board.")
    it.add_argument("name", help="of the board: board=NAME")
    it.add_argument("--like", required=True, metavar="BOARD", help="the board most like it")
    it.add_argument("--title", help="its name in words, its chip, its core")
    it.add_argument("--port", help="make firmware/port/PORT: no port that is there fits")
    it.add_argument(
        "--without",
        action="extend",
        nargs="+",
        default=[],
        metavar="TABLE",
        help="tables of the other board.toml that this one has nothing for; with [flash] go the"
        " tables of what lies in it",
    )
    return it


def main(arguments: list[str] | None = None) -> int:
    """Make the files, print their names; what is to be done next goes to stderr."""
    try:
        wish = wish_of(parser().parse_args(arguments))
        made = files(wish)
    except TorporError as error:
        print(f"new-board: {error.message}", file=sys.stderr)
        print(*([f"hint: {error.hint}"] if error.hint else []), file=sys.stderr)
        return error.exit_code
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    print(next_steps(wish, made), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
