# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/mgmt/cbor.c: maps in any order, with whatever else is in them, against cbor2."""

from collections.abc import Sequence
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

UINT, BOOL, BYTES, TEXT = range(4)
FIELDS = {"off": UINT, "confirm": BOOL, "data": BYTES, "d": TEXT}
Values = dict[str, Any]


def read(opened: tuple[Any, Any], data: bytes) -> Values | None:
    """Return the fields that are found in a map, or None if it is refused."""
    ffi, lib = opened
    names = {name: ffi.new("char[]", name.encode()) for name in FIELDS}
    fields = ffi.new("cbor_field_t[]", len(FIELDS))
    for field, (name, kind) in zip(fields, FIELDS.items(), strict=True):
        field.name, field.kind = names[name], kind
    kept = ffi.new("uint8_t[]", data or b"\0")
    if not lib.cbor_read(kept, len(data), fields, len(FIELDS)):
        return None
    return {name: value(ffi, f) for name, f in zip(FIELDS, fields, strict=True) if f.present}


def value(ffi: Any, field: Any) -> Any:
    if field.kind == UINT:
        return field.number
    if field.kind == BOOL:
        return bool(field.number)
    data = bytes(ffi.buffer(field.bytes, field.length))
    return data if field.kind == BYTES else data.decode()


def encoded(pairs: Sequence[tuple[Any, Any]], *, known: bool = True) -> bytes:
    """Return a map with its members in this order, its length known or not."""
    body = b"".join(cbor2.dumps(key) + cbor2.dumps(item) for key, item in pairs)
    if not known:
        return b"\xbf" + body + b"\xff"
    assert len(pairs) < 24
    return bytes([0xA0 + len(pairs)]) + body


values = st.fixed_dictionaries(
    {},
    optional={
        "off": st.integers(0, 2**32 - 1),
        "confirm": st.booleans(),
        "data": st.binary(max_size=60),
        "d": st.text(max_size=20),
    },
)
plain = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.binary(max_size=30),
    st.text(max_size=10),
    st.booleans(),
    st.none(),
    st.floats(),
    st.just(cbor2.undefined),
    st.datetimes().map(lambda _: cbor2.CBORTag(5, [1, 2])),
)
anything = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=4) | st.integers(0, 300), inner, max_size=4),
    ),
    max_leaves=12,
)
others = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name not in FIELDS) | st.integers(-300, 300),
    anything,
    max_size=5,
)


@given(values, others, st.randoms(use_true_random=False), st.booleans())
def test_fields_are_found_in_any_order_among_others(
    opened: tuple[Any, Any], found: Values, more: dict[Any, Any], order: Any, known: bool
) -> None:
    pairs = [*found.items(), *more.items()]
    order.shuffle(pairs)
    assert read(opened, encoded(pairs, known=known)) == found


def test_nothing_is_an_empty_map(opened: tuple[Any, Any]) -> None:
    assert read(opened, b"") == read(opened, b"\xa0") == read(opened, b"\xbf\xff") == {}


@given(values, others)
@example({"data": b"123"}, {})
def test_a_map_that_is_cut_off_anywhere_is_refused(
    opened: tuple[Any, Any], found: Values, more: dict[Any, Any]
) -> None:
    for known in (True, False):
        whole = encoded([*more.items(), *found.items()], known=known)
        for end in range(1, len(whole)):
            assert read(opened, whole[:end]) is None


@given(values)
def test_bytes_behind_the_map_are_refused(opened: tuple[Any, Any], found: Values) -> None:
    assert read(opened, encoded(list(found.items())) + b"\0") is None


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("wrong", [-1, 2**32, 1.5, None, b"x", "x", True, [1], {"a": 1}], ids=repr)
def test_a_field_of_another_kind_is_refused(
    opened: tuple[Any, Any], name: str, wrong: object
) -> None:
    kinds: dict[int, type] = {UINT: int, BOOL: bool, BYTES: bytes, TEXT: str}
    fits = type(wrong) is kinds[FIELDS[name]] and wrong not in (-1, 2**32)
    assert (read(opened, encoded([(name, wrong)])) is None) == (not fits)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_there_twice_is_refused(opened: tuple[Any, Any], name: str) -> None:
    item = {"off": 1, "confirm": True, "data": b"x", "d": "x"}[name]
    assert read(opened, encoded([(name, item), ("else", 1)])) == {name: item}
    assert read(opened, encoded([(name, item), (name, item)])) is None


@pytest.mark.parametrize(
    "data", [b"\x80", b"\x01", b"\x40", b"\xf6", b"\xff", b"\xb8", b"\xa1\x01"], ids=bytes.hex
)
def test_what_is_no_map_is_refused(opened: tuple[Any, Any], data: bytes) -> None:
    assert read(opened, data) is None


@pytest.mark.parametrize("head", [b"\x81", b"\xa1\x01", b"\xd8\x20"], ids=bytes.hex)
def test_nesting_has_no_limit_but_the_message(opened: tuple[Any, Any], head: bytes) -> None:
    deep = head * 500 + b"\x00"
    assert read(opened, b"\xa2\x61x" + deep + b"\x63off\x05") == {"off": 5}


@pytest.mark.parametrize(
    "item",
    [
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\x80\x00\x00\x00\x00\x00\x00\x01\x00",
        b"\x5a\xff\xff\xff\xff",
        b"\x7b\x00\x00\x00\x01\x00\x00\x00\x01a",
        b"\x9a\x00\x01\x00\x00\x00",
        b"\x9f\x01\xff",
        b"\x5f\x41a\xff",
        b"\x1c",
        b"\x1f",
    ],
    ids=bytes.hex,
)
def test_lengths_beyond_the_message_or_unknown_are_refused_in_other_members(
    opened: tuple[Any, Any], item: bytes
) -> None:
    assert read(opened, b"\xa1\x61x" + item) is None


@settings(max_examples=500)
@given(st.binary(max_size=64))
def test_whatever_follows_a_field_does_not_change_it(opened: tuple[Any, Any], data: bytes) -> None:
    for head in (b"\xa2", b"\xbf"):
        found = read(opened, head + b"\x63off\x07" + data)
        assert found is None or found["off"] == 7
