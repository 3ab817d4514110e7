# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Reads the one description of all records, firmware/wire/records.toml, and hashes it."""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from typing import Any

from torpor.paths import FIRMWARE

RECORDS_TOML = FIRMWARE / "wire" / "records.toml"
UINT_MAX = 2**32 - 1
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
TYPES = ("uint", "int", "bytes", "text")


@dataclass(frozen=True)
class FieldSpec:
    """One field of a record: its name, its type (one of `TYPES`) and its longest size.

    `max` is in bytes and only means something for bytes and text.
    """

    name: str
    type: str
    max: int

    def problem(self, value: object) -> str:
        """Say why `value` cannot be this field, or "" if it can."""
        if self.type in ("uint", "int"):
            low, high = (0, UINT_MAX) if self.type == "uint" else (INT_MIN, INT_MAX)
            if type(value) is not int:  # a bool is no number here
                return f"{self.name} is {type(value).__name__}, not {self.type}"
            return "" if low <= value <= high else f"{self.name} is out of range: {value}"
        return self._length_problem(value)

    def _length_problem(self, value: object) -> str:
        if isinstance(value, bytes) and self.type == "bytes":
            length = len(value)
        elif isinstance(value, str) and self.type == "text":
            length = len(value.encode("utf-8", "surrogatepass"))
        else:
            return f"{self.name} is {type(value).__name__}, not {self.type}"
        return "" if length <= self.max else f"{self.name} has {length} bytes, at most {self.max}"


@dataclass(frozen=True)
class RecordSpec:
    """One record: `kind` is its name in the schema, `id` the first number of its array."""

    kind: str
    id: int
    doc: str
    fields: tuple[FieldSpec, ...]


@dataclass(frozen=True)
class Schema:
    """All of records.toml.

    Attributes:
        payload: most CBOR bytes in one frame, without the CRC.
        records: record name to description.
        status: status name to number.
        hash: 32-bit hash of everything but the doc strings; both sides must agree on it.
    """

    payload: int
    records: dict[str, RecordSpec]
    status: dict[str, int]
    hash: int


def _field(entry: list[Any], payload: int) -> FieldSpec:
    name, kind, *rest = entry
    if kind not in TYPES:
        raise ValueError(f"records.toml: field {name} has unknown type {kind}")
    return FieldSpec(name, kind, rest[0]["max"] if rest else payload)


def schema_hash(data: dict[str, Any]) -> int:
    """Hash a parsed records.toml: the first four bytes of SHA-256 over its canonical JSON.

    Doc strings are left out, keys are sorted, there is no white space. The firmware's build
    computes the same number from the same file.
    """
    core = {
        "limits": data["limits"],
        "record": {
            name: {"id": rec["id"], "fields": rec["fields"]} for name, rec in data["record"].items()
        },
        "status": data["status"],
    }
    text = json.dumps(core, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def parse_schema(text: str) -> Schema:
    """Parse the text of a records.toml.

    Raises:
        ValueError: a field's type is unknown or two records share an id.
    """
    data = tomllib.loads(text)
    payload = data["limits"]["payload"]
    records = {
        name: RecordSpec(
            name, rec["id"], rec.get("doc", ""), tuple(_field(f, payload) for f in rec["fields"])
        )
        for name, rec in data["record"].items()
    }
    if len({spec.id for spec in records.values()}) != len(records):
        raise ValueError("records.toml: two records share an id")
    return Schema(payload, records, data["status"], schema_hash(data))


SCHEMA = parse_schema(RECORDS_TOML.read_text(encoding="utf-8"))
