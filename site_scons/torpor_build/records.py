# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Makes the C side of the wire records: wire_records.h and wire_records.c."""

from collections.abc import Iterable

from torpor.wire.schema import FieldSpec, RecordSpec, Schema

_HEAD = "/* Made from firmware/wire/records.toml. Do not edit. */\n"
_REPLY_ID = 16  # records below it go from host to device, the others back

_MEMBERS = {
    "uint": "uint32_t {0};",
    "int": "int32_t {0};",
    "bytes": "wire_bytes_t {0}; /* at most {1} */",
    "text": "wire_bytes_t {0}; /* UTF-8, at most {1} */",
}
_GET = {
    "uint": "zcbor_uint32_decode(state, &record->{0})",
    "int": "zcbor_int32_decode(state, &record->{0})",
    "bytes": "get_bytes(state, &record->{0}, {1})",
    "text": "get_text(state, &record->{0}, {1})",
}
_PUT = {
    "uint": "zcbor_uint32_put(state, record->{0})",
    "int": "zcbor_int32_put(state, record->{0})",
    "bytes": "put_bytes(state, record->{0}, {1})",
    "text": "put_text(state, record->{0}, {1})",
}

_HEADER = """\
#ifndef WIRE_RECORDS_H
#define WIRE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_SCHEMA_HASH 0x{hash:08X}u
#define WIRE_MAX_PAYLOAD {payload}

/* Bytes or text; decoded ones point into the payload. */
typedef struct {{
    const uint8_t *bytes;
    uint32_t length;
}} wire_bytes_t;

enum wire_status {{
{status}
}};

enum wire_id {{
{ids}
}};

{structs}
/* Any record that the host sends; `id` says which member counts. */
typedef struct {{
    uint32_t id;
    union {{
{requests}
    }};
}} wire_request_t;

/* Any record that the device sends. */
typedef struct {{
    uint32_t id;
    union {{
{replies}
    }};
}} wire_reply_t;

/* Reads a payload. False if it is not exactly one well-formed record of that direction. */
bool wire_decode_request(const uint8_t *payload, size_t length, wire_request_t *request);
bool wire_decode_reply(const uint8_t *payload, size_t length, wire_reply_t *reply);

/* Writes a record to `payload` and returns its length, or 0 if it does not fit `size` bytes or a
 * field is longer than its maximum. */
{encoders}
#endif
"""

_SOURCE = """\
#include "gen/wire_records.h"

#include <zcbor_decode.h>
#include <zcbor_encode.h>

/* A list at the top level: the running state, the constant state, one backup. The number of its
 * items is known beforehand, so that zcbor reserves no more than its head needs. */
#define STATES 3

static bool take(const struct zcbor_string *string, wire_bytes_t *field, uint32_t max)
{{
    field->bytes = string->value;
    field->length = (uint32_t)string->len;
    return string->len <= max;
}}

static inline bool get_bytes(zcbor_state_t *state, wire_bytes_t *field, uint32_t max)
{{
    struct zcbor_string string;
    return zcbor_bstr_decode(state, &string) && take(&string, field, max);
}}

static inline bool get_text(zcbor_state_t *state, wire_bytes_t *field, uint32_t max)
{{
    struct zcbor_string string;
    return zcbor_tstr_decode(state, &string) && take(&string, field, max);
}}

static inline bool put_bytes(zcbor_state_t *state, wire_bytes_t field, uint32_t max)
{{
    return field.length <= max &&
           zcbor_bstr_encode_ptr(state, (const char *)field.bytes, field.length);
}}

static inline bool put_text(zcbor_state_t *state, wire_bytes_t field, uint32_t max)
{{
    return field.length <= max &&
           zcbor_tstr_encode_ptr(state, (const char *)field.bytes, field.length);
}}

static bool begin_decode(zcbor_state_t *state, const uint8_t *payload, size_t length, uint32_t *id)
{{
    zcbor_new_decode_state(state, STATES, payload, length, 1, NULL, 0);
    return zcbor_list_start_decode(state) && zcbor_uint32_decode(state, id);
}}

static bool end_decode(zcbor_state_t *state)
{{
    return zcbor_list_end_decode(state) && zcbor_payload_at_end(state);
}}

static bool begin_encode(zcbor_state_t *state, uint8_t *payload, size_t size, uint32_t id,
                         size_t items)
{{
    zcbor_new_encode_state(state, STATES, payload, size, 1);
    return zcbor_list_start_encode(state, items) && zcbor_uint32_put(state, id);
}}

static size_t end_encode(zcbor_state_t *state, const uint8_t *payload, size_t items)
{{
    return zcbor_list_end_encode(state, items) ? (size_t)(state->payload - payload) : 0;
}}
{getters}{decoders}{encoders}"""

_DECODER = """
bool wire_decode_{side}(const uint8_t *payload, size_t length, wire_{side}_t *{side})
{{
    zcbor_state_t state[STATES];
    if (!begin_decode(state, payload, length, &{side}->id)) {{
        return false;
    }}
    bool good = false;
    switch ({side}->id) {{
{cases}
    default:
        break;
    }}
    return good && end_decode(state);
}}
"""


def header(schema: Schema) -> str:
    """Return the text of wire_records.h."""
    return _HEAD + _HEADER.format(
        hash=schema.hash,
        payload=schema.payload,
        status=_lines(f"WIRE_{n.upper()} = {v}," for n, v in schema.status.items()),
        ids=_lines(f"WIRE_ID_{r.kind.upper()} = {r.id}," for r in schema.records.values()),
        structs="".join(map(_struct, schema.records.values())),
        requests=_members(_side(schema, "request")),
        replies=_members(_side(schema, "reply")),
        encoders="".join(f"{_signature(r)};\n" for r in schema.records.values()),
    )


def source(schema: Schema) -> str:
    """Return the text of wire_records.c."""
    return _HEAD + _SOURCE.format(
        getters="".join(map(_getter, schema.records.values())),
        decoders="".join(_decoder(schema, side) for side in ("request", "reply")),
        encoders="".join(map(_encoder, schema.records.values())),
    )


def _side(schema: Schema, side: str) -> list[RecordSpec]:
    return [r for r in schema.records.values() if (r.id >= _REPLY_ID) == (side == "reply")]


def _lines(lines: Iterable[str], indent: int = 4) -> str:
    return "\n".join(" " * indent + line for line in lines)


def _members(records: list[RecordSpec]) -> str:
    return _lines((f"wire_{r.kind}_t {r.kind};" for r in records), 8)


def _struct(record: RecordSpec) -> str:
    members = _lines(_MEMBERS[f.type].format(f.name, f.max) for f in record.fields)
    return f"/* {record.doc} */\ntypedef struct {{\n{members}\n}} wire_{record.kind}_t;\n\n"


def _signature(record: RecordSpec) -> str:
    kind = record.kind
    return f"size_t wire_encode_{kind}(const wire_{kind}_t *record, uint8_t *payload, size_t size)"


def _chain(table: dict[str, str], fields: tuple[FieldSpec, ...]) -> str:
    return " &&\n           ".join(table[f.type].format(f.name, f.max) for f in fields)


def _getter(record: RecordSpec) -> str:
    kind = record.kind
    return (
        f"\nstatic bool get_{kind}(zcbor_state_t *state, wire_{kind}_t *record)\n{{\n"
        f"    return {_chain(_GET, record.fields)};\n}}\n"
    )


def _decoder(schema: Schema, side: str) -> str:
    cases = "\n".join(
        f"    case WIRE_ID_{r.kind.upper()}:\n"
        f"        good = get_{r.kind}(state, &{side}->{r.kind});\n"
        f"        break;"
        for r in _side(schema, side)
    )
    return _DECODER.format(side=side, cases=cases)


def _encoder(record: RecordSpec) -> str:
    items = len(record.fields) + 1
    call = f"begin_encode(state, payload, size, WIRE_ID_{record.kind.upper()}, {items})"
    return (
        f"\n{_signature(record)}\n{{\n"
        "    zcbor_state_t state[STATES];\n"
        f"    bool good = {call} &&\n"
        f"           {_chain(_PUT, record.fields)};\n"
        f"    return good ? end_encode(state, payload, {items}) : 0;\n}}\n"
    )
