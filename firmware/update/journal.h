/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * An append-only list of records in flash that survives power loss at any moment: a record is there
 * or it is not. Each is written once, in whole write units; one that was torn counts as absent and
 * its place is skipped. When a block is full, the next one is erased, gets the newest events and a
 * snapshot of the state, and last of all its header: until then the old block is the truth.
 */
#ifndef UPDATE_JOURNAL_H
#define UPDATE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "update/image.h"
#include "update/layout.h"

#define JOURNAL_RECORD_BYTES 32
#define JOURNAL_BLOCK_BYTES  4096 /* of a larger erase block the rest is not used */
#define JOURNAL_FORMAT       1

/* What a record says. Numbers below JOURNAL_EVENTS are book-keeping, the others are events: what
 * people call the history. Never reused. */
typedef enum {
    JOURNAL_HEADER = 1, /* first of a block; detail: sequence, number of the block's first event */
    JOURNAL_STATE = 2,  /* attempt: component; slot: confirmed; reason: rejected slots, a bit each;
                           detail[0]: security counter */
    JOURNAL_ON_TRIAL = 3, /* slot is on trial, `attempt` attempts have begun */
    JOURNAL_TRANSFER = 4, /* slot, or none, receives a file; id: of it; detail[0]: its length */
    JOURNAL_EVENTS = 16,
    JOURNAL_ARMED = 16,   /* slot goes on trial; reason: why nobody had to ask, or 0 */
    JOURNAL_ATTEMPT = 17, /* attempt number `attempt` begins; reason, detail: how the last ended */
    JOURNAL_CONFIRMED = 18, /* slot is confirmed; detail[0]: security counter from now on */
    JOURNAL_REVERTED = 19,  /* the trial of slot is over; reason; detail: PC and LR */
    JOURNAL_UPLOAD = 20,    /* slot is erased and receives a file, as JOURNAL_TRANSFER */
    JOURNAL_REFUSED = 21,   /* an upload was refused; reason */
} journal_kind_t;

/* Little endian, as it lies in flash. */
typedef struct {
    uint8_t kind;
    uint8_t slot;
    uint8_t reason;
    uint8_t attempt;
    image_version_t version;
    uint8_t id[IMAGE_ID_BYTES]; /* first bytes of the image's hash */
    uint32_t detail[2];
    uint32_t crc; /* CRC-32 of all before */
} journal_record_t;

/* All private. */
typedef struct {
    const update_layout_t *layout;
    uint32_t block;    /* index of the active one; none yet if sequence is 0 */
    uint32_t next;     /* index of the first free record in it */
    uint32_t sequence; /* of the active block */
    uint32_t newest;   /* of all blocks: one whose flash has failed may count all the same */
    uint32_t first;    /* number of its first event */
    uint32_t events;   /* in it */
} journal_t;

/* Finds the active block. Cannot fail: flash without a valid block is an empty journal. */
void journal_open(journal_t *journal, const update_layout_t *layout);

/* Reads valid records from index `*index` on (0 is the first), skipping header and torn ones, and
 * moves `*index` behind the one returned. False: no more. */
bool journal_read(const journal_t *journal, uint32_t *index, journal_record_t *record);

/* Appends a record, whose CRC is filled in. If the block is full, or none is active yet, begins
 * another one with the newest events and the `count` records of `snapshot` (at most
 * JOURNAL_SNAPSHOT_MAX), which together say what the records so far say. False: the flash fails. */
bool journal_append(journal_t *journal, const journal_record_t *record,
                    const journal_record_t *snapshot, uint32_t count);

#define JOURNAL_SNAPSHOT_MAX 5

/* Events are numbered from 0 on for ever: number of the oldest that is still there, and of the next
 * to be. */
uint32_t journal_oldest_event(const journal_t *journal);
uint32_t journal_next_event(const journal_t *journal);

/* Event `number`; false if it is not there. */
bool journal_event(const journal_t *journal, uint32_t number, journal_record_t *record);

#endif
