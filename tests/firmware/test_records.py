# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The generated C records and the host's records write and read the same bytes."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.firmware.conftest import Library
from torpor.wire import records
from torpor.wire.records import Record, Unknown
from torpor.wire.schema import SCHEMA, FieldSpec

FIRST_REPLY = 16


def values(field: FieldSpec) -> st.SearchStrategy[Any]:
    """Values that a field may have."""
    if field.type == "uint":
        return st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1))
    if field.type == "int":
        return st.integers(-(2**31), 2**31 - 1)
    if field.type == "bytes":
        return st.binary(max_size=field.max)
    return st.text(max_size=field.max // 4)


def any_record(kinds: list[str]) -> st.SearchStrategy[Record]:
    return st.one_of(
        [
            st.tuples(*map(values, cls.spec.fields)).map(lambda v, c=cls: c(*v))  # type: ignore[misc]
            for cls in (records.TYPES[kind] for kind in kinds)
        ]
    )


REQUESTS = [kind for kind, spec in SCHEMA.records.items() if spec.id < FIRST_REPLY]
REPLIES = [kind for kind, spec in SCHEMA.records.items() if spec.id >= FIRST_REPLY]


def encode(firmware: Library, record: Record, size: int = 1024) -> bytes:
    """Encode a record with the C code."""
    kind = record.spec.kind
    made = firmware.ffi.new(f"wire_{kind}_t *")
    keep = []
    for field in record.spec.fields:
        value = getattr(record, field.name)
        if field.type in ("uint", "int"):
            setattr(made, field.name, value)
            continue
        raw = value.encode() if field.type == "text" else value
        keep.append(firmware.ffi.new("uint8_t[]", raw + b"\0"))
        getattr(made, field.name).bytes = keep[-1]
        getattr(made, field.name).length = len(raw)
    payload = firmware.ffi.new("uint8_t[]", size)
    length = getattr(firmware.c, f"wire_encode_{kind}")(made, payload, size)
    return bytes(firmware.ffi.buffer(payload, length))


def decode(firmware: Library, payload: bytes, side: str) -> Record | None:
    """Decode a payload with the C code; None if it refuses."""
    made = firmware.ffi.new(f"wire_{side}_t *")
    raw = firmware.ffi.new("uint8_t[]", payload or b"\0")
    if not getattr(firmware.c, f"wire_decode_{side}")(raw, len(payload), made):
        return None
    cls = next(c for c in records.TYPES.values() if c.spec.id == made.id)
    member = getattr(made, cls.spec.kind)
    found: list[Any] = []
    for field in cls.spec.fields:
        value = getattr(member, field.name)
        if field.type in ("uint", "int"):
            found.append(value)
            continue
        data = bytes(firmware.ffi.buffer(value.bytes, value.length)) if value.length else b""
        found.append(data.decode() if field.type == "text" else data)
    return cls(*found)


@given(any_record(REQUESTS + REPLIES))
def test_the_device_writes_what_the_host_writes(firmware: Library, record: Record) -> None:
    assert encode(firmware, record) == records.encode(record)


@given(any_record(REQUESTS))
def test_the_device_reads_what_the_host_writes(firmware: Library, record: Record) -> None:
    assert decode(firmware, records.encode(record), "request") == record
    assert decode(firmware, records.encode(record), "reply") is None


@given(any_record(REPLIES))
def test_the_host_reads_what_the_device_writes(firmware: Library, record: Record) -> None:
    assert records.decode(encode(firmware, record)) == record
    assert decode(firmware, encode(firmware, record), "reply") == record


@given(any_record(REPLIES), st.integers(0, 40))
@example(records.Ack(0, 0), 4)
def test_a_record_is_written_whole_or_not_at_all(
    firmware: Library, record: Record, size: int
) -> None:
    whole = records.encode(record)
    assert encode(firmware, record, size) == (whole if len(whole) <= size else b"")


def test_bytes_longer_than_their_maximum_are_not_written(firmware: Library) -> None:
    field = next(f for f in SCHEMA.records["result"].fields if f.name == "data")
    record = records.Result(1, 0, 0, 0, 0, 0, 0, bytes(field.max + 1))
    assert encode(firmware, record) == b""


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A request with a few bytes changed, cut off or added."""
    payload = bytearray(records.encode(draw(any_record(REQUESTS))))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(payload)))
        payload[at : at + draw(st.integers(0, 1))] = draw(st.binary(max_size=2))
    return bytes(payload)


@settings(max_examples=400)
@given(st.one_of(spoiled(), st.binary(max_size=30)))
def test_both_sides_refuse_the_same_payloads(firmware: Library, payload: bytes) -> None:
    ours = decode(firmware, payload, "request")
    theirs = records.decode(payload)
    if isinstance(theirs, Unknown) or theirs.spec.id >= FIRST_REPLY:
        assert ours is None
    else:
        assert ours == theirs
