# SPDX-License-Identifier: Apache-2.0
"""Reads a plan back into Python values, for reports and tests.

Bounds-checked, but no proof of safety: that is `infer_check()` in firmware/infer.
"""

from dataclasses import dataclass
from typing import Any

from torpor.errors import ModelError
from torpor.plan.layout import CONST, OPCODES, ffi, fields, record_type, sizeof

Fields = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """One operator record: its name ("CONV_2D_S8"), members by C name, and raw bytes."""

    name: str
    fields: Fields
    raw: bytes


@dataclass(frozen=True)
class Plan:
    """A parsed plan. Header, tensors, inputs, outputs and states map C member names to values."""

    header: Fields
    tensors: tuple[Fields, ...]
    inputs: tuple[Fields, ...]
    outputs: tuple[Fields, ...]
    states: tuple[Fields, ...]
    ops: tuple[Record, ...]
    strings: bytes
    extra: bytes
    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Plan":
        """Parse the bytes of a whole plan.

        Raises:
            ModelError: truncated, of another format version, or with sections out of bounds.
        """
        header = _header(data)
        n_inputs = header["n_inputs"]
        io = _array(data, "plan_io_t", header["io"], n_inputs + header["n_outputs"])
        return cls(
            header=header,
            tensors=_array(data, "plan_tensor_t", header["tensors"], header["n_tensors"]),
            inputs=io[:n_inputs],
            outputs=io[n_inputs:],
            states=_array(data, "plan_state_t", header["states"], header["n_states"]),
            ops=_records(data, header),
            strings=_section(data, header["strings"], header["strings_bytes"], "strings"),
            extra=_section(data, header["extra"], header["extra_bytes"], "extra bytes"),
            data=_section(data, header["data"], header["data_bytes"], "data"),
        )

    def string(self, offset: int) -> str:
        """Return the string at `offset` of the string section, "" where absent."""
        if offset == CONST["PLAN_NO_STRING"]:
            return ""
        return self.strings[offset : self._end(offset)].decode("utf-8", "replace")

    def _end(self, offset: int) -> int:
        end = self.strings.find(b"\0", offset)
        if offset < 0 or end < 0:
            raise ModelError(f"plan: string offset {offset} is out of bounds")
        return end

    @property
    def name(self) -> str:
        """The model's name."""
        return self.string(self.header["name"])

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, () where the plan has none."""
        found, offset = [], self.header["labels"]
        for _ in range(self.header["n_labels"]):
            found.append(self.string(offset))
            offset = self._end(offset) + 1
        return tuple(found)


def _value(value: Any) -> Any:
    if not isinstance(value, ffi.CData):
        return value
    kind = ffi.typeof(value)
    if kind.kind == "array":
        return tuple(_value(v) for v in value)
    return {member: _value(getattr(value, member)) for member, _ in kind.fields}


def read_struct(name: str, data: bytes) -> Fields:
    """Return the members of struct `name` read from the start of `data` (at least its size)."""
    box = ffi.new(f"{name} *")
    ffi.memmove(box, data, sizeof(name))
    return {member: _value(getattr(box, member)) for member, _ in fields(name)}


def _section(data: bytes, offset: int, length: int, what: str) -> bytes:
    if offset + length > len(data):
        raise ModelError(f"plan: {what} lie beyond its end", "is the file truncated?")
    return data[offset : offset + length]


def _header(data: bytes) -> Fields:
    header = read_struct("plan_header_t", _section(data, 0, sizeof("plan_header_t"), "header"))
    if header["magic"] != CONST["PLAN_MAGIC"]:
        raise ModelError("not a plan: wrong magic number", "compile the model with torpor compile")
    if header["version"] != CONST["PLAN_VERSION"]:
        raise ModelError(
            f"plan of format version {header['version']}, this torpor knows "
            f"{CONST['PLAN_VERSION']}",
            "compile the model again",
        )
    if header["length"] != len(data):
        raise ModelError(f"plan says {header['length']} bytes but has {len(data)}")
    return header


def _array(data: bytes, name: str, offset: int, count: int) -> tuple[Fields, ...]:
    size = sizeof(name)
    raw = _section(data, offset, size * count, f"{name} records")
    return tuple(read_struct(name, raw[i * size : (i + 1) * size]) for i in range(count))


def _records(data: bytes, header: Fields) -> tuple[Record, ...]:
    raw = _section(data, header["ops"], header["ops_bytes"], "operator records")
    found, at = [], 0
    for index in range(header["n_ops"]):
        head = read_struct("plan_op_t", _section(raw, at, sizeof("plan_op_t"), "operators"))
        if head["code"] not in OPCODES:
            raise ModelError(f"plan: operator {index} has the unknown code {head['code']}")
        size = 4 * head["words"]
        record = _section(raw, at, size, f"operator {index}'s fields")
        name = record_type(head["code"])
        if size != sizeof(name):
            raise ModelError(f"plan: operator {index} has {size} bytes instead of {sizeof(name)}")
        found.append(Record(OPCODES[head["code"]], read_struct(name, record), record))
        at += size
    return tuple(found)
