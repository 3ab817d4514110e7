# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Records of the journal on the host: the C's own structs, no byte believed without its CRC."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.image.reasons import NUMBERS, reason
from torpor.image.version import Version
from torpor.update import journal
from torpor.update.journal import BadRecordError, Event, decode, encode, type_in

U8, U32 = st.integers(0, 255), st.integers(0, 2**32 - 1)


def record(kind: int, slot: int = 1, why: int = 0, attempt: int = 0, detail: int = 0) -> bytes:
    """Return a record made by hand, as docs/SPEC.md describes it."""
    body = struct.pack("<4B2BHI8s2I", kind, slot, why, attempt, 1, 2, 3, 4, b"identity", detail, 7)
    return body + struct.pack("<I", zlib.crc32(body))


events = st.builds(
    Event,
    number=U32,
    kind=st.sampled_from([*journal.KINDS.values(), "event 99"]),
    slot=st.none() | st.integers(0, 254),
    version=st.builds(Version, U8, U8, st.integers(0, 2**16 - 1), U32),
    id=st.binary(min_size=8, max_size=8),
    reason=st.builds(reason, U8),
    attempt=U8,
    detail=st.tuples(U32, U32),
)


@given(events)
def test_what_is_encoded_is_decoded(event: Event) -> None:
    assert decode(event.number, encode(event)) == event


def test_a_record_is_read_member_by_member() -> None:
    event = decode(12, record(19, slot=1, why=NUMBERS["fault"], attempt=3, detail=0x1234))
    assert event == Event(
        *(12, "reverted", 1, Version(1, 2, 3, 4), b"identity"), reason(19), 3, (0x1234, 7)
    )
    assert (event.pc, event.lr) == (0x1234, 7)


def test_every_event_of_the_header_has_a_name() -> None:
    assert sorted(journal.KINDS) == [16, 17, 18, 19, 20, 21]
    assert journal.KINDS[16] == "armed"  # not the name of the border
    assert journal.RECORD_BYTES == journal.ffi.sizeof("journal_record_t") == 32


def test_an_event_of_a_later_torpor_is_shown_by_its_number() -> None:
    assert decode(0, record(99)).kind == "event 99"


def test_slot_255_is_none() -> None:
    assert decode(0, record(21, slot=255)).slot is None


@given(st.integers(0, 31), st.integers(1, 255))
def test_a_damaged_record_is_no_event(place: int, change: int) -> None:
    damaged = bytearray(record(16))
    damaged[place] ^= change
    with pytest.raises(BadRecordError, match="event 5 is damaged"):
        decode(5, bytes(damaged))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_record_of_another_length_is_no_event(length: int) -> None:
    with pytest.raises(BadRecordError, match=f"has {length} bytes, not 32"):
        decode(0, bytes(length))


def test_details_mean_something_only_where_they_do() -> None:
    names = {kind: decode(0, record(number, detail=5)) for number, kind in journal.KINDS.items()}
    assert {kind for kind, event in names.items() if event.pc} == {"attempt", "reverted"}
    assert {kind for kind, event in names.items() if event.counter} == {"confirmed"}
    assert {kind for kind, event in names.items() if event.length} == {"upload"}
    assert {kind for kind, event in names.items() if not event.has_version} == {
        *("upload", "refused")
    }


def test_an_address_that_is_not_known_is_none() -> None:
    assert decode(0, record(17, detail=0)).pc is None


def test_a_type_is_found_without_its_comments() -> None:
    text = "/* a_t; */ typedef struct {\n    int x; /* } a_t; */\n} a_t;"
    assert type_in(text, "a_t").split() == ["typedef", "struct", "{", "int", "x;", "}", "a_t;"]
    with pytest.raises(ValueError, match="no b_t"):
        type_in(text, "b_t")
