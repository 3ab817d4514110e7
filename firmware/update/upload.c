/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See upload.h. How far an interrupted upload has come is read from the slot: bytes come in order,
 * so all before the last byte that is not erased are there, but for the operation that power failed
 * in. The last few kilobytes are therefore asked for again and compared; where they differ, that
 * block is erased and filled anew.
 */
#include "update/upload.h"

#include <string.h>

#include "hal/flash.h"

#define ERASED       0xFFu
#define REPEAT_BYTES 4096u /* asked for again, at most an erase block */
#define UNIT_MAX     32u

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t align_down(uint32_t value, uint32_t align)
{
    return value & ~(align - 1);
}

static bool is_erased(uint32_t offset, uint32_t length)
{
    const uint8_t *bytes = flash_at(offset);
    for (uint32_t i = 0; i < length; i++) {
        if (bytes[i] != ERASED) {
            return false;
        }
    }
    return true;
}

static const update_region_t *region_of(const update_t *update, uint32_t slot)
{
    return &update->layout->slots[slot];
}

/* Sets where to go on with a file of which the slot may hold a part. */
static void find_frontier(const update_t *update, upload_t *upload)
{
    const uint8_t *bytes = flash_at(region_of(update, upload->slot)->offset);
    uint32_t end = upload->length;
    while (end != 0 && bytes[end - 1] == ERASED) {
        end--;
    }
    uint32_t unit = update->layout->write_size;
    uint32_t repeat = smaller(update->layout->erase_size, REPEAT_BYTES);
    upload->keep = align_down(end + unit - 1, unit);
    upload->offset = end != 0 ? align_down(end - 1, repeat) : 0;
}

/* True if the block at `place` of a slot needs no erasing. One that looks erased does if what is
 * below does not: blocks are erased downwards, so power may have failed while it was erased, and
 * what such cells hold may not last. The first two have nothing below that would tell. */
static bool is_spare(uint32_t start, uint32_t place, uint32_t block)
{
    return place > block && is_erased(start + place, block) &&
           is_erased(start + place - block, block);
}

/* Erases what needs it of a slot from `*at` on, for about a second: first of all the first block,
 * so that there is no image any more, then the others from the last one downwards. */
static bool erase_some(const update_t *update, uint32_t slot, uint32_t *at)
{
    const update_region_t *region = region_of(update, slot);
    uint32_t block = update->layout->erase_size;
    for (uint32_t budget = update->layout->erase_step; *at < region->size; *at += block) {
        uint32_t place = *at != 0 ? region->size - *at : 0;
        if (is_spare(region->offset, place, block)) {
            continue;
        }
        if (budget-- == 0) {
            return true;
        }
        if (!flash_erase(region->offset + place)) {
            return false;
        }
    }
    return true;
}

/* One more step of erasing; when it was the last, the file may come. */
static update_reason_t prepare(update_t *update, upload_t *upload)
{
    if (upload->erase == 0 && !update_forget_transfer(update, upload->slot)) {
        return UPDATE_E_FLASH;
    }
    if (!erase_some(update, upload->slot, &upload->erase)) {
        return UPDATE_E_FLASH;
    }
    if (upload->erase < region_of(update, upload->slot)->size) {
        return UPDATE_OK;
    }
    upload->erased = update_note_transfer(update, upload->slot, upload->sha, upload->length);
    return upload->erased ? UPDATE_OK : UPDATE_E_FLASH;
}

static bool is_transfer(const update_t *update, uint32_t slot, uint32_t length, const uint8_t *sha)
{
    const update_transfer_t *transfer = &update->transfer;
    return transfer->slot == slot && transfer->length == length &&
           memcmp(transfer->id, sha, sizeof transfer->id) == 0;
}

static bool is_open_for(const upload_t *upload, uint32_t slot, uint32_t length, const uint8_t *sha)
{
    return upload->open && upload->slot == slot && upload->length == length &&
           memcmp(upload->sha, sha, sizeof upload->sha) == 0;
}

static update_reason_t may_begin(const update_t *update, uint32_t slot, uint32_t length,
                                 const uint8_t *header)
{
    if (slot >= UPDATE_SLOTS || length < IMAGE_HEADER_BYTES) {
        return UPDATE_E_FORMAT;
    }
    if (update_is_protected(update, slot)) {
        return UPDATE_E_BUSY;
    }
    uint32_t size = region_of(update, slot)->size;
    if (size < IMAGE_TRAILER_BYTES || length > size - IMAGE_TRAILER_BYTES) {
        return UPDATE_E_SIZE;
    }
    return header != NULL ? image_check_header(update->layout, slot, header) : UPDATE_OK;
}

update_reason_t upload_begin(update_t *update, upload_t *upload, uint32_t slot, uint32_t length,
                             const uint8_t sha[VERIFY_HASH_BYTES], const uint8_t *header)
{
    update_reason_t reason = may_begin(update, slot, length, header);
    if (reason != UPDATE_OK) {
        return reason;
    }
    if (!is_open_for(upload, slot, length, sha)) {
        *upload = (upload_t){.open = true, .slot = (uint8_t)slot, .length = length};
        memcpy(upload->sha, sha, sizeof upload->sha);
        if (is_transfer(update, slot, length, sha)) {
            upload->erased = true;
            find_frontier(update, upload);
        }
    }
    return upload->erased ? UPDATE_OK : prepare(update, upload);
}

/* The block with `at` is not what it should be: erase it, and those behind it of which the same is
 * not certain, and ask for it again. */
static update_reason_t restart_block(const update_t *update, upload_t *upload, uint32_t at)
{
    uint32_t size = update->layout->erase_size;
    uint32_t start = region_of(update, upload->slot)->offset;
    uint32_t block = align_down(at, size);
    uint32_t end = align_down(upload->keep + size - 1, size);
    upload->offset = block;
    upload->keep = end;
    for (uint32_t i = block; i < end; i += size) {
        if (!flash_erase(start + i)) {
            return UPDATE_E_FLASH;
        }
    }
    upload->keep = block;
    return UPDATE_OK;
}

/* Writes bytes where something may be already. Returns how many are as they should be now. */
static uint32_t write_over(const update_t *update, uint32_t offset, const uint8_t *data,
                           uint32_t length)
{
    uint32_t unit = update->layout->write_size;
    for (uint32_t i = 0; i < length; i += unit) {
        if (memcmp(flash_at(offset + i), data + i, unit) == 0) {
            continue;
        }
        if (!is_erased(offset + i, unit) || !flash_program(offset + i, data + i, unit)) {
            return i;
        }
    }
    return length;
}

/* Writes whole units at upload->offset. */
static update_reason_t write_units(const update_t *update, upload_t *upload, const uint8_t *data,
                                   uint32_t length)
{
    uint32_t start = region_of(update, upload->slot)->offset;
    uint32_t over = 0;
    if (upload->offset < upload->keep) {
        over = smaller(length, upload->keep - upload->offset);
        uint32_t done = write_over(update, start + upload->offset, data, over);
        if (done < over) {
            return restart_block(update, upload, upload->offset + done);
        }
    }
    if (over < length &&
        !flash_program(start + upload->offset + over, data + over, length - over)) {
        upload->keep = upload->offset + length; /* who knows what is there now */
        return UPDATE_E_FLASH;
    }
    upload->offset += length;
    return UPDATE_OK;
}

/* The end of a file, which need not be a whole unit. */
static update_reason_t write_tail(const update_t *update, upload_t *upload, const uint8_t *data,
                                  uint32_t length)
{
    uint8_t unit[UNIT_MAX];
    memset(unit, ERASED, sizeof unit);
    memcpy(unit, data, length);
    update_reason_t reason = write_units(update, upload, unit, update->layout->write_size);
    upload->offset = smaller(upload->offset, upload->length);
    return reason;
}

update_reason_t upload_write(update_t *update, upload_t *upload, uint32_t offset,
                             const uint8_t *data, uint32_t length)
{
    if (!upload->open || !upload->erased) {
        return UPDATE_E_ORDER;
    }
    if (update_is_protected(update, upload->slot)) { /* armed before the file had all come */
        return UPDATE_E_BUSY;
    }
    if (offset != upload->offset) {
        return UPDATE_OK;
    }
    uint32_t count = smaller(length, upload->length - offset);
    uint32_t whole = align_down(count, update->layout->write_size);
    update_reason_t reason = UPDATE_OK;
    if (whole != 0) {
        reason = write_units(update, upload, data, whole);
    }
    bool is_end = offset + count == upload->length && count != whole;
    if (reason == UPDATE_OK && is_end && upload->offset == offset + whole) {
        reason = write_tail(update, upload, data + whole, count - whole);
    }
    return reason;
}

bool upload_is_complete(const upload_t *upload)
{
    return upload->open && upload->erased && upload->offset == upload->length;
}

/* If an image is wrong because the file has not arrived as it was sent, that is the reason. */
static update_reason_t blame(const update_t *update, const upload_t *upload, update_reason_t reason)
{
    uint8_t hash[VERIFY_HASH_BYTES];
    verify_hash(flash_at(region_of(update, upload->slot)->offset), upload->length, hash);
    return memcmp(hash, upload->sha, sizeof hash) == 0 ? reason : UPDATE_E_HASH;
}

update_reason_t upload_finish(update_t *update, upload_t *upload, update_accept_t accept,
                              void *context)
{
    if (!upload_is_complete(upload)) {
        return UPDATE_E_ORDER;
    }
    upload->open = false;
    update_reason_t reason = update_check(update, upload->slot, accept, context, NULL);
    if (reason != UPDATE_OK) {
        reason = blame(update, upload, reason);
        update_note_refused(update, reason);
    }
    return reason;
}

update_reason_t upload_erase(update_t *update, upload_t *upload, uint32_t slot, uint32_t *offset)
{
    if (slot >= UPDATE_SLOTS) {
        return UPDATE_E_FORMAT;
    }
    if (update_is_protected(update, slot)) {
        return UPDATE_E_BUSY;
    }
    if (upload->open && upload->slot == slot) {
        upload->open = false;
    }
    if (*offset == 0 && !update_forget_transfer(update, slot)) {
        return UPDATE_E_FLASH;
    }
    return erase_some(update, slot, offset) ? UPDATE_OK : UPDATE_E_FLASH;
}
