# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Records: what the schema says is what travels, and garbage is a value, not an exception."""

import dataclasses
import hashlib
import json
import tomllib
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torpor.wire import framing, records, schema
from torpor.wire.records import Record, Unknown, decode, encode

PINNED = settings(derandomize=True, deadline=None, max_examples=200)


def values_for(field: schema.FieldSpec) -> st.SearchStrategy[Any]:
    return {
        "uint": st.integers(0, 2**32 - 1),
        "int": st.integers(-(2**31), 2**31 - 1),
        "bytes": st.binary(max_size=field.max),
        "text": st.text(max_size=field.max // 4),
    }[field.type]


@st.composite
def any_record(draw: st.DrawFn) -> Record:
    cls = draw(st.sampled_from(list(records.TYPES.values())))
    return cls(*(draw(values_for(field)) for field in cls.spec.fields))


@given(any_record())
@PINNED
def test_every_record_survives_the_trip(record: Record) -> None:
    assert decode(encode(record)) == record


@pytest.mark.parametrize("kind", list(records.TYPES))
def test_the_largest_record_of_each_kind_fits_a_frame(kind: str) -> None:
    cls = records.TYPES[kind]
    biggest = {"uint": 2**32 - 1, "int": -(2**31)}
    values = [
        biggest.get(f.type, b"\xff" * f.max if f.type == "bytes" else "x" * f.max)
        for f in cls.spec.fields
    ]
    payload = encode(cls(*values))
    assert len(framing.encode_frame(payload)) <= framing.MAX_LINE


def test_the_bytes_of_a_ping_are_the_documented_array() -> None:
    assert encode(records.Ping(seq=1)) == bytes.fromhex("820101")


def test_fields_have_the_names_and_order_of_the_schema() -> None:
    names = [field.name for field in dataclasses.fields(records.Run)]
    assert names == ["seq", "window", "crc"]


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        records.Ping(1).seq = 2


def test_an_unknown_record_type_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Pong"):
        records.Pong  # noqa: B018


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (records.Ping(-1), "out of range"),
        (records.Ping(2**32), "out of range"),
        (records.Ping(True), "bool, not uint"),
        (records.Ping("1"), "str, not uint"),
        (records.Ping(1.0), "float, not uint"),
        (records.Input(1, 0, 0, "abc"), "str, not bytes"),
        (records.Input(1, 0, 0, bytes(257)), "257 bytes, at most 256"),
        (records.Hello(0, 0, "ä" * 17, "m", 0, 0, 0, 0, 0, 0, "e", ""), "34 bytes, at most 32"),
        (records.Hello(0, 0, b"b", "m", 0, 0, 0, 0, 0, 0, "e", ""), "bytes, not text"),
    ],
)
def test_a_field_out_of_its_bounds_is_not_sent(record: Record, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        encode(record)


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([], "empty"),
        ([99, 1], "unknown record 99"),
        (["ping", 1], "unknown record 'ping'"),
        ([1], "ping has 0 fields, not 1"),
        ([1, 1, 1], "ping has 2 fields, not 1"),
        ([1, b"x"], "seq is bytes, not uint"),
        ([1, -1], "out of range"),
        ([1, 2**32], "out of range"),
        ([2, 1, 0, 0, bytes(257)], "at most 256"),
        ([1, True], "neither a number nor a string"),
        ([1, None], "neither a number nor a string"),
        ([1, [1]], "neither a number nor a string"),
        ([1, 1.5], "neither a number nor a string"),
        ({1: 1}, "not an array"),
        (1, "not an array"),
    ],
)
def test_an_array_that_is_no_record_says_why(items: Any, reason: str) -> None:
    verdict = decode(cbor2.dumps(items))
    assert isinstance(verdict, Unknown)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "payload",
    [
        "",  # nothing
        "82",  # array without items
        "8201",  # one item missing
        "82010100",  # a byte too many
        "82011801",  # 1 in two bytes
        "9f0101ff",  # indefinite length
        "c1820101",  # a tag
        "820161ff",  # text that is no UTF-8
        "9bffffffffffffffff",  # an array of 2^64 - 1 items
        "5b7fffffffffffffff",  # a string of 2^63 - 1 bytes
        "81" * 384,  # very deep
    ],
)
def test_broken_cbor_is_a_value(payload: str) -> None:
    assert isinstance(decode(bytes.fromhex(payload)), Unknown)


@given(st.binary(max_size=384))
@PINNED
def test_garbage_never_raises(payload: bytes) -> None:
    verdict = decode(payload)
    assert isinstance(verdict, Unknown) or encode(verdict) == payload


@given(any_record(), st.integers(0, 400), st.integers(0, 255))
@PINNED
def test_what_is_taken_has_exactly_one_encoding(record: Record, at: int, byte: int) -> None:
    payload = bytearray(encode(record))
    payload[at % len(payload)] = byte
    verdict = decode(bytes(payload))
    assert isinstance(verdict, Unknown) or encode(verdict) == bytes(payload)


# ---- the hash


TEXT = schema.RECORDS_TOML.read_text(encoding="utf-8")


def test_the_hash_is_over_the_canonical_json_without_docs() -> None:
    data = tomllib.loads(TEXT)
    for record in data["record"].values():
        del record["doc"]
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    expected = hashlib.sha256(text.encode()).digest()[:4]
    assert records.SCHEMA_HASH.to_bytes(4, "big") == expected


def test_documentation_does_not_change_the_hash() -> None:
    text = TEXT.replace("Asks for", "Begs for")
    assert schema.parse_schema(text).hash == records.SCHEMA_HASH


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('["window", "uint"]', '["frame", "uint"]'),
        ('["window", "uint"]', '["window", "int"]'),
        ("max = 256", "max = 255"),
        ("id = 27", "id = 28"),
        ("payload = 384", "payload = 380"),
        ("stale_input = 2", "stale_input = 9"),
    ],
)
def test_any_change_of_meaning_changes_the_hash(old: str, new: str) -> None:
    assert old in TEXT
    assert schema.parse_schema(TEXT.replace(old, new)).hash != records.SCHEMA_HASH


def test_two_records_with_one_id_are_refused() -> None:
    text = TEXT.replace("id = 20", "id = 19")
    with pytest.raises(ValueError, match="share an id"):
        schema.parse_schema(text)


def test_an_unknown_field_type_is_refused() -> None:
    text = TEXT.replace('"text"', '"float"')
    with pytest.raises(ValueError, match="unknown type float"):
        schema.parse_schema(text)


def test_status_numbers_have_names() -> None:
    assert records.status_name(records.STATUS["stale_input"]) == "stale_input"
    assert records.status_name(77) == "77"
