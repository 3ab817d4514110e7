/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See store.h. A block:
 *
 *     | head | record, data | record, data | ... | erased ... |
 *
 * A block counts from its head on, which is written right after the erase; the one with the highest
 * sequence number is written. A record is programmed together with its data, in ascending order: it
 * says how long the data is and what its CRC is, so that data that was torn is skipped. Behind a
 * record that was torn nothing of the block is used.
 */
#include "stats/store.h"

#include <stddef.h>
#include <string.h>

#include "core/crc32.h"
#include "hal/flash.h"
#include "stats/sampler.h"

#define UNIT_MAX     256         /* bytes of a write unit */
#define HEAD_MAGIC   0x42535054u /* "TPSB": what the CRC begins with */
#define RECORD_MAGIC 0x52535054u /* "TPSR" */
#define NO_BLOCK     UINT32_MAX

/* Little endian, as they lie in flash. */
typedef struct {
    uint32_t sequence; /* counts the blocks that were begun, from 1 on */
    uint32_t number;   /* of the first entry */
    uint32_t erased;   /* how often, as far as is known */
    uint32_t crc;      /* of all before */
} head_t;

typedef struct {
    uint32_t number;
    uint32_t time;
    uint32_t plan;
    uint16_t length;
    uint8_t why;
    uint8_t best;
    uint8_t score;
    uint8_t kind;
    uint8_t reserved[2];
    uint32_t data_crc;
    uint32_t crc; /* of all before */
} record_t;

_Static_assert(sizeof(head_t) == 16 && sizeof(record_t) == 28, "parts of the format");

/* Where a walk over a block is. */
typedef struct {
    uint32_t next; /* offset in the block */
    record_t record;
    const uint8_t *data;
} walk_t;

static uint32_t block_count(const store_layout_t *layout)
{
    return layout->size == 0 ? 0 : layout->size / layout->erase_size;
}

static uint32_t place(const store_layout_t *layout, uint32_t block, uint32_t offset)
{
    return layout->offset + block * layout->erase_size + offset;
}

static uint32_t padded(const store_layout_t *layout, uint32_t bytes)
{
    return (bytes + layout->write_size - 1) & ~(layout->write_size - 1);
}

static uint32_t head_crc(const head_t *head)
{
    return crc32_update(HEAD_MAGIC, head, offsetof(head_t, crc));
}

static uint32_t record_crc(const record_t *record)
{
    return crc32_update(RECORD_MAGIC, record, offsetof(record_t, crc));
}

static bool read_head(const store_layout_t *layout, uint32_t block, head_t *head)
{
    memcpy(head, flash_at(place(layout, block, 0)), sizeof *head);
    return head->crc == head_crc(head);
}

static walk_t begin_walk(const store_layout_t *layout)
{
    return (walk_t){.next = padded(layout, sizeof(head_t))};
}

/* Moves to the next record of a block. False: no more. */
static bool walk(const store_layout_t *layout, uint32_t block, walk_t *at)
{
    uint32_t data = at->next + (uint32_t)sizeof(record_t);
    if (data > layout->erase_size) {
        return false;
    }
    memcpy(&at->record, flash_at(place(layout, block, at->next)), sizeof at->record);
    if (at->record.crc != record_crc(&at->record) ||
        at->record.length > layout->erase_size - data) {
        return false;
    }
    at->data = flash_at(place(layout, block, data));
    at->next += padded(layout, (uint32_t)sizeof(record_t) + at->record.length);
    return true;
}

static bool data_ok(const walk_t *at)
{
    return at->record.data_crc == crc32_update(0, at->data, at->record.length);
}

/* Whether a record can be programmed at an offset of a block. */
static bool is_free(const store_layout_t *layout, uint32_t block, uint32_t offset)
{
    const uint8_t *bytes = flash_at(place(layout, block, 0));
    for (uint32_t i = offset; i < layout->erase_size; i++) {
        if (bytes[i] != 0xFF) {
            return false;
        }
    }
    return true;
}

/* Block with the highest sequence number. NO_BLOCK: none, and *head is zero. */
static uint32_t newest(const store_layout_t *layout, head_t *head)
{
    uint32_t found = NO_BLOCK;
    head_t other;
    *head = (head_t){0};
    for (uint32_t block = 0; block < block_count(layout); block++) {
        if (read_head(layout, block, &other) && other.sequence > head->sequence) {
            *head = other;
            found = block;
        }
    }
    return found;
}

void store_open(store_t *store, const store_layout_t *layout)
{
    *store = (store_t){.layout = layout, .used = layout->erase_size};
    head_t head;
    uint32_t block = newest(layout, &head);
    if (block == NO_BLOCK) {
        return;
    }
    store->block = block;
    store->next_number = head.number;
    walk_t at = begin_walk(layout);
    while (walk(layout, block, &at)) {
        store->next_number = at.record.number + 1;
    }
    store->used = is_free(layout, block, at.next) ? at.next : layout->erase_size;
}

/* Programs `head` and `data`, one after the other, padded to whole write units. */
static bool program(const store_layout_t *layout, uint32_t offset, const void *head,
                    uint32_t head_bytes, const uint8_t *data, uint32_t data_bytes)
{
    uint8_t unit[UNIT_MAX];
    uint32_t filled = head_bytes;
    memcpy(unit, head, head_bytes);
    do {
        uint32_t room = (uint32_t)sizeof unit - filled;
        uint32_t part = data_bytes < room ? data_bytes : room;
        memcpy(&unit[filled], data, part);
        filled += part;
        data += part;
        data_bytes -= part;
        uint32_t whole = padded(layout, filled);
        memset(&unit[filled], 0xFF, whole - filled);
        if (!flash_program(offset, unit, whole)) {
            return false;
        }
        offset += whole;
        filled = 0;
    } while (data_bytes != 0);
    return true;
}

/* How often the block has been erased that was erased most often. */
static uint32_t most_erased(const store_layout_t *layout)
{
    uint32_t most = 0;
    head_t head;
    for (uint32_t block = 0; block < block_count(layout); block++) {
        if (read_head(layout, block, &head) && head.erased > most) {
            most = head.erased;
        }
    }
    return most;
}

/* Frees a block and makes it the one that is written. False: nothing can be written to it. */
static bool begin_block(store_t *store, uint32_t block)
{
    const store_layout_t *layout = store->layout;
    head_t head;
    bool known = read_head(layout, block, &head);
    uint32_t erased = known ? head.erased + 1 : most_erased(layout);
    newest(layout, &head);
    head.sequence++;
    head.number = store->next_number;
    head.erased = erased != 0 ? erased : 1;
    head.crc = head_crc(&head);
    store->block = block;
    store->used = layout->erase_size;
    const uint8_t *bytes = (const uint8_t *)&head;
    if (!flash_erase(place(layout, block, 0)) ||
        !program(layout, place(layout, block, 0), bytes, sizeof head, bytes, 0)) {
        return false;
    }
    store->used = padded(layout, sizeof head);
    return true;
}

/* The block after the one that is written, and so on, round and round. */
static uint32_t following(const store_t *store, uint32_t step)
{
    return (store->block + step) % block_count(store->layout);
}

/* A block that holds nothing, or NO_BLOCK. */
static uint32_t find_empty(const store_t *store)
{
    head_t head;
    for (uint32_t step = 1; step < block_count(store->layout); step++) {
        if (!read_head(store->layout, following(store, step), &head)) {
            return following(store, step);
        }
    }
    return NO_BLOCK;
}

/* The least erased block, if another one has been erased much more often; else NO_BLOCK. */
static uint32_t find_unworn(const store_t *store)
{
    uint32_t most = most_erased(store->layout);
    uint32_t found = NO_BLOCK;
    uint32_t least = most;
    head_t head;
    for (uint32_t step = 1; step < block_count(store->layout); step++) {
        if (read_head(store->layout, following(store, step), &head) && head.erased < least) {
            least = head.erased;
            found = following(store, step);
        }
    }
    return most - least >= STORE_WEAR ? found : NO_BLOCK;
}

/* Whether a block is one of the older half. */
static bool is_old(const store_layout_t *layout, uint32_t sequence)
{
    uint32_t older = 0;
    head_t head;
    for (uint32_t block = 0; block < block_count(layout); block++) {
        older += read_head(layout, block, &head) && head.sequence < sequence;
    }
    return older < block_count(layout) / 2;
}

static uint32_t count_low(const store_layout_t *layout, uint32_t block)
{
    uint32_t count = 0;
    walk_t at = begin_walk(layout);
    while (walk(layout, block, &at)) {
        count += at.record.why == SAMPLE_LOW;
    }
    return count;
}

/* The most boring block of the older half, the oldest of equal ones. */
static uint32_t find_boring(const store_t *store)
{
    uint32_t found = NO_BLOCK;
    uint32_t fewest = UINT32_MAX;
    uint32_t sequence = 0;
    head_t head;
    for (uint32_t step = 1; step < block_count(store->layout); step++) {
        uint32_t block = following(store, step);
        if (!read_head(store->layout, block, &head) || !is_old(store->layout, head.sequence)) {
            continue;
        }
        uint32_t low = count_low(store->layout, block);
        if (low < fewest || (low == fewest && head.sequence < sequence)) {
            found = block;
            fewest = low;
            sequence = head.sequence;
        }
    }
    return found;
}

static bool begin_next(store_t *store)
{
    uint32_t block = find_empty(store);
    if (block == NO_BLOCK) {
        block = find_unworn(store);
    }
    if (block == NO_BLOCK) {
        block = find_boring(store);
    }
    return block != NO_BLOCK && begin_block(store, block);
}

/* Makes room for `bytes`, in another block where needed. */
static bool make_room(store_t *store, uint32_t bytes)
{
    const store_layout_t *layout = store->layout;
    if (block_count(layout) < 2 || bytes > layout->erase_size - padded(layout, sizeof(head_t))) {
        return false;
    }
    return bytes <= layout->erase_size - store->used || begin_next(store);
}

bool store_put(store_t *store, store_entry_t *entry, const void *data)
{
    const store_layout_t *layout = store->layout;
    uint32_t bytes = padded(layout, (uint32_t)sizeof(record_t) + entry->length);
    if (!make_room(store, bytes)) {
        return false;
    }
    entry->number = store->next_number++;
    record_t record = {
        .number = entry->number,
        .time = entry->time,
        .plan = entry->plan,
        .length = entry->length,
        .why = entry->why,
        .best = entry->best,
        .score = entry->score,
        .kind = entry->kind,
        .data_crc = crc32_update(0, data, entry->length),
    };
    record.crc = record_crc(&record);
    uint32_t offset = place(layout, store->block, store->used);
    bool good = program(layout, offset, &record, sizeof record, data, entry->length);
    store->used = good ? store->used + bytes : layout->erase_size;
    return good;
}

static store_entry_t entry_of(const record_t *record)
{
    return (store_entry_t){
        .number = record->number,
        .time = record->time,
        .plan = record->plan,
        .length = record->length,
        .why = record->why,
        .best = record->best,
        .score = record->score,
        .kind = record->kind,
    };
}

bool store_find(const store_t *store, uint32_t from, store_entry_t *entry, const uint8_t **data)
{
    const store_layout_t *layout = store->layout;
    head_t head;
    *data = NULL;
    for (uint32_t block = 0; block < block_count(layout); block++) {
        walk_t at = begin_walk(layout);
        bool valid = read_head(layout, block, &head);
        while (valid && walk(layout, block, &at)) {
            bool nearer = *data == NULL || at.record.number < entry->number;
            if (at.record.number >= from && nearer && data_ok(&at)) {
                *entry = entry_of(&at.record);
                *data = at.data;
            }
        }
    }
    return *data != NULL;
}

bool store_clear(store_t *store)
{
    const store_layout_t *layout = store->layout;
    if (block_count(layout) < 2) {
        return true;
    }
    bool good = begin_block(store, following(store, 1)); /* it remembers the number */
    for (uint32_t step = 1; step < block_count(layout); step++) {
        good = flash_erase(place(layout, following(store, step), 0)) && good;
    }
    return good;
}
