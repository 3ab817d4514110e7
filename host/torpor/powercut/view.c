/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See view.h.
 */
#include "view.h"

#include <stddef.h>
#include <string.h>

#include "flash.h"

#define ERASED 0xFF

uint32_t view_capacity(const update_layout_t *layout)
{
    uint32_t bytes = layout->journal_block;
    return (bytes > JOURNAL_BLOCK_BYTES ? JOURNAL_BLOCK_BYTES : bytes) / JOURNAL_RECORD_BYTES;
}

static uint32_t crc_table[256];

static void fill_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (uint32_t bit = 0; bit < 8; bit++) {
            value = (value >> 1) ^ (0xEDB88320u & (0u - (value & 1u)));
        }
        crc_table[i] = value;
    }
}

/* CRC-32 as in Ethernet, by other code than the firmware's. */
static uint32_t crc_of(const uint8_t *bytes, uint32_t length)
{
    if (crc_table[1] == 0) {
        fill_crc_table();
    }
    uint32_t crc = ~0u;
    for (uint32_t i = 0; i < length; i++) {
        crc = (crc >> 8) ^ crc_table[(crc ^ bytes[i]) & 0xFFu];
    }
    return ~crc;
}

/* True if there is a record that is whole. There is no kind with the number of an erased byte. */
static bool read_record(const update_layout_t *layout, uint32_t block, uint32_t index,
                        journal_record_t *record)
{
    uint32_t offset =
        layout->journal.offset + block * layout->journal_block + index * JOURNAL_RECORD_BYTES;
    const uint8_t *bytes = flash_sim.bytes + offset;
    if (bytes[0] == ERASED) {
        return false;
    }
    memcpy(record, bytes, sizeof *record);
    return record->crc == crc_of(bytes, offsetof(journal_record_t, crc));
}

/* The block whose header has the highest number, with its number of the first event. */
static bool find_block(const update_layout_t *layout, uint32_t *block, uint32_t *first)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < layout->journal.size / layout->journal_block; i++) {
        journal_record_t header;
        bool is_header = read_record(layout, i, 0, &header) && header.kind == JOURNAL_HEADER &&
                         header.attempt == JOURNAL_FORMAT;
        if (is_header && header.detail[0] > best) {
            best = header.detail[0];
            *block = i;
            *first = header.detail[1];
        }
    }
    return best != 0;
}

static void no_trial(view_state_t *state)
{
    state->trial = UPDATE_NO_SLOT;
    state->attempts = 0;
    memset(state->trial_id, 0, sizeof state->trial_id);
}

static void apply_to_state(view_state_t *state, const journal_record_t *record)
{
    uint8_t bit = (uint8_t)(1u << record->slot);
    bool is_trial = state->trial == record->slot;
    switch (record->kind) {
    case JOURNAL_ON_TRIAL:
    case JOURNAL_ARMED:
        state->trial = record->slot;
        state->attempts = record->kind == JOURNAL_ARMED ? 0 : record->attempt;
        memcpy(state->trial_id, record->id, sizeof state->trial_id);
        state->rejected &= record->kind == JOURNAL_ARMED ? (uint8_t)~bit : 0xFF;
        break;
    case JOURNAL_ATTEMPT:
        state->attempts = is_trial ? record->attempt : state->attempts;
        break;
    case JOURNAL_CONFIRMED:
        state->confirmed = record->slot;
        state->counter = record->detail[0];
        memcpy(state->confirmed_id, record->id, sizeof state->confirmed_id);
        state->rejected &= (uint8_t)~bit;
        break;
    case JOURNAL_REVERTED:
        state->rejected |= bit;
        break;
    default:
        break;
    }
    if (is_trial && (record->kind == JOURNAL_CONFIRMED || record->kind == JOURNAL_REVERTED)) {
        no_trial(state);
    }
}

static void apply_snapshot(view_state_t *state, const journal_record_t *record)
{
    *state = (view_state_t){
        .confirmed = record->slot, .rejected = record->reason, .counter = record->detail[0]};
    memcpy(state->confirmed_id, record->id, sizeof state->confirmed_id);
    no_trial(state);
}

static bool is_transfer(const journal_record_t *record)
{
    return record->kind == JOURNAL_TRANSFER || record->kind == JOURNAL_UPLOAD;
}

void view_apply(view_sum_t *sum, const journal_record_t *record)
{
    if (record->kind == JOURNAL_STATE) {
        apply_snapshot(&sum->state[record->attempt % UPDATE_COMPONENTS], record);
    } else if (is_transfer(record) && record->slot < UPDATE_SLOTS) {
        sum->transfer = (view_transfer_t){.slot = record->slot, .length = record->detail[0]};
        memcpy(sum->transfer.id, record->id, sizeof record->id);
    } else if (is_transfer(record) || record->kind == JOURNAL_REFUSED) {
        sum->transfer = (view_transfer_t){.slot = UPDATE_NO_SLOT};
    } else if (record->slot < UPDATE_SLOTS) {
        apply_to_state(&sum->state[update_component_of(record->slot)], record);
    }
}

static void clear(view_t *view)
{
    view->first = 0;
    view->count = 0;
    view->sum = (view_sum_t){.transfer = {.slot = UPDATE_NO_SLOT}};
    for (uint32_t i = 0; i < UPDATE_COMPONENTS; i++) {
        view->sum.state[i].confirmed = UPDATE_NO_SLOT;
        no_trial(&view->sum.state[i]);
    }
}

void view_read(view_t *view, const update_layout_t *layout)
{
    uint32_t block = 0;
    clear(view);
    view->found = find_block(layout, &block, &view->first);
    if (!view->found) {
        return;
    }
    uint32_t capacity = view_capacity(layout);
    for (uint32_t i = 1; i < capacity; i++) {
        journal_record_t record;
        if (!read_record(layout, block, i, &record)) {
            continue;
        }
        view_apply(&view->sum, &record);
        if (record.kind >= JOURNAL_EVENTS) {
            view->events[view->count++] = record;
        }
    }
}

const journal_record_t *view_event(const view_t *view, uint32_t number)
{
    bool there = number >= view->first && number < view_next(view);
    return there ? &view->events[number - view->first] : NULL;
}
