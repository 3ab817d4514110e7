/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See image.h.
 */
#include "update/image.h"

#include <string.h>

#include "hal/flash.h"
#include "update/verify.h"

/* Flags of the header. Any other means encrypted, compressed or to be copied to RAM. */
#define FLAG_NON_BOOTABLE 0x10u
#define FLAG_ROM_FIXED    0x100u

#define AREA_UNPROTECTED 0x6907u
#define AREA_PROTECTED   0x6908u
#define AREA_BYTES       4u /* magic and length of an area, type and length of a TLV */

#define TLV_KEYHASH 0x01u
#define TLV_SHA256  0x10u
#define TLV_ED25519 0x24u
#define TLV_COUNTER 0x50u

#define PAYLOAD_ALIGN     16u /* a plan's */
#define CAPABILITY_FORMAT 1u

static uint32_t get16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t get32(const uint8_t *bytes)
{
    return get16(bytes) | get16(bytes + 2) << 16;
}

/* How many bytes of a slot an image may take. */
static uint32_t room(const update_layout_t *layout, uint32_t slot)
{
    uint32_t size = layout->slots[slot].size;
    return size > IMAGE_TRAILER_BYTES ? size - IMAGE_TRAILER_BYTES : 0;
}

/* The header, whatever comes behind it. */
static update_reason_t parse_header(const uint8_t *header, uint32_t limit, image_t *image)
{
    if (limit < IMAGE_HEADER_BYTES || get32(header) != IMAGE_MAGIC) {
        return UPDATE_E_EMPTY;
    }
    uint32_t header_bytes = get16(header + 8);
    uint32_t flags = get32(header + 16);
    if (header_bytes < IMAGE_HEADER_BYTES || header_bytes % PAYLOAD_ALIGN != 0 ||
        (flags & ~(FLAG_NON_BOOTABLE | FLAG_ROM_FIXED)) != 0) {
        return UPDATE_E_FORMAT;
    }
    *image = (image_t){
        .payload = header + header_bytes,
        .payload_bytes = get32(header + 12),
        .version = {header[20], header[21], (uint16_t)get16(header + 22), get32(header + 24)},
        .is_model = (flags & FLAG_NON_BOOTABLE) != 0,
        .has_address = (flags & FLAG_ROM_FIXED) != 0,
        .address = get32(header + 4),
    };
    if (header_bytes > limit || image->payload_bytes > limit - header_bytes) {
        return UPDATE_E_SIZE;
    }
    image->signed_bytes = header_bytes + image->payload_bytes;
    return UPDATE_OK;
}

static update_reason_t take_once(const uint8_t **member, const uint8_t *value, bool size_ok)
{
    if (*member != NULL || !size_ok) {
        return UPDATE_E_FORMAT;
    }
    *member = value;
    return UPDATE_OK;
}

static update_reason_t take_counter(const uint8_t *value, uint32_t bytes, const uint8_t **seen,
                                    image_t *image)
{
    update_reason_t reason = take_once(seen, value, bytes == 4);
    image->counter = reason == UPDATE_OK ? get32(value) : 0;
    return reason;
}

static update_reason_t take_protected(uint32_t type, const uint8_t *value, uint32_t bytes,
                                      const uint8_t **counter, image_t *image)
{
    switch (type) {
    case TLV_COUNTER:
        return take_counter(value, bytes, counter, image);
    case IMAGE_TLV_BOARD:
        image->board_bytes = (uint16_t)bytes;
        return take_once(&image->board, value, true);
    case IMAGE_TLV_CAPABILITY:
        return take_once(&image->capability, value, bytes == IMAGE_CAPABILITY_BYTES);
    default:
        return UPDATE_OK;
    }
}

static update_reason_t take_unprotected(uint32_t type, const uint8_t *value, uint32_t bytes,
                                        image_t *image)
{
    switch (type) {
    case TLV_KEYHASH:
        return take_once(&image->key_hash, value, bytes == VERIFY_HASH_BYTES);
    case TLV_SHA256:
        return take_once(&image->hash, value, bytes == VERIFY_HASH_BYTES);
    case TLV_ED25519:
        return take_once(&image->signature, value, bytes == VERIFY_SIGNATURE_BYTES);
    default:
        return UPDATE_OK;
    }
}

/* Walks the TLVs of an area of `bytes` bytes, which lies within the slot. They fill it exactly. */
static update_reason_t parse_area(const uint8_t *area, uint32_t bytes, bool is_protected,
                                  image_t *image)
{
    const uint8_t *counter = NULL;
    uint32_t at = AREA_BYTES;
    while (at < bytes) {
        if (bytes - at < AREA_BYTES || get16(area + at + 2) > bytes - at - AREA_BYTES) {
            return UPDATE_E_FORMAT;
        }
        uint32_t type = get16(area + at);
        uint32_t length = get16(area + at + 2);
        const uint8_t *value = area + at + AREA_BYTES;
        update_reason_t reason = is_protected ? take_protected(type, value, length, &counter, image)
                                              : take_unprotected(type, value, length, image);
        if (reason != UPDATE_OK) {
            return reason;
        }
        at += AREA_BYTES + length;
    }
    return UPDATE_OK;
}

/* Bytes of the area at `at`, or 0 if it is none or does not fit. */
static uint32_t area_bytes(const uint8_t *start, uint32_t at, uint32_t limit, uint32_t magic)
{
    if (limit - at < AREA_BYTES || get16(start + at) != magic) {
        return 0;
    }
    uint32_t bytes = get16(start + at + 2);
    return bytes >= AREA_BYTES && bytes <= limit - at ? bytes : 0;
}

/* The protected area is there if the header gives its size, which both must agree on: it is signed,
 * what follows is not. */
static update_reason_t parse_protected(const uint8_t *start, uint32_t limit, image_t *image)
{
    uint32_t promised = get16(start + 10);
    if (promised == 0) {
        return UPDATE_OK;
    }
    uint32_t at = image->signed_bytes;
    uint32_t bytes = area_bytes(start, at, limit, AREA_PROTECTED);
    if (bytes != promised) {
        return UPDATE_E_FORMAT;
    }
    image->signed_bytes += bytes;
    return parse_area(start + at, bytes, true, image);
}

static update_reason_t parse_unprotected(const uint8_t *start, uint32_t limit, image_t *image)
{
    uint32_t at = image->signed_bytes;
    uint32_t bytes = area_bytes(start, at, limit, AREA_UNPROTECTED);
    if (bytes == 0) {
        return UPDATE_E_FORMAT;
    }
    image->total_bytes = at + bytes;
    update_reason_t reason = parse_area(start + at, bytes, false, image);
    if (reason != UPDATE_OK) {
        return reason;
    }
    bool complete = image->hash != NULL && image->signature != NULL && image->key_hash != NULL;
    return complete ? UPDATE_OK : UPDATE_E_FORMAT;
}

update_reason_t image_parse(const update_layout_t *layout, uint32_t slot, image_t *image)
{
    const uint8_t *start = flash_at(layout->slots[slot].offset);
    uint32_t limit = room(layout, slot);
    update_reason_t reason = parse_header(start, limit, image);
    if (reason == UPDATE_OK) {
        reason = parse_protected(start, limit, image);
    }
    if (reason == UPDATE_OK) {
        reason = parse_unprotected(start, limit, image);
    }
    return reason;
}

/* Kind and address are in the header: they are known first. */
static update_reason_t check_place(const update_layout_t *layout, uint32_t slot,
                                   const image_t *image)
{
    bool wants_model = update_component_of(slot) == UPDATE_MODEL;
    if (image->is_model != wants_model) {
        return UPDATE_E_KIND;
    }
    if (wants_model) {
        return UPDATE_OK;
    }
    uint32_t address = image->has_address ? image->address : 0;
    return address == layout->link[slot] ? UPDATE_OK : UPDATE_E_LINK;
}

update_reason_t image_check_header(const update_layout_t *layout, uint32_t slot,
                                   const uint8_t *header)
{
    image_t image;
    update_reason_t reason = parse_header(header, room(layout, slot), &image);
    return reason == UPDATE_OK ? check_place(layout, slot, &image) : reason;
}

/* A model runs on every board unless it names one. */
static bool board_fits(const update_layout_t *layout, uint32_t slot, const image_t *image)
{
    if (image->board == NULL) {
        return update_component_of(slot) == UPDATE_MODEL;
    }
    size_t length = strlen(layout->board);
    return image->board_bytes == length && memcmp(image->board, layout->board, length) == 0;
}

update_reason_t image_verify(const update_layout_t *layout, const update_key_t *key, uint32_t slot,
                             uint32_t counter, const image_t *image)
{
    update_reason_t reason = check_place(layout, slot, image);
    if (reason != UPDATE_OK) {
        return reason;
    }
    if (!board_fits(layout, slot, image)) {
        return UPDATE_E_BOARD;
    }
    if (image->counter < counter) {
        return UPDATE_E_COUNTER;
    }
    if (memcmp(image->key_hash, key->hash, sizeof key->hash) != 0) {
        return UPDATE_E_KEY;
    }
    uint8_t hash[VERIFY_HASH_BYTES];
    verify_hash(flash_at(layout->slots[slot].offset), image->signed_bytes, hash);
    if (memcmp(image->hash, hash, sizeof hash) != 0) {
        return UPDATE_E_HASH;
    }
    bool is_signed = verify_signature(image->signature, key->public_key, hash, sizeof hash);
    return is_signed ? UPDATE_OK : UPDATE_E_SIGNATURE;
}

bool image_capability(const image_t *image, image_capability_t *capability)
{
    const uint8_t *bytes = image->capability;
    if (bytes == NULL || bytes[0] != CAPABILITY_FORMAT) {
        return false;
    }
    *capability = (image_capability_t){
        .format = bytes[0],
        .plan_version_min = bytes[1],
        .plan_version_max = bytes[2],
        .targets = bytes[3],
        .arena_bytes = get32(bytes + 4),
        .plan_bytes = get32(bytes + 24),
    };
    for (uint32_t i = 0; i < 4; i++) {
        capability->kernels[i] = get32(bytes + 8 + 4 * i);
    }
    return true;
}
