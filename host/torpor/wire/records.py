# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The records as frozen dataclasses, made from records.toml: `Ping`, `Input`, ... `Counters`.

`encode` and `decode` turn them into CBOR arrays [id, field, ...] and back (RFC 8949, shortest
forms only, definite lengths only). What cannot be decoded is a value, `Unknown`: bytes from a
wire are never a reason to raise.
"""

import dataclasses
from typing import Any, ClassVar

import cbor2

from torpor.wire.schema import SCHEMA, FieldSpec, RecordSpec

SCHEMA_HASH = SCHEMA.hash
STATUS = SCHEMA.status
STATUS_NAMES = {number: name for name, number in STATUS.items()}

_PYTHON_TYPES: dict[str, type] = {"uint": int, "int": int, "bytes": bytes, "text": str}


@dataclasses.dataclass(frozen=True)
class Record:
    """Base of all records; the fields are those of records.toml, in its order."""

    spec: ClassVar[RecordSpec]


@dataclasses.dataclass(frozen=True)
class Unknown:
    """A payload that is no record.

    Attributes:
        reason: why, in a few words.
        items: the decoded array if it was one, else (); lets a caller look at a `hello` of
            another schema.
    """

    reason: str
    items: tuple[object, ...] = ()


def _class_name(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.split("_"))


def _make(spec: RecordSpec) -> type[Record]:
    fields = [(field.name, _PYTHON_TYPES[field.type]) for field in spec.fields]
    body = {"spec": spec, "__doc__": spec.doc, "__module__": __name__}
    return dataclasses.make_dataclass(
        _class_name(spec.kind), fields, bases=(Record,), namespace=body, frozen=True
    )


TYPES: dict[str, type[Record]] = {kind: _make(spec) for kind, spec in SCHEMA.records.items()}
_BY_ID = {cls.spec.id: cls for cls in TYPES.values()}
_BY_CLASS_NAME = {cls.__name__: cls for cls in TYPES.values()}


def __getattr__(name: str) -> Any:
    """Return the record type of that name: `records.Hello` (PEP 562)."""
    try:
        return _BY_CLASS_NAME[name]
    except KeyError:
        raise AttributeError(f"no record type {name}") from None


def status_name(status: int) -> str:
    """Return the name of a status number, or the number as text if it has none."""
    return STATUS_NAMES.get(status, str(status))


def _first_problem(fields: tuple[FieldSpec, ...], values: tuple[object, ...]) -> str:
    problems = (field.problem(value) for field, value in zip(fields, values, strict=True))
    return next((problem for problem in problems if problem), "")


def encode(record: Record) -> bytes:
    """Return the CBOR payload of a record.

    Raises:
        ValueError: a field has the wrong type or is out of its bounds.
    """
    values = tuple(getattr(record, field.name) for field in record.spec.fields)
    if problem := _first_problem(record.spec.fields, values):
        raise ValueError(f"{record.spec.kind}: {problem}")
    return cbor2.dumps([record.spec.id, *values], canonical=True)


def decode(payload: bytes) -> Record | Unknown:
    """Return the record in a payload, or an `Unknown` that says why there is none. Never raises."""
    try:
        items = cbor2.loads(payload, max_depth=4)
    except (cbor2.CBORError, ValueError, OverflowError):
        return Unknown("not CBOR")
    if not isinstance(items, list):
        return Unknown("not an array")
    scalars = all(type(item) in (int, bytes, str) for item in items)
    if not scalars:
        return Unknown("an item is neither a number nor a string")
    if cbor2.dumps(items, canonical=True) != payload:
        return Unknown("not in its shortest form, or followed by more bytes")
    return _typed(tuple(items))


def _typed(items: tuple[object, ...]) -> Record | Unknown:
    cls = _BY_ID.get(items[0]) if items and type(items[0]) is int else None
    if cls is None:
        return Unknown(f"unknown record {items[0]!r}" if items else "an empty array", items)
    kind, fields, values = cls.spec.kind, cls.spec.fields, items[1:]
    if len(values) != len(fields):
        return Unknown(f"{kind} has {len(values)} fields, not {len(fields)}", items)
    if problem := _first_problem(fields, values):
        return Unknown(f"{kind}: {problem}", items)
    return cls(*values)
