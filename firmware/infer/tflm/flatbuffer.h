/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Reads a flatbuffer that nobody has looked at yet. flat_table() proves that a table, and what its
 * fields of known kinds lead to, lies in the flatbuffer and is aligned; the other functions read
 * what has been proven. Positions are bytes from the start; 0 stands for an absent field, as
 * nothing can lie there.
 */
#ifndef INFER_TFLM_FLATBUFFER_H
#define INFER_TFLM_FLATBUFFER_H

#include <stdint.h>

/* No core needs more for a number of 8 bytes, and some writers of files do not align them better.
 */
#define FLAT_ALIGN 4u

typedef struct {
    const uint8_t *bytes; /* 16-byte aligned */
    uint32_t length;      /* < 2^31 */
    uint32_t left;        /* how many more tables and elements may be looked at */
} flat_t;

/* What a field is. A list of these is a table's schema. */
enum flat_kind {
    FLAT_SKIP,    /* nobody follows it */
    FLAT_BYTE,    /* a number of 1 byte */
    FLAT_WORD,    /* a number of 4 bytes, or a table, which its own flat_table() has to prove */
    FLAT_NO_WORD, /* a number of 4 bytes that must be 0 */
    FLAT_NO_LONG, /* a number of 8 bytes that must be 0 */
    FLAT_BYTES,   /* a vector of numbers of 1 byte */
    FLAT_TEXT,    /* a string, with the NUL behind it */
    FLAT_WORDS,   /* a vector of numbers of 4 bytes, or of tables */
    FLAT_LONGS,   /* a vector of numbers of 8 bytes */
};

/* Takes `count` from what may still be looked at; 0 if that is too much. This bounds the work where
 * much of a flatbuffer leads to the same bytes. */
int flat_spend(flat_t *flat, uint32_t count);

/* Is there a sound table at `at`, whose field i is of kind kinds[i]? Any of them may be absent. */
int flat_table(flat_t *flat, uint32_t at, const uint8_t *kinds, uint32_t count);

/* A number of a proven table, 0 where it is absent. */
uint32_t flat_byte(const flat_t *flat, uint32_t table, uint32_t field);
uint32_t flat_word(const flat_t *flat, uint32_t table, uint32_t field);

/* Where a field of a proven table leads: its vector or table; 0 where it is absent. */
uint32_t flat_follow(const flat_t *flat, uint32_t table, uint32_t field);

/* Elements of a vector; 0 for an absent one. */
uint32_t flat_size(const flat_t *flat, uint32_t vector);

/* Number `index` of a vector of words, and the table that number `index` of a vector of tables
 * leads to. */
uint32_t flat_number(const flat_t *flat, uint32_t vector, uint32_t index);
uint32_t flat_element(const flat_t *flat, uint32_t vector, uint32_t index);

#endif
