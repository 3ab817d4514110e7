/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Any bytes in the journal, any files in the slots; then what an application does, with power cuts
 * and failing flash between; at the end the device must take a good image again.
 *
 *     geometry | file in each slot | number of records | records ... | steps ...
 */
#include <string.h>

#include "core/crc32.h"
#include "device.h"
#include "flash.h"

#define STEPS 24

/* Sequence numbers that wrap are beyond the life of any flash: 2^32 erased blocks. */
#define SEQUENCE_MASK 0xFFFFu

enum { SENSIBLE, HEADER, STATE, RAW, RAW_WITH_CRC, GAP, NEXT_BLOCK, TRUNCATED, RECORD_KINDS };

static uint8_t any_slot(script_t *script)
{
    uint8_t slot = (uint8_t)script_below(script, UPDATE_SLOTS + 2);
    return slot < UPDATE_SLOTS ? slot : slot == UPDATE_SLOTS ? UPDATE_NO_SLOT : script_byte(script);
}

/* The id of a file, more often than not. */
static void any_id(script_t *script, journal_record_t *record)
{
    uint32_t file = script_byte(script);
    if (file < FILES) {
        memcpy(record->id, files_hash(&files[file]), sizeof record->id);
    } else {
        memset(record->id, (int)file, sizeof record->id);
    }
}

static void sensible_record(script_t *script, journal_record_t *record)
{
    static const uint8_t kinds[] = {
        JOURNAL_ON_TRIAL,  JOURNAL_TRANSFER, JOURNAL_ARMED,  JOURNAL_ATTEMPT,
        JOURNAL_CONFIRMED, JOURNAL_REVERTED, JOURNAL_UPLOAD, JOURNAL_REFUSED,
    };
    record->kind = kinds[script_below(script, sizeof kinds)];
    record->slot = any_slot(script);
    record->reason = script_byte(script);
    record->attempt = script_byte(script);
    record->detail[0] = script_byte(script);
    any_id(script, record);
}

static void state_record(script_t *script, journal_record_t *record)
{
    record->kind = JOURNAL_STATE;
    record->attempt = (uint8_t)script_below(script, 3);
    record->slot = any_slot(script);
    record->reason = script_byte(script);
    record->detail[0] = script_byte(script);
    any_id(script, record);
}

static void header_record(script_t *script, journal_record_t *record)
{
    record->kind = JOURNAL_HEADER;
    record->slot = UPDATE_NO_SLOT;
    record->attempt = JOURNAL_FORMAT;
    record->detail[0] = script_byte(script);
    record->detail[1] = script_u32(script);
}

static void raw_record(script_t *script, journal_record_t *record)
{
    uint8_t bytes[JOURNAL_RECORD_BYTES];
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = script_byte(script);
    }
    memcpy(record, bytes, sizeof bytes);
    if (record->kind == JOURNAL_HEADER) {
        record->detail[0] &= SEQUENCE_MASK;
    }
}

static void make_record(script_t *script, uint32_t kind, journal_record_t *record)
{
    switch (kind) {
    case HEADER:
        header_record(script, record);
        break;
    case STATE:
        state_record(script, record);
        break;
    case RAW:
    case RAW_WITH_CRC:
        raw_record(script, record);
        break;
    default:
        sensible_record(script, record);
        break;
    }
    if (kind != RAW) {
        record->crc = crc32_update(0, record, offsetof(journal_record_t, crc));
    }
}

static void fill_journal(script_t *script)
{
    const update_region_t *region = &device.layout.journal;
    uint32_t at = 0;
    for (uint32_t count = script_byte(script); count != 0; count--) {
        uint32_t kind = script_below(script, RECORD_KINDS);
        if (kind == GAP) {
            at += JOURNAL_RECORD_BYTES;
        } else if (kind == NEXT_BLOCK) {
            at = (at / device.layout.erase_size + 1) * device.layout.erase_size;
        } else if (at + JOURNAL_RECORD_BYTES <= region->size) {
            journal_record_t record = {0};
            make_record(script, kind, &record);
            uint32_t bytes = kind == TRUNCATED ? script_below(script, 32) : sizeof record;
            flash_sim_load(region->offset + at, (const uint8_t *)&record, bytes);
            at += JOURNAL_RECORD_BYTES;
        }
        at = at < region->size ? at : 0;
    }
}

const bool fuzz_offsets = false;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    script_t script = {bytes, size};
    uint8_t geometry = script_byte(&script);
    device_start(geometry);
    for (uint32_t slot = 0; slot < UPDATE_SLOTS; slot++) {
        uint32_t file = script_byte(&script);
        device_load(slot, file < FILES ? file : FILES_NONE);
    }
    fill_journal(&script);
    device_restart();
    fuzz_count(device.update.journal.sequence == 0 ? "no journal" : "journal");
    device_judge();
    device_boot(UPDATE_E_POWER);
    device_judge();
    for (uint32_t i = 0; i < STEPS && script.left != 0; i++) {
        device_step(&script);
        device_judge();
    }
    device_must_recover(geometry % 2 == 0 ? UPDATE_FIRMWARE : UPDATE_MODEL);
    return 0;
}
