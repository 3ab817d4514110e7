# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Applications: folders with an app.toml, in firmware/app or anywhere; read and checked."""

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torpor.board import Board, read_table
from torpor.errors import UsageError, unknown_name
from torpor.paths import APPS, FIRMWARE, app_names

FILE = "app.toml"
DRIVERS = ("alarm", "pin")  # of a port, for programs that define their handlers
DEFAULT_MODEL = "motion"
_CALLS = {"targets": list, "library": int, "recursion": int}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Settings:
    """What an app.toml may say, but for the tables [calls.*]."""

    title: str = ""  # for scons -h
    name: str = ""  # in names of build folders; empty: the folder's
    base: str = ""  # an application of firmware/app whose files are taken too
    sources: tuple[str, ...] = ("*.c",)  # patterns, in the folder
    folders: tuple[str, ...] = ()  # of firmware/, besides those that every application has
    drivers: tuple[str, ...] = ()  # of DRIVERS
    flags: tuple[str, ...] = ()  # for the compiler, of the application's own files
    model: str = ""  # what is built in unless model= is given: a name, or a path in the folder
    wake: bool = False  # the model's [wake] becomes wake.c
    reserve: tuple[str, ...] = ()  # kernels that images keep ready, besides the board's
    reserve_tflm: tuple[str, ...] = ()  # registrations likewise, with engine=tflm
    arena: int = 0  # bytes at least, in images
    stack: int = 0  # bytes, instead of the board's; 0: the board's


@dataclass(frozen=True)
class App:
    """An application.

    Attributes:
        folder: where its app.toml lies.
        settings: what that says.
        calls: what it says of calls through pointers; see firmware/calls.toml.
        base: the application whose files it takes too.
    """

    folder: Path
    settings: Settings
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    base: "App | None" = None

    @property
    def name(self) -> str:
        """What it is called in names of build folders."""
        return self.settings.name or self.folder.name

    @property
    def file(self) -> Path:
        """Its app.toml."""
        return self.folder / FILE

    @property
    def is_ours(self) -> bool:
        """It lies in this repository's firmware/app."""
        return self.folder.parent == APPS

    @property
    def drivers(self) -> tuple[str, ...]:
        """Drivers of the port that it needs."""
        wanted = {name for app in self._chain() for name in app.settings.drivers}
        return tuple(name for name in DRIVERS if name in wanted)

    @property
    def is_wake(self) -> bool:
        """The model's [wake] is a part of it."""
        return any(app.settings.wake for app in self._chain())

    @property
    def files(self) -> list[Path]:
        """Its C files: its own, and of its base those that no own file has the name of."""
        files = [*_globbed(self.folder, self.settings.sources)]
        if self.base:
            files += self.without_own(self.base.files)
        return files

    @property
    def folders(self) -> list[Path]:
        """C files of more folders of firmware/, without those that an own file has the name of."""
        names = dict.fromkeys(name for app in self._chain() for name in app.settings.folders)
        return self.without_own(p for n in names for p in sorted((FIRMWARE / n).glob("*.c")))

    def without_own(self, files: Iterable[Path]) -> list[Path]:
        """Return files without those whose place files of the application take."""
        own = (
            set()
            if self.is_ours
            else {path.name for path in _globbed(self.folder, self.settings.sources)}
        )
        return [path for path in files if path.name not in own]

    def fitted(self, board: Board) -> Board:
        """Return the board with the memory that the application asks for."""
        it = self.settings
        models = dataclasses.replace(
            board.models,
            reserve=tuple(dict.fromkeys((*board.models.reserve, *it.reserve))),
            reserve_tflm=tuple(dict.fromkeys((*board.models.reserve_tflm, *it.reserve_tflm))),
            arena=max(board.models.arena, it.arena),
        )
        budget, slots = board.budget, board.slots
        if budget and it.stack:
            budget = dataclasses.replace(budget, stack=it.stack)
        if slots and it.stack > slots.stack:  # a signature is verified on the same stack
            slots = dataclasses.replace(slots, stack=it.stack)
        return dataclasses.replace(board, models=models, budget=budget, slots=slots)

    def _chain(self) -> Iterator["App"]:
        yield self
        if self.base:
            yield self.base


def _globbed(folder: Path, patterns: Iterable[str]) -> list[Path]:
    found = (path for pattern in patterns for path in sorted(folder.glob(pattern)))
    return list(dict.fromkeys(found))


def load_app(value: str) -> App:
    """Return the application that app=`value` means: a name of firmware/app, or a folder.

    Raises:
        UsageError: there is none, or its app.toml is wrong (names the file and the key).
    """
    if value in app_names():
        return _read(APPS / value, f"firmware/app/{value}/{FILE}")
    folder = Path(value)
    if not value or not (folder / FILE).is_file():
        if folder.is_dir() and value:
            raise UsageError(f"app={value}: the folder has no {FILE}", "docs/example_app has one")
        raise unknown_name("value of app", value, app_names())
    app = _read(folder.resolve(), str(folder / FILE))
    _check_name(app, str(folder / FILE))
    return app


def _check_name(app: App, file: str) -> None:
    if app.name in app_names():
        raise UsageError(
            f"{file}: '{app.name}' is an application of torpor's", "name = another one"
        )
    if not _NAME.fullmatch(app.name):
        hint = 'name = "..." of letters, digits, - and _'
        raise UsageError(f"{file}: '{app.name}' is no name for folders of a build", hint)


def _read(folder: Path, file: str) -> App:
    try:
        table = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: not valid TOML: {error}") from None
    calls = _calls(table.pop("calls", {}), file)
    app = App(folder, read_table(Settings, file, "", table), calls)
    if app.settings.base:
        if app.settings.base not in app_names():
            raise _in_file(file, unknown_name("value of base", app.settings.base, app_names()))
        app = dataclasses.replace(app, base=load_app(app.settings.base))
    _check(app, file)
    return app


def _check(app: App, file: str) -> None:
    for name in app.settings.drivers:
        if name not in DRIVERS:
            raise _in_file(file, unknown_name("driver", name, DRIVERS))
    for name in app.settings.folders:
        if not any((FIRMWARE / name).glob("*.c")):
            raise UsageError(f"{file}: 'folders': firmware/{name} has no C files")
    for pattern in app.settings.sources:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise UsageError(f"{file}: 'sources': {pattern!r} leads out of the folder")
        if not any(app.folder.glob(pattern)) and not app.base:
            raise UsageError(f"{file}: 'sources': there is no {pattern}")


def _calls(tables: Any, file: str) -> dict[str, dict[str, Any]]:
    """Return [calls.targets], [calls.library] and [calls.recursion], checked."""
    if not isinstance(tables, dict):
        raise UsageError(f"{file}: 'calls' must be a table", "write [calls.targets]")
    for name, table in tables.items():
        if name not in _CALLS:
            raise _in_file(
                file, unknown_name("key", f"calls.{name}", [f"calls.{n}" for n in _CALLS])
            )
        if not isinstance(table, dict):
            raise UsageError(f"{file}: 'calls.{name}' must be a table", f"write [calls.{name}]")
        for key, value in table.items():
            _check_call(file, f"calls.{name}.{key}", value, _CALLS[name])
    return tables


def _check_call(file: str, key: str, value: Any, kind: type) -> None:
    if kind is int and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise UsageError(f"{file}: '{key}' must be a number from 0 on, not {value!r}")
    if kind is list and not (isinstance(value, list) and all(type(v) is str for v in value)):
        raise UsageError(f"{file}: '{key}' must be a list of texts, not {value!r}")


def _in_file(file: str, error: UsageError) -> UsageError:
    return UsageError(f"{file}: {error.message}", error.hint)
