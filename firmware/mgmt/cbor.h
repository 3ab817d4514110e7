/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * CBOR maps with text as keys, the body of every SMP message: read by name in any order, written
 * with zcbor.
 */
#ifndef MGMT_CBOR_H
#define MGMT_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zcbor_common.h>

typedef enum { CBOR_UINT, CBOR_BOOL, CBOR_BYTES, CBOR_TEXT } cbor_kind_t;

/* A member that is looked for. The caller gives name and kind, the rest is found. */
typedef struct {
    const char *name;
    cbor_kind_t kind;
    bool present;
    uint32_t number;      /* CBOR_UINT; CBOR_BOOL: 0 or 1 */
    const uint8_t *bytes; /* CBOR_BYTES, CBOR_TEXT: within the message */
    uint32_t length;      /* of them */
} cbor_field_t;

/* Reads a map into `fields`; members that are not among them are skipped, whatever they hold but
 * parts of unknown length. No bytes at all are an empty map. False: `bytes` is not exactly one map,
 * or a field is there twice or of another kind. */
bool cbor_read(const uint8_t *bytes, size_t length, cbor_field_t *fields, uint32_t count);

/* A name alone, then a member of each kind. False: no room. */
bool cbor_put_name(zcbor_state_t *state, const char *name);
bool cbor_put_uint(zcbor_state_t *state, const char *name, uint32_t value);
bool cbor_put_bool(zcbor_state_t *state, const char *name, bool value);
bool cbor_put_text(zcbor_state_t *state, const char *name, const char *text, size_t length);
bool cbor_put_bytes(zcbor_state_t *state, const char *name, const uint8_t *bytes, size_t length);

#endif
