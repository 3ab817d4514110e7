# SPDX-License-Identifier: Apache-2.0
"""Reads and checks board.toml files."""

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Iterable
from typing import Any, TypeVar, get_args, get_origin

from torpor.board.facts import (
    CLOCKS,
    CORES,
    KERNEL_SETS,
    PROBE_TOOLS,
    SHARED_PORTS,
    Alarm,
    Board,
    Budget,
    Core,
    Emulator,
    Flash,
    Memory,
    Models,
    Pin,
    Power,
    Probe,
    Samples,
    Scene,
    Slots,
    Timer,
    Uart,
    Watchdog,
)
from torpor.board.layout import check_layout
from torpor.board.power import check_power
from torpor.errors import UsageError, unknown_name
from torpor.paths import BOARDS, FIRMWARE, ROOT

_T = TypeVar("_T")

_TABLES: dict[str, type] = {
    "core": Core,
    "timer": Timer,
    "flash": Flash,
    "slots": Slots,
    "watchdog": Watchdog,
    "models": Models,
    "uart": Uart,
    "alarm": Alarm,
    "pin": Pin,
    "emulator": Emulator,
    "budget": Budget,
    "power": Power,
    "scene": Scene,
    "samples": Samples,
    "probe": Probe,
}
_OPTIONAL = (
    *("flash", "slots", "watchdog", "models", "uart", "alarm", "pin", "emulator", "budget"),
    *("power", "scene", "samples", "probe"),
)
_BOARD_KEYS = ("title", "tier", "port", "links", "sources")
_CHOICES = {
    "board.tier": ("emulated", "built", "hardware"),
    "memory.kind": ("rom", "ram"),
    "emulator.kind": ("qemu", "renode", "native"),
    "emulator.flash": ("memory", "pflash", "debug-port", "argument", "model"),
}
TOOLS = ROOT / "site_scons" / "site_tools"
_TYPE_NAMES = {str: "a text", int: "an integer", bool: "true or false"}


def board_names() -> list[str]:
    """Return the names of all boards: the folders of `boards/` that have a board.toml."""
    return sorted(path.parent.name for path in BOARDS.glob("*/board.toml"))


def load_board(name: str) -> Board:
    """Return the board called `name`.

    Raises:
        UsageError: there is no such board, or its file is wrong (names the file and the key).
    """
    if name not in board_names():
        raise unknown_name("board", name, board_names())
    file = f"boards/{name}/board.toml"
    try:
        text = (BOARDS / name / "board.toml").read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not valid TOML: {error}") from None
    return parse_board(name, text, file)


def parse_board(name: str, text: str, file: str) -> Board:
    """Return the board that `text`, the content of `file`, describes; errors as `load_board`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: not valid TOML: {error}") from error
    _check_keys(file, "", tables, ("board", "memory", *_TABLES), _required_tables(tables))
    for table in tables:
        if not isinstance(tables[table], dict):
            raise UsageError(f"{file}: '{table}' must be a table", f"write [{table}]")
    fields: dict[str, Any] = {
        key: read_table(cls, file, key, tables[key])
        for key, cls in _TABLES.items()
        if key in tables
    }
    board = Board(name=name, **_board_table(file, tables), memory=_memories(file, tables), **fields)
    _check_names(file, board)
    check_layout(file, board)
    check_power(file, board.power)
    return board


def _check_names(file: str, board: Board) -> None:
    """Raise UsageError for a value that names something that does not exist."""
    core = board.core
    cores = tuple(CORES) if board.memory else ("native",)
    tools = [path.stem.replace("_", "-") for path in TOOLS.glob("*.py")]
    ports = [path.name for path in (FIRMWARE / "port").iterdir() if path.name not in SHARED_PORTS]
    if not core.plan_targets:
        raise UsageError(
            f"{file}: 'core.plan_targets' is empty", f"known: {', '.join(KERNEL_SETS)}"
        )
    for key, value, known in (
        ("core.name", core.name, cores),
        ("core.toolchain", core.toolchain, tools),
        *(("core.plan_targets", target, KERNEL_SETS) for target in core.plan_targets),
        ("timer.kind", board.timer.kind, _clocks(core)),
        ("board.port", board.port, ports),
        *(("probe.tools", t, PROBE_TOOLS) for t in (board.probe.tools if board.probe else ())),
    ):
        _check_choice(file, key, value, known)


def _clocks(core: Core) -> list[str]:
    """Return the kinds of timers that a core can have."""
    own = [kind for kind, file in CLOCKS.items() if file.startswith(f"{core.architecture}/")]
    return own if core.architecture else ["posix"]


def _check_choice(file: str, key: str, value: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if value not in names:
        near = difflib.get_close_matches(value, names, n=1, cutoff=0.5)
        question = f"did you mean '{near[0]}'? " if near else ""
        raise UsageError(f"{file}: '{key}' is {value!r}", f"{question}known: {', '.join(names)}")


def _required_tables(tables: dict[str, Any]) -> list[str]:
    """A board without memories is a process of this computer: it has no UART registers either."""
    required = ["board", *(key for key in _TABLES if key not in _OPTIONAL)]
    return [*required, "uart", "budget"] if "memory" in tables else required


def _board_table(file: str, tables: dict[str, Any]) -> dict[str, Any]:
    table = tables["board"]
    _check_keys(file, "board.", table, _BOARD_KEYS, _BOARD_KEYS)
    types = {field.name: field.type for field in dataclasses.fields(Board)}
    return {key: _value(file, f"board.{key}", table[key], types[key]) for key in _BOARD_KEYS}


def _memories(file: str, tables: dict[str, Any]) -> dict[str, Memory]:
    memories = {}
    for name, table in tables.get("memory", {}).items():
        if not isinstance(table, dict):
            raise UsageError(f"{file}: 'memory.{name}' must be a table", f"write [memory.{name}]")
        memories[name] = read_table(Memory, file, f"memory.{name}", table)
    for name in ("code", "ram") if memories else ():
        if name not in memories:
            raise UsageError(f"{file}: missing key 'memory.{name}'")
    return memories


def read_table(cls: type[_T], file: str, prefix: str, table: dict[str, Any]) -> _T:
    """Return `table` of a TOML file as an instance of the dataclass `cls`.

    Args:
        cls: what the table may say; see torpor.board.facts.
        file: for messages.
        prefix: what the table is called in them, "" for the top of the file.
        table: parsed.

    Raises:
        UsageError: a key is unknown, missing or of a wrong type; it is named.
    """
    dot = f"{prefix}." if prefix else ""
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    required = [f.name for f in fields if f.default is dataclasses.MISSING]
    _check_keys(file, dot, table, [f.name for f in fields], required)
    types = {f.name: f.type for f in fields}
    return cls(**{k: _value(file, f"{dot}{k}", v, types[k]) for k, v in table.items()})


def _check_keys(
    file: str, prefix: str, table: dict[str, Any], known: Iterable[str], required: Iterable[str]
) -> None:
    """Raise UsageError for a key of `table` that is not in `known` or `required` and missing."""
    names = list(known)
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
            hint = f"did you mean '{prefix}{near[0]}'?" if near else f"known: {', '.join(names)}"
            raise UsageError(f"{file}: unknown key '{prefix}{key}'", hint)
    for key in required:
        if key not in table:
            raise UsageError(f"{file}: missing key '{prefix}{key}'")


def _value(file: str, key: str, value: Any, wanted: Any) -> Any:
    """Return `value` if it has the type `wanted` (a list becomes a tuple)."""
    if get_origin(wanted) is tuple:
        return _list(file, key, value, get_args(wanted)[0])
    if wanted in (float, float | None):
        return _real(file, key, value)
    kind = wanted if wanted in (str, int, bool) else int
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise UsageError(f"{file}: '{key}' must be {_TYPE_NAMES[kind]}, not {value!r}")
    if isinstance(value, int) and value < 0:
        raise UsageError(f"{file}: '{key}' must not be negative, it is {value}")
    if choices := _CHOICES.get(f"{key.split('.', 1)[0]}.{key.rsplit('.', 1)[-1]}"):
        _check_choice(file, key, str(value), choices)
    return value


def _real(file: str, key: str, value: Any) -> float:
    """Return `value` if it is a number that is finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{file}: '{key}' must be a number, not {value!r}")
    if not 0 <= value < math.inf:
        raise UsageError(f"{file}: '{key}' must be finite and not negative, it is {value}")
    return float(value)


def _list(file: str, key: str, value: Any, kind: type) -> tuple[Any, ...]:
    """Return a list of `kind`, texts or integers, as a tuple."""
    if not isinstance(value, list) or any(type(item) is not kind for item in value):
        what = {str: "texts", int: "integers"}[kind]
        raise UsageError(f"{file}: '{key}' must be a list of {what}, not {value!r}")
    for item in value:
        if isinstance(item, int) and item < 0:
            raise UsageError(f"{file}: '{key}' must not be negative, one is {item}")
    return tuple(value)
