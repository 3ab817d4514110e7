# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The record of an interval is never longer than 96 bytes, whatever is in it."""

from typing import Any

import cffi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shared import build_shared
from torpor.engine.library import declarations
from torpor.wire import records
from torpor.wire.schema import SCHEMA

MOST = 96
WIDE = {"n", "time", "span", "latency_50", "latency_95"}
"""Of 32 bits; the application lets the others stay at 65535."""

FIELDS = {field.name: field for field in SCHEMA.records["summary"].fields}
SIXTEEN = sorted(set(FIELDS) - WIDE - {"counts", "residency"})

Encoder = tuple[Any, Any]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """Return (ffi, library) with the records as the build makes them."""
    from torpor_build import records as made  # noqa: PLC0415 - it lies in site_scons

    folder = tmp_path_factory.mktemp("records")
    (folder / "gen").mkdir()
    (folder / "gen" / "wire_records.h").write_text(made.header(SCHEMA))
    source = folder / "gen" / "wire_records.c"
    source.write_text(made.source(SCHEMA))
    ffi = cffi.FFI()
    ffi.cdef(declarations(made.header(SCHEMA)))
    return ffi, ffi.dlopen(str(build_shared(folder, [source])))


def in_c(encoder: Encoder, values: dict[str, Any]) -> bytes:
    """Encode a summary with the firmware's own code."""
    ffi, library = encoder
    box = ffi.new("wire_summary_t *")
    keep = []
    for name, value in values.items():
        if not isinstance(value, bytes):
            setattr(box, name, value)
            continue
        keep.append(ffi.new("uint8_t[]", value + b"\0"))
        getattr(box, name).bytes = keep[-1]
        getattr(box, name).length = len(value)
    payload = ffi.new("uint8_t[]", 384)
    length = library.wire_encode_summary(box, payload, 384)
    return bytes(ffi.buffer(payload, length))


def largest() -> dict[str, Any]:
    """Return every field at its largest value."""
    sizes = {"counts": 20, "residency": 14}
    values: dict[str, Any] = {name: b"\xff" * size for name, size in sizes.items()}
    values |= dict.fromkeys(WIDE, 0xFFFFFFFF) | dict.fromkeys(SIXTEEN, 0xFFFF)
    return {name: values[name] for name in FIELDS}


def test_a_summary_of_the_largest_values_has_96_bytes_in_c_and_python(encoder: Encoder) -> None:
    values = largest()
    encoded = in_c(encoder, values)
    print(f"{len(encoded)} bytes")
    assert encoded == records.encode(records.TYPES["summary"](**values))
    assert 0 < len(encoded) <= MOST


def test_bytes_of_a_summary_have_no_room_for_more() -> None:
    assert (FIELDS["counts"].max, FIELDS["residency"].max) == (20, 14)


@given(st.data())
def test_any_summary_is_encoded_alike_and_short_enough(
    encoder: Encoder, data: st.DataObject
) -> None:
    values: dict[str, Any] = {
        "counts": data.draw(st.binary(max_size=20)),
        "residency": data.draw(st.binary(max_size=14)),
    }
    values |= {name: data.draw(st.integers(0, 0xFFFFFFFF)) for name in sorted(WIDE)}
    values |= {name: data.draw(st.integers(0, 0xFFFF)) for name in SIXTEEN}
    values = {name: values[name] for name in FIELDS}
    encoded = in_c(encoder, values)
    assert encoded == records.encode(records.TYPES["summary"](**values))
    assert len(encoded) <= MOST
    assert records.decode(encoded) == records.TYPES["summary"](**values)
