/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See cbor.h. zcbor's own decoders of maps want the keys in a known order, and its zcbor_any_skip()
 * calls itself once for each level of nesting, so that a message could use up the stack.
 */
#include "mgmt/cbor.h"

#include <string.h>
#include <zcbor_decode.h>
#include <zcbor_encode.h>

#define STATES 3 /* the running state, the constant state, one backup: a map at the top level */

/* The beginning of any item (RFC 8949, 3): its major type, and the number that comes with it. */
typedef struct {
    zcbor_major_type_t type;
    uint64_t value;
} head_t;

/* Reads a head at `*at`. False: it ends before its number does, or says that a length is not
 * known. */
static bool take_head(const uint8_t **at, const uint8_t *end, head_t *head)
{
    if (*at == end) {
        return false;
    }
    uint8_t first = *(*at)++;
    uint32_t additional = ZCBOR_ADDITIONAL(first);
    head->type = ZCBOR_MAJOR_TYPE(first);
    head->value = additional;
    if (additional < ZCBOR_VALUE_IS_1_BYTE) {
        return true;
    }
    uint32_t count = 1u << (additional - ZCBOR_VALUE_IS_1_BYTE);
    if (additional > ZCBOR_VALUE_IS_8_BYTES || count > (size_t)(end - *at)) {
        return false;
    }
    head->value = 0;
    for (uint32_t i = 0; i < count; i++) {
        head->value = head->value << 8 | *(*at)++;
    }
    return true;
}

/* How many items follow that belong to one with this head; `*at` goes behind the bytes of a string.
 * False: there are not so many bytes. Each item is a byte at least, so the sum stays small. */
static bool take_content(const head_t *head, const uint8_t **at, const uint8_t *end,
                         uint32_t *items)
{
    bool is_string = head->type == ZCBOR_MAJOR_TYPE_BSTR || head->type == ZCBOR_MAJOR_TYPE_TSTR;
    bool is_list = head->type == ZCBOR_MAJOR_TYPE_LIST;
    bool is_map = head->type == ZCBOR_MAJOR_TYPE_MAP;
    if ((is_string || is_list || is_map) && head->value > (size_t)(end - *at)) {
        return false;
    }
    uint32_t count = (uint32_t)head->value;
    *at += is_string ? count : 0;
    *items += is_list ? count : is_map ? 2 * count : 0;
    *items += head->type == ZCBOR_MAJOR_TYPE_TAG ? 1 : 0;
    return true;
}

/* Skips one item with all that is in it. */
static bool skip(zcbor_state_t *state)
{
    const uint8_t *at = state->payload;
    uint32_t items = 1;
    while (items != 0) {
        head_t head;
        items--;
        if (!take_head(&at, state->payload_end, &head) ||
            !take_content(&head, &at, state->payload_end, &items)) {
            return false;
        }
    }
    state->payload = at;
    state->elem_count--;
    return true;
}

static bool take_string(const struct zcbor_string *string, cbor_field_t *field)
{
    field->bytes = string->value;
    field->length = (uint32_t)string->len;
    return true;
}

static bool take_value(zcbor_state_t *state, cbor_field_t *field)
{
    struct zcbor_string string;
    bool truth;
    switch (field->kind) {
    case CBOR_UINT:
        return zcbor_uint32_decode(state, &field->number);
    case CBOR_BOOL:
        if (!zcbor_bool_decode(state, &truth)) {
            return false;
        }
        field->number = truth;
        return true;
    case CBOR_BYTES:
        return zcbor_bstr_decode(state, &string) && take_string(&string, field);
    default:
        return zcbor_tstr_decode(state, &string) && take_string(&string, field);
    }
}

static cbor_field_t *find(const struct zcbor_string *name, cbor_field_t *fields, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strlen(fields[i].name) == name->len &&
            memcmp(fields[i].name, name->value, name->len) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static bool take_member(zcbor_state_t *state, cbor_field_t *fields, uint32_t count)
{
    struct zcbor_string name;
    if (state->payload == state->payload_end ||
        ZCBOR_MAJOR_TYPE(*state->payload) != ZCBOR_MAJOR_TYPE_TSTR) {
        return skip(state) && skip(state);
    }
    if (!zcbor_tstr_decode(state, &name)) {
        return false;
    }
    cbor_field_t *field = find(&name, fields, count);
    if (field == NULL) {
        return skip(state);
    }
    if (field->present) {
        return false;
    }
    field->present = true;
    return take_value(state, field);
}

bool cbor_read(const uint8_t *bytes, size_t length, cbor_field_t *fields, uint32_t count)
{
    if (length == 0) {
        return true;
    }
    zcbor_state_t state[STATES];
    zcbor_new_decode_state(state, STATES, bytes, length, 1, NULL, 0);
    state->constant_state->enforce_canonical =
        false; /* some clients write maps of unknown length */
    if (!zcbor_map_start_decode(state)) {
        return false;
    }
    while (!zcbor_array_at_end(state)) {
        if (!take_member(state, fields, count)) {
            return false;
        }
    }
    return zcbor_map_end_decode(state) && zcbor_payload_at_end(state);
}

bool cbor_put_name(zcbor_state_t *state, const char *name)
{
    return zcbor_tstr_encode_ptr(state, name, strlen(name));
}

bool cbor_put_uint(zcbor_state_t *state, const char *name, uint32_t value)
{
    return cbor_put_name(state, name) && zcbor_uint32_put(state, value);
}

bool cbor_put_bool(zcbor_state_t *state, const char *name, bool value)
{
    return cbor_put_name(state, name) && zcbor_bool_put(state, value);
}

bool cbor_put_text(zcbor_state_t *state, const char *name, const char *text, size_t length)
{
    return cbor_put_name(state, name) && zcbor_tstr_encode_ptr(state, text, length);
}

bool cbor_put_bytes(zcbor_state_t *state, const char *name, const uint8_t *bytes, size_t length)
{
    return cbor_put_name(state, name) && zcbor_bstr_encode_ptr(state, (const char *)bytes, length);
}
