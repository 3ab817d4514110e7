/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Inputs that are kept, in a ring of flash blocks: never more than the ring holds. When it is full
 * a block is freed: that with the most boring entries of the older half (the fewest SAMPLE_LOW),
 * the oldest of equal ones; but a block that has been erased STORE_WEAR times less often than
 * another is freed first, so that all wear out together. Power may fail at any time: an entry that
 * was not written completely is not there. docs/SPEC.md has the bytes.
 */
#ifndef STATS_STORE_H
#define STATS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#define STORE_WEAR 8

/* Where it lies: offsets in the flash, multiples of the erase size; at least two blocks. */
typedef struct {
    uint32_t offset;
    uint32_t size;
    uint32_t erase_size;
    uint32_t write_size; /* a power of two, 4 .. 256 */
} store_layout_t;

typedef struct {
    uint32_t number; /* counts up for ever; set by store_put() */
    uint32_t time;   /* seconds since the start of the run */
    uint32_t plan;   /* CRC-32 of the plan that it was an input of */
    uint16_t length; /* bytes of the input that are stored */
    uint8_t why;     /* sample_why_t */
    uint8_t best;
    uint8_t score;
    uint8_t kind; /* 0: the raw input; 1: a summary of it (per channel: mean, deviation, as int8) */
} store_entry_t;

/* Members are private. */
typedef struct {
    const store_layout_t *layout;
    uint32_t next_number;
    uint32_t block; /* that is written */
    uint32_t used;  /* bytes of it */
} store_t;

/* Finds what is there. A layout of size 0: nothing is ever stored. */
void store_open(store_t *store, const store_layout_t *layout);

/* Keeps an input, of entry->length bytes; erases a block where needed. False: it is longer than a
 * block, there is no store, or the flash failed. */
bool store_put(store_t *store, store_entry_t *entry, const void *data);

/* The entry with the lowest number that is at least `from`, and where its bytes can be read. False:
 * none. */
bool store_find(const store_t *store, uint32_t from, store_entry_t *entry, const uint8_t **data);

/* Forgets everything. */
bool store_clear(store_t *store);

#endif
