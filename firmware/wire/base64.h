/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Base64 (RFC 4648: the standard alphabet, with padding), a digit at a time.
 */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include <stdbool.h>
#include <stdint.h>

/* All zero is a decoder at the beginning of a text. Private. */
typedef struct {
    uint32_t group;  /* bits of the open group of four digits */
    uint8_t digits;  /* how many it has */
    uint8_t padding; /* '=' seen: the end of the text */
} base64_t;

/* Takes a digit or '='. `*count` says how many bytes, 0 to 3, are complete with it; they are in
 * `bytes`. False if it is neither, stands where it may not, or leaves bits set that belong to no
 * byte. */
bool base64_take(base64_t *decoder, uint8_t digit, uint8_t bytes[3], uint32_t *count);

/* True if the text may end here: no group is open. */
static inline bool base64_may_end(const base64_t *decoder)
{
    return decoder->digits == 0;
}

/* Writes the four digits of `count` bytes (1 to 3), padding among them. */
void base64_put(const uint8_t *bytes, uint32_t count, uint8_t digits[4]);

#endif
