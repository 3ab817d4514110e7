/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See journal.h. A block:
 *
 *     | header | newest events of the block before | snapshot | records ... | erased ... |
 *
 * The header is written last. Of the blocks with a valid header the one with the highest sequence
 * number is active; the next one to be begun follows it in the region, round and round.
 */
#include "update/journal.h"

#include <stddef.h>
#include <string.h>

#include "core/crc32.h"
#include "hal/flash.h"

_Static_assert(sizeof(journal_record_t) == JOURNAL_RECORD_BYTES,
               "a record fills whole write units");

#define ERASED        0xFFu
#define HISTORY_SHARE 3 /* a new block begins with at most a third of old events */

typedef enum { RECORD_FREE, RECORD_TORN, RECORD_VALID } record_state_t;

static uint32_t capacity(const update_layout_t *layout)
{
    uint32_t bytes = layout->journal_block;
    return (bytes < JOURNAL_BLOCK_BYTES ? bytes : JOURNAL_BLOCK_BYTES) / JOURNAL_RECORD_BYTES;
}

static uint32_t block_count(const update_layout_t *layout)
{
    return layout->journal.size / layout->journal_block;
}

static uint32_t place(const update_layout_t *layout, uint32_t block, uint32_t index)
{
    return layout->journal.offset + block * layout->journal_block + index * JOURNAL_RECORD_BYTES;
}

static uint32_t record_crc(const journal_record_t *record)
{
    return crc32_update(0, record, offsetof(journal_record_t, crc));
}

static bool is_erased(const journal_record_t *record)
{
    const uint8_t *bytes = (const uint8_t *)record;
    for (uint32_t i = 0; i < sizeof *record; i++) {
        if (bytes[i] != ERASED) {
            return false;
        }
    }
    return true;
}

static record_state_t look(const update_layout_t *layout, uint32_t block, uint32_t index,
                           journal_record_t *record)
{
    memcpy(record, flash_at(place(layout, block, index)), sizeof *record);
    if (is_erased(record)) {
        return RECORD_FREE;
    }
    return record->crc == record_crc(record) ? RECORD_VALID : RECORD_TORN;
}

static bool is_event(const journal_record_t *record)
{
    return record->kind >= JOURNAL_EVENTS;
}

/* Index behind the last place that is not erased. */
static uint32_t find_end(const update_layout_t *layout, uint32_t block)
{
    journal_record_t record;
    uint32_t end = capacity(layout);
    while (end > 1 && look(layout, block, end - 1, &record) == RECORD_FREE) {
        end--;
    }
    return end;
}

static void find_active(journal_t *journal)
{
    journal_record_t header;
    for (uint32_t block = 0; block < block_count(journal->layout); block++) {
        if (look(journal->layout, block, 0, &header) == RECORD_VALID &&
            header.kind == JOURNAL_HEADER && header.attempt == JOURNAL_FORMAT &&
            header.detail[0] > journal->sequence) {
            journal->block = block;
            journal->sequence = header.detail[0];
            journal->newest = header.detail[0];
            journal->first = header.detail[1];
        }
    }
}

void journal_open(journal_t *journal, const update_layout_t *layout)
{
    *journal = (journal_t){.layout = layout};
    find_active(journal);
    if (journal->sequence == 0) {
        return;
    }
    journal->next = find_end(layout, journal->block);
    journal_record_t record;
    uint32_t index = 0;
    while (journal_read(journal, &index, &record)) {
        journal->events += is_event(&record);
    }
}

bool journal_read(const journal_t *journal, uint32_t *index, journal_record_t *record)
{
    for (uint32_t i = *index + 1; i < journal->next; i++) {
        if (look(journal->layout, journal->block, i, record) == RECORD_VALID) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Writes a record to the next place of `journal`, which is used up even if that fails. */
static bool put(journal_t *journal, const journal_record_t *record)
{
    journal_record_t copy = *record;
    copy.crc = record_crc(&copy);
    uint32_t offset = place(journal->layout, journal->block, journal->next);
    journal->next++;
    if (!flash_program(offset, &copy, sizeof copy)) {
        return false;
    }
    journal->events += is_event(&copy);
    return true;
}

/* Copies the newest events of `old` to the empty block `journal`. */
static bool put_history(journal_t *journal, const journal_t *old)
{
    uint32_t most = capacity(journal->layout) / HISTORY_SHARE;
    uint32_t skip = old->events > most ? old->events - most : 0;
    journal->first = old->first + skip;
    journal_record_t record;
    uint32_t index = 0;
    while (journal_read(old, &index, &record)) {
        if (!is_event(&record)) {
            continue;
        }
        if (skip != 0) {
            skip--;
        } else if (!put(journal, &record)) {
            return false;
        }
    }
    return true;
}

static bool put_snapshot(journal_t *journal, const journal_record_t *snapshot, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!put(journal, &snapshot[i])) {
            return false;
        }
    }
    return true;
}

/* From here on the block counts. */
static bool put_header(journal_t *journal)
{
    journal_record_t header = {
        .kind = JOURNAL_HEADER,
        .slot = UPDATE_NO_SLOT,
        .attempt = JOURNAL_FORMAT,
        .detail = {journal->sequence, journal->first},
    };
    header.crc = record_crc(&header);
    return flash_program(place(journal->layout, journal->block, 0), &header, sizeof header);
}

/* Makes `block` the active one. False: it is not, and `journal` goes on in the old one. */
static bool begin_block(journal_t *journal, uint32_t block, const journal_record_t *snapshot,
                        uint32_t count)
{
    journal->newest++;
    journal_t fresh = {
        .layout = journal->layout,
        .block = block,
        .next = 1,
        .sequence = journal->newest,
        .newest = journal->newest,
    };
    if (!flash_erase(place(journal->layout, block, 0)) || !put_history(&fresh, journal) ||
        !put_snapshot(&fresh, snapshot, count) || !put_header(&fresh)) {
        return false;
    }
    *journal = fresh;
    return true;
}

/* Begins the block after the active one, or, if its flash fails, the one after that. */
static bool begin_next(journal_t *journal, const journal_record_t *snapshot, uint32_t count)
{
    uint32_t blocks = block_count(journal->layout);
    uint32_t others = journal->sequence != 0 ? blocks - 1 : blocks;
    uint32_t block = journal->sequence != 0 ? journal->block + 1 : 0;
    for (uint32_t i = 0; i < others; i++) {
        if (begin_block(journal, (block + i) % blocks, snapshot, count)) {
            return true;
        }
    }
    return false;
}

bool journal_append(journal_t *journal, const journal_record_t *record,
                    const journal_record_t *snapshot, uint32_t count)
{
    bool full = journal->sequence == 0 || journal->next >= capacity(journal->layout);
    if (full && !begin_next(journal, snapshot, count)) {
        return false;
    }
    return put(journal, record);
}

uint32_t journal_oldest_event(const journal_t *journal)
{
    return journal->first;
}

uint32_t journal_next_event(const journal_t *journal)
{
    return journal->first + journal->events;
}

bool journal_event(const journal_t *journal, uint32_t number, journal_record_t *record)
{
    uint32_t current = journal->first;
    uint32_t index = 0;
    while (number - journal->first < journal->events && journal_read(journal, &index, record)) {
        if (is_event(record) && current++ == number) {
            return true;
        }
    }
    return false;
}
